//! Topics and subscriptions: each verb, and what is known after each way an answer can fail.

use super::*;

fn whole_subscription() -> Fields {
    fields([
        ("topic", Value::text("prod-gmail")),
        ("push_endpoint", sealed()),
        (
            "push_service_account",
            Value::text("push@p.iam.gserviceaccount.com"),
        ),
        ("push_audience", Value::text("gmail")),
        ("ack_deadline_seconds", Value::Int(30)),
        ("retain_acked_messages", Value::Bool(true)),
        ("message_retention", Value::seconds(86_400)),
        ("labels.team", Value::text("x")),
        ("enable_message_ordering", Value::Bool(true)),
        ("expiration", Value::text("never")),
        ("filter", Value::text("attributes.a = \"b\"")),
        ("dead_letter_topic", Value::text("dev-gmail")),
        ("max_delivery_attempts", Value::Int(7)),
        ("minimum_backoff", Value::seconds(1)),
        ("maximum_backoff", Value::Duration(2_500_000_000)),
        ("enable_exactly_once_delivery", Value::Bool(false)),
    ])
}

fn whole_topic() -> Fields {
    fields([
        ("message_retention", Value::seconds(600)),
        ("kms_key_name", Value::text("projects/p/k")),
        (
            "allowed_persistence_regions",
            Value::set(["europe-west1", "europe-west3"]),
        ),
        ("labels.team", Value::text("x")),
    ])
}

/// Every declared value reads back as declared: a second run would change nothing.
fn assert_shows(ports: &SimPorts, key: &ResourceKey, declared: &Fields) {
    let live = live(&read(ports), key);
    for (name, value) in declared {
        assert_eq!(live.fields.get(name), Some(value), "{key} {name}");
    }
}

/// The five kinds of change, each on a fresh world, and what is there afterwards.
fn changes() -> Vec<(Change, Option<Fields>)> {
    let new_topic = fields([("labels.team", Value::text("x"))]);
    let new_sub = fields([
        ("topic", Value::text("prod-gmail")),
        ("push_endpoint", Value::text("pull")),
    ]);
    let edit = |name: &str, to: Value| (vec![set(name, to.clone())], Some(fields([(name, to)])));
    let (topic_edits, topic_after) = edit("labels.team", Value::text("x"));
    let (sub_edits, sub_after) = edit("ack_deadline_seconds", Value::Int(60));
    let mut replace = create(sub_key("prod-gmail-sub"), whole_subscription());
    replace.verb = Verb::Replace;
    vec![
        (
            create(topic_key("prod-none"), new_topic.clone()),
            Some(new_topic),
        ),
        (
            create(sub_key("prod-none-sub"), new_sub.clone()),
            Some(new_sub),
        ),
        (update(topic_key("prod-gmail"), topic_edits), topic_after),
        (update(sub_key("prod-gmail-sub"), sub_edits), sub_after),
        (replace, Some(whole_subscription())),
        (change(sub_key("prod-gmail-sub"), Verb::Delete), None),
        (change(topic_key("prod-gmail"), Verb::Delete), None),
    ]
}

fn assert_made(ports: &SimPorts, change: &Change, after: Option<&Fields>) {
    match after {
        Some(fields) => assert_shows(ports, &change.key, fields),
        None => assert_eq!(word(&read(ports), &change.key), "absent"),
    }
}

#[test]
fn what_is_created_shows_what_is_declared() {
    let ports = world();
    let sub = create(sub_key("prod-none-sub"), whole_subscription());
    assert_eq!(ended(&apply(&ports, &sub)), "done");
    assert_eq!(counts(&ports), (0, 1));
    assert_shows(&ports, &sub.key, &sub.declared);
    let topic = create(topic_key("prod-none"), whole_topic());
    assert_eq!(ended(&apply(&ports, &topic)), "done");
    assert_eq!(counts(&ports), (0, 1));
    assert_shows(&ports, &topic.key, &topic.declared);
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let ports = world();
    let sub = create(sub_key("prod-none-sub"), whole_subscription());
    apply(&ports, &sub).unwrap();
    for (name, to, reads) in [
        ("ack_deadline_seconds", Value::Int(60), 0),
        ("retain_acked_messages", Value::Bool(false), 0),
        ("message_retention", Value::seconds(700), 0),
        ("expiration", Value::seconds(86_400), 0),
        ("enable_exactly_once_delivery", Value::Bool(true), 0),
        ("labels.other", Value::text("y"), 1),
        ("push_audience", Value::text("other"), 1),
        ("dead_letter_topic", Value::text("prod-gmail"), 1),
        ("maximum_backoff", Value::seconds(9), 1),
    ] {
        let before = live(&read(&ports), &sub.key);
        let edit = update(sub.key.clone(), vec![set(name, to.clone())]);
        assert_eq!(ended(&apply(&ports, &edit)), "done", "{name}");
        assert_eq!(counts(&ports), (reads, 1), "{name}");
        let mut expected = before.fields;
        expected.insert(field(name), to);
        assert_eq!(live(&read(&ports), &sub.key).fields, expected, "{name}");
    }
}

