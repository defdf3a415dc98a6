//! `requests/<id>.json`: what somebody asked for who does not work on it; and beside it, what came of it.
//!
//! A request is written once, before it is sent to the queue, and its answer once, by whoever worked on it.
//! Neither is changed afterwards.

use serde::{Deserialize, Serialize};

use super::bounded::Time;
use super::format::{Format, OBJECT_BYTES_MAX, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{StackName, Timestamp, is_hex};

const REQUEST: &str = "request for a run";
const ANSWER: &str = "answer to a request";
const KEY: &str = "idempotency key";

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// What it is called. The run, and the grant of an `up`, have the same id; ids sort by time.
    pub id: String,
    /// For which stack.
    pub stack: StackName,
    /// Who asks: the name of a token. History names it as the actor.
    pub actor: String,
    /// When, by the clock of who took the request.
    pub at: Timestamp,
    /// For what.
    pub asked: RequestedRun,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedRun {
    /// Say what differs.
    Check,
    /// Say what `up` would do.
    Preview,
    /// Carry out a plan.
    Up {
        /// The digest of the plan. The consent to it is the grant that has the id of the request.
        digest: String,
        /// The destructive changes that were approved, as they were named.
        allow: Vec<String>,
    },
}

impl RequestedRun {
    /// The word in paths and JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Preview => "preview",
            Self::Up { .. } => "up",
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the answer was there.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: AnswerOutcome,
    /// The JSON document that says it (`kedge.report/1` and the like), as text.
    pub document: String,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerOutcome {
    /// What was asked for was done.
    Done,
    /// It was not begun: the consent does not fit, something is held, definitions can't be used.
    Refused,
    /// It was begun, or tried, and went wrong.
    Failed,
}

impl AnswerOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|outcome| outcome.as_str() == word)
    }
}

/// What was asked for under an `Idempotency-Key`: the same key means the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The id of the request.
    pub id: String,
    /// SHA-256 of its body, as hexadecimal digits. The same key with another body is a mistake.
    pub fingerprint: String,
}

impl RunRequest {
    /// How long a request may wait to be worked on, in milliseconds: an hour, as a consent lasts. Nobody
    /// waits longer for a check, and what was consented to then may not be wanted any more.
    pub const LASTS_MS: i64 = super::grant::Grant::LASTS_MS;

    /// The most bytes of an id.
    const ID_BYTES_MAX: usize = 64;

    /// Whether a text may be the id of a request or run, so that it can be a part of a key: a time of 13
    /// digits, a hyphen, and hexadecimal digits.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        let Some((time, rest)) = text.split_once('-') else {
            return false;
        };
        text.len() <= Self::ID_BYTES_MAX
            && time.len() == 13
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && !rest.is_empty()
            && is_hex(rest)
    }

    /// Whether nobody is to work on it any more at this time.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now.ms_since(self.at) >= Self::LASTS_MS
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Self {
            id,
            stack,
            actor,
            at,
            asked,
        } = self;
        write(&StoredRequest {
            format: StoredRequest::FORMAT.written,
            id: id.clone(),
            stack: stack.to_string(),
            actor: actor.clone(),
            at_ms: (*at).into(),
            asked: match asked.clone() {
                RequestedRun::Check => StoredRequestedRun::Check,
                RequestedRun::Preview => StoredRequestedRun::Preview,
                RequestedRun::Up { digest, allow } => StoredRequestedRun::Up { digest, allow },
            },
        })
    }

    /// Reads the request with this id back.
    ///
    /// # Errors
    /// When it is damaged, newer than this program, or another one.
    pub fn decode(bytes: &[u8], id: &str) -> Result<Self, StoredError> {
        let stored: StoredRequest = read(bytes)?;
        if stored.id != id {
            return Err(invalid(REQUEST, format!("it is request `{}`", stored.id)));
        }
        let stack = StackName::new(&stored.stack);
        Ok(Self {
            stack: stack.map_err(|error| invalid(REQUEST, error.to_string()))?,
            id: stored.id,
            actor: stored.actor,
            at: stored.at_ms.into(),
            asked: match stored.asked {
                StoredRequestedRun::Check => RequestedRun::Check,
                StoredRequestedRun::Preview => RequestedRun::Preview,
                StoredRequestedRun::Up { digest, allow } => RequestedRun::Up { digest, allow },
            },
        })
    }
}

