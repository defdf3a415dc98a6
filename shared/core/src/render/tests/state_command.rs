//! Pages and JSON of `adopt`, `forget`, `refresh`, `retire`, `hold` and `accept`.

use super::documents::{fits, state_command_json, to_json};
use super::*;
use crate::accept::{AcceptError, Accepted, Doing, accept};
use crate::compare::Verdict;
use crate::documents::{CurrentRun, accept as accept_document, holds as holds_document};
use crate::live::ScopeReading;
use crate::plan::{Authority, authorise};
use crate::record::{self, Answer, CommandOutcome, MassAbsence, Recording};
use crate::render::{accept_text, changed_text, holds_text, released_text, state_command_text};
use crate::report::{ChangeResult, Changed, Outcome};
use crate::stored::hold::Holds;

fn with(world: &World, recording: Recording, answer: Answer) -> Report {
    Report {
        command: Some(CommandOutcome { recording, answer }),
        ..world.report()
    }
}

pub(super) fn adopted(world: &World) -> Report {
    let report = world.report();
    let (declared, live) = (&report.declared, &world.live());
    let mut adoption = record::adopt(
        declared,
        world.state.as_ref(),
        live,
        (&report.comparison, &report.plan),
        None,
    );
    let recording = std::mem::take(&mut adoption.recording);
    with(world, recording, Answer::Adopted(adoption))
}

fn forgotten(world: &World, keys: &[ResourceKey]) -> Report {
    let report = world.report();
    let keys = keys.iter().cloned().collect();
    let (recording, means) =
        record::forget(&report.declared, &world.live(), &report.comparison, &keys);
    with(world, recording, Answer::Forgotten(means))
}

fn absent(world: &World) -> Report {
    let report = world.report();
    let absence = MassAbsence::of(&report.declared.stack, &report.comparison);
    let recording = Recording::of(&report.comparison);
    with(world, recording, Answer::Absent(absence))
}

/// The same once a person said that they are gone.
pub(super) fn confirmed(world: &World) -> Report {
    let before = world.report();
    let absence = MassAbsence::of(&before.declared.stack, &before.comparison);
    let recording = absence.confirmed(&before.comparison, NOW);
    let mut after = world.clone();
    after.state = world
        .state
        .as_ref()
        .map(|state| recording.confirmed_in(state));
    with(&after, recording, Answer::Absent(absence))
}

/// Retired while all of it is held.
fn retired_in_vain(world: &World) -> Report {
    let mut held = world.clone();
    held.holds.set(hold(None, 60)).unwrap();
    let report = retired(&held);
    assert!(!report.decided.approves_any());
    let Some(CommandOutcome { recording, answer }) = report.command.clone() else {
        panic!("not a command");
    };
    // What is left keeps it from ending.
    let recording = Recording {
        retires: None,
        ..recording
    };
    let command = Some(CommandOutcome { recording, answer });
    Report { command, ..report }
}

#[test]
fn what_is_not_read_is_not_gone() {
    let mut world = World::in_sync();
    let failure = ReadFailure {
        code: FailureCode::Forbidden,
        reason: "403".to_owned(),
        permission: None,
    };
    for reading in world.live.scopes.values_mut() {
        *reading = ScopeReading::failed(&Kind::ALL, &failure);
    }
    let text = state_command_text(&retired(&world), None, &AROUND);
    assert!(text.contains("nothing of it can be deleted now"), "{text}");
    assert!(!text.contains("nothing is left to delete"), "{text}");
}

