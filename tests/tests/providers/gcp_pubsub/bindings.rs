//! Who holds a role: our members come and go, everybody else's stay.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use super::*;

const ANA: &str = "user:ana@clustera.io";
const OLEG: &str = "user:oleg@clustera.io";

fn members<const N: usize>(members: [&str; N]) -> Fields {
    fields([("members", Value::set(members))])
}

fn give(topic: &str, member: &str) -> Change {
    create(binding_key(topic), members([member]))
}

fn take(topic: &str, member: &str) -> Change {
    Change {
        recorded: members([member]),
        ..change(binding_key(topic), Verb::Delete)
    }
}

fn held(ports: &SimPorts) -> Fields {
    live(&read(ports), &binding_key("prod-gmail")).fields
}

#[test]
fn members_come_and_go_one_by_one() {
    let ports = world();
    assert_eq!(
        ended(&apply(&ports, &give("prod-gmail", "user:Ana@Clustera.io"))),
        "done"
    );
    assert_eq!(counts(&ports), (1, 1));
    assert_eq!(held(&ports), members([GMAIL, ANA]));
    // Held already: nothing is written.
    assert_eq!(
        apply(&ports, &give("prod-gmail", ANA)),
        Ok(Applied { catching_up_ms: 0 })
    );
    assert_eq!(counts(&ports), (1, 0));
    let swap = update(
        binding_key("prod-gmail"),
        vec![
            Edit::Add {
                field: field("members"),
                item: OLEG.to_owned(),
            },
            Edit::Remove {
                field: field("members"),
                item: ANA.to_owned(),
            },
        ],
    );
    assert_eq!(ended(&apply(&ports, &swap)), "done");
    assert_eq!(counts(&ports), (1, 1));
    assert_eq!(held(&ports), members([GMAIL, OLEG]));
    assert_eq!(ended(&apply(&ports, &take("prod-gmail", OLEG))), "done");
    assert_eq!(held(&ports), members([GMAIL]));
    assert_eq!(ended(&apply(&ports, &take("prod-gmail", GMAIL))), "done");
    assert_eq!(word(&read(&ports), &binding_key("prod-gmail")), "absent");
    assert_eq!(ended(&apply(&ports, &give("prod-gmail", GMAIL))), "done");
    assert_eq!(held(&ports), members([GMAIL]));
}

#[test]
fn the_topic_may_be_missing() {
    let ports = world();
    assert_eq!(ended(&apply(&ports, &take("prod-none", ANA))), "done");
    assert_eq!(counts(&ports), (1, 0));
    let outcome = apply(&ports, &give("prod-none", ANA));
    assert_eq!(ended(&outcome), "failed");
    assert_eq!(why(outcome), "404: Resource not found (resource=prod-none)");
}

#[test]
fn a_lost_answer_is_settled() {
    for effect in [
        Effect::LoseAnswer { applied: true },
        Effect::LoseAnswer { applied: false },
        Effect::CutBody,
        Effect::HtmlBody { code: 200 },
        Effect::Latency { ms: 20_000 },
        status(500),
        status(503),
        status(504),
        status(409),
        status(412),
    ] {
        let ports = world();
        trouble(&ports, ":setIamPolicy", effect.clone(), Some(1));
        let outcome = apply(&ports, &give("prod-gmail", ANA));
        assert_eq!(ended(&outcome), "done", "{effect:?} {outcome:?}");
        assert_eq!(held(&ports), members([GMAIL, ANA]), "{effect:?}");
    }
}

#[test]
fn answers_that_never_come_are_looked_up_once_more() {
    for (effect, expected) in [
        (Effect::LoseAnswer { applied: true }, "done"),
        (Effect::CutBody, "done"),
        (Effect::LoseAnswer { applied: false }, "unknown"),
        (Effect::HtmlBody { code: 200 }, "unknown"),
        (status(500), "unknown"),
    ] {
        let ports = world();
        trouble(&ports, ":setIamPolicy", effect.clone(), None);
        let outcome = apply(&ports, &give("prod-gmail", ANA));
        assert_eq!(ended(&outcome), expected, "{effect:?} {outcome:?}");
    }
}

#[test]
fn refusals_change_nothing() {
    for (path, code, expected) in [
        (":setIamPolicy", 400, "blocked"),
        (":setIamPolicy", 403, "blocked"),
        (":setIamPolicy", 409, "failed"),
        (":setIamPolicy", 429, "failed"),
        (":setIamPolicy", 503, "failed"),
        (":getIamPolicy", 403, "blocked"),
        (":getIamPolicy", 401, "blocked"),
        (":getIamPolicy", 429, "failed"),
        (":getIamPolicy", 500, "failed"),
    ] {
        let ports = world();
        let before = ports.sandbox.world();
        trouble(&ports, path, status(code), None);
        let outcome = apply(&ports, &give("prod-gmail", ANA));
        assert_eq!(ended(&outcome), expected, "{path} {code} {outcome:?}");
        assert_eq!(ports.sandbox.world(), before);
    }
}

