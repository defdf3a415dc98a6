//! Consent to a plan: by flags, or by asking the person who was shown it.

use std::collections::BTreeSet;
use std::io;

use kedge_core::plan::GuardName;
use kedge_core::report::Report;
use kedge_core::risk::Risk;
use kedge_engine::{Answer, By, Consent, TypedName};

use crate::args::{Format, UpOptions};
use crate::error::CliError;
use crate::{screen, shown_plan};

/// Whether a person can be asked. An answer for a machine is one document, with no question in it.
pub(crate) fn can_ask(format: Format) -> bool {
    screen::can_ask() && format == Format::Text
}

/// Nobody can be asked: why, and what to pass instead.
pub(crate) fn nobody_asked(format: Format, pass: &str) -> CliError {
    CliError::Usage(match format {
        Format::Text => format!("no terminal: pass {pass}"),
        _ => format!("an answer for a machine asks nothing: pass {pass}"),
    })
}

/// What the options alone agree to; none if a person must be asked.
pub(crate) fn given(options: &UpOptions, format: Format) -> Result<Option<By>, CliError> {
    if options.unattended {
        return Ok(Some(By::Policy));
    }
    if !options.yes && options.plan.is_none() {
        if can_ask(format) {
            return Ok(None);
        }
        let pass = "--yes, --plan DIGEST (`kedge preview` shows it) or --unattended";
        return Err(nobody_asked(format, pass));
    }
    // Digests are written in lower case, and read in either.
    let digest = options.plan.as_ref().map(|digest| digest.to_lowercase());
    if let Some(digest) = &digest
        && (digest.len() != 16 || !digest.chars().all(|c| c.is_ascii_hexdigit()))
    {
        return Err(CliError::Usage(format!(
            "`{digest}` is not the digest of a plan; `kedge preview` shows its 16 digits"
        )));
    }
    let consent = match &digest {
        Some(digest) => Consent::to_plan(digest),
        None => Consent::to_any_plan(),
    };
    let shown = digest.as_deref().and_then(shown_plan::find);
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

/// What agrees to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// `yes`.
    Yes,
    /// The stack's name for all of it, `yes` for what can be undone.
    NameOrYes,
    /// The stack's name: none of it can be undone.
    Name,
    /// The stack's name: it overrides a guard of a protected stack.
    NameToOverride,
}

impl Answers {
    fn question(self, stack: &str) -> String {
        let name = format!("Type `{stack}`");
        let asked = match self {
            Self::Yes => "Type `yes` to do it".to_owned(),
            Self::NameOrYes => format!(
                "Some of this cannot be undone. {name} to do all of it, `yes` to do the rest"
            ),
            Self::Name => format!("This cannot be undone. {name} to do it"),
            Self::NameToOverride => {
                format!("This overrides a guard of a protected stack. {name} to do it")
            }
        };
        format!("{asked}, anything else to cancel: ")
    }

    fn takes_yes(self) -> bool {
        matches!(self, Self::Yes | Self::NameOrYes)
    }

    fn takes_name(self) -> bool {
        !matches!(self, Self::Yes)
    }
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
    // What `yes` alone does beside what cannot be undone.
    let has_rest = report.decided.consent_approves_any()
        || !report.records().is_empty()
        || !plan.variables.is_empty();
    let answers = match (overrides, is_destructive && !named, has_rest) {
        (true, ..) => Answers::NameToOverride,
        // In a stack called `yes` the word would mean both.
        (_, true, true) if stack != "yes" => Answers::NameOrYes,
        (_, true, _) => Answers::Name,
        (_, false, _) => Answers::Yes,
    };
    screen::question(&answers.question(stack))?;
    let input = &mut io::stdin().lock();
    let answer = TypedName::read(&report.declared.stack, &plan.digest, input);
    let typed = match answer.map_err(CliError::Print)? {
        Answer::Name(typed) if answers.takes_name() => Some(typed),
        Answer::Name(_) if stack == "yes" => None,
        Answer::Other(answer) if answer == "yes" && answers.takes_yes() => None,
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
