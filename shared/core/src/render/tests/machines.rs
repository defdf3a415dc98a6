//! What machines read: JSON by its schema, JUnit by its shape, annotations by the runner's rules.

use super::documents::{changed_json, check_json, fits, preview_json, problems_json};
use super::*;
use crate::change::Verb;
use crate::render::{github_annotations, junit_xml, problems_github, problems_junit};
use crate::report::{ChangeResult, Changed, Outcome, StackVerdict};

const ROOT: &str = "definitions";

/// Worlds in which every verdict, cause and finding shows up.
fn worlds() -> Vec<World> {
    let mut unread = eight_changes();
    unread.fail(Kind::PubsubTopic, "403: needs pubsub.topics.list");
    let mut new = eight_changes();
    new.state = None;
    let mut edited = World::in_sync();
    edited.edit("kedge.yaml", "604800000", "1209600000");
    edited.edit(
        "data_plane/kafka-topics.yaml",
        "  - name: \"{stack}-a\"\n",
        "",
    );
    edited.edit("kedge.yaml", "correct: safe", "correct: disruptive");
    let mut replaced = World::in_sync();
    replaced.remove(&mail_topic());
    replaced.remove(&mail_binding());
    replaced.set(&mail_sub(), "topic", Value::text("_deleted-topic_"));
    let mut mixed = World::in_sync();
    let parts =
        [("192.0.2.1", 60), ("192.0.2.2", 300)].map(|(at, ttl)| (at.to_owned(), Value::Int(ttl)));
    mixed.set(&node("one.example.com"), "ttl", Value::Mixed(parts.into()));
    let mut protected = eight_changes();
    protected.edit(
        "kedge.yaml",
        "policy: {",
        "policy: {protected: true, prune: true, ",
    );
    let mut ignored = eight_changes();
    let rule =
        "ignore:\n  - {resource: \"{stack}-a\", reason: replay, owner: ana, until: 2036-12-31}\n";
    ignored.files.get_mut("kedge.yaml").unwrap().push_str(rule);
    let mut held = replaced.clone();
    held.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    held.holds.set(hold(Some(mail_topic()), 60)).unwrap();
    held.holds.set(hold(Some(topic("dev-a")), -1)).unwrap();
    let mut stack_held = eight_changes();
    stack_held.holds.set(hold(None, 60)).unwrap();
    vec![
        World::in_sync(),
        eight_changes(),
        unread,
        new,
        edited,
        replaced,
        mixed,
        protected,
        ignored,
        held,
        stack_held,
    ]
    .into_iter()
    .chain(beside_a_run())
    .collect()
}

/// Worlds that another run is changing, or was.
fn beside_a_run() -> [World; 5] {
    let begun = |stage: Stage| {
        let mut world = eight_changes();
        world.remove(&mail_sub());
        world.begin(stage, &[(mail_sub(), Verb::Replace)]);
        world
    };
    let working = begun(Stage::Working { since: NOW });
    let broke_off = begun(Stage::BrokeOff {
        last_seen: Some(NOW),
        next: Some(("ben@desk".to_owned(), "3-4".to_owned())),
    });
    let outcome_unknown = begun(Stage::OutcomeUnknown);
    let lease_unread = begun(Stage::Unread {
        why: "it is damaged".to_owned(),
    });
    let mut unverified = eight_changes();
    unverified.unverified = Some("the stack is being changed".to_owned());
    [
        working,
        broke_off,
        outcome_unknown,
        lease_unread,
        unverified,
    ]
}

fn bad_set() -> Problems {
    let mut world = World::in_sync();
    let path = "data_plane/kafka-topics.yaml";
    world.edit(path, "max_message_bytes", "max,mesage:bytes%");
    world.edit(path, "\"{stack}-b\"", "\"prod-b\"");
    world
        .files
        .insert("stacks/dev-x.yaml".to_owned(), String::new());
    world.declared().unwrap_err()
}

#[test]
fn an_invalid_set_is_told_in_every_form() {
    let mut report = World::in_sync().report();
    report.invalid = Some(crate::report::InvalidBundle {
        reason: "it was deleted".to_owned(),
        problems: Some(bad_set()),
        beside: false,
    });
    fits("report", &check_json(&report, None));
    fits("report", &preview_json(&report, None));
    assert_eq!(check_json(&report, None)["verdict"], "invalid");
    assert!(junit_xml(&report).contains("errors=\"1\""));
    let annotations = github_annotations(&report, ROOT);
    assert!(annotations.starts_with("::error title=kedge dev::it was deleted"));
}

