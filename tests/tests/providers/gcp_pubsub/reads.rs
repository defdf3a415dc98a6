//! What is there is present, what is proven not there is absent, and the rest is unknown.

use kedge_core::live::Detail;
use kedge_core::model::Kind;
use serde_json::json;

use super::*;

pub(super) const KEY: &str = r#"{"type":"service_account","private_key_id":"k","private_key":"s3cret-key","client_email":"kedge@p"}"#;

/// The keys that are there, and those that are not.
fn keys() -> ([ResourceKey; 3], [ResourceKey; 3]) {
    let there = [
        topic_key("prod-gmail"),
        binding_key("prod-gmail"),
        sub_key("prod-gmail-sub"),
    ];
    let gone = [
        topic_key("prod-none"),
        binding_key("prod-none"),
        sub_key("prod-none-sub"),
    ];
    (there, gone)
}

#[test]
fn a_whole_read_is_three_requests_two_deep() {
    let ports = world();
    ports.latency_ms.set(50);
    let began = ports.executor.now_ms();
    let reading = read(&ports);
    assert_eq!(counts(&ports), (3, 0));
    assert_eq!(ports.executor.now_ms() - began, 100);
    let (there, gone) = keys();
    for key in &there {
        assert_eq!(word(&reading, key), "present", "{key}");
    }
    for key in &gone {
        assert_eq!(word(&reading, key), "absent", "{key}");
    }
    // No GET ever asks for what is not listed: its 404 would be remembered.
    assert!(
        ports
            .sent
            .borrow()
            .iter()
            .all(|sent| sent.status == Some(200))
    );
    let subscription = live(&reading, &there[2]);
    assert_eq!(
        *subscription.fields.get(&field("push_endpoint")).unwrap(),
        sealed()
    );
    assert_eq!(
        *subscription.fields.get(&field("topic")).unwrap(),
        Value::text("prod-gmail")
    );
    let members = live(&reading, &there[1]);
    assert_eq!(members.fields, fields([("members", Value::set([GMAIL]))]));
}

#[test]
fn an_empty_project_is_empty() {
    let reading = read(&bare());
    assert_eq!(reading.present().count(), 0);
    assert_eq!(reading.unread().count(), 0);
    assert!(reading.failures().is_empty());
}

#[test]
fn others_in_the_namespace_are_shown_and_others_elsewhere_are_not() {
    let ports = world();
    act(&ports, topic_deed("prod-by-hand"));
    let reading = read(&ports);
    assert_eq!(word(&reading, &topic_key("prod-by-hand")), "present");
    let other = topic_key("dev-gmail");
    assert!(!reading.present().any(|(key, _)| *key == other));
}

#[test]
fn all_pages_are_read() {
    let ports = bare();
    for number in 0..2_001 {
        act(&ports, topic_deed(&format!("prod-{number}")));
    }
    let reading = read(&ports);
    assert_eq!(reading.present().count(), 2_001);
    assert_eq!(counts(&ports), (4, 0));
    // One page lost is the whole list lost, and with it every binding.
    trouble(&ports, "pageToken", status(403), None);
    let reading = read(&ports);
    assert_eq!(reading.present().count(), 0);
    assert_eq!(word(&reading, &topic_key("prod-1")), "forbidden");
    assert_eq!(word(&reading, &binding_key("prod-1")), "forbidden");
    assert_eq!(word(&reading, &sub_key("prod-none-sub")), "absent");
    // Nobody asked for it, so nothing is known of it.
    assert_eq!(word(&reading, &sub_key("prod-1")), "inconsistent");
}

/// Everything that can go wrong with a list or a policy, and the word for it.
fn failures() -> Vec<(Effect, &'static str)> {
    let too_long = Effect::Status {
        code: 429,
        retry_after_s: Some(3_600),
        try_again_s: None,
        message: None,
        error_code: None,
    };
    vec![
        (status(401), "unauthenticated"),
        (status(403), "forbidden"),
        (status(429), "rate-limited"),
        (too_long, "rate-limited"),
        (status(500), "provider-error"),
        (status(503), "provider-error"),
        (Effect::Latency { ms: 20_000 }, "network"),
        (Effect::LoseAnswer { applied: false }, "network"),
        (Effect::CutBody, "network"),
        (Effect::WrongTypes, "strange-answer"),
        (Effect::HtmlBody { code: 200 }, "strange-answer"),
        (Effect::HtmlBody { code: 404 }, "strange-answer"),
    ]
}

