//! Requests to the function URL.

use aws_lambda_events::lambda_function_urls::{
    LambdaFunctionUrlRequest, LambdaFunctionUrlResponse,
};
use kedge_engine::error_chain;
use kedge_service::Unsent;
use tokio::time::timeout;

use crate::deadline::Deadline;
use crate::home::Home;
use crate::start::{Failure, Function};
use crate::url;

/// Answers HTTP.
#[derive(Debug)]
pub struct Http;

impl Function for Http {
    const TIMEOUT_MS: i64 = 30_000;
    type Event = LambdaFunctionUrlRequest;
    type Answer = LambdaFunctionUrlResponse;

    /// Whatever goes wrong is an answer: a failure would be Lambda's bare 502, and an answer that comes too late
    /// the end of the process.
    async fn on(
        home: &Home,
        event: LambdaFunctionUrlRequest,
        deadline: Deadline,
    ) -> Result<LambdaFunctionUrlResponse, Failure> {
        let request = match url::request(event) {
            Ok(request) => request,
            Err(unread) => return Ok(url::response(unread.answer())),
        };
        let answer = home.do_work(async |wired| {
            let service = wired.service(&home.queue, deadline.limits(home.now()));
            service.handle(request.clone()).await
        });
        let answer = match timeout(deadline.answers_within(home.now()), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let why = error_chain(&error);
                tracing::error!(target: "kedge", "no request can be answered: {why}");
                Unsent::Unusable.answer()
            }
            Err(_) => {
                tracing::error!(target: "kedge", "a request was not answered in time: the store is slow");
                Unsent::Late.answer()
            }
        };
        Ok(url::response(answer))
    }
}