#[test]
fn every_json_is_as_its_schema_says() {
    for world in worlds() {
        for report in [world.report(), world.report_for(&[])] {
            fits("report", &check_json(&report, AROUND.traffic.as_ref()));
            fits("report", &check_json(&report, None));
            fits("report", &preview_json(&report, None));
            let reason = || "429: too many".to_owned();
            let outcomes = [
                Outcome::Done,
                Outcome::Failed { reason: reason() },
                Outcome::Blocked {
                    reason: reason(),
                    fix: Some(reason()),
                },
                Outcome::Unknown { reason: reason() },
                Outcome::NotBegun { reason: reason() },
                Outcome::Held { reason: reason() },
            ];
            let approved = report.decided.approved().cloned();
            let carried = approved
                .zip(outcomes)
                .map(|(approved, outcome)| ChangeResult { approved, outcome });
            let changed = Changed {
                results: carried.collect(),
                ..Changed::default()
            };
            fits("changed", &changed_json(&report, &changed, None));
            let changed = Changed {
                stopped: Some(reason()),
                ..changed
            };
            let json = changed_json(&report, &changed, None);
            fits("changed", &json);
            assert_eq!(json["report"], check_json(&report, None));
        }
    }
    fits("problems", &problems_json(&bad_set()));
}

#[test]
fn a_look_under_which_state_moved_is_an_error_in_every_form() {
    let mut world = eight_changes();
    world.unverified = Some("the stack is being changed by ana (run 1-2)".to_owned());
    let report = world.report();
    let json = check_json(&report, None);
    assert_eq!(
        (&json["verdict"], &json["exit_code"]),
        (&"incomplete".into(), &3.into())
    );
    assert_eq!(json["counts"]["unknown"], json["counts"]["compared"]);
    assert_eq!(json["resources"][0]["failure"]["code"], "being-changed");
    let all = report.comparison.differences.len();
    let junit = junit_xml(&report);
    assert!(
        junit.contains(&format!("errors=\"{}\"", all + 1)),
        "{junit}"
    );
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let annotations = github_annotations(&report, ROOT);
    let first = "::error title=kedge dev::the stack is being changed by ana (run 1-2)\n";
    assert!(annotations.starts_with(first), "{annotations}");
    assert!(!annotations.contains("drift"), "{annotations}");
}

#[test]
fn what_a_run_is_changing_passes_and_is_said() {
    let mut world = World::in_sync();
    world.remove(&mail_sub());
    let since = NOW.plus_ms(-12_000);
    world.begin(Stage::Working { since }, &[(mail_sub(), Verb::Replace)]);
    let report = world.report();
    assert_eq!(report.verdict(), StackVerdict::Clean);
    let says = "being changed by ana@laptop (run 1-2) since";
    let json = check_json(&report, None);
    assert_eq!(json["open_run"]["stage"], "working");
    assert!(json["open_run"]["text"].as_str().unwrap().contains(says));
    assert!(
        json["resources"][0]["notes"][0]
            .as_str()
            .unwrap()
            .starts_with(says)
    );
    let junit = junit_xml(&report);
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");
    assert!(github_annotations(&report, ROOT).contains(says));
}

/// Elements with their attributes, by a reader that takes nothing but what JUnit reports have.
fn elements(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let body = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .unwrap();
    let (mut open, mut found): (Vec<String>, Vec<_>) = (Vec::new(), Vec::new());
    for piece in body.split_inclusive('>') {
        let (text, tag) = piece
            .trim_end_matches('\n')
            .split_once('<')
            .unwrap_or((piece, ""));
        let text = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#10;", "&#9;"]
            .iter()
            .fold(text.to_owned(), |text, entity| text.replace(entity, ""));
        assert!(!text.contains(['&', '"']), "{piece}");
        let Some(tag) = tag.strip_suffix('>') else {
            assert!(tag.is_empty() && text.trim().is_empty(), "{piece}");
            continue;
        };
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (name, rest) = tag.trim_end_matches('/').split_once(' ').unwrap();
        let pairs = rest.trim_end_matches('"').split("\" ");
        let pairs = pairs.map(|pair| pair.split_once("=\"").unwrap());
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let parent = open.last().map_or("", String::as_str);
        let expected = match name {
            "testsuites" => "",
            "testsuite" => "testsuites",
            "testcase" => "testsuite",
            "failure" | "error" | "skipped" => "testcase",
            other => panic!("{other} has no place in JUnit"),
        };
        assert_eq!(parent, expected);
        found.push((name.to_owned(), pairs.map(owned).collect()));
        if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty());
    found
}

