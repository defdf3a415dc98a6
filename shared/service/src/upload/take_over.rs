//! Takes over one upload.
//!
//! # Protocol
//!
//! 1. The object is read. If it has another version than was asked for, it is that one which is taken over.
//! 2. Its result is looked for. If there is one, all is done.
//! 3. Its definitions are pushed (see the engine's `push.rs`); those of an archive with the files in them
//!    that were put there later and taken over earlier.
//! 4. The result is written, if there is still none.
//!
//! **Guarantees.** After a crash between 3 and 4 the same definitions are pushed again, which changes nothing,
//! and the result says what the first push did. Of two that take over the same at once, one stores a revision
//! and one writes the result. What can't be used changes nothing, and has a result too. Where the store or
//! another push is in the way, there is no result, and the next time may go well.
//! **Assumptions.** Conditional writes; the store's own time for when an object was put there.

use std::collections::BTreeMap;

use bytes::Bytes;
use kedge_core::definitions::{Bundle, BundleError};
use kedge_core::documents::{self, UploadAnswer, UploadOf, UploadProblem, json_text};
use kedge_core::hint::Hint;
use kedge_core::model::{Size, StackName};
use kedge_core::stored::bundle::{StoredBundle, Uploaded};
use kedge_engine::ports::{
    Clock, Condition, ETag, PutOutcome, Random, Store, StoreError, StoredObject,
};
use kedge_engine::{
    Engine, PushError, PushOutcome, PushReport, PushRequest, UploadContent, UploadPush,
};
use thiserror::Error;

use super::archive::{ArchiveError, unpack};
use super::keys::{Upload, What, revision_key};
use super::text::text;

/// How often a push is tried while others push the same stack.
const PUSHES_MAX: usize = 3;

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenOver {
    /// It was taken over, and this is its result.
    Done(Box<documents::Upload>),
    /// It has a result already.
    Before,
    /// The object is not there any more.
    Gone,
}

/// An upload could not be taken over now. There is no result yet, and it is to be tried again.
#[derive(Debug, Error)]
pub enum UploadError {
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// Its definitions could not be pushed now: the store failed, others pushed all the time, a newer program
    /// wrote what is stored, or nothing may be changed from here.
    #[error("the definitions in {key} could not be stored")]
    Push {
        /// The object.
        key: String,
        /// Why.
        #[source]
        source: Box<PushError>,
    },
    /// The result could not be written as JSON.
    #[error("the result of {key} could not be written")]
    Encode {
        /// The object.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Takes over an upload: pushes its definitions, or says why not, and writes the result beside it. `store` is the one
/// that the engine has.
///
/// # Errors
/// When it could not be done now, and is to be tried again.
pub async fn take_over<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    store: &S,
    upload: &Upload,
) -> Result<TakenOver, UploadError> {
    let (upload, object) = match store.get(&upload.key).await {
        Ok(None) => return Ok(TakenOver::Gone),
        Ok(Some(object)) => {
            let etag = object.etag.clone();
            (
                Upload {
                    etag,
                    ..upload.clone()
                },
                Some(object),
            )
        }
        // Which version is too large is not known: the one that was listed.
        Err(StoreError::TooLarge { .. }) => (upload.clone(), None),
        Err(error) => return Err(error.into()),
    };
    let key = upload.result_key();
    let condition = match (store.get(&key).await?, &object) {
        (None, _) => Condition::Absent,
        // It was put there again since, with the same bytes.
        (Some(result), Some(object)) if result.written_at < object.written_at => {
            Condition::Is(result.etag)
        }
        (Some(_), _) => return Ok(TakenOver::Before),
    };
    let is_again = condition != Condition::Absent;
    let document = match &object {
        Some(object) => result(engine, store, (&upload, object), is_again).await?,
        None => unusable(engine, &upload, &too_large(&upload.path)),
    };
    let text = json_text(&document).map_err(|source| UploadError::Encode {
        key: upload.key.clone(),
        source,
    })?;
    match store.put(&key, Bytes::from(text), condition).await? {
        PutOutcome::Written(_) => Ok(TakenOver::Done(Box::new(document))),
        PutOutcome::Conflict => Ok(TakenOver::Before),
    }
}

/// Pushes what an upload holds, and says what came of it.
async fn result<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    store: &S,
    (upload, object): (&Upload, &StoredObject),
    is_again: bool,
) -> Result<documents::Upload, UploadError> {
    let pushed = match read(&upload.path, object) {
        Ok(Content::Whole(bundle)) => push_whole(engine, store, (upload, object), bundle).await?,
        Ok(Content::File { path, text }) => {
            let (path, text) = (path.as_str(), text.as_str());
            let content = UploadContent::File { path, text };
            push(engine, (upload, object), content).await
        }
        Err(problem) => return Ok(unusable(engine, upload, &problem)),
    };
    let answered = |answer: UploadAnswer<'_>| Ok(result_of(engine, upload, answer));
    match pushed {
        Ok(report) => {
            let unchanged = report.outcome != PushOutcome::Stored
                && (is_again || !came_by(report.stored.pushed.upload.as_ref(), upload));
            let PushReport {
                stored,
                resources,
                notices,
                ..
            } = report;
            answered(UploadAnswer::Stored {
                unchanged,
                revision: &stored.revision(),
                resources,
                notices: &notices,
            })
        }
        Err(PushError::Refused(refusals)) => answered(UploadAnswer::Refused(&refusals)),
        Err(PushError::Definitions(problems)) => answered(UploadAnswer::Problems(&problems)),
        Err(PushError::Bundle(error)) => answered(UploadAnswer::Unusable(&of_bundle(&error))),
        Err(PushError::Encode(error)) => {
            let problem = UploadProblem::new(None, &error.to_string());
            answered(UploadAnswer::Unusable(&problem))
        }
        Err(source) => Err(UploadError::Push {
            key: upload.key.clone(),
            source: Box::new(source),
        }),
    }
}

