//! `adopt`, `forget`, `refresh` and `retire`: each shows what it comes to, asks, and does it.

use kedge_core::compare::Verdict;
use kedge_core::plan::Plan;
use kedge_core::recording::{Answer, CommandOutcome, MassAbsence};
use kedge_core::render::{self, RenderOptions, Traffic};
use kedge_core::report::{Changed, Report};
use kedge_engine::reconcile::{self, Authorisation, Progress, RunError};
use kedge_engine::state_command::StateCommand;

use crate::args::{AdoptOptions, Args, ForgetOptions, Format, RefreshOptions, RetireOptions};
use crate::error::CliError;
use crate::screen;
use crate::verbs::Invocation;

/// `kedge adopt`.
pub(crate) async fn adopt(args: &Args, options: &AdoptOptions) -> Result<u8, CliError> {
    let names = options.keys.clone();
    let asking = Asking::new(args, StateCommand::Adopt { names }).await?;
    let report = asking.dry_run().await?;
    let question = "Type `yes` to record this, anything else to do nothing: ";
    if !asking.has_news(&report)? {
        return Ok(code_after(&report));
    }
    if !asking.agreed(options.yes, question, &report)? {
        return Ok(0);
    }
    asking.fulfil(asking.request.clone()).await
}

/// `kedge forget`.
pub(crate) async fn forget(args: &Args, options: &ForgetOptions) -> Result<u8, CliError> {
    let names = options.keys.clone();
    let asking = Asking::new(args, StateCommand::Forget { names }).await?;
    let report = asking.dry_run().await?;
    let question = "Type `yes` to forget this, anything else to do nothing: ";
    if !asking.agreed(options.yes, question, &report)? {
        return Ok(0);
    }
    asking.fulfil(asking.request.clone()).await
}

/// `kedge refresh`. It asks only where an absence is confirmed: what it records besides, any `up`
/// records too.
pub(crate) async fn refresh(args: &Args, options: &RefreshOptions) -> Result<u8, CliError> {
    let Some(given) = &options.confirm_absence else {
        let asking = Asking::new(args, StateCommand::Refresh).await?;
        return asking.fulfil(StateCommand::Refresh).await;
    };
    let asking = Asking::new(
        args,
        StateCommand::ConfirmAbsence {
            expected_digest: None,
        },
    )
    .await?;
    if !given.is_empty() {
        let seen = Some(given.clone());
        return asking
            .fulfil(StateCommand::ConfirmAbsence {
                expected_digest: seen,
            })
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
        return Err(CliError::Usage(format!(
            "nobody can be asked here: name what you saw with --confirm-absence {}",
            digest.digest
        )));
    }
    let question = "Are they gone? Type `yes` to say so, anything else to do nothing: ";
    if !asking.agreed(false, question, &report)? {
        return Ok(0);
    }
    let seen = Some(digest.digest.clone());
    asking
        .fulfil(StateCommand::ConfirmAbsence {
            expected_digest: seen,
        })
        .await
}

/// `kedge retire`.
pub(crate) async fn retire(args: &Args, options: &RetireOptions) -> Result<u8, CliError> {
    let asking = Asking::new(
        args,
        StateCommand::Retire {
            expected_digest: None,
        },
    )
    .await?;
    let stack = asking.run.setup.chosen.stack.to_string();
    if let Some(name) = options.confirm.as_ref().filter(|name| **name != stack) {
        return Err(CliError::Usage(format!(
            "`{name}` is not the name of the stack, `{stack}`; nothing was changed"
        )));
    }
    let report = asking.dry_run().await?;
    let Plan {
        digest, retired, ..
    } = &report.plan;
    let seen = Some(digest.clone());
    let ends = |command: &CommandOutcome| command.recording.retires.is_some();
    let may_end = report.command.as_ref().is_some_and(ends);
    if report.decided.approved.is_empty() && !may_end {
        asking.show(&report, None)?;
        if retired.is_some() {
            // A run before may have ended just before the registry of stacks heard of it.
            asking
                .bring_up(StateCommand::Retire {
                    expected_digest: seen,
                })
                .await?;
        }
        return Ok(code_after(&report));
    }
    if options.confirm.is_none() {
        if !asking.can_ask() {
            return Err(CliError::Usage(format!(
                "nobody can be asked here: type the stack's name with --confirm {stack}"
            )));
        }
        asking.show(&report, None)?;
        let question = format!("Type `{stack}` to delete all of it, anything else to do nothing: ");
        if screen::ask(&question)? != stack {
            screen::err("nothing was changed\n")?;
            return Ok(0);
        }
    }
    asking
        .fulfil(StateCommand::Retire {
            expected_digest: seen,
        })
        .await
}

