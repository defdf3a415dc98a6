//! Trouble on demand: which requests a rule hits, and what happens to them.

use crate::call::Call;
use crate::random::SplitMix64;
use http::Method;
use serde::{Deserialize, Serialize};

/// Whose API a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Aiven's Kafka topic API.
    Aiven,
    /// Google Pub/Sub v1.
    Pubsub,
    /// Cloudflare DNS v4.
    Cloudflare,
    /// The sandbox's own `/_sandbox/` path.
    Sandbox,
    /// A path that none of them owns.
    Nobody,
}

/// Which requests a rule hits. What is left out does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matches {
    /// Only this provider's requests.
    pub provider: Option<Provider>,
    /// Only this HTTP method, in capitals.
    pub method: Option<String>,
    /// Only paths that hold this text (path and query, as sent).
    pub path: Option<String>,
    /// Only this path and query, whole, as sent.
    pub target: Option<String>,
    /// Only bodies that hold this text.
    pub body: Option<String>,
    /// Only writes, or only reads.
    pub write: Option<bool>,
    /// Only the n-th request that fits the above, counted from 1 since the rule was added.
    pub nth: Option<u64>,
    /// Only the n-th such request and those after it.
    pub from: Option<u64>,
    /// Only so many of a thousand, drawn from the seed.
    pub per_mille: Option<u64>,
}

impl Matches {
    /// Whether a request is of the kind that the rule is about, whichever of them it hits.
    fn fits(&self, call: &Call, provider: Provider, write: bool) -> bool {
        let method = call.method.as_str();
        self.provider.is_none_or(|wanted| wanted == provider)
            && self.write.is_none_or(|wanted| wanted == write)
            && (self.method.as_deref()).is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && (self.path.as_deref()).is_none_or(|wanted| call.target.contains(wanted))
            && (self.target.as_deref()).is_none_or(|wanted| call.target == wanted)
            && (self.body.as_deref())
                .is_none_or(|wanted| String::from_utf8_lossy(&call.body).contains(wanted))
    }
}

/// What happens to a request that a rule hits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Refuse with this status and the provider's own error body; nothing is changed.
    Status {
        /// The HTTP status.
        code: u16,
        /// Sends `Retry-After` with so many seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
        /// Aiven's way to say it: "try again in Ns" in the message.
        #[serde(default)]
        try_again_s: Option<u64>,
        /// In place of the usual message.
        #[serde(default)]
        message: Option<String>,
        /// In place of the usual error code or status name.
        #[serde(default)]
        error_code: Option<String>,
    },
    /// Do as asked, and then answer with this status, as a gateway does that loses patience.
    StatusAfter {
        /// The HTTP status.
        code: u16,
    },
    /// Refuse with 429 and `Retry-After` what is beyond so many requests in a minute of the clock.
    Rate {
        /// How many.
        per_minute: u64,
    },
    /// Answer later by so many milliseconds.
    Latency {
        /// How long.
        ms: u64,
    },
    /// Do as asked, but break the answer off half way; `content-length` still names the whole.
    CutBody,
    /// Do as asked, but answer with half of the JSON as if it were the whole.
    CutJson,
    /// Do as asked, but follow the answer with spaces up to so many bytes.
    HugeBody {
        /// How large the answer is.
        #[serde(default = "hundred_megabytes")]
        bytes: u64,
    },
    /// Do as asked, but send the body one byte at a time.
    Drip {
        /// The time between two bytes.
        ms: u64,
    },
    /// An HTML page in place of the answer; nothing is changed.
    HtmlBody {
        /// The status it comes with: 200 is what captive proxies send.
        #[serde(default = "ok_status")]
        code: u16,
    },
    /// Do as asked, but answer with numbers where texts belong and the other way round.
    WrongTypes,
    /// Do as asked, but answer with a number where each text belongs; all else stays.
    NumbersForTexts,
    /// No answer at all; `applied` says whether the change was made.
    LoseAnswer {
        /// Whether the request was carried out before the connection broke.
        applied: bool,
    },
    /// Aiven: the service is powered off for the requests hit.
    PowerOff,
    /// Aiven: the list shows the topics as they were so long ago.
    ListingLag {
        /// How far back.
        ms: i64,
    },
    /// Aiven: the bulk read's own cache is so old; names it does not know make the batch 404 (tf#2648).
    BulkLag {
        /// How far back.
        ms: i64,
    },
    /// Aiven: the read of one topic is so old, though the list has it already.
    SingleLag {
        /// How far back.
        ms: i64,
    },
    /// Aiven: the bulk read leaves out its last topics without a word (tf: read.go).
    ShortAnswer {
        /// How many are missing.
        by: usize,
    },
    /// Aiven: a topic made now stays `CONFIGURING`; `unreadable` makes its reads 501 meanwhile (tf#89).
    SlowCreate {
        /// For how long.
        ms: i64,
        /// Whether single and bulk reads answer 501 until then.
        #[serde(default)]
        unreadable: bool,
    },
    /// Aiven: a topic deleted now stays listed as `DELETING`.
    SlowDelete {
        /// For how long.
        ms: i64,
    },
    /// Aiven: a change of replication made now refuses further updates with 409 meanwhile.
    SlowReassignment {
        /// For how long.
        ms: i64,
    },
    /// Aiven: a value set to the default reads back as `default_config` (tf#2955).
    EqualReadsAsDefault,
    /// Aiven: "unlimited" comes as a float prints it, 9223372036854776000 (tf#3082).
    UnlimitedAsFloat,
    /// Pub/Sub: a name that a GET did not find stays unfound (hashicorp/terraform-provider-google#4993).
    NegativeCache {
        /// For how long.
        ms: i64,
    },
    /// Pub/Sub: the organisation policy refuses members added now, unless they end in one of `allowed`.
    OrgPolicy {
        /// Endings of members that are let in.
        #[serde(default)]
        allowed: Vec<String>,
    },
    /// Cloudflare: 429, and only the `Ratelimit` header says when the budget is whole again
    /// (developers.cloudflare.com, api/reference/limits).
    BudgetSpent {
        /// Seconds until then.
        reset_s: u64,
    },
}

