//! `kedge serve --sandbox`: all of it without an account. A sandbox with stacks in it, a store in a
//! temporary folder, a token, and somebody who changes things now and then.

use std::future::pending;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use kedge_core::definitions::Bundle;
use kedge_core::model::{SecretText, StackName};
use kedge_core::push::{Ancestry, PushConsent};
use kedge_engine::ports::{Clock as _, ProviderName};
use kedge_engine::{Budget, By, Consent, FolderPush, PushRequest};
use kedge_native::merge_settings;
use kedge_s3::Place;
use kedge_sandbox::{Deed, Options, Sandbox};
use tokio::net::TcpListener;

use super::home::Home;
use crate::args::ServeOptions;
use crate::demo::demo_files;
use crate::error::CliError;
use crate::sandbox::listen;
use crate::screen;
use crate::store::ChosenStore;

/// The stacks that are there from the beginning.
const STACKS: [&str; 3] = ["demo", "development", "staging"];
/// A file that is worth editing.
const FILE: &str = "data_plane/kafka-topics.yaml";
/// How long the first run of a stack may take.
const DEPLOYS_WITHIN_MS: i64 = 60_000;
/// How often somebody changes something at first, and how often after a round of it. Automation makes the same
/// correction twice a day and no more (semantics 6.7), so who looks after hours still sees it work.
const DEED_EVERY: Duration = Duration::from_secs(45);
const DEED_EVERY_LATER: Duration = Duration::from_secs(60 * 60);

/// What somebody does by hand first. The policy of stack `demo` corrects all but the last two, which wait for
/// a person.
const DEEDS: &[(&str, &str)] = &[
    (
        "shortens the retention of demo-runtime to 1 hour",
        r#"{"do":"set_topic_config","topic":"demo-runtime","config":{"retention_ms":3600000}}"#,
    ),
    (
        "deletes the topic demo-integrations-worker-gmail-dlq",
        r#"{"do":"delete_topic","topic":"demo-integrations-worker-gmail-dlq"}"#,
    ),
    (
        "removes Gmail's publisher binding",
        r#"{"do":"remove_iam_binding","topic":"demo-integration-gmail-webhook","role":"roles/pubsub.publisher"}"#,
    ),
    (
        "adds the address 192.0.2.66 to demo-1.clustera.io",
        r#"{"do":"add_address","name":"demo-1.clustera.io","address":"192.0.2.66"}"#,
    ),
    (
        "turns on the proxy of demo-2.clustera.io",
        r#"{"do":"patch_record","name":"demo-2.clustera.io","set":{"proxied":true}}"#,
    ),
];

/// Topics of stack `demo` whose settings somebody changes then, one after the other.
const TOPICS: [&str; 11] = [
    "cerebras",
    "ingestion-control",
    "raw-records",
    "http-requests-lake",
    "http-responses-lake",
    "websocket-requests",
    "websocket-responses",
    "sse-requests-lake",
    "sse-responses-lake",
    "nginx-routes",
    "nginx-upstreams",
];
/// What somebody changes of them: a setting, to which value, and how that is said.
const TOPIC_DEEDS: [(&str, &str, &str); 2] = [
    (
        "retention_ms",
        "3600000",
        "shortens the retention of TOPIC to 1 hour",
    ),
    (
        "max_message_bytes",
        "1048588",
        "lets TOPIC take no message of more than 1 MiB",
    ),
];

/// What somebody does, in this order and for ever: what is done, and how it is said.
fn deeds() -> impl Iterator<Item = (String, String)> {
    let first = DEEDS
        .iter()
        .map(|(words, deed)| ((*words).to_owned(), (*deed).to_owned()));
    let of_topics = TOPIC_DEEDS.iter().flat_map(|(setting, value, words)| {
        TOPICS.iter().map(move |topic| {
            let topic = format!("demo-{topic}");
            let deed = format!(
                r#"{{"do":"set_topic_config","topic":"{topic}","config":{{"{setting}":{value}}}}}"#
            );
            (words.replace("TOPIC", &topic), deed)
        })
    });
    first.chain(of_topics.cycle())
}

/// How long somebody waits before the deed of this number, from 0.
fn pause_before(number: usize) -> Duration {
    match number < DEEDS.len() + TOPICS.len() {
        true => DEED_EVERY,
        false => DEED_EVERY_LATER,
    }
}

/// Serves in a world of its own until it is stopped.
pub(super) async fn serve(options: &ServeOptions) -> Result<u8, CliError> {
    let folder = tempfile::tempdir().map_err(|source| CliError::Write {
        path: std::env::temp_dir(),
        source,
    })?;
    let sandbox = Rc::new(Sandbox::new(Options::default()));
    let providers = listen(0).await?;
    let at = providers.local_addr().map_err(CliError::Serve)?.to_string();
    let home = Rc::new(home(&at, folder.path())?);
    let living = async {
        let listener = super::listen(options.listen).await?;
        let token = deploy(&home).await?;
        screen::out(&greeting(&listener, folder.path(), &token, options)?)?;
        tokio::select! {
            served = super::serve(&home, listener, options) => served,
            never = person(&home, &sandbox) => never,
        }
    };
    tokio::select! {
        served = kedge_sandbox::serve(Rc::clone(&sandbox), providers, pending()) => {
            served.map_err(CliError::Serve)?;
            Ok(1)
        }
        ended = living => ended,
    }
}

