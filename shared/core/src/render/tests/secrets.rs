//! No rendering shows a secret: not the text behind a sealed value, not the hidden part of a URL,
//! wherever it comes from. Nor does a page show what says nothing to its reader: the id of a zone.

use proptest::prelude::*;

use super::*;
use crate::accept::accept;
use crate::documents::{self, Failed, Surroundings};
use crate::model::{Scope, SealedUrl};
use crate::render::{
    audit_text, changed_text, check_text, github_annotations, junit_xml, preview_text,
    problems_github, problems_junit, problems_text,
};
use crate::report::{ChangeResult, Changed, Outcome};
use crate::stored::grant::Grant;

/// Where the secret stands in a URL.
fn url(place: u8, secret: &str) -> String {
    match place % 4 {
        0 => format!("https://hooks.example.com/mail?token={secret}"),
        1 => format!("https://hooks.example.com/mail?a=1&b={secret}#x"),
        2 => format!("https://hooks.example.com/mail#{secret}"),
        _ => format!("https://user:{secret}@hooks.example.com/mail"),
    }
}

fn sealed(text: &str) -> Value {
    Value::url(SealedUrl::seal(text, &SALT).unwrap())
}

/// What happened to the world.
#[derive(Debug, Clone)]
enum Event {
    Declared(u8),
    Live(u8),
    Recorded(u8),
    Audience(u8),
    Tag(u8),
    Member(u8),
    Failure(u8),
    Gone,
    NoState,
    Protected,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<u8>().prop_map(Event::Declared),
        any::<u8>().prop_map(Event::Live),
        any::<u8>().prop_map(Event::Recorded),
        any::<u8>().prop_map(Event::Audience),
        any::<u8>().prop_map(Event::Tag),
        any::<u8>().prop_map(Event::Member),
        any::<u8>().prop_map(Event::Failure),
        Just(Event::Gone),
        Just(Event::NoState),
        Just(Event::Protected),
    ]
}

fn happen(world: &mut World, event: &Event, secret: &str) {
    let path = "integrations/integration-mail/pubsub.yaml";
    let own = "push_endpoint: https://hooks.example.com/mail\n";
    match event {
        Event::Declared(place) if world.files[path].contains(own) => {
            let edited = format!("push_endpoint: \"{}\"\n", url(*place, secret));
            world.edit(path, own, &edited);
        }
        Event::Live(place) if is_live(world, &mail_sub()) => {
            world.set(&mail_sub(), "push_endpoint", sealed(&url(*place, secret)));
        }
        Event::Recorded(place) if world.state.is_some() => {
            let name = FieldName::known("push_endpoint");
            let value = sealed(&url(*place, secret));
            world.recorded(&mail_sub()).fields.insert(name, value);
        }
        Event::Audience(place) if is_live(world, &mail_sub()) => {
            let declared = "push_audience: https://hooks.example.com/mail\n";
            if !world.files[path].contains("push_audience") {
                world.edit(
                    path,
                    "    push_endpoint",
                    &format!("    {declared}    push_endpoint"),
                );
            }
            world.set(
                &mail_sub(),
                "push_audience",
                Value::text(url(*place, secret)),
            );
        }
        Event::Tag(place) => {
            let tags = "- name: \"{stack}-a\"\n    description: d\n";
            if !world.files["data_plane/kafka-topics.yaml"].contains("description") {
                world.edit(
                    "data_plane/kafka-topics.yaml",
                    "- name: \"{stack}-a\"\n",
                    tags,
                );
            }
            let text = format!("see {}", url(*place, secret));
            world.set(&topic("dev-a"), "description", Value::text(text));
        }
        Event::Member(place) if is_live(world, &mail_binding()) => {
            let members = Value::set([url(*place, secret)]);
            world.set(&mail_binding(), "members", members);
        }
        Event::Failure(place) if is_live(world, &mail_topic()) => {
            world.fail(
                Kind::PubsubTopic,
                &format!("500 from {}", url(*place, secret)),
            );
        }
        Event::Gone if is_live(world, &mail_sub()) => world.remove(&mail_sub()),
        Event::NoState => world.state = None,
        Event::Protected if !world.files["kedge.yaml"].contains("protected") => {
            world.edit("kedge.yaml", "policy: {", "policy: {protected: true, ");
        }
        _ => {}
    }
}

