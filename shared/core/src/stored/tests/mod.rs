//! What holds for every stored object alike: formats, keys, numbers, sizes.

mod shape;

use std::error::Error;

use serde_json::{Value, json};

use super::bounded::{COUNT_MAX, TIME_MS_MAX};
use super::bundle::{StoredBundle, StoredFiles};
use super::format::{self, EncodeError, Format, OBJECT_BYTES_MAX, Stored, StoredError};
use super::grant::{Grant, StoredGrant};
use super::hold::{Holds, StoredHolds};
use super::index::{Index, StoredIndex};
use super::lease::{Lease, StoredLease};
use super::run::{RunRecord, StoredRun};
use super::run_request::{
    Answer, RequestKey, RunRequest, StoredAnswer, StoredRequest, StoredRequestKey,
};
use super::schedule::{Schedule, StoredSchedule};
use super::token::{StoredToken, Token};
use crate::model::{Kind, StackName, Timestamp};
use crate::stored::state::Watch;
use crate::stored::state::json::{self, StoredState};
use crate::stored::state::watch::StoredWatch;

/// One kind of stored object.
struct Object {
    /// The name of its snapshot.
    name: &'static str,
    format: Format,
    /// One with every key.
    sample: Value,
    /// Its keys and words.
    shape: String,
    /// Reads it as its users do, and writes it again.
    read: fn(&[u8]) -> Result<Vec<u8>, Refused>,
}

/// Why an object is not read.
#[derive(Debug)]
struct Refused {
    text: String,
    is_newer: bool,
}

impl Refused {
    fn of(error: &dyn Error, is_newer: bool) -> Self {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let text = format!("{error} {cause}");
        Self { text, is_newer }
    }
}

fn dev() -> StackName {
    StackName::new("dev").unwrap()
}

fn object<T: Stored>(
    name: &'static str,
    sample: &str,
    read: fn(&[u8]) -> Result<Vec<u8>, Refused>,
) -> Object {
    Object {
        name,
        format: T::FORMAT,
        sample: serde_json::from_str(sample).unwrap(),
        shape: shape::shape::<T>(),
        read,
    }
}

fn refused(error: StoredError) -> Refused {
    Refused::of(&error, error.is_newer())
}

/// All kinds. A new one belongs here.
fn objects() -> [Object; 13] {
    let state = String::from_utf8(json::encode(&json::tests::full_state()).unwrap()).unwrap();
    [
        object::<StoredState>("state", &state, |bytes| {
            let read = json::decode(bytes, &dev());
            let state = read.map_err(|error| Refused::of(&error, error.is_newer()))?;
            Ok(json::encode(&state).unwrap())
        }),
        object::<StoredWatch>("watch", include_str!("../samples/watch.json"), |bytes| {
            Ok(Watch::decode(bytes).map_err(refused)?.encode().unwrap())
        }),
        object::<StoredFiles>("set", include_str!("../samples/uploaded.json"), |bytes| {
            let read = StoredBundle::decode(bytes, &dev());
            let bundle = read.map_err(|error| Refused::of(&error, error.is_newer()))?;
            Ok(bundle.encode().unwrap())
        }),
        object::<StoredIndex>("index", include_str!("../samples/index.json"), |bytes| {
            Ok(Index::decode(bytes).map_err(refused)?.encode().unwrap())
        }),
        object::<StoredLease>("lease", include_str!("../samples/lease.json"), |bytes| {
            let lease = Lease::decode(bytes, &dev()).map_err(refused)?;
            Ok(lease.encode().unwrap())
        }),
        object::<StoredHolds>("hold", include_str!("../samples/hold.json"), |bytes| {
            Ok(Holds::decode(bytes).map_err(refused)?.encode().unwrap())
        }),
        object::<StoredGrant>("grant", include_str!("../samples/grant.json"), |bytes| {
            let grant = Grant::decode(bytes, &dev()).map_err(refused)?;
            Ok(grant.encode().unwrap())
        }),
        object::<StoredSchedule>(
            "schedule",
            include_str!("../samples/schedule.json"),
            |bytes| {
                let schedule = Schedule::decode(bytes).map_err(refused)?;
                Ok(schedule.encode().unwrap())
            },
        ),
        object::<StoredToken>("token", include_str!("../samples/token.json"), |bytes| {
            let token = Token::decode(bytes, "k3x9q2m7").map_err(refused)?;
            Ok(token.encode().unwrap())
        }),
        object::<StoredRun>("run", include_str!("../samples/run.json"), |bytes| {
            Ok(RunRecord::decode(bytes).map_err(refused)?.encode().unwrap())
        }),
        object::<StoredRequest>(
            "request",
            include_str!("../samples/request.json"),
            |bytes| {
                let request =
                    RunRequest::decode(bytes, "1795348800000-0badcafe").map_err(refused)?;
                Ok(request.encode().unwrap())
            },
        ),
        object::<StoredAnswer>("answer", include_str!("../samples/answer.json"), |bytes| {
            let answer = Answer::decode(bytes).map_err(refused)?;
            Ok(answer.encode().unwrap())
        }),
        object::<StoredRequestKey>(
            "request_key",
            include_str!("../samples/request_key.json"),
            |bytes| {
                Ok(RequestKey::decode(bytes)
                    .map_err(refused)?
                    .encode()
                    .unwrap())
            },
        ),
    ]
}