fn retired(world: &World) -> Report {
    let (declared, state) =
        record::retiring(&world.declared().unwrap(), world.state.as_ref().unwrap());
    let (state, live, none) = (Some(&state), &world.live, BTreeSet::new());
    let comparison = compare(CompareInput {
        declared: &declared,
        state,
        live,
        now: NOW,
    });
    let holds: Vec<Hold> = world.holds.list().to_vec();
    let plan = plan(PlanInput {
        declared: &declared,
        state,
        live,
        comparison: &comparison,
        overrides: &none,
        holds: &holds,
        holds_unread: None,
    });
    let by = Authority::Person {
        allowed: &BTreeSet::new(),
        policy_allowed: false,
        name_typed: true,
    };
    let decided = authorise(&plan, by);
    let recording = Recording {
        retires: Some(NOW),
        ..Recording::of(&comparison)
    };
    Report {
        decided,
        plan,
        comparison,
        ..with(world, recording, Answer::Retired { unrecorded: 1 })
    }
}

/// A world that nobody adopted, with everything there is to say of it.
fn foreign() -> World {
    let mut world = eight_changes();
    world.state = None;
    world.fail(Kind::PubsubBinding, "403: needs pubsub.topics.getIamPolicy");
    world
}

pub(super) fn robbed() -> World {
    let mut world = World::in_sync();
    let more: Vec<String> = (0..12)
        .map(|number| format!("  - name: \"{{stack}}-t{number:02}\"\n"))
        .collect();
    let path = "data_plane/kafka-topics.yaml";
    let text = world.files.get(path).unwrap().clone() + &more.concat();
    world.files.insert(path.to_owned(), text);
    let mut world = World::of(world.files);
    for number in 0..12 {
        world.remove(&topic(&format!("dev-t{number:02}")));
    }
    world
}

#[test]
fn pages() {
    let mut world = eight_changes();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "  - name: \"{stack}-b\"\n",
        "",
    );
    let keys = [
        topic("dev-a"),
        topic("dev-b"),
        topic("dev-c"),
        topic("dev-c-dlq"),
    ];
    let mut held = World::in_sync();
    held.holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    let reports = [
        ("asked_adopt", adopted(&foreign())),
        ("asked_adopt_nothing", adopted(&World::in_sync())),
        ("asked_forget", forgotten(&world, &keys)),
        ("asked_absence", absent(&robbed())),
        ("asked_absence_confirmed", confirmed(&robbed())),
        ("asked_no_absence", absent(&world)),
        ("asked_retire_in_vain", retired_in_vain(&World::in_sync())),
        ("asked_retire", retired(&held)),
    ];
    for (name, report) in reports {
        insta::assert_snapshot!(name, state_command_text(&report, None, &AROUND));
        for changed in [None, Some(&Changed::default())] {
            fits("state-command", &state_command_json(&report, changed));
        }
    }
}

/// The last line of the page of a command that was carried out, if it says what to do next.
fn next_of(report: &Report) -> Option<String> {
    let text = state_command_text(report, Some(&Changed::default()), &AROUND);
    let last = text.lines().last()?;
    last.strip_prefix("next: ").map(str::to_owned)
}

#[test]
fn a_command_that_leaves_something_says_what_to_do_next() {
    let mut unread = foreign();
    unread.holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    let mut unadopted = eight_changes();
    unadopted.state = None;
    let clean = World::in_sync();
    let mut fresh = clean.clone();
    fresh.state = None;
    let keys = [topic("dev-a")];
    let mut undeclared = clean.clone();
    undeclared.edit(
        "data_plane/kafka-topics.yaml",
        "  - name: \"{stack}-b\"\n",
        "",
    );
    let mut held = clean.clone();
    held.holds.set(hold(None, 60)).unwrap();
    let mut unreadable = clean.clone();
    unreadable.fail(Kind::PubsubBinding, "403");
    let preview = Some("kedge preview");
    let adopt_again = Some("fix why UNKNOWN could not be read, then kedge adopt");
    let wait = Some("wait until the hold ends at 15:13 UTC (in 1 h), or ask ana@laptop");
    let retire_again = Some("fix why UNKNOWN could not be read, then kedge retire");
    let confirm = "if they are really gone, confirm it: kedge refresh --confirm-absence";
    let refreshed = |world: &World| with(world, Recording::default(), Answer::Refreshed);
    for (name, report, expected) in [
        ("adopt, unread", adopted(&unread), adopt_again),
        ("adopt, differing", adopted(&unadopted), preview),
        ("adopt, all equal", adopted(&fresh), None),
        ("adopt, nothing", adopted(&clean), None),
        ("adopt, drift", adopted(&eight_changes()), preview),
        (
            "forget, differing",
            forgotten(&eight_changes(), &keys),
            preview,
        ),
        ("forget, equal", forgotten(&clean, &keys), None),
        (
            "forget, undeclared",
            forgotten(&undeclared, &[topic("dev-b")]),
            None,
        ),
        ("refresh, drift", refreshed(&eight_changes()), preview),
        ("refresh, clean", refreshed(&clean), None),
        ("absence", absent(&robbed()), Some(confirm)),
        ("absence, none", absent(&clean), None),
        ("absence, confirmed", confirmed(&robbed()), preview),
        ("retire, held", retired_in_vain(&clean), wait),
        ("retire, unread", retired(&unreadable), retire_again),
        ("retire", retired(&clean), None),
    ] {
        let next = next_of(&report);
        let is_as = match (&next, expected) {
            (Some(next), Some(expected)) => next.starts_with(expected),
            (next, expected) => next.is_none() && expected.is_none(),
        };
        assert!(is_as, "{name}: {next:?}");
    }
}