/// Pushes what an upload holds, again while others push the same stack.
async fn push<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    (upload, object): (&Upload, &StoredObject),
    content: UploadContent<'_>,
) -> Result<PushReport, PushError> {
    let request = PushRequest::Upload(UploadPush {
        content,
        key: &upload.key,
        object,
    });
    let mut pushed = engine.push(&upload.stack, request).await;
    for _ in 1..PUSHES_MAX {
        if !matches!(pushed, Err(PushError::Moved { .. })) {
            break;
        }
        pushed = engine.push(&upload.stack, request).await;
    }
    pushed
}

/// Pushes an archive with the files in it that were put there after it and are taken over already, since its
/// event came late or was lost. Where it undid one that somebody else took over meanwhile, it is pushed again.
async fn push_whole<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    store: &S,
    (upload, object): (&Upload, &StoredObject),
    bundle: Bundle,
) -> Result<Result<PushReport, PushError>, StoreError> {
    let mut newer = newer_files(store, (upload, object), None).await?;
    for _ in 0..PUSHES_MAX {
        let mut whole = bundle.clone();
        for (path, text) in &newer {
            whole = match whole.with_file(path, text) {
                Ok(whole) => whole,
                Err(error) => return Ok(Err(error.into())),
            };
        }
        let content = UploadContent::Whole(&whole);
        let report = match push(engine, (upload, object), content).await {
            Ok(report) => report,
            failed => return Ok(failed),
        };
        let before = replaced(store, &upload.stack, &report).await?;
        let found = newer_files(store, (upload, object), before.as_ref()).await?;
        let is_whole = found
            .iter()
            .all(|(path, text)| whole.text(path) == Some(text));
        if is_whole {
            return Ok(Ok(report));
        }
        newer.extend(found);
    }
    let stack = upload.stack.clone();
    Ok(Err(PushError::Moved { stack }))
}

/// The definitions that a push replaced, if it did and they can be read.
async fn replaced<S: Store>(
    store: &S,
    stack: &StackName,
    report: &PushReport,
) -> Result<Option<StoredBundle>, StoreError> {
    let Some(before) = &report.stored.follows else {
        return Ok(None);
    };
    let object = store.get(&revision_key(stack, before)).await?;
    Ok(object.and_then(|object| StoredBundle::decode(&object.bytes, stack).ok()))
}

/// The files that were put there after an archive and taken over before it, by path: those with a result that
/// says so, and those that are in the definitions which it replaced.
async fn newer_files<S: Store>(
    store: &S,
    (archive, object): (&Upload, &StoredObject),
    replaced: Option<&StoredBundle>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut newer = BTreeMap::new();
    for listed in store.versions(&archive.folder()).await? {
        let file = Upload::of(&listed.key, listed.etag);
        let file = file.filter(|file| matches!(What::of(&file.path), What::File));
        let Some(file) = file.filter(|_| listed.written_at >= object.written_at) else {
            continue;
        };
        let found = store.get(&file.key).await?;
        let found = found.filter(|found| found.etag == file.etag);
        let Some(Ok(Content::File { path, text })) = found.map(|found| read(&file.path, &found))
        else {
            continue;
        };
        let was_there = |replaced: &StoredBundle| replaced.bundle.text(&path) == Some(&text);
        let is_done = |result: &StoredObject| {
            result.written_at >= listed.written_at && says_stored(&result.bytes)
        };
        // One that is neither comes yet.
        if replaced.is_some_and(was_there)
            || store
                .get(&file.result_key())
                .await?
                .is_some_and(|result| is_done(&result))
        {
            newer.insert(path, text);
        }
    }
    Ok(newer)
}