/// The shape that Jenkins, GitLab and others read (the XSD of the JUnit plugin).
fn counted(xml: &str) -> BTreeMap<String, usize> {
    let all = elements(xml);
    let mut counts = BTreeMap::new();
    for (name, attributes) in &all {
        *counts.entry(name.clone()).or_insert(0) += 1;
        let needed: &[&str] = match name.as_str() {
            "testsuites" => &["tests", "failures", "errors", "time"],
            "testsuite" => &["name", "tests", "failures", "errors", "skipped", "time"],
            "testcase" => &["name", "classname", "time"],
            "skipped" => &["message"],
            _ => &["message", "type"],
        };
        let rest: Vec<_> = attributes
            .keys()
            .filter(|key| !needed.contains(&key.as_str()))
            .collect();
        assert!(
            needed.iter().all(|key| attributes.contains_key(*key)),
            "{name}"
        );
        assert!(
            rest.is_empty() || (name == "testsuite" && rest == ["timestamp"]),
            "{rest:?}"
        );
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    for (plural, single) in [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ] {
        assert_eq!(all[1].1[plural], of(single).to_string());
    }
    counts
}

#[test]
fn junit_fails_exactly_where_a_check_does() {
    for world in worlds() {
        let report = world.report();
        let counts = counted(&junit_xml(&report));
        let of = |name: &str| counts.get(name).copied().unwrap_or(0);
        let is_clean = report.verdict() == StackVerdict::Clean;
        assert_eq!(
            of("failure") + of("error") == 0,
            is_clean,
            "{:?}",
            report.verdict()
        );
        assert_eq!(
            of("error") > 0,
            report.verdict() == StackVerdict::Incomplete
        );
        assert_eq!(of("testcase"), report.comparison.differences.len() + 1);
    }
    let problems = bad_set();
    assert_eq!(
        counted(&problems_junit(&problems))["error"],
        problems.list.len()
    );
}

#[test]
fn junit() {
    let mut worlds = worlds();
    insta::assert_snapshot!("junit", junit_xml(&worlds[2].report()));
    insta::assert_snapshot!("junit_problems", problems_junit(&bad_set()));
    let text = Value::text("<b a=\"1\">&amp;</b>\u{1}\u{ffff}'\n]]>");
    let path = "data_plane/kafka-topics.yaml";
    worlds[0].edit(
        path,
        "- name: \"{stack}-a\"\n",
        "- name: \"{stack}-a\"\n    description: d\n",
    );
    worlds[0].set(&topic("dev-a"), "description", text);
    let xml = junit_xml(&worlds[0].report());
    assert_eq!(counted(&xml)["failure"], 1);
    assert!(
        xml.contains("&lt;b a=\\&quot;1\\&quot;&gt;&amp;amp;&lt;/b&gt;"),
        "{xml}"
    );
}

#[test]
fn annotations() {
    let mut worlds = worlds();
    insta::assert_snapshot!("github", github_annotations(&worlds[2].report(), ROOT));
    insta::assert_snapshot!(
        "github_edited",
        github_annotations(&worlds[4].report(), "./infra/definitions/")
    );
    insta::assert_snapshot!(
        "github_not_adopted",
        github_annotations(&worlds[3].report(), ROOT)
    );
    insta::assert_snapshot!("github_problems", problems_github(&bad_set(), "."));
    assert_eq!(github_annotations(&World::in_sync().report(), ROOT), "");
    let path = "data_plane/kafka-topics.yaml";
    worlds[0].edit(
        path,
        "- name: \"{stack}-a\"\n",
        "- name: \"{stack}-a\"\n    description: d\n",
    );
    let text = Value::text("100%\r\n::error::x, y: z");
    worlds[0].set(&topic("dev-a"), "description", text);
    let line = github_annotations(&worlds[0].report(), ROOT);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.contains("line=3,title=kedge dev%3A pending::topic dev-a"),
        "{line}"
    );
    assert!(
        line.contains("live \"100%25\u{fffd}\u{fffd}::error::x, y: z\""),
        "{line}"
    );
}

#[test]
fn what_a_runner_would_drop_is_counted() {
    let mut world = World::in_sync();
    let topics = (0..13).map(|n| format!("  - name: \"{{stack}}-many-{n:02}\"\n"));
    let text = format!("topics:\n{}", topics.collect::<String>());
    world
        .files
        .insert("data_plane/kafka-topics.yaml".to_owned(), text);
    let mut world = World::of(world.files);
    for n in 0..13 {
        world.set(
            &topic(&format!("dev-many-{n:02}")),
            "retention_ms",
            Value::Int(1),
        );
    }
    let text = github_annotations(&world.report(), ROOT);
    let of = |what: &str| text.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!(
        (of("::warning "), of("::error "), of("::notice ")),
        (10, 0, 1)
    );
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("::notice title=kedge::4 more warnings not shown here"),
        "{last}"
    );
}