fn ok_status() -> u16 {
    200
}

fn hundred_megabytes() -> u64 {
    100_000_000
}

/// A rule: which requests, what happens, how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(default, rename = "match")]
    pub matches: Matches,
    /// What happens to them.
    pub effect: Effect,
    /// How often it happens before the rule is spent; for ever when left out.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// A rule for every request.
    pub fn always(effect: Effect) -> Self {
        Self {
            matches: Matches::default(),
            effect,
            times: None,
        }
    }
}

/// The effects that the providers themselves must know of while they answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quirks {
    pub(crate) power_off: bool,
    pub(crate) list_lag_ms: i64,
    pub(crate) bulk_lag_ms: i64,
    pub(crate) single_lag_ms: i64,
    pub(crate) short_by: usize,
    pub(crate) slow_create_ms: i64,
    pub(crate) unreadable: bool,
    pub(crate) slow_delete_ms: i64,
    pub(crate) slow_reassignment_ms: i64,
    pub(crate) equal_reads_as_default: bool,
    pub(crate) unlimited_as_float: bool,
    pub(crate) negative_cache_ms: i64,
    pub(crate) org_policy: Option<Vec<String>>,
}

/// What all rules together do to one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hit {
    pub(crate) delay_ms: u64,
    /// The first rule that decides over the answer.
    pub(crate) answer: Option<Effect>,
    pub(crate) quirks: Quirks,
}

impl Hit {
    fn add(&mut self, effect: &Effect) {
        let quirks = &mut self.quirks;
        match effect {
            Effect::Latency { ms } => self.delay_ms = self.delay_ms.saturating_add(*ms),
            Effect::PowerOff => quirks.power_off = true,
            Effect::ListingLag { ms } => quirks.list_lag_ms = *ms,
            Effect::BulkLag { ms } => quirks.bulk_lag_ms = *ms,
            Effect::SingleLag { ms } => quirks.single_lag_ms = *ms,
            Effect::ShortAnswer { by } => quirks.short_by = *by,
            Effect::SlowCreate { ms, unreadable } => {
                quirks.slow_create_ms = *ms;
                quirks.unreadable = *unreadable;
            }
            Effect::SlowDelete { ms } => quirks.slow_delete_ms = *ms,
            Effect::SlowReassignment { ms } => quirks.slow_reassignment_ms = *ms,
            Effect::EqualReadsAsDefault => quirks.equal_reads_as_default = true,
            Effect::UnlimitedAsFloat => quirks.unlimited_as_float = true,
            Effect::NegativeCache { ms } => quirks.negative_cache_ms = *ms,
            Effect::OrgPolicy { allowed } => quirks.org_policy = Some(allowed.clone()),
            effect => self.answer = Some(effect.clone()),
        }
    }
}

fn decides_answer(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Status { .. }
            | Effect::StatusAfter { .. }
            | Effect::CutBody
            | Effect::CutJson
            | Effect::HugeBody { .. }
            | Effect::Drip { .. }
            | Effect::HtmlBody { .. }
            | Effect::WrongTypes
            | Effect::NumbersForTexts
            | Effect::LoseAnswer { .. }
            | Effect::BudgetSpent { .. }
            | Effect::Rate { .. }
    )
}

