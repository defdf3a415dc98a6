//! `adopt`, `forget`, `refresh` and `retire`: each shows what it comes to, asks, and does it.

use kedge_core::compare::Verdict;
use kedge_core::documents::{self, Surroundings};
use kedge_core::plan::Plan;
use kedge_core::record::{Answer, MassAbsence};
use kedge_core::render::{self, RenderOptions};
use kedge_core::report::{Changed, Report};
use kedge_engine::{Applied, Progress, RunError, StateCommand};

use crate::args::{AdoptOptions, Args, ForgetOptions, Format, RefreshOptions, RetireOptions};
use crate::error::CliError;
use crate::verbs::Invocation;
use crate::{confirm, screen};

/// `kedge adopt`.
pub(crate) async fn adopt(args: &Args, options: &AdoptOptions) -> Result<u8, CliError> {
    let names = options.keys.clone();
    let asking = Asking::new(args, StateCommand::Adopt { names })?;
    let report = asking.dry_run().await?;
    let question = "Type `yes` to record this, anything else to cancel: ";
    if !has_news(&report) {
        asking.show(&report, None)?;
        return Ok(code_after(&report));
    }
    if !asking.agreed(options.yes, question, &report)? {
        return Ok(code_of_cancelled(&report));
    }
    asking.fulfil(asking.request.clone(), None).await
}

/// `kedge forget`.
pub(crate) async fn forget(args: &Args, options: &ForgetOptions) -> Result<u8, CliError> {
    let names = options.keys.clone();
    let asking = Asking::new(args, StateCommand::Forget { names })?;
    let report = asking.dry_run().await?;
    let question = "Type `yes` to forget this, anything else to cancel: ";
    if !asking.agreed(options.yes, question, &report)? {
        return Ok(code_of_cancelled(&report));
    }
    asking.fulfil(asking.request.clone(), None).await
}

/// `kedge refresh`. It asks only where an absence is confirmed: what it records besides, any `up`
/// records too.
pub(crate) async fn refresh(args: &Args, options: &RefreshOptions) -> Result<u8, CliError> {
    let Some(given) = &options.confirm_absence else {
        let asking = Asking::new(args, StateCommand::Refresh)?;
        return asking.fulfil(StateCommand::Refresh, None).await;
    };
    let asking = Asking::new(
        args,
        StateCommand::ConfirmAbsence {
            expected_digest: None,
        },
    )?;
    if !given.is_empty() {
        let seen = Some(given.to_lowercase());
        return asking
            .fulfil(
                StateCommand::ConfirmAbsence {
                    expected_digest: seen,
                },
                None,
            )
            .await;
    }
    let report = asking.dry_run().await?;
    let absence = absence_of(&report);
    let Some(digest) = absence.filter(|absence| !absence.keys.is_empty()) else {
        asking.show(&report, None)?;
        return Ok(code_after(&report));
    };
    if !asking.can_ask() {
        asking.show(&report, None)?;
        if args.format() == Format::Json {
            // The answer is one document, which has the digest to confirm.
            return Ok(1);
        }
        return Err(CliError::Usage(format!(
            "no terminal: confirm what you saw with --confirm-absence {}",
            digest.digest
        )));
    }
    let question = "Are they gone? Type `yes` to confirm it, anything else to cancel: ";
    if !asking.agreed(false, question, &report)? {
        return Ok(code_of_cancelled(&report));
    }
    let seen = Some(digest.digest.clone());
    asking
        .fulfil(
            StateCommand::ConfirmAbsence {
                expected_digest: seen,
            },
            None,
        )
        .await
}

/// `kedge retire`.
pub(crate) async fn retire(args: &Args, options: &RetireOptions) -> Result<u8, CliError> {
    let asking = Asking::new(
        args,
        StateCommand::Retire {
            expected_digest: None,
        },
    )?;
    let stack = asking.run.setup.chosen.stack.to_string();
    if let Some(given) = options.confirm.clone().filter(|name| *name != stack) {
        let stack = asking.run.stack().clone();
        return Err(RunError::NotConfirmed { stack, given }.into());
    }
    let report = asking.dry_run().await?;
    let Plan {
        digest, retired, ..
    } = &report.plan;
    let seen = Some(digest.clone());
    if !has_news(&report) {
        if retired.is_some() {
            // A run before may have ended just before the registry of stacks heard of it.
            let command = StateCommand::Retire {
                expected_digest: seen,
            };
            let applied = asking.carry_out(command, Some(&stack)).await;
            applied.into_result()?;
        }
        asking.show(&report, None)?;
        return Ok(code_after(&report));
    }
    let confirmed = match &options.confirm {
        Some(name) => name.clone(),
        None if !asking.can_ask() => {
            let pass = format!("--confirm {stack}");
            return Err(confirm::nobody_asked(args.format(), &pass));
        }
        None => {
            asking.show(&report, None)?;
            let question = format!("Type `{stack}` to delete all of it, anything else to cancel: ");
            screen::ask(&question)?
        }
    };
    if confirmed != stack {
        screen::err("nothing was changed\n")?;
        return Ok(code_of_cancelled(&report));
    }
    let command = StateCommand::Retire {
        expected_digest: seen,
    };
    asking.fulfil(command, Some(&confirmed)).await
}

