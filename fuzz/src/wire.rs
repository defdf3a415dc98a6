//! The providers' answers: a read of one scope over a port that answers with the input.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use http::Response;
use kedge_core::live::{LiveWorld, ScopeReading, Wanted};
use kedge_core::model::{Scope, SecretText, StackName, Timestamp};
use kedge_engine::ports::{
    Clock, HttpError, HttpRead, ProviderName, Random, ReadRequest, Secrets, SignError, Signer,
    is_known_read,
};
use kedge_engine::testing::read_live;
use kedge_engine::testing::{Context, Session};
use kedge_engine::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
use kedge_sandbox::SplitMix64;
use kedge_tests::executor::Executor;
use kedge_tests::ports::endpoints;

use crate::input::{Input, Part};
use crate::{Target, mutate, pipeline, place, proof, stored};

/// How long a run may last, in virtual milliseconds.
const RUN_MS: i64 = 60_000;
/// The most requests of one read: every page that a list may have, each sent as often as a request
/// is repeated.
const REQUESTS_MAX: usize = 2_000;
/// The most answers of one kind in an input.
const ANSWERS_MAX: u64 = 3;

/// For each kind of request one to three answers of the corpus, most of them changed.
pub(crate) fn input(corpus: &Input, random: &mut SplitMix64) -> Input {
    let mut by_kind: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in &corpus.parts {
        by_kind.entry(kind_of(&part.name)).or_default().push(part);
    }
    let mut input = Input::default();
    for parts in by_kind.values() {
        for _ in 0..=random.below(ANSWERS_MAX) {
            // Honest answers first in the alphabet of statuses, and most often.
            let fine: Vec<&&Part> = parts.iter().filter(|part| status_of(part) == 200).collect();
            let part = match mutate::one_in(random, 4) {
                true => mutate::pick(random, parts).copied(),
                false => mutate::pick(random, &fine).map(|part| **part),
            };
            let other = mutate::pick(random, parts).map(|part| part.bytes.clone());
            let Some(part) = part.cloned() else {
                continue;
            };
            let part = match random.below(5) {
                0 | 1 => part,
                2 => restated(random, part),
                _ => stored::change(random, part, &other.unwrap_or_default()),
            };
            input.parts.push(part);
        }
    }
    input
}

/// The same body under another status; 0 is no answer at all.
fn restated(random: &mut SplitMix64, mut part: Part) -> Part {
    const STATUSES: [u16; 16] = [
        0, 200, 201, 204, 301, 400, 401, 403, 404, 408, 409, 429, 500, 501, 503, 999,
    ];
    let status = mutate::pick(random, &STATUSES).copied().unwrap_or(200);
    part.name = format!("{}-{status}", kind_of(&part.name));
    part
}

fn kind_of(name: &str) -> &str {
    name.split('-').next().unwrap_or_default()
}

fn status_of(part: &Part) -> u16 {
    let status = part
        .name
        .split('-')
        .nth(1)
        .map(|rest| rest.trim_end_matches(".json"));
    status.and_then(|status| status.parse().ok()).unwrap_or(200)
}

/// An answer that was given.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) kind: &'static str,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

struct Ports {
    executor: Rc<Executor>,
    answers: BTreeMap<String, Vec<Part>>,
    served: RefCell<Vec<Served>>,
    wrong: Cell<Option<String>>,
}

impl Ports {
    fn new(input: &Input) -> Self {
        let mut answers: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        for part in &input.parts {
            let kind = kind_of(&part.name).to_owned();
            answers.entry(kind).or_default().push(part.clone());
        }
        Self {
            executor: Executor::new(1, pipeline::NOW.0),
            answers,
            served: RefCell::default(),
            wrong: Cell::default(),
        }
    }

    /// The next answer to that kind of request; the last one again when there are no more.
    fn answer(&self, kind: &str) -> Option<&Part> {
        let served = self.served.borrow();
        let number = served.iter().filter(|served| served.kind == kind).count();
        let answers = self.answers.get(kind)?;
        answers.get(number).or(answers.last())
    }
}

impl HttpRead for Ports {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        self.executor.sleep(1).await;
        let (inner, kind) = (request.request(), proof::kind_of_request(request));
        let path = inner.uri().path().to_owned();
        if !is_known_read(request.provider(), inner.method(), &path) {
            self.wrong.set(Some(format!("{path} is no known read")));
        }
        if self.served.borrow().len() >= REQUESTS_MAX {
            self.wrong
                .set(Some(format!("more than {REQUESTS_MAX} requests")));
            return Err(HttpError::Refused("too many".to_owned()));
        }
        let (status, body) = match self.answer(kind) {
            Some(part) => (status_of(part), part.bytes.clone()),
            None => (0, Vec::new()),
        };
        let answer = Response::builder()
            .status(status)
            .body(Bytes::from(body.clone()));
        self.served.borrow_mut().push(Served {
            kind,
            path,
            status,
            body,
        });
        // A status below 100 is none, and stands for no answer.
        answer.map_err(|_| HttpError::Broken("connection reset".to_owned()))
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp(self.executor.now_ms())
    }

    fn monotonic_ms(&self) -> i64 {
        self.executor.now_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.executor.sleep(ms).await;
    }
}