impl Answer {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Self {
            at,
            outcome,
            document,
        } = self;
        write(&StoredAnswer {
            format: StoredAnswer::FORMAT.written,
            at_ms: (*at).into(),
            outcome: outcome.as_str().to_owned(),
            document: document.clone(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is damaged, or newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredAnswer = read(bytes)?;
        let outcome = AnswerOutcome::parse(&stored.outcome);
        let word = || invalid(ANSWER, format!("`{}` as an outcome", stored.outcome));
        Ok(Self {
            outcome: outcome.ok_or_else(word)?,
            at: stored.at_ms.into(),
            document: stored.document,
        })
    }
}

impl RequestKey {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        write(&StoredRequestKey {
            format: StoredRequestKey::FORMAT.written,
            id: self.id.clone(),
            fingerprint: self.fingerprint.clone(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is damaged, or newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredRequestKey = read(bytes)?;
        match RunRequest::is_id(&stored.id) {
            true => Ok(Self {
                id: stored.id,
                fingerprint: stored.fingerprint,
            }),
            false => Err(invalid(KEY, format!("`{}` as an id", stored.id))),
        }
    }
}

fn invalid(object: &'static str, why: String) -> StoredError {
    StoredError::InvalidValue { object, why }
}

impl Stored for StoredRequest {
    const FORMAT: Format = Format {
        object: REQUEST,
        written: 1,
        read: 1,
        bytes_max: 256 * 1024,
        smaller: "approve fewer changes at once",
    };
}

impl Stored for StoredAnswer {
    const FORMAT: Format = Format {
        object: ANSWER,
        written: 1,
        read: 1,
        bytes_max: OBJECT_BYTES_MAX,
        smaller: "declare less in one stack",
    };
}

impl Stored for StoredRequestKey {
    const FORMAT: Format = Format {
        object: KEY,
        written: 1,
        read: 1,
        bytes_max: 4 * 1024,
        smaller: "",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredRequest {
    format: u32,
    id: String,
    stack: String,
    actor: String,
    at_ms: Time,
    asked: StoredRequestedRun,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum StoredRequestedRun {
    Check,
    Preview,
    Up { digest: String, allow: Vec<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredAnswer {
    format: u32,
    at_ms: Time,
    outcome: String,
    document: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredRequestKey {
    format: u32,
    id: String,
    fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/request.json");
    const ID: &str = "1795348800000-0badcafe";
    const NOW: Timestamp = Timestamp(1_795_348_800_000);

    fn request(asked: RequestedRun) -> RunRequest {
        RunRequest {
            id: ID.to_owned(),
            stack: StackName::new("dev").unwrap(),
            actor: "ci".to_owned(),
            at: NOW,
            asked,
        }
    }

    fn up() -> RequestedRun {
        RequestedRun::Up {
            digest: "00c0ffee00c0ffee".to_owned(),
            allow: vec!["dev-a".to_owned()],
        }
    }

    fn answer() -> Answer {
        Answer {
            at: NOW,
            outcome: AnswerOutcome::Done,
            document: "{\"format\": \"kedge.report/1\"}\n".to_owned(),
        }
    }

    #[test]
    fn the_samples_are_read_and_written_alike() {
        let read = RunRequest::decode(SAMPLE.as_bytes(), ID).unwrap();
        assert_eq!(read, request(up()));
        let text = String::from_utf8(read.encode().unwrap()).unwrap();
        assert_eq!(text, SAMPLE);
        let sample = include_str!("samples/answer.json");
        assert_eq!(Answer::decode(sample.as_bytes()).unwrap(), answer());
        let text = String::from_utf8(answer().encode().unwrap()).unwrap();
        assert_eq!(text, sample);
    }

    #[test]
    fn each_thing_that_can_be_asked_for_is_read_back() {
        for asked in [RequestedRun::Check, RequestedRun::Preview, up()] {
            let bytes = request(asked.clone()).encode().unwrap();
            assert_eq!(RunRequest::decode(&bytes, ID).unwrap().asked, asked);
        }
        for outcome in AnswerOutcome::ALL {
            let bytes = Answer {
                outcome,
                ..answer()
            }
            .encode()
            .unwrap();
            assert_eq!(Answer::decode(&bytes).unwrap().outcome, outcome);
        }
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        let other = RunRequest::decode(SAMPLE.as_bytes(), "1795348800000-1").unwrap_err();
        assert!(
            other
                .to_string()
                .contains("it is request `1795348800000-0badcafe`")
        );
        let stack = SAMPLE.replace("\"dev\"", "\"../dev\"");
        assert!(RunRequest::decode(stack.as_bytes(), ID).is_err());
        let word = include_str!("samples/answer.json").replace("\"done\"", "\"won\"");
        let why = Answer::decode(word.as_bytes()).unwrap_err();
        assert!(why.to_string().contains("`won` as an outcome"));
        let key = include_str!("samples/request_key.json").replace(ID, "../x");
        let why = RequestKey::decode(key.as_bytes()).unwrap_err();
        assert!(why.to_string().contains("`../x` as an id"));
    }

    #[test]
    fn only_ids_are_ids() {
        for id in [ID, "1795348800000-1"] {
            assert!(RunRequest::is_id(id), "{id}");
        }
        let long = format!("1795348800000-{}", "a".repeat(64));
        for other in [
            "",
            "1795348800000",
            "1795348800000-",
            "179534880000-1",
            "17953488000001-1",
            "179534880000a-1",
            "1795348800000-A",
            "1795348800000-1/2",
            "1795348800000-1.json",
            "../1795348800000-1",
            &long,
        ] {
            assert!(!RunRequest::is_id(other), "{other}");
        }
    }

    #[test]
    fn it_lasts_an_hour() {
        let one = request(RequestedRun::Check);
        assert!(!one.has_expired(NOW.plus_ms(RunRequest::LASTS_MS - 1)));
        assert!(one.has_expired(NOW.plus_ms(RunRequest::LASTS_MS)));
    }
}