#[test]
fn a_failed_list_makes_its_kind_unknown_and_no_other() {
    for (effect, expected) in failures() {
        let ports = world();
        trouble(&ports, "/topics?", effect.clone(), None);
        let reading = read(&ports);
        for key in [
            topic_key("prod-gmail"),
            topic_key("prod-none"),
            binding_key("prod-gmail"),
        ] {
            assert_eq!(word(&reading, &key), expected, "{effect:?} {key}");
        }
        assert_eq!(
            word(&reading, &sub_key("prod-gmail-sub")),
            "present",
            "{effect:?}"
        );
        assert_eq!(
            word(&reading, &sub_key("prod-none-sub")),
            "absent",
            "{effect:?}"
        );

        let ports = world();
        trouble(&ports, "/subscriptions?", effect.clone(), None);
        let reading = read(&ports);
        for key in [sub_key("prod-gmail-sub"), sub_key("prod-none-sub")] {
            assert_eq!(word(&reading, &key), expected, "{effect:?} {key}");
        }
        // Policies come after both lists, and here no time is left for them.
        let policy = match effect {
            Effect::Latency { .. } => "out-of-time",
            _ => "present",
        };
        assert_eq!(
            word(&reading, &binding_key("prod-gmail")),
            policy,
            "{effect:?}"
        );
        assert!(
            !reading.failures().contains_key(&Kind::PubsubTopic),
            "{effect:?}"
        );
    }
}

#[test]
fn a_failed_policy_makes_its_bindings_unknown() {
    for (effect, expected) in failures() {
        let ports = world();
        trouble(&ports, ":getIamPolicy", effect.clone(), None);
        let reading = read(&ports);
        assert_eq!(
            word(&reading, &binding_key("prod-gmail")),
            expected,
            "{effect:?}"
        );
        assert_eq!(
            word(&reading, &binding_key("prod-none")),
            "absent",
            "{effect:?}"
        );
        assert_eq!(
            word(&reading, &topic_key("prod-gmail")),
            "present",
            "{effect:?}"
        );
    }
    let ports = world();
    trouble(&ports, ":getIamPolicy", status(404), None);
    assert_eq!(
        word(&read(&ports), &binding_key("prod-gmail")),
        "inconsistent"
    );
}

#[test]
fn reasons_name_what_is_wanted() {
    let ports = world();
    trouble(&ports, "/topics?", status(403), None);
    trouble(&ports, "/subscriptions?", status(403), None);
    let reading = read(&ports);
    let wants = |key| reason(&reading, &key);
    assert!(wants(topic_key("prod-gmail")).contains("; this call needs pubsub.topics.list"));
    assert!(wants(sub_key("x")).contains("; this call needs pubsub.subscriptions.list"));
    let failure = &reading.failures()[&Kind::PubsubTopic];
    assert_eq!(failure.permission.as_deref(), Some("pubsub.topics.list"));

    let ports = world();
    trouble(&ports, ":getIamPolicy", status(403), None);
    let reading = read(&ports);
    let wants = reason(&reading, &binding_key("prod-gmail"));
    assert!(
        wants.ends_with("; this call needs pubsub.topics.getIamPolicy"),
        "{wants}"
    );
}

#[test]
fn a_project_that_is_not_there_says_nothing_of_what_is_in_it() {
    let ports = bare();
    let session = session(&ports);
    let cx = Context::new(&ports, &session);
    let scope = Scope::GcpProject {
        project: "nowhere".to_owned(),
    };
    let reading = ports
        .executor
        .run(read_live(cx, &scope, &Wanted::default()))
        .unwrap();
    let key = ResourceKey::pubsub_topic("nowhere", "t");
    assert_eq!(word(&reading, &key), "scope-not-found");
}

#[test]
fn trouble_that_passes_is_waited_out() {
    for effect in [
        status(500),
        status(503),
        Effect::LoseAnswer { applied: false },
        Effect::Latency { ms: 20_000 },
    ] {
        let ports = world();
        trouble(&ports, "/topics?", effect.clone(), Some(1));
        let reading = read(&ports);
        assert_eq!(
            word(&reading, &topic_key("prod-gmail")),
            "present",
            "{effect:?}"
        );
        assert_eq!(counts(&ports), (4, 0), "{effect:?}");
    }
}

