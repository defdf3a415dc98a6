//! What follows a read: compare, plan, decide, show. Whatever was read, it ends without a panic,
//! says the same twice, shows no secret, and never plans for what is unknown.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::compare::{CompareInput, Comparison, compare};
use kedge_core::definitions::{Bundle, ParseInput, parse};
use kedge_core::documents::{self, Document, Surroundings};
use kedge_core::live::{Live, LiveWorld, Reading};
use kedge_core::model::{Declared, Salt, StackName, Timestamp};
use kedge_core::plan::{Authority, Plan, PlanInput, authorise, plan};
use kedge_core::render::{self, RenderOptions};
use kedge_core::report::{Changed, Report};
use kedge_core::state::State;
use kedge_sandbox::CANARY_SECRET;

use crate::definitions::printable;

/// When everything here happens.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
/// Credentials that nothing may show.
pub(crate) const TOKENS: [&str; 2] = ["aiven-s3cret-token", "cf-s3cret-token"];
/// What an answer holds and nobody may be shown.
pub(crate) const SECRETS: [&str; 2] = [CANARY_SECRET, "s3cret-part"];
/// The key of URL hashes here.
pub(crate) const SALT: Salt = Salt([7; 16]);

const KEDGE: &str = "project: acme
areas:
  data_plane:
    kafka_topics: {partitions: 3, replication: 2, retention_ms: 7d, cleanup_policy: delete}
policy: {correct: disruptive, deploy: disruptive, correct_after: 0}
";
const STACK: &str = "config:
  acme:aiven_project: clustera-creators
  acme:kafka_service: kafka-clustera
  acme:gcp_project: clustera-control-plane
  acme:cloudflare_zone_id: c1a57e4a000000000000000000000001
  acme:nodes:
    - {name: one, ips: [203.0.113.10, 203.0.113.11], domain: one.clustera.io, exclusive: true}
    - {name: two, ips: [198.51.100.20], domain: two.clustera.io}
