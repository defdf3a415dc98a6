//! A service with two stacks, and all that it needs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ::http::{Method, Request};
use bytes::Bytes;
use futures_util::FutureExt as _;
use kedge_adapters::{BeforeStore, HookedStore, InMemoryStore, StoreOperation};
use kedge_core::definitions::Bundle;
use kedge_core::model::{SecretText, StackName, StackVerdict, Timestamp};
use kedge_core::push::{Ancestry, PushConsent};
use kedge_core::stored::run_request::{Answer, AnswerOutcome};
use kedge_core::stored::state::Watch;
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_engine::ports::{Clock, Condition, Listed, Random, Store, StoreError};
use kedge_engine::{Caches, Endpoints, FolderPush, LeaseTimes, PushRequest};
use serde_json::Value as Json;

use super::{Answered, fits, route_of};
use crate::instance::Instance;
use crate::queue::{Acknowledge, Queue, QueueError};
use crate::requests;
use crate::service::{Limits, Requester, Service, Settings};
use crate::tokens::{self, TokenRequest};
use crate::work::Work;

pub(super) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(super) const RELAY_KEY: &str = "relay-key-of-the-tests";
/// The stack that most tokens here may not see.
pub(super) const HIDDEN: &str = "hidden-stack";

pub(super) fn done<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

pub(super) fn name(stack: &str) -> StackName {
    StackName::new(stack).unwrap()
}

/// What happens while a request waits.
type OnSleep = Box<dyn FnMut(Timestamp)>;

/// A clock that is a number, and random numbers that are counted.
pub(super) struct Ports {
    pub(super) now: Rc<Cell<i64>>,
    random: Cell<u64>,
    pub(super) on_sleep: RefCell<Option<OnSleep>>,
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.get())
    }

    fn monotonic_ms(&self) -> i64 {
        self.now.get()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.now.set(self.now.get() + i64::try_from(ms).unwrap());
        if let Some(happens) = self.on_sleep.borrow_mut().as_mut() {
            happens(self.now());
        }
    }
}

impl Random for Ports {
    fn next_u64(&self) -> u64 {
        self.random.set(self.random.get() + 1);
        self.random.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Fails whatever a store is asked for, where it is told to.
#[derive(Default)]
pub(super) struct Outage {
    pub(super) is_on: Cell<bool>,
}

impl BeforeStore for Outage {
    type Kept<'a> = ();

    async fn before(&self, operation: StoreOperation<'_>) -> Result<(), StoreError> {
        let (StoreOperation::Get(key) | StoreOperation::Put(key) | StoreOperation::List(key)) =
            operation;
        match self.is_on.get() {
            false => Ok(()),
            true => Err(StoreError::Read {
                key: key.to_owned(),
                reason: "https://bucket.internal.example refused".to_owned(),
            }),
        }
    }
}

/// A store that can fail.
pub(super) type FailingStore = HookedStore<InMemoryStore, Outage>;

/// A queue that keeps what it is sent, or refuses it.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) sent: RefCell<Vec<Work>>,
    pub(super) fails: Cell<bool>,
}

impl Queue for Recorder {
    type Receipt = ();

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        if self.fails.get() {
            return Err(QueueError("it is full".to_owned()));
        }
        self.sent.borrow_mut().push(work.clone());
        Ok(())
    }

    async fn later(&self, _: &Work, (): &(), _: u64) -> Result<Acknowledge, QueueError> {
        Ok(Acknowledge::Done)
    }
}

pub(super) struct World {
    pub(super) ports: Ports,
    pub(super) store: Rc<FailingStore>,
    pub(super) queue: Recorder,
    pub(super) instance: Instance,
    pub(super) read_only: bool,
    pub(super) has_relay_key: bool,
    overrides: BTreeMap<String, String>,
    endpoints: Endpoints,
    caches: Caches,
    per_minute: BTreeMap<kedge_core::providers::ProviderName, u64>,
    relay_key: SecretText,
}

/// A request, as a test writes it.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: &'a [u8],
}

pub(super) fn get(uri: impl Into<String>, token: &str) -> Call<'static> {
    Call {
        method: Method::GET,
        uri: uri.into(),
        headers: vec![("authorization", format!("Bearer {token}"))],
        body: b"",
    }
}

pub(super) fn post<'a>(uri: impl Into<String>, token: &str, body: &'a str) -> Call<'a> {
    let mut call = Call {
        method: Method::POST,
        body: body.as_bytes(),
        ..get(uri, token)
    };
    if !body.is_empty() {
        call.headers
            .push(("content-type", "application/json".to_owned()));
    }
    call
}

impl Call<'_> {
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(one, _)| *one != name);
        self
    }
}

impl World {
    /// Two stacks that were pushed, `prod-1` and [`HIDDEN`].
    pub(super) fn new() -> Self {
        let now = Rc::new(Cell::new(NOW.0));
        let clock = Rc::clone(&now);
        let inner = InMemoryStore::with_time(move || Timestamp(clock.get()));
        let world = Self {
            ports: Ports {
                now,
                random: Cell::default(),
                on_sleep: RefCell::default(),
            },
            store: Rc::new(HookedStore {
                inner,
                hook: Outage::default(),
            }),
            queue: Recorder::default(),
            instance: Instance::new(),
            read_only: false,
            has_relay_key: true,
            overrides: BTreeMap::new(),
            endpoints: Endpoints::of_variables(|_| None).unwrap(),
            caches: Caches::default(),
            per_minute: BTreeMap::new(),
            relay_key: SecretText::new(RELAY_KEY),
        };
        world.push("prod-1");
        world.push(HIDDEN);
        world
    }

