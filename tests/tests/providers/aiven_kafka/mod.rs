//! Kafka topics of Aiven against the sandbox: the words the tests share.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod reads;
mod writes;

use std::collections::BTreeMap;

use kedge_core::change::{Applied, Change, ChangeError, Edit, Verb};
use kedge_core::live::{FailureCode, Reading, ScopeReading, Wanted};
use kedge_core::model::{ByField, FieldName, Fields, ResourceKey, Salt, Scope, StackName, Value};
use kedge_engine::ports::ProviderName;
use kedge_engine::testing::{Context, Session};
use kedge_engine::testing::{carry_out, read_live};
use kedge_engine::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
use kedge_sandbox::{CANARY_SECRET, Deed, Effect, Fault, Matches, Options, Sandbox};
use kedge_tests::ports::{SimPorts, endpoints, sim};
use serde_json::json;

const PROJECT: &str = "clustera-creators";
const SERVICE: &str = "kafka-clustera";
/// How long a run may last here.
const RUN_MS: i64 = 60_000;

fn key(name: &str) -> ResourceKey {
    ResourceKey::kafka_topic(PROJECT, SERVICE, name)
}

fn field(name: &str) -> FieldName {
    FieldName::new(name)
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.map(|(name, value)| (field(name), value)).into()
}

fn world() -> SimPorts {
    sim(7, Sandbox::new(Options::default()))
}

fn act(ports: &SimPorts, deed: &Deed) {
    ports.sandbox.act(deed, ports.executor.now_ms()).unwrap();
}

fn make(ports: &SimPorts, names: &[&str]) {
    for name in names {
        let deed = Deed::CreateTopic {
            topic: (*name).to_owned(),
            partitions: 3,
            replication: None,
            config: BTreeMap::from([("retention_ms".to_owned(), json!(86_400_000))]),
            tags: BTreeMap::from([("team".to_owned(), "x".to_owned())]),
            service: None,
        };
        act(ports, &deed);
    }
}

fn delete(ports: &SimPorts, name: &str) {
    let deed = Deed::DeleteTopic {
        topic: name.to_owned(),
        service: None,
    };
    act(ports, &deed);
}

fn session(ports: &SimPorts) -> Session {
    let budget = Budget::lasting(ports, RUN_MS + LAST_REQUEST_BEFORE_DEADLINE_MS);
    Session::new(endpoints(), &budget, Salt([1; 16]))
}

/// A read of these topics, all of them recorded, in the namespace `prod-`.
fn read(ports: &SimPorts, names: &[&str]) -> ScopeReading {
    read_wanted(ports, names, names)
}

fn read_wanted(ports: &SimPorts, names: &[&str], recorded: &[&str]) -> ScopeReading {
    let wanted = Wanted {
        keys: names.iter().map(|name| key(name)).collect(),
        recorded: recorded.iter().map(|name| key(name)).collect(),
        namespaces: ["prod-".to_owned()].into(),
        ..Wanted::default()
    };
    let scope = Scope::KafkaService {
        project: PROJECT.to_owned(),
        service: SERVICE.to_owned(),
    };
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.clear_sent();
    let reading = ports.executor.run(read_live(cx, &scope, &wanted)).unwrap();
    for secret in ["s3cret", CANARY_SECRET] {
        assert!(!format!("{reading:?}").contains(secret));
    }
    reading
}

/// What is known of a topic, as one word.
fn word(reading: &ScopeReading, name: &str) -> &'static str {
    match reading.reading(&key(name)) {
        Reading::Present(_) => "present",
        Reading::Absent(_) => "absent",
        Reading::Unknown(failure) => failure.code.as_str(),
    }
}

fn reason(reading: &ScopeReading, name: &str) -> String {
    match reading.reading(&key(name)) {
        Reading::Unknown(failure) => failure.reason.clone(),
        other => panic!("{other:?}"),
    }
}

fn live(reading: &ScopeReading, name: &str) -> Fields {
    match reading.reading(&key(name)) {
        Reading::Present(live) => live.fields.clone(),
        other => panic!("{name} {other:?}"),
    }
}

fn status(code: u16) -> Effect {
    Effect::Status {
        code,
        retry_after_s: None,
        try_again_s: None,
        message: None,
        error_code: None,
    }
}

fn fault(ports: &SimPorts, effect: Effect, matches: Matches, times: Option<u32>) {
    ports.sandbox.add_fault(Fault {
        matches,
        effect,
        times,
    });
}

fn on_write() -> Matches {
    Matches {
        write: Some(true),
        ..Matches::default()
    }
}

fn on_path(method: &str, path: &str) -> Matches {
    Matches {
        method: Some(method.to_owned()),
        path: Some(path.to_owned()),
        ..Matches::default()
    }
}

fn declared() -> Fields {
    fields([
        ("partitions", Value::Int(6)),
        ("replication", Value::Int(2)),
        ("description", Value::text("orders of all shops")),
        ("tags.team", Value::text("y")),
        ("tags.tier", Value::text("1")),
        ("cleanup_policy", Value::text("compact,delete")),
        ("retention_ms", Value::Int(604_800_000)),
        ("flush_ms", Value::Int(i64::MAX)),
        ("min_cleanable_dirty_ratio", Value::Ratio(100_000_000)),
        ("preallocate", Value::Bool(true)),
    ])
}

fn change(verb: Verb, name: &str, declared: Fields) -> Change {
    Change {
        begun_before: false,
        stack: StackName::new("prod").unwrap(),
        key: key(name),
        verb,
        edits: Vec::new(),
        declared,
        secrets: ByField::new(),
        recorded: Fields::new(),
        live: None,
    }
}

/// The update that makes a topic what is declared, edit by edit.
fn update(ports: &SimPorts, name: &str, declared: Fields) -> Change {
    let reading = read(ports, &[name]);
    let was = live(&reading, name);
    let edits = declared
        .iter()
        .filter(|(field, value)| was.get(field) != Some(*value))
        .map(|(field, to)| Edit::Set {
            field: field.clone(),
            to: to.clone(),
        })
        .collect();
    Change {
        edits,
        live: reading.reading(&key(name)).present().cloned(),
        ..change(Verb::Update, name, declared)
    }
}

fn write(ports: &SimPorts, change: &Change) -> Result<Applied, ChangeError> {
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.clear_sent();
    let result = ports.executor.run(carry_out(cx, change)).unwrap();
    assert!(!format!("{result:?}").contains("s3cret"));
    result
}
