//! The story: deployed, changed by hand, detected, corrected, clean except for what kedge can't change.

use kedge_core::compare::Verdict;
use kedge_core::render;
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::{By, Consent, Ran};
use kedge_sandbox::Deed;

use super::World;
use super::automation;
use crate::error::CliError;
use crate::screen;

/// What a person does by hand, in the words of the story and of the sandbox.
const DEEDS: &[(&str, &str)] = &[
    (
        "shortens the retention of demo-runtime from 7 days to 1 hour",
        r#"{"do":"set_topic_config","topic":"demo-runtime","config":{"retention_ms":3600000}}"#,
    ),
    (
        "adds partitions to demo-cerebras: 10 to 12",
        r#"{"do":"set_partitions","topic":"demo-cerebras","partitions":12}"#,
    ),
    (
        "deletes the dead-letter topic demo-integrations-worker-gmail-dlq",
        r#"{"do":"delete_topic","topic":"demo-integrations-worker-gmail-dlq"}"#,
    ),
    (
        "adds the address 192.0.2.66 to demo-1.clustera.io, which is declared exclusive",
        r#"{"do":"add_address","name":"demo-1.clustera.io","address":"192.0.2.66"}"#,
    ),
    (
        "turns on the proxy of demo-2.clustera.io",
        r#"{"do":"patch_record","name":"demo-2.clustera.io","set":{"proxied":true}}"#,
    ),
    (
        "points Gmail's push endpoint elsewhere",
        r#"{"do":"set_push_endpoint","subscription":"demo-integration-gmail-webhook-sub","endpoint":"https://elsewhere.example/hook"}"#,
    ),
    (
        "removes Gmail's publisher binding",
        r#"{"do":"remove_iam_binding","topic":"demo-integration-gmail-webhook","role":"roles/pubsub.publisher"}"#,
    ),
    (
        "creates a topic that nobody declared: demo-scratch",
        r#"{"do":"create_topic","topic":"demo-scratch","partitions":1}"#,
    ),
];

/// Tells the story and checks that it goes as it is told.
pub(super) async fn tell(world: &World) -> Result<(), CliError> {
    say(
        "Kedge demo: Clustera's definitions and one more stack, against a sandbox of Aiven, Google\nPub/Sub and Cloudflare on this machine, over HTTP.\n",
    )?;
    deploy(world).await?;
    drift(world).await?;
    correct_unattended(world).await?;
    correct_with_consent(world).await?;
    automation::tell(world).await?;
    say("\nDone: kedge restored what it can, and says what it can't.\n")
}

async fn deploy(world: &World) -> Result<(), CliError> {
    title(
        "1. A new stack: its one file is written, and a person deploys it",
        "kedge up --yes",
    )?;
    let Ran {
        report, changed, ..
    } = world.up(&person(&[])).await?;
    say(&render::changed_text(&report, &changed, &world.around()))?;
    expect(
        changed.is_complete() && !changed.results.is_empty(),
        "everything is created",
    )?;
    world.an_hour_passes();
    title("2. An hour later", "kedge check")?;
    let report = show_check(world).await?;
    expect(
        report.verdict() == StackVerdict::Clean,
        "the stack is clean",
    )
}

async fn drift(world: &World) -> Result<(), CliError> {
    title("3. Somebody changes things by hand, in three consoles", "")?;
    for (words, deed) in DEEDS {
        let deed: Deed = serde_json::from_str(deed)?;
        world.person(&deed)?;
        screen::out_lines(&format!("   a person {words}"))?;
    }
    title("4. Kedge shows each change, field by field", "kedge check")?;
    let report = show_check(world).await?;
    let drifted = report.count(&[Verdict::Drifted]);
    expect(drifted == 7, "seven resources drifted")?;
    expect(
        report.comparison.unmanaged.len() == 1,
        "one topic is unmanaged",
    )
}

async fn correct_unattended(world: &World) -> Result<(), CliError> {
    title(
        "5. Automation fixes what the policy allows (correct: safe); the rest waits",
        "kedge up --unattended",
    )?;
    let Ran {
        report, changed, ..
    } = world.up(&By::Policy).await?;
    say(&render::changed_text(&report, &changed, &world.around()))?;
    expect(
        changed.done() == 3,
        "retention, dead-letter topic and binding are restored",
    )?;
    world.an_hour_passes();
    Ok(())
}

async fn correct_with_consent(world: &World) -> Result<(), CliError> {
    title("6. A person looks at the rest", "kedge preview")?;
    let report = world.check().await?;
    say(&render::preview_text(&report, &world.around()))?;
    title(
        "7. ... and approves what cannot be undone, by name",
        "kedge up --yes --allow demo-1.clustera.io",
    )?;
    let Ran {
        report, changed, ..
    } = world.up(&person(&["demo-1.clustera.io"])).await?;
    say(&render::changed_text(&report, &changed, &world.around()))?;
    expect(
        changed.done() == 3,
        "address, proxy and endpoint are restored",
    )?;
    world.an_hour_passes();
    title(
        "8. What is left: what Kafka can't do, and what kedge does not manage",
        "kedge check",
    )?;
    let report = show_check(world).await?;
    expect(
        report.count(&[Verdict::Drifted]) == 1,
        "only the partitions are left",
    )?;
    expect(
        report.comparison.unmanaged.len() == 1,
        "the unmanaged topic is untouched",
    )?;
    let topics = world.sandbox.world().to_string();
    expect(
        topics.contains("demo-scratch"),
        "the unmanaged topic is there",
    )
}

async fn show_check(world: &World) -> Result<Report, CliError> {
    let report = world.check().await?;
    say(&render::check_text(&report, &world.around()))?;
    Ok(report)
}

/// A person who agrees, and names what can't be taken back.
fn person(allow: &[&str]) -> By {
    By::Person(Consent::to_any_plan().allowing(allow.iter().copied()))
}

pub(super) fn title(title: &str, command: &str) -> Result<(), CliError> {
    screen::out_lines(&format!("\n== {title}"))?;
    if command.is_empty() {
        Ok(())
    } else {
        say(&format!("$ {command}\n"))
    }
}

pub(super) fn say(text: &str) -> Result<(), CliError> {
    screen::out(text)
}

/// The demo is a test as well: what it tells must be so.
pub(super) fn expect(holds: bool, what: &str) -> Result<(), CliError> {
    if holds {
        Ok(())
    } else {
        Err(CliError::Demo(format!("expected that {what}")))
    }
}