/// Whether a result says that the definitions are stored.
fn says_stored(result: &[u8]) -> bool {
    let result = serde_json::from_slice::<serde_json::Value>(result);
    result.is_ok_and(|result| !result["revision"].is_null())
}

/// Whether what is stored came by this upload: its result was lost, and not its push.
fn came_by(stored: Option<&Uploaded>, upload: &Upload) -> bool {
    stored
        .is_some_and(|stored| stored.key == upload.key && ETag(stored.etag.clone()) == upload.etag)
}

/// What an upload holds.
enum Content {
    Whole(Bundle),
    File { path: String, text: String },
}

/// Reads what an upload holds; or why that can't be used.
fn read(path: &str, object: &StoredObject) -> Result<Content, UploadProblem> {
    match What::of(path) {
        What::Archive(form) => {
            let files = unpack(form, &object.bytes).map_err(|error| of_archive(&error))?;
            let bundle = Bundle::new(files).map_err(|error| of_bundle(&error))?;
            Ok(Content::Whole(bundle))
        }
        What::File if object.bytes.len() > Bundle::FILE_BYTES_MAX => Err(too_large(path)),
        What::File => {
            let text = text(object.bytes.to_vec()).map_err(|at| {
                let problem = UploadProblem::new(Some(path), "this is not text in UTF-8");
                problem.at((at.line, at.column))
            })?;
            let path = path.to_owned();
            Ok(Content::File { path, text })
        }
        What::Nothing => Err(UploadProblem::new(
            None,
            "this is neither an archive (.zip, .tar.gz, .tgz) nor a definition file (.yaml, .yml)",
        )),
    }
}

fn of_archive(error: &ArchiveError) -> UploadProblem {
    let message = error.to_string();
    match error {
        ArchiveError::NotText { path, at } => {
            UploadProblem::new(Some(path), &message).at((at.line, at.column))
        }
        ArchiveError::FileTooLarge { path } | ArchiveError::Encrypted { path } => {
            UploadProblem::new(Some(path), &message)
        }
        _ => UploadProblem::new(None, &message),
    }
}

fn of_bundle(error: &BundleError) -> UploadProblem {
    let file = match error {
        BundleError::FileTooLarge { path, .. }
        | BundleError::BadPath { path }
        | BundleError::TooDeep { path }
        | BundleError::SameButForCase { path, .. } => Some(path.as_str()),
        BundleError::TooManyFiles { .. } | BundleError::TooLarge { .. } => None,
    };
    UploadProblem::new(file, &error.to_string())
}

fn too_large(path: &str) -> UploadProblem {
    let (file, most) = match What::of(path) {
        What::File => (Some(path), Bundle::FILE_BYTES_MAX),
        What::Archive(_) | What::Nothing => (None, super::archive::ARCHIVE_BYTES_MAX),
    };
    let message = format!("this is larger than {}, the most that is taken", Size(most));
    UploadProblem::new(file, &message)
}

fn unusable<P: Clock, S>(
    engine: &Engine<'_, P, S>,
    upload: &Upload,
    problem: &UploadProblem,
) -> documents::Upload {
    result_of(engine, upload, UploadAnswer::Unusable(problem))
}

fn result_of<P: Clock, S>(
    engine: &Engine<'_, P, S>,
    upload: &Upload,
    answer: UploadAnswer<'_>,
) -> documents::Upload {
    let of = UploadOf {
        stack: &upload.stack,
        path: &upload.path,
        etag: &upload.etag.0,
        at: engine.ports.now(),
    };
    documents::upload(of, answer, &|hint| command(&upload.stack, hint))
}

/// The command that mends a refusal. It is a person's to run, wherever the definitions are.
fn command(stack: &StackName, hint: &Hint) -> String {
    let option = match hint {
        Hint::Withdraw => " --withdraw",
        _ => "",
    };
    format!("kedge push --stack {stack}{option}")
}

#[cfg(test)]
mod tests;
