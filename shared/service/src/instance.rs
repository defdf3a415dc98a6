//! What a process remembers between requests: who asks how often, which events it took, how it does.
//!
//! All of it is bounded, and none of it is needed: another instance, or the same one after a restart, begins
//! anew. Nothing here waits, so nothing is borrowed while something else runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kedge_core::documents::Health;
use kedge_core::model::{StackName, Timestamp};

/// A rate: so many at once, and then one in each interval.
#[derive(Debug, Clone, Copy)]
struct Rate {
    interval_ms: i64,
    burst: i64,
}

/// Of one token: a page with all stacks, then ten a second. Each request reads the store two or three times,
/// and one that waits reads it twice a second.
const OF_A_TOKEN: Rate = Rate {
    interval_ms: 100,
    burst: 100,
};
/// Of those whose token is not known to be good, in each of some groups by its fingerprint: guessing is
/// hopeless anyway, and must not cost the store more than this. The first request of a good token is in one of
/// the groups, so who guesses in all of them keeps it away for seconds, and not for good.
const UNPROVEN: Rate = Rate {
    interval_ms: 1_000,
    burst: 5,
};
/// How many such groups there are.
const UNPROVEN_GROUPS: usize = 64;
/// Of run requests of one stack: its runs are made one after the other, and take seconds.
const OF_A_STACK: Rate = Rate {
    interval_ms: 2_000,
    burst: 20,
};
/// How many stacks are remembered.
const STACKS_MAX: usize = 1_024;
/// Of signed events: a relay sends one for each file of an upload.
const OF_THE_RELAY: Rate = Rate {
    interval_ms: 100,
    burst: 100,
};

/// How many good tokens are remembered.
const TOKENS_MAX: usize = 1_024;
/// How many events are remembered: more than the rate of the relay allows in the time that they count.
const EVENTS_MAX: usize = 8_192;
/// How long an answer about health is kept, in milliseconds. It reads the store, and anybody may ask.
const HEALTH_KEPT_MS: i64 = 30_000;

/// What a process remembers between requests. One for each process, handed to each of its services.
#[derive(Debug, Default)]
pub struct Instance {
    /// By the fingerprint of a token that was good: when its next request is free.
    tokens: RefCell<BTreeMap<[u8; 32], i64>>,
    /// The same of each group of tokens that are not known to be good.
    unproven: RefCell<BTreeMap<usize, i64>>,
    /// The same of run requests, by stack.
    stacks: RefCell<BTreeMap<StackName, i64>>,
    relay: RefCell<i64>,
    /// By signature: until when an event must not come again.
    events: RefCell<BTreeMap<[u8; 32], Timestamp>>,
    health: RefCell<Option<(i64, Health)>>,
    /// Whether somebody finds out about health now.
    is_looking: Cell<bool>,
    is_stopping: Cell<bool>,
}

/// Too many asked. It may be tried again after so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) after_ms: i64,
}

/// Whether an event may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is new.
    New,
    /// It came before.
    Replayed,
    /// So many are remembered that nobody can tell.
    TooMany,
}

impl Rate {
    /// Takes one, at a time of the monotonic clock. `free_at` is when all of the burst is there again.
    fn take(self, free_at: &mut i64, now_ms: i64) -> Result<(), TooMany> {
        let next = (*free_at).max(now_ms) + self.interval_ms;
        let after_ms = next - now_ms - self.interval_ms * self.burst;
        if after_ms > 0 {
            return Err(TooMany { after_ms });
        }
        *free_at = next;
        Ok(())
    }
}

impl Instance {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nobody waits for an answer: the process is going to end.
    pub fn stop(&self) {
        self.is_stopping.set(true);
    }

    /// Whether the process is going to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.get()
    }

    /// Takes one request of who presents this token, before anybody knows whether it is good.
    pub(crate) fn take_for(&self, fingerprint: &[u8; 32], now_ms: i64) -> Result<(), TooMany> {
        if let Some(free_at) = self.tokens.borrow_mut().get_mut(fingerprint) {
            return OF_A_TOKEN.take(free_at, now_ms);
        }
        let group = usize::from(fingerprint.first().copied().unwrap_or_default()) % UNPROVEN_GROUPS;
        let mut unproven = self.unproven.borrow_mut();
        UNPROVEN.take(unproven.entry(group).or_insert(now_ms), now_ms)
    }

    /// Takes one run request for a stack.
    pub(crate) fn take_for_stack(&self, stack: &StackName, now_ms: i64) -> Result<(), TooMany> {
        let mut stacks = self.stacks.borrow_mut();
        if stacks.len() >= STACKS_MAX && !stacks.contains_key(stack) {
            stacks.retain(|_, free_at| *free_at > now_ms);
        }
        OF_A_STACK.take(stacks.entry(stack.clone()).or_insert(now_ms), now_ms)
    }

    /// Remembers that a token is good: from now on it has a rate of its own, which nobody can use up who
    /// has not got its secret.
    pub(crate) fn prove(&self, fingerprint: [u8; 32], now_ms: i64) {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.len() >= TOKENS_MAX && !tokens.contains_key(&fingerprint) {
            let idlest = tokens.iter().min_by_key(|(_, free_at)| **free_at);
            if let Some(idlest) = idlest.map(|(fingerprint, _)| *fingerprint) {
                tokens.remove(&idlest);
            }
        }
        tokens.entry(fingerprint).or_insert(now_ms);
    }

    /// Takes one signed event.
    pub(crate) fn take_for_relay(&self, now_ms: i64) -> Result<(), TooMany> {
        OF_THE_RELAY.take(&mut self.relay.borrow_mut(), now_ms)
    }

    /// Notes an event that counts until a time, and says whether it came before.
    pub(crate) fn note_event(
        &self,
        signature: [u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Event {
        let mut events = self.events.borrow_mut();
        events.retain(|_, until| now <= *until);
        if events.contains_key(&signature) {
            return Event::Replayed;
        }
        if events.len() >= EVENTS_MAX {
            return Event::TooMany;
        }
        events.insert(signature, until);
        Event::New
    }

    /// Forgets an event that was not taken after all.
    pub(crate) fn forget_event(&self, signature: &[u8; 32]) {
        self.events.borrow_mut().remove(signature);
    }

    /// What was found out about health a moment ago; or longer ago, while somebody finds out anew.
    pub(crate) fn health(&self, now_ms: i64) -> Option<Health> {
        let health = self.health.borrow();
        let (at_ms, health) = health.as_ref()?;
        let is_fresh = (0..HEALTH_KEPT_MS).contains(&(now_ms - at_ms));
        (is_fresh || self.is_looking.get()).then(|| health.clone())
    }

    /// Somebody finds out about health, until what this gives is dropped.
    pub(crate) fn look(&self) -> Looking<'_> {
        self.is_looking.set(true);
        Looking(&self.is_looking)
    }

    /// Keeps what was found out about health.
    pub(crate) fn keep_health(&self, health: &Health, now_ms: i64) {
        *self.health.borrow_mut() = Some((now_ms, health.clone()));
    }
}