impl Random for Ports {
    fn next_u64(&self) -> u64 {
        self.executor.next_u64()
    }
}

impl Signer for Ports {
    async fn sign_rs256(&self, _: &SecretText, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError("nothing is signed here".to_owned()))
    }
}

impl Secrets for Ports {
    fn secret(&self, name: &str) -> Option<SecretText> {
        let providers = ProviderName::ALL.into_iter();
        let mut tokens = providers
            .filter(|provider| !provider.entry().endpoint.is_emulator)
            .zip(pipeline::TOKENS);
        let (_, token) = tokens.find(|(one, _)| one.entry().credential.variable == name)?;
        Some(SecretText::new(token))
    }
}

pub(crate) fn run(target: Target, input: &Input) -> Result<(), String> {
    let input = &place::kept(input);
    let declared = pipeline::declared()?;
    let state = pipeline::recorded(&declared);
    let is_own = |scope: &Scope| scope.provider().as_str() == target.as_str();
    let mut world = pipeline::live(&declared);
    let scope = world.scopes.keys().find(|scope| is_own(scope)).cloned();
    let scope = scope.ok_or("nothing is declared of this provider")?;
    let keys: Vec<_> = declared
        .resources
        .keys()
        .filter(|key| *key.scope() == scope)
        .collect();
    let wanted = Wanted {
        keys: keys.iter().copied().cloned().collect(),
        recorded: keys.iter().copied().cloned().collect(),
        declared: keys.iter().copied().cloned().collect(),
        stack: Some(declared.stack.clone()),
        namespaces: [declared.stack.prefix()].into(),
        every_dns_name: input.parts.len().is_multiple_of(2),
        ..Wanted::default()
    };
    let ports = Ports::new(input);
    let reading = read(&ports, &scope, &wanted)?;
    let again = read(&Ports::new(input), &scope, &wanted)?;
    pipeline::expect(reading == again, || {
        "the same answers read twice are not the same".to_owned()
    })?;
    judge(&reading, &scope, &wanted, &declared.stack)?;
    let served = ports.served.take();
    for key in &wanted.recorded {
        let is_absent = reading.reading(key).is_absent();
        pipeline::expect(!is_absent || proof::is_gone(key, &served), || {
            format!("{key} is read as absent, and nothing proves it")
        })?;
    }
    world.scopes.insert(scope, reading);
    pipeline::run(&declared, Some(&state), &world)?;
    pipeline::run(&declared, None, &world)
}

fn read(ports: &Ports, scope: &Scope, wanted: &Wanted) -> Result<ScopeReading, String> {
    let begin = ports.executor.now_ms();
    let deadline = Timestamp(begin + RUN_MS);
    let budget = Budget::lasting(ports, RUN_MS + LAST_REQUEST_BEFORE_DEADLINE_MS);
    let session = Session::new(endpoints(), &budget, pipeline::SALT);
    let cx = Context::new(ports, &session);
    let reading = ports.executor.run(read_live(cx, scope, wanted));
    let reading = reading.map_err(|_| "it crashed".to_owned())?;
    if let Some(wrong) = ports.wrong.take() {
        return Err(wrong);
    }
    // A request that is under way at the deadline is waited for, and each takes a millisecond here.
    let late_ms = ports.executor.now_ms() - deadline.0;
    pipeline::expect(late_ms <= 1_000, || format!("it ended {late_ms} ms late"))?;
    Ok(reading)
}

/// A reading holds what was asked for and its namespace, and no secret.
fn judge(
    reading: &ScopeReading,
    scope: &Scope,
    wanted: &Wanted,
    stack: &StackName,
) -> Result<(), String> {
    let live = LiveWorld {
        scopes: [(scope.clone(), reading.clone())].into(),
    };
    pipeline::no_secret(&format!("{live:?}"))?;
    let present = reading.present().map(|(key, _)| key);
    for key in present.chain(reading.unread().map(|(key, _)| key)) {
        let is_asked = wanted.keys.contains(key)
            || key.name().starts_with(&stack.prefix())
            || wanted.every_dns_name
            || (reading.reading(key).present()).is_some_and(|live| live.is_marked_by(stack));
        pipeline::expect(is_asked && key.scope() == scope, || {
            format!("{key} was not asked for")
        })?;
    }
    Ok(())
}
