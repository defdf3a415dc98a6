//! `check`, `preview`, `up`, `audit`.

use kedge_core::render::{self, RenderOptions, Traffic};
use kedge_core::report::{Changed, Report, StackVerdict};
use kedge_engine::bundles;
use kedge_engine::ports::{Clock as _, ProviderName};
use kedge_engine::reconcile::{self, Authorisation, RunError};

use crate::args::{Args, CheckOptions, Command, FailOn, Format, PreviewOptions, UpOptions};
use crate::error::CliError;
use crate::progress::Watcher;
use crate::setup::Setup;
use crate::{confirm, definitions, error, screen, shown_plan};

/// A verb under way.
pub(crate) struct Invocation<'a> {
    pub(crate) args: &'a Args,
    pub(crate) setup: Setup,
    pub(crate) watcher: Watcher,
    began_ms: i64,
}

impl<'a> Invocation<'a> {
    pub(crate) async fn new(args: &'a Args) -> Result<Self, CliError> {
        let mut setup = Setup::of(args)?;
        let began_ms = setup.ports.now().0;
        let is_preview = matches!(args.verb, Command::Preview(_));
        setup.read_definitions(args, is_preview).await?;
        Ok(Self {
            args,
            setup,
            watcher: Watcher::new(args.format() != Format::Text),
            began_ms,
        })
    }

    pub(crate) async fn look(
        &self,
        every_dns_name: bool,
        guards: &[String],
    ) -> Result<Report, CliError> {
        let overrides = confirm::guards(guards)?;
        let see = |progress: reconcile::Progress<'_>| self.watcher.see(progress);
        let job = reconcile::Job {
            every_dns_name,
            ..self.setup.job(&see)
        };
        let (ports, store) = (&self.setup.ports, &self.setup.store);
        let report = match &self.setup.read {
            Some(read) => bundles::preview_stored(ports, store, job, read, &overrides).await,
            None => reconcile::preview(ports, store, job, &overrides).await,
        };
        self.watcher.end();
        let report = report?;
        Ok(match &self.setup.push_first {
            Some(_) => Report {
                push_first: self.setup.push_first.clone(),
                ..report
            },
            None => report,
        })
    }

