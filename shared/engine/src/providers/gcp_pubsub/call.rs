//! Sending one request to Pub/Sub: with the run's token, with retries, and once more with a new token when
//! an old one is refused.

use bytes::Bytes;
use http::Response;
use kedge_core::change::ChangeError;
use kedge_core::live::{FailureCode, ReadFailure};

use super::super::unanswered;
use super::PUBSUB;
use super::auth::{self, Token};
use super::error::{self, Op};
use super::requests::{Built, PubSubRequests, RequestError};
use crate::ports::{ProviderName, ReadPorts, ReadRequest, WritePorts, WriteRequest};
use crate::retry::{self, Retry, WriteAnswer};
use crate::session::Context;

/// What every call of one project needs.
pub(super) struct Caller<'a, P> {
    cx: Context<'a, P>,
    project: &'a str,
}

impl<P> Clone for Caller<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Caller<'_, P> {}

impl<'a, P: ReadPorts> Caller<'a, P> {
    /// A caller about one project.
    pub(super) fn new(cx: Context<'a, P>, project: &'a str) -> Self {
        Self { cx, project }
    }

    /// The ports and the session.
    pub(super) fn context(self) -> Context<'a, P> {
        self.cx
    }

    /// The project id.
    pub(super) fn project(self) -> &'a str {
        self.project
    }

    /// Sends a read; any final status is an answer.
    pub(super) async fn read(
        self,
        token: &Token,
        op: Op,
        build: impl Fn(PubSubRequests<'_>) -> Built<ReadRequest>,
    ) -> Result<Response<Bytes>, ReadFailure> {
        let mut token = token.clone();
        loop {
            let request = build(self.requests(&token)).map_err(unbuilt)?;
            let response = retry::send_read(self.cx, &request, |r| self.classify(op, r))
                .await
                .map_err(|error| unanswered::read_failure(PUBSUB, &error))?;
            match &token {
                Token::Cached(old) if response.status().as_u16() == 401 => {
                    token = auth::renewed(self.cx, old).await?;
                }
                _ => {
                    self.refuse_if_unauthenticated(&token, &response);
                    return Ok(response);
                }
            }
        }
    }

    fn requests<'t>(&'t self, token: &'t Token) -> PubSubRequests<'t> {
        PubSubRequests {
            base: self.cx.session.endpoints.base(ProviderName::Pubsub),
            project: self.project,
            token: token.text(),
        }
    }

    /// A token that is refused though it is new is not kept: the next run is to make its own.
    fn refuse_if_unauthenticated(self, token: &Token, response: &Response<Bytes>) {
        if let (Some(text), 401) = (token.text(), response.status().as_u16()) {
            auth::refuse(self.cx, text);
        }
    }

    fn classify(self, op: Op, response: &Response<Bytes>) -> Retry {
        let ports = self.cx.ports;
        error::classify(op, response, ports.now(), || ports.next_u64())
    }
}

impl<P: WritePorts> Caller<'_, P> {
    /// Sends a write; any final status is an answer.
    pub(super) async fn write(
        self,
        op: Op,
        build: impl Fn(PubSubRequests<'_>) -> Built<WriteRequest>,
    ) -> Result<WriteAnswer, ChangeError> {
        let mut token = auth::token(self.cx).await.map_err(error::not_begun)?;
        let mut ambiguous = false;
        loop {
            let request = build(self.requests(&token)).map_err(|e| error::not_begun(unbuilt(e)))?;
            let mut answer = retry::send_write(self.cx, &request, |r| self.classify(op, r))
                .await
                .map_err(|mut failure| {
                    failure.ambiguous |= ambiguous;
                    unanswered::change_error(PUBSUB, &failure)
                })?;
            answer.after_ambiguous |= ambiguous;
            match &token {
                Token::Cached(old) if answer.response.status().as_u16() == 401 => {
                    ambiguous = answer.after_ambiguous;
                    match auth::renewed(self.cx, old).await {
                        Ok(new) => token = new,
                        // Nothing more can be learnt: the 401 is the last word.
                        Err(_) => return Ok(answer),
                    }
                }
                _ => {
                    self.refuse_if_unauthenticated(&token, &answer.response);
                    return Ok(answer);
                }
            }
        }
    }
}

fn unbuilt(error: RequestError) -> ReadFailure {
    ReadFailure {
        reason: format!("the request could not be made: {}", error.0),
        permission: None,
        code: FailureCode::Network,
    }
}
