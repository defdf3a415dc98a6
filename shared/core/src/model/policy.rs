//! What may happen with no person at hand, and how much at once.

/// How far automation may go, by the risk of a change (semantics 6.2), from strict to loose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Allowance {
    /// Nothing.
    #[default]
    None,
    /// Safe changes.
    Safe,
    /// Safe and disruptive changes. Destructive ones are never made unattended.
    Disruptive,
}

impl Allowance {
    /// The word in YAML, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
        }
    }
}

/// What automation does about a topic or subscription that is gone. Ordered from strict to loose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnMissing {
    /// Say so and wait for a person.
    Alert,
    /// Create it again, where `correct` is not `none`.
    Recreate,
}

impl OnMissing {
    /// The word in YAML, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Recreate => "recreate",
        }
    }
}

/// What may happen to a stack with no person at hand (semantics 6.2, 6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Correcting what drifted.
    pub correct: Allowance,
    /// Deploying what was edited.
    pub deploy: Allowance,
    /// How long a drift is announced before it is corrected, in milliseconds.
    pub correct_after_ms: i64,
    /// Topics and subscriptions that are gone. None: names ending in `-dlq` are recreated, others
    /// alerted. A resource's own setting comes before this.
    pub on_missing: Option<OnMissing>,
    /// No unattended deploy, no unattended correction beyond safe, destructive changes only from a
    /// terminal with the stack's name typed.
    pub protected: bool,
    /// Whether orphans may be deleted, with a person's consent.
    pub prune: bool,
    /// The limits that a whole plan must keep.
    pub guards: Guards,
}

impl Policy {
    /// The default of `correct_after`: 15 minutes.
    pub const CORRECT_AFTER_MS: i64 = 15 * 60 * 1000;
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            correct: Allowance::None,
            deploy: Allowance::None,
            correct_after_ms: Self::CORRECT_AFTER_MS,
            on_missing: None,
            protected: false,
            prune: false,
            guards: Guards::default(),
        }
    }
}

/// How often automation checks a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckEvery(i64);

impl CheckEvery {
    /// The least: schedules tick every 5 minutes.
    pub const MIN_MS: i64 = 5 * 60 * 1000;
    /// The most: what nobody looks at for longer than a day is not watched.
    pub const MAX_MS: i64 = 24 * 60 * 60 * 1000;

    /// Of so many milliseconds; none where that is too often or too seldom.
    #[must_use]
    pub fn of_ms(ms: i64) -> Option<Self> {
        (Self::MIN_MS..=Self::MAX_MS)
            .contains(&ms)
            .then_some(Self(ms))
    }

    /// In milliseconds.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.0
    }
}

impl Default for CheckEvery {
    /// 15 minutes.
    fn default() -> Self {
        Self(15 * 60 * 1000)
    }
}

/// The limits of semantics 6.7. A plan that breaks one is refused whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// Changes besides first-time creates.
    pub changes_max: u32,
    /// Share of a kind's recorded resources that may change, in percent, once there are
    /// [`Guards::SHARE_FROM`] of them.
    pub share_percent_max: u32,
    /// First-time creates.
    pub creates_max: u32,
    /// Automatic changes in 24 hours, first-time creates apart.
    pub daily_automatic_max: u32,
}

impl Guards {
    /// From how many recorded resources of a kind on the share counts: below, one is already a lot.
    pub const SHARE_FROM: usize = 10;
    /// The same correction for this many times in a day stops (flap breaker).
    pub const FLAPS_MAX: usize = 3;
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            changes_max: 100,
            share_percent_max: 30,
            creates_max: 500,
            daily_automatic_max: 100,
        }
    }
}
