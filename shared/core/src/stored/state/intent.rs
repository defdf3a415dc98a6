//! Changes that a run began and whose end state does not know (semantics 8.1).

use std::collections::BTreeMap;

use super::AutomaticChange;
use crate::change::Verb;
use crate::model::{Fields, ResourceKey, Timestamp};
use crate::stored::grant::Grant;
use crate::stored::run::RunRecord;

/// Changes of one run with an outcome that state does not know yet (semantics 8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applying {
    /// The run as history will know it, with the changes that ended so far: whoever finds that it broke
    /// off keeps this in its place (semantics 9.6).
    pub run: RunRecord,
    /// Whether history knows the run: it went to its end, and only how some changes ended is open.
    pub in_history: bool,
    /// What it began, by resource.
    pub intents: BTreeMap<ResourceKey, Intent>,
}

/// The run that began a change, which later runs may find still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunBy {
    /// The run.
    pub run: String,
    /// Who ran it: `ana@laptop`.
    pub actor: String,
}

/// One change that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What was to be done.
    pub verb: Verb,
    /// The run that began it; none if that is not known.
    pub begun_by: Option<BegunBy>,
    /// When it was begun. The consent to a replacement counts from then.
    pub at: Timestamp,
    /// From when on the provider shows it, if it was made: the latest moment at which the run may have
    /// sent it, and the provider's time to catch up (semantics 3.6).
    pub shown_by: Timestamp,
    /// What was live before; none if nothing was.
    pub from: Option<Fields>,
    /// What is to be recorded once it is done; empty for a delete.
    pub to: Fields,
    /// What automation counts once it turns out to be made: the daily limit and the flap breaker. None
    /// if a person asked for it.
    pub automatic: Option<AutomaticChange>,
    /// The attempt before it at the same resource, if it is not known yet how that ended.
    pub earlier: Option<Box<Intent>>,
}

impl Intent {
    /// The furthest ahead that [`Intent::shown_by`] may lie: a run of at most 15 minutes, and
    /// [`CatchingUp::AHEAD_MS`] for the provider and for clocks that differ. Further is of a wrong clock.
    ///
    /// [`CatchingUp::AHEAD_MS`]: crate::model::CatchingUp::AHEAD_MS
    pub const AHEAD_MS: i64 = 15 * 60 * 1000 + crate::model::CatchingUp::AHEAD_MS;

    /// The most attempts at one resource that are remembered while none is known to have ended.
    pub const ATTEMPTS_MAX: usize = 4;

    /// Whether it may have been made though the provider does not show it now.
    #[must_use]
    pub fn may_show_later(&self, now: Timestamp) -> bool {
        now < self.shown_by && self.shown_by.ms_since(now) <= Self::AHEAD_MS
    }

    /// This attempt and those before it that are open too, newest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |intent| intent.earlier.as_deref())
    }

    /// This attempt after an earlier one that is open still.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        self.earlier = Some(Box::new(earlier));
        let mut last = &mut self;
        for _ in 1..Self::ATTEMPTS_MAX {
            match &mut last.earlier {
                Some(earlier) => last = earlier,
                None => return self,
            }
        }
        last.earlier = None;
        self
    }

    /// Whether it replaces a resource by what is declared now, under a consent that still holds: one
    /// lasts an hour, and is for what was declared then. A beginning that lies ahead by more than that
    /// is of a wrong clock.
    #[must_use]
    pub fn is_replacement_by(&self, declared: &Fields, now: Timestamp) -> bool {
        self.verb == Verb::Replace
            && self.to == *declared
            && now.ms_since(self.at).saturating_abs() < Grant::LASTS_MS
    }
}
