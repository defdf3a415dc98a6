//! Random small definitions and random deeds: after one run with every consent nothing is left that
//! could be done, and a crash at any call changes nothing about that.

use kedge_engine::StateCommand;
use kedge_engine::{Consent, TypedName};
use kedge_sandbox::SplitMix64;
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{
    GMAIL, LEASE_OVER_MS, LEAVER, PUBLISHER, Stack, describe, world_has_item,
};
use serde_json::{Value, json};

/// Draws what is declared.
fn declare(stack: &mut Stack, random: &mut SplitMix64) {
    let mut pick = |texts: &[&'static str]| {
        let at = random.below(texts.len() as u64);
        texts[usize::try_from(at).unwrap()]
    };
    let fields = [
        "",
        "partitions: 3",
        "retention_ms: 3600000",
        "retention_ms: 7200000, max_message_bytes: 2000000",
        "cleanup_policy: compact, description: one",
    ];
    let names = ["a", "b", "b-dlq", "c"];
    let mut topics = Vec::new();
    for name in names {
        if pick(&["", "x", "x"]) == "x" {
            topics.push((name, pick(&fields)));
        }
    }
    stack.topics(&topics);
    match pick(&[
        "",
        "push_endpoint: \"https://hooks.example/m?token=r-s3cret\"",
        "filter: 'x'",
        "-",
    ]) {
        "-" => drop(stack.files.remove("area/pubsub.yaml")),
        fields => {
            let fields = fields.replace("'x'", "'attributes.x = \"1\"'");
            let more = pick(&["", "", LEAVER, "user:ana@example.com"]);
            let members = [GMAIL, more];
            let members: Vec<&str> = members.into_iter().filter(|one| !one.is_empty()).collect();
            stack.mail_for(&members, &fields);
        }
    }
    stack.nodes(&[pick(&[
        "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io, exclusive: true",
        "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io",
        "name: n1, ips: [192.0.2.1], domain: n1.clustera.io",
        "name: n1, ips: [192.0.2.2, 192.0.2.3], domain: n1.clustera.io",
        "name: n1, ips: [192.0.2.4], domain: n1.clustera.io, proxied: true",
        "name: n2, ips: [192.0.2.5, \"2001:db8::1\"], domain: n2.clustera.io",
    ])]);
}

/// A person does something by hand, if it can be done at all.
fn meddle(stack: &Stack, random: &mut SplitMix64) {
    let deeds: [Value; 12] = [
        json!({"do": "delete_topic", "topic": "dev-a"}),
        json!({"do": "delete_topic", "topic": "dev-b-dlq"}),
        json!({"do": "set_topic_config", "topic": "dev-a", "config": {"retention_ms": 1000}}),
        json!({"do": "set_topic_config", "topic": "dev-b", "config": {"cleanup_policy": "delete"}}),
        json!({"do": "set_partitions", "topic": "dev-c", "partitions": 9}),
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
        json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
        json!({"do": "remove_iam_member", "topic": "dev-mail", "role": PUBLISHER, "member": GMAIL}),
        json!({"do": "add_iam_member", "topic": "dev-mail", "role": PUBLISHER, "member": "user:x@example.com"}),
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.77"}),
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
        json!({"do": "patch_record", "name": "n1.clustera.io", "set": {"proxied": true}}),
    ];
    let at = usize::try_from(random.below(deeds.len() as u64)).unwrap();
    let deed = serde_json::from_value(deeds[at].clone()).unwrap();
    // What is not there can't be changed.
    let _ = stack
        .ports
        .sandbox
        .act(&deed, stack.ports.executor.now_ms());
}

/// Somebody deployed what is declared, and others put more there; it is adopted so.
fn adopt(stack: &Stack, random: &mut SplitMix64) {
    stack.up(&every_consent(stack)).unwrap().unwrap();
    for key in stack.ports.store.keys() {
        stack.ports.store.remove(&key);
    }
    stack.wait_minutes(90);
    for _ in 0..1 + random.below(4) {
        meddle(stack, random);
    }
    stack.command(&StateCommand::Adopt { names: Vec::new() });
}