#[test]
fn push_turns_to_pull_and_back() {
    let ports = world();
    let key = sub_key("prod-gmail-sub");
    for to in [Value::text("pull"), sealed()] {
        let edit = update(key.clone(), vec![set("push_endpoint", to.clone())]);
        assert_eq!(ended(&apply(&ports, &edit)), "done");
        assert_shows(&ports, &key, &fields([("push_endpoint", to)]));
    }
}

#[test]
fn a_replaced_subscription_is_a_new_one() {
    let ports = world();
    act(
        &ports,
        Deed::DeletePubsubTopic {
            topic: "prod-gmail".to_owned(),
        },
    );
    act(&ports, topic_deed("prod-gmail"));
    let mut replace = create(sub_key("prod-gmail-sub"), whole_subscription());
    replace.verb = Verb::Replace;
    assert_eq!(ended(&apply(&ports, &replace)), "done");
    assert_eq!(counts(&ports), (0, 2));
    assert_shows(&ports, &replace.key, &replace.declared);
    // One that is gone is replaced all the same.
    apply(&ports, &change(replace.key.clone(), Verb::Delete)).unwrap();
    assert_eq!(ended(&apply(&ports, &replace)), "done");
}

#[test]
fn half_a_replacement_stays_ours() {
    let ports = world();
    trouble(&ports, "/subscriptions/", status(400), None);
    let mut replace = create(sub_key("prod-gmail-sub"), whole_subscription());
    replace.verb = Verb::Replace;
    // Refused before anything was deleted: nothing happened.
    assert_eq!(ended(&apply(&ports, &replace)), "blocked");
    assert_eq!(word(&read(&ports), &replace.key), "present");
    ports.sandbox.clear_faults();
    ports.sandbox.add_fault(Fault {
        matches: Matches {
            method: Some("PUT".to_owned()),
            ..Matches::default()
        },
        effect: status(403),
        times: None,
    });
    let outcome = apply(&ports, &replace);
    assert_eq!(ended(&outcome), "unknown");
    assert!(why(outcome).contains("was deleted and is not created again: 403"));
    // A body that can't be made stops it in time.
    ports.sandbox.clear_faults();
    replace.secrets = ByField::new();
    assert_eq!(ended(&apply(&ports, &replace)), "failed");
    assert_eq!(counts(&ports), (0, 0));
}

#[test]
fn what_exists_is_not_overwritten_and_what_is_gone_is_deleted() {
    let ports = world();
    for (key, declared) in [
        (topic_key("dev-gmail"), Fields::new()),
        (sub_key("prod-gmail-sub"), whole_subscription()),
    ] {
        let before = ports.sandbox.world();
        let outcome = apply(&ports, &create(key.clone(), declared));
        assert_eq!(ended(&outcome), "blocked", "{key}");
        assert_eq!(ports.sandbox.world(), before);
        for _ in 0..2 {
            assert_eq!(
                ended(&apply(&ports, &change(key.clone(), Verb::Delete))),
                "done"
            );
        }
    }
}

#[test]
fn a_subscription_without_its_topic_is_not_made() {
    let ports = bare();
    let outcome = apply(
        &ports,
        &create(sub_key("prod-none-sub"), whole_subscription()),
    );
    assert_eq!(ended(&outcome), "failed");
    let reason = why(outcome);
    assert!(
        reason.starts_with(
            "404: Resource not found (resource=prod-gmail); the change refers to topic prod-gmail and"
        ),
        "{reason}"
    );
}

