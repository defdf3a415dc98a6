//! What is read, and that nothing but proof is absence.

use super::*;

fn reads(ports: &SimPorts) -> usize {
    let (reads, writes) = ports.counts(ProviderName::Aiven);
    assert_eq!(writes, 0);
    reads
}

#[test]
fn a_check_is_one_list_and_a_bulk_read_per_hundred() {
    let ports = world();
    let names: Vec<String> = (0..250).map(|n| format!("prod-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    make(&ports, &names);
    make(
        &ports,
        &[
            "dev-a",
            "prod-extra",
            "__consumer_offsets",
            "prod-x-internal",
        ],
    );
    ports.latency_ms.set(50);
    let began_ms = ports.executor.now_ms();
    let reading = read(&ports, &names);
    assert_eq!(reads(&ports), 1 + 3);
    // Two round trips deep.
    assert_eq!(ports.executor.now_ms() - began_ms, 100);
    assert_eq!(reading.present().count(), 251);
    assert!(reading.unread().count() == 0 && reading.failures().is_empty());
    // Whatever is not asked for in detail costs nothing and shows its summary.
    assert!(!live(&reading, "prod-extra").contains_key(&field("retention_ms")));
    assert_eq!(
        *live(&reading, "prod-extra")
            .get(&field("partitions"))
            .unwrap(),
        Value::Int(3)
    );

    let reading = read(&ports, &[]);
    assert_eq!(reads(&ports), 1);
    assert_eq!(reading.present().count(), 251);
}

#[test]
fn values_are_exact() {
    let ports = world();
    make(&ports, &["prod-a"]);
    let fields = live(&read(&ports, &["prod-a"]), "prod-a");
    for (name, value) in [
        ("partitions", Value::Int(3)),
        ("replication", Value::Int(3)),
        ("tags.team", Value::text("x")),
        ("retention_ms", Value::Int(86_400_000)),
        ("retention_bytes", Value::Int(-1)),
        ("flush_ms", Value::Int(i64::MAX)),
        ("min_cleanable_dirty_ratio", Value::Ratio(500_000_000)),
        ("cleanup_policy", Value::text("delete")),
    ] {
        assert_eq!(*fields.get(&field(name)).unwrap(), value, "{name}");
    }
    assert!(!fields.contains_key(&field("description")));
}

#[test]
fn no_failure_looks_like_absence() {
    let slow = Effect::Latency { ms: 20_000 };
    let lost = Effect::LoseAnswer { applied: false };
    for (effect, code, said) in [
        (
            status(401),
            FailureCode::Unauthenticated,
            "401: Invalid token",
        ),
        (
            status(403),
            FailureCode::Unauthenticated,
            "403: Authentication failed; AIVEN_TOKEN",
        ),
        (status(404), FailureCode::ScopeNotFound, "404: Not Found"),
        (status(429), FailureCode::RateLimited, "429: Rate limit"),
        (
            status(500),
            FailureCode::ProviderError,
            "500: Internal error",
        ),
        (
            status(503),
            FailureCode::ProviderError,
            "503: Kafka service",
        ),
        (slow, FailureCode::Network, "no answer within"),
        (lost, FailureCode::Network, "the connection broke"),
        (Effect::CutBody, FailureCode::Network, "connection broke"),
        (
            Effect::HtmlBody { code: 200 },
            FailureCode::StrangeAnswer,
            "is not JSON",
        ),
        (
            Effect::HtmlBody { code: 502 },
            FailureCode::ProviderError,
            "502 from Aiven",
        ),
        (
            Effect::WrongTypes,
            FailureCode::StrangeAnswer,
            "does not have the form",
        ),
    ] {
        // Wherever it strikes: on everything, on the list, on the bulk read.
        for matches in [
            Matches::default(),
            on_path("GET", "/topic"),
            on_path("POST", "/v2/"),
        ] {
            // A missing path is not a failure of the bulk read, see below.
            if code == FailureCode::ScopeNotFound && matches.method.as_deref() == Some("POST") {
                continue;
            }
            let ports = world();
            make(&ports, &["prod-a"]);
            fault(&ports, effect.clone(), matches.clone(), None);
            let reading = read(&ports, &["prod-a"]);
            assert_eq!(
                word(&reading, "prod-a"),
                code.as_str(),
                "{effect:?} {matches:?}"
            );
            assert!(
                reason(&reading, "prod-a").contains(said),
                "{}",
                reason(&reading, "prod-a")
            );
        }
    }
}

#[test]
fn a_failed_guard_or_proof_is_not_absence() {
    let slow = Effect::Latency { ms: 20_000 };
    for effect in [
        status(401),
        status(403),
        status(404),
        status(429),
        status(500),
        status(501),
        slow,
        Effect::LoseAnswer { applied: false },
        Effect::CutBody,
        Effect::HtmlBody { code: 200 },
        Effect::HtmlBody { code: 404 },
        Effect::WrongTypes,
    ] {
        // GETs in their order: the list, the service, the topic; each is tried five times.
        for first in [2, 3] {
            let ports = world();
            make(&ports, &["prod-a"]);
            for nth in first..first + 5 {
                let matches = Matches {
                    nth: Some(nth),
                    ..on_path("GET", "/service/")
                };
                fault(&ports, effect.clone(), matches, None);
            }
            let reading = read(&ports, &["prod-a", "prod-gone"]);
            let gone = word(&reading, "prod-gone");
            assert!(
                gone != "absent" && gone != "present",
                "{effect:?} {first} {gone}"
            );
            assert_eq!(word(&reading, "prod-a"), "present", "{effect:?} {first}");
        }
    }
}

#[test]
fn one_bad_moment_is_waited_out() {
    for effect in [
        status(408),
        status(429),
        status(500),
        status(501),
        status(502),
        status(503),
        status(504),
        Effect::LoseAnswer { applied: false },
    ] {
        let ports = world();
        make(&ports, &["prod-a"]);
        fault(&ports, effect.clone(), Matches::default(), Some(2));
        assert_eq!(
            word(&read(&ports, &["prod-a"]), "prod-a"),
            "present",
            "{effect:?}"
        );
    }
}

#[test]
fn the_wait_that_is_asked_for_is_kept() {
    for (retry_after_s, try_again_s) in [(Some(9), None), (None, Some(9))] {
        let ports = world();
        make(&ports, &["prod-a"]);
        let limit = Effect::Status {
            code: 429,
            retry_after_s,
            try_again_s,
            message: None,
            error_code: None,
        };
        fault(&ports, limit, Matches::default(), Some(1));
        let began_ms = ports.executor.now_ms();
        assert_eq!(word(&read(&ports, &["prod-a"]), "prod-a"), "present");
        let took_ms = ports.executor.now_ms() - began_ms;
        assert!((9_000..9_100).contains(&took_ms), "{took_ms}");
    }
    let ports = world();
    let limit = Effect::Status {
        code: 429,
        retry_after_s: None,
        try_again_s: Some(120),
        message: None,
        error_code: None,
    };
    fault(&ports, limit, Matches::default(), None);
    let reading = read(&ports, &["prod-a"]);
    assert_eq!(word(&reading, "prod-a"), "rate-limited");
    assert!(reason(&reading, "prod-a").contains("wait 120 s"));
    assert_eq!(reads(&ports), 1);
}

#[test]
fn without_a_token_nothing_is_asked() {
    let ports = world();
    ports.secrets.borrow_mut().remove("AIVEN_TOKEN");
    let reading = read(&ports, &["prod-a"]);
    assert_eq!(word(&reading, "prod-a"), "no-credentials");
    assert!(reason(&reading, "prod-a").contains("AIVEN_TOKEN"));
    assert_eq!(reads(&ports), 0);
}

#[test]
fn missing_takes_proof() {
    let ports = world();
    make(&ports, &["prod-a", "prod-gone"]);
    delete(&ports, "prod-gone");
    let reading = read_wanted(
        &ports,
        &["prod-a", "prod-gone", "prod-new"],
        &["prod-a", "prod-gone"],
    );
    assert_eq!(word(&reading, "prod-gone"), "absent");
    assert_eq!(word(&reading, "prod-new"), "absent");
    // List, bulk read, service, one GET for the recorded name, none for the new one.
    assert_eq!(reads(&ports), 4);
    read_wanted(&ports, &["prod-a", "prod-new"], &["prod-a"]);
    assert_eq!(reads(&ports), 2);
}

#[test]
fn a_list_that_lags_is_caught_by_the_proof() {
    let ports = world();
    make(&ports, &["prod-old"]);
    ports.executor.advance_ms(60_000);
    make(&ports, &["prod-young"]);
    fault(
        &ports,
        Effect::ListingLag { ms: 30_000 },
        Matches::default(),
        None,
    );
    let reading = read(&ports, &["prod-old", "prod-young"]);
    assert_eq!(word(&reading, "prod-young"), "present");
    assert_eq!(word(&reading, "prod-old"), "present");
}

#[test]
fn a_service_that_is_off_says_nothing() {
    for lose_topics in [false, true] {
        let ports = world();
        make(&ports, &["prod-a", "prod-b"]);
        let off = Deed::SetServiceState {
            state: "POWEROFF".to_owned(),
            lose_topics,
            service: None,
        };
        act(&ports, &off);
        let reading = read_wanted(
            &ports,
            &["prod-a", "prod-b", "prod-new"],
            &["prod-a", "prod-b"],
        );
        for name in ["prod-a", "prod-b", "prod-new"] {
            assert_eq!(word(&reading, name), "not-running");
        }
        assert!(reason(&reading, "prod-a").contains("POWEROFF"));
        assert_eq!(reads(&ports), 2);
    }
}

#[test]
fn mass_absence_is_bounded() {
    let ports = world();
    let names: Vec<String> = (0..40).map(|n| format!("prod-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reading = read(&ports, &names);
    assert_eq!(reads(&ports), 1 + 1 + 20);
    let absent = names.iter().filter(|name| word(&reading, name) == "absent");
    assert_eq!(absent.count(), 20);
    assert_eq!(word(&reading, "prod-039"), "mass-absence");
}

#[test]
fn a_bulk_read_that_lags_hides_one_topic_at_most() {
    let ports = world();
    let names: Vec<String> = (0..100).map(|n| format!("prod-{n:03}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    make(&ports, &names);
    ports.executor.advance_ms(60_000);
    make(&ports, &["prod-042-young"]);
    names.push("prod-042-young");
    fault(
        &ports,
        Effect::BulkLag { ms: 30_000 },
        Matches::default(),
        None,
    );
    let reading = read(&ports, &names);
    // The single GET knows it.
    assert!(names.iter().all(|name| word(&reading, name) == "present"));
    assert!(reads(&ports) <= 3 + 14, "{}", reads(&ports));
}

#[test]
fn a_short_bulk_answer_is_completed() {
    let ports = world();
    let names = ["prod-a", "prod-b", "prod-c", "prod-d", "prod-e", "prod-f"];
    make(&ports, &names);
    fault(
        &ports,
        Effect::ShortAnswer { by: 2 },
        Matches::default(),
        None,
    );
    let reading = read(&ports, &names);
    assert!(names.iter().all(|name| word(&reading, name) == "present"));
    assert_eq!(reads(&ports), 1 + 1 + 2);
}

#[test]
fn without_a_bulk_read_topics_are_read_one_by_one() {
    for code in [404, 405, 501] {
        let ports = world();
        make(&ports, &["prod-a", "prod-b"]);
        fault(&ports, status(code), on_path("POST", "/v2/"), None);
        let reading = read(&ports, &["prod-a", "prod-b"]);
        assert_eq!(word(&reading, "prod-a"), "present");
        assert_eq!(word(&reading, "prod-b"), "present");
    }
}

#[test]
fn topics_in_transition_are_unknown() {
    let ports = world();
    make(&ports, &["prod-leaving"]);
    let create = change(Verb::Create, "prod-coming", declared());
    let slow = Effect::SlowCreate {
        ms: 60_000,
        unreadable: true,
    };
    fault(&ports, slow, Matches::default(), None);
    fault(
        &ports,
        Effect::SlowDelete { ms: 60_000 },
        Matches::default(),
        None,
    );
    write(&ports, &create).unwrap();
    write(&ports, &change(Verb::Delete, "prod-leaving", Fields::new())).unwrap();
    let reading = read(&ports, &["prod-coming", "prod-leaving"]);
    assert_eq!(word(&reading, "prod-coming"), "in-transition");
    assert_eq!(word(&reading, "prod-leaving"), "being-deleted");
}
