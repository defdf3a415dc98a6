//! The contract: what we send and what the sandbox answers, judged by the providers' own schemas.
//!
//! The schemas are not part of this repository. They are looked for in `../shared/specs` beside it,
//! or where `KEDGE_SPECS` says; without them the test says aloud that nothing was checked.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a contract that can't be judged is a failure"
)]

mod operation;
mod schema;
mod states;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use kedge_sandbox::Provider;
use serde_json::Value;

use self::operation::Spec;
use self::traffic::Seen;

/// Where sandbox and spec differ and neither is to be changed: whose, the operation, what the fault
/// says, and why.
const EXCEPTIONS: [(Provider, &str, &str, &str); 13] = [
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.connection_info",
        CREDENTIALS,
    ),
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.service_uri",
        CREDENTIALS,
    ),
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.users",
        CREDENTIALS,
    ),
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.group_list",
        SERVICE_TRIMMED,
    ),
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.maintenance",
        SERVICE_TRIMMED,
    ),
    (
        Provider::Aiven,
        "ServiceGet",
        "$.service.service_integrations",
        SERVICE_TRIMMED,
    ),
    (
        Provider::Cloudflare,
        "dns-records-for-a-zone-delete-dns-record",
        "$.success",
        ENVELOPE,
    ),
    (
        Provider::Cloudflare,
        "dns-records-for-a-zone-delete-dns-record",
        "$.errors",
        ENVELOPE,
    ),
    (
        Provider::Cloudflare,
        "dns-records-for-a-zone-delete-dns-record",
        "$.messages",
        ENVELOPE,
    ),
    (Provider::Cloudflare, "dns-records", ".error_chain", CHAIN),
    (Provider::Cloudflare, "zones-get", ".plan", ZONE_TRIMMED),
    (
        Provider::Cloudflare,
        "zones-get",
        ".permissions",
        ZONE_TRIMMED,
    ),
    (
        Provider::Pubsub,
        "",
        "no parameter `$alt`",
        "a system parameter of every Google API; the generated clients send `$alt=json;enum-encoding=int`",
    ),
];

const CREDENTIALS: &str = "the copy is trimmed (x-trimmed); the real object carries credentials, \
    which must stand here so that a leak is found";
const SERVICE_TRIMMED: &str = "the copy is trimmed (x-trimmed); the published schema requires it, and \
    terraform-provider-aiven panics without it";
const ENVELOPE: &str = "the published schema has only `result`; every live answer has the envelope \
    (octodns-cloudflare's recorded answers)";
const CHAIN: &str = "not in the schema; live probes show it (favonia/cloudflare-ddns)";
const ZONE_TRIMMED: &str =
    "left out of the copy, as its x-deviations say; the published schema has it";

/// Routes of the sandbox that the trimmed specs do not have, and who needs them.
const BEYOND: [(&str, &str, &str); 11] = [
    ("GET", "/v1/me", "Aiven's clients look who asks"),
    (
        "GET",
        "/v1/project/*",
        "terraform-provider-aiven reads the project",
    ),
    (
        "GET",
        "/v1/project/*/service-types/kafka/plans/*",
        "terraform-provider-aiven reads the service's plan",
    ),
    (
        "GET",
        "/user",
        "Pulumi's and Terraform's Cloudflare look who asks",
    ),
    ("GET", "/v1/project/*/service", "avn lists services"),
    (
        "GET",
        "/zones/*",
        "octoDNS and the official SDK look at the zone",
    ),
    (
        "GET",
        "/zones/*/pagerules",
        "octoDNS asks for them unless told not to",
    ),
    (
        "GET",
        "/zones/*/dns_records/usage",
        "in the published API; left out of the copy",
    ),
    (
        "GET",
        "/user/tokens/verify",
        "the official SDK and `wrangler` check a token with it",
    ),
    (
        "GET",
        "/v1/projects/*/subscriptions/*:getIamPolicy",
        "in the published API; left out of the copy",
    ),
    (
        "POST",
        "/v1/projects/*/subscriptions/*:detach",
        "in the published API; left out of the copy",
    ),
];

/// Every request that a provider's `requests.rs` can make, by the spec's name for it.
const OURS: [&str; 21] = [
    "ServiceGet",
    "ServiceKafkaTopicCreate",
    "ServiceKafkaTopicDelete",
    "ServiceKafkaTopicGet",
    "ServiceKafkaTopicList",
    // Not in Aiven's published spec: its shape is from aiven/go-client-codegen, openapi_patch.yaml,
    // as the copy in `shared/specs` has it.
    "ServiceKafkaTopicListV2",
    "ServiceKafkaTopicUpdate",
    "dns-records-for-a-zone-batch-dns-records",
    "dns-records-for-a-zone-list-dns-records",
    "pubsub.projects.subscriptions.create",
    "pubsub.projects.subscriptions.delete",
    "pubsub.projects.subscriptions.get",
    "pubsub.projects.subscriptions.list",
    "pubsub.projects.subscriptions.patch",
    "pubsub.projects.topics.create",
    "pubsub.projects.topics.delete",
    "pubsub.projects.topics.get",
    "pubsub.projects.topics.getIamPolicy",
    "pubsub.projects.topics.list",
    "pubsub.projects.topics.patch",
    "pubsub.projects.topics.setIamPolicy",
];

