//! One example of each document, for the reference.

use super::super::{NOW, World, command, eight_changes, hold, topic};
use super::json;
use crate::accept::accept;
use crate::definitions::Bundle;
use crate::documents::{
    self, CurrentRun, Failed, HistoryPush, LeaseHolder, PushOutcome, Surroundings, UploadAnswer,
    UploadOf,
};
use crate::model::{StackName, Value};
use crate::plan::Approved;
use crate::push::{Notice, Refusal};
use crate::record::{self, Answer, CommandOutcome};
use crate::render::Traffic;
use crate::report::{ChangeResult, Changed, Outcome, Report};
use crate::stored::bundle::{Commit, Pushed, StoredBundle};
use crate::stored::hold::Holds;
use crate::stored::run::{FoundOut, Interrupted, RequestCounts, RunField, RunOutcome, RunRecord};

/// A topic that drifted, in a small stack.
fn small() -> World {
    let mut world = World::in_sync();
    world
        .files
        .remove("integrations/integration-mail/pubsub.yaml");
    let text = world.files.get_mut("stacks/dev.yaml").unwrap();
    *text = text.split("  acme:nodes:").next().unwrap().to_owned();
    let mut world = World::of(world.files);
    world.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    world
}

pub(super) fn around() -> Surroundings<'static> {
    Surroundings {
        definitions: Some("definitions (local files)"),
        traffic: Some(Traffic {
            reads: 9,
            writes: 0,
            wall_ms: Some(412),
        }),
        stats: None,
    }
}

pub(super) fn text(document: &impl documents::Document) -> String {
    documents::json_text(document).unwrap()
}

fn pushed() -> Pushed {
    Pushed {
        actor: "ana@laptop".to_owned(),
        at: NOW,
        commit: Some(Commit {
            id: "8ca6d3a1f0b2c4e6a8d0f1b3c5e7a9d1f3b5c7e9".to_owned(),
            edited: false,
        }),
        branch: Some("main".to_owned()),
        upload: None,
    }
}

fn stack() -> StackName {
    StackName::new("dev").unwrap()
}

/// The documents that are made from a report.
fn of_reports() -> Vec<(&'static str, String)> {
    let report = small().report();
    let by_person = small().report_for(&[]);
    let done = |approved: &Approved| ChangeResult {
        approved: approved.clone(),
        outcome: Outcome::Done,
    };
    let changed = Changed {
        run: "1790000000000-0badcafe".to_owned(),
        results: by_person.decided.approved().map(done).collect(),
        ..Changed::default()
    };
    let key = topic("dev-a");
    let accepted = accept(&report, &key, None).unwrap();
    let refusal = Refusal::NotDescended {
        stored: "8ca6d3a1f0b2c4e6a8d0f1b3c5e7a9d1f3b5c7e9".to_owned(),
    };
    let because = [refusal.to_string()];
    let refusals = [refusal];
    let failed = Failed {
        error: "the push is refused; nothing was stored",
        because: &because,
        refusals: &refusals,
        next: None,
        exit_code: 1,
    };
    let mut wrong = World::in_sync();
    let path = "data_plane/kafka-topics.yaml";
    wrong.edit(path, "max_message_bytes", "max_mesage_bytes");
    vec![
        (
            "report",
            text(&documents::preview(&report, &around(), Some(&command))),
        ),
        (
            "changed",
            text(&documents::changed(&by_person, &changed, &around())),
        ),
        ("outputs", text(&documents::outputs(&report))),
        ("accept", text(&documents::accept(&key, &accepted))),
        ("error", text(&documents::error(failed, None, &command))),
        (
            "problems",
            text(&documents::problems(&wrong.declared().unwrap_err())),
        ),
        (
            "state-command",
            text(&documents::state_command(
                &forgotten(),
                documents::CommandName::Forget,
                None,
                &around(),
            )),
        ),
    ]
}

/// A report of `kedge forget dev-a`.
fn forgotten() -> Report {
    let world = small();
    let report = world.report();
    let keys = [topic("dev-a")].into();
    let (recording, meanings) =
        record::forget(&report.declared, &world.live, &report.comparison, &keys);
    Report {
        command: Some(CommandOutcome {
            recording,
            answer: Answer::Forgotten(meanings),
        }),
        ..report
    }
}

fn record() -> RunRecord {
    RunRecord {
        id: "1790000000000-0badcafe".to_owned(),
        stack: "dev".to_owned(),
        at_ms: NOW.0,
        ended_ms: NOW.0 + 1_234,
        actor: "ana@laptop".to_owned(),
        verb: "up".to_owned(),
        trigger: "cli".to_owned(),
        revision: Some("3f9a1c2b5d7e".to_owned()),
        verdict: "drifted".to_owned(),
        plan: Some("00c0ffee00c0ffee".to_owned()),
        serial: Some(12),
        epoch: 7,
        outcomes: vec![RunOutcome {
            key: topic("dev-a").to_string(),
            verb: "update".to_owned(),
            risk: "safe".to_owned(),
            outcome: "done".to_owned(),
            reason: None,
            fields: vec![RunField {
                field: "retention_ms".to_owned(),
                from: Some("3600000".to_owned()),
                to: Some("604800000".to_owned()),
            }],
        }],
        recorded: 1,
        forgotten: 0,
        requests: RequestCounts::default(),
        stopped: None,
        interrupted: Some(Interrupted {
            run: "1789999000000-00000001".to_owned(),
            changes: vec![FoundOut {
                key: topic("dev-b").to_string(),
                verb: "create".to_owned(),
                outcome: "done".to_owned(),
                begun_by: Some("1789998000000-00000002".to_owned()),
            }],
        }),
    }
}

