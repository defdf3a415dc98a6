//! The words of the documents: every closed set of values as an enum.
//!
//! A word that stands for a type of the core is made from it here and nowhere else, so a new variant
//! there does not compile until it has a word. The words follow the docs, not the core's names.

/// A closed set of words.
pub trait Word: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// The word itself.
    fn as_str(self) -> &'static str;

    /// The value of a word that was read.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text)
    }
}

/// Makes an enum of words. With `of Type` it is made from that type, whose variant has the same name
/// unless another one is given: `Word = Variant => "word"`.
macro_rules! words {
    ($(#[$about:meta])* $name:ident of $source:ty {
        $($(#[$doc:meta])* $variant:ident $(= $other:ident)? => $word:literal,)+
    }) => {
        words! { $(#[$about])* $name { $($(#[$doc])* $variant => $word,)+ } }

        impl From<&$source> for $name {
            fn from(source: &$source) -> Self {
                type Source = $source;
                match source {
                    $(words!(@source Source $variant $($other)?) => Self::$variant,)+
                }
            }
        }
    };
    ($(#[$about:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident => $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl Word for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
    (@source $source:ident $variant:ident) => { $source::$variant { .. } };
    (@source $source:ident $variant:ident $other:ident) => { $source::$other { .. } };
}

mod entries;
mod plans;
mod runs;
mod service;
mod stands;
#[cfg(test)]
mod tests;

pub use entries::{Kind, Provider};
pub use plans::{Action, Allowance, Guard, OnMissing, ReasonCode, Risk, Verb, Who};
pub use runs::{
    AcceptAction, CommandName, FoundOutcome, HolderStatus, NoticeCode, Outcome, PushOutcome,
    RefusalCode, RunStage, StateResult, UploadOutcome,
};
pub use service::{HealthProblem, HealthStatus, RequestName, RunStatus, TokenScope, TokenStatus};
pub use stands::{Cause, FailureCode, FindingKind, StackVerdict, Unit, Verdict};