/// What `kedge serve` has in this world. The settings of this machine have no part in it.
fn home(at: &str, folder: &Path) -> Result<Home, CliError> {
    let variables = ProviderName::ALL
        .into_iter()
        .flat_map(|provider| provider.entry().sandbox_variables(at, "sandbox"));
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let settings = merge_settings(variables, folder)?;
    let place = folder.join("store");
    // Where an upload is put, and what can be edited for one.
    let upload = place.join("upload/demo").join(FILE);
    write(&upload.with_file_name(""), None)?;
    for (path, text) in demo_files() {
        write(&folder.join("definitions").join(path), Some(&text))?;
    }
    let store = ChosenStore {
        place: Place::Folder(place),
        origin: "--sandbox",
    };
    Home::over(&settings, folder, store)
}

/// Writes a file and the folders above it; without a text, the folders alone.
fn write(path: &Path, text: Option<&str>) -> Result<(), CliError> {
    let folder = match text {
        None => path,
        Some(_) => path.parent().unwrap_or(path),
    };
    let written = std::fs::create_dir_all(folder);
    let written = written.and_then(|()| match text {
        None => Ok(()),
        Some(text) => std::fs::write(path, text),
    });
    written.map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Pushes and deploys the stacks as a person would, and makes a token for everything.
async fn deploy(home: &Home) -> Result<SecretText, CliError> {
    let bundle = Bundle::new(demo_files())?;
    for name in STACKS {
        let stack = StackName::new(name).map_err(|error| CliError::Demo(error.to_string()))?;
        let budget = Budget::lasting(home.ports(), DEPLOYS_WITHIN_MS);
        let engine = home.engine(&budget, "ana@laptop");
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: None,
            branch: None,
            ancestry: &|_| Ancestry::NotChecked("there is no git here".to_owned()),
            consent: &PushConsent::default(),
        });
        engine.push(&stack, request).await?;
        let by = By::Person(Consent::to_any_plan());
        engine.apply(&stack, &by).await.into_result()?;
    }
    home.new_token("sandbox").await
}

/// How to try it, for whoever started it.
fn greeting(
    listener: &TcpListener,
    folder: &Path,
    token: &SecretText,
    options: &ServeOptions,
) -> Result<String, CliError> {
    let at = listener.local_addr().map_err(CliError::Serve)?;
    let folder = folder.display();
    Ok(format!(
        "Kedge serves a sandbox: stacks {stacks}. Nothing outside {folder} is touched.\n\
         Somebody changes something every {every} s, later every hour, and automation looks every {tick} s. Watch the lines\n\
         below, and try:\n\n  \
         export KEDGE_TOKEN={token}\n  \
         curl -H \"Authorization: Bearer $KEDGE_TOKEN\" http://{at}/v1/stacks\n  \
         curl -H \"Authorization: Bearer $KEDGE_TOKEN\" -X POST \"http://{at}/v1/stacks/demo/preview?wait=20\"\n\n\
         To deploy an edit, change a file and put it into the store:\n\n  \
         cd {folder}\n  \
         cp definitions/{FILE} store/upload/demo/{FILE}\n\n\
         Automation deploys it when it looks next, and writes its result beside it.\n\n",
        token = token.reveal(),
        stacks = STACKS.join(", "),
        every = DEED_EVERY.as_secs(),
        tick = options.tick_every.as_secs(),
    ))
}

/// Somebody in a console, for ever.
async fn person(home: &Home, sandbox: &Sandbox) -> Result<u8, CliError> {
    for (number, (words, deed)) in deeds().enumerate() {
        tokio::time::sleep(pause_before(number)).await;
        let deed: Deed = serde_json::from_str(&deed)?;
        match sandbox.act(&deed, home.ports().now().0) {
            Ok(()) => tracing::info!("somebody {words}"),
            // What is gone can't be deleted again.
            Err(why) => tracing::debug!("somebody could not do it again: {why}"),
        }
    }
    pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All deeds of a first round.
    const ROUND: usize = DEEDS.len() + TOPIC_DEEDS.len() * TOPICS.len();

    #[test]
    fn each_deed_is_one_about_what_is_declared() {
        let declared = &demo_files()[FILE];
        for topic in TOPICS {
            let line = format!("name: \"{{stack}}-{topic}\"\n");
            assert!(declared.contains(&line), "{topic}");
        }
        for (words, deed) in deeds().take(ROUND) {
            assert!(serde_json::from_str::<Deed>(&deed).is_ok(), "{words}");
        }
    }

    /// Automation makes the same correction twice a day at most.
    #[test]
    fn nothing_is_done_three_times_a_day() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut at = Duration::ZERO;
        let mut done = std::collections::BTreeMap::new();
        for (number, (words, _)) in deeds().enumerate() {
            at += pause_before(number);
            if at > day {
                break;
            }
            *done.entry(words).or_insert(0) += 1;
        }
        assert_eq!(done.len(), ROUND);
        assert_eq!(done.values().max(), Some(&2));
    }
}
