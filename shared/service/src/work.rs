//! What is to be done, as a message says it.
//!
//! A message says "look now", and never what is true: what happens follows from definitions, state, grants
//! and the live world when it is worked on. So a message that comes twice, late or out of order changes
//! nothing, and one that is lost is made up for by the next tick.

use kedge_core::model::{StackName, Timestamp, sha256};
use kedge_core::stored::run_request::RunRequest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most stacks that one message names: more than any group has, and little enough for the 128 KB of a
/// message of Cloudflare's queues.
pub const STACKS_MAX: usize = 500;

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Check these stacks together.
    Check {
        /// Which.
        stacks: Vec<StackName>,
        /// The tick that asks for it.
        tick: Timestamp,
        /// When it may begin, so that a provider's account is not asked for too much at once.
        not_before: Timestamp,
    },
    /// Make a stack what it is declared to be, as far as its policy goes. What a person consented to is a
    /// [`Work::Request`]: that is found again where a queue loses it, has an answer, and knows who asked.
    Apply {
        /// Which.
        stack: StackName,
        /// What tells this message from another of the same stack: a revision, a lease's epoch, a tick.
        because: String,
    },
    /// Take over definitions that were put at `upload/`.
    Upload {
        /// Whose.
        stack: StackName,
        /// The key of the object.
        key: String,
        /// Its version.
        etag: String,
    },
    /// Work on what somebody asked for: `requests/<id>.json` says what that is.
    Request {
        /// For which stack.
        stack: StackName,
        /// The id of the request.
        id: String,
    },
}

/// A message is none of ours, or of a newer program.
#[derive(Debug, Error)]
#[error("the message can't be read: {0}")]
pub struct UnreadableWork(String);

impl Work {
    /// What is equal for messages that ask for the same, so that a queue may drop one of them.
    #[must_use]
    pub fn id(&self) -> String {
        let text = match self {
            Self::Check { stacks, tick, .. } => format!("check {} {}", tick.0, joined(stacks)),
            Self::Apply { stack, because } => format!("apply {stack} {because}"),
            Self::Upload { key, etag, .. } => format!("upload {etag} {key}"),
            Self::Request { stack, id } => format!("request {stack} {id}"),
        };
        half_sha256(&text)
    }

    /// What may not be worked on side by side: work of one stack, and checks of the same stacks. A stack
    /// that is stuck holds up no other.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::Check { stacks, .. } => format!("check-{}", half_sha256(&joined(stacks))),
            Self::Apply { stack, .. }
            | Self::Upload { stack, .. }
            | Self::Request { stack, .. } => format!("stack-{stack}"),
        }
    }

    /// The message.
    #[must_use]
    pub fn encode(&self) -> String {
        let message = Message {
            format: FORMAT,
            work: MessageWork::of(self),
        };
        serde_json::to_string(&message).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is none of ours, or of a newer program: it is not guessed at.
    pub fn decode(message: &str) -> Result<Self, UnreadableWork> {
        let message: Message =
            serde_json::from_str(message).map_err(|error| UnreadableWork(error.to_string()))?;
        match message.format {
            FORMAT => message.work.load(),
            newer => Err(UnreadableWork(format!(
                "it has format {newer}, and this kedge reads {FORMAT}"
            ))),
        }
    }
}

fn joined(stacks: &[StackName]) -> String {
    let stacks: Vec<_> = stacks.iter().map(StackName::as_str).collect();
    stacks.join(" ")
}

