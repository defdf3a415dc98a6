//! Consent to a plan: by flags, or by asking the person who was shown it.

use std::collections::BTreeSet;
use std::io;

use kedge_core::plan::GuardName;
use kedge_core::report::Report;
use kedge_core::risk::Risk;
use kedge_engine::{Answer, By, Consent, TypedName};

use crate::args::UpOptions;
use crate::error::CliError;
use crate::{screen, shown_plan};

/// What the options alone agree to; none if a person must be asked.
pub(crate) fn given(options: &UpOptions, is_text: bool) -> Result<Option<By>, CliError> {
    if options.unattended {
        return Ok(Some(By::Policy));
    }
    if !options.yes && options.plan.is_none() {
        // An answer for a machine is one document, with no question in it.
        if screen::can_ask() && is_text {
            return Ok(None);
        }
        return Err(CliError::Usage(
            "no terminal: pass --yes, --plan DIGEST (`kedge preview` shows it) or --unattended"
                .to_owned(),
        ));
    }
    if let Some(digest) = &options.plan
        && (digest.len() != 16 || !digest.chars().all(|c| c.is_ascii_hexdigit()))
    {
        return Err(CliError::Usage(format!(
            "`{digest}` is not the digest of a plan; `kedge preview` shows its 16 digits"
        )));
    }
    let consent = match &options.plan {
        Some(digest) => Consent::to_plan(digest),
        None => Consent::to_any_plan(),
    };
    let shown = options.plan.as_deref().and_then(shown_plan::find);
    let consent = match shown {
        Some(shown) => consent.expecting(shown),
        None => consent,
    };
    let guards = guards(&options.overrides)?;
    let consent = consent.allowing(&options.allow).overriding(guards);
    Ok(Some(By::Person(consent)))
}

/// The guards to override, by name.
pub(crate) fn guards(names: &[String]) -> Result<BTreeSet<GuardName>, CliError> {
    let parse = |name: &String| {
        GuardName::parse(name)
            .filter(|guard| *guard != GuardName::DailyAutomatic)
            .ok_or_else(|| {
                CliError::Usage(format!(
                    "there is no guard `{name}`; the guards are changes, share and creates"
                ))
            })
    };
    names.iter().map(parse).collect()
}

/// Asks for consent to the plan that was just shown. None: they said no.
pub(crate) fn ask(options: &UpOptions, report: &Report) -> Result<Option<By>, CliError> {
    let plan = &report.plan;
    let stack = report.declared.stack.as_str();
    let overrides = plan.policy.protected && !options.overrides.is_empty();
    let is_destructive = plan
        .changes
        .iter()
        .any(|planned| planned.risk() == Risk::Destructive)
        || !plan.policy_change.loosened.is_empty();
    let named = !options.allow.is_empty() && !plan.policy.protected;
    let question = if overrides {
        format!("This overrides a guard of a protected stack. Type `{stack}` to do it: ")
    } else if is_destructive && !named {
        format!(
            "Some of this cannot be undone. Type `{stack}` to do all of it, `yes` to do the rest, \
             anything else to cancel: "
        )
    } else {
        "Type `yes` to do it, anything else to cancel: ".to_owned()
    };
    screen::err(&question)?;
    let input = &mut io::stdin().lock();
    let answer = TypedName::read(&report.declared.stack, &plan.digest, input);
    let typed = match answer.map_err(CliError::Print)? {
        Answer::Name(typed) if is_destructive || overrides => Some(typed),
        Answer::Other(answer) if answer == "yes" => None,
        Answer::Name(_) | Answer::Other(_) => return Ok(None),
    };
    let consent = Consent::to_plan(&plan.digest)
        .expecting(plan.summary.clone())
        .allowing(&options.allow)
        .overriding(guards(&options.overrides)?);
    Ok(Some(By::Person(match typed {
        Some(typed) => consent.with_name(typed),
        None => consent,
    })))
}
