//! Oddities of the providers that a stack must live with, each through the sandbox, where no test of
//! a provider or scenario meets it already. `docs/sandbox.md` lists all of them with their tests.
#![expect(clippy::panic, reason = "a quirk that can't be set up has failed")]

mod aiven;
mod cloudflare;
mod pubsub;
mod table;

use kedge_core::report::StackVerdict;
use kedge_sandbox::{Deed, Effect, Fault, Matches, Provider};
use kedge_tests::stack::{Stack, describe};
use serde_json::Value;

/// A person does what this JSON says.
fn deed(stack: &Stack, deed: Value) {
    match serde_json::from_value::<Deed>(deed) {
        Ok(deed) => stack.act(&deed),
        Err(error) => panic!("{error}"),
    }
}

/// Trouble with so many writes to a path.
fn fault(stack: &Stack, provider: Provider, path: &str, effect: Effect, times: u32) {
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(provider),
            path: Some(path.to_owned()),
            write: Some(true),
            ..Matches::default()
        },
        effect,
        times: Some(times),
    });
}

/// A refusal in the provider's form with words of its own.
fn says(code: u16, message: &str, error_code: Option<&str>) -> Effect {
    Effect::Status {
        code,
        retry_after_s: None,
        try_again_s: None,
        message: Some(message.to_owned()),
        error_code: error_code.map(str::to_owned),
    }
}

/// A stack that was made and stands.
fn stand(stack: &Stack) {
    let (_, changed) = stack.unattended();
    assert!(changed.is_complete(), "{:?}", changed.results);
    stack.wait_minutes(10);
    assert_clean(stack);
}

fn assert_clean(stack: &Stack) {
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
}
