//! Pages and JSON of reports that the real pipeline makes: parse, diff, plan, authorise.

mod automation;
mod blocks;
mod documents;
mod machines;
mod once;
mod pages;
mod secrets;
mod state_command;

use std::collections::{BTreeMap, BTreeSet};

use super::{RenderOptions, Screen, Traffic};
use crate::change::Verb;
use crate::compare::{CompareInput, compare};
use crate::compare::{OpenRun, Stage};
use crate::definitions::{Bundle, ParseInput, Problems, parse};
use crate::hint::Hint;
use crate::live::{FailureCode, Live, LiveWorld, Proof, ReadFailure, ScopeReading};
use crate::model::{
    Declared, FieldName, Kind, Recorded, ResourceKey, Salt, StackName, Timestamp, Value,
};
use crate::plan::{
    Authority, Decided, GuardName, Plan, PlanInput, authorise, plan, resolve_allowed,
};
use crate::report::Report;
use crate::stored::hold::{Hold, Holds, UnreadHolds};
use crate::stored::run::RunRecord;
use crate::stored::state::{Applying, Intent, State, Watch};

const SALT: Salt = Salt([7; 16]);
const NOW: Timestamp = Timestamp(1_790_000_000_000);

const SCREEN: Screen = Screen {
    colour: false,
    width: 100,
    full: false,
};

const AROUND: RenderOptions<'static> = RenderOptions {
    hints: &command,
    stack_origin: "branch",
    definitions: "definitions (local files)",
    screen: SCREEN,
    traffic: Some(Traffic {
        reads: 9,
        writes: 0,
        wall_ms: None,
    }),
    times: false,
    plan_shown: false,
    next_follows: false,
};

/// Hints as the command line says them, nearly.
fn command(hint: &Hint) -> String {
    let flags = |flag: &str, values: &[String]| -> String {
        let each = values.iter().map(|value| format!(" --{flag} {value}"));
        each.collect()
    };
    match hint {
        Hint::Up {
            plan,
            allow,
            overrides,
        } => {
            let guards: Vec<String> = overrides.iter().map(|one| (*one).into()).collect();
            let plan: Vec<String> = plan.iter().cloned().collect();
            let (plan, allow) = (flags("plan", &plan), flags("allow", allow));
            format!(
                "kedge up --stack dev{plan}{allow}{}",
                flags("override", &guards)
            )
        }
        Hint::Unattended => "kedge up --stack dev --unattended".to_owned(),
        Hint::Accept { key } => {
            format!("kedge accept {key}")
        }
        Hint::Push { after_rollback } => {
            let after: Vec<String> = after_rollback.iter().cloned().collect();
            format!("kedge push{}", flags("after-rollback", &after))
        }
        Hint::ConfirmAbsence { digest } => {
            format!(
                "kedge refresh --confirm-absence {}",
                digest.as_deref().unwrap_or("")
            )
        }
        Hint::Allow { keys } if keys.is_empty() => "--allow KEY".to_owned(),
        Hint::Allow { keys } => flags("allow", keys).trim_start().to_owned(),
        Hint::Full => "--full".to_owned(),
        Hint::ReplaceHolds => "kedge hold --replace --for 2h --reason WHY".to_owned(),
        other => format!("kedge {other:?}").to_lowercase(),
    }
}

const KEDGE: &str = "project: acme
areas:
  data_plane:
    kafka_topics: {partitions: 3, replication: 3, retention_ms: 604800000}
policy: {correct: safe, deploy: safe, correct_after: 0s}
";
const STACK: &str = "config:
  acme:aiven_project: acme-aiven
  acme:kafka_service: kafka
  acme:gcp_project: acme-google
  acme:cloudflare_zone_id: c1a57e4a000000000000000000000001
  acme:nodes:
    - {name: one, ips: [192.0.2.1, 192.0.2.2], domain: one.example.com, exclusive: true}
    - {name: two, ips: [192.0.2.9], domain: two.example.com}
";
const TOPICS: &str = "topics:
  - name: \"{stack}-a\"
  - name: \"{stack}-b\"
  - name: \"{stack}-c\"
    max_message_bytes: 26214400
  - name: \"{stack}-c-dlq\"
";
const PUBSUB: &str = "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mail\"
    push_endpoint: https://hooks.example.com/mail