    pub(crate) fn refuse_if_read_only(&self) -> Result<(), CliError> {
        match self.setup.read_only {
            true => Err(CliError::Usage(
                "KEDGE_READ_ONLY is set: nothing may be changed from here".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Whether anything may be changed from here: not read-only, and with definitions that can be
    /// used (semantics 4.1).
    pub(crate) fn may_change(&self) -> Result<(), CliError> {
        self.refuse_if_read_only()?;
        if let Some(read) = &self.setup.read {
            bundles::usable(read)?;
        }
        Ok(())
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

    /// Prints an answer in the form that is asked for, and the statistics if they are asked for.
    pub(crate) fn answer(
        &self,
        report: &Report,
        text: impl FnOnce(&RenderOptions<'_>) -> String,
        json: impl FnOnce(Option<&Traffic>) -> serde_json::Value,
    ) -> Result<(), CliError> {
        let traffic = self.traffic();
        match self.args.format() {
            Format::Text => {}
            Format::Json => {
                let mut json = json(Some(&traffic));
                if let Some(object) = json.as_object_mut() {
                    let definitions = self.setup.definitions.clone();
                    object.insert("definitions".to_owned(), definitions.into());
                    if self.args.stats {
                        object.insert("stats".to_owned(), self.stats_json());
                    }
                }
                return screen::out(&format!("{json:#}\n"));
            }
            Format::Junit => return screen::out(&render::junit_xml(report)),
            Format::Github => {
                let root = definitions::in_repository(&self.args.definitions);
                return screen::out(&render::github_annotations(report, &root));
            }
        }
        let mut text = text(&RenderOptions {
            stack_origin: &self.setup.chosen.origin,
            definitions: &self.setup.definitions,
            flags: &self.setup.flags(self.args),
            colour: screen::stdout_colour(self.args.colour),
            traffic: Some(traffic),
            verbose: true,
        });
        if self.args.stats {
            text.push_str(&self.stats_text());
        }
        screen::out(&text)
    }

    /// Says what a run saw and did, as `tell` has it, and of one that stopped before its end why it
    /// stopped. `tell` gets no changes of a run that began none. Gives back the report and what was
    /// done of a run that went to its end.
    pub(crate) fn ended(
        &self,
        ended: Result<(Report, Changed), RunError>,
        tell: impl FnOnce(&Report, Option<&Changed>) -> Result<(), CliError>,
    ) -> Result<Option<(Report, Changed)>, CliError> {
        let error = match ended {
            Ok((report, changed)) => {
                tell(&report, Some(&changed))?;
                return Ok(Some((report, changed)));
            }
            Err(error) => error,
        };
        let RunError::Stopped { stopped, .. } = &error else {
            return Err(error.into());
        };
        let begun = stopped.has_begun().then_some(&stopped.changed);
        let is_json = self.args.format() == Format::Json;
        match begun {
            None if is_json => {
                let traffic = self.traffic();
                let report = render::check_json(&stopped.report, Some(&traffic));
                error::print_json(&error, Some(report), 1);
            }
            begun => tell(&stopped.report, begun)?,
        }
        error::print_text(&error.into());
        Ok(None)
    }

    fn stats_text(&self) -> String {
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
        text
    }

    fn stats_json(&self) -> serde_json::Value {
        let stats = self.setup.ports.http.stats();
        let of = |name: &ProviderName| {
            let traffic = stats.get(name).copied().unwrap_or_default();
            let json = serde_json::json!({
                "reads": traffic.reads,
                "writes": traffic.writes,
                "bytes_sent": traffic.bytes_out,
                "bytes_received": traffic.bytes_in,
            });
            (name.as_str().to_owned(), json)
        };
        let operations = self.setup.store.operations();
        let store = serde_json::json!({
            "reads": operations.reads(),
            "writes": operations.writes(),
        });
        ProviderName::ALL
            .iter()
            .map(of)
            .chain([("store".to_owned(), store)])
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// `kedge check`.
pub(crate) async fn check(args: &Args, options: &CheckOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    let report = run.look(false, &[]).await?;
    run.answer(
        &report,
        |around| render::check_text(&report, around),
        |traffic| render::check_json(&report, traffic),
    )?;
    Ok(report.verdict().exit_code(options.fail_on == FailOn::Drift))
}

/// `kedge preview`.
pub(crate) async fn preview(args: &Args, options: &PreviewOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    let report = run.look(false, &options.overrides).await?;
    shown_plan::keep(&report.plan.summary);
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |traffic| render::preview_json(&report, traffic),
    )?;
    Ok(report.verdict().exit_code(false))
}

/// `kedge audit`. Looks at everything, so that its exit code is only about whether it could.
pub(crate) async fn audit(args: &Args) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    let report = run.look(true, &[]).await?;
    run.answer(
        &report,
        |around| render::audit_text(&report, around),
        |traffic| render::check_json(&report, traffic),
    )?;
    Ok(if report.verdict() >= StackVerdict::Incomplete {
        3
    } else {
        0
    })
}

/// `kedge up`.
pub(crate) async fn up(args: &Args, options: &UpOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    run.may_change()?;
    let authorisation = match confirm::given(options, args.format() == Format::Text)? {
        Some(authorisation) => authorisation,
        None => match ask(&run, options).await? {
            Asked::Agreed(authorisation) => authorisation,
            Asked::Ended(code) => return Ok(code),
        },
    };
    let see = |progress: reconcile::Progress<'_>| run.watcher.see(progress);
    let job = reconcile::Job {
        trigger: if options.unattended {
            "unattended"
        } else {
            "cli"
        },
        ..run.setup.job(&see)
    };
    let ended = reconcile::up(&run.setup.ports, &run.setup.store, job, &authorisation).await;
    run.watcher.end();
    let tell = |report: &Report, changed: Option<&Changed>| {
        run.answer(
            report,
            |around| match changed {
                Some(changed) => render::changed_text(report, changed, around),
                None => render::check_text(report, around),
            },
            |traffic| match changed {
                Some(changed) => render::changed_json(report, changed, traffic),
                None => render::check_json(report, traffic),
            },
        )
    };
    let ended = run.ended(ended, tell)?;
    Ok(ended.map_or(1, |(report, changed)| report.exit_code_after(&changed)))
}

/// What came of asking.
enum Asked {
    /// They agreed.
    Agreed(Authorisation),
    /// There is nothing to do, or they said no: the exit code.
    Ended(u8),
}

/// Shows the plan and asks.
async fn ask(run: &Invocation<'_>, options: &UpOptions) -> Result<Asked, CliError> {
    let report = run.look(false, &options.overrides).await?;
    run.answer(
        &report,
        |around| render::preview_text(&report, around),
        |traffic| render::preview_json(&report, traffic),
    )?;
    if let Some(open) = report.open_run.as_ref().filter(|open| open.is_working()) {
        return Err(CliError::BeingChanged(open.to_string()));
    }
    if !report.has_something_to_do() {
        return Ok(Asked::Ended(report.verdict().exit_code(false)));
    }
    if let Some(authorisation) = confirm::ask(options, &report)? {
        return Ok(Asked::Agreed(authorisation));
    }
    screen::err("nothing was changed\n")?;
    Ok(Asked::Ended(0))
}
