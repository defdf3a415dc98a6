//! How a stack stands.

use std::fmt;

closed_enum! {
    /// How a stack stands (semantics 1). Ordered from best to worst.
    pub enum StackVerdict {
        /// Nothing differs, or only what the provider is catching up with.
        Clean,
        /// It has no state yet.
        NotAdopted,
        /// The definitions were edited, or a variable that they use moved.
        Pending,
        /// Something moved without us.
        Drifted,
        /// Something could not be read.
        Incomplete,
        /// The definitions can't be used.
        Invalid,
    }
}

impl StackVerdict {
    /// The word in JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::NotAdopted => "not-adopted",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::Incomplete => "incomplete",
            Self::Invalid => "invalid",
        }
    }

    /// By its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }

    /// The exit code (semantics 9.5). `only_drift` is `--fail-on drift`.
    #[must_use]
    pub fn exit_code(self, only_drift: bool) -> u8 {
        match self {
            Self::Clean => 0,
            Self::NotAdopted | Self::Pending if only_drift => 0,
            Self::NotAdopted | Self::Pending | Self::Drifted => 2,
            Self::Incomplete | Self::Invalid => 3,
        }
    }
}

impl fmt::Display for StackVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().to_uppercase().replace('-', " "))
    }
}
