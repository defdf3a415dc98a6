//! What each fault is and what must come of it: the law that the matrix is judged by. It is written
//! from the semantics (3.3, 8.1, 8.2) and the facts about the providers, not from the code.

use kedge_core::live::FailureCode::{
    self, Forbidden, InTransition, Network, NotRunning, ProviderError, RateLimited, ScopeNotFound,
    StrangeAnswer, Unauthenticated,
};
use kedge_core::model::{Kind, ResourceKey};
use kedge_engine::ports::ProviderName;
use kedge_engine::ports::ProviderName::{Aiven, Cloudflare, Pubsub};
use kedge_sandbox::Effect;
use serde_json::Value;

use self::Made::{No, Yes};
use self::Write::{Blocked, Done, Failed, Open};
use super::Request;

/// Whether a fault lets the write happen before it spoils the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Yes,
    No,
}

/// What a fault that stays makes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// Somebody must do something first.
    Blocked,
    /// Surely not made; a later run tries again.
    Failed,
    /// The answer tells nothing. Where the provider can look the outcome up, it is known after all.
    Open(Made),
    /// The answer says enough.
    Done,
}

/// A fault at one provider.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    /// The word for what a read could not tell.
    pub(super) read: FailureCode,
    pub(super) write: Write,
    /// Whether a read is made again in the same run, so that a fault that passes leaves no trace.
    pub(super) read_again: bool,
    /// The same of a write.
    pub(super) write_again: bool,
    /// Only requests that make something: a name can't be taken by what is only changed.
    pub(super) creates_only: bool,
}

/// What is made of a read under a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Other reads make up for it: nothing is unknown.
    MadeUpFor,
    /// What hangs on it is unknown. A tick makes and deletes nothing in the whole scope, unless the
    /// failure is about the one resource alone.
    Unknown { code: FailureCode, alone: bool },
}

/// The rule's word for a read of one target: a few answers mean more there than elsewhere.
pub(super) fn read(provider: ProviderName, target: &str, rule: &Rule) -> Read {
    let is_topic = provider == Aiven && target.contains("/topic/");
    let is_zone = provider == Cloudflare && !target.contains("/dns_records");
    match rule.name {
        // A token that may not read the zone itself; the answer to a creation tells its name.
        _ if is_zone && matches!(rule.read, Unauthenticated | Forbidden | ScopeNotFound) => {
            Read::MadeUpFor
        }
        // The bulk read was experimental once; single reads take its place.
        "501" if target.starts_with("/v2/") => Read::MadeUpFor,
        // A topic that is still being made (terraform-provider-aiven#89).
        "501" if is_topic => Read::Unknown {
            code: InTransition,
            alone: true,
        },
        _ => Read::Unknown {
            code: rule.read,
            alone: false,
        },
    }
}

fn rule(name: &'static str, effect: Effect, read: FailureCode, write: Write) -> Rule {
    Rule {
        name,
        effect,
        read,
        write,
        read_again: false,
        write_again: false,
        creates_only: false,
    }
}

impl Rule {
    /// What passes is tried again.
    fn passes(mut self) -> Self {
        (self.read_again, self.write_again) = (true, true);
        self
    }

    fn passes_for_writes(mut self, again: bool) -> Self {
        self.write_again = again;
        self
    }

    fn of_creates(mut self) -> Self {
        self.creates_only = true;
        self
    }
}

/// A refusal; `says` and `code` in place of the provider's usual words.
fn status(code: u16, says: &str, error_code: &str) -> Effect {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Effect::Status {
        code,
        retry_after_s: None,
        try_again_s: None,
        message: given(says),
        error_code: given(error_code),
    }
}

/// A 429 that asks to wait, in the provider's own way: Aiven only says it in words.
fn wait(provider: ProviderName, seconds: u64) -> Effect {
    let hint = |this: bool| this.then_some(seconds);
    Effect::Status {
        code: 429,
        retry_after_s: hint(provider != Aiven),
        try_again_s: hint(provider == Aiven),
        message: None,
        error_code: None,
    }
}

/// All faults at a provider.
pub(super) fn rules(provider: ProviderName) -> Vec<Rule> {
    let mut rules = refusals(provider);
    rules.extend(conflicts(provider));
    rules.extend(limits(provider));
    rules.extend(outages(provider));
    rules.extend(bad_answers(provider));
    rules
}

