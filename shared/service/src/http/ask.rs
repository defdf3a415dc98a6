//! `check`, `preview` and `up`: what is asked for is written to the store and sent to the queue, and the
//! answer is waited for where somebody wants that.
//!
//! Order: the grant of an `up`, the request, the message. Whatever is cut off is found again: by a tick,
//! or by the same request with its `Idempotency-Key`. A grant without a request is used by nobody.

use std::collections::BTreeSet;

use ::http::StatusCode;
use ::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use kedge_core::change::Verb;
use kedge_core::documents;
use kedge_core::model::{ResourceKey, StackName, sha256};
use kedge_core::stored::run_request::{RequestKey, RequestedRun, RunRequest};
use kedge_core::stored::token::Token;
use kedge_engine::ports::{Clock, Random, Store};
use kedge_engine::{Agreement, GrantError, RunError};

use super::Routed;
use super::answer::Reply;
use super::body::{self, AskBody, UpBody};
use super::caller::too_many;
use super::problem::{Problem, ProblemKind};
use super::query::{Query, header};
use super::routes::Endpoint;
use crate::queue::Queue;
use crate::requests::{self, OpenRequest};
use crate::service::Service;

/// The header by which a request that is sent again is known.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest of its values, in bytes.
pub(super) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How often the store is asked for an answer, in milliseconds.
const POLL_MS: u64 = 500;
/// When to ask again for an answer that is not there yet, in seconds.
const ASK_AGAIN_S: &str = "2";
/// The word among `allow` that is no resource.
const POLICY: &str = "policy";

/// What is asked for, and by which key if it has one.
struct Wanted {
    asked: RequestedRun,
    /// What tells its `Idempotency-Key` from others, and the fingerprint of its body.
    key: Option<(String, String)>,
}

