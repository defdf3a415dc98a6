//! Run requests in the store: what somebody asked for over HTTP, and what came of it.
//!
//! The function that answers HTTP has no credentials of providers, and must answer soon. So it writes what
//! was asked for and sends a message; whoever works on it writes the answer, once. A request without an
//! answer is found by a listing, so nothing is lost with a message.

use std::collections::BTreeSet;

use bytes::Bytes;
use kedge_core::model::{StackName, Timestamp};
use kedge_core::stored::run_request::{Answer, RequestKey, RunRequest};
use kedge_core::stored::{EncodeError, StoredError};
use kedge_engine::ports::{Condition, PutOutcome, Store, StoreError};
use thiserror::Error;

use crate::work::Work;

/// What the keys of all requests begin with.
const REQUESTS: &str = "requests/";
/// The digits that ids of one time have in common: those of the nearly three hours of 10,000,000 ms.
const TIME_DIGITS: usize = 6;

/// A request or its answer could not be read or written.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It can't be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Its document could not be made.
    #[error("the answer could not be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A request that nobody answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// For which stack.
    pub stack: StackName,
    /// Its id.
    pub id: String,
}

impl OpenRequest {
    /// The message that says so.
    #[must_use]
    pub fn work(self) -> Work {
        let Self { stack, id } = self;
        Work::Request { stack, id }
    }
}

fn request_key(id: &str) -> String {
    format!("{REQUESTS}{id}.json")
}

fn answer_key(id: &str) -> String {
    format!("{REQUESTS}{id}.answer.json")
}

fn idempotency_key(digest: &str) -> String {
    format!("{REQUESTS}by-key/{digest}.json")
}

/// Reads a request; none where there is none of this id for this stack.
///
/// # Errors
/// When the store can't say, or it is damaged or newer.
pub async fn read<S: Store>(
    store: &S,
    stack: &StackName,
    id: &str,
) -> Result<Option<RunRequest>, RequestError> {
    // An id is part of a key; nothing but what ids are made of leads anywhere.
    if !RunRequest::is_id(id) {
        return Ok(None);
    }
    let object = store.get(&request_key(id)).await?;
    let request = object.map(|object| RunRequest::decode(&object.bytes, id));
    Ok(request.transpose()?.filter(|one| one.stack == *stack))
}

/// Writes a request. One that is there already stays as it is: its id is known to nobody else.
pub(crate) async fn write<S: Store>(store: &S, request: &RunRequest) -> Result<(), RequestError> {
    let bytes = Bytes::from(request.encode()?);
    let key = request_key(&request.id);
    store.put(&key, bytes, Condition::Absent).await?;
    Ok(())
}

/// Whether a request has an answer. Only whether it is there counts: one that can't be read is one too.
///
/// # Errors
/// When the store can't say.
pub async fn is_answered<S: Store>(store: &S, id: &str) -> Result<bool, RequestError> {
    Ok(store.get(&answer_key(id)).await?.is_some())
}

/// The answer to a request, if it has one.
pub(crate) async fn read_answer<S: Store>(
    store: &S,
    id: &str,
) -> Result<Option<Answer>, RequestError> {
    let object = store.get(&answer_key(id)).await?;
    Ok(object
        .map(|object| Answer::decode(&object.bytes))
        .transpose()?)
}

/// Writes the answer to a request. Where one is there already, that one stands.
///
/// # Errors
/// When the store can't say, or the answer is too large to be kept.
pub async fn answer<S: Store>(store: &S, id: &str, answer: &Answer) -> Result<(), RequestError> {
    let bytes = Bytes::from(answer.encode()?);
    store.put(&answer_key(id), bytes, Condition::Absent).await?;
    Ok(())
}

/// The requests of the last hour without an answer, the oldest first: what a queue may have lost. Older
/// ones have expired. One that can't be read is passed over: it fails for whoever asks about it.
///
/// # Errors
/// When the store can't say.
pub async fn open<S: Store>(store: &S, now: Timestamp) -> Result<Vec<OpenRequest>, StoreError> {
    let since = Timestamp(now.0 - RunRequest::LASTS_MS);
    let prefixes: BTreeSet<String> = [since, now].into_iter().map(time_prefix).collect();
    let mut keys = BTreeSet::new();
    for prefix in prefixes {
        keys.extend(store.list(&format!("{REQUESTS}{prefix}")).await?);
    }
    let mut open = Vec::new();
    for key in &keys {
        let id = key.strip_prefix(REQUESTS);
        let id = id.and_then(|rest| rest.strip_suffix(".json"));
        let Some(id) = id.filter(|id| RunRequest::is_id(id)) else {
            continue;
        };
        if keys.contains(&answer_key(id)) || time_of(id) <= since {
            continue;
        }
        let object = store.get(key).await?;
        let request = object.and_then(|object| RunRequest::decode(&object.bytes, id).ok());
        if let Some(RunRequest { stack, id, .. }) = request {
            open.push(OpenRequest { stack, id });
        }
    }
    Ok(open)
}

/// The time that an id begins with.
fn time_of(id: &str) -> Timestamp {
    let time = id.split('-').next().unwrap_or_default();
    Timestamp(time.parse().unwrap_or_default())
}

fn time_prefix(time: Timestamp) -> String {
    let time = format!("{:013}", time.0);
    time.chars().take(TIME_DIGITS).collect()
}

/// What an idempotency key stands for, if it was used before.
pub(crate) async fn read_key<S: Store>(
    store: &S,
    digest: &str,
) -> Result<Option<RequestKey>, RequestError> {
    let object = store.get(&idempotency_key(digest)).await?;
    Ok(object
        .map(|object| RequestKey::decode(&object.bytes))
        .transpose()?)
}

/// Takes an idempotency key for a request. Gives back what it stands for: another request, where somebody
/// was first.
pub(crate) async fn take_key<S: Store>(
    store: &S,
    digest: &str,
    key: RequestKey,
) -> Result<RequestKey, RequestError> {
    if let Some(taken) = read_key(store, digest).await? {
        return Ok(taken);
    }
    let bytes = Bytes::from(key.encode()?);
    let put = store
        .put(&idempotency_key(digest), bytes, Condition::Absent)
        .await?;
    match put {
        PutOutcome::Written(_) => Ok(key),
        // Whoever was first wrote it, and nobody removes it.
        PutOutcome::Conflict => Ok(read_key(store, digest).await?.unwrap_or(key)),
    }
}

#[cfg(test)]
mod tests;
