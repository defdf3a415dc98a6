//! Each kind of block, as `check` shows it.

use super::*;
use crate::change::Verb;
use crate::live::{Detail, DnsRecord, LiveWorld};
use crate::model::{CatchingUp, Fields};
use crate::render::check_text;

fn shows(name: &str, world: &World) {
    insta::assert_snapshot!(name, check_text(&world.report(), &AROUND));
}

#[test]
fn clean() {
    shows("clean", &World::in_sync());
}

#[test]
fn drift() {
    shows("drift", &eight_changes());
}

#[test]
fn pending() {
    let mut world = World::in_sync();
    let edited = "- name: \"{stack}-a\"\n    partitions: 12\n    retention_ms: 86400000\n";
    world.edit(
        "data_plane/kafka-topics.yaml",
        "- name: \"{stack}-a\"\n",
        edited,
    );
    let more = "topics:\n  - name: \"{stack}-new\"\n  - name: \"{stack}-newer\"\n";
    world.edit("data_plane/kafka-topics.yaml", "topics:\n", more);
    shows("pending", &world);
}

#[test]
fn drifted_and_pending() {
    let mut world = World::in_sync();
    world.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    world.set(&topic("dev-a"), "replication", Value::Int(2));
    world.edit("kedge.yaml", "604800000", "1209600000");
    for name in ["dev-b", "dev-c", "dev-c-dlq"] {
        world.set(&topic(name), "retention_ms", Value::Int(1_209_600_000));
    }
    shows("drifted_and_pending", &world);
}

#[test]
fn unknown() {
    let mut world = World::in_sync();
    world.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    for kind in [
        Kind::PubsubTopic,
        Kind::PubsubSubscription,
        Kind::PubsubBinding,
    ] {
        world.fail(kind, "403: needs pubsub.topics.getIamPolicy");
    }
    shows("unknown", &world);
}

#[test]
fn a_stack_without_state() {
    let mut world = eight_changes();
    world.state = None;
    world.fail(Kind::PubsubBinding, "403");
    shows("stack_not_adopted", &world);
    let mut world = World::in_sync();
    world.state = None;
    shows("stack_not_adopted_equal", &world);
    world.empty();
    shows("stack_not_adopted_absent", &world);
}

#[test]
fn a_stack_of_nothing_has_nothing_to_adopt() {
    let mut world = World::in_sync();
    for (path, text) in &mut world.files {
        if path.contains('/') && !path.starts_with("stacks/") {
            "topics: []\n".clone_into(text);
        }
    }
    let stack = world.files.get_mut("stacks/dev.yaml").unwrap();
    stack.truncate(stack.find("  acme:nodes").unwrap());
    world.state = None;
    world.live = LiveWorld::default();
    let text = crate::render::check_text(&world.report(), &AROUND);
    assert!(
        text.contains("CLEAN") && !text.contains("state yet"),
        "{text}"
    );
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_absent() {
    let mut world = World::in_sync();
    world.state = None;
    world.live = LiveWorld::default();
    let text = crate::render::check_text(&world.report(), &AROUND);
    assert!(text.contains("what could not be read may exist"), "{text}");
    assert!(!text.contains("none of it exists"), "{text}");
}

#[test]
fn not_adopted() {
    let mut world = World::in_sync();
    world
        .state
        .as_mut()
        .unwrap()
        .resources
        .remove(&topic("dev-a"));
    world.set(&topic("dev-a"), "partitions", Value::Int(1));
    let declared = Value::Int(604_800_000);
    let name = FieldName::known("retention_ms");
    let record = world.recorded(&topic("dev-b"));
    record.pending_adoption.insert(name.clone(), declared);
    record.fields.insert(name, Value::Int(1));
    world.set(&topic("dev-b"), "retention_ms", Value::Int(1));
    shows("not_adopted", &world);
}

#[test]
fn held() {
    let mut world = eight_changes();
    world.holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    world.holds.set(hold(Some(mail_sub()), -1)).unwrap();
    shows("held", &world);
    world.holds.set(hold(None, 60)).unwrap();
    shows("held_stack", &world);
    let preview = crate::render::preview_text(&world.report(), &AROUND);
    insta::assert_snapshot!("held_stack_preview", preview);
}

#[test]
fn orphan() {
    let mut world = World::in_sync();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "  - name: \"{stack}-a\"\n",
        "",
    );
    shows("orphan", &world);
    world.edit("kedge.yaml", "policy: {", "policy: {prune: true, ");
    world.state.as_mut().unwrap().policy.prune = true;
    shows("orphan_prune", &world);
}

#[test]
fn ignored() {
    let mut world = World::in_sync();
    world.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    world.set(&topic("dev-b"), "retention_ms", Value::Int(3_600_000));
    world.set(&topic("dev-b"), "replication", Value::Int(2));
    let text = world.files.get_mut("kedge.yaml").unwrap();
    text.push_str("ignore:\n");
    for name in ["a", "b"] {
        text.push_str(&format!("  - resource: \"{{stack}}-{name}\"\n"));
        text.push_str("    field: retention_ms\n    reason: replay\n    owner: ana\n");
        text.push_str("    until: 2026-12-31\n");
    }
    shows("ignored", &world);
    insta::assert_snapshot!(
        "ignored_audit",
        crate::render::audit_text(&world.report(), &AROUND)
    );
}

