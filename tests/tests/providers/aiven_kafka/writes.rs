//! What is written, and what becomes of it.

use super::*;

/// Every declared value is live, so that a second run would change nothing.
fn assert_agrees(ports: &SimPorts, name: &str, declared: &Fields) {
    let live = live(&read(ports, &[name]), name);
    for (field, value) in declared {
        assert_eq!(live.get(field), Some(value), "{field}");
    }
}

#[test]
fn what_is_created_is_what_is_read() {
    let ports = world();
    let applied = write(&ports, &change(Verb::Create, "prod-a", declared())).unwrap();
    assert_eq!(applied.catching_up_ms, 300_000);
    assert_eq!(ports.counts(ProviderName::Aiven), (0, 1));
    assert_agrees(&ports, "prod-a", &declared());
}

#[test]
fn an_update_changes_what_differs_and_nothing_else() {
    let ports = world();
    make(&ports, &["prod-a"]);
    let deed = Deed::SetTopicTags {
        topic: "prod-a".to_owned(),
        tags: BTreeMap::from([
            ("team".to_owned(), "x".to_owned()),
            ("foreign".to_owned(), "z".to_owned()),
        ]),
        service: None,
    };
    act(&ports, &deed);
    let before = live(&read(&ports, &["prod-a"]), "prod-a");
    let update = update(&ports, "prod-a", declared());
    write(&ports, &update).unwrap();
    assert_eq!(ports.counts(ProviderName::Aiven), (0, 1));
    assert_agrees(&ports, "prod-a", &declared());
    // What nobody declared is as it was, a tag that somebody else set among it.
    let after = live(&read(&ports, &["prod-a"]), "prod-a");
    for (field, value) in before {
        if !declared().contains_key(&field) {
            assert_eq!(after.get(&field), Some(&value), "{field}");
        }
    }
}

#[test]
fn a_delete_deletes() {
    let ports = world();
    make(&ports, &["prod-a"]);
    let delete = change(Verb::Delete, "prod-a", Fields::new());
    write(&ports, &delete).unwrap();
    assert_eq!(word(&read(&ports, &["prod-a"]), "prod-a"), "absent");
    // Gone is done.
    write(&ports, &delete).unwrap();
}

#[test]
fn lost_answers_are_resolved_by_repeating() {
    let twice = declared();
    for effect in [
        Effect::LoseAnswer { applied: true },
        Effect::LoseAnswer { applied: false },
        Effect::CutBody,
        Effect::HtmlBody { code: 200 },
        Effect::Latency { ms: 20_000 },
        status(500),
        status(503),
        status(501),
    ] {
        for verb in [Verb::Create, Verb::Update, Verb::Delete] {
            let ports = world();
            let change = match verb {
                Verb::Create => change(verb, "prod-a", twice.clone()),
                Verb::Update => {
                    make(&ports, &["prod-a"]);
                    update(&ports, "prod-a", twice.clone())
                }
                _ => {
                    make(&ports, &["prod-a"]);
                    change(verb, "prod-a", Fields::new())
                }
            };
            fault(&ports, effect.clone(), on_write(), Some(1));
            write(&ports, &change).unwrap();
            assert_eq!(ports.writes(), 2, "{effect:?} {verb:?}");
            ports.sandbox.clear_faults();
            match verb {
                Verb::Delete => {
                    assert_eq!(word(&read(&ports, &["prod-a"]), "prod-a"), "absent");
                }
                _ => assert_agrees(&ports, "prod-a", &twice),
            }
        }
    }
}

#[test]
fn an_answer_that_never_comes_leaves_the_outcome_open() {
    for effect in [
        Effect::LoseAnswer { applied: true },
        Effect::LoseAnswer { applied: false },
        Effect::HtmlBody { code: 200 },
        Effect::Latency { ms: 20_000 },
        status(500),
        status(504),
    ] {
        let ports = world();
        fault(&ports, effect.clone(), on_write(), None);
        let result = write(&ports, &change(Verb::Create, "prod-a", declared()));
        assert!(
            matches!(result, Err(ChangeError::OutcomeUnknown { .. })),
            "{effect:?} {result:?}"
        );
    }
    for effect in [status(429), status(503)] {
        let ports = world();
        fault(&ports, effect.clone(), on_write(), None);
        let result = write(&ports, &change(Verb::Create, "prod-a", declared()));
        assert!(
            matches!(result, Err(ChangeError::Failed { .. })),
            "{effect:?} {result:?}"
        );
    }
}

/// The reason and the fix of a change that is blocked.
fn blocked(result: Result<Applied, ChangeError>) -> (String, Option<String>) {
    match result {
        Err(ChangeError::Blocked { reason, fix }) => (reason, fix),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_topic_that_exists_is_never_overwritten() {
    let ports = world();
    make(&ports, &["prod-a"]);
    let before = ports.sandbox.world();
    let (reason, fix) = blocked(write(&ports, &change(Verb::Create, "prod-a", declared())));
    assert_eq!(reason, "409: Topic 'prod-a' already exists");
    assert!(fix.unwrap().contains("adopt"));
    assert_eq!(ports.sandbox.world(), before);
}

#[test]
fn what_aiven_refuses_waits_for_somebody() {
    let ports = world();
    make(&ports, &["prod-a"]);
    for (fields, said) in [
        (
            fields([("partitions", Value::Int(2))]),
            "400: Reducing partition count",
        ),
        (
            fields([("replication", Value::Int(4))]),
            "409: Cluster only has 3 broker(s)",
        ),
        (
            fields([("replication", Value::Int(1))]),
            "400: Replication factor",
        ),
        (
            fields([("local_retention_ms", Value::Int(1))]),
            "409: Tiered storage",
        ),
    ] {
        let update = update(&ports, "prod-a", fields);
        let (reason, _) = blocked(write(&ports, &update));
        assert!(reason.starts_with(said), "{reason}");
        assert_eq!(ports.writes(), 1);
    }
    fault(&ports, status(403), on_write(), None);
    let (reason, fix) = blocked(write(
        &ports,
        &change(Verb::Delete, "prod-a", Fields::new()),
    ));
    assert_eq!(reason, "403: Authentication failed");
    assert_eq!(fix.as_deref(), Some("set AIVEN_TOKEN to a valid token"));
    let replace = change(Verb::Replace, "prod-a", declared());
    blocked(write(&ports, &replace));
    assert_eq!(ports.writes(), 0);
    let own = change(Verb::Delete, "__consumer_offsets", Fields::new());
    blocked(write(&ports, &own));
    assert_eq!(ports.writes(), 0);
}

#[test]
fn a_reassignment_under_way_is_left_to_the_next_run() {
    let ports = world();
    make(&ports, &["prod-a"]);
    let slow = Effect::SlowReassignment { ms: 600_000 };
    fault(&ports, slow, Matches::default(), None);
    let first = update(&ports, "prod-a", fields([("replication", Value::Int(2))]));
    write(&ports, &first).unwrap();
    let second = update(&ports, "prod-a", fields([("retention_ms", Value::Int(1))]));
    let result = write(&ports, &second);
    assert!(
        matches!(result, Err(ChangeError::Failed { .. })),
        "{result:?}"
    );
}