";
const TOPICS: &str = "topics:
  - name: \"{stack}-a\"
  - name: \"{stack}-b\"
    max_message_bytes: 25MiB
  - {name: \"{stack}-c\", cleanup_policy: compact, description: \"c, of {stack}\"}
";
const PUBSUB: &str = "topics:
  - name: \"{stack}-mail\"
  - name: \"{stack}-dead\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mail\"
    push_endpoint: https://hooks.example.com/mail?token=s3cret-part
bindings:
  - topic: \"{stack}-mail\"
    role: roles/pubsub.publisher
    members: [\"serviceAccount:mail@example.com\"]
";

/// Whether something holds; if not, what is wrong.
pub(crate) fn expect(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

/// A small stack with something of each kind.
pub(crate) fn declared() -> Result<Declared, String> {
    let files = [
        ("kedge.yaml", KEDGE),
        ("stacks/dev.yaml", STACK),
        ("data_plane/kafka-topics.yaml", TOPICS),
        ("integrations/integration-mail/pubsub.yaml", PUBSUB),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let bundle = Bundle::new(files.into()).map_err(|error| error.to_string())?;
    let stack = StackName::new("dev").map_err(|error| error.to_string())?;
    let overrides = BTreeMap::new();
    let input = ParseInput {
        bundle: &bundle,
        stack: &stack,
        overrides: &overrides,
        salt: &SALT,
    };
    parse(&input).map_err(|problems| problems.to_string())
}

/// The stack whose objects the samples are.
pub(crate) fn dev() -> Result<StackName, String> {
    StackName::new("dev").map_err(|error| error.to_string())
}

/// A world that is as declared.
pub(crate) fn live(declared: &Declared) -> LiveWorld {
    let mut world = LiveWorld::default();
    for (key, resource) in &declared.resources {
        let live = Live {
            fields: resource.values(),
            ..Live::default()
        };
        let scope = world.scopes.entry(key.scope().clone()).or_default();
        scope.set_present(key.clone(), live);
    }
    world
}

/// A state in which everything declared is recorded.
pub(crate) fn recorded(declared: &Declared) -> State {
    let mut state = State::first(declared.stack.clone(), SALT, declared.policy.clone());
    for (key, resource) in &declared.resources {
        let record = kedge_core::model::Recorded {
            fields: resource.values(),
            ..Default::default()
        };
        state.resources.insert(key.clone(), record);
    }
    state
}

/// No credential, ours or one that an answer carries, and no hidden part of a URL.
pub(crate) fn no_secret(text: &str) -> Result<(), String> {
    let mut secrets = TOKENS.into_iter().chain(SECRETS);
    let is_clean = !secrets.any(|secret| text.contains(secret));
    expect(is_clean, || format!("a secret is shown: {text}"))
}

pub(crate) fn run(
    declared: &Declared,
    state: Option<&State>,
    live: &LiveWorld,
) -> Result<(), String> {
    let (comparison, plan) = compared(declared, state, live);
    let again = compared(declared, state, live);
    expect(again == (comparison.clone(), plan.clone()), || {
        "the same input gives two plans".to_owned()
    })?;
    for planned in &plan.changes {
        let key = &planned.change.key;
        let is_unknown = matches!(live.reading(key), Some(Reading::Unknown(_)));
        expect(!is_unknown, || {
            format!("a change is planned of {key}, which is unknown")
        })?;
    }
    let (seen, allowed) = (BTreeMap::new(), BTreeSet::new());
    let authorities = [
        Authority::Policy {
            first_seen: &seen,
            automatic: state.map_or(&[], |state| &state.automatic),
            now: NOW,
        },
        Authority::Person {
            allowed: &allowed,
            policy_allowed: true,
            name_typed: true,
        },
    ];
    let [automation, _] = authorities.map(|authority| authorise(&plan, authority));
    for authority in authorities {
        let decided = authorise(&plan, authority);
        shown(&Report {
            invalid: None,
            stored: None,
            push_first: None,
            declared: declared.clone().into(),
            comparison: comparison.clone(),
            plan: plan.clone(),
            decided,
            automation: automation.clone(),
            read_at: NOW,
            last_good_read_at: None,
            windows: BTreeMap::new(),
            holds: Vec::new(),
            holds_unread: None,
            watch_unread: None,
            command: None,
            open_run: None,
            unverified: None,
            ran_out: None,
        })?;
    }
    Ok(())
}

fn compared(declared: &Declared, state: Option<&State>, live: &LiveWorld) -> (Comparison, Plan) {
    let comparison = compare(CompareInput {
        declared,
        state,
        live,
        now: NOW,
    });
    let plan = plan(PlanInput {
        declared,
        state,
        live,
        comparison: &comparison,
        overrides: &BTreeSet::new(),
        holds: &[],
        holds_unread: None,
    });
    (comparison, plan)
}

fn shown(report: &Report) -> Result<(), String> {
    let around = RenderOptions {
        stack_origin: "--stack",
        definitions: "definitions (local files)",
        hints: &|hint| format!("{hint:?}"),
        screen: render::Screen {
            colour: false,
            width: render::Screen::WIDTH,
            full: true,
        },
        traffic: None,
        times: true,
        plan_shown: false,
        next_follows: false,
    };
    let changed = Changed::default();
    let pages = [
        render::check_text(report, &around),
        render::preview_text(report, &around),
        render::audit_text(report, &around),
        render::changed_text(report, &changed, &around),
        render::github_annotations(report, "definitions"),
        render::junit_xml(report),
        json(&documents::preview(
            report,
            &Surroundings::default(),
            Some(around.hints),
        ))?,
        json(&documents::changed(
            report,
            &changed,
            &Surroundings::default(),
        ))?,
    ];
    for page in &pages {
        no_secret(page)?;
        printable(page)?;
    }
    Ok(())
}

fn json(document: &impl Document) -> Result<String, String> {
    documents::json_text(document).map_err(|error| error.to_string())
}
