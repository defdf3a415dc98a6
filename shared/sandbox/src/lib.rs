//! The providers as one small world that remembers: Aiven's Kafka topics, Google Pub/Sub and Cloudflare DNS
//! behind a single `handle(request) -> reply`, so that the same code serves sockets and runs inside a simulation.
//!
//! It must stay independent of the crates it is used to test: no types of theirs, so that an error in ours can't
//! cancel itself. It must stay pure: no clock, no I/O, no randomness but the seed's; equal calls give equal answers.
//! Only the `serve` feature adds a socket and a clock around it.
//!
//! Each quirk names where it was seen, in brackets: `tf` is aiven/terraform-provider-aiven, "recorded" an answer of
//! production that an emulator replays.

mod admin;
mod aiven;
mod call;
mod cloudflare;
mod faults;
mod person;
mod pubsub;
mod random;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "tls")]
mod tls;
mod world;

pub use aiven::CANARY_SECRET;
pub use faults::{Effect, Fault, Matches, Provider};
pub use person::Deed;
pub use random::SplitMix64;
#[cfg(feature = "serve")]
pub use serve::serve;
#[cfg(feature = "tls")]
pub use serve::serve_tls;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

use bytes::Bytes;
use call::{Answer, Call, Content, html_page};
use faults::Faults;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Request, Response};
use serde::Serialize;
use serde_json::{Value, json};
use std::cell::RefCell;
use world::World;

/// Requests remembered; the oldest go first.
const LOG_KEPT: usize = 100_000;

/// What the world is called and how it behaves from the start. The default is Clustera's.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides ids, etags, jitter and faults by chance.
    pub seed: u64,
    /// The Aiven project.
    pub aiven_project: String,
    /// Its Kafka service.
    pub kafka_service: String,
    /// Further services, as (project, service).
    pub more_services: Vec<(String, String)>,
    /// Brokers per service: the highest replication there is.
    pub kafka_brokers: u32,
    /// The lowest replication the Kafka plan takes: 2 on ordinary plans, 1 on free ones.
    pub kafka_minimum_replication: u32,
    /// The Google Cloud project.
    pub gcp_project: String,
    /// Further Google Cloud projects.
    pub more_gcp_projects: Vec<String>,
    /// Cloudflare zones, as (id, name).
    pub zones: Vec<(String, String)>,
    /// A page of a list at Pub/Sub or Cloudflare holds no more, whatever is asked for, so that small
    /// worlds have second pages. Pub/Sub may answer with fewer than `pageSize` ("the service may
    /// return fewer than this value", its v1 discovery); Cloudflare says the size it took.
    pub page_max: Option<usize>,
    /// Every provider answer takes so long.
    pub latency_ms: u64,
    /// And up to so much longer, drawn from the seed.
    pub jitter_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            aiven_project: "clustera-creators".to_owned(),
            kafka_service: "kafka-clustera".to_owned(),
            more_services: Vec::new(),
            kafka_brokers: 3,
            kafka_minimum_replication: 2,
            gcp_project: "clustera-control-plane".to_owned(),
            more_gcp_projects: Vec::new(),
            zones: vec![(
                "c1a57e4a000000000000000000000001".to_owned(),
                "clustera.io".to_owned(),
            )],
            page_max: None,
            latency_ms: 0,
            jitter_ms: 0,
        }
    }
}

/// An answer, and how long the caller should hold it back.
#[derive(Debug)]
pub struct Reply {
    /// What arrives.
    pub outcome: Outcome,
    /// To be waited for, really or in virtual time, before it does.
    pub delay_ms: u64,
    /// To be waited for before each byte of the body.
    pub drip_ms: u64,
    /// Spaces to be sent after the body; its `content-length` counts them in.
    pub padding: u64,
}

/// What arrives.
#[derive(Debug)]
pub enum Outcome {
    /// An answer. Its `content-length` is larger than body and padding where the body was cut.
    Response(Response<Bytes>),
    /// The change was or was not made, but no answer comes: report a dropped connection.
    Lost,
}

