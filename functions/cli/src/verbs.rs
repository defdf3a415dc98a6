//! `check`, `preview`, `up`, `audit`.

use std::cell::Cell;

use kedge_core::documents::{self, ProviderStats, Stats, StoreStats, Surroundings};
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::render::{self, RenderOptions, Traffic};
use kedge_core::report::{Changed, Report, StackVerdict};
use kedge_engine::ports::{Clock as _, ProviderName};
use kedge_engine::{Applied, By, CheckRequest, Progress, Ran, RunError};

use crate::args::{Args, CheckOptions, FailOn, Format, PreviewOptions, UpOptions};
use crate::error::CliError;
use crate::hints::CommandLine;
use crate::progress::Watcher;
use crate::setup::Setup;
use crate::{confirm, definitions, error, screen, shown_plan};

/// A verb under way.
pub(crate) struct Invocation<'a> {
    pub(crate) args: &'a Args,
    pub(crate) setup: Setup,
    pub(crate) watcher: Watcher,
    /// Whether the plan was printed before.
    pub(crate) plan_shown: Cell<bool>,
    /// Whether an error will follow the next page, and say what to do next.
    error_follows: Cell<bool>,
    began_ms: i64,
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(args: &'a Args) -> Result<Self, CliError> {
        let setup = Setup::of(args)?;
        let began_ms = setup.ports.now().0;
        Ok(Self {
            args,
            setup,
            watcher: Watcher::new(args.format() != Format::Text),
            plan_shown: Cell::new(false),
            error_follows: Cell::new(false),
            began_ms,
        })
    }

    pub(crate) fn stack(&self) -> &StackName {
        &self.setup.chosen.stack
    }

    /// Looks at the stack.
    pub(crate) async fn check(&self, options: CheckRequest) -> Result<Report, CliError> {
        let see = |progress: Progress<'_>| self.watcher.see(progress);
        let checked = self.setup.engine(&see).check(self.stack(), &options).await;
        self.watcher.end();
        Ok(checked?.report)
    }

    /// Looks at the stack before somebody is asked for consent.
    async fn plan(&self, options: CheckRequest) -> Result<Report, CliError> {
        let see = |progress: Progress<'_>| self.watcher.see(progress);
        let checked = self.setup.engine(&see).plan(self.stack(), &options).await;
        self.watcher.end();
        Ok(checked?.report)
    }

    /// What the commands that people are told to run have in common.
    pub(crate) fn line(&self, says_stored: bool) -> CommandLine {
        let stored = if says_stored { " --stored" } else { "" };
        CommandLine {
            stack: Some(self.setup.chosen.stack.to_string()),
            names_stack: self.setup.chosen.origin == "--stack",
            flags: format!("{}{stored}", self.args.flags()),
            read_only: self.setup.read_only,
        }
    }

    /// Whether commands must say `--stored` to mean the definitions of this report.
    pub(crate) fn is_stored_elsewhere(&self, report: &Report) -> bool {
        let described = self.setup.described(self.args, report.stored.as_deref());
        described.says_stored
    }

    /// The same in JSON: without the flags, which differ from machine to machine.
    fn json_hints(&self) -> impl Fn(&Hint) -> String + use<> {
        let line = CommandLine {
            names_stack: true,
            flags: String::new(),
            read_only: false,
            ..self.line(false)
        };
        move |hint| line.words(hint)
    }

    fn traffic(&self) -> Traffic {
        let stats = self.setup.ports.http.stats();
        let wall_ms = self.setup.ports.now().0 - self.began_ms;
        Traffic {
            reads: stats.values().map(|traffic| traffic.reads).sum(),
            writes: stats.values().map(|traffic| traffic.writes).sum(),
            wall_ms: u64::try_from(wall_ms).ok(),
        }
    }

    /// What this program knows beside the report.
    fn surroundings<'d>(&self, definitions: &'d str) -> Surroundings<'d> {
        Surroundings {
            definitions: Some(definitions),
            traffic: Some(self.traffic()),
            stats: self.args.stats.then(|| self.stats()),
        }
    }

    /// Prints an answer in the form that is asked for, and the statistics if they are asked for.
    pub(crate) fn answer(
        &self,
        report: &Report,
        text: impl FnOnce(&RenderOptions<'_>) -> String,
        json: impl FnOnce(&Surroundings<'_>) -> Result<String, serde_json::Error>,
    ) -> Result<(), CliError> {
        let described = self.setup.described(self.args, report.stored.as_deref());
        match self.args.format() {
            Format::Text => {}
            Format::Json => {
                let around = self.surroundings(&described.text);
                return screen::out(&json(&around)?);
            }
            Format::Junit => return screen::out(&render::junit_xml(report)),
            Format::Github => {
                let root = definitions::in_repository(&self.args.definitions);
                return screen::out(&render::github_annotations(report, &root));
            }
        }
        let line = self.line(described.says_stored);
        let mut text = text(&RenderOptions {
            stack_origin: &self.setup.chosen.origin,
            definitions: &described.text,
            hints: &|hint| line.words(hint),
            screen: screen::of_stdout(self.args),
            traffic: Some(self.traffic()),
            times: true,
            plan_shown: self.plan_shown.get(),
            error_follows: self.error_follows.get(),
        });
        if self.args.stats {
            text.push_str(&self.stats_text());
        }
        screen::out(&text)
    }

    /// Shows what a run saw and did with `tell`, and why it stopped if it did. `tell` gets no changes
    /// of a run that made none. Gives back the report and the changes of a run that was not stopped.
    pub(crate) fn ended(
        &self,
        applied: Applied,
        tell: impl FnOnce(&Report, Option<&Changed>) -> Result<(), CliError>,
    ) -> Result<Option<Ran>, CliError> {
        let error = match applied.into_result() {
            Ok(ran) => {
                tell(&ran.report, Some(&ran.changed))?;
                return Ok(Some(ran));
            }
            Err(error) => error,
        };
        let error = CliError::from(error);
        let CliError::Run(RunError::Stopped { stopped, .. }) = &error else {
            return Err(error);
        };
        self.error_follows.set(error.hint().is_some());
        let begun = stopped.has_begun().then_some(&stopped.changed);
        let is_json = self.args.format() == Format::Json;
        match begun {
            None if is_json => {
                let stored = stopped.report.stored.as_deref();
                let definitions = self.setup.described(self.args, stored).text;
                let around = self.surroundings(&definitions);
                let report = documents::check(&stopped.report, &around);
                error::print_json(&error, Some(report), 1, &self.line(false));
            }
            begun => tell(&stopped.report, begun)?,
        }
        if !is_json {
            error::print_text(&error, &self.line(false), self.args);
        }
        Ok(None)
    }

    fn stats_text(&self) -> String {
        const TABLE_WIDTH: usize = 52;
        match screen::width() < TABLE_WIDTH {
            true => self.stats_sentences(),
            false => self.stats_table(),
        }
    }

    /// For a screen on which the table has no room.
    fn stats_sentences(&self) -> String {
        let stats = self.setup.ports.http.stats();
        let of = |name: ProviderName| {
            let traffic = stats.get(&name).copied().unwrap_or_default();
            format!(
                "{}: {} reads, {} writes, {} bytes sent, {} bytes taken\n",
                name.as_str(),
                traffic.reads,
                traffic.writes,
                traffic.bytes_out,
                traffic.bytes_in
            )
        };
        let providers: String = ProviderName::ALL.into_iter().map(of).collect();
        let operations = self.setup.store.operations();
        let text = format!(
            "{providers}store: {} reads, {} writes ({})\nwall time {} ms\n",
            operations.reads(),
            operations.writes(),
            self.setup.chosen_store.describe(),
            self.traffic().wall_ms.unwrap_or_default()
        );
        screen::lines(&text)
    }

    fn stats_table(&self) -> String {
        let stats = self.setup.ports.http.stats();
        let mut text = format!(
            "{:<12} {:>6} {:>6} {:>12} {:>12}\n",
            "provider", "reads", "writes", "bytes sent", "bytes taken"
        );
        for name in ProviderName::ALL {
            let traffic = stats.get(&name).copied().unwrap_or_default();
            text.push_str(&format!(
                "{:<12} {:>6} {:>6} {:>12} {:>12}\n",
                name.as_str(),
                traffic.reads,
                traffic.writes,
                traffic.bytes_out,
                traffic.bytes_in
            ));
        }
        let operations = self.setup.store.operations();
        text.push_str(&format!(
            "{:<12} {:>6} {:>6}   {}\n",
            "store",
            operations.reads(),
            operations.writes(),
            self.setup.chosen_store.describe()
        ));
        let wall_ms = self.traffic().wall_ms.unwrap_or_default();
        text.push_str(&format!("wall time {wall_ms} ms\n"));
        screen::lines(&text)
    }

    fn stats(&self) -> Stats {
        let stats = self.setup.ports.http.stats();
        let of = |name: ProviderName| {
            let traffic = stats.get(&name).copied().unwrap_or_default();
            ProviderStats {
                provider: (&name).into(),
                reads: traffic.reads,
                writes: traffic.writes,
                bytes_sent: traffic.bytes_out,
                bytes_received: traffic.bytes_in,
            }
        };
        let operations = self.setup.store.operations();
        Stats {
            providers: ProviderName::ALL.map(of).to_vec(),
            store: StoreStats {
                reads: operations.reads(),
                writes: operations.writes(),
            },
        }
    }
}

/// `kedge check`.
pub(crate) async fn check(args: &Args, options: &CheckOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let report = run.check(CheckRequest::default()).await?;
    run.answer(
        &report,
        |around| render::check_text(&report, around),
        |around| documents::json_text(&documents::check(&report, around)),
    )?;
    Ok(report.verdict().exit_code(options.fail_on == FailOn::Drift))
}

/// `kedge preview`.
pub(crate) async fn preview(args: &Args, options: &PreviewOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let report = run.check(with_guards(&options.overrides)?).await?;
    shown_plan::keep(&report.plan.summary);
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |around| {
            let hints = run.json_hints();
            documents::json_text(&documents::preview(&report, around, &hints))
        },
    )?;
    Ok(report.verdict().exit_code(false))
}

