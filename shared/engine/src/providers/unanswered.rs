//! What it means that a provider never answered a request: the same for each of them.

use kedge_core::change::ChangeError;
use kedge_core::live::{FailureCode, ReadFailure};
use kedge_core::providers::Provider;

use crate::call_error::CallError;
use crate::ports::HttpError;
use crate::retry::WriteFailure;

/// What happened instead of an answer, in words.
pub(super) fn describe(provider: &Provider, error: &CallError) -> String {
    match error {
        CallError::Http(error) => error.to_string(),
        CallError::WaitTooLong { wait_ms, status } => {
            let title = provider.title;
            let seconds = wait_ms.div_ceil(1_000);
            format!("{status}: {title} asks to wait {seconds} s, longer than this run may last")
        }
        CallError::NoLease(reason) => reason.clone(),
        CallError::RanOut(unsent) => unsent.to_string(),
    }
}

/// A read that was not answered.
pub(super) fn read_failure(provider: &Provider, error: &CallError) -> ReadFailure {
    let code = match error {
        CallError::Http(HttpError::TooLarge(_)) => FailureCode::StrangeAnswer,
        CallError::Http(_) | CallError::NoLease(_) => FailureCode::Network,
        CallError::WaitTooLong { .. } => FailureCode::RateLimited,
        CallError::RanOut(unsent) => unsent.code(),
    };
    ReadFailure {
        reason: describe(provider, error),
        permission: None,
        code,
    }
}

/// A change that was not answered.
pub(super) fn change_error(provider: &Provider, failure: &WriteFailure) -> ChangeError {
    let reason = describe(provider, &failure.error);
    match failure.error {
        _ if failure.ambiguous => ChangeError::OutcomeUnknown { reason },
        CallError::Http(HttpError::Refused(_)) => ChangeError::Blocked { reason, fix: None },
        _ => ChangeError::Failed { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ProviderName;

    const TOO_LONG: CallError = CallError::WaitTooLong {
        wait_ms: 27_001,
        status: 429,
    };

    #[test]
    fn a_read_without_an_answer_has_a_code_and_a_reason() {
        let text = || "x".to_owned();
        for (error, code, reason) in [
            (
                CallError::Http(HttpError::Timeout(15_000)),
                FailureCode::Network,
                "no answer within 15 s",
            ),
            (
                CallError::Http(HttpError::NotSent(text())),
                FailureCode::Network,
                "could not connect: x",
            ),
            (
                CallError::Http(HttpError::Broken(text())),
                FailureCode::Network,
                "x",
            ),
            (
                CallError::Http(HttpError::TooLarge(64 * 1024 * 1024)),
                FailureCode::StrangeAnswer,
                "the answer is larger than 64 MiB",
            ),
            (CallError::NoLease(text()), FailureCode::Network, "x"),
            (
                TOO_LONG,
                FailureCode::RateLimited,
                "429: Google asks to wait 28 s, longer than this run may last",
            ),
        ] {
            let failure = read_failure(ProviderName::Pubsub.entry(), &error);
            assert_eq!(failure.code, code, "{error:?}");
            assert!(failure.reason.contains(reason), "{}", failure.reason);
        }
    }

    #[test]
    fn a_change_without_an_answer_is_open_only_where_an_attempt_may_have_been_made() {
        let unsent = CallError::Http(HttpError::NotSent("no route".to_owned()));
        let refused = CallError::Http(HttpError::Refused("read only".to_owned()));
        for (error, ambiguous, expected) in [
            (&unsent, false, "failed"),
            (&unsent, true, "unknown"),
            (&refused, false, "blocked"),
            (&refused, true, "unknown"),
            (&TOO_LONG, false, "failed"),
            (&TOO_LONG, true, "unknown"),
        ] {
            let failure = WriteFailure {
                error: error.clone(),
                ambiguous,
            };
            let found = match change_error(ProviderName::Aiven.entry(), &failure) {
                ChangeError::OutcomeUnknown { .. } => "unknown",
                ChangeError::Blocked { fix: None, .. } => "blocked",
                ChangeError::Failed { .. } => "failed",
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{error:?} {ambiguous}");
        }
    }
}
