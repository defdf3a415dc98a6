//! Asking a person: consent to a plan they were shown.

use std::collections::BTreeSet;

use kedge_core::plan::GuardName;
use kedge_core::report::Report;
use kedge_core::risk::Risk;
use kedge_engine::reconcile::{Authorisation, Consent};

use crate::args::UpOptions;
use crate::error::CliError;
use crate::{screen, shown_plan};

/// What the options alone agree to; none if a person must be asked.
pub(crate) fn given(options: &UpOptions, is_text: bool) -> Result<Option<Authorisation>, CliError> {
    if options.unattended {
        return Ok(Some(Authorisation::Unattended));
    }
    if !options.yes && options.plan.is_none() {
        // An answer for a machine is one document, with no question in it.
        if screen::can_ask() && is_text {
            return Ok(None);
        }
        return Err(CliError::Usage(
            "nobody can be asked here: agree with --plan DIGEST (from `kedge preview`) or --yes, \
             or do what a tick does with --unattended"
                .to_owned(),
        ));
    }
    if let Some(digest) = &options.plan
        && (digest.len() != 16 || !digest.chars().all(|c| c.is_ascii_hexdigit()))
    {
        return Err(CliError::Usage(format!(
            "`{digest}` is not a plan's digest: `kedge preview` shows its 16 digits"
        )));
    }
    Ok(Some(Authorisation::Person(Consent {
        allow: options.allow.clone(),
        name_typed: false,
        overrides: guards(&options.overrides)?,
        expected: options.plan.as_deref().and_then(shown_plan::find),
        digest: options.plan.clone(),
    })))
}

/// The guards to override, by name.
pub(crate) fn guards(names: &[String]) -> Result<BTreeSet<GuardName>, CliError> {
    let parse = |name: &String| {
        GuardName::parse(name)
            .filter(|guard| *guard != GuardName::DailyAutomatic)
            .ok_or_else(|| {
                CliError::Usage(format!(
                    "there is no guard `{name}`: changes, share or creates"
                ))
            })
    };
    names.iter().map(parse).collect()
}

/// Asks for consent to the plan that was just shown. None: they said no.
pub(crate) fn ask(options: &UpOptions, report: &Report) -> Result<Option<Authorisation>, CliError> {
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
        format!("A guard of a protected stack is overridden. Type `{stack}` to do all of it: ")
    } else if is_destructive && !named {
        format!(
            "Some of this can't be taken back. Type `{stack}` to do all of it, `yes` to do the \
             rest, anything else to do nothing: "
        )
    } else {
        "Type `yes` to do it, anything else to do nothing: ".to_owned()
    };
    let answer = screen::ask(&question)?;
    let name_typed = (is_destructive || overrides) && answer == stack;
    if answer != "yes" && !name_typed {
        return Ok(None);
    }
    Ok(Some(Authorisation::Person(Consent {
        allow: options.allow.clone(),
        name_typed,
        overrides: guards(&options.overrides)?,
        digest: Some(plan.digest.clone()),
        expected: Some(plan.summary.clone()),
    })))
}
