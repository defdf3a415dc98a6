//! A zone's own rules: names outside it, what stands in a record set's way, and whose a record is.

use kedge_core::compare::Verdict;
use kedge_core::render::{self, RenderOptions};
use kedge_core::report::{Report, StackVerdict};
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::stack::{Stack, ZONE, describe, difference, results, verdict};
use serde_json::{Value, json};

use super::{deed, status};

const SLIP: &str = "name: api, ips: [203.0.113.7], domain: api.clustera.oi";
const MENDED: &str = "name: api, ips: [203.0.113.7], domain: api.clustera.io";
const TWO: &str = "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io, exclusive: true";

const AROUND: RenderOptions<'static> = RenderOptions {
    stack_origin: "select",
    definitions: "definitions (local files)",
    hints: &kedge_tests::stack::hint,
    screen: kedge_tests::stack::SCREEN,
    traffic: None,
    times: false,
    plan_shown: false,
    next_follows: false,
};

/// A page with its lines joined.
pub(super) fn shown_by(page: fn(&Report, &RenderOptions<'_>) -> String, report: &Report) -> String {
    let text = page(report, &AROUND);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stack(nodes: &[&str]) -> Stack {
    let mut stack = Stack::new();
    stack.topics(&[]);
    stack.nodes(nodes);
    stack
}

fn add(stack: &Stack, record: Value) {
    deed(stack, json!({"do": "add_record", "record": record}));
}

fn remove(stack: &Stack, name: &str, content: &str) {
    deed(
        stack,
        json!({"do": "remove_record", "name": name, "content": content}),
    );
}

/// The names of all records that the zone has.
fn names(stack: &Stack) -> Vec<String> {
    let world = stack.ports.sandbox.world();
    let records = world["cloudflare"]["zones"][ZONE]["records"].as_object();
    let text = |record: &Value| record["name"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = records
        .into_iter()
        .flatten()
        .map(|(_, one)| text(one))
        .collect();
    names.sort();
    names
}

fn blocked(report: &Report, name: &str) -> String {
    difference(report, name).blocked.clone().unwrap_or_default()
}

/// Trouble with reads of the zone itself, not of its records.
fn zone_trouble(stack: &Stack, effect: Effect) {
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(Provider::Cloudflare),
            target: Some(format!("/client/v4/zones/{ZONE}")),
            ..Matches::default()
        },
        effect,
        times: None,
    });
}

#[test]
fn a_name_outside_its_zone_is_refused_before_anything_is_written() {
    for domain in [
        "api.clustera.oi",
        "API.Clustera.OI.",
        "notclustera.io",
        "1.notclustera.io",
        "clustera.io.example",
        "*.clustera.oi",
    ] {
        let mut stack = stack(&[&format!(
            "name: api, ips: [203.0.113.7, \"2001:db8::7\"], domain: \"{domain}\""
        )]);
        let name = domain.trim_end_matches('.').to_lowercase();
        let report = stack.check();
        let why = blocked(&report, &format!("{name}/A"));
        assert!(
            why.contains(&format!("{name} is outside zone clustera.io")),
            "{why}"
        );
        assert_eq!(blocked(&report, &format!("{name}/AAAA")), why);
        for text in [
            shown_by(render::check_text, &report),
            shown_by(render::preview_text, &report),
            shown_by(render::audit_text, &report),
        ] {
            assert!(text.contains("is outside zone clustera.io"), "{text}");
        }
        stack.unattended();
        let (report, changed) = stack.person(&[]);
        assert_eq!(
            (changed.results.len(), report.exit_code_after(&changed)),
            (0, 2)
        );
        assert_eq!((stack.ports.writes(), names(&stack)), (0, vec![]));
        assert!(
            !stack.state_text().contains("clustera"),
            "{}",
            stack.state_text()
        );
        stack.nodes(&[MENDED]);
        stack.person(&[]);
        assert_eq!(names(&stack), ["api.clustera.io"]);
        stack.assert_settled();
    }
}

#[test]
fn the_zones_own_name_is_inside() {
    let stack = stack(&["name: apex, ips: [203.0.113.7], domain: Clustera.io"]);
    stack.unattended();
    assert_eq!(names(&stack), ["clustera.io"]);
    stack.assert_settled();
}

