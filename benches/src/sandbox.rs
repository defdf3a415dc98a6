//! `kedge sandbox` as a process of its own, and what is asked of it past the providers' APIs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kedge_core::providers::ProviderName;
use serde_json::{Value, json};

use crate::Failure;
use crate::made::{self, Amounts};

/// Deeds in one request; its body may have 8 MiB.
const DEEDS_MAX: usize = 5_000;

/// A running sandbox; it ends with this value.
pub(crate) struct Sandbox {
    process: Child,
    /// `127.0.0.1:<port>`.
    pub(crate) address: String,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sandbox {
    /// Starts one on a free port.
    pub(crate) fn start(kedge: &Path) -> Result<Self, Failure> {
        let mut process = Command::new(kedge)
            .args(["sandbox", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("the sandbox says nothing")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .split_once("AIVEN_WEB_URL=http://")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .ok_or("the sandbox does not say its address")?
            .to_owned();
        Ok(Self { process, address })
    }

    /// The variables by which clients find it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let providers = ProviderName::ALL.into_iter();
        providers
            .flat_map(|provider| provider.entry().sandbox_variables(&self.address, "sandbox"))
            .collect()
    }

    /// Makes the world that the definitions of these amounts describe.
    pub(crate) fn fill(&self, amounts: Amounts) -> Result<(), Failure> {
        let deeds = deeds(amounts);
        for some in deeds.chunks(DEEDS_MAX) {
            self.ask("POST", "/_sandbox/person", &Value::from(some.to_vec()))?;
        }
        Ok(())
    }

    /// Makes every provider answer take so long from now on.
    pub(crate) fn delay(&self, ms: u64) -> Result<(), Failure> {
        self.ask("DELETE", "/_sandbox/faults", &Value::Null)?;
        if ms > 0 {
            let fault = json!({"effect": {"kind": "latency", "ms": ms}});
            self.ask("POST", "/_sandbox/faults", &fault)?;
        }
        Ok(())
    }

    /// Forgets the requests so far.
    pub(crate) fn forget_requests(&self) -> Result<(), Failure> {
        self.ask("DELETE", "/_sandbox/requests", &Value::Null)?;
        Ok(())
    }

    /// How many requests the providers got since.
    pub(crate) fn requests(&self) -> Result<usize, Failure> {
        let said = self.ask("GET", "/_sandbox/requests", &Value::Null)?;
        let list = said.get("requests").and_then(Value::as_array);
        Ok(list.ok_or("the sandbox has no log")?.len())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let mut stream = TcpStream::connect(&self.address)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, text) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("{method} {path}: {text}").into());
        }
        Ok(serde_json::from_str(text)?)
    }
}

fn deeds(amounts: Amounts) -> Vec<Value> {
    let name = |what: String| format!("{}-{what}", made::STACK);
    let topics = (0..amounts.topics).map(|number| {
        let retention_ms = made::retention_ms(number).unwrap_or(604_800_000);
        json!({
            "do": "create_topic",
            "topic": name(made::topic(number)),
            "partitions": made::partitions(number),
            "replication": 3,
            "config": {
                "retention_ms": retention_ms,
                "max_message_bytes": 26_214_400,
                "compression_type": "snappy",
            },
        })
    });
    let records = (0..amounts.records).map(|number| {
        json!({"do": "add_record", "record": {
            "type": "A",
            "name": made::domain(number),
            "content": made::address(number),
            "ttl": 300,
            "proxied": false,
        }})
    });
    let pubsub_topics = (0..amounts.pubsub_topics).map(
        |number| json!({"do": "create_pubsub_topic", "topic": name(format!("mail-{number}"))}),
    );
    let subscriptions = (0..amounts.subscriptions).map(|number| {
        json!({
            "do": "create_subscription",
            "subscription": name(format!("mail-{number}-sub")),
            "topic": name(format!("mail-{}", number % amounts.pubsub_topics)),
            "fields": {"ackDeadlineSeconds": 60},
        })
    });
    let bindings = (0..amounts.bindings).map(|number| {
        json!({
            "do": "set_iam_binding",
            "topic": name(format!("mail-{number}")),
            "role": "roles/pubsub.publisher",
            "members": [made::member(number)],
        })
    });
    topics
        .chain(records)
        .chain(pubsub_topics)
        .chain(subscriptions)
        .chain(bindings)
        .collect()
}