bindings:
  - topic: \"{stack}-mail\"
    role: roles/pubsub.publisher
    members: [\"serviceAccount:mail@example.com\"]
";

#[expect(clippy::disallowed_methods, reason = "these tests are the provider")]
const UNLISTED: Proof = Proof::unlisted_and_not_found();

/// Definitions, state and live world of one stack, to be changed by a test.
#[derive(Clone)]
struct World {
    files: BTreeMap<String, String>,
    state: Option<State>,
    live: LiveWorld,
    holds: Holds,
    holds_unread: Option<UnreadHolds>,
    open_run: Option<OpenRun>,
    unverified: Option<String>,
    overrides: BTreeSet<GuardName>,
}

impl World {
    /// Everything declared is recorded and live.
    fn in_sync() -> Self {
        let files = [
            ("kedge.yaml", KEDGE),
            ("stacks/dev.yaml", STACK),
            ("data_plane/kafka-topics.yaml", TOPICS),
            ("integrations/integration-mail/pubsub.yaml", PUBSUB),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self::of(files.into())
    }

    fn of(files: BTreeMap<String, String>) -> Self {
        let mut world = Self {
            files,
            state: None,
            live: LiveWorld::default(),
            holds: Holds::default(),
            holds_unread: None,
            open_run: None,
            unverified: None,
            overrides: BTreeSet::new(),
        };
        let declared = world.declared().unwrap();
        let mut state = State::first(declared.stack.clone(), SALT, declared.policy.clone());
        for (key, resource) in &declared.resources {
            let record = Recorded {
                fields: resource.values(),
                ..Recorded::default()
            };
            state.resources.insert(key.clone(), record);
            world.put(key, resource.values());
        }
        world.state = Some(state);
        world
    }

    fn declared(&self) -> Result<Declared, Problems> {
        let bundle = Bundle::new(self.files.clone()).unwrap();
        parse(&ParseInput {
            bundle: &bundle,
            stack: &StackName::new("dev").unwrap(),
            overrides: &BTreeMap::new(),
            salt: &SALT,
        })
    }

    /// Changes a definition file.
    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = self.files.get_mut(path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        *text = text.replacen(from, to, 1);
    }

    fn put(&mut self, key: &ResourceKey, fields: crate::model::Fields) {
        let scope = self.live.scopes.entry(key.scope().clone()).or_default();
        let live = Live {
            fields,
            ..Live::default()
        };
        scope.set_present(key.clone(), live);
    }

    /// A person changes a live field.
    fn set(&mut self, key: &ResourceKey, field: &'static str, value: Value) {
        self.change(key, |live| {
            live.fields.insert(FieldName::known(field), value);
        });
    }

    fn change(&mut self, key: &ResourceKey, change: impl FnOnce(&mut Live)) {
        let scope = self.live.scopes.get_mut(key.scope()).unwrap();
        let mut live = scope.reading(key).present().unwrap().clone();
        change(&mut live);
        scope.set_present(key.clone(), live);
    }

    fn recorded(&mut self, key: &ResourceKey) -> &mut Recorded {
        let state = self.state.as_mut().unwrap();
        state.resources.get_mut(key).unwrap()
    }

    /// A person deletes something.
    fn remove(&mut self, key: &ResourceKey) {
        let scope = self.live.scopes.get_mut(key.scope()).unwrap();
        scope.set_absent(key.clone(), UNLISTED);
    }

    /// Every scope can be read, and nothing is in it.
    fn empty(&mut self) {
        for scope in self.live.scopes.values_mut() {
            *scope = ScopeReading::default();
        }
    }

    /// What is live, with a proof for what is wanted and not there.
    fn live(&self) -> LiveWorld {
        let mut live = self.live.clone();
        let declared = self.declared().unwrap().resources.into_keys();
        let recorded = self.state.iter().flat_map(|state| state.resources.keys());
        for key in declared.chain(recorded.cloned()) {
            let scope = live.scopes.get_mut(key.scope());
            let unlisted = |scope: &&mut ScopeReading| !scope.entries().contains_key(&key);
            if let Some(scope) = scope.filter(unlisted) {
                scope.set_absent(key, UNLISTED);
            }
        }
        live
    }

    fn fail(&mut self, kind: Kind, reason: &str) {
        let failure = ReadFailure {
            reason: reason.to_owned(),
            permission: None,
            code: FailureCode::Forbidden,
        };
        let scope = self
            .live
            .scopes
            .iter_mut()
            .find(|(_, reading)| reading.present().any(|(key, _)| key.kind() == kind));
        let (_, reading) = scope.unwrap();
        let others = reading.present().filter(|(key, _)| key.kind() != kind);
        let mut rest = ScopeReading::default();
        for (key, live) in others {
            rest.set_present(key.clone(), live.clone());
        }
        for (kind, failure) in reading.failures() {
            rest.fail(*kind, failure.clone());
        }
        rest.fail(kind, failure);
        *reading = rest;
    }

    /// What a check or a preview reports.
    fn report(&self) -> Report {
        self.judge(None)
    }

    /// What `up --yes --allow …` reports.
    fn report_for(&self, allow: &[&str]) -> Report {
        self.judge(Some(allow))
    }

    fn judge(&self, allow: Option<&[&str]>) -> Report {
        let declared = self.declared().unwrap();
        let (state, live) = (self.state.as_ref(), &self.live());
        let mut comparison = compare(CompareInput {
            declared: &declared,
            state,
            live,
            now: NOW,
        });
        if let Some((state, run)) = state.zip(self.open_run.as_ref()) {
            comparison.mark_open_run(&declared, state, live, run);
        }
        if self.unverified.is_some() {
            comparison = comparison.unknown("the stack is being changed");
        }
        let stands = |hold: &&Hold| hold.stands(NOW);
        let standing: Vec<Hold> = self.holds.list().iter().filter(stands).cloned().collect();
        let plan = plan(PlanInput {
            declared: &declared,
            state,
            live,
            comparison: &comparison,
            overrides: &self.overrides,
            holds: &standing,
            holds_unread: self.holds_unread.as_ref(),
        });
        let automation = authorise(&plan, AUTOMATION);
        let decided = match allow {
            None => automation.clone(),
            Some(names) => by_person(&plan, names),
        };
        let watch = Watch {
            last_good_read_at: Some(NOW.plus_ms(-300_000)),
            ..Watch::default()
        };
        let drifts = comparison.differences.values().filter(|one| one.is_drift());
        let windows = drifts.map(|one| (one.key.clone(), watch.window(one, NOW)));
        Report {
            windows: windows.collect(),
            invalid: None,
            stored: None,
            push_first: None,
            declared: declared.into(),
            comparison,
            plan,
            decided,
            automation,
            read_at: NOW,
            last_good_read_at: watch.last_good_read_at,
            holds: self.holds.list().to_vec(),
            holds_unread: self.holds_unread.clone(),
            watch_unread: None,
            command: None,
            open_run: self.open_run.clone(),
            unverified: self.unverified.clone(),
            ran_out: None,
        }
    }

    /// Ana's run began these changes, and state does not know how they ended.
    fn begin(&mut self, stage: Stage, changes: &[(ResourceKey, Verb)]) {
        let declared = self.declared().unwrap();
        let intent = |(key, verb): &(ResourceKey, Verb)| {
            let state = self.state.as_ref().unwrap();
            let from = state.resources.get(key).map(|own| own.fields.clone());
            let to = declared.resources.get(key).map(|own| own.values());
            let intent = Intent {
                verb: *verb,
                at: NOW.plus_ms(-5_000),
                shown_by: NOW.plus_ms(60_000),
                automatic: None,
                begun_by: None,
                earlier: None,
                from,
                to: to.unwrap_or_default(),
            };
            (key.clone(), intent)
        };
        let intents: BTreeMap<_, _> = changes.iter().map(intent).collect();
        let (run, keys) = ("1-2".to_owned(), intents.keys().cloned().collect());
        self.open_run = Some(OpenRun {
            run: run.clone(),
            actor: "ana@laptop".to_owned(),
            stage,
            read_at: NOW,
            keys,
        });
        self.state.as_mut().unwrap().applying = Some(Applying {
            run: RunRecord {
                id: run,
                ..RunRecord::default()
            },
            in_history: false,
            intents,
        });
    }
}

/// What automation may do with its first look.
const AUTOMATION: Authority<'static> = Authority::Policy {
    first_seen: &BTreeMap::new(),
    automatic: &[],
    now: NOW,
};

/// What a person may do who names these.
fn by_person(plan: &Plan, names: &[&str]) -> Decided {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let (allowed, policy_allowed) = resolve_allowed(plan, &names).unwrap();
    let by = Authority::Person {
        allowed: &allowed,
        policy_allowed,
        name_typed: false,
    };
    authorise(plan, by)
}

fn topic(name: &str) -> ResourceKey {
    ResourceKey::kafka_topic("acme-aiven", "kafka", name)
}

fn mail_topic() -> ResourceKey {
    ResourceKey::pubsub_topic("acme-google", "dev-mail")
}

fn mail_sub() -> ResourceKey {
    ResourceKey::pubsub_subscription("acme-google", "dev-mail-sub")
}

fn mail_binding() -> ResourceKey {
    ResourceKey::pubsub_binding("acme-google", "dev-mail", "roles/pubsub.publisher")
}

fn node(name: &str) -> ResourceKey {
    ResourceKey::dns_record_set("c1a57e4a000000000000000000000001", name, "A")
}

/// A hold of one of them, or of the stack, that ends so many minutes from now.
fn hold(key: Option<ResourceKey>, minutes: i64) -> Hold {
    Hold {
        key,
        reason: "broker upgrade".to_owned(),
        who: "ana@laptop".to_owned(),
        until: NOW.plus_ms(minutes * 60_000),
        set_at: NOW.plus_ms(-60_000),
    }
}

/// The demo's story: eight things a person did by hand.
fn eight_changes() -> World {
    let mut world = World::in_sync();
    world.set(&topic("dev-a"), "retention_ms", Value::Int(3_600_000));
    world.set(&topic("dev-b"), "partitions", Value::Int(6));
    world.remove(&topic("dev-c-dlq"));
    let three = Value::set(["192.0.2.1", "192.0.2.2", "192.0.2.66"]);
    world.set(&node("one.example.com"), "addresses", three);
    world.set(&node("two.example.com"), "proxied", Value::Bool(true));
    let elsewhere = crate::model::SealedUrl::seal("https://elsewhere.example/?token=s3cret", &SALT);
    world.set(&mail_sub(), "push_endpoint", Value::url(elsewhere.unwrap()));
    world.set(&mail_binding(), "members", Value::Set([].into()));
    world.put(&topic("dev-shadow"), crate::model::Fields::new());
    world
}
