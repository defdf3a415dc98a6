//! The fault matrix: every request of a check and of an apply, found by running once, under every
//! fault of [`rules`]. A failure is one line that names provider, request and fault.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a case that can't be set up has failed"
)]

mod apply;
mod check;
mod pages;
mod rules;
mod worlds;

use kedge_core::report::{Changed, Report};
use kedge_engine::ports::ProviderName;
use kedge_sandbox::{Fault, Matches};
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::Sent;
use kedge_tests::stack::Stack;

use self::rules::Rule;

/// One request that a run makes: the `nth` of its kind since the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    provider: ProviderName,
    write: bool,
    method: String,
    target: String,
    /// What tells requests of one target apart; empty where nothing needs to.
    body: String,
    nth: u64,
}

impl Request {
    fn is(&self, sent: &Sent) -> bool {
        self.provider == sent.provider
            && self.method == sent.method
            && self.target == sent.path
            && (self.body.is_empty() || self.body.as_bytes() == sent.body.as_ref())
    }

    /// The rule as a fault on this request: once, or from it on.
    fn fault(&self, rule: &Rule, once: bool) -> Fault {
        Fault {
            matches: Matches {
                method: Some(self.method.clone()),
                target: Some(self.target.clone()),
                body: (!self.body.is_empty()).then(|| self.body.clone()),
                nth: once.then_some(self.nth),
                from: (!once).then_some(self.nth),
                ..Matches::default()
            },
            effect: rule.effect.clone(),
            times: None,
        }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (provider, method, target) = (self.provider.as_str(), &self.method, &self.target);
        write!(f, "{provider} {method} {target}")?;
        if self.nth > 1 {
            write!(f, " (number {})", self.nth)?;
        }
        Ok(())
    }
}

/// The requests of a run, each once, after the first `skipped`.
fn requests(sent: &[Sent], skipped: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    for (at, one) in sent.iter().enumerate().skip(skipped) {
        // All topics are made at one address, and read in bulk at another.
        let by_body = one.provider == ProviderName::Aiven && one.method == "POST";
        let body = match by_body {
            true => String::from_utf8_lossy(&one.body).into_owned(),
            false => String::new(),
        };
        let mut request = Request {
            provider: one.provider,
            write: one.write,
            method: one.method.clone(),
            target: one.path.clone(),
            body,
            nth: 0,
        };
        let before = sent[..=at].iter().filter(|sent| request.is(sent)).count();
        request.nth = u64::try_from(before).unwrap_or(u64::MAX);
        requests.push(request);
    }
    requests
}

/// One run of `up`, which no fault may stop.
fn up(stack: &Stack, authorisation: &Authorisation) -> Result<(Report, Changed), String> {
    match stack.up(authorisation) {
        Ok(Ok(done)) => Ok(done),
        other => Err(format!("the run failed: {other:?}")),
    }
}

/// Fails with every case that did, one line each.
fn report(cases: usize, failures: Vec<String>) {
    assert!(cases > 0, "no case was made");
    assert!(
        failures.is_empty(),
        "{} of {cases} cases:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Words for a comparison that failed.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what} is {found:?}, not {expected:?}")),
    }
}
