//! What a command did.

use serde::Serialize;

use super::Word;
use crate::compare::Stage;
use crate::push::{Notice, Refusal};
use crate::record::Forgotten;
use crate::report::Outcome as CoreOutcome;

words! {
    /// How a change ended.
    Outcome of CoreOutcome {
        /// It was made.
        Done => "done",
        /// It can't be made until somebody does what `fix` says.
        Blocked => "blocked",
        /// It was not made; a later run tries again.
        Failed => "failed",
        /// Nobody knows; the next run finds out by reading.
        Unknown => "unknown",
        /// It was not begun.
        NotBegun => "not-begun",
        /// A person set a hold on it, or on what it depends on, since the run began.
        Held => "held",
    }
}

words! {
    /// How a change of an interrupted run turned out.
    FoundOutcome {
        /// It was made.
        Done => "done",
        /// It was not made.
        Failed => "failed",
        /// Nobody can tell yet.
        Unknown => "unknown",
    }
}

words! {
    /// What became of a run whose changes have no known outcome.
    RunStage of Stage {
        /// It has the lease and is working.
        Working => "working",
        /// It stopped in the middle; the next run finishes it.
        BrokeOff => "broke-off",
        /// It ended, and the outcome of some of its changes is not known yet.
        OutcomeUnknown => "outcome-unknown",
        /// Its lease can't be read.
        Unread => "unread",
    }
}

words! {
    /// A command that changes state.
    CommandName {
        /// `kedge up`.
        Up => "up",
        /// `kedge adopt`.
        Adopt => "adopt",
        /// `kedge forget`.
        Forget => "forget",
        /// `kedge refresh`.
        Refresh => "refresh",
        /// `kedge retire`.
        Retire => "retire",
    }
}

words! {
    /// What becomes of a resource.
    StateResult {
        /// `adopt`: it is recorded, and is as declared.
        Adopted => "adopted",
        /// `adopt`: it is recorded and differs; that waits for a person.
        Pending => "pending",
        /// `adopt`: it is not adopted; `reason` says why.
        Skipped => "skipped",
        /// `forget`: it stays as it is, and nothing watches it.
        Unmanaged => "unmanaged",
        /// `forget`: it is gone already.
        Gone => "gone",
        /// `forget`: it is still declared, so the next run records it again.
        RecordedAgain => "recorded-again",
        /// `forget`: it is still declared and differs; it waits for a person.
        NotAdopted => "not-adopted",
        /// `forget`: it is still declared and not there; a deploy creates it.
        New => "new",
        /// `forget`: it could not be read.
        Unread => "unread",
        /// `refresh --confirm-absence`: it is gone, and nobody confirmed that yet.
        Absent => "absent",
        /// `refresh --confirm-absence`: it is confirmed to be gone.
        Missing => "missing",
    }
}

impl From<Forgotten> for StateResult {
    fn from(forgotten: Forgotten) -> Self {
        match forgotten {
            Forgotten::Unmanaged => Self::Unmanaged,
            Forgotten::Gone => Self::Gone,
            Forgotten::RecordedAgain => Self::RecordedAgain,
            Forgotten::NotAdopted => Self::NotAdopted,
            Forgotten::New => Self::New,
            Forgotten::Unread => Self::Unread,
        }
    }
}

words! {
    /// An edit of a definition file.
    AcceptAction {
        /// Replace the value on that line by `text`.
        Replace => "replace",
        /// Add the line `text` to the resource on that line.
        Add => "add",
        /// Remove the key `text`.
        Remove => "remove",
        /// Remove the resource on that line.
        RemoveResource => "remove-resource",
        /// Add the items `add` to `list`, and remove the items `remove` from it.
        EditList => "edit-list",
    }
}

words! {
    /// What a push or rollback did.
    PushOutcome {
        /// A new revision was stored.
        Stored => "stored",
        /// The content was stored already.
        Unchanged => "unchanged",
        /// The content was stored already, and is now known as that of a later commit too.
        CommitNoted => "commit-noted",
        /// The content was stored already by a push that was interrupted, which is now complete.
        Completed => "completed",
    }
}

words! {
    /// What came of an upload.
    UploadOutcome {
        /// It is stored, and its definitions count.
        Stored => "stored",
        /// Its content was stored already.
        Unchanged => "unchanged",
        /// A rule refuses it: see `refusals`. Nothing was stored.
        Refused => "refused",
        /// It can't be used: see `problems`. Nothing was stored.
        Invalid => "invalid",
    }
}

words! {
    /// What a notice is about.
    NoticeCode of Notice {
        /// The policy would allow automation more; that waits for a person.
        PolicyWaits = PolicyNeedsConsent => "policy-waits",
        /// Nobody checked whether this push is newer than the stored one.
        AncestryNotChecked => "ancestry-not-checked",
        /// Resources were removed from the definitions.
        Removed => "removed",
        /// The list of stacks was lost or damaged, and was made again.
        IndexRebuilt = IndexMade => "index-rebuilt",
        /// Environment variables were used, and their values are not stored.
        VariablesUsed => "variables-used",
        /// State could not be read, so changes of the policy were not checked.
        StateUnread => "state-unread",
        /// The stored definitions could not be used.
        StoredInvalid => "stored-invalid",
    }
}

words! {
    /// Why a push was refused.
    RefusalCode of Refusal {
        /// The stack's name overlaps with that of another stack.
        NamesOverlap => "names-overlap",
        /// Another stack has a record set.
        Taken = OwnedByAnother => "taken",
        /// Nobody can say whether another stack has a record set.
        OwnerUnknown => "owner-unknown",
        /// Too many resources would be removed at once.
        RemovesTooMuch = Removes => "removes-too-much",
        /// The stored commit is newer than the pushed one, or on another branch.
        NotDescended => "not-descended",
        /// Nobody can say whether the stored commit is newer.
        DescentUnknown => "descent-unknown",
        /// The stack was rolled back, and that stands until somebody says otherwise.
        RolledBack => "rolled-back",
        /// Of an upload: the policy would allow automation more, and a person has to see that.
        Loosens => "loosens",
        /// Of an upload: nobody can say whether it would, because state can't be read.
        LooseningUnknown => "loosening-unknown",
        /// Of an upload: it was put there before what is stored now.
        Outdated => "out-of-date",
        /// Of an upload: the stack is retired, and only a push begins it anew.
        Retired => "retired",
        /// Of an upload of one file: there are no definitions to put it into.
        NothingToPutInto => "nothing-to-put-into",
    }
}

words! {
    /// Whether the run that had a lease was still working.
    HolderStatus {
        /// Its lease was renewed in time.
        Working => "working",
        /// A renewal was overdue.
        Late => "late",
        /// Its lease was not renewed in time, and ended.
        Stopped => "stopped",
        /// The store does not say the time.
        Unknown => "unknown",
    }
}
