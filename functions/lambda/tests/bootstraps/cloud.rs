//! What the functions see of AWS, on one socket: Lambda's Runtime API, SQS and SSM, as far as they use them.
//! (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, AWSSimpleQueueService, systems-manager.)

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const RUNTIME: &str = "/2018-06-01/runtime/";

/// An event that waits for a function.
struct Event {
    id: String,
    deadline_ms: u64,
    payload: Value,
}

/// What a function answered: its answer, or its error.
pub(crate) type Answer = Result<Value, Value>;

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    answers: BTreeMap<String, Answer>,
    invoked: usize,
    /// How many functions were started. Only the last one gets events: those before it are gone.
    started: usize,
    /// Which of them asked last.
    asked: usize,
    parameters: BTreeMap<String, String>,
    calls: Vec<(String, Value)>,
    refused: Option<String>,
}

/// What the functions see of AWS.
#[derive(Clone, Default)]
pub(crate) struct Cloud {
    inner: Rc<RefCell<Inner>>,
    changed: Rc<Notify>,
}

impl Cloud {
    /// Serves a function that is about to be started on a port of its own, as long as the test's `LocalSet`
    /// runs. Gives host and port.
    pub(crate) async fn serve(&self) -> String {
        let who = {
            let mut inner = self.inner.borrow_mut();
            inner.started += 1;
            inner.started
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let cloud = self.clone();
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let cloud = cloud.clone();
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| cloud.answer(who, request));
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // An error is a function that was ended.
                    let _ = connection.await;
                });
            }
        });
        at
    }

    /// Hands an event to the function that asks next, and waits for what it answers.
    pub(crate) async fn invoke(&self, deadline_ms: u64, payload: Value) -> Answer {
        let id = {
            let mut inner = self.inner.borrow_mut();
            inner.invoked += 1;
            let id = format!("invocation-{}", inner.invoked);
            inner.events.push_back(Event {
                id: id.clone(),
                deadline_ms,
                payload,
            });
            id
        };
        self.changed.notify_waiters();
        self.until(|inner| inner.answers.remove(&id)).await
    }

    /// Waits until the last one asked for an event.
    pub(crate) async fn has_started(&self) {
        self.until(|inner| (inner.asked == inner.started).then_some(()))
            .await;
    }

    /// Sets a parameter of SSM.
    pub(crate) fn set_parameter(&self, arn: &str, value: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.parameters.insert(arn.to_owned(), value.to_owned());
    }

    /// From now on this operation is refused; none: all are fine.
    pub(crate) fn refuse(&self, operation: Option<&str>) {
        self.inner.borrow_mut().refused = operation.map(str::to_owned);
    }

    /// What was called of an operation since it was last asked for, such as `AmazonSQS.SendMessage`.
    pub(crate) fn take_calls(&self, operation: &str) -> Vec<Value> {
        let mut inner = self.inner.borrow_mut();
        let calls = std::mem::take(&mut inner.calls).into_iter();
        let (found, others) = calls.partition(|(name, _)| name == operation);
        inner.calls = others;
        let found: Vec<(String, Value)> = found;
        found.into_iter().map(|(_, body)| body).collect()
    }

    async fn until<T>(&self, mut found: impl FnMut(&mut Inner) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = found(&mut self.inner.borrow_mut()) {
                return found;
            }
            changed.await;
        }
    }

    async fn answer(
        &self,
        who: usize,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = head.uri.path().to_owned();
        Ok(match path.strip_prefix(RUNTIME) {
            Some("invocation/next") => self.next(who).await,
            Some(rest) => self.take_answer(rest, body),
            None => {
                let target = head.headers["x-amz-target"].to_str().unwrap();
                self.called(target, body)
            }
        })
    }

    async fn next(&self, who: usize) -> Response<Full<Bytes>> {
        self.inner.borrow_mut().asked = who;
        self.changed.notify_waiters();
        let next = |inner: &mut Inner| match inner.started == who {
            true => inner.events.pop_front(),
            false => None,
        };
        let event = self.until(next).await;
        let function = "arn:aws:lambda:eu-central-1:111122223333:function:kedge";
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", event.id)
            .header("lambda-runtime-deadline-ms", event.deadline_ms)
            .header("lambda-runtime-invoked-function-arn", function)
            .header(
                "lambda-runtime-trace-id",
                "Root=1-6b0d2f40-0123456789abcdef01234567",
            )
            .header("content-type", "application/json");
        let body = event.payload.to_string();
        response.body(Full::new(body.into())).unwrap()
    }

    fn take_answer(&self, path: &str, body: Value) -> Response<Full<Bytes>> {
        let parts: Vec<_> = path.split('/').collect();
        let ["invocation", id, kind] = parts[..] else {
            panic!("{path}: {body}");
        };
        let answer = match kind {
            "response" => Ok(body),
            "error" => Err(body),
            _ => panic!("{path}: {body}"),
        };
        self.inner
            .borrow_mut()
            .answers
            .insert(id.to_owned(), answer);
        self.changed.notify_waiters();
        said(StatusCode::ACCEPTED, &json!({"status": "OK"}))
    }

    fn called(&self, target: &str, body: Value) -> Response<Full<Bytes>> {
        let mut inner = self.inner.borrow_mut();
        let number = inner.calls.len();
        inner.calls.push((target.to_owned(), body.clone()));
        if inner.refused.as_deref() == Some(target) {
            let error = json!({"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"});
            return said(StatusCode::BAD_REQUEST, &error);
        }
        let answer = match target {
            "AmazonSQS.SendMessage" => json!({"MessageId": format!("message-{number}")}),
            "AmazonSQS.ChangeMessageVisibility" => json!({}),
            "AmazonSSM.GetParameters" => {
                let names = body["Names"].as_array().unwrap().iter();
                let arns = names.map(|name| name.as_str().unwrap());
                let found: Vec<_> = arns
                    .filter_map(|arn| {
                        let value = inner.parameters.get(arn)?;
                        Some(json!({"ARN": arn, "Name": arn, "Value": value}))
                    })
                    .collect();
                json!({"Parameters": found, "InvalidParameters": []})
            }
            other => panic!("{other}: {body}"),
        };
        said(StatusCode::OK, &answer)
    }
}

fn said(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    response.body(Full::new(body.to_string().into())).unwrap()
}