type Specs = BTreeMap<Provider, Spec>;

/// Where the specs are.
fn folder() -> PathBuf {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    std::env::var_os("KEDGE_SPECS").map_or(beside, PathBuf::from)
}

/// One spec as it is written; none, and a line that says so, where it is not.
fn raw_spec(name: &str) -> Option<Value> {
    let Ok(text) = std::fs::read_to_string(folder().join(name)) else {
        // Written past the test's own capture: a check that is left out must be seen.
        let _ = writeln!(
            std::io::stderr(),
            "NOT CHECKED: provider schemas are not at {}",
            folder().display()
        );
        return None;
    };
    Some(serde_json::from_str(&text).expect("the spec is JSON"))
}

/// The specs; none where one of them is not there.
fn specs() -> Option<Specs> {
    let aiven = raw_spec("aiven-kafka.openapi.json")?;
    let pubsub = raw_spec("pubsub-v1.discovery.json")?;
    let cloudflare = raw_spec("cloudflare-dns.openapi.json")?;
    let failure = "dns-records_api-response-common-failure";
    Some(BTreeMap::from([
        (Provider::Aiven, Spec::open_api(aiven, "ErrorBody")),
        (Provider::Pubsub, Spec::discovery(pubsub)),
        (Provider::Cloudflare, Spec::open_api(cloudflare, failure)),
    ]))
}

/// What judging came to.
#[derive(Debug, Default)]
struct Judged {
    /// The operations met.
    operations: BTreeSet<String>,
    /// The exceptions that were needed.
    excused: BTreeSet<usize>,
}

/// Judges what was seen. Fails with every fault there is, once each.
fn judge(specs: &Specs, seen: &[Seen]) -> Judged {
    let mut judged = Judged::default();
    let mut faults = BTreeSet::new();
    for (provider, exchange) in seen {
        if is_beyond(&exchange.method, &exchange.target) {
            continue;
        }
        let line = format!("{provider:?} {} {}", exchange.method, exchange.target);
        let (id, wrong) = match specs[provider].judge(exchange) {
            Ok(known) => known,
            Err(unknown) => ("", vec![unknown]),
        };
        if !id.is_empty() {
            judged.operations.insert(id.to_owned());
        }
        for fault in wrong {
            let excuse = EXCEPTIONS.iter().position(|(whose, operation, part, _)| {
                whose == provider && id.starts_with(operation) && fault.contains(part)
            });
            match excuse {
                Some(at) => drop(judged.excused.insert(at)),
                None => drop(faults.insert(format!("{line}: {fault}"))),
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    judged
}

/// Whether a request goes to a route that is known not to be in the copies of the specs.
fn is_beyond(method: &str, target: &str) -> bool {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let fits = |pattern: &str| {
        let (given, known) = (path.split('/'), pattern.split('/'));
        given.clone().count() == known.clone().count()
            && given
                .zip(known)
                .all(|(given, known)| match known.split_once('*') {
                    Some((_, after)) => {
                        given.ends_with(after) && given.contains(':') == after.contains(':')
                    }
                    None => given == known,
                })
    };
    BEYOND
        .iter()
        .any(|(verb, pattern, _)| *verb == method && fits(pattern))
}

#[test]
fn what_we_send_and_get_is_as_the_providers_say() {
    let Some(specs) = specs() else { return };
    let mut seen = traffic::of_whole_resources();
    seen.extend(traffic::of_many());
    let met = judge(&specs, &seen).operations;
    let met: Vec<&str> = met.iter().map(String::as_str).collect();
    assert_eq!(
        met, OURS,
        "requests that no scenario made, or that nobody listed"
    );
}

#[test]
fn every_route_of_the_sandbox_is_as_the_providers_say() {
    let Some(specs) = specs() else { return };
    let mut seen = traffic::of_routes();
    seen.extend(traffic::of_bad_bodies());
    for (method, pattern, _) in BEYOND {
        let asked = seen
            .iter()
            .any(|(_, one)| one.method == method && is_beyond(method, &one.target));
        assert!(
            asked,
            "{method} {pattern} is in the table and never asked for"
        );
    }
    let judged = judge(&specs, &seen);
    for (at, (provider, operation, part, _)) in EXCEPTIONS.iter().enumerate() {
        assert!(
            judged.excused.contains(&at),
            "{provider:?} {operation} {part}: excused and never met"
        );
    }
}
