//! `kedge.push/1`: definitions that were stored.

use serde::Serialize;

use super::history::HistoryRun;
use super::parts::{Text, Time, count};
use super::upload::UploadedObject;
use super::words::{NoticeCode, PushOutcome};
use crate::push::Notice;
use crate::stored::bundle::{Pushed, StoredBundle};
use crate::stored::run::RunRecord;

format_name!(Push: PushFormat => "kedge.push/1");

/// The definitions that are stored now: `kedge push` and `kedge rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Push {
    /// The name and number of this format.
    pub format: PushFormat,
    /// The stack.
    pub stack: Text,
    /// What was done.
    pub outcome: PushOutcome,
    /// The revision of the definitions that are stored now.
    pub revision: Text,
    /// The revision that was stored before.
    pub follows: Option<Text>,
    /// The revision whose content a rollback brought back.
    pub rollback_of: Option<Text>,
    /// When they were pushed.
    pub pushed_at: Time,
    /// Who pushed them.
    pub actor: Text,
    /// From which git branch. Of a rollback or an upload, that of the newest commit before.
    pub branch: Option<Text>,
    /// From which git commit. Of a rollback or an upload, the newest one before.
    pub commit: Option<Text>,
    /// Whether the files had uncommitted edits.
    pub edited: bool,
    /// The object that they came from; `null` if nobody put them at `upload/`.
    pub upload: Option<UploadedObject>,
    /// How many resources are declared.
    pub resources: u64,
    /// Remarks.
    pub notices: Vec<PushNotice>,
    /// The run that followed; `null` without `--wait`, and if automation had nothing to do.
    pub run: Option<HistoryRun>,
}

/// A remark about a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PushNotice {
    /// What it is about.
    pub code: NoticeCode,
    /// The remark as a sentence.
    pub text: Text,
}

impl From<&Notice> for PushNotice {
    fn from(notice: &Notice) -> Self {
        Self {
            code: notice.into(),
            text: Text::of(notice),
        }
    }
}

/// The definitions that are stored now, what a push did about them, how much they declare, and the run
/// that followed.
#[must_use]
pub fn push(
    stored: &StoredBundle,
    outcome: PushOutcome,
    resources: usize,
    notices: &[Notice],
    run: Option<&RunRecord>,
) -> Push {
    let Pushed {
        actor,
        at,
        commit,
        branch,
        upload,
    } = &stored.pushed;
    Push {
        format: PushFormat::V1,
        stack: Text::of(&stored.stack),
        outcome,
        revision: Text::new(&stored.revision()),
        follows: stored.follows.as_deref().map(Text::new),
        rollback_of: stored.rollback_of.as_deref().map(Text::new),
        pushed_at: (*at).into(),
        actor: Text::new(actor),
        branch: branch.as_deref().map(Text::new),
        commit: commit.as_ref().map(|commit| Text::new(&commit.id)),
        edited: commit.as_ref().is_some_and(|commit| commit.edited),
        upload: upload.as_ref().map(Into::into),
        resources: count(resources),
        notices: notices.iter().map(Into::into).collect(),
        run: run.and_then(HistoryRun::of),
    }
}
