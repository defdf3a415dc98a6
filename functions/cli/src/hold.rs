//! `hold` and `release`.

use std::collections::BTreeSet;

use kedge_core::documents::{self, CurrentRun};
use kedge_core::model::Timestamp;
use kedge_core::render;
use kedge_core::stored::hold::{Hold, Holds};
use kedge_engine::ports::Clock as _;
use kedge_engine::{HoldRequest, LeaseHolder, ReleaseRequest};

use crate::args::{Args, Format, HoldOptions, ReleaseOptions};
use crate::error::CliError;
use crate::screen;
use crate::verbs::Invocation;

/// `kedge hold`: without `--for` it lists.
pub(crate) async fn hold(args: &Args, options: &HoldOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    run.setup.refuse_unknown().await?;
    let engine = run.setup.engine(&|_| {});
    let (stack, now) = (run.stack(), run.setup.ports.now());
    let (Some(length), Some(reason)) = (&options.length, &options.reason) else {
        show(&run, &engine.holds(stack).await?, &[], None, now)?;
        return Ok(0);
    };
    let keys = match options.keys.as_slice() {
        [] => BTreeSet::new(),
        names => engine.resolve_keys(stack, names).await?,
    };
    let request = HoldRequest {
        keys,
        reason: reason.clone(),
        length_ms: *length,
        replace: options.replace,
    };
    let all = engine.hold(stack, &request).await?;
    let is_json = args.format() == Format::Json;
    if !is_json {
        show(&run, &all, &[], None, now)?;
    }
    let unaware = engine.unaware_of_holds(stack).await;
    let holder = unaware.map_err(CliError::HoldStands)?;
    let current_run = match &holder {
        None => None,
        Some(holder) => Some(wait_for(&run, holder, options.no_wait).await?),
    };
    if is_json {
        show(&run, &all, &[], current_run, now)?;
    }
    Ok(0)
}

/// Shows which run is working, and waits until it knows of the hold, or ended.
async fn wait_for(
    run: &Invocation<'_>,
    holder: &LeaseHolder,
    no_wait: bool,
) -> Result<CurrentRun, CliError> {
    let is_json = run.args.format() == Format::Json;
    let seconds = holder.begins_for_ms / 1000;
    let unaware_s = u64::try_from(seconds).unwrap_or_default();
    let current_run = CurrentRun::new(&holder.actor, &holder.run, holder.since, unaware_s);
    if !is_json {
        let waiting = match no_wait {
            true => "",
            false => "\nWaiting until it knows. Ctrl-C ends the waiting, not the hold.",
        };
        screen::err_lines(&format!(
            "{holder}\nIt reads the hold when it renews its lease, and starts no blocked change later \
             than {seconds} s from now.{waiting}\n"
        ))?;
    }
    if no_wait {
        return Ok(current_run);
    }
    let ended = run.setup.engine(&|_| {}).await_hold(holder).await;
    let ended = ended.map_err(CliError::HoldStands)?;
    if !is_json {
        let id = render::plain_text(&holder.run);
        screen::out_lines(&match ended {
            true => format!("run {id} ended; `kedge history` shows what it did\n"),
            false => format!(
                "run {id} knows of the hold and starts no blocked change; what it had started may \
                 still end\n"
            ),
        })?;
    }
    Ok(current_run.waited_for(ended))
}

/// `kedge release`.
pub(crate) async fn release(args: &Args, options: &ReleaseOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    run.setup.refuse_unknown().await?;
    let engine = run.setup.engine(&|_| {});
    let (stack, now) = (run.stack(), run.setup.ports.now());
    let request = match (options.replace, options.all, options.keys.as_slice()) {
        (true, ..) => ReleaseRequest::Unreadable,
        (false, true, _) => ReleaseRequest::All,
        (false, false, []) => ReleaseRequest::Stack,
        (false, false, names) => {
            let named = engine.holds(stack).await?.named(names);
            ReleaseRequest::Keys(named.map_err(CliError::Usage)?)
        }
    };
    let (left, released) = engine.release(stack, &request).await?;
    let is_named = matches!(request, ReleaseRequest::Stack | ReleaseRequest::Keys(_));
    if released.is_empty() && is_named {
        return Err(CliError::Usage(match options.keys.is_empty() {
            true => format!(
                "there is no hold on the whole stack {stack}; `kedge hold` lists what is held"
            ),
            false => "none of these are held; `kedge hold` lists what is held".to_owned(),
        }));
    }
    show(&run, &left, &released, None, now)?;
    Ok(0)
}

fn show(
    run: &Invocation<'_>,
    holds: &Holds,
    released: &[Hold],
    current_run: Option<CurrentRun>,
    now: Timestamp,
) -> Result<(), CliError> {
    let stack = &run.setup.chosen.stack;
    if run.args.format() == Format::Json {
        let document = documents::holds(stack, holds, released, current_run, now);
        return screen::document(&document);
    }
    let screen = screen::of_stdout(run.args);
    screen::out(&render::released_text(stack, released, now, screen))?;
    screen::out(&render::holds_text(stack, holds, now, screen))
}