/// Whether an effect can show in the answer to a request. It does not use up its `times` on others.
fn concerns(effect: &Effect, call: &Call, provider: Provider) -> bool {
    let aiven = match provider {
        Provider::Aiven => OfAiven::of(call),
        _ => None,
    };
    let is_one_of = |those: &[OfAiven]| aiven.is_some_and(|this| those.contains(&this));
    match effect {
        Effect::PowerOff => aiven.is_some(),
        Effect::ListingLag { .. } => is_one_of(&[OfAiven::List]),
        Effect::BulkLag { .. } | Effect::ShortAnswer { .. } => is_one_of(&[OfAiven::Bulk]),
        Effect::SingleLag { .. } => is_one_of(&[OfAiven::Single]),
        Effect::SlowCreate { .. } => is_one_of(&[OfAiven::Create]),
        Effect::SlowDelete { .. } => is_one_of(&[OfAiven::Delete]),
        Effect::SlowReassignment { .. } => {
            let changes_replication = |call: &Call| {
                call.object()
                    .is_ok_and(|body| body.contains_key("replication"))
            };
            is_one_of(&[OfAiven::Update]) && changes_replication(call)
        }
        Effect::EqualReadsAsDefault => is_one_of(&[OfAiven::Bulk, OfAiven::Single]),
        Effect::UnlimitedAsFloat => is_one_of(&[OfAiven::Bulk, OfAiven::List, OfAiven::Single]),
        Effect::NegativeCache { .. } => {
            let of_one = match call.segments().as_slice() {
                ["v1", "projects", _, "topics" | "subscriptions", name] => !name.contains(':'),
                _ => false,
            };
            provider == Provider::Pubsub && call.method == Method::GET && of_one
        }
        Effect::OrgPolicy { .. } => {
            provider == Provider::Pubsub && call.path.ends_with(":setIamPolicy")
        }
        Effect::BudgetSpent { .. } => provider == Provider::Cloudflare,
        _ => true,
    }
}

/// What is asked of one of Aiven's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfAiven {
    List,
    Bulk,
    Single,
    Create,
    Update,
    Delete,
    /// Nothing about topics.
    Else,
}

impl OfAiven {
    /// None where no service is named.
    fn of(call: &Call) -> Option<Self> {
        let segments = call.segments();
        let [version, "project", _, "service", _, rest @ ..] = segments.as_slice() else {
            return None;
        };
        Some(match (call.method.as_str(), *version, rest) {
            ("GET", "v1", ["topic"]) => Self::List,
            ("POST", "v2", ["topic"]) => Self::Bulk,
            ("GET", "v1", ["topic", _]) => Self::Single,
            ("POST", "v1", ["topic"]) => Self::Create,
            ("PUT", "v1", ["topic", _]) => Self::Update,
            ("DELETE", "v1", ["topic", _]) => Self::Delete,
            _ => Self::Else,
        })
    }
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    seen: u64,
    left: Option<u32>,
    /// Of a rate: the minute of the last request, and how many came in it.
    minute: (i64, u64),
}

/// The refusal of a request beyond a rate.
fn over_rate(minute: &mut (i64, u64), per_minute: u64, now_ms: i64) -> Option<Effect> {
    const MINUTE_MS: i64 = 60_000;
    let now = now_ms.div_euclid(MINUTE_MS);
    let so_far = if minute.0 == now { minute.1 } else { 0 };
    *minute = (now, so_far.saturating_add(1));
    let rest_ms = MINUTE_MS - now_ms.rem_euclid(MINUTE_MS);
    (so_far >= per_minute).then(|| Effect::Status {
        code: 429,
        retry_after_s: u64::try_from(rest_ms).ok().map(|ms| ms.div_ceil(1_000)),
        try_again_s: None,
        message: None,
        error_code: None,
    })
}

/// All rules in force, in the order they were added.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    random: SplitMix64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            // A stream of its own: adding a rule must not change the ids the world gives out.
            random: SplitMix64::new(seed ^ 0xFA17_FA17_FA17_FA17),
        }
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        let left = fault.times;
        self.rules.push(Rule {
            fault,
            seen: 0,
            left,
            minute: (0, 0),
        });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules with what is left of them.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.rules
            .iter()
            .map(|rule| Fault {
                times: rule.left,
                ..rule.fault.clone()
            })
            .collect()
    }

    pub(crate) fn jitter(&mut self, up_to_ms: u64) -> u64 {
        self.random.below(up_to_ms.saturating_add(1))
    }

    /// Counts the request against every rule and gathers what happens to it.
    pub(crate) fn hit(&mut self, call: &Call, provider: Provider, write: bool, now_ms: i64) -> Hit {
        let mut hit = Hit::default();
        for rule in &mut self.rules {
            let Fault {
                matches, effect, ..
            } = &rule.fault;
            let fits = concerns(effect, call, provider) && matches.fits(call, provider, write);
            if !fits {
                continue;
            }
            rule.seen += 1;
            let drawn = match matches.per_mille {
                Some(share) => self.random.below(1000) < share,
                None => true,
            };
            // The first rule that decides over the answer keeps it; a later one must not be used up unseen.
            let taken = hit.answer.is_some() && decides_answer(effect);
            if !drawn
                || taken
                || matches.nth.is_some_and(|nth| nth != rule.seen)
                || matches.from.is_some_and(|from| rule.seen < from)
                || rule.left == Some(0)
            {
                continue;
            }
            let effect = match effect {
                Effect::Rate { per_minute } => over_rate(&mut rule.minute, *per_minute, now_ms),
                effect => Some(effect.clone()),
            };
            let Some(effect) = effect else {
                continue;
            };
            rule.left = rule.left.map(|left| left - 1);
            hit.add(&effect);
        }
        hit
    }
}

#[cfg(test)]
mod tests;