fn refusals(provider: ProviderName) -> Vec<Rule> {
    let (forbidden, no_project) = match provider {
        Aiven => (
            status(403, "Permission denied", "permission_denied"),
            status(404, "Project clustera-creators does not exist", ""),
        ),
        Pubsub => (
            status(403, "", ""),
            status(
                404,
                "Requested project not found or user does not have access to it (project=x).",
                "",
            ),
        ),
        Cloudflare => (
            status(403, "Authentication error", "10000"),
            status(
                404,
                "Could not route to /zones/x, perhaps your object identifier is invalid?",
                "7003",
            ),
        ),
    };
    // Aiven and Cloudflare say 403 of a token that they do not know, too.
    let bad_token = match provider {
        Aiven | Cloudflare => Unauthenticated,
        Pubsub => Forbidden,
    };
    vec![
        rule("401", status(401, "", ""), Unauthenticated, Blocked),
        rule("403", forbidden, Forbidden, Blocked),
        rule(
            "403 of a bad token",
            status(403, "", ""),
            bad_token,
            Blocked,
        ),
        rule("404 of the project", no_project, ScopeNotFound, Blocked),
    ]
}

fn conflicts(provider: ProviderName) -> Vec<Rule> {
    let kind = |name, code: &str, write| rule(name, status(409, "", code), StrangeAnswer, write);
    let says = |name, text: &str, write| rule(name, status(409, text, ""), StrangeAnswer, write);
    match provider {
        Aiven => vec![
            kind("409 exists", "kafka_topic_already_exists", Blocked).of_creates(),
            kind(
                "409 queued for deletion",
                "kafka_topic_queued_for_deletion",
                Failed,
            )
            .of_creates(),
            kind(
                "409 reassignment",
                "kafka_partition_reassignment_in_progress",
                Failed,
            ),
            kind("409 reserved", "kafka_topic_reserved", Blocked),
            kind("409 governance", "resource_managed_by_governance", Blocked),
            says(
                "409 brokers",
                "Cluster only has 2 broker(s), cannot set replication factor to 3",
                Blocked,
            ),
            says(
                "409 tiered",
                "Tiered storage is not enabled for this service",
                Blocked,
            ),
            says("409 unknown", "No", Failed),
            rule(
                "409 powered off",
                status(409, "", "not_powered"),
                NotRunning,
                Blocked,
            ),
        ],
        Pubsub => vec![
            kind("409 exists", "ALREADY_EXISTS", Blocked).of_creates(),
            kind("409 aborted", "ABORTED", Failed).passes(),
        ],
        // It has no 409; a taken address is a 400.
        Cloudflare => vec![
            rule(
                "400 exists",
                status(400, "An identical record already exists.", "81058"),
                StrangeAnswer,
                Blocked,
            )
            .of_creates(),
            rule(
                "400 exists, older code",
                status(400, "The record already exists.", "81057"),
                StrangeAnswer,
                Blocked,
            )
            .of_creates(),
        ],
    }
}

fn limits(provider: ProviderName) -> Vec<Rule> {
    vec![
        rule("429", status(429, "", ""), RateLimited, Failed).passes(),
        rule("429, wait 2 s", wait(provider, 2), RateLimited, Failed).passes(),
        // Longer than the run.
        rule("429, wait 600 s", wait(provider, 600), RateLimited, Failed),
    ]
}

fn outages(provider: ProviderName) -> Vec<Rule> {
    let open = |name, code| rule(name, status(code, "", ""), ProviderError, Open(No)).passes();
    let not_implemented = match provider {
        // UNIMPLEMENTED is an answer: it was not made and will not be.
        Pubsub => rule(
            "501",
            status(501, "", "UNIMPLEMENTED"),
            ProviderError,
            Failed,
        ),
        Aiven | Cloudflare => open("501", 501),
    };
    let unavailable = match provider {
        // Both say that nothing was begun (Aiven's spec: kafka_service_unavailable; Google's
        // clients repeat every call on UNAVAILABLE).
        Aiven | Pubsub => Rule {
            write: Failed,
            ..open("503", 503)
        },
        Cloudflare => open("503", 503),
    };
    let slow = Effect::Latency { ms: 20_000 };
    let lost = |applied| Effect::LoseAnswer { applied };
    let after = |code| Effect::StatusAfter { code };
    vec![
        open("408", 408),
        open("500", 500),
        rule("500 after the deed", after(500), ProviderError, Open(Yes)).passes(),
        not_implemented,
        unavailable,
        rule("timeout", slow, Network, Open(Yes)).passes(),
        rule("lost before the deed", lost(false), Network, Open(No)).passes(),
        rule("lost after the deed", lost(true), Network, Open(Yes)).passes(),
        rule("slow drip", Effect::Drip { ms: 10_000 }, Network, Open(Yes)).passes(),
    ]
}

