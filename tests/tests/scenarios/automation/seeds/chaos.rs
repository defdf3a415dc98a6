//! A world in which much happens at once, drawn from a seed: people change things by hand, push, upload,
//! ask over HTTP and hold stacks; the store, the provider and invocations fail.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use kedge_engine::ports::{Condition, Store as _};
use kedge_sandbox::{Fault, Matches, Provider, SplitMix64};
use kedge_service::queue::Queue as _;
use kedge_service::upload::Upload;
use kedge_tests::platform::{Platform, Trouble};
use kedge_tests::ports::{CrashPoint, SimPorts, WriteFault};
use kedge_tests::pushed::commit;
use kedge_tests::stack::Stack;
use serde_json::json;

use super::super::http::{Caller, digest};
use crate::scenarios::{status, uploads};

/// What the topics that people change by hand keep, and the others at first.
pub(super) const RETENTION_MS: i64 = 3_600_000;
/// Automation makes a correction twice in a day, and not more (semantics 6.7).
const DRIFTS_MAX: usize = 2;
/// How many topics are added to a stack.
const ADDED_MAX: usize = 3;
/// The topics that people change by hand.
pub(super) const BY_HAND: [&str; 2] = ["a", "b"];
/// The topic whose definition is edited.
pub(super) const EDITED: &str = "e";

/// What a stack is to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// How often its definitions were edited; the topic that is keeps so many seconds more.
    pub(super) edits: i64,
    /// The topics that were added.
    pub(super) added: usize,
    /// The last commit.
    commit: u32,
    /// Whether its files may not be stored yet.
    pub(super) is_unsure: bool,
    /// Previews that were asked for and not followed by an `up`.
    previews: Vec<String>,
    /// The `up`s that were tried.
    pub(super) ups: usize,
    /// When it was held and released again.
    pub(super) holds: Vec<(i64, Option<i64>)>,
}

/// Something that was asked for over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// For which stack.
    pub(super) at: usize,
    /// What.
    pub(super) verb: &'static str,
    /// The id of the run.
    pub(super) id: String,
    pub(super) at_ms: i64,
}

/// The world, and what has happened in it.
pub(super) struct Chaos {
    pub(super) stacks: RefCell<Vec<Stack>>,
    pub(super) platforms: Vec<Platform>,
    pub(super) ports: SimPorts,
    pub(super) caller: Caller,
    random: RefCell<SplitMix64>,
    number: Cell<i64>,
    pub(super) wanted: RefCell<Vec<Wanted>>,
    /// By topic: what somebody set by hand, the last one at the end.
    pub(super) by_hand: RefCell<BTreeMap<String, Vec<i64>>>,
    /// What was asked for over HTTP.
    pub(super) asked: RefCell<Vec<Asked>>,
    /// Every version that was put there.
    pub(super) uploads: RefCell<Vec<Upload>>,
    /// What happened, and how often.
    pub(super) happened: RefCell<BTreeMap<&'static str, usize>>,
}

impl Chaos {
    pub(super) fn new(stacks: Vec<Stack>, caller: Caller, seed: u64) -> Self {
        let ports = stacks[0].ports.clone();
        ports.jitter_ms.set(7);
        // Of three worlds one has two instances, each with a queue of its own.
        let instances = if seed.is_multiple_of(3) { 2 } else { 1 };
        let platforms = (0..instances).map(|_| Platform::over(&stacks[0]));
        let wanted = vec![
            Wanted {
                commit: 1,
                ..Wanted::default()
            };
            stacks.len()
        ];
        Self {
            platforms: platforms.collect(),
            ports,
            caller,
            random: RefCell::new(SplitMix64::new(seed)),
            number: Cell::new(0),
            wanted: RefCell::new(wanted),
            by_hand: RefCell::default(),
            asked: RefCell::default(),
            uploads: RefCell::default(),
            happened: RefCell::default(),
            stacks: RefCell::new(stacks),
        }
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random.borrow_mut().below(bound)
    }

    pub(super) fn one_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn any<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    pub(super) fn count(&self, what: &'static str) {
        *self.happened.borrow_mut().entry(what).or_default() += 1;
    }

    fn next(&self) -> i64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// One of the instances.
    pub(super) fn platform(&self) -> &Platform {
        let at = self.below(self.platforms.len() as u64);
        &self.platforms[usize::try_from(at).unwrap()]
    }

    fn now_ms(&self) -> i64 {
        self.ports.executor.now_ms()
    }

    fn stack(&self, at: usize) -> Stack {
        self.stacks.borrow()[at].clone()
    }

