//! What has to be true in the end.

use std::collections::BTreeMap;

use kedge_core::report::StackVerdict;
use kedge_core::stored::bundle::StoredBundle;
use kedge_tests::queue::CRASHED;
use kedge_tests::stack::{AIVEN_PROJECT, KAFKA_SERVICE, describe};
use serde_json::Value;

use super::chaos::{Asked, BY_HAND, Chaos, EDITED, RETENTION_MS, Wanted};

/// A run under way begins nothing that is held later than half a lease after the hold was set.
const HELD_AFTER_MS: i64 = 30_000;
/// A request may be on its way for so long.
const ON_ITS_WAY_MS: i64 = 1_000;

/// Everything; and how often some things happened.
pub(super) fn assert_as_it_should_be(chaos: &Chaos) -> BTreeMap<&'static str, usize> {
    let mut happened = BTreeMap::new();
    assert_definitions(chaos);
    assert_world(chaos);
    happened.insert("correction", assert_writes(chaos));
    assert_held(chaos);
    assert_uploads(chaos, &mut happened);
    assert_answers(chaos, &mut happened);
    assert_set_aside(chaos, &mut happened);
    happened
}

fn assert_definitions(chaos: &Chaos) {
    for stack in &*chaos.stacks.borrow() {
        let key = format!("stacks/{}/definitions.json", stack.name);
        let text = stack.ports.store.text(&key);
        let stored = StoredBundle::decode(text.as_bytes(), &stack.name).unwrap();
        assert_eq!(stored.bundle.files(), &stack.files, "{}", stack.name);
    }
}

/// What each topic of a stack is live.
fn live(topics: &Value, stack: &str) -> BTreeMap<String, Value> {
    let all = topics.as_object().unwrap().iter();
    let prefix = format!("{stack}-");
    all.filter_map(|(name, topic)| {
        let name = name.strip_prefix(&prefix)?;
        Some((name.to_owned(), topic["config"].clone()))
    })
    .collect()
}

fn declared(wanted: &Wanted) -> BTreeMap<String, Value> {
    let retains = |ms: i64| serde_json::json!({ "retention_ms": ms });
    let mut declared: BTreeMap<String, Value> = BTreeMap::new();
    for name in BY_HAND {
        declared.insert(name.to_owned(), retains(RETENTION_MS));
    }
    declared.insert(
        EDITED.to_owned(),
        retains(RETENTION_MS + wanted.edits * 1_000),
    );
    for number in 0..wanted.added {
        declared.insert(format!("n{number}"), serde_json::json!({}));
    }
    declared
}

/// The world, and what a check says of it.
fn assert_world(chaos: &Chaos) {
    let world = chaos.ports.sandbox.world();
    let topics = &world["aiven"]["projects"][AIVEN_PROJECT][KAFKA_SERVICE]["topics"];
    for (stack, wanted) in chaos.stacks.borrow().iter().zip(&*chaos.wanted.borrow()) {
        let name = stack.name.as_str();
        let (live, mut expected) = (live(topics, name), declared(wanted));
        let mut verdict = StackVerdict::Clean;
        for topic in BY_HAND {
            let by_hand = chaos.by_hand.borrow();
            let by_hand = by_hand.get(&format!("{name}-{topic}"));
            let last = by_hand.and_then(|values| values.last());
            let last = last.map(|ms| serde_json::json!({ "retention_ms": ms }));
            // Nobody but a person corrects it: it is as somebody left it, or as an `up` made it.
            let may_stay = name.starts_with("see") && last.as_ref() == live.get(topic);
            if may_stay {
                expected.insert(topic.to_owned(), last.unwrap());
                verdict = StackVerdict::Drifted;
            } else if name.starts_with("see") && last.is_some() {
                assert!(wanted.ups > 0, "{name}-{topic} was corrected by nobody");
            }
        }
        let report = stack.check();
        assert_eq!(live, expected, "{name} {}", describe(&report));
        assert_eq!(report.verdict(), verdict, "{name} {}", describe(&report));
    }
}

