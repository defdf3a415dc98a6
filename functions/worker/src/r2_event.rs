//! What R2 tells of a new object (developers.cloudflare.com/r2/buckets/event-notifications), as work.

use kedge_core::model::StackName;
use kedge_engine::ports::ETag;
use kedge_service::upload::Upload;
use kedge_service::work::Work;
use serde::Deserialize;

/// A message of R2. It has more, and what is told is read from the bucket anyway.
#[derive(Deserialize)]
struct Event {
    action: String,
    object: Object,
}

/// A deleted object has no version.
#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "eTag")]
    etag: Option<String>,
}

/// What a message of R2 asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is none of R2's.
    Else,
    /// Nothing: the object is none that work comes of.
    Nothing,
    /// An upload, or definitions that were pushed.
    Work(Work),
}

/// Reads a message. `own_key` gives the key in the store of an object in the bucket.
pub(crate) fn read<'a>(message: &str, own_key: impl Fn(&str) -> Option<String> + 'a) -> Told {
    let Ok(Event { action, object }) = serde_json::from_str::<Event>(message) else {
        return Told::Else;
    };
    let is_new = matches!(
        action.as_str(),
        "PutObject" | "CopyObject" | "CompleteMultipartUpload"
    );
    let work = match (is_new, own_key(&object.key), object.etag) {
        (true, Some(key), Some(etag)) => work_of(&key, etag),
        _ => None,
    };
    work.map_or(Told::Nothing, Told::Work)
}

fn work_of(key: &str, etag: String) -> Option<Work> {
    let etag = etag.trim_matches('"').to_owned();
    if let Some(stack) = pushed(key) {
        return Some(Work::Apply {
            stack,
            because: etag,
        });
    }
    Upload::of(key, ETag(etag)).map(|upload| upload.work())
}

/// The stack whose definitions an object is.
fn pushed(key: &str) -> Option<StackName> {
    let (stack, name) = key.strip_prefix("stacks/")?.split_once('/')?;
    (name == "definitions.json").then(|| StackName::new(stack).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, key: &str, etag: Option<&str>) -> String {
        serde_json::json!({
            "account": "a", "bucket": "kedge", "eventTime": "2026-11-30T20:17:12Z",
            "action": action,
            "object": {"key": key, "size": 3, "eTag": etag},
        })
        .to_string()
    }

    fn told(message: &str) -> Told {
        read(message, |key| key.strip_prefix("kedge/").map(str::to_owned))
    }

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    #[test]
    fn what_is_told_becomes_work() {
        let upload = Told::Work(Work::Upload {
            stack: name("dev"),
            key: "upload/dev/all.zip".to_owned(),
            etag: "9f86".to_owned(),
        });
        for (action, etag) in [
            ("PutObject", "9f86"),
            ("CopyObject", "9f86"),
            // As S3 has it.
            ("CompleteMultipartUpload", "\"9f86\""),
        ] {
            assert_eq!(
                told(&event(action, "kedge/upload/dev/all.zip", Some(etag))),
                upload
            );
        }
        let pushed = event(
            "PutObject",
            "kedge/stacks/dev/definitions.json",
            Some("9f86"),
        );
        let apply = Work::Apply {
            stack: name("dev"),
            because: "9f86".to_owned(),
        };
        assert_eq!(told(&pushed), Told::Work(apply));
    }

    #[test]
    fn what_no_work_comes_of() {
        for key in [
            "upload/dev/all.zip",
            "other/upload/dev/all.zip",
            "kedge/upload/all.zip",
            "kedge/upload/dev/all.zip.9f86d081.result.json",
            "kedge/upload/dev/../prod/all.zip",
            "kedge/upload/DEV!/all.zip",
            "kedge/stacks/dev/state.json",
            "kedge/stacks/dev/watch.json",
            "kedge/stacks/dev/runs/1.json",
            "kedge/stacks/dev/old/definitions.json",
            "kedge/stacks/definitions.json",
            "kedge/stacks/NO NAME/definitions.json",
        ] {
            assert_eq!(
                told(&event("PutObject", key, Some("9f86"))),
                Told::Nothing,
                "{key}"
            );
        }
        let key = "kedge/upload/dev/all.zip";
        for action in [
            "DeleteObject",
            "LifecycleDeletion",
            "AbortMultipartUpload",
            "",
        ] {
            assert_eq!(
                told(&event(action, key, Some("9f86"))),
                Told::Nothing,
                "{action}"
            );
        }
        assert_eq!(told(&event("PutObject", key, None)), Told::Nothing);
    }

    #[test]
    fn what_r2_did_not_say() {
        let work = Work::Apply {
            stack: name("dev"),
            because: "x".to_owned(),
        };
        for message in [
            &work.encode(),
            "",
            "null",
            "[]",
            "{}",
            r#"{"action":"PutObject"}"#,
            "\"text\"",
        ] {
            assert_eq!(told(message), Told::Else, "{message}");
        }
    }
}