impl Wanted {
    fn read(routed: &Routed<'_>, token: &Token, stack: &StackName) -> Result<Self, Problem> {
        let (asked, text) = match routed.route.endpoint {
            Endpoint::Up => {
                let body = UpBody::read(routed)?;
                let text = serde_json::to_string(&body);
                let UpBody { digest, allow } = body;
                (RequestedRun::Up { digest, allow }, text)
            }
            other => {
                let text = serde_json::to_string(&body::read::<AskBody>(routed)?);
                let is_check = other == Endpoint::Check;
                (
                    if is_check {
                        RequestedRun::Check
                    } else {
                        RequestedRun::Preview
                    },
                    text,
                )
            }
        };
        let fingerprint = sha256(&text.map_err(|_| Problem::internal())?);
        let key = header(&routed.head.headers, &IDEMPOTENCY_KEY)?;
        let key = key.map(|key| {
            let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
            if !(1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) || !is_visible {
                let why = format!(
                    "`{IDEMPOTENCY_KEY}` has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible characters"
                );
                return Err(Problem::new(ProblemKind::InvalidHeader, why));
            }
            // None of its parts has a line break.
            let (id, verb) = (&token.id, asked.as_str());
            Ok((
                sha256(&format!("{id}\n{stack}\n{verb}\n{key}")),
                fingerprint,
            ))
        });
        let key = key.transpose()?;
        Ok(Self { asked, key })
    }
}

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    pub(super) async fn ask(
        &self,
        routed: &Routed<'_>,
        token: &Token,
        stack: &StackName,
        query: &Query,
    ) -> Result<Reply, Problem> {
        let wanted = Wanted::read(routed, token, stack)?;
        if self.settings.read_only {
            return Err(Problem::of(ProblemKind::ReadOnly));
        }
        let request = match self.asked_before(stack, &wanted).await? {
            Some(request) => request,
            None => self.write_request(token, stack, wanted).await?,
        };
        let reply = self.awaited(&request, query.wait_s).await?;
        match reply {
            (reply, true) => Ok(reply),
            (reply, false) => {
                let location = format!("/v1/stacks/{stack}/runs/{}", request.id);
                let reply = reply.with_status(StatusCode::ACCEPTED);
                Ok(reply
                    .header(LOCATION, &location)
                    .header(RETRY_AFTER, ASK_AGAIN_S))
            }
        }
    }

    /// The request that this key stands for, if it was written. Its message is sent once more, since the
    /// one before may not have been.
    async fn asked_before(
        &self,
        stack: &StackName,
        wanted: &Wanted,
    ) -> Result<Option<RunRequest>, Problem> {
        let Some((digest, fingerprint)) = &wanted.key else {
            return Ok(None);
        };
        let Some(taken) = requests::read_key(self.store, digest).await? else {
            return Ok(None);
        };
        is_same(&taken, fingerprint)?;
        let request = requests::read(self.store, stack, &taken.id).await?;
        if let Some(request) = &request {
            let is_open = !request.has_expired(self.ports.now())
                && !requests::is_answered(self.store, &request.id).await?;
            if is_open {
                self.send_request(request).await;
            }
        }
        Ok(request)
    }

    /// Writes what is asked for, and sends the message.
    async fn write_request(
        &self,
        token: &Token,
        stack: &StackName,
        wanted: Wanted,
    ) -> Result<RunRequest, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, &token.name, None);
        self.known(&engine, stack).await?;
        let instance = self.settings.instance;
        instance
            .take_for_stack(stack, self.ports.monotonic_ms())
            .map_err(too_many)?;
        let agreement = match &wanted.asked {
            RequestedRun::Up { digest, allow } => {
                let (policy, names): (Vec<_>, Vec<_>) =
                    allow.iter().cloned().partition(|name| name == POLICY);
                let keys = match names.is_empty() {
                    true => BTreeSet::new(),
                    false => engine
                        .resolve_keys(stack, &names)
                        .await
                        .map_err(|error| Problem::of_run(stack, &error))?,
                };
                Some(agreement(digest, keys, !policy.is_empty()))
            }
            RequestedRun::Check | RequestedRun::Preview => None,
        };
        let mut id = engine.fresh_id();
        if let Some((digest, fingerprint)) = wanted.key {
            let key = RequestKey {
                id,
                fingerprint: fingerprint.clone(),
            };
            let taken = requests::take_key(self.store, &digest, key).await?;
            is_same(&taken, &fingerprint)?;
            id = taken.id;
        }
        if let Some(agreement) = agreement {
            let engine = self.http_engine(&budget, &token.name, Some(&id));
            match engine.grant(stack, agreement).await {
                // The same request was cut off after this.
                Ok(_) | Err(RunError::Grant(GrantError::Raced { .. })) => {}
                Err(error) => return Err(Problem::of_run(stack, &error)),
            }
        }
        let request = RunRequest {
            id,
            stack: stack.clone(),
            actor: token.name.clone(),
            at: self.ports.now(),
            asked: wanted.asked,
        };
        requests::write(self.store, &request).await?;
        self.send_request(&request).await;
        Ok(request)
    }

    /// Sends the message. If the queue fails, the next tick finds the request and sends it; so nobody is told
    /// to ask again, which would make two of it.
    async fn send_request(&self, request: &RunRequest) {
        let open = OpenRequest {
            stack: request.stack.clone(),
            id: request.id.clone(),
        };
        let _ = self.queue.send(&open.work()).await;
    }

    /// The run of a request, once it has its answer or so many seconds are over, and whether it is answered.
    pub(super) async fn awaited(
        &self,
        request: &RunRequest,
        wait_s: u64,
    ) -> Result<(Reply, bool), Problem> {
        let wait_ms = i64::try_from(wait_s).unwrap_or_default() * 1000;
        let until_ms = self.ports.monotonic_ms().saturating_add(wait_ms);
        let answer = loop {
            let answer = requests::read_answer(self.store, &request.id).await?;
            let left_ms = match self.settings.instance.is_stopping() {
                true => 0,
                false => until_ms - self.ports.monotonic_ms(),
            };
            match (answer, u64::try_from(left_ms)) {
                (None, Ok(left_ms @ 1..)) => self.ports.sleep_ms(left_ms.min(POLL_MS)).await,
                (answer, _) => break answer,
            }
        };
        let run = documents::asked_run(request, answer.as_ref(), self.ports.now());
        let run = run.map_err(|_| Problem::internal())?;
        Ok((Reply::json(&run)?, answer.is_some()))
    }
}

/// Whether a key stands for this very request.
fn is_same(taken: &RequestKey, fingerprint: &str) -> Result<(), Problem> {
    match taken.fingerprint == *fingerprint {
        true => Ok(()),
        false => Err(Problem::new(
            ProblemKind::KeyReused,
            format!("`{IDEMPOTENCY_KEY}` came before with another body"),
        )),
    }
}

/// What somebody agrees to who names keys, as on the command line: whatever the plan does to these
/// resources. The digest says what that is.
fn agreement(digest: &str, keys: BTreeSet<ResourceKey>, policy: bool) -> Agreement {
    let verbs = [Verb::Create, Verb::Update, Verb::Replace, Verb::Delete];
    let each = |key: ResourceKey| verbs.map(|verb| (key.clone(), verb));
    Agreement {
        digest: digest.to_owned(),
        destructive: keys.into_iter().flat_map(each).collect(),
        policy,
    }
}
