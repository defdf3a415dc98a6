//! What an answer that is no success means, for a write and for a person.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use kedge_adapters::Failed;
use kedge_adapters::patient::{BucketFailure, Doing, Fate};
use kedge_core::model::BucketAddress;
use kedge_engine::ports::{Condition, HttpError, retry_after_ms};
use std::error::Error;

use crate::settings::S3Settings;

/// Why one request was no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It never left this machine.
    NotSent(String),
    /// No whole answer came; the request may have arrived.
    Unheard(String),
    /// The answer is larger than anything of ours.
    TooLarge(String),
    /// The server said no.
    Answered {
        status: u16,
        /// S3's word for it; none where the answer is not S3's, such as a proxy's page.
        code: Option<String>,
        retry_after_ms: Option<u64>,
    },
    /// A success that lacks what a success has.
    Strange(&'static str),
    /// We refuse to send it.
    Forbidden(String),
}

impl Failure {
    /// What AWS's client makes of a request that failed.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(answer) = error.raw_response() {
            let status = answer.status().as_u16();
            if answer.status().is_success() {
                return Self::Strange("it is not S3's");
            }
            let headers = answer.headers();
            return Self::Answered {
                status,
                code: error.code().map(str::to_owned),
                retry_after_ms: retry_after_ms(|name| headers.get(name)),
            };
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(one) = cause {
            if let Some(http) = one.downcast_ref::<HttpError>() {
                return match http {
                    HttpError::NotSent(_) => Self::NotSent(http.to_string()),
                    HttpError::Refused(_) => Self::Forbidden(http.to_string()),
                    HttpError::TooLarge(_) => Self::TooLarge(http.to_string()),
                    _ => Self::Unheard(http.to_string()),
                };
            }
            cause = one.source();
        }
        // It failed before it came to sending.
        Self::NotSent(deepest(error))
    }

    /// Whether the server says that there is no such object. A 404 that does not come from S3 proves
    /// nothing.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Answered { status: 404, code, .. } if is_no_such_key(code))
    }

    /// What happened and what to do about it, for a person.
    pub(crate) fn told(
        &self,
        doing: Doing,
        address: &BucketAddress,
        settings: &S3Settings,
    ) -> String {
        let S3Settings {
            host,
            endpoint_name,
            ..
        } = settings;
        match self {
            Self::NotSent(why) => format!("{address}: {why}; is {endpoint_name} right?"),
            Self::Unheard(why) | Self::TooLarge(why) => format!("{address} at {host}: {why}"),
            Self::Forbidden(why) => format!("{address}: {why}"),
            Self::Strange(what) => format!(
                "{address} at {host} gave an answer that can't be used: {what}; is {endpoint_name} \
                 the address of an S3 API?"
            ),
            Self::Answered { status, code, .. } => {
                let word = code.as_deref().map(|code| format!(" {}", shown(code)));
                let advice = advice(*status, code.as_deref(), doing, address, settings);
                format!(
                    "{address} at {host} answered {status}{}{advice}",
                    word.unwrap_or_default()
                )
            }
        }
    }
}

impl BucketFailure for Failure {
    fn strange(what: &'static str) -> Self {
        Self::Strange(what)
    }

    fn fate(&self, condition: &Condition) -> Fate {
        match self {
            Self::NotSent(_) => Fate::NotDone,
            Self::Forbidden(_) => Fate::Refused,
            Self::Unheard(_) | Self::TooLarge(_) | Self::Strange(_) => Fate::Open,
            Self::Answered { status, code, .. } => match status {
                412 => Fate::Lost,
                // S3's ConditionalRequestConflict: another conditional write of this key was under
                // way. It does not say which one won.
                409 if *condition != Condition::None => Fate::Open,
                409 | 429 => Fate::NotDone,
                // S3 says so, R2 412, where the object of an If-Match is gone.
                404 if matches!(condition, Condition::Is(_)) && is_no_such_key(code) => Fate::Lost,
                408 | 500.. => Fate::Open,
                _ => Fate::Refused,
            },
        }
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Unheard(_) => true,
            Self::TooLarge(_) | Self::Strange(_) | Self::Forbidden(_) => false,
            Self::Answered { status, .. } => matches!(status, 408 | 409 | 429 | 500..),
        }
    }

    fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge(_))
    }

    fn failed(&self) -> Failed {
        Failed {
            was_heard: !matches!(self, Self::Unheard(_)),
            retry_after_ms: match self {
                Self::Answered { retry_after_ms, .. } => *retry_after_ms,
                _ => None,
            },
        }
    }
}