#[test]
fn an_update_of_what_is_gone_is_not_made() {
    let ports = bare();
    for edit in [
        update(
            topic_key("prod-none"),
            vec![set("kms_key_name", Value::text("k"))],
        ),
        update(
            topic_key("prod-none"),
            vec![set("labels.a", Value::text("b"))],
        ),
    ] {
        assert_eq!(ended(&apply(&ports, &edit)), "failed");
    }
}

#[test]
fn a_lost_answer_is_settled_by_repeating() {
    for applied in [false, true] {
        for effect in [
            Effect::LoseAnswer { applied },
            Effect::CutBody,
            status(500),
            status(504),
        ] {
            for (change, after) in changes() {
                let ports = world();
                ports.sandbox.add_fault(Fault {
                    matches: Matches {
                        write: Some(true),
                        ..Matches::default()
                    },
                    effect: effect.clone(),
                    times: Some(1),
                });
                let outcome = apply(&ports, &change);
                assert_eq!(ended(&outcome), "done", "{effect:?} {change:?} {outcome:?}");
                assert_made(&ports, &change, after.as_ref());
            }
        }
    }
}

#[test]
fn answers_that_never_come_leave_the_outcome_open() {
    for effect in [
        Effect::LoseAnswer { applied: true },
        Effect::LoseAnswer { applied: false },
        Effect::Latency { ms: 20_000 },
        Effect::HtmlBody { code: 200 },
        Effect::HtmlBody { code: 502 },
        status(500),
        status(504),
    ] {
        for (change, _) in changes() {
            let ports = world();
            ports.sandbox.add_fault(Fault {
                matches: Matches {
                    write: Some(true),
                    ..Matches::default()
                },
                effect: effect.clone(),
                times: None,
            });
            let outcome = apply(&ports, &change);
            assert_eq!(
                ended(&outcome),
                "unknown",
                "{effect:?} {change:?} {outcome:?}"
            );
        }
    }
}

#[test]
fn a_refused_write_changes_nothing_and_says_why() {
    for (code, expected) in [
        (400, "blocked"),
        (401, "blocked"),
        (403, "blocked"),
        (429, "failed"),
        (503, "failed"),
    ] {
        for (change, _) in changes() {
            let ports = world();
            ports.sandbox.add_fault(Fault {
                matches: Matches {
                    write: Some(true),
                    ..Matches::default()
                },
                effect: status(code),
                times: None,
            });
            let before = ports.sandbox.world();
            let outcome = apply(&ports, &change);
            assert_eq!(ended(&outcome), expected, "{code} {change:?} {outcome:?}");
            assert_eq!(ports.sandbox.world(), before);
            if code == 403 {
                assert!(why(outcome).contains("; this call needs pubsub."));
            }
        }
    }
}

#[test]
fn an_html_404_does_not_pass_for_a_delete() {
    let ports = world();
    trouble(
        &ports,
        "prod-gmail-sub",
        Effect::HtmlBody { code: 404 },
        None,
    );
    let outcome = apply(&ports, &change(sub_key("prod-gmail-sub"), Verb::Delete));
    assert_eq!(ended(&outcome), "failed");
}

#[test]
fn a_topic_is_not_replaced() {
    let ports = world();
    let outcome = apply(&ports, &change(topic_key("prod-gmail"), Verb::Replace));
    assert_eq!(ended(&outcome), "failed");
    assert_eq!(counts(&ports), (0, 0));
}

#[test]
fn a_write_gets_a_new_token_once() {
    let ports = world();
    let key = r#"{"type":"service_account","private_key_id":"k","private_key":"s3cret-key","client_email":"kedge@p"}"#;
    let name = "GOOGLE_CREDENTIALS".to_owned();
    let mut session = session(&ports);
    want_credentials(&mut session);
    let run = |change: &Change| {
        let cx = Context::new(&ports, &session);
        ports.clear_sent();
        ports.executor.run(carry_out(cx, change)).unwrap()
    };
    let deletion = change(sub_key("prod-gmail-sub"), Verb::Delete);
    let outcome = run(&deletion);
    assert_eq!(ended(&outcome), "blocked");
    assert!(why(outcome).contains("GOOGLE_CREDENTIALS is not set"));
    ports.secrets.borrow_mut().insert(name, key.to_owned());
    assert_eq!(ended(&run(&deletion)), "done");
    trouble(&ports, "dev-gmail", status(401), Some(1));
    assert_eq!(
        ended(&run(&change(topic_key("dev-gmail"), Verb::Delete))),
        "done"
    );
    assert_eq!(counts(&ports), (0, 2));
}