/// `kedge audit`. Looks at everything, so that its exit code is only about whether it could.
pub(crate) async fn audit(args: &Args) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let every_dns_name = true;
    let report = run
        .check(CheckRequest {
            every_dns_name,
            ..CheckRequest::default()
        })
        .await?;
    run.answer(
        &report,
        |around| render::audit_text(&report, around),
        |around| documents::json_text(&documents::check(&report, around)),
    )?;
    Ok(if report.verdict() >= StackVerdict::Incomplete {
        3
    } else {
        0
    })
}

/// `kedge up`.
pub(crate) async fn up(args: &Args, options: &UpOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let by = match confirm::given(options, args.format() == Format::Text)? {
        Some(by) => by,
        None => match ask(&run, options).await? {
            Asked::Agreed(by) => by,
            Asked::Ended(code) => return Ok(code),
        },
    };
    let see = |progress: Progress<'_>| run.watcher.see(progress);
    let mut engine = run.setup.engine(&see);
    if options.unattended {
        engine.settings.trigger = "unattended";
    }
    let applied = engine.apply(run.stack(), &by).await;
    run.watcher.end();
    let tell = |report: &Report, changed: Option<&Changed>| {
        run.answer(
            report,
            |around| match changed {
                Some(changed) => render::changed_text(report, changed, around),
                // What it saw was shown with the plan.
                None if around.plan_shown => String::new(),
                None => render::check_text(report, around),
            },
            |around| match changed {
                Some(changed) => documents::json_text(&documents::changed(report, changed, around)),
                None => documents::json_text(&documents::check(report, around)),
            },
        )
    };
    let ran = run.ended(applied, tell)?;
    Ok(ran.map_or(1, |ran| ran.report.exit_code_after(&ran.changed)))
}