fn is_live(world: &World, key: &ResourceKey) -> bool {
    world.live.scopes[key.scope()]
        .reading(key)
        .present()
        .is_some()
}

fn every_rendering(report: &Report, reason: &str) -> Vec<String> {
    let outcome = |n: usize| match n % 4 {
        0 => Outcome::Done,
        1 => Outcome::Failed {
            reason: reason.to_owned(),
        },
        2 => Outcome::Blocked {
            reason: reason.to_owned(),
            fix: Some(reason.to_owned()),
        },
        _ => Outcome::Unknown {
            reason: reason.to_owned(),
        },
    };
    let approved = report.decided.approved().cloned().enumerate();
    let carried = approved.map(|(n, approved)| ChangeResult {
        approved,
        outcome: outcome(n),
    });
    let changed = Changed {
        results: carried.collect(),
        ..Changed::default()
    };
    let around = RenderOptions {
        times: true,
        screen: Screen {
            colour: true,
            ..SCREEN
        },
        ..AROUND
    };
    let mut texts = vec![
        check_text(report, &around),
        preview_text(report, &around),
        audit_text(report, &around),
        changed_text(report, &changed, &around),
        junit_xml(report),
        github_annotations(report, "definitions"),
    ];
    texts.extend(every_document(report, &changed, reason));
    texts
}

/// Every document that is made from a report.
fn every_document(report: &Report, changed: &Changed, reason: &str) -> Vec<String> {
    let around = Surroundings {
        definitions: Some(reason),
        ..Surroundings::default()
    };
    let stopped = Changed {
        stopped: Some(reason.to_owned()),
        ..changed.clone()
    };
    let retire = documents::CommandName::Retire;
    let check = documents::check(report, &around);
    let because = [reason.to_owned()];
    let failed = Failed {
        error: reason,
        because: &because,
        refusals: &[],
        next: Some(reason),
        exit_code: 1,
    };
    let mut all = vec![
        text(&documents::preview(report, &around, Some(&command))),
        text(&documents::changed(report, changed, &around)),
        text(&documents::changed(report, &stopped, &around)),
        text(&documents::state_command(
            report,
            retire,
            Some(&stopped),
            &around,
        )),
        text(&documents::outputs(report)),
        text(&documents::error(failed, Some(check), &command)),
    ];
    for key in report.comparison.differences.keys() {
        if let Ok(accepted) = accept(report, key, None) {
            all.push(text(&documents::accept(key, &accepted)));
        }
    }
    all
}

fn text(document: &impl documents::Document) -> String {
    documents::json_text(document).unwrap()
}

proptest! {
    // Each case makes some fourteen renderings, so three eighths of what is asked for.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 3 / 8))]
    #[test]
    fn no_rendering_shows_a_secret(
        events in prop::collection::vec(event(), 0..6),
        secret in "s3cr[a-z0-9]{8}",
        place in any::<u8>(),
    ) {
        let mut world = World::in_sync();
        for event in &events {
            happen(&mut world, event, &secret);
        }
        let reason = format!("400 from {}", url(place, &secret));
        let texts = match world.declared() {
            Ok(declared) => {
                let mut texts = Vec::new();
                for report in [world.report(), world.report_for(&[])] {
                    texts.extend(every_rendering(&report, &reason));
                }
                for secret in declared.resources.values().flat_map(|one| one.secrets.values()) {
                    let shown = secret.reveal() == "https://hooks.example.com/mail";
                    prop_assert!(shown || texts.iter().all(|text| !text.contains(secret.reveal())));
                }
                texts
            }
            Err(problems) => {
                vec![
                    problems_text(&problems, Screen { colour: true, ..SCREEN }, &command),
                    text(&documents::problems(&problems)),
                    problems_junit(&problems),
                    problems_github(&problems, "definitions"),
                ]
            }
        };
        for text in texts {
            prop_assert!(!text.contains(&secret), "{secret} in {text}");
        }
    }
}

