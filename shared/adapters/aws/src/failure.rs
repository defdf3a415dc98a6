//! What an answer that is no success means, and what it says to a person.

use bytes::Bytes;
use http::Response;
use kedge_engine::ports::{HttpError, retry_after_ms};
use serde_json::Value;

use crate::call::Place;
use crate::service::Service;
use crate::settings::AwsSettings;

/// Why a call was no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It never left this machine.
    NotSent(String),
    /// No whole answer came; the request may have arrived.
    Unheard(String),
    /// The answer is larger than any that we ask for.
    TooLarge(String),
    /// The service said no.
    Answered {
        status: u16,
        /// AWS's word for it, without its namespace; empty where the answer is not AWS's.
        code: String,
        /// What AWS says about it, where that can be shown.
        message: Option<String>,
        retry_after_ms: Option<u64>,
    },
    /// A success that is not the service's.
    Strange,
}

/// Too many requests: the codes on which AWS's own clients try again (aws-runtime, `THROTTLING_ERRORS`), and
/// those of the KMS behind a service.
const THROTTLED: [&str; 9] = [
    "KMS.ThrottlingException",
    "KmsThrottled",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
];
const MESSAGE_LENGTH_MAX: usize = 400;
/// The service reads and writes with a key that the role may not use.
const KMS_ADVICE: &str =
    "; the role needs kms:Decrypt on its key (and kms:GenerateDataKey to send)";

impl Failure {
    /// No whole answer came.
    pub(crate) fn unanswered(error: HttpError) -> Self {
        match &error {
            HttpError::NotSent(_) | HttpError::Refused(_) => Self::NotSent(error.to_string()),
            HttpError::TooLarge(_) => Self::TooLarge(error.to_string()),
            _ => Self::Unheard(error.to_string()),
        }
    }

    /// An answer with a status that is no success.
    pub(crate) fn answered(answer: &Response<Bytes>, settings: &AwsSettings) -> Self {
        let header = |name: &'static str| answer.headers().get(name)?.to_str().ok();
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| body.get(name)?.as_str());
            found.unwrap_or_default()
        };
        // `com.amazonaws.sqs#QueueDoesNotExist`, `AccessDeniedException:http://…`
        let code = header("x-amzn-errortype").unwrap_or_else(|| text(["__type", "code"]));
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = plain(code.split(':').next().unwrap_or_default());
        let message = plain(text(["message", "Message"]));
        // What is said about a signature repeats the request's headers.
        let may_show = is_denied(&code) && !message.is_empty() && !settings.is_told_by(&message);
        Self::Answered {
            status: answer.status().as_u16(),
            code,
            message: may_show.then_some(message),
            retry_after_ms: retry_after_ms(header),
        }
    }

    /// Whether it may go well if it is tried again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Unheard(_) => true,
            Self::TooLarge(_) | Self::Strange => false,
            Self::Answered { status, code, .. } => {
                matches!(status, 408 | 429 | 500..) || is_throttled(code)
            }
        }
    }

    /// How long the service asks to wait.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Answered { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// Whether the service says that it may not be called, or not for this.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if is_denied(code))
    }

    /// Whether a message can't be hidden, since nobody holds it any more: it comes again by itself.
    pub(crate) fn is_not_in_flight(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if code.ends_with("MessageNotInflight"))
    }

    /// What happened and what to do about it, for a person: reads on after what was called for.
    pub(crate) fn describe(&self, place: &Place, operation: &str) -> String {
        let host = place.host();
        let endpoint_name = place.service.endpoint_name();
        match self {
            Self::NotSent(why) => why.clone(),
            Self::Unheard(why) | Self::TooLarge(why) => format!("{host}: {why}"),
            Self::Strange => format!(
                "{host} gave an answer that is not AWS's; is something between, or \
                 {endpoint_name} wrong?"
            ),
            Self::Answered {
                status,
                code,
                message,
                ..
            } => {
                let message = message.as_deref().unwrap_or_default();
                let advice = match message.contains("kms:") {
                    true => KMS_ADVICE.to_owned(),
                    false => advice(*status, code, place.service, operation),
                };
                let code = match code.as_str() {
                    "" => String::new(),
                    code => format!(" {code}"),
                };
                let message = match message {
                    "" => String::new(),
                    message => format!(" ({message})"),
                };
                format!("{host} answered {status}{code}{message}{advice}")
            }
        }
    }
}

/// What to do about an answer: the rest of a sentence, empty if nothing is known. The codes are those of
/// docs.aws.amazon.com: SQS, SSM and Secrets Manager, API reference, common errors.
fn advice(status: u16, code: &str, service: Service, operation: &str) -> String {
    let name = service.name();
    match code {
        "DecryptionFailure" | "InvalidKeyId" => KMS_ADVICE.to_owned(),
        _ if (code.starts_with("KMS.") || code.starts_with("Kms")) && !is_throttled(code) => {
            KMS_ADVICE.to_owned()
        }
        _ if is_denied(code) => format!("; the role needs {name}:{operation} on it"),
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => {
            "; there is no such queue: is KEDGE_QUEUE_URL right?".to_owned()
        }
        "ResourceNotFoundException" | "ParameterNotFound" => {
            "; there is no such secret, or it has no value yet".to_owned()
        }
        "InvalidRequestException" if service == Service::SecretsManager => {
            "; is the secret marked for deletion?".to_owned()
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => {
            "; the credentials are not accepted (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
             AWS_SESSION_TOKEN), or this machine's clock is wrong"
                .to_owned()
        }
        _ if status == 429 || is_throttled(code) => {
            "; too many requests, try again later".to_owned()
        }
        _ if status == 408 || status >= 500 => {
            "; it failed several times, try again later".to_owned()
        }
        "" => format!("; is {} right?", service.endpoint_name()),
        _ => String::new(),
    }
}

fn is_throttled(code: &str) -> bool {
    THROTTLED.contains(&code)
}

/// `AccessDenied` of SQS, `AccessDeniedException` of the others.
fn is_denied(code: &str) -> bool {
    matches!(code, "AccessDenied" | "AccessDeniedException")
}

/// A text as it may be printed: it comes from outside.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
    text.chars()
        .filter(is_plain)
        .take(MESSAGE_LENGTH_MAX)
        .collect()
}
