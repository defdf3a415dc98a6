//! `hold` and `release`.

use kedge_core::model::{ResourceKey, Timestamp};
use kedge_core::render::{self, UnderWay};
use kedge_core::stored::hold::{Hold, Holds};
use kedge_engine::holds;
use kedge_engine::lease::LeaseHolder;
use kedge_engine::ports::Clock as _;
use kedge_engine::reconcile;

use crate::args::{Args, Format, HoldOptions, ReleaseOptions};
use crate::error::CliError;
use crate::screen;
use crate::setup::Setup;
use crate::verbs::Invocation;

/// The longest hold: who wants one for ever wants other definitions, or an ignore rule.
const LONGEST_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// `kedge hold`: without `--for` it lists.
pub(crate) async fn hold(args: &Args, options: &HoldOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    run.setup.refuse_unknown().await?;
    let (store, stack) = (&run.setup.store, &run.setup.chosen.stack);
    let now = run.setup.ports.now();
    let (Some(length), Some(reason)) = (&options.length, &options.reason) else {
        let holds = holds::holds(store, stack).await?;
        show(&run, &holds, None, now)?;
        return Ok(0);
    };
    run.refuse_if_read_only()?;
    if !(1..=LONGEST_MS).contains(length) {
        return Err(CliError::Usage(
            "a hold lasts a second at least, and 30d at most".to_owned(),
        ));
    }
    if reason.trim().is_empty() {
        return Err(CliError::Usage("a hold needs a reason".to_owned()));
    }
    let mut all = Holds::default();
    for key in keys(&run, &options.keys).await? {
        let hold = Hold {
            key,
            reason: reason.clone(),
            who: run.setup.actor.clone(),
            until: now.plus_ms(*length),
            set_at: now,
        };
        all = holds::hold(store, stack, &hold, options.replace).await?;
    }
    let is_json = args.format() == Format::Json;
    if !is_json {
        show(&run, &all, None, now)?;
    }
    let lease = run.setup.lease;
    let under_way = holds::under_way(store, stack, lease).await;
    let holder = under_way.map_err(CliError::HoldStands)?;
    let told = match &holder {
        None => None,
        Some(holder) => Some(wait_for(&run, holder, options.no_wait).await?),
    };
    if is_json {
        show(&run, &all, told, now)?;
    }
    Ok(0)
}

/// Says which run is under way, and waits until it knows of the hold, or ended.
async fn wait_for<'a>(
    run: &Invocation<'_>,
    holder: &'a LeaseHolder,
    no_wait: bool,
) -> Result<UnderWay<'a>, CliError> {
    let is_json = run.args.format() == Format::Json;
    let seconds = holder.begins_for_ms / 1000;
    let told = UnderWay {
        actor: &holder.actor,
        run: &holder.run,
        since: holder.since,
        ended: false,
        unknowing_s: seconds,
    };
    if !is_json {
        let waiting = match no_wait {
            true => "",
            false => "\nwaiting for that; Ctrl-C ends the waiting, not the hold",
        };
        screen::err(&format!(
            "{holder}\nit reads the hold when it renews its lease, and begins nothing of this later \
             than {seconds} s from now{waiting}\n"
        ))?;
    }
    if no_wait {
        return Ok(told);
    }
    let Setup { ports, store, .. } = &run.setup;
    let ended = holds::wait_for(ports, store, holder, run.setup.lease).await;
    let ended = ended.map_err(CliError::HoldStands)?;
    if !is_json {
        let id = render::plain_text(&holder.run);
        screen::out(&match ended {
            true => format!("run {id} ended; `kedge history` shows what it did\n"),
            false => format!(
                "run {id} knows of the hold and begins nothing of this any more; what it had begun \
                 may still end\n"
            ),
        })?;
    }
    Ok(UnderWay {
        ended,
        unknowing_s: 0,
        ..told
    })
}

/// `kedge release`.
pub(crate) async fn release(args: &Args, options: &ReleaseOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args).await?;
    run.refuse_if_read_only()?;
    run.setup.refuse_unknown().await?;
    let (store, stack) = (&run.setup.store, &run.setup.chosen.stack);
    let now = run.setup.ports.now();
    if options.replace {
        let (left, _) = holds::release(store, stack, &[], now, true).await?;
        return show(&run, &left, None, now).map(|()| 0);
    }
    let held = holds::holds(store, stack).await?;
    let which: Vec<Option<ResourceKey>> = match (options.all, options.keys.as_slice()) {
        (true, _) => held.list().iter().map(|hold| hold.key.clone()).collect(),
        (false, names) => named(names, &held)?,
    };
    let (left, released) = holds::release(store, stack, &which, now, false).await?;
    if released.is_empty() && !options.all {
        return Err(CliError::Usage(match options.keys.is_empty() {
            true => format!("stack {stack} is not held as a whole; `kedge hold` lists what is"),
            false => "nothing of that is held; `kedge hold` lists what is".to_owned(),
        }));
    }
    show(&run, &left, None, now)?;
    Ok(0)
}

/// What is to be held: resources by name, or without a name the stack.
async fn keys(
    run: &Invocation<'_>,
    names: &[String],
) -> Result<Vec<Option<ResourceKey>>, CliError> {
    if names.is_empty() {
        return Ok(vec![None]);
    }
    let see = |progress: reconcile::Progress<'_>| run.watcher.see(progress);
    let job = run.setup.job(&see);
    let found = reconcile::named(&run.setup.ports, &run.setup.store, job, names).await?;
    Ok(found.into_iter().map(Some).collect())
}

/// What is to be released, among what is held: a resource may be gone from the definitions since.
fn named(names: &[String], held: &Holds) -> Result<Vec<Option<ResourceKey>>, CliError> {
    if names.is_empty() {
        return Ok(vec![None]);
    }
    let keys = held.list().iter().filter_map(|hold| hold.key.as_ref());
    let one = |name: &String| {
        let mut found = keys.clone().filter(|key| key.answers_to(name));
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(Some(key.clone())),
            (None, _) => Err(CliError::Usage(format!("`{name}` is not held"))),
            (Some(a), Some(b)) => Err(CliError::Usage(format!("`{name}` may mean {a} or {b}"))),
        }
    };
    names.iter().map(one).collect()
}

fn show(
    run: &Invocation<'_>,
    holds: &Holds,
    under_way: Option<UnderWay<'_>>,
    now: Timestamp,
) -> Result<(), CliError> {
    let stack = &run.setup.chosen.stack;
    if run.args.format() == Format::Json {
        let json = render::holds_json(stack, holds, under_way, now);
        return screen::out(&format!("{json:#}\n"));
    }
    screen::out(&render::holds_text(stack, holds, now))
}
