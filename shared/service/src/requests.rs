//! Run requests in the store: what somebody asked for over HTTP, and what came of it.
//!
//! The function that answers HTTP has no credentials of providers, and must answer soon. So it writes what
//! was asked for and sends a message; whoever works on it writes the answer, once. A request without an
//! answer is found by a listing, so nothing is lost with a message.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::model::{StackName, Timestamp, id_prefixes, id_time};
use kedge_core::stored::run_request::{Answer, RequestKey, RunRequest};
use kedge_core::stored::{EncodeError, StoredError};
use kedge_engine::ports::{Condition, PutOutcome, Store, StoreError};
use thiserror::Error;

use crate::work::Work;

/// What the keys of all requests begin with.
const REQUESTS: &str = "requests/";
/// How many requests are sent again at once, at most: each is read first. The others come later.
const OPEN_MAX: usize = 200;
/// How old a request is when it is sent again, in milliseconds: its first message is worked on until then.
const SENT_AGAIN_AFTER_MS: i64 = 60_000;
/// How many requests are read at once.
const READ_AT_ONCE: usize = 8;

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

/// Requests of the last hour without an answer, the oldest first: what a queue may have lost. Older ones have
/// expired. One that can't be read is passed over: it fails for whoever asks about it.
///
/// # Errors
/// When the store can't say.
pub async fn open<S: Store>(store: &S, now: Timestamp) -> Result<Vec<OpenRequest>, StoreError> {
    let since = Timestamp(now.0 - RunRequest::LASTS_MS);
    let mut keys = BTreeSet::new();
    for prefix in id_prefixes(since, now) {
        keys.extend(store.list(&format!("{REQUESTS}{prefix}")).await?);
    }
    let id = |key: &String| {
        let id = key.strip_prefix(REQUESTS)?.strip_suffix(".json")?;
        let is_open = RunRequest::is_id(id) && !keys.contains(&answer_key(id));
        let age_ms = now.ms_since(id_time(id));
        // What comes from a clock that is ahead is sent too.
        let is_due = age_ms < RunRequest::LASTS_MS && !(0..SENT_AGAIN_AFTER_MS).contains(&age_ms);
        (is_open && is_due).then(|| id.to_owned())
    };
    let ids: Vec<String> = keys.iter().filter_map(id).collect();
    let reads = ids.into_iter().map(|id| async move {
        let object = store.get(&request_key(&id)).await?;
        let request = object.and_then(|object| RunRequest::decode(&object.bytes, &id).ok());
        let open = request.map(|RunRequest { stack, id, .. }| OpenRequest { stack, id });
        Ok::<_, StoreError>(open)
    });
    let reads: Vec<_> = reads.collect();
    // Those that can't be read take no other one's place.
    let found = stream::iter(reads).buffered(READ_AT_ONCE);
    let found = found.try_filter_map(async |open| Ok(open));
    found.take(OPEN_MAX).try_collect().await
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