/// Somebody finds out about health.
#[derive(Debug)]
pub(crate) struct Looking<'a>(&'a Cell<bool>);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_allows_a_burst_and_then_one_in_each_interval() {
        let rate = Rate {
            interval_ms: 100,
            burst: 3,
        };
        let mut free_at = 0;
        let now = 1_000;
        for _ in 0..3 {
            assert_eq!(rate.take(&mut free_at, now), Ok(()));
        }
        assert_eq!(rate.take(&mut free_at, now), Err(TooMany { after_ms: 100 }));
        assert_eq!(
            rate.take(&mut free_at, now + 99),
            Err(TooMany { after_ms: 1 })
        );
        assert_eq!(rate.take(&mut free_at, now + 100), Ok(()));
        assert!(rate.take(&mut free_at, now + 100).is_err());
        // Later all of the burst is there again, and not more.
        let later = now + 10_000;
        let taken = (0..10).filter(|_| rate.take(&mut free_at, later).is_ok());
        assert_eq!(taken.count(), 3);
    }

    #[test]
    fn who_guesses_uses_up_nobody_elses_rate() {
        let instance = Instance::new();
        let (good, bad) = ([1; 32], [2; 32]);
        instance.prove(good, 0);
        let guesses = (0..200).filter(|_| instance.take_for(&bad, 0).is_ok());
        assert_eq!(guesses.count(), 5);
        assert!(instance.take_for(&[66; 32], 0).is_err(), "they share it");
        assert!(instance.take_for(&[3; 32], 0).is_ok(), "others do not");
        let asked = (0..200).filter(|_| instance.take_for(&good, 0).is_ok());
        assert_eq!(asked.count(), 100);
    }

    #[test]
    fn one_finds_out_about_health_and_the_others_get_what_was_known() {
        let instance = Instance::new();
        let health = Health::new(Vec::new(), Timestamp(0), None, None, None);
        instance.keep_health(&health, 0);
        assert_eq!(instance.health(HEALTH_KEPT_MS - 1), Some(health.clone()));
        assert_eq!(instance.health(HEALTH_KEPT_MS), None);
        let looking = instance.look();
        assert_eq!(instance.health(HEALTH_KEPT_MS), Some(health));
        drop(looking);
        assert_eq!(instance.health(HEALTH_KEPT_MS), None);
    }

    #[test]
    fn one_stack_uses_up_no_other_ones_rate() {
        let instance = Instance::new();
        let [one, other] = ["one", "other"].map(|name| StackName::new(name).unwrap());
        let taken = (0..200).filter(|_| instance.take_for_stack(&one, 0).is_ok());
        assert_eq!(taken.count(), 20);
        assert_eq!(
            instance.take_for_stack(&one, 1_999),
            Err(TooMany { after_ms: 1 })
        );
        assert_eq!(instance.take_for_stack(&one, 2_000), Ok(()));
        assert_eq!(instance.take_for_stack(&other, 0), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let instance = Instance::new();
        let of = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        for number in 0..TOKENS_MAX + 10 {
            instance.prove(of(number), i64::try_from(number).unwrap());
        }
        assert_eq!(instance.tokens.borrow().len(), TOKENS_MAX);
        assert!(
            !instance.tokens.borrow().contains_key(&of(0)),
            "the idlest goes"
        );
        // One that is known throws nobody out.
        instance.prove(of(TOKENS_MAX + 9), 0);
        assert!(instance.tokens.borrow().contains_key(&of(10)));
        let until = Timestamp(1_000);
        for number in 0..EVENTS_MAX {
            assert_eq!(
                instance.note_event(of(number), until, Timestamp(0)),
                Event::New
            );
        }
        let more = of(EVENTS_MAX);
        assert_eq!(instance.note_event(more, until, until), Event::TooMany);
        assert_eq!(instance.note_event(of(0), until, until), Event::Replayed);
        let later = Timestamp(1_001);
        assert_eq!(
            instance.note_event(more, Timestamp(2_000), later),
            Event::New
        );
        assert_eq!(instance.events.borrow().len(), 1);
    }
}
