//! Other programs beside Kedge: the same machine, the same run, the same sandbox.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::made::{self, Amounts};
use crate::measure::{mib, ms, ratio};
use crate::table::{Table, say};
use crate::whole::{Ended, Stack};

const EACH: usize = 1_000;
const DELAYS_MS: [u64; 2] = [0, 50];
/// Topics whose configuration avn is asked for: one process each, so that all would take minutes.
const TOPICS_GOT: usize = 5;

const OCTODNS: &str = "\
providers:
  config: {class: octodns.provider.yaml.YamlProvider, directory: ./octodns, default_ttl: 300, enforce_order: false}
  cloudflare: {class: octodns_cloudflare.CloudflareProvider, token: env/CLOUDFLARE_API_TOKEN, api_url: API, pagerules: false, retry_period: 1}
zones: {clustera.io.: {sources: [config], targets: [cloudflare]}}
";

/// Prints the table, or says why there is none.
pub(crate) fn run(kedge: &Path, venv: Option<&Path>) -> Result<(), Failure> {
    let Some(venv) = venv.and_then(|venv| fs::canonicalize(venv).ok()) else {
        say("3. Beside others: left out, since octoDNS and avn are not installed (see above)\n\n");
        return Ok(());
    };
    let mut table = Table::new(&[
        "what",
        "answers after ms",
        "requests",
        "ms",
        "times kedge",
        "peak MiB",
    ]);
    records(kedge, &venv, &mut table)?;
    topics(kedge, &venv, &mut table)?;
    table.print(&format!(
        "3. Beside others: {EACH} records or {EACH} topics, the fastest of 3"
    ));
    Ok(())
}

fn row(table: &mut Table, what: &str, delay_ms: u64, ended: &Ended, kedge: Duration) {
    table.row(vec![
        what.to_owned(),
        delay_ms.to_string(),
        ended.requests.to_string(),
        ms(ended.took),
        ratio(ended.took, kedge),
        mib(ended.peak_kib),
    ]);
}

fn records(kedge: &Path, venv: &Path, table: &mut Table) -> Result<(), Failure> {
    let stack = Stack::make(kedge, Amounts::records(EACH))?;
    let api = format!("http://{}/client/v4", stack.sandbox.address);
    fs::write(
        stack.folder().join("octodns.yaml"),
        OCTODNS.replace("API", &api),
    )?;
    fs::create_dir(stack.folder().join("octodns"))?;
    let record = |number: usize| {
        let address = made::address(number);
        format!("'{number}': {{type: A, ttl: 300, value: {address}}}\n")
    };
    let zone: String = (0..EACH).map(record).collect();
    fs::write(stack.folder().join("octodns/clustera.io.yaml"), zone)?;
    for delay_ms in DELAYS_MS {
        stack.sandbox.delay(delay_ms)?;
        let ours = stack.best(|| stack.check())?;
        row(table, "kedge check, records", delay_ms, &ours, ours.took);
        let theirs = stack.best(|| {
            let mut command = Command::new(venv.join("bin/octodns-sync"));
            command.args(["--config-file", "octodns.yaml"]);
            command
        })?;
        row(table, "octodns-sync, dry run", delay_ms, &theirs, ours.took);
    }
    Ok(())
}

fn topics(kedge: &Path, venv: &Path, table: &mut Table) -> Result<(), Failure> {
    let stack = Stack::make(kedge, Amounts::topics(EACH))?;
    let avn = || {
        let mut command = Command::new(venv.join("bin/avn"));
        command
            .args(["--url", &format!("http://{}", stack.sandbox.address)])
            .args(["--auth-token", "sandbox", "service"]);
        command
    };
    let service = ["--project", "clustera-creators", "kafka-clustera"];
    for delay_ms in DELAYS_MS {
        stack.sandbox.delay(delay_ms)?;
        let ours = stack.best(|| stack.check())?;
        row(table, "kedge check, topics", delay_ms, &ours, ours.took);
        let list = stack.best(|| {
            let mut command = avn();
            command.arg("topic-list").args(service);
            command
        })?;
        row(
            table,
            "avn topic-list (no configuration)",
            delay_ms,
            &list,
            ours.took,
        );
        let mut all = Ended {
            took: Duration::ZERO,
            peak_kib: None,
            requests: 0,
            text: String::new(),
        };
        for number in 0..TOPICS_GOT {
            let topic = format!("{}-{}", made::STACK, made::topic(number));
            let mut command = avn();
            command.arg("topic-get").args(service).arg(topic);
            let one = stack.run(command)?;
            all.took += one.took;
            all.requests += one.requests;
            all.peak_kib = all.peak_kib.max(one.peak_kib);
        }
        let what = format!("avn topic-get, {TOPICS_GOT} of the topics");
        row(table, &what, delay_ms, &all, ours.took);
    }
    Ok(())
}
