//! Starts a function: settings and logs, then one event after the other.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;

use kedge_engine::error_chain;
use kedge_native::{Settings, logs, process_variables};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::deadline::Deadline;
use crate::home::Home;
use crate::metrics;

/// The level that is set for the function in Lambda; `RUST_LOG` wins.
const AWS_LAMBDA_LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const KEDGE_LOG_FORMAT: &str = "KEDGE_LOG_FORMAT";

/// A function.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Function {
    /// How long an event may take where Lambda does not say so, in milliseconds.
    const TIMEOUT_MS: i64;
    /// What it is called with.
    type Event: for<'de> Deserialize<'de>;
    /// What it answers.
    type Answer: Serialize;

    /// Handles one event.
    ///
    /// # Errors
    /// When Lambda is to count it as failed, and to bring it again where it does that.
    async fn on(
        home: &Home,
        event: Self::Event,
        deadline: Deadline,
    ) -> Result<Self::Answer, Failure>;
}

/// An event could not be handled.
#[derive(Debug)]
pub struct Failure {
    /// A name that stays.
    pub(crate) kind: &'static str,
    /// All causes.
    pub(crate) why: String,
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.kind.to_owned(),
            error_message: failure.why,
        }
    }
}

/// Handles events until the process is ended. Comes back only if it can't.
#[must_use]
pub fn start<F: Function>() -> ExitCode {
    kedge_native::install_tls();
    let variables: BTreeMap<_, _> = process_variables().collect();
    let log_settings = log_settings(&variables);
    let filter = log_filter(&log_settings);
    let logs = logs::install_beside(
        &log_settings,
        Some(filter),
        vec![metrics::layer(&log_settings)],
    );
    let _logs = match logs {
        Ok(logs) => logs,
        Err(error) => return ended(&error),
    };
    let home = match Home::of(variables) {
        Ok(home) => Rc::new(home),
        Err(error) => return ended(&error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(serve::<F>(home)),
        Err(error) => return ended(&error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&*error),
    }
}

async fn serve<F: Function>(home: Rc<Home>) -> Result<(), lambda_runtime::Error> {
    // What fails here fails again with the first event, and is told then.
    let _ = home.wired().await;
    tracing::info!(target: "kedge", version = env!("CARGO_PKG_VERSION"), "started");
    let handler = service_fn(move |event: LambdaEvent<F::Event>| {
        let home = Rc::clone(&home);
        let LambdaEvent { payload, context } = event;
        let deadline = Deadline::of(context.deadline, home.now(), F::TIMEOUT_MS);
        let span = tracing::error_span!(
            target: "kedge",
            "invocation",
            request.id = %context.request_id
        );
        async move {
            // Boxed: with the engine below it it is deeper than the compiler follows.
            let result = Box::pin(F::on(&home, payload, deadline)).await;
            if let Err(Failure { kind, why }) = &result {
                tracing::error!(target: "kedge", kind, "{why}");
            }
            result
        }
        .instrument(span)
    });
    Runtime::new(handler).run().await
}

/// The settings of logs: JSON, unless somebody wants something else.
fn log_settings(variables: &BTreeMap<String, String>) -> Settings {
    let default = (KEDGE_LOG_FORMAT.to_owned(), "json".to_owned());
    let mut variables = variables.clone();
    variables.retain(|_, value| !value.trim().is_empty());
    Settings::of([default].into_iter().chain(variables))
}

/// What is logged where `RUST_LOG` does not say.
fn log_filter(settings: &Settings) -> &'static str {
    match settings.get(AWS_LAMBDA_LOG_LEVEL) {
        Some("TRACE") => "trace",
        Some("DEBUG") => "debug",
        Some("WARN") => "warn",
        Some("ERROR" | "FATAL") => "error",
        _ => "info",
    }
}

#[expect(
    clippy::print_stderr,
    reason = "if the logs can't be set up, there is nowhere else to say so"
)]
fn ended(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let why = error_chain(error);
    match tracing::event_enabled!(target: "kedge", tracing::Level::ERROR) {
        true => tracing::error!(target: "kedge", "the function can't run: {why}"),
        false => eprintln!("the function can't run: {why}"),
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_json_at_the_level_of_the_function_unless_somebody_says_otherwise() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let variables = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let settings = log_settings(&variables.collect());
            let format = settings.get(KEDGE_LOG_FORMAT).unwrap_or_default();
            (format.to_owned(), log_filter(&settings))
        };
        for (pairs, format, filter) in [
            (&[][..], "json", "info"),
            (
                &[("KEDGE_LOG_FORMAT", " "), ("AWS_LAMBDA_LOG_LEVEL", "DEBUG")],
                "json",
                "debug",
            ),
            (
                &[
                    ("KEDGE_LOG_FORMAT", "human"),
                    ("AWS_LAMBDA_LOG_LEVEL", "FATAL"),
                ],
                "human",
                "error",
            ),
            (&[("AWS_LAMBDA_LOG_LEVEL", "what")], "json", "info"),
        ] {
            assert_eq!(of(pairs), (format.to_owned(), filter), "{pairs:?}");
        }
    }
}