/// A verb under way.
struct Asking<'a> {
    run: Invocation<'a>,
    request: StateCommand,
}

impl<'a> Asking<'a> {
    fn new(args: &'a Args, request: StateCommand) -> Result<Self, CliError> {
        let run = Invocation::new(args)?;
        Ok(Self { run, request })
    }

    fn can_ask(&self) -> bool {
        confirm::can_ask(self.run.args.format())
    }

    async fn dry_run(&self) -> Result<Report, CliError> {
        let run = &self.run;
        let see = |progress: Progress<'_>| run.watcher.see(progress);
        let engine = run.setup.engine(&see);
        let checked = engine.dry_run(run.stack(), &self.request).await;
        run.watcher.end();
        Ok(checked?.report)
    }

    /// Whether a person agrees: by flag, or on the terminal, once they saw what it comes to.
    fn agreed(&self, yes: bool, question: &str, report: &Report) -> Result<bool, CliError> {
        if yes {
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(confirm::nobody_asked(self.run.args.format(), "--yes"));
        }
        self.run.next_follows.set(true);
        self.show(report, None)?;
        self.run.next_follows.set(false);
        if screen::ask(question)? == "yes" {
            return Ok(true);
        }
        screen::err("nothing was changed\n")?;
        Ok(false)
    }

    /// Carries it out, and says nothing of it.
    async fn carry_out(&self, command: StateCommand, confirmed: Option<&str>) -> Applied {
        let run = &self.run;
        let see = |progress: Progress<'_>| run.watcher.see(progress);
        let engine = run.setup.engine(&see);
        let applied = engine.command(run.stack(), &command, confirmed).await;
        run.watcher.end();
        applied
    }

    async fn fulfil(&self, command: StateCommand, confirmed: Option<&str>) -> Result<u8, CliError> {
        let applied = self.carry_out(command, confirmed).await;
        let tell = |report: &Report, changed: Option<&Changed>| self.show(report, changed);
        let Some(ran) = self.run.ended(applied, tell)? else {
            return Ok(1);
        };
        Ok(match (ran.changed.has_failed(), code_after(&ran.report)) {
            (true, _) => 1,
            (false, 0) if !ran.changed.is_complete() => 2,
            (false, code) => code,
        })
    }

    fn show(&self, report: &Report, changed: Option<&Changed>) -> Result<(), CliError> {
        let text = |around: &RenderOptions<'_>| match changed {
            Some(changed) if !changed.results.is_empty() || changed.stopped.is_some() => {
                render::changed_text(report, changed, around)
            }
            changed => render::state_command_text(report, changed, around),
        };
        let json = |around: &Surroundings<'_>| {
            let command = (&self.request).into();
            documents::json_text(&documents::state_command(report, command, changed, around))
        };
        self.run.answer(report, text, json)?;
        self.run.plan_shown.set(true);
        Ok(())
    }
}

/// Whether there is anything to do.
fn has_news(report: &Report) -> bool {
    let command = report.command.as_ref();
    command.is_some_and(|command| command.does_anything(&report.decided))
}

fn absence_of(report: &Report) -> Option<&MassAbsence> {
    match &report.command.as_ref()?.answer {
        Answer::Absent(absence) => Some(absence),
        _ => None,
    }
}

/// The exit code of a command to which a person said no: that of the stack as it stands. All that
/// `retire` would have deleted is left (semantics 9.5).
fn code_of_cancelled(report: &Report) -> u8 {
    let code = report.verdict().exit_code(false);
    match retires(report) {
        true => code.max(2),
        false => code,
    }
}

fn retires(report: &Report) -> bool {
    let command = report.command.as_ref();
    command.is_some_and(|command| matches!(command.answer, Answer::Retired { .. }))
}

/// The exit code of a verb that did what it could: 3 if something could not be read, 2 if something
/// was left (semantics 9.5).
fn code_after(report: &Report) -> u8 {
    let is_left = report.decided.leaves_any() || !report.plan.findings.is_empty();
    match report.count(&[Verdict::Unknown]) {
        0 if retires(report) && is_left => 2,
        0 => 0,
        _ => 3,
    }
}