#[test]
fn a_full_quota_is_waited_out_to_the_next_minute() {
    let ports = world();
    // Time begins on a whole minute; from here the next one is in reach of the run.
    ports.executor.advance_ms(20_000);
    trouble(&ports, "/topics?", status(429), Some(1));
    let began = ports.executor.now_ms();
    let reading = read(&ports);
    assert_eq!(word(&reading, &topic_key("prod-gmail")), "present");
    let waited = ports.executor.now_ms() - began;
    assert!((40_000..41_100).contains(&waited), "{waited}");
}

#[test]
fn a_label_set_by_hand_is_shown() {
    let ports = world();
    act(
        &ports,
        Deed::PatchSubscription {
            subscription: "prod-gmail-sub".to_owned(),
            fields: json!({"labels": {"team": "x"}})
                .as_object()
                .unwrap()
                .clone(),
        },
    );
    let subscription = live(&read(&ports), &sub_key("prod-gmail-sub"));
    assert_eq!(
        *subscription.fields.get(&field("labels.team")).unwrap(),
        Value::text("x")
    );
    assert_eq!(subscription.detail, Detail::None);
}

#[test]
fn an_orphan_is_told_from_a_subscription() {
    let ports = world();
    let deed = Deed::DeletePubsubTopic {
        topic: "prod-gmail".to_owned(),
    };
    act(&ports, deed);
    let reading = read(&ports);
    let orphan = live(&reading, &sub_key("prod-gmail-sub"));
    assert_eq!(orphan.detail, Detail::OrphanedSubscription);
    assert_eq!(
        *orphan.fields.get(&field("topic")).unwrap(),
        Value::text("_deleted-topic_")
    );
    assert_eq!(word(&reading, &binding_key("prod-gmail")), "absent");
    assert_eq!(counts(&ports), (2, 0));
}

#[test]
fn credentials_are_asked_for_used_and_made_anew_once() {
    let ports = world();
    let mut session = session(&ports);
    want_credentials(&mut session);
    let reading = read_in(&ports, &session);
    assert_eq!(word(&reading, &topic_key("x")), "no-credentials");
    assert_eq!(word(&reading, &binding_key("x")), "no-credentials");
    assert!(reason(&reading, &sub_key("x")).contains("GOOGLE_CREDENTIALS"));
    assert_eq!(counts(&ports), (0, 0));

    let secret = |text: &str| {
        let name = "GOOGLE_CREDENTIALS".to_owned();
        ports.secrets.borrow_mut().insert(name, text.to_owned());
    };
    secret("/home/ana/s3cret-key.json");
    let reading = read_in(&ports, &session);
    assert_eq!(word(&reading, &topic_key("x")), "unauthenticated");
    assert_eq!(counts(&ports), (0, 0));

    secret(KEY);
    assert_eq!(
        word(&read_in(&ports, &session), &topic_key("prod-gmail")),
        "present"
    );
    assert_eq!(counts(&ports), (3, 0));

    // From now on the token is an old one, which may have expired: one more try with a new one.
    trouble(&ports, "/topics?", status(401), Some(1));
    assert_eq!(
        word(&read_in(&ports, &session), &topic_key("prod-gmail")),
        "present"
    );
    assert_eq!(counts(&ports), (4, 0));
    trouble(&ports, "/topics?", status(401), None);
    assert_eq!(
        word(&read_in(&ports, &session), &topic_key("prod-gmail")),
        "unauthenticated"
    );
    assert_eq!(counts(&ports), (3, 0));
}

#[test]
fn a_topic_is_seen_at_once_after_its_creation() {
    let ports = bare();
    // A name that a GET did not find stays unfound; no read of ours makes such a GET.
    let effect = Effect::NegativeCache { ms: 600_000 };
    ports.sandbox.add_fault(Fault::always(effect));
    assert_eq!(word(&read(&ports), &topic_key("prod-none")), "absent");
    apply(&ports, &create(topic_key("prod-none"), Fields::new())).unwrap();
    let label = set("labels.a", Value::text("b"));
    apply(&ports, &update(topic_key("prod-none"), vec![label])).unwrap();
    assert_eq!(word(&read(&ports), &topic_key("prod-none")), "present");
}