/// What came of asking.
enum Asked {
    /// They agreed.
    Agreed(By),
    /// There is nothing to do, or they said no: the exit code.
    Ended(u8),
}

/// The plan without these guards.
fn with_guards(names: &[String]) -> Result<CheckRequest, CliError> {
    Ok(CheckRequest {
        guards: confirm::guards(names)?,
        ..CheckRequest::default()
    })
}

/// Shows the plan and asks.
async fn ask(run: &Invocation<'_>, options: &UpOptions) -> Result<Asked, CliError> {
    let report = run.plan(with_guards(&options.overrides)?).await?;
    let open = report.open_run.as_ref().filter(|open| open.is_working());
    run.error_follows.set(open.is_some());
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |around| {
            let hints = run.json_hints();
            documents::json_text(&documents::preview(&report, around, &hints))
        },
    )?;
    run.plan_shown.set(true);
    if let Some(open) = open {
        return Err(CliError::BeingChanged(open.to_string()));
    }
    if !report.has_something_to_do() {
        return Ok(Asked::Ended(report.verdict().exit_code(false)));
    }
    if let Some(by) = confirm::ask(options, &report)? {
        return Ok(Asked::Agreed(by));
    }
    screen::err("nothing was changed\n")?;
    Ok(Asked::Ended(0))
}