/// Half of a SHA-256, as 32 digits: a FIFO queue of AWS takes up to 128 characters.
fn half_sha256(text: &str) -> String {
    let mut digits = sha256(text);
    digits.truncate(32);
    digits
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    format: u32,
    work: MessageWork,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum MessageWork {
    Check {
        stacks: Vec<String>,
        tick_ms: i64,
        not_before_ms: i64,
    },
    Apply {
        stack: String,
        because: String,
    },
    Upload {
        stack: String,
        key: String,
        etag: String,
    },
    Request {
        stack: String,
        id: String,
    },
}

impl MessageWork {
    fn of(work: &Work) -> Self {
        match work.clone() {
            Work::Check {
                stacks,
                tick,
                not_before,
            } => Self::Check {
                stacks: stacks.iter().map(ToString::to_string).collect(),
                tick_ms: tick.0,
                not_before_ms: not_before.0,
            },
            Work::Apply { stack, because } => Self::Apply {
                stack: stack.to_string(),
                because,
            },
            Work::Upload { stack, key, etag } => Self::Upload {
                stack: stack.to_string(),
                key,
                etag,
            },
            Work::Request { stack, id } => Self::Request {
                stack: stack.to_string(),
                id,
            },
        }
    }

    fn load(self) -> Result<Work, UnreadableWork> {
        let name = |text: &str| {
            StackName::new(text).map_err(|error| UnreadableWork(format!("`{text}`: {error}")))
        };
        Ok(match self {
            Self::Check {
                stacks,
                tick_ms,
                not_before_ms,
            } => {
                if stacks.is_empty() || stacks.len() > STACKS_MAX {
                    let count = stacks.len();
                    return Err(UnreadableWork(format!("it names {count} stacks")));
                }
                let stacks = stacks.iter().map(|stack| name(stack));
                Work::Check {
                    stacks: stacks.collect::<Result<_, _>>()?,
                    tick: Timestamp(tick_ms),
                    not_before: Timestamp(not_before_ms),
                }
            }
            Self::Apply { stack, because } => Work::Apply {
                stack: name(&stack)?,
                because,
            },
            Self::Upload { stack, key, etag } => Work::Upload {
                stack: name(&stack)?,
                key,
                etag,
            },
            // The id becomes a part of a key.
            Self::Request { id, .. } if !RunRequest::is_id(&id) => {
                return Err(UnreadableWork("it names no request".to_owned()));
            }
            Self::Request { stack, id } => Work::Request {
                stack: name(&stack)?,
                id,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    fn apply(because: &str) -> Work {
        Work::Apply {
            stack: name("dev"),
            because: because.to_owned(),
        }
    }

    fn all() -> Vec<Work> {
        vec![
            Work::Check {
                stacks: vec![name("a"), name("b")],
                tick: Timestamp(5),
                not_before: Timestamp(5),
            },
            Work::Check {
                stacks: vec![name("a"), name("b")],
                tick: Timestamp(6),
                not_before: Timestamp(6),
            },
            Work::Check {
                stacks: vec![name("a")],
                tick: Timestamp(5),
                not_before: Timestamp(5),
            },
            apply("e3b0c44298fc"),
            apply("lease 7"),
            Work::Upload {
                stack: name("dev"),
                key: "upload/dev/a.zip".to_owned(),
                etag: "\"x\"".to_owned(),
            },
            Work::Upload {
                stack: name("dev"),
                key: "upload/dev/a.zip".to_owned(),
                etag: "\"y\"".to_owned(),
            },
            Work::Request {
                stack: name("dev"),
                id: "1795348800000-0badcafe".to_owned(),
            },
        ]
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        for work in all() {
            assert_eq!(Work::decode(&work.encode()).unwrap(), work);
        }
        let first = all()[0].encode();
        assert_eq!(
            first,
            r#"{"format":1,"work":{"check":{"stacks":["a","b"],"tick_ms":5,"not_before_ms":5}}}"#
        );
    }

    #[test]
    fn equal_work_has_one_id_and_other_work_another() {
        let ids: std::collections::BTreeSet<_> = all().iter().map(Work::id).collect();
        assert_eq!(ids.len(), all().len());
        assert_eq!(all()[0].id(), all()[0].id());
        assert!(ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn work_of_one_stack_has_one_lane() {
        let lanes: Vec<_> = all().iter().map(Work::lane).collect();
        assert_eq!(&lanes[3..], ["stack-dev"; 5]);
        assert_eq!(lanes[0], lanes[1], "checks of the same stacks");
        assert_ne!(lanes[0], lanes[2]);
    }

    #[test]
    fn what_is_no_message_of_ours_is_refused() {
        let many = vec!["\"a\""; STACKS_MAX + 1].join(",");
        for (message, expected) in [
            ("", "can't be read"),
            ("{}", "can't be read"),
            (
                r#"{"format":2,"work":{"check":{"stacks":["a"],"tick_ms":5,"not_before_ms":5}}}"#,
                "format 2",
            ),
            (
                r#"{"format":1,"work":{"check":{"stacks":["../a"],"tick_ms":5,"not_before_ms":5}}}"#,
                "`../a`",
            ),
            (
                r#"{"format":1,"work":{"check":{"stacks":[],"tick_ms":5,"not_before_ms":5}}}"#,
                "0 stacks",
            ),
            (
                &format!(
                    r#"{{"format":1,"work":{{"check":{{"stacks":[{many}],"tick_ms":5,"not_before_ms":5}}}}}}"#
                ),
                "501",
            ),
            (
                r#"{"format":1,"work":{"request":{"stack":"a","id":"../x"}}}"#,
                "no request",
            ),
            (r#"{"format":1,"work":{"retire":{"stack":"a"}}}"#, "retire"),
            (
                r#"{"format":1,"work":{"apply":{"stack":"a","because":"x","allow":["k"]}}}"#,
                "allow",
            ),
            // Who sends a message consents to nothing by it.
            (
                r#"{"format":1,"work":{"apply":{"stack":"a","because":"x","grant":"1-a"}}}"#,
                "grant",
            ),
        ] {
            let why = Work::decode(message).unwrap_err().to_string();
            assert!(why.contains(expected), "{message}: {why}");
        }
    }
}