    /// Something happens.
    pub(super) async fn happens(&self) {
        let at = usize::try_from(self.below(self.stacks.borrow().len() as u64)).unwrap();
        match self.below(20) {
            0..=3 => self.drifts(at),
            4 | 5 => self.pushes(at).await,
            6..=8 => self.uploads(at).await,
            9..=13 => self.asks(at).await,
            14 => self.holds(at).await,
            15 | 16 => self.crashes(),
            17 | 18 => self.store_fails(),
            _ => self.provider_fails(),
        }
    }

    /// Somebody changes a topic by hand.
    fn drifts(&self, at: usize) {
        let topic = format!("{}-{}", self.stack(at).name, self.any(&BY_HAND));
        let mut by_hand = self.by_hand.borrow_mut();
        let before = by_hand.entry(topic.clone()).or_default();
        if before.len() < DRIFTS_MAX {
            let value = 1_000_000 + self.next() * 1_000;
            before.push(value);
            let config = json!({"retention_ms": value});
            crate::scenarios::set_config(&self.stack(at), &topic, config);
            self.count("drift");
        }
    }

    /// The definitions are edited.
    fn edits(&self, at: usize) -> Stack {
        let mut all = self.wanted.borrow_mut();
        let wanted = &mut all[at];
        wanted.is_unsure = true;
        if self.one_in(3) && wanted.added < ADDED_MAX {
            wanted.added += 1;
        } else {
            wanted.edits += 1;
        }
        let edited = format!("retention_ms: {}", RETENTION_MS + wanted.edits * 1_000);
        let added: Vec<String> = (0..wanted.added).map(|n| format!("n{n}")).collect();
        let mut topics: Vec<(&str, &str)> =
            BY_HAND.map(|name| (name, "retention_ms: 3600000")).to_vec();
        topics.push((EDITED, &edited));
        topics.extend(added.iter().map(|name| (name.as_str(), "")));
        let stack = &mut self.stacks.borrow_mut()[at];
        stack.topics(&topics);
        stack.clone()
    }

    async fn pushes(&self, at: usize) {
        let stack = self.edits(at);
        self.push(at, &stack).await;
    }

    /// Pushes the files as they are.
    pub(super) async fn push(&self, at: usize, stack: &Stack) {
        let number = {
            let wanted = &mut self.wanted.borrow_mut()[at];
            wanted.commit += 1;
            wanted.commit
        };
        if stack.pushes(&commit(number)).await.is_ok() {
            self.wanted.borrow_mut()[at].is_unsure = false;
            self.count("push");
        }
    }

    async fn uploads(&self, at: usize) {
        let stack = self.edits(at);
        let (path, bytes) = match self.one_in(2) {
            true => ("definitions.zip", uploads::archive(&stack)),
            false => {
                let path = "area/kafka-topics.yaml";
                (path, stack.files[path].clone().into_bytes())
            }
        };
        let key = format!("upload/{}/{path}", stack.name);
        let ports = &self.ports;
        let Ok(put) = ports.put(&key, bytes.into(), Condition::None).await else {
            return;
        };
        let kedge_engine::ports::PutOutcome::Written(version) = put else {
            panic!("{put:?}");
        };
        self.wanted.borrow_mut()[at].is_unsure = false;
        let upload = Upload::of(&key, version.etag).unwrap();
        self.uploads.borrow_mut().push(upload.clone());
        self.count("upload");
        match self.one_in(2) {
            true => self.count("lost event"),
            false => self.platform().queue.send(&upload.work()).await.unwrap(),
        }
    }

    /// Somebody asks over HTTP: for a preview, and then for the `up` of it.
    async fn asks(&self, at: usize) {
        let previewed = self
            .wanted
            .borrow()
            .iter()
            .position(|one| !one.previews.is_empty());
        let at = previewed.unwrap_or(at);
        let name = self.stack(at).name;
        let preview = self.wanted.borrow()[at].previews.last().cloned();
        if let Some(id) = preview {
            let run = self.call(&format!("{name}/runs/{id}"), None, None).await;
            match (run.json["status"].as_str(), digest(&run.json)) {
                (Some("done"), Some(digest)) => return self.ups(at, &digest).await,
                (Some("queued"), _) => return,
                _ => drop(self.wanted.borrow_mut()[at].previews.pop()),
            }
        }
        let verb = self.any(&["preview", "preview", "check"]);
        let path = match self.one_in(3) {
            true => format!("{name}/{verb}?wait=2"),
            false => format!("{name}/{verb}"),
        };
        let asked = self.call(&path, Some(json!({})), None).await;
        let Some(id) = asked.id() else {
            return;
        };
        self.count(verb);
        self.asks_for(at, verb, &id);
        if verb == "preview" {
            self.wanted.borrow_mut()[at].previews.push(id);
        }
    }

