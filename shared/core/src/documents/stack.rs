//! `kedge.stack/1`: which stack is meant.

use serde::Serialize;

use super::parts::Text;
use crate::model::StackName;

format_name!(Stack: StackFormat => "kedge.stack/1");

/// Which stack is meant, and the GitHub Environments of its jobs: `kedge stack` and `kedge select`. With
/// `--format github`, `stack` prints the same as outputs of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stack {
    /// The name and number of this format.
    pub format: StackFormat,
    /// The stack.
    pub stack: Text,
    /// How it was chosen: by `--stack`, `KEDGE_STACK`, `kedge select`, or a branch.
    pub origin: Text,
    /// Whether it is protected.
    pub protected: bool,
    /// The environment of `up`.
    pub environment: Text,
    /// The environment of `push`.
    pub push_environment: Text,
    /// The environment of `preview`.
    pub preview_environment: Text,
}

/// Which stack is meant. The environments are those of `up`, `push` and `preview`.
#[must_use]
pub fn stack(
    stack: &StackName,
    origin: &str,
    protected: bool,
    [environment, push, preview]: [&str; 3],
) -> Stack {
    Stack {
        format: StackFormat::V1,
        stack: Text::of(stack),
        origin: Text::new(origin),
        protected,
        environment: Text::new(environment),
        push_environment: Text::new(push),
        preview_environment: Text::new(preview),
    }
}