/// One line of the request log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logged {
    /// When it came.
    pub at_ms: i64,
    /// Whose API.
    pub provider: Provider,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The status answered; none when the answer was lost.
    pub status: Option<u16>,
    /// Whether a request of this kind changes things (Aiven's bulk read is a POST, yet none).
    pub write: bool,
    /// Whether it was a write that was carried out, even if its answer was lost.
    pub applied: bool,
}

/// The world with its faults and its log. Single-threaded.
#[derive(Debug)]
pub struct Sandbox {
    options: Options,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: World,
    faults: Faults,
    log: std::collections::VecDeque<Logged>,
}

impl Sandbox {
    /// An empty world of these names.
    pub fn new(options: Options) -> Self {
        let inner = Inner {
            world: World::new(&options),
            faults: Faults::new(options.seed),
            log: std::collections::VecDeque::new(),
        };
        Self {
            options,
            inner: RefCell::new(inner),
        }
    }

    /// The same world once more, on its own from now on, without trouble and without a past.
    pub fn copy(&self) -> Self {
        let inner = Inner {
            world: self.inner.borrow().world.clone(),
            faults: Faults::new(self.options.seed),
            log: std::collections::VecDeque::new(),
        };
        Self {
            options: self.options.clone(),
            inner: RefCell::new(inner),
        }
    }

    /// Answers one request at wall time `now_ms`. The delay is the caller's to wait.
    pub fn handle(&self, request: Request<Bytes>, now_ms: i64) -> Reply {
        let mut call = Call::read(request);
        if let Some(most) = self.options.page_max {
            call.limit_page(most);
        }
        let provider = world::provider_of(&call);
        if provider == Provider::Sandbox {
            let answer = admin::answer(self, &call, now_ms);
            return Reply {
                outcome: Outcome::Response(answer.into_response()),
                delay_ms: 0,
                drip_ms: 0,
                padding: 0,
            };
        }
        let inner = &mut *self.inner.borrow_mut();
        inner.world.aiven.settle(now_ms);
        let write = world::is_write(provider, &call);
        let hit = inner.faults.hit(&call, provider, write, now_ms);
        let (mut outcome, applied) =
            self.carry_out(&mut inner.world, &call, provider, &hit, now_ms);
        let (drip_ms, padding) = match (&hit.answer, &mut outcome) {
            (Some(Effect::Drip { ms }), _) => (*ms, 0),
            (Some(Effect::HugeBody { bytes }), Outcome::Response(response)) => {
                (0, pad(response, *bytes))
            }
            _ => (0, 0),
        };
        let status = match &outcome {
            Outcome::Response(response) => Some(response.status().as_u16()),
            Outcome::Lost => None,
        };
        if inner.log.len() == LOG_KEPT {
            inner.log.pop_front();
        }
        inner.log.push_back(Logged {
            at_ms: now_ms,
            provider,
            method: call.method.to_string(),
            path: call.target.clone(),
            status,
            write,
            applied: write && applied,
        });
        let jitter_ms = match self.options.jitter_ms {
            0 => 0,
            up_to => inner.faults.jitter(up_to),
        };
        Reply {
            outcome,
            delay_ms: (self.options.latency_ms)
                .saturating_add(jitter_ms)
                .saturating_add(hit.delay_ms),
            drip_ms,
            padding,
        }
    }