/// An upload that can't be used.
fn upload() -> (&'static str, String) {
    let mut wrong = World::in_sync();
    let path = "data_plane/kafka-topics.yaml";
    wrong.edit(path, "max_message_bytes", "max_mesage_bytes");
    let wrong = wrong.declared().unwrap_err();
    let of = UploadOf {
        stack: &stack(),
        path: "definitions.zip",
        etag: "9b2cf535f27731c974343645a3985328",
        at: NOW,
    };
    let answer = UploadAnswer::Problems(&wrong);
    ("upload", text(&documents::upload(of, answer, &command)))
}

/// A stack, and where its secrets are.
fn environments() -> (&'static str, String) {
    let environments = ["prod", "prod-push", "prod-preview"];
    let prod = StackName::new("prod").unwrap();
    let stack = documents::stack(&prod, "branch main", true, environments);
    ("stack", text(&stack))
}

/// One of each.
pub(super) fn examples() -> Vec<(&'static str, String)> {
    let mut holds = Holds::default();
    holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    let run = CurrentRun::new("ben@desk", "1790000000000-0badcafe", NOW, 30);
    let holder = LeaseHolder::new(
        "ana@laptop",
        "1790000000000-0badcafe",
        NOW,
        NOW.plus_ms(15_000),
        documents::HolderStatus::Stopped,
    );
    let files = World::in_sync().files;
    let stored = StoredBundle {
        stack: stack(),
        bundle: Bundle::new(files).unwrap(),
        follows: Some("3f9a1c2b5d7e".to_owned()),
        pushed: pushed(),
        rollback_of: None,
    };
    let notices = [Notice::VariablesUsed {
        names: vec!["KEDGE_CONFIG_KEEP".to_owned()],
    }];
    let push = HistoryPush::new("3f9a1c2b5d7e", None, None, &pushed());
    let more = [
        (
            "holds",
            text(&documents::holds(&stack(), &holds, &[], Some(run), NOW)),
        ),
        (
            "unlocked",
            text(&documents::unlocked(&stack(), Some(holder), None)),
        ),
        (
            "push",
            text(&documents::push(
                &stored,
                PushOutcome::Stored,
                9,
                &notices,
                None,
            )),
        ),
        (
            "history",
            text(&documents::history(
                &stack(),
                vec![push],
                &[record()],
                &[],
                false,
            )),
        ),
        (
            "schemas",
            text(&documents::schemas([(
                "stack.schema.json",
                serde_json::json!({"title": "a stack", "type": "object"}),
            )])),
        ),
    ];
    let of_http = super::examples_of_http::examples(&small().report(), &record());
    let others = vec![upload(), environments()];
    [of_reports(), more.into(), others, of_http].concat()
}

/// A record with a word of a newer program is named, and not shown with a wrong word.
#[test]
fn a_run_of_a_newer_program_is_unread() {
    let newer = RunRecord {
        id: "2-2".to_owned(),
        verdict: "half-clean".to_owned(),
        ..record()
    };
    let found = documents::history(&stack(), Vec::new(), &[record(), newer], &[], false);
    let found = json(&found);
    assert_eq!(found["runs"].as_array().unwrap().len(), 1);
    assert_eq!(found["unread"], serde_json::json!(["2-2"]));
}

/// What people and providers wrote is fit to be shown, in documents that are made from no report too.
#[test]
fn texts_from_outside_are_made_fit() {
    let bad = "a\u{1b}[2J see https://u:s3cret@h.example/?token=s3cret";
    let pushed = Pushed {
        actor: bad.to_owned(),
        branch: Some(bad.to_owned()),
        ..pushed()
    };
    let record = RunRecord {
        actor: bad.to_owned(),
        stopped: Some(bad.to_owned()),
        ..record()
    };
    let push = HistoryPush::new("1", None, None, &pushed);
    let run = CurrentRun::new(bad, bad, NOW, 1);
    let holder = LeaseHolder::new(bad, bad, NOW, NOW, documents::HolderStatus::Late);
    let because = [bad.to_owned()];
    let failed = Failed {
        error: bad,
        because: &because,
        refusals: &[],
        next: Some(bad),
        exit_code: 1,
    };
    let all = [
        json(&documents::history(
            &stack(),
            vec![push],
            &[record],
            &[bad.to_owned()],
            false,
        )),
        json(&documents::holds(
            &stack(),
            &Holds::default(),
            &[],
            Some(run),
            NOW,
        )),
        json(&documents::unlocked(&stack(), Some(holder), Some(bad))),
        json(&documents::error(failed, None, &command)),
        json(&documents::stack(&stack(), bad, false, [bad; 3])),
        json(&documents::check(
            &eight_changes().report(),
            &Surroundings {
                definitions: Some(bad),
                ..around()
            },
        )),
    ];
    for one in all {
        let text = one.to_string();
        assert!(
            text.contains("a\u{fffd}[2J see https://[hidden]@h.example/?[hidden]"),
            "{text}"
        );
        assert!(
            !text.contains("s3cret") && !text.contains("\\u001b"),
            "{text}"
        );
    }
}
