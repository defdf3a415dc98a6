//! Which consents count as given meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::ports::{Attempts, ETag, Listed};

const NOW: Timestamp = Timestamp(1_795_348_800_000);
const RUN: &str = "1795348800000-77777777";

/// Objects that are there, and keys that are listed and gone when they are read.
struct Objects {
    there: RefCell<BTreeMap<String, Bytes>>,
    gone: Vec<String>,
    written_at: Timestamp,
    /// What was read and listed.
    asked: RefCell<Vec<String>>,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            there: RefCell::default(),
            gone: Vec::new(),
            written_at: NOW,
            asked: RefCell::default(),
        }
    }
}

impl Store for Objects {
    fn is_shared(&self) -> bool {
        false
    }

    async fn get_counting(
        &self,
        key: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        self.asked.borrow_mut().push(key.to_owned());
        let bytes = self.there.borrow().get(key).cloned();
        Ok(bytes.map(|bytes| StoredObject {
            bytes,
            etag: ETag(String::new()),
            written_at: self.written_at,
            read_at: Some(NOW),
        }))
    }

    async fn put_counting(
        &self,
        _key: &str,
        _bytes: Bytes,
        _condition: Condition,
        _attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        Ok(PutOutcome::Conflict)
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        self.asked.borrow_mut().push(prefix.to_owned());
        let there = self.there.borrow();
        let keys = there.keys().chain(&self.gone);
        let mut keys: Vec<_> = keys
            .filter(|key| key.starts_with(prefix))
            .map(|key| Listed {
                key: key.clone(),
                etag: ETag(String::new()),
                written_at: Timestamp(0),
            })
            .collect();
        keys.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(keys)
    }
}

fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

fn dev() -> StackName {
    StackName::new("dev").unwrap()
}

fn grant(id: &str) -> Grant {
    Grant {
        id: id.to_owned(),
        stack: dev(),
        person: "ben@desk".to_owned(),
        digest: "00c0ffee00c0ffee".to_owned(),
        changes: BTreeSet::new(),
        policy: true,
        expires_at: NOW.plus_ms(1),
        used_by: None,
    }
}

fn given(objects: &Objects) -> bool {
    now(given_since(objects, &dev(), RUN, NOW)).unwrap()
}

#[test]
fn a_consent_counts_if_it_is_later_stands_and_is_unused() {
    let later = "1795348800001-00000000";
    let used = Grant {
        used_by: Some("another".to_owned()),
        ..grant(later)
    };
    let of_others = Grant {
        stack: StackName::new("prod").unwrap(),
        ..grant(later)
    };
    for (grant, counts) in [
        (grant(later), true),
        (used, false),
        (of_others, false),
        (grant(RUN), false),
        (grant("1795348799999-ffffffff"), false),
    ] {
        let key = Keys::of(&dev()).grant(&grant.id);
        let objects = Objects::default();
        let bytes = Bytes::from(grant.encode().unwrap());
        objects.there.borrow_mut().insert(key, bytes);
        assert_eq!(given(&objects), counts, "{grant:?}");
    }
}

#[test]
fn a_consent_ends_an_hour_after_the_store_wrote_it() {
    // Whatever the clock of whoever gave it said.
    for said in [NOW.plus_ms(-1), NOW.plus_ms(10 * Grant::LASTS_MS)] {
        for (age_ms, counts) in [(Grant::LASTS_MS - 1, true), (Grant::LASTS_MS, false)] {
            let grant = Grant {
                expires_at: said,
                ..grant("1795348800001-00000000")
            };
            let objects = Objects {
                written_at: NOW.plus_ms(-age_ms),
                ..Objects::default()
            };
            let key = Keys::of(&dev()).grant(&grant.id);
            let bytes = Bytes::from(grant.encode().unwrap());
            objects.there.borrow_mut().insert(key, bytes);
            assert_eq!(given(&objects), counts, "{said:?} {age_ms}");
            let read = now(read(&objects, &dev(), &grant.id)).unwrap().grant;
            let covers = read.covers(&grant.digest, &BTreeSet::new(), false, NOW);
            assert_eq!(covers.is_ok(), counts, "{said:?} {age_ms}");
        }
    }
}

#[test]
fn what_cannot_be_read_hides_no_other() {
    let keys = Keys::of(&dev());
    let mut objects = Objects::default();
    assert!(!given(&objects));
    let damaged = keys.grant("1795348800001-00000000");
    objects
        .there
        .borrow_mut()
        .insert(damaged, Bytes::from_static(b"{"));
    objects.gone.push(keys.grant("1795348800001-11111111"));
    assert!(!given(&objects));
    let good = grant("1795348800001-22222222");
    let bytes = Bytes::from(good.encode().unwrap());
    objects
        .there
        .borrow_mut()
        .insert(keys.grant(&good.id), bytes);
    assert!(given(&objects));
}

/// A stack that is asked for a change each second for a day, before this run and beside it.
#[test]
fn what_was_given_long_ago_is_neither_listed_nor_read() {
    let objects = Objects::default();
    for second in 0..86_400_i64 {
        let grant = Grant {
            used_by: Some("another".to_owned()),
            ..grant(&format!("{}-0badcafe", NOW.0 - 1_000 * second))
        };
        let key = Keys::of(&dev()).grant(&grant.id);
        let bytes = Bytes::from(grant.encode().unwrap());
        objects.there.borrow_mut().insert(key, bytes);
    }
    let given = |run: &str| {
        objects.asked.borrow_mut().clear();
        let given = now(given_since(&objects, &dev(), run, NOW)).unwrap();
        (given, objects.asked.take())
    };
    let began_before = format!("{}-77777777", NOW.0 - 600_000);
    let (is_given, asked) = given(&began_before);
    assert!(!is_given);
    assert_eq!(asked[0], "stacks/dev/grants/179534");
    assert_eq!(asked.len(), 1 + READ_MAX);
    // The last one that was given is found at once, and a run that began after it reads none.
    let last = grant(&format!("{}-1", NOW.0));
    let key = Keys::of(&dev()).grant(&last.id);
    let bytes = Bytes::from(last.encode().unwrap());
    objects.there.borrow_mut().insert(key, bytes);
    let (is_given, asked) = given(&began_before);
    assert!(is_given);
    assert!(asked.len() <= 1 + READ_AT_ONCE, "{asked:?}");
    let (is_given, asked) = given(&format!("{}-77777777", NOW.0 + 1));
    assert_eq!((is_given, asked.len()), (false, 1));
    // Where ids begin to have other digits, both lists are asked for.
    let later = NOW.plus_ms(10_000_000);
    now(given_since(
        &objects,
        &dev(),
        RUN,
        later.plus_ms(-9_000_000),
    ))
    .unwrap();
    assert_eq!(
        objects.asked.take(),
        ["stacks/dev/grants/179534", "stacks/dev/grants/179535"]
    );
}

#[test]
fn a_consent_that_is_there_already_is_another_runs() {
    let objects = Objects::default();
    let written = now(write(&objects, &dev(), &grant(RUN), Condition::Absent));
    assert!(matches!(written, Err(GrantError::Raced { id }) if id == RUN));
}
