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
use crate::stack::Chosen;
use crate::{confirm, definitions, error, screen, shown_plan};

/// A verb under way.
pub(crate) struct Invocation<'a> {
    pub(crate) args: &'a Args,
    pub(crate) setup: Setup,
    pub(crate) watcher: Watcher,
    /// Whether the plan was printed before.
    pub(crate) plan_shown: Cell<bool>,
    /// Whether what follows the page says what to do next: a question, or an error.
    pub(crate) next_follows: Cell<bool>,
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
            next_follows: Cell::new(false),
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
        self.setup.described(self.args, report).says_stored
    }

    /// Which stack and which definitions an answer is about, in one line.
    pub(crate) fn headline(&self, report: &Report) -> String {
        let Chosen { stack, origin } = &self.setup.chosen;
        let described = self.setup.described(self.args, report);
        let definitions = render::definitions_text(report, &described.text);
        format!("{stack} (from {origin}) · {definitions}")
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
        let described = self.setup.described(self.args, report);
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
            next_follows: self.next_follows.get(),
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
        self.next_follows.set(error.hint().is_some());
        let line = self.line(self.is_stored_elsewhere(&stopped.report));
        let begun = stopped.has_begun().then_some(&stopped.changed);
        let is_json = self.args.format() == Format::Json;
        match begun {
            None if is_json => {
                let definitions = self.setup.described(self.args, &stopped.report).text;
                let around = self.surroundings(&definitions);
                let report = documents::check(&stopped.report, &around);
                error::print_json(&error, Some(report), 1, &line);
            }
            begun => tell(&stopped.report, begun)?,
        }
        if !is_json {
            error::print_text(&error, &line, self.args);
        }
        Ok(None)
    }

    fn stats_text(&self) -> String {
        let stats = self.setup.ports.http.stats();
        let rows: Vec<[String; 5]> = ProviderName::ALL
            .into_iter()
            .map(|name| {
                let traffic = stats.get(&name).copied().unwrap_or_default();
                let numbers = [
                    traffic.reads,
                    traffic.writes,
                    traffic.bytes_out,
                    traffic.bytes_in,
                ];
                let [reads, writes, sent, received] = numbers.map(|number| number.to_string());
                [name.as_str().to_owned(), reads, writes, sent, received]
            })
            .collect();
        let heads = [
            "provider",
            "reads",
            "writes",
            "bytes sent",
            "bytes received",
        ];
        let table = screen::table(heads, &rows, screen::width());
        let operations = self.setup.store.operations();
        let rest = format!(
            "store: {} reads, {} writes · {}\nwall time: {} ms\n",
            operations.reads(),
            operations.writes(),
            self.setup.chosen_store.describe(),
            self.traffic().wall_ms.unwrap_or_default()
        );
        format!("{table}{}", screen::lines(&rest))
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
    if !run.setup.read_only {
        shown_plan::keep(&report.plan.summary);
    }
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |around| {
            let hints = run.json_hints();
            documents::json_text(&documents::preview(&report, around, Some(&hints)))
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
    if run.setup.read_only {
        // Nobody is told to pass a flag that would be refused too.
        return Err(RunError::ReadOnly.into());
    }
    let by = match confirm::given(options, args.format())? {
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
    // What follows is a question, or an error that says what to do.
    run.next_follows
        .set(open.is_some() || report.has_something_to_do());
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |around| {
            let hints = run.json_hints();
            documents::json_text(&documents::preview(&report, around, Some(&hints)))
        },
    )?;
    run.next_follows.set(false);
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
    Ok(Asked::Ended(report.verdict().exit_code(false)))
}
