//! What would be done, and who may do it.

use serde::Serialize;

use super::Word;
use crate::change::Verb as CoreVerb;
use crate::model::{Allowance as CoreAllowance, OnMissing as CoreOnMissing};
use crate::plan::{GuardName as CoreGuard, LeftReason};
use crate::render::consent::Who as CoreWho;
use crate::risk::Risk as CoreRisk;

words! {
    /// A limit on a whole plan.
    Guard of CoreGuard {
        /// Too many changes besides first-time creates.
        Changes => "changes",
        /// Too large a share of the recorded resources of one kind.
        Share => "share",
        /// Too many first-time creates.
        Creates => "creates",
        /// Too many automatic changes in 24 hours. It stops only automation.
        DailyAutomatic => "daily-automatic",
    }
}

words! {
    /// What automation may change.
    Allowance of CoreAllowance {
        /// Nothing.
        None => "none",
        /// Safe changes.
        Safe => "safe",
        /// Safe and disruptive changes.
        Disruptive => "disruptive",
    }
}

words! {
    /// What automation does about a topic or subscription that is gone.
    OnMissing of CoreOnMissing {
        /// It reports it.
        Alert => "alert",
        /// It creates it again.
        Recreate => "recreate",
    }
}

words! {
    /// What is done to a resource.
    Verb of CoreVerb {
        /// It is created.
        Create => "create",
        /// Some of its fields are changed in place.
        Update => "update",
        /// It is deleted and created again.
        Replace => "replace",
        /// It is deleted.
        Delete => "delete",
    }
}

words! {
    /// How bad a change can be.
    Risk of CoreRisk {
        /// Nobody notices.
        Safe => "safe",
        /// Somebody may notice for a while.
        Disruptive => "disruptive",
        /// Something is lost.
        Destructive => "destructive",
    }
}

words! {
    /// What a step does.
    Action {
        /// It gives the field the value `to`.
        Set => "set",
        /// It adds `item` to the field.
        Add => "add",
        /// It removes `item` from the field.
        Remove => "remove",
        /// It creates or deletes the whole resource.
        Whole => "whole",
    }
}

words! {
    /// Who may make a step. `commands` has a command under the same name.
    Who of CoreWho {
        /// Automation, on its next run.
        Automation => "automation",
        /// A person who approves the plan.
        Person => "person",
        /// A person who approves the key too, with `--allow`.
        PersonApprovingKey = Named => "person-approving-key",
        /// A person who types the stack's name on a terminal.
        PersonTypingStackName = Typed => "person-typing-stack-name",
        /// Nobody, while a guard refuses the plan.
        BlockedByGuard = Guarded => "blocked-by-guard",
    }
}

words! {
    /// Why a step waits.
    ReasonCode of LeftReason {
        /// A guard refuses the whole plan.
        Guard => "guard",
        /// The policy does not allow automation that much.
        Policy => "policy",
        /// It is destructive, and nobody approved its key.
        NeedsApproval = NeedsGrant => "needs-approval",
        /// It is destructive, and the stack is protected: a person types the stack's name.
        NeedsStackName = NeedsTypedName => "needs-stack-name",
        /// It depends on an environment variable that is missing or new here.
        Variable => "variable",
        /// It can't be undone, and nobody edited the definition.
        OneWay => "one-way",
        /// It differed when it was adopted, or is not adopted: a person decides which is right.
        NeedsPerson => "needs-person",
        /// The stored definitions can't be used, so nothing is changed by them.
        InvalidDefinitions => "invalid-definitions",
        /// Nothing of the stack is adopted, and something of it is live.
        NotAdopted => "not-adopted",
        /// A person retired the stack.
        Retired => "retired",
        /// It is gone, and `on_missing` is `alert`.
        OnMissingAlert => "on-missing-alert",
        /// Automation announced it, and waits for `correct_after`.
        Announced => "announced",
        /// Its ignore rule ended, and nobody was told since.
        RuleEnded => "rule-ended",
        /// It was corrected twice today already.
        Flapping => "flapping",
        /// A part of its service, project or zone could not be read.
        ScopeUnread => "scope-unread",
        /// Something that it depends on waits.
        DependsOn => "depends-on",
    }
}