    /// The outcome, and whether the world did as asked.
    fn carry_out(
        &self,
        world: &mut World,
        call: &Call,
        provider: Provider,
        hit: &faults::Hit,
        now_ms: i64,
    ) -> (Outcome, bool) {
        let minimum = self.options.kafka_minimum_replication;
        let mut run = || world.answer(provider, call, &hit.quirks, minimum, now_ms);
        let respond = |answer: Answer| Outcome::Response(answer.into_response());
        match &hit.answer {
            None | Some(Effect::HugeBody { .. } | Effect::Drip { .. }) => {
                let answer = run();
                let applied = answer.is_success();
                (respond(answer), applied)
            }
            Some(Effect::LoseAnswer { applied }) => (Outcome::Lost, *applied && run().is_success()),
            Some(Effect::CutBody) => {
                let answer = run();
                let applied = answer.is_success();
                (Outcome::Response(cut(answer.into_response())), applied)
            }
            Some(Effect::CutJson) => {
                let answer = run();
                let applied = answer.is_success();
                let mut response = cut(answer.into_response());
                response.headers_mut().remove(CONTENT_LENGTH);
                (Outcome::Response(response), applied)
            }
            Some(Effect::StatusAfter { code }) => {
                let applied = run().is_success();
                (
                    respond(world::usual_refusal(provider, call, *code)),
                    applied,
                )
            }
            Some(Effect::BudgetSpent { reset_s }) => {
                let spent = world::usual_refusal(provider, call, 429);
                let left = format!("\"default\";r=0;t={reset_s}");
                (respond(spent.with("ratelimit", left)), false)
            }
            Some(effect @ (Effect::WrongTypes | Effect::NumbersForTexts)) => {
                let mut answer = run();
                let applied = answer.is_success();
                match &mut answer.content {
                    Content::Json(value) if *effect == Effect::WrongTypes => confuse(value),
                    Content::Json(value) => numbers_for_texts(value),
                    Content::Html(_) => {}
                }
                (respond(answer), applied)
            }
            Some(Effect::HtmlBody { code }) => (respond(html_page(*code, "Service")), false),
            Some(effect) => match world::refusal(provider, call, effect) {
                Some(answer) => (respond(answer), false),
                None => (respond(run()), true),
            },
        }
    }

    /// A person changes something in a console, past the API's own limits where a console allows it.
    pub fn act(&self, deed: &Deed, now_ms: i64) -> Result<(), String> {
        person::act(
            &mut self.inner.borrow_mut().world,
            &self.options,
            deed,
            now_ms,
        )
    }

    /// Adds a rule after those there are; the first that decides over an answer wins.
    pub fn add_fault(&self, fault: Fault) {
        self.inner.borrow_mut().faults.add(fault);
    }

    /// The rules in force, with what is left of their `times`.
    pub fn faults(&self) -> Vec<Fault> {
        self.inner.borrow().faults.list()
    }

    /// Ends all trouble.
    pub fn clear_faults(&self) {
        self.inner.borrow_mut().faults.clear();
    }

    /// The whole world as JSON; equal worlds give equal values.
    pub fn world(&self) -> Value {
        // Plain structs with text keys always become JSON.
        serde_json::to_value(&self.inner.borrow().world)
            .unwrap_or_else(|error| json!({"error": error.to_string()}))
    }

    /// The provider requests so far, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.inner.borrow().log.iter().cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.inner.borrow_mut().log.clear();
    }
}

/// Half of the body under the length of the whole, as a connection that broke off leaves it.
fn cut(mut response: Response<Bytes>) -> Response<Bytes> {
    let whole = response.body().len();
    let half = response.body().slice(..whole / 2);
    *response.body_mut() = half;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(whole));
    response
}

/// Makes an answer so large, and says how much of it is still to be sent.
fn pad(response: &mut Response<Bytes>, bytes: u64) -> u64 {
    let length = u64::try_from(response.body().len()).unwrap_or(u64::MAX);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.max(length)));
    bytes.saturating_sub(length)
}

/// Texts become numbers; all else stays.
fn numbers_for_texts(value: &mut Value) {
    match value {
        Value::String(text) => *value = json!(text.len()),
        Value::Array(items) => items.iter_mut().for_each(numbers_for_texts),
        Value::Object(object) => object.values_mut().for_each(numbers_for_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Numbers become texts, texts numbers and lists objects; keys stay.
fn confuse(value: &mut Value) {
    *value = match value.take() {
        Value::Number(number) => json!(format!("about {number}")),
        Value::String(text) => json!(text.len()),
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect::<serde_json::Map<String, Value>>()
            .into(),
        Value::Object(mut object) => {
            object.values_mut().for_each(confuse);
            Value::Object(object)
        }
        other => other,
    };
}

#[cfg(test)]
mod tests;
