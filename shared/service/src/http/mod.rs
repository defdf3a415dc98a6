//! The HTTP API. `routes.rs` has the one table of routes; what a route does is in the file of its subject.
//!
//! A request goes: route, size, rate, token, right, form, and only then anything is read or written. No
//! provider is called here, and no credential of one is needed: checks, previews and changes are written to
//! the store as requests and sent to the queue (`ask.rs`).

mod answer;
mod ask;
mod body;
mod caller;
mod health;
mod hold;
mod openapi;
mod problem;
mod query;
mod relay;
mod routes;
mod stacks;

use ::http::request::Parts;
use ::http::{Method, Request, Response};
use bytes::Bytes;
use kedge_core::documents;
use kedge_core::model::StackName;
use kedge_engine::ports::{Clock, Random, Store};
use kedge_engine::{Budget, Engine};

use self::answer::Reply;
use self::problem::{Problem, ProblemKind};
use self::query::Query;
use self::routes::{Caller, Endpoint, Route};
use crate::queue::Queue;
use crate::service::{Requester, Service};
use crate::tokens::Verified;

/// The longest path and query, in bytes. The longest of ours has under 200.
const URI_BYTES_MAX: usize = 2_048;

/// A request whose route is known.
struct Routed<'a> {
    route: &'static Route,
    /// The `{stack}` of the path, as it was sent.
    stack: Option<String>,
    /// The `{id}` of the path, as it was sent.
    id: Option<String>,
    head: &'a Parts,
    body: &'a Bytes,
}

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    /// Answers one HTTP request. It asks the ports for time and randomness alone.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let reply = match Box::pin(self.reply(&head, &body)).await {
            Ok(reply) => reply,
            Err(problem) => problem.into(),
        };
        reply.into_response(head.method == Method::HEAD)
    }

    async fn reply(&self, head: &Parts, body: &Bytes) -> Result<Reply, Problem> {
        let routed = Routed::of(head, body)?;
        match routed.route.caller {
            Caller::Anybody => self.for_anybody(&routed).await,
            Caller::Relay => self.event(&routed).await,
            Caller::Token(scope) => {
                let verified = self.verified(head).await?;
                let stack = caller::may(&verified.token, scope, routed.stack.as_deref())?;
                let query = Query::read(&routed)?;
                body::is_expected(&routed)?;
                if !self.settings.read_only {
                    verified.note_use(self.store, self.ports.now()).await;
                }
                match stack {
                    None => self.stacks(&verified, &query).await,
                    Some(stack) => self.for_stack(&routed, &verified, &stack, &query).await,
                }
            }
        }
    }

    async fn for_anybody(&self, routed: &Routed<'_>) -> Result<Reply, Problem> {
        Query::read(routed)?;
        body::is_expected(routed)?;
        match routed.route.endpoint {
            Endpoint::Health => self.health().await,
            Endpoint::Version => Reply::json(&documents::version(env!("CARGO_PKG_VERSION"))),
            Endpoint::OpenApi => Ok(Reply::text(openapi::DOCUMENT)),
            _ => Err(Problem::internal()),
        }
    }

    async fn for_stack(
        &self,
        routed: &Routed<'_>,
        verified: &Verified,
        stack: &StackName,
        query: &Query,
    ) -> Result<Reply, Problem> {
        let id = routed.id.as_deref().unwrap_or_default();
        match routed.route.endpoint {
            Endpoint::Check | Endpoint::Preview | Endpoint::Up => {
                self.ask(routed, &verified.token, stack, query).await
            }
            Endpoint::Stack => self.stack(stack).await,
            Endpoint::Runs => self.runs(stack, query).await,
            Endpoint::Run => self.run(stack, id, query).await,
            Endpoint::History => self.history(stack, query).await,
            Endpoint::Hold => self.hold(routed, &verified.token, stack).await,
            Endpoint::Release => self.release(routed, &verified.token, stack).await,
            _ => Err(Problem::internal()),
        }
    }

    fn http_budget(&self) -> Result<Budget, Problem> {
        let budget = self.settings.limits.budget(self.ports);
        budget.map_err(|_| Problem::internal())
    }

    /// The engine for somebody who asks over HTTP.
    fn http_engine<'b>(
        &'b self,
        budget: &'b Budget,
        actor: &'b str,
        run: Option<&'b str>,
    ) -> Engine<'b, P, S> {
        let trigger = "http";
        self.engine(
            budget,
            Requester {
                actor,
                trigger,
                run,
            },
        )
    }
}

/// Why a shell could not read the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It did not arrive in time.
    Late,
    /// It is larger than any route takes.
    TooLarge,
    /// It is no HTTP.
    Broken,
}

impl Unread {
    /// The answer.
    #[must_use]
    pub fn answer(self) -> Response<Bytes> {
        let kind = match self {
            Self::Late => ProblemKind::BodyLate,
            Self::TooLarge => ProblemKind::BodyTooLarge,
            Self::Broken => ProblemKind::InvalidBody,
        };
        Reply::from(Problem::of(kind)).into_response(false)
    }
}

/// Why a shell could not send an answer of the service, or get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// It is larger than the platform takes.
    TooLarge,
    /// The service can't be set up: a setting can't be used. Why is for the log.
    Unusable,
    /// There is none as long as the platform waits: the store is slow.
    Late,
}

impl Unsent {
    /// The answer that is sent in its place.
    #[must_use]
    pub fn answer(self) -> Response<Bytes> {
        let problem = match self {
            Self::TooLarge => Problem::of(ProblemKind::AnswerTooLarge)
                .next("ask for less (`most`), or use `kedge` on the command line"),
            Self::Unusable => Problem::internal(),
            Self::Late => Problem::store(),
        };
        Reply::from(problem).into_response(false)
    }
}

impl<'a> Routed<'a> {
    /// Finds the route of a request, and refuses what is too large for it.
    fn of(head: &'a Parts, body: &'a Bytes) -> Result<Self, Problem> {
        let uri = &head.uri;
        let length = uri.path().len() + uri.query().map_or(0, str::len);
        if length > URI_BYTES_MAX {
            return Err(Problem::of(ProblemKind::UriTooLong));
        }
        let found = routes::find(uri.path()).ok_or_else(|| Problem::of(ProblemKind::NotFound))?;
        let method = match head.method {
            Method::HEAD => &Method::GET,
            ref method => method,
        };
        let mut of_path = found
            .routes
            .iter()
            .map(|number| routes::ROUTES.get(*number));
        let route = of_path.find_map(|route| route.filter(|route| route.method == *method));
        let route = route.ok_or_else(|| Problem::wrong_method(&found.allow))?;
        if body.len() > routes::BODY_BYTES_MAX {
            return Err(Problem::of(ProblemKind::BodyTooLarge));
        }
        Ok(Self {
            route,
            stack: found.stack,
            id: found.id,
            head,
            body,
        })
    }
}

#[cfg(test)]
mod tests;