#[test]
fn settling_and_did_not_take() {
    let mut world = World::in_sync();
    let old = (
        FieldName::known("retention_ms"),
        vec![Some(Value::Int(3_600_000))],
    );
    for (name, until, retried) in [
        ("dev-a", 60_000, false),
        ("dev-b", -1, false),
        ("dev-c", -1, true),
    ] {
        world.set(&topic(name), "retention_ms", Value::Int(3_600_000));
        world.recorded(&topic(name)).catching_up = Some(CatchingUp {
            made: false,
            before: [old.clone()].into(),
            until: NOW.plus_ms(until),
            retried,
        });
    }
    shows("settling", &world);
}

#[test]
fn blocked_by_another_stacks_mark() {
    let mut world = World::in_sync();
    let record = |address: &str| DnsRecord {
        id: "1".to_owned(),
        address: address.to_owned(),
        ttl: 300,
        proxied: false,
        comment: "kedge:staging".to_owned(),
    };
    for name in ["one.example.com", "two.example.com"] {
        let key = node(name);
        world.change(&key, |live| {
            live.detail = Detail::DnsRecords(vec![record("192.0.2.9")]);
        });
    }
    world.set(&node("two.example.com"), "ttl", Value::Int(60));
    shows("blocked", &world);
}

#[test]
fn sets() {
    let mut world = World::in_sync();
    // Not exclusive, one address withdrawn by an edit, one newly declared, one foreign.
    world.edit("stacks/dev.yaml", "ips: [192.0.2.9]", "ips: [192.0.2.10]");
    let addresses = Value::set(["192.0.2.9", "192.0.2.77"]);
    world.set(&node("two.example.com"), "addresses", addresses);
    let others = Value::set(["user:eve@example.com", "serviceAccount:mail@example.com"]);
    world.set(&mail_binding(), "members", others);
    shows("sets", &world);
    insta::assert_snapshot!(
        "sets_audit",
        crate::render::audit_text(&world.report(), &AROUND)
    );
}

#[test]
fn records_that_disagree() {
    let mut world = World::in_sync();
    let parts = [("192.0.2.1", 60), ("192.0.2.2", 300)];
    let mixed = parts.map(|(at, ttl)| (at.to_owned(), Value::Int(ttl)));
    world.set(&node("one.example.com"), "ttl", Value::Mixed(mixed.into()));
    shows("mixed", &world);
}

pub(super) fn many(number: usize) -> World {
    let mut world = World::in_sync();
    let topics = (0..number).map(|n| format!("  - name: \"{{stack}}-many-{n:03}\"\n"));
    let text = format!("topics:\n{}", topics.collect::<String>());
    let path = "data_plane/kafka-topics.yaml".to_owned();
    world.files.insert(path, text);
    World::of(world.files)
}

#[test]
fn identical_differences_are_one() {
    let mut world = many(80);
    for n in 0..24 {
        world.set(
            &topic(&format!("dev-many-{n:03}")),
            "retention_ms",
            Value::Int(3_600_000),
        );
    }
    world.set(
        &topic("dev-many-030"),
        "retention_ms",
        Value::Int(7_200_000),
    );
    for n in 0..12 {
        world.put(&topic(&format!("dev-shadow-{n:03}")), Fields::new());
    }
    shows("identical", &world);
}

#[test]
fn a_guard_refuses() {
    let mut world = many(12);
    for n in 0..6 {
        world.set(
            &topic(&format!("dev-many-{n:03}")),
            "retention_ms",
            Value::Int(3_600_000),
        );
    }
    shows("guard", &world);
    insta::assert_snapshot!(
        "guard_preview",
        crate::render::preview_text(&world.report(), &AROUND)
    );
}

#[test]
fn the_policy_itself() {
    let mut world = World::in_sync();
    world.edit(
        "kedge.yaml",
        "correct: safe, deploy: safe",
        "correct: disruptive, deploy: none",
    );
    shows("policy", &world);
    insta::assert_snapshot!(
        "policy_preview",
        crate::render::preview_text(&world.report(), &AROUND)
    );
}

#[test]
fn a_preview_groups_what_is_not_adjacent() {
    let mut world = many(12);
    world.set(
        &topic("dev-many-000"),
        "retention_ms",
        Value::Int(3_600_000),
    );
    world.set(
        &topic("dev-many-001"),
        "retention_ms",
        Value::Int(7_200_000),
    );
    world.set(
        &topic("dev-many-002"),
        "retention_ms",
        Value::Int(3_600_000),
    );
    for n in [4, 6] {
        world.set(
            &topic(&format!("dev-many-{n:03}")),
            "partitions",
            Value::Int(9),
        );
    }
    insta::assert_snapshot!(
        "grouped_preview",
        crate::render::preview_text(&world.report(), &AROUND)
    );
    shows("grouped", &world);
}