/// A verb under way.
struct Asking<'a> {
    run: Invocation<'a>,
    request: StateCommand,
}

impl<'a> Asking<'a> {
    async fn new(args: &'a Args, request: StateCommand) -> Result<Self, CliError> {
        let run = Invocation::new(args).await?;
        run.may_change()?;
        Ok(Self { run, request })
    }

    /// An answer for a machine is one document, with no question in it.
    fn can_ask(&self) -> bool {
        screen::can_ask() && self.run.args.format() == Format::Text
    }

    async fn dry_run(&self) -> Result<Report, CliError> {
        let run = &self.run;
        let see = |progress: Progress<'_>| run.watcher.see(progress);
        let (setup, request) = (&run.setup, &self.request);
        let report = reconcile::dry_run(&setup.ports, &setup.store, setup.job(&see), request).await;
        run.watcher.end();
        Ok(report?)
    }

    /// Whether there is anything to do; says so where there is not.
    fn has_news(&self, report: &Report) -> Result<bool, CliError> {
        let command = report.command.as_ref();
        let news = command.is_some_and(|command| !command.recording.is_empty())
            || !report.decided.approved.is_empty();
        if !news {
            self.show(report, None)?;
        }
        Ok(news)
    }

    /// Whether a person agrees: by flag, or on the terminal, once they saw what it comes to.
    fn agreed(&self, yes: bool, question: &str, report: &Report) -> Result<bool, CliError> {
        if yes {
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(CliError::Usage(
                "nobody can be asked here: agree with --yes".to_owned(),
            ));
        }
        self.show(report, None)?;
        if screen::ask(question)? == "yes" {
            return Ok(true);
        }
        screen::err("nothing was changed\n")?;
        Ok(false)
    }

    /// Does what was asked, and says nothing of it.
    async fn bring_up(&self, request: StateCommand) -> Result<(Report, Changed), RunError> {
        let run = &self.run;
        let see = |progress: Progress<'_>| run.watcher.see(progress);
        let job = run.setup.job(&see);
        let by = Authorisation::Command(request);
        let ended = reconcile::up(&run.setup.ports, &run.setup.store, job, &by).await;
        run.watcher.end();
        ended
    }

    async fn fulfil(&self, request: StateCommand) -> Result<u8, CliError> {
        let run = &self.run;
        let ended = self.bring_up(request).await;
        let tell = |report: &Report, changed: Option<&Changed>| self.show(report, changed);
        let Some((report, changed)) = run.ended(ended, tell)? else {
            return Ok(1);
        };
        Ok(match (changed.has_failed(), code_after(&report)) {
            (true, _) => 1,
            (false, 0) if !changed.is_complete() => 2,
            (false, code) => code,
        })
    }

    fn show(&self, report: &Report, changed: Option<&Changed>) -> Result<(), CliError> {
        let text = |around: &RenderOptions<'_>| match changed {
            Some(changed) if !changed.results.is_empty() || changed.stopped.is_some() => {
                render::changed_text(report, changed, around)
            }
            Some(changed) => {
                let text = render::state_command_text(report, around);
                format!("{text}{}\n", done_line(changed))
            }
            None => render::state_command_text(report, around),
        };
        let json = |traffic: Option<&Traffic>| {
            render::state_command_json(report, self.request.verb(), changed, traffic)
        };
        self.run.answer(report, text, json)
    }
}

fn absence_of(report: &Report) -> Option<&MassAbsence> {
    match &report.command.as_ref()?.answer {
        Answer::Absent(absence) => Some(absence),
        _ => None,
    }
}

/// `done: 5 recorded, 1 forgotten; no request changed a provider`.
fn done_line(changed: &Changed) -> String {
    format!(
        "done: {} recorded, {} forgotten; nothing was changed at a provider",
        changed.recorded, changed.forgotten
    )
}

/// The exit code of a verb that did what it could: 3 if something could not be read, 2 if something
/// was left (semantics 9.5).
fn code_after(report: &Report) -> u8 {
    let retires = matches!(
        report.command.as_ref().map(|command| &command.answer),
        Some(Answer::Retired { .. })
    );
    let is_left = !report.decided.left.is_empty() || !report.plan.findings.is_empty();
    match report.count(&[Verdict::Unknown]) {
        0 if retires && is_left => 2,
        0 => 0,
        _ => 3,
    }
}