fn bad_answers(provider: ProviderName) -> Vec<Rule> {
    // What Cloudflare says with a 200 is not asked for again but looked up.
    let again = provider != Cloudflare;
    let html = Effect::HtmlBody { code: 200 };
    vec![
        rule("HTML", html, StrangeAnswer, Open(No)).passes_for_writes(again),
        rule("cut connection", Effect::CutBody, Network, Open(Yes)).passes(),
        rule("cut JSON", Effect::CutJson, StrangeAnswer, Open(Yes)).passes_for_writes(again),
        rule(
            "100 MB",
            Effect::HugeBody { bytes: 100_000_000 },
            StrangeAnswer,
            Open(Yes),
        )
        .passes_for_writes(true),
        // An answer to a write is read for whether it is one, not for what it says.
        rule("wrong types", Effect::WrongTypes, StrangeAnswer, Done),
        rule(
            "number for text",
            Effect::NumbersForTexts,
            StrangeAnswer,
            Done,
        ),
    ]
}

/// What a call needs (the providers' tables of permissions, see `docs/` and SECURITY.md).
pub(super) fn permission(provider: ProviderName, method: &str, target: &str) -> &'static str {
    let topic = target.contains("/topics");
    match (provider, method) {
        (Aiven, "GET") if !target.contains("/topic") => "project:services:read",
        (Aiven, _) => "service:data:write",
        (Cloudflare, "GET") => "Zone:DNS:Read",
        (Cloudflare, _) => "Zone:DNS:Edit",
        (Pubsub, "GET") if target.contains(":getIamPolicy") => "pubsub.topics.getIamPolicy",
        (Pubsub, "GET") if target.contains("/topics?") => "pubsub.topics.list",
        (Pubsub, "GET") if target.contains("/subscriptions?") => "pubsub.subscriptions.list",
        (Pubsub, "GET") if topic => "pubsub.topics.get",
        (Pubsub, "GET") => "pubsub.subscriptions.get",
        (Pubsub, "POST") => "pubsub.topics.setIamPolicy",
        (Pubsub, "PUT") if topic => "pubsub.topics.create",
        (Pubsub, "PUT") => "pubsub.subscriptions.create",
        (Pubsub, "PATCH") if topic => "pubsub.topics.update",
        (Pubsub, "PATCH") => "pubsub.subscriptions.update",
        (Pubsub, _) if topic => "pubsub.topics.delete",
        (Pubsub, _) => "pubsub.subscriptions.delete",
    }
}

/// Whether a request is part of the change of this resource.
pub(super) fn is_part_of(request: &Request, key: &ResourceKey) -> bool {
    if key.scope().provider().as_str() != request.provider.as_str() {
        return false;
    }
    let path = request
        .target
        .split_once('?')
        .map_or(request.target.as_str(), |(path, _)| path);
    let of_topic = path.contains("/topics/");
    match key.kind() {
        Kind::DnsRecordSet => true,
        Kind::KafkaTopic if !request.body.is_empty() => {
            let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
            body["topic_name"] == key.name()
        }
        Kind::KafkaTopic => path.ends_with(&format!("/topic/{}", key.name())),
        Kind::PubsubTopic => of_topic && path.ends_with(&format!("/{}", key.name())),
        Kind::PubsubBinding => path.contains("IamPolicy"),
        Kind::PubsubSubscription => !of_topic && path.ends_with(&format!("/{}", key.name())),
    }
}

/// The Kafka topics of the matrix that are live and recorded.
const LISTED: [&str; 2] = ["dev-a", "dev-b-dlq"];

/// Whether what is known of a resource hangs on this request. `code` is what the request came to.
pub(super) fn hangs_on(request: &Request, key: &ResourceKey, code: FailureCode) -> bool {
    let target = request.target.as_str();
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if key.scope().provider().as_str() != request.provider.as_str() {
        return false;
    }
    match (request.provider, key.kind()) {
        (ProviderName::Cloudflare, _) => true,
        (ProviderName::Aiven, _) if path.starts_with("/v2/") => LISTED.contains(&key.name()),
        (ProviderName::Aiven, _) if path.ends_with("/topic") => true,
        (ProviderName::Aiven, _) if path.contains("/topic/") => path.ends_with(key.name()),
        // Whether the service runs: asked because a name is missing. If it does not run, or is not
        // there, nothing that is not listed is known to be absent.
        (ProviderName::Aiven, _) => match code {
            FailureCode::NotRunning | FailureCode::ScopeNotFound => !LISTED.contains(&key.name()),
            _ => key.name() == "dev-b",
        },
        (ProviderName::Pubsub, kind) if path.ends_with("/topics") => {
            kind != Kind::PubsubSubscription
        }
        (ProviderName::Pubsub, kind) if path.ends_with("/subscriptions") => {
            kind == Kind::PubsubSubscription
        }
        (ProviderName::Pubsub, kind) => kind == Kind::PubsubBinding,
    }
}