#[test]
fn a_page_that_a_question_follows_says_no_other_next_command() {
    for report in [adopted(&foreign()), retired(&World::in_sync())] {
        let text = state_command_text(&report, None, &AROUND);
        assert!(!text.contains("next:"), "{text}");
    }
}

#[test]
fn a_retire_that_was_stopped_half_way_is_repeated() {
    let report = retired(&World::in_sync());
    let mut changed = Changed {
        results: report
            .decided
            .approved()
            .map(|approved| ChangeResult {
                approved: approved.clone(),
                outcome: Outcome::Done,
            })
            .collect(),
        ..Changed::default()
    };
    let last = |changed: &Changed| {
        let text = changed_text(&report, changed, &AROUND);
        text.lines().last().unwrap().to_owned()
    };
    assert!(last(&changed).ends_with("next: kedge check"));
    changed.results[0].outcome = Outcome::Failed {
        reason: "503".to_owned(),
    };
    assert!(last(&changed).ends_with("next: kedge retire"));
}

#[test]
fn holds() {
    let stack = StackName::new("dev").unwrap();
    let mut holds = Holds::default();
    let text = holds_text(&stack, &holds, NOW, SCREEN);
    assert_eq!(text, "nothing in dev is held\n");
    let run = CurrentRun::new("ben@desk\u{1b}[2J", "1-2", NOW, 30);
    let json = to_json(&holds_document(&stack, &holds, &[], Some(run), NOW));
    fits("holds", &json);
    assert_eq!(json["current_run"]["actor"], "ben@desk\u{fffd}[2J");
    holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    holds.set(hold(Some(topic("dev-b")), -1)).unwrap();
    holds.set(hold(None, 60)).unwrap();
    insta::assert_snapshot!("holds", holds_text(&stack, &holds, NOW, SCREEN));
    let json = to_json(&holds_document(&stack, &holds, &[], None, NOW));
    fits("holds", &json);
    assert_eq!(json["holds"].as_array().unwrap().len(), 2);
    let of_ben = Hold {
        who: "ben@desk".to_owned(),
        ..hold(None, 90)
    };
    holds.set(of_ben).unwrap();
    let released = holds.release(None);
    let text = released_text(&stack, &released, NOW, SCREEN);
    for whose in ["ana", "ben@desk"] {
        assert!(text.contains(&format!("held by {whose}")), "{text}");
    }
    let json = to_json(&holds_document(&stack, &holds, &released, None, NOW));
    fits("holds", &json);
    assert_eq!(json["released"][1]["actor"], "ben@desk");
}

fn accepted(world: &World, key: &ResourceKey) -> Accepted {
    accept(&world.report(), key, None).unwrap()
}