#[test]
fn the_zone_is_read_only_where_a_record_set_is_to_be_made() {
    let mut stack = stack(&[TWO]);
    let reads = |stack: &Stack| {
        stack.ports.clear_sent();
        let _ = stack.check();
        stack
            .ports
            .counts(kedge_engine::ports::ProviderName::Cloudflare)
    };
    assert_eq!(reads(&stack), (2, 0));
    stack.unattended();
    assert_eq!(reads(&stack), (1, 0));
    // Nor where an address is lacking, or a set is to be deleted and is gone.
    remove(&stack, "n1.clustera.io", "192.0.2.1");
    assert_eq!(reads(&stack), (1, 0));
    stack.nodes(&[TWO, MENDED]);
    assert_eq!(reads(&stack), (2, 0));
    stack.nodes(&[]);
    remove(&stack, "n1.clustera.io", "192.0.2.2");
    assert_eq!(reads(&stack), (1, 0));
}

#[test]
fn a_token_that_may_not_read_the_zone_finds_the_slip_in_the_answer_and_undoes_it() {
    for code in [401, 403, 404] {
        let mut stack = stack(&[SLIP, TWO]);
        zone_trouble(&stack, status(code));
        let (_, changed) = stack.unattended();
        assert_eq!(
            results(&changed),
            [
                "create api.clustera.oi/A blocked",
                "create n1.clustera.io/A done"
            ]
        );
        let text = format!("{changed:?}");
        for part in [
            "Cloudflare created api.clustera.oi.clustera.io instead of api.clustera.oi",
            "api.clustera.oi is outside zone clustera.io",
            "it was deleted again",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(names(&stack), ["n1.clustera.io"; 2]);
        assert!(
            !stack.state_text().contains("api.clustera"),
            "{}",
            stack.state_text()
        );
        stack.nodes(&[MENDED, TWO]);
        stack.unattended();
        stack.assert_settled();
    }
}

#[test]
fn a_stray_of_the_slip_is_named_once_it_is_mended() {
    let mut stack = stack(&[SLIP]);
    zone_trouble(&stack, status(403));
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            body: Some("\"deletes\"".to_owned()),
            ..Matches::default()
        },
        effect: status(400),
        times: None,
    });
    let (_, changed) = stack.unattended();
    let text = format!("{changed:?}");
    assert!(
        text.contains("it could not be deleted again: 400: DNS Validation Error"),
        "{text}"
    );
    assert_eq!(names(&stack), ["api.clustera.oi.clustera.io"]);
    stack.ports.sandbox.clear_faults();
    // Other records are the zone's own business; a person's words are no mark, nor is another stack's.
    for (name, comment) in [("a", ""), ("b", "kedge:prod"), ("c", "kedge: see wiki")] {
        add(
            &stack,
            json!({"type": "A", "name": name, "content": "192.0.2.9", "comment": comment}),
        );
    }
    for nodes in [&[SLIP][..], &[MENDED]] {
        stack.nodes(nodes);
        stack.person(&[]);
        let report = stack.check();
        let keys: Vec<&str> = report
            .comparison
            .unmanaged
            .iter()
            .map(|key| key.name())
            .collect();
        assert_eq!(keys, ["api.clustera.oi.clustera.io/A"]);
        assert_eq!(report.comparison.strays.len(), 1);
        for text in [
            shown_by(render::check_text, &report),
            shown_by(render::audit_text, &report),
        ] {
            assert!(text.contains("api.clustera.oi.clustera.io/A"), "{text}");
            assert!(text.contains("has this stack's mark"), "{text}");
        }
    }
    stack.assert_settled();
    assert!(names(&stack).contains(&"api.clustera.oi.clustera.io".to_owned()));
}

#[test]
fn while_the_zone_can_not_be_read_nothing_is_made_in_it() {
    for effect in [
        status(500),
        status(429),
        Effect::LoseAnswer { applied: true },
        Effect::HtmlBody { code: 200 },
        Effect::WrongTypes,
    ] {
        let stack = stack(&[MENDED]);
        zone_trouble(&stack, effect.clone());
        let (report, changed) = stack.unattended();
        let found = difference(&report, "api.clustera.io");
        let why = found
            .failure
            .as_ref()
            .map(|failure| failure.reason.as_str());
        assert!(
            why.is_some_and(|why| !why.is_empty()),
            "{effect:?}: {found:?}"
        );
        assert_eq!(report.verdict(), StackVerdict::Incomplete, "{effect:?}");
        let (_, changed_by_person) = stack.person(&[]);
        let made = changed.results.len() + changed_by_person.results.len();
        assert_eq!((made, stack.ports.writes()), (0, 0), "{effect:?}");
        stack.ports.sandbox.clear_faults();
        stack.unattended();
        stack.assert_settled();
    }
}