/// What others put there and nobody ever declared: an address, a member.
fn of_others(stack: &Stack) -> Vec<&'static str> {
    let others = ["192.0.2.77", "user:x@example.com"];
    others
        .into_iter()
        .filter(|item| world_has_item(stack, item))
        .collect()
}

/// A run with every consent, which takes nothing of others: but from a set that is exclusive, and
/// with a topic that is deleted whole.
///
/// Gives how much of others there was.
fn takes_nothing_of_others(stack: &Stack, run: impl FnOnce()) -> usize {
    let before = of_others(stack);
    let count = before.len();
    run();
    let after = of_others(stack);
    let is_exclusive = stack.files["stacks/dev.yaml"].contains("exclusive");
    let has_topic = stack.files.contains_key("area/pubsub.yaml");
    for item in before {
        let may_go = match item.contains('@') {
            true => !has_topic,
            false => is_exclusive,
        };
        assert!(may_go || after.contains(&item), "{item} is gone");
    }
    count
}

/// The consent to all of the plan that stands now.
fn every_consent(stack: &Stack) -> Authorisation {
    let digest = stack.fork().check().plan.digest;
    let typed = TypedName::in_a_test(&stack.name, digest);
    Authorisation::Person(Consent::to_any_plan().with_name(typed))
}

/// Nothing is left that could be done; what can't be done may stay said.
fn assert_done(stack: &Stack, seed: u64) {
    let (world, state) = (stack.ports.sandbox.world(), stack.state_text());
    let mut stored = 0;
    for by in [every_consent(stack), Authorisation::Unattended] {
        let (report, changed) = stack.up(&by).unwrap().unwrap();
        assert_eq!(
            report.plan.changes,
            [],
            "seed {seed}: {}",
            describe(&report)
        );
        assert_eq!(changed.results, [], "seed {seed}");
        // The first may remember a drift that nothing is done about: an address found there.
        if stored == 0 {
            stored = stack.ports.store.writes.get();
        }
    }
    assert_eq!(stack.ports.sandbox.world(), world, "seed {seed}");
    assert_eq!(stack.state_text(), state, "seed {seed}");
    assert_eq!(stack.ports.store.writes.get(), stored, "seed {seed}");
}

#[test]
fn one_run_with_every_consent_leaves_nothing_to_do() {
    let of_others: usize = (0..30).chain([132]).map(leaves_nothing_to_do).sum();
    assert!(of_others > 10, "{of_others}");
}

/// The same for many more worlds; `make soak`.
#[test]
#[ignore = "takes minutes"]
fn many_runs_with_every_consent_leave_nothing_to_do() {
    let of_others: usize = (1_000..4_000).map(leaves_nothing_to_do).sum();
    assert!(of_others > 1_000, "{of_others}");
}

fn leaves_nothing_to_do(seed: u64) -> usize {
    let mut of_others = 0;
    let mut random = SplitMix64::new(seed);
    let mut stack = Stack::seeded(seed);
    stack.policy("correct: safe, deploy: safe, correct_after: 0, prune: true");
    stack.ports.jitter_ms.set(3);
    if random.below(2) == 0 {
        declare(&mut stack, &mut random);
        adopt(&stack, &mut random);
    }
    for round in 0..3 {
        declare(&mut stack, &mut random);
        for _ in 0..random.below(4) {
            meddle(&stack, &mut random);
        }
        if round > 0 {
            let call = 1 + random.below(20);
            let point = [CrashPoint::Before(call), CrashPoint::After(call)];
            stack.crash_at(Some(point[usize::from(random.below(2) == 0)]));
            of_others += takes_nothing_of_others(&stack, || {
                let _ = stack.up(&every_consent(&stack));
            });
            stack.crash_at(None);
            stack.wait_ms(LEASE_OVER_MS);
            // The definitions may go on before the next run finds out what came of it.
            if random.below(2) == 0 {
                declare(&mut stack, &mut random);
            }
        }
        of_others += takes_nothing_of_others(&stack, || {
            let (_, changed) = stack.up(&every_consent(&stack)).unwrap().unwrap();
            assert!(changed.is_complete(), "seed {seed}: {:?}", changed.results);
        });
        assert_done(&stack, seed);
        // Long enough for our writes to be no excuse.
        stack.wait_minutes(90);
    }
    of_others
}