/// The events reach what they are meant to reach: each place of a secret is shown as hidden.
#[test]
fn secrets_are_shown_as_hidden() {
    for (event, shown) in [
        (
            Event::Declared(0),
            "declared https://hooks.example.com/mail?[hidden",
        ),
        (
            Event::Live(1),
            "live     https://hooks.example.com/mail?[hidden",
        ),
        (
            Event::Live(3),
            "live     https://hooks.example.com/mail?[hidden",
        ),
        (
            Event::Recorded(0),
            "recorded https://hooks.example.com/mail?[hidden",
        ),
        (
            Event::Tag(0),
            "live     \"see https://hooks.example.com/mail?[hidden]\"",
        ),
        (
            Event::Failure(3),
            "500 from https://[hidden]@hooks.example.com/mail",
        ),
    ] {
        let mut world = World::in_sync();
        happen(&mut world, &event, "s3cret");
        if matches!(event, Event::Recorded(_)) {
            happen(&mut world, &Event::Live(2), "0ther");
        }
        let text = check_text(&world.report(), &AROUND);
        assert!(text.contains(shown), "{event:?}: {text}");
    }
}

/// What a person wrote in a console can't move the cursor of whoever reads it.
#[test]
fn control_characters_are_not_passed_on() {
    let mut world = World::in_sync();
    let tags = "- name: \"{stack}-a\"\n    description: d\n";
    world.edit(
        "data_plane/kafka-topics.yaml",
        "- name: \"{stack}-a\"\n",
        tags,
    );
    world.set(
        &topic("dev-a"),
        "description",
        Value::text("a\u{1b}[2J\r\n\u{202e}b"),
    );
    world.put(&topic("dev-\u{1b}[31mx"), crate::model::Fields::new());
    world.fail(Kind::PubsubTopic, "500\n\u{7}CLEAN");
    for text in every_rendering(&world.report(), "\u{1b}[2J") {
        let plain = text.replace("\u{1b}[0m", "");
        let codes = ["1", "32", "1;33", "1;31", "2"];
        let plain = codes.iter().fold(plain, |text, code| {
            text.replace(&format!("\u{1b}[{code}m"), "")
        });
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!plain.contains(bad), "{plain:?}");
        assert!(!plain.contains("\nCLEAN"));
    }
}

#[test]
fn a_zone_is_never_shown_by_its_id() {
    let mut world = eight_changes();
    world
        .holds
        .set(hold(Some(node("one.example.com")), 60))
        .unwrap();
    let report = world.report_for(&[]);
    let grant = Grant {
        id: "g".to_owned(),
        stack: StackName::new("dev").unwrap(),
        person: "ana@laptop".to_owned(),
        digest: report.plan.digest.clone(),
        changes: BTreeSet::new(),
        policy: false,
        expires_at: NOW.plus_ms(60_000),
        used_by: None,
    };
    let deleted = BTreeSet::from([(node("two.example.com"), Verb::Delete)]);
    let missing = grant.covers(&report.plan.digest, &deleted, false, NOW);
    let pages = [
        check_text(&report, &AROUND),
        preview_text(&report, &AROUND),
        audit_text(&report, &AROUND),
        changed_text(&report, &Changed::default(), &AROUND),
        github_annotations(&report, "definitions"),
        missing.unwrap_err().to_string(),
    ];
    let Scope::DnsZone { zone_id } = node("one.example.com").scope().clone() else {
        panic!("not in a zone");
    };
    for page in pages {
        assert!(!page.contains(&zone_id), "{page}");
        assert!(page.contains("record set"), "{page}");
    }
}