#[test]
fn what_stands_in_the_way_is_told_and_nothing_is_sent_that_must_fail() {
    let both =
        "name: n1, ips: [192.0.2.1, \"2001:db8::1\"], domain: N1.clustera.io, exclusive: true";
    let cname =
        json!({"type": "CNAME", "name": "n1", "content": "lb.example.net", "proxied": true});
    let ns = json!({"type": "NS", "name": "n1", "content": "ns1.example.net"});
    for (record, part) in [
        (cname, "n1.clustera.io is a CNAME to lb.example.net"),
        (ns, "NS records delegate n1.clustera.io to ns1.example.net"),
    ] {
        for recorded in [false, true] {
            let stack = stack(&[both]);
            if recorded {
                stack.person(&[]);
                let _ = stack.check();
                for kind in ["A", "AAAA"] {
                    deed(
                        &stack,
                        json!({"do": "remove_record", "name": "n1.clustera.io", "type": kind}),
                    );
                }
            }
            add(&stack, record.clone());
            stack.ports.clear_sent();
            let report = stack.check();
            for kind in ["A", "AAAA"] {
                let name = format!("n1.clustera.io/{kind}");
                let why = blocked(&report, &name);
                assert!(why.contains(part), "{why}");
                let expected = match recorded {
                    true => Verdict::Drifted,
                    false => Verdict::Pending,
                };
                assert_eq!(verdict(&report, &name), expected);
            }
            for text in [
                shown_by(render::check_text, &report),
                shown_by(render::preview_text, &report),
                shown_by(render::audit_text, &report),
            ] {
                assert!(
                    text.contains("n1.clustera.io/A") && text.contains(" to "),
                    "{text}"
                );
                assert!(text.contains("blocked: "), "{text}");
            }
            stack.unattended();
            stack.person(&[]);
            assert_eq!(stack.ports.writes(), 0);
            stack.assert_idle();
            deed(
                &stack,
                json!({"do": "remove_record", "name": "n1.clustera.io", "type": record["type"]}),
            );
            stack.person(&[]);
            stack.assert_settled();
        }
    }
}

#[test]
fn a_cname_elsewhere_is_in_nobodys_way() {
    let stack = stack(&["name: w, ips: [192.0.2.1], domain: x.w.clustera.io"]);
    add(
        &stack,
        json!({"type": "CNAME", "name": "w", "content": "lb.example.net"}),
    );
    add(
        &stack,
        json!({"type": "CNAME", "name": "*.w", "content": "lb.example.net"}),
    );
    add(
        &stack,
        json!({"type": "TXT", "name": "x.w", "content": "\"x\""}),
    );
    stack.unattended();
    assert!(names(&stack).contains(&"x.w.clustera.io".to_owned()));
    stack.assert_settled();
}

#[test]
fn what_no_field_covers_is_noted_and_is_no_difference() {
    let stack = stack(&[
        "name: n1, ips: [192.0.2.1], domain: n1.sub.clustera.io",
        "name: n2, ips: [203.0.113.2], domain: n2.clustera.io, proxied: true",
    ]);
    stack.person(&[]);
    add(
        &stack,
        json!({"type": "NS", "name": "sub", "content": "ns1.example.net"}),
    );
    deed(
        &stack,
        json!({"do": "patch_record", "name": "n2.clustera.io", "set": {"settings": {"ipv4_only": true}}}),
    );
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
    let text = shown_by(render::check_text, &report);
    for part in [
        "Cloudflare does not answer for",
        "n1.sub.clustera.io",
        "`ipv4_only` is set on 203.0.113.2",
    ] {
        assert!(text.contains(part), "{text}");
    }
    stack.assert_settled();
}

#[test]
fn a_persons_comment_blocks_nothing() {
    for comment in [
        "kedge: see wiki",
        "kedge:",
        "kedge:prod please keep",
        "prod",
    ] {
        let stack = stack(&[TWO]);
        add(
            &stack,
            json!({"type": "A", "name": "n1", "content": "192.0.2.1", "ttl": 300, "comment": comment}),
        );
        let report = stack.check();
        assert_eq!(blocked(&report, "n1.clustera.io"), "", "{comment}");
        let (_, changed) = stack.person(&[]);
        assert_eq!(
            results(&changed),
            ["update n1.clustera.io/A done"],
            "{comment}"
        );
        stack.assert_settled();
        let world = stack.ports.sandbox.world().to_string();
        assert!(
            world.contains(&format!("\"comment\":\"{comment}\"")),
            "{world}"
        );
    }
}