/// No change was made twice: each thing that somebody did needs one request at most. How many corrections
/// there were.
fn assert_writes(chaos: &Chaos) -> usize {
    let mut creates = 0;
    let mut updates: BTreeMap<String, usize> = BTreeMap::new();
    for sent in chaos.ports.sandbox.requests() {
        if !sent.write || !sent.applied {
            continue;
        }
        let name = sent.path.rsplit('/').next().unwrap();
        match sent.method.as_str() {
            "POST" => creates += 1,
            _ => *updates.entry(name.to_owned()).or_default() += 1,
        }
    }
    let all = chaos.wanted.borrow();
    let added: usize = all.iter().map(|wanted| wanted.added).sum();
    assert_eq!(creates, added);
    let mut corrections = 0;
    for (stack, wanted) in chaos.stacks.borrow().iter().zip(&*all) {
        let name = &stack.name;
        let edits = usize::try_from(wanted.edits).unwrap();
        let of = |topic: &str| {
            updates
                .get(&format!("{name}-{topic}"))
                .copied()
                .unwrap_or(0)
        };
        assert!(
            of(EDITED) <= edits,
            "{name}: {} of {edits} edits",
            of(EDITED)
        );
        assert_eq!(of(EDITED) > 0, edits > 0, "{name}");
        for topic in BY_HAND {
            let by_hand = chaos.by_hand.borrow();
            let drifts = by_hand.get(&format!("{name}-{topic}")).map_or(0, Vec::len);
            let most = match name.as_str().starts_with("see") {
                true => drifts.min(wanted.ups),
                false => drifts,
            };
            corrections += of(topic);
            assert!(of(topic) <= most, "{name}-{topic}: {} of {most}", of(topic));
        }
        for number in 0..wanted.added {
            assert_eq!(of(&format!("n{number}")), 0, "{name}");
        }
    }
    corrections
}

/// Nothing of a stack was changed while it was held.
fn assert_held(chaos: &Chaos) {
    let sent = chaos.ports.sandbox.requests();
    for (stack, wanted) in chaos.stacks.borrow().iter().zip(&*chaos.wanted.borrow()) {
        for (from_ms, until_ms) in &wanted.holds {
            let held = from_ms + HELD_AFTER_MS + ON_ITS_WAY_MS..until_ms.unwrap();
            let of_it = |path: &str| path.contains(&format!("/{}-", stack.name));
            let mut meanwhile = sent
                .iter()
                .filter(|sent| sent.write && held.contains(&sent.at_ms));
            let found = meanwhile.find(|sent| of_it(&sent.path));
            assert_eq!(found, None, "{held:?}");
        }
    }
}

/// Each upload that lies there has one result, and no version has two.
fn assert_uploads(chaos: &Chaos, happened: &mut BTreeMap<&'static str, usize>) {
    let store = &chaos.ports.store;
    let written = store.written.borrow();
    for upload in &*chaos.uploads.borrow() {
        let key = upload.result_key();
        let results = written
            .iter()
            .filter(|(written, _)| *written == key)
            .count();
        let lies_there = store.object(&upload.key).etag == upload.etag;
        let expected = if lies_there { 1..=1 } else { 0..=1 };
        assert!(
            expected.contains(&results),
            "{upload:?} has {results} results"
        );
        if results == 1 {
            let result: Value = serde_json::from_str(&store.text(&key)).unwrap();
            assert_eq!(result["etag"], upload.etag.0);
            let what = match result["outcome"].as_str() {
                Some("stored") => "upload stored",
                Some("unchanged") => "upload unchanged",
                _ => {
                    assert_eq!(result["refusals"][0]["code"], "out-of-date", "{result:#}");
                    "upload out of date"
                }
            };
            *happened.entry(what).or_default() += 1;
        }
    }
}

/// Whoever asked has an answer, or asked more than an hour ago.
fn assert_answers(chaos: &Chaos, happened: &mut BTreeMap<&'static str, usize>) {
    let now_ms = chaos.ports.executor.now_ms();
    let store = &chaos.ports.store;
    for Asked {
        at,
        verb,
        id,
        at_ms,
    } in &*chaos.asked.borrow()
    {
        let stack = chaos.stacks.borrow()[*at].clone();
        let run = chaos.caller.run(chaos.platform(), &stack, id);
        let what = match (*verb, run["status"].as_str().unwrap()) {
            ("check", "done") => "check done",
            ("preview", "done") => "preview done",
            ("up", "done") => "up done",
            ("up", "refused") => "up refused",
            ("up", "failed") => "up failed",
            (_, "expired") => "expired",
            (_, other) => panic!("{id} is {other} after {} s", (now_ms - at_ms) / 1_000),
        };
        let answer = format!("requests/{id}.answer.json");
        let written = store.written.borrow();
        let answers = written.iter().filter(|(key, _)| *key == answer).count();
        assert_eq!(answers, usize::from(what != "expired"), "{id}");
        *happened.entry(what).or_default() += 1;
    }
}

/// What was set aside failed each time for a reason that was planted.
fn assert_set_aside(chaos: &Chaos, happened: &mut BTreeMap<&'static str, usize>) {
    let all = chaos.platforms.iter();
    for set_aside in all.flat_map(|platform| platform.queue.set_aside.borrow().clone()) {
        for failure in &set_aside.failures {
            let is_planted = failure == CRASHED || failure.contains("the connection broke");
            assert!(is_planted, "{set_aside:#?}");
        }
        *happened.entry("set aside").or_default() += 1;
    }
}