impl Object {
    fn read(&self, value: &Value) -> Result<Vec<u8>, Refused> {
        (self.read)(value.to_string().as_bytes())
    }
}

/// Where the parts of a value are, by JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (key, part) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(part, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (number, part) in list.iter().enumerate() {
                pointers(part, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

fn all_pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(value, "", &mut found);
    found
}

#[test]
fn a_sample_of_each_is_read_and_written_alike() {
    for object in objects() {
        let written = object.read(&object.sample).unwrap();
        let again: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(again, object.sample, "{}", object.name);
        assert_eq!(written.last(), Some(&b'\n'));
    }
}

/// If this fails, a key or a word was added to an object, or taken away. Before the first release:
/// accept the snapshot. After it a program that was released must not meet the new one under a number
/// that it knows: raise the number first, as `format.rs` says, which makes a new snapshot beside this.
#[test]
fn the_keys_of_a_format_stay_those_of_its_number() {
    for Object {
        name,
        format,
        shape,
        ..
    } in objects()
    {
        assert!(
            (format.written..=format.written + 1).contains(&format.read),
            "{name}: a format is read one release before it is written"
        );
        insta::assert_snapshot!(format!("{name}_format_{}", format.read), shape);
    }
    let kinds = Kind::ALL.map(|kind| kind.as_str()).join(", ");
    insta::assert_snapshot!("kinds_of_resources", kinds);
}

#[test]
fn what_a_newer_program_wrote_is_said_to_be_newer_whatever_else_is_in_it() {
    for object in objects() {
        let next = u64::from(object.format.read) + 1;
        for number in [next, next + 1, u64::from(u32::MAX) + 1, u64::MAX] {
            for pointer in all_pointers(&object.sample) {
                let mut newer = object.sample.clone();
                if let Some(Value::Object(part)) = newer.pointer_mut(&pointer) {
                    part.insert("of_the_future".to_owned(), json!({"a": [1.5, null]}));
                }
                newer["format"] = json!(number);
                let refused = object.read(&newer).unwrap_err();
                assert!(refused.is_newer, "{}: {refused:?}", object.name);
                let text = refused.text;
                assert!(
                    text.contains("written by a newer kedge") && !text.contains("damaged"),
                    "{text}"
                );
                assert!(text.contains(&number.to_string()), "{text}");
            }
        }
        for none in [json!(0), json!(-1), json!("1"), json!(null)] {
            let mut odd = object.sample.clone();
            odd["format"] = none;
            let refused = object.read(&odd).unwrap_err();
            assert!(!refused.is_newer && refused.text.contains("damaged"));
        }
    }
}

#[test]
fn a_key_that_a_format_does_not_have_is_refused_at_every_depth() {
    for object in objects() {
        let mut foreign = 0;
        for pointer in all_pointers(&object.sample) {
            let mut odd = object.sample.clone();
            let Some(Value::Object(part)) = odd.pointer_mut(&pointer) else {
                continue;
            };
            part.insert("of_the_future".to_owned(), json!(1));
            let refused = object.read(&odd).unwrap_err();
            // Where keys are names, one more of them is damage.
            foreign += usize::from(refused.is_newer);
            let names_it = refused.text.contains("newer kedge");
            assert_eq!(refused.is_newer, names_it, "{pointer}: {refused:?}");
        }
        assert!(foreign > 0, "{}", object.name);
        let text = object.sample.to_string();
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            let refused = (object.read)(&text.as_bytes()[..cut]).unwrap_err();
            assert!(!refused.is_newer && refused.text.contains("is damaged"));
        }
    }
}