#[test]
fn a_protected_stack_asks_for_its_name_to_loosen_the_policy() {
    let mut world = World::in_sync();
    world.edit("kedge.yaml", "policy: {", "policy: {protected: true, ");
    let mut world = World::of(world.files);
    world.edit("kedge.yaml", "protected: true, ", "");
    let page = crate::render::preview_text(&world.report(), &AROUND);
    assert!(page.contains("protected true → false"), "{page}");
    assert!(page.contains("type the stack's name"), "{page}");
    assert!(!page.contains("--allow"), "{page}");
}

#[test]
fn invalid() {
    let mut world = World::in_sync();
    world.set(&topic("dev-a"), "retention_ms", Value::Int(1000));
    let mut report = world.report();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "max_message_bytes",
        "max_mesage_bytes",
    );
    let invalid = crate::plan::LeftReason::InvalidDefinitions;
    report.automation.leave_all(&invalid);
    report.decided.leave_all(&invalid);
    report.invalid = Some(crate::report::InvalidBundle {
        reason: "the definitions of revision 3f9a1c2b7d10 can't be used".to_owned(),
        problems: world.declared().err(),
        beside: false,
    });
    report.push_first = Some(Hint::Push {
        after_rollback: None,
    });
    insta::assert_snapshot!("invalid", check_text(&report, &AROUND));
    assert_eq!(report.verdict().exit_code(true), 3);
    // What would be refused is not named.
    let pages = |report: &Report| {
        let preview = crate::render::preview_text(report, &AROUND);
        [check_text(report, &AROUND), preview]
    };
    report.push_first = Some(Hint::Push {
        after_rollback: Some("3f9a1c2b7d10".to_owned()),
    });
    for page in pages(&report) {
        assert!(
            page.contains(
                "next: correct the definitions, then kedge push --after-rollback 3f9a1c2b7d10"
            ),
            "{page}"
        );
        assert!(!page.contains("kedge up"), "{page}");
    }
    report.push_first = None;
    for page in pages(&report) {
        assert!(
            page.contains("next: upgrade kedge") && !page.contains("kedge up"),
            "{page}"
        );
    }
}

#[test]
fn holds_that_can_not_be_read() {
    let mut world = eight_changes();
    world.holds_unread = Some(crate::stored::hold::UnreadHolds {
        why: "the stored hold.json is damaged: EOF".to_owned(),
        is_newer: false,
    });
    let report = world.report();
    assert!(!report.decided.approves_any());
    let page = check_text(&report, &AROUND);
    for part in [
        "HELD",
        "everything is held: the stored hold.json is damaged: EOF",
        "blocks every change until it can be read",
        "DRIFT",
        "next: find out what was held, then hold it again: kedge hold --replace",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let json = super::documents::check_json(&report, None);
    assert_eq!(json["holds_unread"], "the stored hold.json is damaged: EOF");
    if let Some(unread) = &mut world.holds_unread {
        unread.is_newer = true;
    }
    let page = check_text(&world.report(), &AROUND);
    assert!(page.contains("next: upgrade kedge"), "{page}");
}

#[test]
fn a_variable_that_is_not_set_here() {
    let mut world = World::in_sync();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "\"{stack}-a\"",
        "\"{stack}-a\"\n    retention_ms: \"{keep?}\"",
    );
    if let Some(state) = &mut world.state {
        state.variables = Some(["keep".to_owned()].into());
    }
    let report = world.report();
    let page = check_text(&report, &AROUND);
    for part in [
        "VARIABLE",
        "KEDGE_CONFIG_KEEP was set at the last deploy and is not set here",
        "decide which value is right",
        "PENDING · next: kedge preview",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let json = super::documents::check_json(&report, None);
    let expected = serde_json::json!([{"name": "KEDGE_CONFIG_KEEP", "was_set": true}]);
    assert_eq!(json["variables"], expected);
    assert_eq!(
        (&json["verdict"], &json["exit_code"]),
        (&"pending".into(), &2.into())
    );
    assert!(crate::render::junit_xml(&report).contains("<failure"));
}

#[test]
fn being_changed() {
    let mut world = eight_changes();
    let since = NOW.plus_ms(-12_000);
    // A replacement between its halves; `proxied` is a third value, and `dev-a` is not its change.
    world.remove(&mail_sub());
    let changes = [
        (mail_sub(), Verb::Replace),
        (node("two.example.com"), Verb::Update),
    ];
    world.begin(Stage::Working { since }, &changes);
    shows("being_changed", &world);
}

#[test]
fn broke_off() {
    let mut world = World::in_sync();
    world.remove(&mail_sub());
    let stage = Stage::BrokeOff {
        last_seen: Some(NOW.plus_ms(-180_000)),
        next: None,
    };
    world.begin(stage, &[(mail_sub(), Verb::Replace)]);
    shows("broke_off", &world);
}

#[test]
fn unverified() {
    let mut world = eight_changes();
    let why = "stack `dev` is being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 12 s ago; state \
               changed during each of 3 checks, so nothing could be checked: run the command again \
               in a moment";
    world.unverified = Some(why.to_owned());
    shows("unverified", &world);
}