/// What to do about an answer: the rest of a sentence, empty if nothing is known. Codes are those of
/// docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and developers.cloudflare.com/r2/api/error-codes.
fn advice(
    status: u16,
    code: Option<&str>,
    doing: Doing,
    address: &BucketAddress,
    settings: &S3Settings,
) -> String {
    let bucket = address.name();
    let S3Settings {
        host,
        endpoint_name,
        pair,
        ..
    } = settings;
    match (status, code.unwrap_or_default()) {
        (_, "NoSuchBucket") => {
            format!("; there is no bucket `{bucket}` at {host}: make it, or name another")
        }
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken")
        | (401, _) => format!(
            "; the key pair is not accepted: compare {} and {} with the R2 API token, and \
             {endpoint_name} with its account",
            pair.id, pair.secret
        ),
        (_, "RequestTimeTooSkewed") => "; this machine's clock is wrong".to_owned(),
        (403, _) => {
            let wanted = match doing {
                Doing::Reading => "Object Read & Write (Object Read for checks alone)",
                Doing::Writing => "Object Read & Write",
            };
            format!(
                "; the token of {} needs {wanted} on bucket `{bucket}`",
                pair.id
            )
        }
        (301 | 307 | 308, _)
        | (
            _,
            "AuthorizationHeaderMalformed"
            | "InvalidRegionName"
            | "IllegalLocationConstraintException",
        ) => "; the bucket is in another region: AWS_REGION must name it".to_owned(),
        (429, _) | (_, "SlowDown") => {
            "; too many requests (R2 takes one write a second to one object); try again later"
                .to_owned()
        }
        (500.., _) => "; it failed several times, try again later".to_owned(),
        (404, "") | (405, _) => format!("; is {endpoint_name} the address of an S3 API?"),
        _ => String::new(),
    }
}

fn is_no_such_key(code: &Option<String>) -> bool {
    code.as_deref() == Some("NoSuchKey")
}

/// A code as it may be printed: it comes from outside.
fn shown(code: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    code.chars().filter(plain).take(64).collect()
}

/// The root of an error.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_engine::ports::ETag;

    #[test]
    fn what_a_failure_says_of_a_write() {
        let answered = |status, code: &str| Failure::Answered {
            status,
            code: (!code.is_empty()).then(|| code.to_owned()),
            retry_after_ms: None,
        };
        let unsent = Failure::NotSent(String::new());
        let unheard = Failure::Unheard(String::new());
        let is = Condition::Is(ETag("x".to_owned()));
        use Fate::{Lost, NotDone, Open, Refused};
        for (failure, absent, matching, unconditional) in [
            (answered(412, "PreconditionFailed"), Lost, Lost, Lost),
            (answered(412, ""), Lost, Lost, Lost),
            (
                answered(409, "ConditionalRequestConflict"),
                Open,
                Open,
                NotDone,
            ),
            (answered(404, "NoSuchKey"), Refused, Lost, Refused),
            (answered(404, "NoSuchBucket"), Refused, Refused, Refused),
            (answered(404, ""), Refused, Refused, Refused),
            (answered(429, ""), NotDone, NotDone, NotDone),
            (answered(408, ""), Open, Open, Open),
            (answered(500, "InternalError"), Open, Open, Open),
            (answered(503, "SlowDown"), Open, Open, Open),
            (answered(403, "AccessDenied"), Refused, Refused, Refused),
            (answered(304, ""), Refused, Refused, Refused),
            (unsent, NotDone, NotDone, NotDone),
            (unheard, Open, Open, Open),
            (Failure::Strange(""), Open, Open, Open),
        ] {
            assert_eq!(failure.fate(&Condition::Absent), absent, "{failure:?}");
            assert_eq!(failure.fate(&is), matching, "{failure:?}");
            assert_eq!(failure.fate(&Condition::None), unconditional, "{failure:?}");
        }
        assert!(answered(404, "NoSuchKey").is_absence());
        assert!(!answered(404, "").is_absence() && !answered(404, "NoSuchBucket").is_absence());
    }
}