/// Makes the edits of a block-style file as they are printed.
fn make(world: &mut World, accepted: &Accepted) {
    let mut edits: Vec<_> = accepted.edits.iter().collect();
    // From below, so that no line moves before it is edited.
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.origin.line));
    for edit in edits {
        let text = world.files.get_mut(&*edit.origin.file).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = usize::try_from(edit.origin.line).unwrap() - 1;
        match &edit.doing {
            Doing::Replace(line) => lines[at] = format!("    {line}"),
            Doing::Add(line) => lines.insert(at + 1, format!("    {line}")),
            Doing::Remove(name) => {
                assert!(lines[at].contains(name.as_str()));
                lines.remove(at);
            }
            other => panic!("{other:?}"),
        }
        *text = lines.join("\n") + "\n";
    }
}

#[test]
fn what_is_accepted_is_declared_after_the_edit() {
    let mut world = World::in_sync();
    let (a, c) = (topic("dev-a"), topic("dev-c"));
    world.set(&a, "retention_ms", Value::Int(3_600_000));
    world.set(&a, "partitions", Value::Int(6));
    world.set(&c, "max_message_bytes", Value::Int(5_000_000));
    let endpoint = crate::model::SealedUrl::seal("https://else.example.com/in", &SALT).unwrap();
    world.set(&mail_sub(), "push_endpoint", Value::url(endpoint));
    for key in [&a, &c, &mail_sub()] {
        assert_eq!(
            world.report().comparison.differences[key].verdict,
            Verdict::Drifted
        );
        let edits = accepted(&world, key);
        assert_eq!(edits.cannot, []);
        fits("accept", &to_json(&accept_document(key, &edits)));
        make(&mut world, &edits);
        let after = &world.report().comparison.differences[key];
        assert_eq!(after.verdict, Verdict::InSync, "{after:?}");
        assert_eq!(
            accept(&world.report(), key, None),
            Err(AcceptError::InSync(key.clone()))
        );
    }
}

#[test]
fn what_is_printed() {
    let mut world = eight_changes();
    world.set(&topic("dev-c"), "max_message_bytes", Value::Int(5_000_000));
    let keys = [
        topic("dev-a"),
        topic("dev-c"),
        topic("dev-c-dlq"),
        node("one.example.com"),
        node("two.example.com"),
        mail_sub(),
        mail_binding(),
    ];
    let mut pages = String::new();
    for key in &keys {
        let accepted = accepted(&world, key);
        fits("accept", &to_json(&accept_document(key, &accepted)));
        let page = accept_text(
            key,
            &accepted,
            "definitions",
            &Hint::Check,
            SCREEN,
            &command,
        );
        assert!(!page.contains("s3cret"));
        pages.push_str(&page);
    }
    insta::assert_snapshot!("accept", pages);
}

#[test]
fn what_cannot_be_accepted() {
    let mut world = eight_changes();
    let report = world.report();
    let field = |name| Some(FieldName::known(name));
    let unknown = accept(&report, &topic("dev-x"), None).unwrap_err();
    assert_eq!(unknown, AcceptError::Unknown(topic("dev-x")));
    let other = accept(&report, &topic("dev-a"), field("partitions").as_ref()).unwrap_err();
    assert!(
        other.to_string().contains("these differ: retention_ms"),
        "{other}"
    );
    let one = accept(&report, &topic("dev-a"), field("retention_ms").as_ref()).unwrap();
    assert_eq!(one.edits.len(), 1);
    world.edit(
        "data_plane/kafka-topics.yaml",
        "  - name: \"{stack}-b\"\n",
        "",
    );
    let orphan = accept(&world.report(), &topic("dev-b"), None).unwrap();
    assert_eq!((orphan.edits.len(), orphan.cannot.len()), (0, 1));
    world.fail(Kind::PubsubSubscription, "403");
    let unread = accept(&world.report(), &mail_sub(), None).unwrap_err();
    assert!(matches!(unread, AcceptError::Unread { .. }));
}
