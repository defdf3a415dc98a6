//! Google's tokens, and how old they may be. They outlive a run where the process does (`caches.rs`).
//!
//! How one is made is said in `providers/gcp_pubsub/auth.rs`.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::lock::{Mutex, MutexGuard};
use kedge_core::model::{SecretText, Timestamp};

/// How long Google takes a token that we sign (AIP-4111), in seconds: the longest that it allows.
pub(crate) const GOOGLE_TOKEN_LIFETIME_S: i64 = 3600;
/// How old a token may be when a request is sent with it, in seconds. The ten minutes to its end are for
/// clocks that differ, and for what the request waits on its way.
pub const GOOGLE_TOKEN_AGE_MAX_S: i64 = GOOGLE_TOKEN_LIFETIME_S - 600;

/// The tokens of a process. Clones are handles to the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoogleTokens {
    tokens: Rc<RefCell<Vec<GoogleToken>>>,
    /// Held by who makes a token, so that those beside it wait for that one.
    making: Rc<Mutex<()>>,
}

/// A token, and what it was made from.
#[derive(Debug)]
struct GoogleToken {
    credential: SecretText,
    token: SecretText,
    made_at: Timestamp,
    /// Whether it may be used; one that was refused, or replaced, is kept to be hidden in answers.
    is_good: bool,
}

impl GoogleToken {
    /// Not one from the future either, as after a clock was set back: Google refuses it.
    fn is_good_at(&self, now: Timestamp) -> bool {
        let age_ms = now.ms_since(self.made_at);
        self.is_good && (0..GOOGLE_TOKEN_AGE_MAX_S * 1000).contains(&age_ms)
    }
}

impl GoogleTokens {
    /// The same tokens for others, who don't wait for those that make one here, nor these for them.
    pub(crate) fn apart(&self) -> Self {
        Self {
            tokens: Rc::clone(&self.tokens),
            making: Rc::default(),
        }
    }

    /// The token that was made from this very credential, if it may still be used.
    pub(crate) fn good(&self, credential: &SecretText, now: Timestamp) -> Option<SecretText> {
        let tokens = self.tokens.borrow();
        let mut good = tokens.iter().filter(|one| one.is_good_at(now));
        let found = good.find(|one| one.credential == *credential);
        found.map(|one| one.token.clone())
    }

    /// Keeps a token that was made at this time, in place of those made from the same credential.
    /// What nobody could use any longer goes.
    pub(crate) fn keep(&self, credential: SecretText, token: SecretText, made_at: Timestamp) {
        let mut tokens = self.tokens.borrow_mut();
        let lives = |one: &GoogleToken| {
            let age_ms = made_at.ms_since(one.made_at);
            age_ms < GOOGLE_TOKEN_LIFETIME_S * 1000
        };
        tokens.retain(lives);
        for one in tokens.iter_mut().filter(|one| one.credential == credential) {
            one.is_good = false;
        }
        tokens.push(GoogleToken {
            credential,
            token,
            made_at,
            is_good: true,
        });
    }

    /// Google refused this token: nobody uses it again.
    pub(crate) fn refuse(&self, token: &SecretText) {
        let mut tokens = self.tokens.borrow_mut();
        for one in tokens.iter_mut().filter(|one| one.token == *token) {
            one.is_good = false;
        }
    }

    /// All tokens that an answer may repeat.
    pub(crate) fn all(&self) -> Vec<SecretText> {
        let tokens = self.tokens.borrow();
        tokens.iter().map(|one| one.token.clone()).collect()
    }

    /// Waits until nobody else makes a token.
    pub(crate) async fn make_alone(&self) -> MutexGuard<'_, ()> {
        self.making.lock().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn text(text: &str) -> SecretText {
        SecretText::new(text)
    }

    #[test]
    fn a_token_is_kept_for_fifty_minutes_and_for_its_credential_alone() {
        let kept = GoogleTokens::default();
        kept.keep(text("key 1"), text("token 1"), NOW);
        for (credential, age_ms, expected) in [
            ("key 1", 0, true),
            ("key 1", 50 * 60_000 - 1, true),
            ("key 1", 50 * 60_000, false),
            // The clock was set back.
            ("key 1", -1, false),
            ("key 2", 0, false),
        ] {
            let found = kept.good(&text(credential), NOW.plus_ms(age_ms));
            assert_eq!(found.is_some(), expected, "{credential} {age_ms}");
        }
        kept.keep(text("key 2"), text("token 2"), NOW);
        assert_eq!(kept.good(&text("key 1"), NOW), Some(text("token 1")));
        assert_eq!(kept.good(&text("key 2"), NOW), Some(text("token 2")));
        let shown = format!("{kept:?}");
        assert!(
            !shown.contains("token 1") && !shown.contains("key 1"),
            "{shown}"
        );
    }

    #[test]
    fn those_apart_have_the_same_tokens_and_wait_for_nobody() {
        let kept = GoogleTokens::default();
        let (beside, apart) = (kept.clone(), kept.apart());
        let making = kept.make_alone().now_or_never();
        assert!(making.is_some());
        assert!(beside.make_alone().now_or_never().is_none());
        assert!(apart.make_alone().now_or_never().is_some());
        apart.keep(text("key"), text("token"), NOW);
        assert_eq!(kept.good(&text("key"), NOW), Some(text("token")));
    }

    #[test]
    fn a_token_that_was_refused_is_hidden_and_not_used() {
        let kept = GoogleTokens::default();
        kept.keep(text("key"), text("old"), NOW);
        kept.refuse(&text("old"));
        assert_eq!(kept.good(&text("key"), NOW), None);
        kept.keep(text("key"), text("new"), NOW);
        kept.refuse(&text("old"));
        assert_eq!(kept.good(&text("key"), NOW), Some(text("new")));
        assert_eq!(kept.all(), [text("old"), text("new")]);
        // An hour later nothing of it is left.
        let later = NOW.plus_ms(GOOGLE_TOKEN_LIFETIME_S * 1000);
        kept.keep(text("key"), text("newer"), later);
        assert_eq!(kept.all(), [text("newer")]);
    }
}