    fn asks_for(&self, at: usize, verb: &'static str, id: &str) {
        self.asked.borrow_mut().push(Asked {
            at,
            verb,
            id: id.to_owned(),
            at_ms: self.now_ms(),
        });
    }

    async fn ups(&self, at: usize, digest: &str) {
        let path = {
            let wanted = &mut self.wanted.borrow_mut()[at];
            wanted.previews.clear();
            wanted.ups += 1;
            format!("{}/up", self.stack(at).name)
        };
        let key = format!("key-{}", self.next());
        let body = json!({"digest": digest});
        let mut ids = BTreeSet::new();
        for _ in 0..1 + self.below(3) {
            let asked = self.call(&path, Some(body.clone()), Some(&key)).await;
            if let Some(id) = asked.id() {
                ids.insert(id);
            }
        }
        assert!(ids.len() <= 1, "{ids:?}");
        for id in ids {
            self.asks_for(at, "up", &id);
        }
        self.count("up");
        if self.one_in(3) {
            self.crashes();
        }
    }

    async fn call(
        &self,
        path: &str,
        body: Option<serde_json::Value>,
        key: Option<&str>,
    ) -> super::super::http::Answered {
        self.caller.call(self.platform(), path, body, key).await
    }

    /// Somebody holds a stack, or releases it.
    async fn holds(&self, at: usize) {
        let is_held = self.wanted.borrow()[at]
            .holds
            .last()
            .is_some_and(|hold| hold.1.is_none());
        if is_held {
            self.releases(at).await;
            return;
        }
        let path = format!("{}/hold", self.stack(at).name);
        let body = json!({"for": "2h", "reason": "a freeze"});
        if self.call(&path, Some(body), None).await.status == 200 {
            self.wanted.borrow_mut()[at]
                .holds
                .push((self.now_ms(), None));
            self.count("hold");
        }
    }

    /// Releases a stack; whether that is known.
    pub(super) async fn releases(&self, at: usize) -> bool {
        let now_ms = self.now_ms();
        if let Some(hold) = self.wanted.borrow_mut()[at].holds.last_mut() {
            hold.1 = hold.1.or(Some(now_ms));
        }
        let path = format!("{}/release", self.stack(at).name);
        self.call(&path, Some(json!({})), None).await.status == 200
    }

    /// All that is under way is cut off, after so many port calls more.
    fn crashes(&self) {
        let call = self.ports.calls.get() + 1 + self.below(40);
        let point = self.any(&[CrashPoint::Before(call), CrashPoint::After(call)]);
        self.ports.crash_point.set(Some(point));
        self.count("crash");
    }

    fn store_fails(&self) {
        let key_end = self.any(&[
            "/state.json",
            "/lease.json",
            "/watch.json",
            "/index.json",
            "schedule.json",
            "/definitions.json",
            ".result.json",
            ".answer.json",
            "/hold.json",
            "upload/",
            ".zip",
            "kafka-topics.yaml",
            ".json",
        ]);
        // A few last until a message that meets them is set aside.
        let times = match self.one_in(8) {
            true => 12,
            false => 1 + self.below(3),
        };
        let after = self.below(3);
        let store = &self.ports.store;
        match self.one_in(2) {
            true => store.fail_reads(key_end, after, times),
            false => store.write_faults.borrow_mut().push(WriteFault {
                key_end: key_end.to_owned(),
                after,
                times,
                made: self.one_in(2),
            }),
        }
        self.count("store fault");
    }

    fn provider_fails(&self) {
        let matches = Matches {
            provider: Some(Provider::Aiven),
            write: self.any(&[None, Some(true), Some(false)]),
            ..Matches::default()
        };
        self.ports.sandbox.add_fault(Fault {
            matches,
            effect: status(self.any(&[429, 500, 503])),
            times: Some(u32::try_from(1 + self.below(6)).unwrap()),
        });
        self.count("provider fault");
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm(&self) {
        let ports = &self.ports;
        for platform in &self.platforms {
            platform.trouble(Trouble::default());
        }
        ports.crash_point.set(None);
        ports.store.read_faults.borrow_mut().clear();
        ports.store.write_faults.borrow_mut().clear();
        ports.sandbox.clear_faults();
    }
}
