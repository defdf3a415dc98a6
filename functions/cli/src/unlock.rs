//! `kedge unlock`: takes a lease from a run that is gone, or must stop.

use kedge_core::render;
use kedge_core::stored::StoredError;
use kedge_engine::{LeaseError, LeaseHolder, Pulse};

use crate::args::{Args, Format, UnlockOptions};
use crate::error::CliError;
use crate::setup::Setup;
use crate::{error, screen};

/// `kedge unlock`.
pub(crate) async fn unlock(args: &Args, options: &UnlockOptions) -> Result<u8, CliError> {
    let setup = Setup::of(args)?;
    let engine = setup.engine(&|_| {});
    engine.may_unlock(&setup.chosen.stack)?;
    let stack = &setup.chosen.stack;
    let is_json = args.format() == Format::Json;
    let found = match engine.lease_holder(stack).await {
        Ok(Some(held)) => Found::Held(held),
        Ok(None) => {
            setup.refuse_unknown().await?;
            return answer(is_json, stack.as_str(), None, || {
                format!("stack `{stack}` is not locked: nobody is changing it\n")
            });
        }
        Err(LeaseError::Decode { source, .. }) if !source.is_newer() => Found::Damaged(source),
        Err(error) => return Err(error.into()),
    };
    if !is_json {
        screen::err(&found.shown())?;
    }
    if !options.yes && !is_agreed(is_json, &found, stack.as_str())? {
        screen::err("nothing was changed\n")?;
        return Ok(0);
    }
    if !is_json {
        let seconds = setup.lease.fresh_ms / 1000;
        screen::err(&format!(
            "taking the lease; until {seconds} s after its last renewal, what had it may begin \
             changes, and nobody else\n"
        ))?;
    }
    match &found {
        Found::Held(held) => engine.unlock(held).await?,
        Found::Damaged(_) => engine.replace_lease(stack).await?,
    }
    answer(is_json, stack.as_str(), Some(&found), || {
        let what = match &found {
            Found::Held(held) => format!("run {}", held.run),
            Found::Damaged(_) => "its last run".to_owned(),
        };
        format!(
            "unlocked: stack `{stack}` may be changed again; `kedge check` says how it stands, and \
             the next `kedge up` finishes what {what} had begun\n"
        )
    })
}

/// What stands in the way.
enum Found {
    /// A lease, and who has it.
    Held(LeaseHolder),
    /// A lease that can't be read.
    Damaged(StoredError),
}

impl Found {
    fn shown(&self) -> String {
        match self {
            Self::Held(held) => shown(held),
            Self::Damaged(source) => {
                let why = render::plain_text(&with_causes(source));
                format!(
                    "{why}\nNobody can say who has the lease; a run that has it can't renew it, and \
                     ends. Unlocking writes a new one over it.\n"
                )
            }
        }
    }
}

/// An error with its causes, in one line.
fn with_causes(error: &StoredError) -> String {
    let causes = error::causes(error).into_iter();
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Who holds it, since when, and whether it seems gone.
fn shown(held: &LeaseHolder) -> String {
    let hint = match held.pulse() {
        Pulse::Working => {
            "Its run is at work. Unlocking stops it in the middle: what it began stays begun. To let it \
             end in good order, hold the stack instead: `kedge hold --for 1h --reason …`."
        }
        Pulse::Late => {
            "A renewal is overdue: its run may be gone, or can't reach the store just now. If it is \
             gone, its lease ends by itself in a moment."
        }
        Pulse::Stopped => {
            "It was not renewed in time: its run crashed, sleeps, or can't reach the store. Nothing is \
             stopped by unlocking."
        }
        Pulse::Unknown => {
            "Whether its run still works can't be told: this store does not say the time."
        }
    };
    format!("{held}\n{hint}\n")
}

/// Whether a person agrees. A run that works is not stopped by a word that is typed in passing.
fn is_agreed(is_json: bool, found: &Found, stack: &str) -> Result<bool, CliError> {
    if is_json || !screen::can_ask() {
        return Err(CliError::Usage("no terminal: pass --yes".to_owned()));
    }
    let is_working = match found {
        Found::Held(held) => matches!(held.pulse(), Pulse::Working | Pulse::Unknown),
        Found::Damaged(_) => false,
    };
    let (word, what) = match is_working {
        true => (
            stack,
            "take its lease, which stops its run if it is still working",
        ),
        false => ("yes", "take it over and release it"),
    };
    let question = format!("Type `{word}` to {what}, anything else to leave it: ");
    Ok(screen::ask(&question)? == word)
}

fn answer(
    is_json: bool,
    stack: &str,
    found: Option<&Found>,
    text: impl FnOnce() -> String,
) -> Result<u8, CliError> {
    if !is_json {
        screen::out(&text())?;
        return Ok(0);
    }
    let (held, damaged) = match found {
        Some(Found::Held(held)) => (Some(held), None),
        Some(Found::Damaged(source)) => (None, Some(with_causes(source))),
        None => (None, None),
    };
    let held = held.map(|held| {
        serde_json::json!({
            "actor": held.actor,
            "run": held.run,
            "since": held.since.to_string(),
            "renewed_at": held.renewed_at.to_string(),
            "pulse": held.pulse().as_str(),
        })
    });
    let json = serde_json::json!({
        "format": "kedge.unlocked/1",
        "stack": stack,
        "from": held,
        "damaged": damaged,
    });
    screen::out(&format!("{json:#}\n"))?;
    Ok(0)
}
