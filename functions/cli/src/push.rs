//! `kedge push` and `kedge rollback`: storing definitions for automation and everybody.

use kedge_core::push::PushConsent;
use kedge_core::render;
use kedge_core::report::{Report, StackVerdict};
use kedge_core::stored::run::RunRecord;
use kedge_engine::documents;
use kedge_engine::ports::Clock as _;
use kedge_engine::{
    CheckRequest, Definitions, FolderPush, PushError, PushOutcome, PushReport, PushRequest,
    is_whole,
};

use crate::args::{Args, FailOn, Format, PushOptions, RollbackOptions, WaitOptions};
use crate::error::CliError;
use crate::git::Git;
use crate::setup::Setup;
use crate::{history, screen};

/// `kedge push`.
pub(crate) async fn push(args: &Args, options: &PushOptions) -> Result<u8, CliError> {
    let setup = Setup::of(args)?;
    let git = Git::of(&args.definitions, &setup.settings);
    let consent = PushConsent {
        force: options.force,
        removals: options.withdraw || git.withdraw,
        after_rollback: options
            .after_rollback
            .clone()
            .or_else(|| git.after_rollback.clone()),
    };
    let request = PushRequest::Folder(FolderPush {
        bundle: &setup.bundle,
        commit: git.commit.as_ref(),
        branch: git.branch.as_deref(),
        ancestry: &|stored| git.ancestry(stored),
        consent: &consent,
    });
    let report = setup
        .engine(&|_| {})
        .push(&setup.chosen.stack, request)
        .await?;
    let mut notices: Vec<String> = report.notices.iter().map(ToString::to_string).collect();
    let edited = git.commit.as_ref().filter(|commit| commit.edited);
    if let Some(commit) = edited.filter(|_| report.outcome != PushOutcome::Unchanged) {
        let commit = short(&commit.id);
        notices.push(format!(
            "the files have edits that are not in commit {commit}"
        ));
    }
    answer(args, &setup, &report, &notices, &options.wait).await
}

/// `kedge rollback`.
pub(crate) async fn rollback(args: &Args, options: &RollbackOptions) -> Result<u8, CliError> {
    let setup = Setup::of(args)?;
    let engine = setup.engine(&|_| {});
    let report = engine
        .rollback(&setup.chosen.stack, &options.revision)
        .await?;
    let notices: Vec<String> = report.notices.iter().map(ToString::to_string).collect();
    answer(args, &setup, &report, &notices, &options.wait).await
}

/// Says what was stored, follows the run that does it if that is wanted, and gives the exit code. An
/// answer in JSON is one document, so it comes when the run has ended.
async fn answer(
    args: &Args,
    setup: &Setup,
    report: &PushReport,
    notices: &[String],
    options: &WaitOptions,
) -> Result<u8, CliError> {
    let is_json = args.format() == Format::Json;
    if !is_json {
        screen::out_lines(&text(setup, report, notices))?;
    }
    let (code, run) = match options.wait {
        false => (0, None),
        true => follow(setup, report, options)
            .await
            .map_err(|error| match error {
                CliError::NothingRan { .. } => error,
                other => CliError::NotFollowed {
                    revision: report.stored.revision(),
                    source: Box::new(other),
                },
            })?,
    };
    if is_json {
        screen::document(&documents::push(report, run.as_ref()))?;
    }
    Ok(code)
}

/// Follows the run that does what was stored: its exit code and its record. Where a look shows that
/// automation has nothing to do, no run leaves a record, and none is waited for.
async fn follow(
    setup: &Setup,
    report: &PushReport,
    options: &WaitOptions,
) -> Result<(u8, Option<RunRecord>), CliError> {
    let only_drift = options.fail_on == FailOn::Drift;
    let look = look(setup).await?;
    let verdict = look.verdict();
    let is_known = verdict < StackVerdict::Incomplete;
    if is_known && !look.decided.approves_any() {
        screen::err_lines(&format!(
            "nothing to wait for: automation has nothing to do ({verdict})"
        ))?;
        return Ok((verdict.exit_code(only_drift), None));
    }
    let revision = report.stored.revision();
    let until = setup.ports.now().plus_ms(options.within);
    screen::err_lines(&format!("waiting for a run of revision {revision}"))?;
    let stack = &setup.chosen.stack;
    let found = setup
        .engine(&|_| {})
        .await_run(stack, &revision, until)
        .await;
    let Some(record) = found.map_err(PushError::Store)? else {
        return Err(CliError::NothingRan {
            revision,
            seconds: options.within / 1000,
        });
    };
    screen::err_lines(&history::run_line(&record))?;
    if !is_whole(&record) {
        return Ok((1, Some(record)));
    }
    // How the stack stands after the run; where it can't be read from here, the run's word counts.
    let after = self::look(setup).await?.verdict();
    let code = match after {
        StackVerdict::Incomplete if !is_known => u8::from(record.verdict == "invalid") * 3,
        after => after.exit_code(only_drift),
    };
    Ok((code, Some(record)))
}

async fn look(setup: &Setup) -> Result<Report, CliError> {
    let engine = setup.engine_by(&|_| {}, Definitions::Stored);
    let stack = &setup.chosen.stack;
    Ok(engine.check(stack, &CheckRequest::default()).await?.report)
}

/// What was stored, for people.
fn text(setup: &Setup, report: &PushReport, notices: &[String]) -> String {
    let stored = &report.stored;
    let outcome = match report.outcome {
        PushOutcome::Stored => "stored",
        PushOutcome::Unchanged => "nothing to store: the same definitions are stored already",
        PushOutcome::CommitNoted => {
            "the same definitions are stored already; their commit was recorded"
        }
        PushOutcome::Healed => {
            "the same definitions are stored already; what an earlier push did not finish is done"
        }
    };
    let resources = match report.resources {
        1 => "1 resource".to_owned(),
        number => format!("{number} resources"),
    };
    let mut text = format!(
        "{} (from {}) · {}\n{outcome} · {resources} declared\n",
        setup.chosen.stack,
        setup.chosen.origin,
        render::stored_text(stored, setup.ports.now()),
    );
    for notice in notices {
        text.push_str(&format!("note: {}\n", render::plain_text(notice)));
    }
    if report.outcome == PushOutcome::Stored
        && let (Some(old), revision) = (&stored.rollback_of, stored.revision())
    {
        text.push_str(&format!(
            "rolled back to {old}; the next push needs --after-rollback {revision}\n"
        ));
    }
    text
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
