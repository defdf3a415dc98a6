//! Pub/Sub against the sandbox: the words the tests share.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod bindings;
mod reads;
mod tokens;
mod writes;

use std::collections::BTreeMap;

use kedge_core::change::{Applied, Change, ChangeError, Edit, Verb};
use kedge_core::live::{Live, Reading, ScopeReading, Wanted};
use kedge_core::model::{
    ByField, FieldName, Fields, ResourceKey, Salt, Scope, SealedUrl, SecretText, StackName, Value,
};
use kedge_engine::ports::ProviderName;
use kedge_engine::testing::{Context, Session};
use kedge_engine::testing::{carry_out, read_live};
use kedge_engine::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
use kedge_sandbox::{Deed, Effect, Fault, Matches, Options, Sandbox};
use kedge_tests::ports::{SimPorts, endpoints, sim};

const PROJECT: &str = "clustera-control-plane";
const ROLE: &str = "roles/pubsub.publisher";
const GMAIL: &str = "serviceAccount:gmail-api-push@system.gserviceaccount.com";
const URL: &str = "https://hooks.clustera.io/gmail?token=t0ps3cret";
const SALT: Salt = Salt([1; 16]);
/// How long a run may last here: shorter than a minute, so that a wait for the next one may not fit.
const RUN_MS: i64 = 50_000;

/// From now on Pub/Sub wants credentials, as Google does and an emulator does not.
fn want_credentials(session: &mut Session) {
    let base = session.endpoints.base(ProviderName::Pubsub).to_owned();
    session.endpoints.replace(ProviderName::Pubsub, base, false);
}

fn topic_key(id: &str) -> ResourceKey {
    ResourceKey::pubsub_topic(PROJECT, id)
}

fn sub_key(id: &str) -> ResourceKey {
    ResourceKey::pubsub_subscription(PROJECT, id)
}

fn binding_key(topic: &str) -> ResourceKey {
    ResourceKey::pubsub_binding(PROJECT, topic, ROLE)
}

fn field(name: &str) -> FieldName {
    FieldName::new(name)
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.map(|(name, value)| (field(name), value)).into()
}

fn sealed() -> Value {
    Value::url(SealedUrl::seal(URL, &SALT).unwrap())
}

/// A world that holds `prod-gmail` with its grant and its push subscription, and another's things.
fn world() -> SimPorts {
    let ports = bare();
    for topic in ["prod-gmail", "dev-gmail"] {
        act(&ports, topic_deed(topic));
    }
    act(&ports, grant("prod-gmail", GMAIL));
    act(
        &ports,
        Deed::CreateSubscription {
            subscription: "prod-gmail-sub".to_owned(),
            topic: "prod-gmail".to_owned(),
            fields: BTreeMap::from([(
                "pushConfig".to_owned(),
                serde_json::json!({"pushEndpoint": URL}),
            )])
            .into_iter()
            .collect(),
        },
    );
    ports
}

fn bare() -> SimPorts {
    sim(7, Sandbox::new(Options::default()))
}

fn topic_deed(topic: &str) -> Deed {
    Deed::CreatePubsubTopic {
        topic: topic.to_owned(),
        fields: serde_json::Map::new(),
    }
}

fn grant(topic: &str, member: &str) -> Deed {
    Deed::AddIamMember {
        topic: topic.to_owned(),
        role: ROLE.to_owned(),
        member: member.to_owned(),
    }
}

fn act(ports: &SimPorts, deed: Deed) {
    ports.sandbox.act(&deed, ports.executor.now_ms()).unwrap();
}

/// Trouble for requests whose path holds `path`.
fn trouble(ports: &SimPorts, path: &str, effect: Effect, times: Option<u32>) {
    ports.sandbox.add_fault(Fault {
        matches: Matches {
            path: Some(path.to_owned()),
            ..Matches::default()
        },
        effect,
        times,
    });
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

fn session(ports: &SimPorts) -> Session {
    let budget = Budget::lasting(ports, RUN_MS + LAST_REQUEST_BEFORE_DEADLINE_MS);
    Session::new(endpoints(), &budget, SALT)
}

/// The three resources of `prod-gmail`, and one of each kind that is not there.
fn wanted() -> Wanted {
    let keys = [
        topic_key("prod-gmail"),
        topic_key("prod-none"),
        binding_key("prod-gmail"),
        binding_key("prod-none"),
        sub_key("prod-gmail-sub"),
        sub_key("prod-none-sub"),
    ];
    Wanted {
        keys: keys.into(),
        namespaces: ["prod-".to_owned()].into(),
        ..Wanted::default()
    }
}

fn read(ports: &SimPorts) -> ScopeReading {
    read_in(ports, &session(ports))
}

fn read_in(ports: &SimPorts, session: &Session) -> ScopeReading {
    let scope = Scope::GcpProject {
        project: PROJECT.to_owned(),
    };
    let cx = Context::new(ports, session);
    ports.clear_sent();
    let wanted = wanted();
    let reading = ports.executor.run(read_live(cx, &scope, &wanted)).unwrap();
    assert!(!format!("{reading:?}").contains("s3cret"));
    reading
}

/// What is known of a resource, as one word.
fn word(reading: &ScopeReading, key: &ResourceKey) -> &'static str {
    match reading.reading(key) {
        Reading::Present(_) => "present",
        Reading::Absent(_) => "absent",
        Reading::Unknown(failure) => failure.code.as_str(),
    }
}

fn reason(reading: &ScopeReading, key: &ResourceKey) -> String {
    match reading.reading(key) {
        Reading::Unknown(failure) => failure.reason.clone(),
        other => panic!("{other:?}"),
    }
}

fn live(reading: &ScopeReading, key: &ResourceKey) -> Live {
    match reading.reading(key) {
        Reading::Present(live) => live.clone(),
        other => panic!("{key}: {other:?}"),
    }
}

fn change(key: ResourceKey, verb: Verb) -> Change {
    Change {
        begun_before: false,
        stack: StackName::new("prod").unwrap(),
        key,
        verb,
        edits: Vec::new(),
        declared: Fields::new(),
        secrets: ByField::from([(field("push_endpoint"), SecretText::new(URL))]),
        recorded: Fields::new(),
        live: None,
    }
}

fn create(key: ResourceKey, declared: Fields) -> Change {
    Change {
        declared,
        ..change(key, Verb::Create)
    }
}

fn update(key: ResourceKey, edits: Vec<Edit>) -> Change {
    Change {
        edits,
        ..change(key, Verb::Update)
    }
}

fn set(name: &str, to: Value) -> Edit {
    Edit::Set {
        field: field(name),
        to,
    }
}

fn apply(ports: &SimPorts, change: &Change) -> Result<Applied, ChangeError> {
    let session = session(ports);
    let cx = Context::new(ports, &session);
    ports.clear_sent();
    let outcome = ports.executor.run(carry_out(cx, change)).unwrap();
    assert!(!format!("{outcome:?}").contains("s3cret"));
    outcome
}

/// How a change ended, as one word.
fn ended(outcome: &Result<Applied, ChangeError>) -> &'static str {
    match outcome {
        Ok(_) => "done",
        Err(ChangeError::Blocked { .. }) => "blocked",
        Err(ChangeError::Failed { .. }) => "failed",
        Err(ChangeError::OutcomeUnknown { .. }) => "unknown",
    }
}

fn why(outcome: Result<Applied, ChangeError>) -> String {
    outcome.unwrap_err().to_string()
}

/// Reads and writes sent since the last call that clears them.
fn counts(ports: &SimPorts) -> (usize, usize) {
    ports.counts(ProviderName::Pubsub)
}