#[test]
fn a_policy_that_is_not_understood_is_not_written() {
    for effect in [
        Effect::CutBody,
        Effect::WrongTypes,
        Effect::HtmlBody { code: 200 },
    ] {
        let ports = world();
        trouble(&ports, ":getIamPolicy", effect, None);
        assert_eq!(ended(&apply(&ports, &give("prod-gmail", ANA))), "failed");
        assert_eq!(counts(&ports).1, 0);
    }
}

#[test]
fn an_organisation_policy_blocks_once_and_says_what_to_run() {
    let ports = world();
    let effect = Effect::OrgPolicy {
        allowed: vec!["@clustera.io".to_owned()],
    };
    ports.sandbox.add_fault(Fault::always(effect));
    let Err(ChangeError::Blocked { reason, fix }) = apply(&ports, &give("dev-gmail", GMAIL)) else {
        panic!("not blocked");
    };
    assert!(
        reason.starts_with("400: One or more users named in the policy"),
        "{reason}"
    );
    assert!(
        reason.contains("is not in permitted organization"),
        "{reason}"
    );
    let fix = fix.unwrap();
    // The narrower exception first, and what a reset means beside it.
    let at = |what: &str| fix.find(what).unwrap();
    let reset =
        format!("gcloud org-policies reset iam.allowedPolicyMemberDomains --project={PROJECT}");
    assert!(at("allow the member's customer id") < at(&reset), "{fix}");
    assert!(
        at(&reset) < at("removes the policy from the whole project"),
        "{fix}"
    );
    assert_eq!(counts(&ports), (1, 1));
}

#[test]
fn a_member_that_was_narrowed_since_the_plan_is_not_given_the_role() {
    let ports = world();
    act(&ports, grant("prod-gmail", ANA));
    let narrow = Deed::SetIamCondition {
        topic: "prod-gmail".to_owned(),
        role: ROLE.to_owned(),
        member: ANA.to_owned(),
        condition: serde_json::json!({"title": "until may"})
            .as_object()
            .unwrap()
            .clone(),
    };
    act(&ports, narrow);
    let before = ports.sandbox.world();
    let both = update(
        binding_key("prod-gmail"),
        [ANA, OLEG]
            .map(|item| Edit::Add {
                field: field("members"),
                item: item.to_owned(),
            })
            .into(),
    );
    let outcome = apply(&ports, &both);
    assert_eq!(ended(&outcome), "blocked");
    assert!(why(outcome).contains("only under the condition 'until may'"));
    assert_eq!(counts(&ports).1, 0);
    assert_eq!(ports.sandbox.world(), before);
    // Others come and go beside it, and it stays as it is.
    assert_eq!(ended(&apply(&ports, &give("prod-gmail", OLEG))), "done");
    assert_eq!(ended(&apply(&ports, &take("prod-gmail", OLEG))), "done");
    assert_eq!(ended(&apply(&ports, &take("prod-gmail", ANA))), "done");
    assert_eq!(held(&ports), members([GMAIL]));
    assert!(ports.sandbox.world().to_string().contains("until may"));
}

/// Runs a change while somebody acts at given moments.
fn meanwhile(ports: &SimPorts, change: &Change, deeds: &[(u64, Deed)]) -> &'static str {
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.clear_sent();
    let mut run = pin!(carry_out(cx, change));
    let mut others = pin!(async {
        for (ms, deed) in deeds {
            ports.executor.sleep(*ms).await;
            act(ports, deed.clone());
        }
        std::future::pending::<()>().await;
    });
    let both = std::future::poll_fn(|waker| {
        let _ = others.as_mut().poll(waker);
        match run.as_mut().poll(waker) {
            Poll::Ready(outcome) => Poll::Ready(ended(&outcome)),
            Poll::Pending => Poll::Pending,
        }
    });
    ports.executor.run(both).unwrap()
}

#[test]
fn a_lost_race_keeps_what_the_other_wrote() {
    let ports = world();
    ports.latency_ms.set(10);
    // The policy is read within the first 10 ms and written after.
    let deeds = [(12, grant("prod-gmail", OLEG))];
    assert_eq!(meanwhile(&ports, &give("prod-gmail", ANA), &deeds), "done");
    assert_eq!(counts(&ports), (2, 2));
    assert_eq!(held(&ports), members([GMAIL, OLEG, ANA]));
}

#[test]
fn others_who_do_our_work_spare_us_the_write() {
    let ports = world();
    ports.latency_ms.set(10);
    let deeds = [(12, grant("prod-gmail", ANA))];
    assert_eq!(meanwhile(&ports, &give("prod-gmail", ANA), &deeds), "done");
    assert_eq!(counts(&ports), (2, 1));
    assert_eq!(held(&ports), members([GMAIL, ANA]));
}

#[test]
fn endless_races_end() {
    let ports = world();
    trouble(&ports, ":setIamPolicy", status(409), None);
    let outcome = apply(&ports, &give("prod-gmail", ANA));
    assert_eq!(ended(&outcome), "failed");
    assert!(why(outcome).contains("somebody else changed the policy of"));
    assert!(counts(&ports).1 <= 6);
}