    pub(super) fn service(&self) -> Service<'_, Ports, FailingStore, Recorder> {
        Service {
            ports: &self.ports,
            store: &self.store,
            queue: &self.queue,
            settings: Settings {
                overrides: &self.overrides,
                endpoints: &self.endpoints,
                lease: LeaseTimes::default(),
                read_only: self.read_only,
                limits: Limits::MACHINE,
                requests_per_minute: &self.per_minute,
                caches: &self.caches,
                instance: &self.instance,
                relay_key: self.has_relay_key.then_some(&self.relay_key),
            },
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.now()
    }

    /// A check saw a stack.
    pub(super) fn checked(&self, stack: &str, at: Timestamp, verdict: &str) {
        let watch = Watch {
            last_check: StackVerdict::parse(verdict).map(|verdict| (at, verdict)),
            ..Watch::default()
        };
        let key = format!("stacks/{stack}/watch.json");
        let bytes = watch.encode().unwrap();
        done(self.store.put(&key, bytes.into(), Condition::None)).unwrap();
    }

    pub(super) fn pass(&self, ms: i64) {
        self.ports.now.set(self.ports.now.get() + ms);
    }

    /// Pushes a stack with the topics `a` and `b`.
    pub(super) fn push(&self, stack: &str) {
        let config = "config:\n  test:aiven_project: p\n  test:kafka_service: s\n";
        let topics = "topics:\n- name: \"{stack}-a\"\n- name: \"{stack}-b\"\n";
        let project = "project: test\n\
                       areas: {area: {kafka_topics: {partitions: 1, replication: 2}}}\n";
        let files = [
            ("kedge.yaml".to_owned(), project.to_owned()),
            (format!("stacks/{stack}.yaml"), config.to_owned()),
            ("area/kafka-topics.yaml".to_owned(), topics.to_owned()),
        ];
        let bundle = Bundle::new(files.into()).unwrap();
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: None,
            branch: None,
            ancestry: &|_| Ancestry::NotChecked("no git".to_owned()),
            consent: &PushConsent::default(),
        });
        let service = self.service();
        let budget = Limits::MACHINE.budget(&self.ports).unwrap();
        let requester = Requester {
            actor: "ana@laptop",
            trigger: "cli",
            run: None,
        };
        done(
            service
                .engine(&budget, requester)
                .push(&name(stack), request),
        )
        .unwrap();
    }

    /// A token for a day, used just now.
    pub(super) fn token(&self, scopes: &[TokenScope], stacks: &str) -> String {
        let request = TokenRequest {
            name: "ci",
            scopes: scopes.iter().copied().collect(),
            stacks: StackPattern::new(stacks).unwrap(),
            lasts_ms: 24 * 60 * 60 * 1000,
            created_by: "ana@laptop",
        };
        let issued = tokens::issue(&self.ports, &*self.store, &request, self.now());
        let text = done(issued).unwrap().1.reveal().to_owned();
        // Its first use is noted, and it has a rate of its own from then on.
        self.call(get("/v1/stacks", &text));
        text
    }

    /// A token that may do everything with stacks whose names begin with `prod-`.
    pub(super) fn prod(&self) -> String {
        self.token(&TokenScope::ALL, "prod-*")
    }

    pub(super) fn call(&self, call: Call<'_>) -> Answered {
        let Call {
            method,
            uri,
            headers,
            body,
        } = call;
        let path = uri.split(['?', '#']).next().unwrap().to_owned();
        let is_head = method == Method::HEAD;
        let route = route_of(&method, &path);
        let mut request = Request::new(Bytes::copy_from_slice(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        let response = done(self.service().handle(request));
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            !text.contains("kdg_") && !text.contains("internal.example"),
            "{text}"
        );
        assert_eq!(head.headers["cache-control"], "no-store");
        assert_eq!(head.headers["x-content-type-options"], "nosniff");
        assert!(!head.headers.contains_key("access-control-allow-origin"));
        let json: Json = match text.is_empty() {
            true => Json::Null,
            false => serde_json::from_str(&text).unwrap(),
        };
        if let Some(route) = route.filter(|_| !is_head) {
            let kind = head.headers.get(CONTENT_TYPE);
            let kind = kind.map_or("", |kind| kind.to_str().unwrap());
            fits(route, head.status, kind, &json);
        }
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            json,
        }
    }

    /// Everything that is stored and was sent, but for what is noted of tokens.
    pub(super) fn written(&self) -> (Vec<Listed>, Vec<Work>) {
        let all = done(self.store.inner.versions("")).unwrap();
        (all, self.queue.sent.borrow().clone())
    }

    /// Answers a request, as a worker does.
    pub(super) fn answer(&self, id: &str, document: &str) {
        answer(&self.store, id, self.ports.now(), document);
    }
}

pub(super) fn answer(store: &FailingStore, id: &str, at: Timestamp, document: &str) {
    let answer = Answer {
        at,
        outcome: AnswerOutcome::Done,
        document: document.to_owned(),
    };
    done(requests::answer(store, id, &answer)).unwrap();
}

/// A document that answers a request.
pub(super) const DOCUMENT: &str = r#"{
  "format": "kedge.error/1",
  "error": "it went wrong",
  "because": [],
  "refusals": [],
  "next": null,
  "exit_code": 1,
  "report": null
}
"#;
