//! Uploads are told to Kedge elsewhere, for those who run it on AWS or on a machine and have a Worker for R2's
//! events alone: a report is signed as docs/http.md says.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::CONTENT_TYPE;
use http::{Request, Response, Uri};
use kedge_adapters::{KEDGE_RELAY_KEY, Settings, SettingsError};
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{HttpError, retry_after_ms};
use kedge_service::work::Work;
use sha2::Sha256;

/// Where Kedge is that does the work.
const KEDGE_RELAY_URL: &str = "KEDGE_RELAY_URL";
/// The path of reports.
const PATH: &str = "/v1/events/definitions";
/// The longest that an answer to a report is, in bytes: a problem document.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long until a report is tried again that was not taken, and the longest wait that is granted, in seconds.
const RETRY_AFTER_S: u32 = 20;
const RETRY_AFTER_S_MAX: u64 = 300;

/// Kedge elsewhere.
pub(crate) struct Relay {
    uri: Uri,
    key: SecretText,
}

/// What became of a report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It was taken, now or before.
    Taken,
    /// It never will be, for this reason.
    Refused(String),
    /// It was not, and is to be tried again after so many seconds.
    Again(u32, String),
}

impl Relay {
    /// None where this Worker does the work itself.
    ///
    /// # Errors
    /// When there is no key, or the address is none.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, SettingsError> {
        let Some(url) = settings.get(KEDGE_RELAY_URL) else {
            return Ok(None);
        };
        let key = settings.get(KEDGE_RELAY_KEY).ok_or_else(|| {
            SettingsError(format!(
                "{KEDGE_RELAY_URL} is set, and {KEDGE_RELAY_KEY} is not"
            ))
        })?;
        let uri = format!("{}{PATH}", url.trim_end_matches('/')).parse::<Uri>();
        let uri = uri.ok().filter(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
        });
        let uri = uri.ok_or_else(|| {
            SettingsError(format!(
                "{KEDGE_RELAY_URL} must be an http or https address, with no query"
            ))
        })?;
        let key = SecretText::new(key);
        Ok(Some(Self { uri, key }))
    }

    /// The report of an upload. Of other work there is none: Kedge elsewhere finds it with its next tick.
    pub(crate) fn report(&self, work: &Work, now: Timestamp) -> Option<Request<Bytes>> {
        let Work::Upload { key, etag, .. } = work else {
            return None;
        };
        let body = serde_json::json!({"key": key, "etag": etag}).to_string();
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("kedge-signature", self.signature(now, &body)?)
            .body(Bytes::from(body));
        request.ok()
    }

    /// `t=…,v1=…` over time and body.
    fn signature(&self, now: Timestamp, body: &str) -> Option<String> {
        let seconds = now.0.div_euclid(1_000);
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes()).ok()?;
        mac.update(format!("{seconds}.{body}").as_bytes());
        let digits = hex::encode(mac.finalize().into_bytes());
        Some(format!("t={seconds},v1={digits}"))
    }
}

/// What an answer says of a report. Kedge elsewhere finds with its next tick what is never told.
pub(crate) fn reported(answer: Result<Response<Bytes>, HttpError>) -> Reported {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Reported::Again(RETRY_AFTER_S, error.to_string()),
    };
    let status = answer.status();
    let said = format!("it answered {}", status.as_u16());
    match status.as_u16() {
        // It came before.
        409 => Reported::Taken,
        // It is no upload that Kedge knows.
        400 => Reported::Refused(said),
        _ if status.is_success() => Reported::Taken,
        _ => {
            let asked_ms = retry_after_ms(|name| answer.headers().get(name)?.to_str().ok());
            let asked_s = asked_ms.map(|ms| ms.div_ceil(1_000).clamp(1, RETRY_AFTER_S_MAX));
            let after_s = asked_s.and_then(|seconds| u32::try_from(seconds).ok());
            Reported::Again(after_s.unwrap_or(RETRY_AFTER_S), said)
        }
    }
}

#[cfg(test)]
mod tests {
    use kedge_core::model::StackName;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Relay>, SettingsError> {
        let pairs = pairs.iter();
        Relay::of(&Settings::of(
            pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        ))
    }

    #[test]
    fn a_report_is_signed() {
        let relay = of(&[
            (KEDGE_RELAY_URL, "https://kedge.example/base/"),
            (KEDGE_RELAY_KEY, "k3y"),
        ]);
        let relay = relay.unwrap().unwrap();
        let stack = StackName::new("dev").unwrap();
        let work = Work::Upload {
            stack: stack.clone(),
            key: "upload/dev/all.zip".to_owned(),
            etag: "9f86".to_owned(),
        };
        let report = relay.report(&work, Timestamp(1_796_000_000_999)).unwrap();
        assert_eq!(report.method(), "POST");
        assert_eq!(
            report.uri(),
            "https://kedge.example/base/v1/events/definitions"
        );
        let body = r#"{"etag":"9f86","key":"upload/dev/all.zip"}"#;
        assert_eq!(report.body(), body);
        // printf '1796000000.{"etag":"9f86","key":"upload/dev/all.zip"}' | openssl dgst -sha256 -hmac k3y
        assert_eq!(report.headers()["kedge-signature"], SIGNATURE);
        let because = String::new();
        assert!(
            relay
                .report(&Work::Apply { stack, because }, Timestamp(0))
                .is_none()
        );
    }

    const SIGNATURE: &str =
        "t=1796000000,v1=d364ebc4a09cbd88cf01ce79b7a2acbca887ba06e32c723396906f7fe421c7e4";

    #[test]
    fn what_can_not_be_used_is_named_and_not_shown() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[(KEDGE_RELAY_KEY, "k3y")]).unwrap().is_none());
        let url = (KEDGE_RELAY_URL, "https://kedge.example");
        for pairs in [
            &[url][..],
            &[
                (KEDGE_RELAY_URL, "kedge.example/t0ps3cret"),
                (KEDGE_RELAY_KEY, "t0ps3cret"),
            ],
            &[
                (KEDGE_RELAY_URL, "ftp://t0ps3cret"),
                (KEDGE_RELAY_KEY, "t0ps3cret"),
            ],
        ] {
            let error = of(pairs).err().unwrap().to_string();
            assert!(
                error.contains(KEDGE_RELAY_URL) && !error.contains("t0ps3cret"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_an_answer_says() {
        let answer = |status: u16, wait: Option<&str>| {
            let mut answer = Response::builder().status(status);
            if let Some(wait) = wait {
                answer = answer.header("retry-after", wait);
            }
            reported(Ok(answer.body(Bytes::new()).unwrap()))
        };
        for status in [200, 202, 409] {
            assert_eq!(answer(status, None), Reported::Taken, "{status}");
        }
        assert_eq!(
            answer(400, None),
            Reported::Refused("it answered 400".to_owned())
        );
        let again = |seconds, status| Reported::Again(seconds, format!("it answered {status}"));
        for (status, wait, seconds) in [
            (401, None, 20),
            (429, Some("7"), 7),
            (429, Some("86400"), 300),
            (503, Some("0"), 20),
            (302, None, 20),
        ] {
            assert_eq!(answer(status, wait), again(seconds, status));
        }
        let lost = HttpError::Timeout(15_000);
        let text = lost.to_string();
        assert_eq!(reported(Err(lost)), Reported::Again(20, text));
    }
}