/// Numbers that are values of a resource: any is one that a provider may have, and none is counted
/// with. And the number of a format, which is newer.
fn may_be_any(pointer: &str) -> bool {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    matches!(last, "int" | "duration" | "ratio" | "format")
}

#[test]
fn a_number_out_of_bounds_is_damage() {
    let odd = [
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1.5),
        json!(1e300),
        json!(null),
    ];
    let mut tried = 0;
    for object in objects() {
        for pointer in all_pointers(&object.sample) {
            let is_number = object
                .sample
                .pointer(&pointer)
                .is_some_and(Value::is_number);
            if !is_number || may_be_any(&pointer) {
                continue;
            }
            for number in &odd {
                tried += 1;
                let mut damaged = object.sample.clone();
                *damaged.pointer_mut(&pointer).unwrap() = number.clone();
                let name = format!("{}{pointer} {number}", object.name);
                match object.read(&damaged) {
                    Err(refused) => {
                        assert!(refused.text.contains("damaged"), "{name}: {refused:?}");
                        assert!(!refused.is_newer, "{name}: {refused:?}");
                    }
                    // A time that may be missing, and a delay without an end, which a policy may say.
                    Ok(_) => assert!(
                        number.is_null()
                            || (pointer.ends_with("/correct_after_ms")
                                && *number == json!(i64::MAX)),
                        "{name}"
                    ),
                }
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn what_is_within_bounds_is_one_step_from_what_is_too() {
    let lease = Lease {
        stack: dev(),
        epoch: COUNT_MAX,
        actor: String::new(),
        run: String::new(),
        nonce: String::new(),
        lease_ms: Lease::LASTS_MS_MAX,
        since: Some(Timestamp(TIME_MS_MAX)),
        renewed: COUNT_MAX,
        released: false,
    };
    let bytes = lease.encode().unwrap();
    assert_eq!(Lease::decode(&bytes, &dev()).unwrap(), lease);
    for beyond in [
        Lease {
            epoch: COUNT_MAX + 1,
            ..lease.clone()
        },
        Lease {
            renewed: COUNT_MAX + 1,
            ..lease.clone()
        },
        Lease {
            since: Some(Timestamp(TIME_MS_MAX + 1)),
            ..lease.clone()
        },
        Lease {
            since: Some(Timestamp(-1)),
            ..lease
        },
    ] {
        let error = beyond.encode().unwrap_err();
        assert!(matches!(error, EncodeError::Json { .. }), "{error}");
    }
}

#[test]
fn what_is_too_large_to_be_read_is_not_written() {
    let mut state = json::tests::full_state();
    let with = |state: &mut crate::stored::state::State, bytes: usize| {
        state.variables = Some(["x".repeat(bytes)].into());
        json::encode(state)
    };
    let rest = with(&mut state, 1).unwrap().len() - 1;
    let most = json::BYTES_MAX - rest;
    let bytes = with(&mut state, most).unwrap();
    assert_eq!(bytes.len(), json::BYTES_MAX);
    assert_eq!(json::decode(&bytes, &dev()).unwrap(), state);
    let error = with(&mut state, most + 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the state would be 16.1 MiB, more than the 16 MiB that kedge reads: \
         declare less in one stack"
    );
    for object in objects() {
        let text = object.sample.to_string();
        let padded = text + &" ".repeat(object.format.bytes_max);
        assert!(object.format.bytes_max <= OBJECT_BYTES_MAX);
        let refused = (object.read)(padded.as_bytes()).unwrap_err();
        assert!(refused.text.contains("kedge reads at most"), "{refused:?}");
        assert!(!refused.is_newer);
    }
}

#[test]
fn a_reader_is_one_release_ahead() {
    /// A form whose next number has a key more: read already, and not written yet.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ahead {
        format: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u32>,
    }
    impl Stored for Ahead {
        const FORMAT: Format = Format {
            object: "thing",
            written: 1,
            read: 2,
            bytes_max: 100,
            smaller: "",
        };
    }
    let read = |text: &str| format::read::<Ahead>(text.as_bytes());
    assert_eq!(read(r#"{"format": 1}"#).unwrap().more, None);
    assert_eq!(read(r#"{"format": 2, "more": 7}"#).unwrap().more, Some(7));
    assert!(read(r#"{"format": 3}"#).is_err_and(|error| error.is_newer()));
    let (format, more) = (Ahead::FORMAT.written, None);
    let bytes = format::write(&Ahead { format, more }).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), "{\n  \"format\": 1\n}\n");
}
