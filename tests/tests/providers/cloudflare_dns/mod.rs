//! Cloudflare DNS against the sandbox.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes helpers of integration tests for production code"
)]

mod reads;
mod writes;

use std::collections::BTreeMap;

use kedge_core::change::{Applied, Change, ChangeError, Edit, Verb};
use kedge_core::live::{Live, Reading, ScopeReading, Wanted};
use kedge_core::model::{ByField, FieldName, Fields, ResourceKey, Salt, Scope, StackName, Value};
use kedge_engine::ports::ProviderName;
use kedge_engine::testing::{Context, Session};
use kedge_engine::testing::{carry_out, read_live};
use kedge_engine::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
use kedge_sandbox::{Deed, Effect, Fault, Matches, Options, Provider, Sandbox};
use kedge_tests::ports::{SimPorts, endpoints, sim};
use serde_json::json;

const ZONE: &str = "c1a57e4a000000000000000000000001";
const NODE: &str = "1.clustera.io";
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";

const ADDRESSES: FieldName = FieldName::known("addresses");
const TTL: FieldName = FieldName::known("ttl");
const PROXIED: FieldName = FieldName::known("proxied");

fn empty() -> SimPorts {
    sim(1, Sandbox::new(Options::default()))
}

/// A world in which a node has these addresses with ttl 300, made by hand.
fn with_node(addresses: &[&str]) -> SimPorts {
    let ports = empty();
    for address in addresses {
        add_record(
            &ports,
            &json!({"type": "A", "name": NODE, "content": address, "ttl": 300}),
        );
    }
    ports
}

fn act(ports: &SimPorts, deed: serde_json::Value) {
    let deed: Deed = serde_json::from_value(deed).unwrap();
    ports.sandbox.act(&deed, ports.executor.now_ms()).unwrap();
}

fn add_record(ports: &SimPorts, record: &serde_json::Value) {
    act(ports, json!({"do": "add_record", "record": record}));
}

fn key(name: &str) -> ResourceKey {
    ResourceKey::dns_record_set(ZONE, name, "A")
}

fn session(ports: &SimPorts) -> Session {
    let budget = Budget::lasting(ports, 120_000 + LAST_REQUEST_BEFORE_DEADLINE_MS);
    Session::new(endpoints(), &budget, Salt([7; 16]))
}

fn scope() -> Scope {
    Scope::DnsZone {
        zone_id: ZONE.to_owned(),
    }
}

fn wanted(names: &[&str]) -> Wanted {
    Wanted {
        keys: names.iter().map(|name| key(name)).collect(),
        ..Wanted::default()
    }
}

fn read(ports: &SimPorts, wanted: &Wanted) -> ScopeReading {
    read_scope(ports, &scope(), wanted)
}

fn read_scope(ports: &SimPorts, scope: &Scope, wanted: &Wanted) -> ScopeReading {
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.executor.run(read_live(cx, scope, wanted)).unwrap()
}

/// The node as it is live; none if it is proven absent.
fn node(ports: &SimPorts) -> Option<Live> {
    let reading = read(ports, &wanted(&[NODE]));
    match reading.reading(&key(NODE)) {
        Reading::Present(live) => Some(live.clone()),
        Reading::Absent(_) => None,
        Reading::Unknown(failure) => panic!("{failure:?}"),
    }
}

fn fields(addresses: &[&str], ttl: i64, proxied: bool) -> Fields {
    let mut fields = Fields::from([
        (ADDRESSES, Value::set(addresses.iter().copied())),
        (PROXIED, Value::Bool(proxied)),
    ]);
    if !proxied {
        fields.insert(TTL, Value::Int(ttl));
    }
    fields
}

/// A change of the node, with what is live now behind it.
fn change(ports: &SimPorts, verb: Verb, declared: Fields, edits: Vec<Edit>) -> Change {
    let recorded = match verb {
        Verb::Delete => declared.clone(),
        _ => Fields::new(),
    };
    Change {
        begun_before: false,
        stack: StackName::new("dev").unwrap(),
        key: key(NODE),
        verb,
        edits,
        declared: if verb == Verb::Delete {
            Fields::new()
        } else {
            declared
        },
        secrets: ByField::new(),
        recorded,
        live: node(ports),
    }
}

fn apply(ports: &SimPorts, change: &Change) -> Result<Applied, ChangeError> {
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.executor.run(carry_out(cx, change)).unwrap()
}

fn add(item: &str) -> Edit {
    Edit::Add {
        field: ADDRESSES,
        item: item.to_owned(),
    }
}

fn remove(item: &str) -> Edit {
    Edit::Remove {
        field: ADDRESSES,
        item: item.to_owned(),
    }
}

fn set(field: FieldName, to: Value) -> Edit {
    Edit::Set { field, to }
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

fn trouble(ports: &SimPorts, write: bool, effect: Effect, times: Option<u32>) {
    ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(Provider::Cloudflare),
            write: Some(write),
            ..Matches::default()
        },
        effect,
        times,
    });
}

fn counts(ports: &SimPorts) -> (usize, usize) {
    ports.counts(ProviderName::Cloudflare)
}

/// Address, ttl, proxied and comment of each of the node's records in the sandbox.
fn records(ports: &SimPorts) -> Vec<(String, i64, bool, String)> {
    let world = ports.sandbox.world();
    let all = world["cloudflare"]["zones"][ZONE]["records"].as_object();
    let mut found: Vec<_> = all
        .unwrap()
        .values()
        .filter(|record| record["name"] == NODE && record["type"] == "A")
        .map(|record| {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            let ttl = record["ttl"].as_i64().unwrap();
            let proxied = record["proxied"].as_bool().unwrap();
            (text("content"), ttl, proxied, text("comment"))
        })
        .collect();
    found.sort();
    found
}
