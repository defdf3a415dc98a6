//! Definitions that somebody put at `upload/` (semantics 7.6). What they come as (an archive, one file) is
//! read by whoever found them.

use std::collections::BTreeMap;

use kedge_core::definitions::Bundle;
use kedge_core::model::{StackName, Timestamp};
use kedge_core::push::{Refusal, Source, UploadInput};
use kedge_core::stored::bundle::{Pushed, Uploaded};

use super::before::PushedBefore;
use super::{PushError, PushReport, put, read};
use crate::ports::{Store, StoredObject};
use crate::state_store::StateStoreError;

/// Who pushed what was put at `upload/`: a store does not say who put it there.
pub const UPLOAD_ACTOR: &str = "upload";

/// What somebody put at `upload/`.
#[derive(Clone, Copy)]
pub struct UploadPush<'a> {
    /// What it holds.
    pub content: UploadContent<'a>,
    /// Its key in the store.
    pub key: &'a str,
    /// The object, as it was read: its version, and when it was put there.
    pub object: &'a StoredObject,
}

/// What an upload holds.
#[derive(Clone, Copy)]
pub enum UploadContent<'a> {
    /// All definitions.
    Whole(&'a Bundle),
    /// One file of the stored definitions, which takes the place of the one at its path.
    File {
        /// Its path in the definitions.
        path: &'a str,
        /// Its text.
        text: &'a str,
    },
}

/// Stores an upload as what is declared. The stored commit stays, so that a later push from git is
/// compared with it.
pub(super) async fn push<S: Store>(
    store: &S,
    stack: &StackName,
    overrides: &BTreeMap<String, String>,
    job: UploadPush<'_>,
    now: Timestamp,
) -> Result<PushReport, PushError> {
    let standing = PushedBefore::read(store, stack, overrides).await?;
    let state_unread = match &standing.state {
        // It may be read the next time.
        Err(StateStoreError::Store(error)) => return Err(error.clone().into()),
        Err(error) => Some(error.to_string()),
        Ok(_) => None,
    };
    let merged;
    let bundle = match job.content {
        UploadContent::Whole(bundle) => bundle,
        UploadContent::File { path, text } => {
            merged = put_into(&standing, path, text)?;
            &merged
        }
    };
    let declared = read(bundle, stack, overrides)?;
    let before = standing.read.stored.as_deref().map(|stored| &stored.pushed);
    let kept = before.and_then(|before| before.upload.as_ref());
    // What can't be used is not older or newer than anything.
    let usable = standing.read.fault.is_none();
    let newer_than = kept.map(|kept| kept.newer_than);
    let newer_than = newer_than.or(standing.read.written_at).filter(|_| usable);
    let put_at = job.object.written_at;
    let source = Source::Upload(UploadInput {
        put_at,
        newer_than,
        stored_policy: standing.policy.as_ref(),
        state_unread: state_unread.as_deref(),
        is_retired: standing.is_over(stack),
    });
    let pushed = Pushed {
        actor: UPLOAD_ACTOR.to_owned(),
        at: now,
        commit: before.and_then(|before| before.commit.clone()),
        branch: before.and_then(|before| before.branch.clone()),
        upload: Some(Uploaded {
            key: job.key.to_owned(),
            etag: job.object.etag.0.clone(),
            newer_than: match job.content {
                UploadContent::Whole(_) => put_at,
                UploadContent::File { .. } => newer_than.unwrap_or(put_at),
            },
        }),
    };
    put(store, &standing, (bundle, &declared), source, pushed).await
}

/// The stored definitions with this file in them.
fn put_into(standing: &PushedBefore, path: &str, text: &str) -> Result<Bundle, PushError> {
    match (&standing.read.stored, &standing.read.fault) {
        (Some(stored), None) => Ok(stored.bundle.with_file(path, text)?),
        (_, fault) => {
            let reason = fault.as_ref().map(ToString::to_string);
            let reason = reason.unwrap_or_default();
            Err(PushError::Refused(vec![Refusal::NothingToPutInto {
                reason,
            }]))
        }
    }
}
