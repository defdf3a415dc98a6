//! `kedge unlock`: takes the lease from a run that crashed or must stop.

use kedge_core::documents;
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::render;
use kedge_core::stored::StoredError;
use kedge_engine::{LeaseError, LeaseHolder, Pulse};

use crate::args::{Args, Format, UnlockOptions};
use crate::error::CliError;
use crate::hints::CommandLine;
use crate::setup::Setup;
use crate::{confirm, screen};

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
            return answer(is_json, stack, None, || {
                format!("stack `{stack}` is not locked: no run is changing it\n")
            });
        }
        Err(LeaseError::Decode { source, .. }) if !source.is_newer() => Found::Damaged(source),
        Err(error) => return Err(error.into()),
    };
    let line = CommandLine {
        stack: Some(stack.to_string()),
        names_stack: true,
        flags: args.flags(),
        read_only: setup.read_only,
    };
    if !is_json {
        screen::err_lines(&found.shown())?;
        if found.is_working() {
            let before = "to let it end cleanly, hold the stack instead: ";
            screen::err_command(before, &line.hold())?;
        }
    }
    if !options.yes && !is_agreed(args.format(), &found, stack.as_str())? {
        screen::err("nothing was changed\n")?;
        return Ok(0);
    }
    if !is_json {
        let seconds = setup.lease.begins_for_ms() / 1000;
        screen::err_lines(&format!(
            "taking the lease; for up to {seconds} s after its last renewal the other run may still \
             start changes, so this waits\n"
        ))?;
    }
    match &found {
        Found::Held(held) => engine.unlock(held).await?,
        Found::Damaged(_) => engine.replace_lease(stack).await?,
    }
    answer(is_json, stack, Some(&found), || {
        let what = match &found {
            Found::Held(held) => format!("run {}", render::plain_text(&held.run)),
            Found::Damaged(_) => "its last run".to_owned(),
        };
        format!(
            "unlocked: stack `{stack}` may be changed again; the next `kedge up` finishes what {what} \
             started\nnext: {}\n",
            line.words(&Hint::Check)
        )
    })
}

/// What blocks the stack.
enum Found {
    /// A lease, and who has it.
    Held(LeaseHolder),
    /// A lease that can't be read.
    Damaged(StoredError),
}

impl Found {
    fn is_working(&self) -> bool {
        matches!(self, Self::Held(held) if held.pulse() == Pulse::Working)
    }

    fn shown(&self) -> String {
        match self {
            Self::Held(held) => shown(held),
            Self::Damaged(source) => {
                let why = render::plain_text(&with_causes(source));
                format!(
                    "{why}\nIt is not known who has the lease. A run that has it can't renew it, and \
                     stops. Unlocking replaces it with a new one.\n"
                )
            }
        }
    }
}

/// An error with its causes, in one line.
fn with_causes(error: &StoredError) -> String {
    let causes = kedge_engine::error_causes(error).into_iter();
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Who holds it, since when, and whether it seems gone.
fn shown(held: &LeaseHolder) -> String {
    let hint = match held.pulse() {
        Pulse::Working => {
            "The run is working. Unlocking stops it in the middle, and leaves what it started \
             unfinished."
        }
        Pulse::Late => {
            "A renewal is overdue: the run may have crashed, or can't reach the store. If it crashed, \
             its lease ends by itself soon."
        }
        Pulse::Stopped => {
            "It was not renewed in time: the run crashed, sleeps, or can't reach the store. Unlocking \
             stops nothing."
        }
        Pulse::Unknown => {
            "It is not known whether the run still works: this store does not give the time."
        }
    };
    format!("{held}\n{hint}\n")
}

/// Whether a person agrees. A run that works is not stopped by a word that is typed in passing.
fn is_agreed(format: Format, found: &Found, stack: &str) -> Result<bool, CliError> {
    if !confirm::can_ask(format) {
        return Err(confirm::nobody_asked(format, "--yes"));
    }
    let is_working = match found {
        Found::Held(held) => matches!(held.pulse(), Pulse::Working | Pulse::Unknown),
        Found::Damaged(_) => false,
    };
    let (word, what) = match is_working {
        true => (
            stack,
            "take the lease, which stops the run if it is still working",
        ),
        false => ("yes", "take the lease and release it"),
    };
    let question = format!("Type `{word}` to {what}, anything else to cancel: ");
    Ok(screen::ask(&question)? == word)
}

fn answer(
    is_json: bool,
    stack: &StackName,
    found: Option<&Found>,
    text: impl FnOnce() -> String,
) -> Result<u8, CliError> {
    if !is_json {
        screen::out_lines(&text())?;
        return Ok(0);
    }
    let (from, damaged) = match found {
        Some(Found::Held(holder)) => (Some(holder.into()), None),
        Some(Found::Damaged(source)) => (None, Some(with_causes(source))),
        None => (None, None),
    };
    screen::document(&documents::unlocked(stack, from, damaged.as_deref()))?;
    Ok(0)
}
