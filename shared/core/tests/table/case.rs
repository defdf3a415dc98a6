//! One row of the table: read, built into three worlds, judged.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::Verb;
use kedge_core::compare::{CompareInput, Comparison, Difference, compare};
use kedge_core::live::{
    Detail, DnsRecord, FailureCode, Live, LiveWorld, Proof, ReadFailure, ScopeReading,
};
use kedge_core::model::{
    Allowance, ByField, CatchingUp, Declared, DeclaredField, DeclaredResource, FieldName, Fields,
    IgnoreRule, Kind, OnMissing, Origin, Policy, Recorded, ResourceKey, Salt, StackConfig,
    StackName, Timestamp, Value,
};
use kedge_core::plan::{Authority, Plan, PlanInput, authorise, plan};
use kedge_core::record::{adopt, forget};
use kedge_core::state::{Applying, Intent, State};
use kedge_core::stored::hold::Hold;
use kedge_core::stored::run::RunRecord;

const NOW: Timestamp = Timestamp(100_000_000_000);
const MINUTE_MS: i64 = 60_000;

/// Verdict, causes, verb or finding, risk, and who may.
pub(crate) type Words = [String; 5];

/// One row.
pub(crate) struct Case {
    kind: String,
    declared: Option<Fields>,
    recorded: Option<Fields>,
    live: LiveCell,
    with: BTreeSet<String>,
    pub(crate) expected: Words,
}

enum LiveCell {
    Present(Fields),
    Absent,
    Unknown,
}

impl Case {
    /// Reads `kind | declared | recorded | live | with | verdict | causes | verb | risk | may`.
    pub(crate) fn read(line: &str) -> Self {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [kind, declared, recorded, live, with, expected @ ..] = cells.as_slice() else {
            panic!("{line}");
        };
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        Self {
            kind: (*kind).to_owned(),
            declared: fields(declared),
            recorded: fields(recorded),
            live: match *live {
                "?" => LiveCell::Unknown,
                text => fields(text).map_or(LiveCell::Absent, LiveCell::Present),
            },
            with: with.split_whitespace().map(str::to_owned).collect(),
            expected: expected.try_into().unwrap_or_else(|_| panic!("{line}")),
        }
    }

    fn has(&self, word: &str) -> bool {
        self.with.contains(word)
    }

    /// What the code says of it.
    pub(crate) fn judge(&self) -> Words {
        let unless = |word: &str, allowance| match self.has(word) {
            true => Allowance::None,
            false => allowance,
        };
        let policy = |allowance| Policy {
            correct: unless("correct-none", allowance),
            deploy: unless("deploy-none", allowance),
            correct_after_ms: 0,
            protected: self.has("protected"),
            prune: self.has("prune"),
            on_missing: self.has("recreate").then_some(OnMissing::Recreate),
            ..Policy::default()
        };
        let none = BTreeMap::new();
        let unattended = Authority::Policy {
            first_seen: &none,
            automatic: &[],
            now: NOW,
        };
        let (key, nobody) = (self.key(), BTreeSet::new());
        let named = BTreeSet::from([key.clone()]);
        let person = |allowed, name_typed| Authority::Person {
            allowed,
            policy_allowed: false,
            name_typed,
        };
        let columns = [
            ('n', Allowance::None, unattended),
            ('s', Allowance::Safe, unattended),
            ('d', Allowance::Disruptive, unattended),
            ('p', Allowance::None, person(&nobody, false)),
            ('g', Allowance::None, person(&named, false)),
            ('t', Allowance::None, person(&nobody, true)),
        ];
        let may: String = columns
            .into_iter()
            .map(|(letter, allowance, authority)| {
                let (_, plan) = self.plan(&policy(allowance));
                letter_of(&plan, &key, letter, authority)
            })
            .collect();
        let (difference, plan) = self.plan(&policy(Allowance::None));
        let planned = plan
            .changes
            .iter()
            .find(|planned| planned.change.key == key);
        let finding = plan.findings.iter().find(|finding| finding.key == key);
        let verb = match (planned, finding) {
            (Some(planned), None) => planned.change.verb.as_str().to_owned(),
            (Some(planned), Some(finding)) => {
                format!("{} {}", planned.change.verb.as_str(), finding.kind.as_str())
            }
            (None, Some(finding)) => finding.kind.as_str().to_owned(),
            (None, None) => "-".to_owned(),
        };
        let risk = planned.map_or("-", |planned| planned.risk().as_str());
        let (verdict, causes) = match &difference {
            Some(one) => (one.verdict.as_str().to_owned(), causes(one)),
            None => ("gone".to_owned(), "-".to_owned()),
        };
        [verdict, causes, verb, risk.to_owned(), may]
    }

    /// What adopting makes of it: a word, what is recorded, and what waits.
    pub(crate) fn adopt(&self) -> String {
        let policy = Policy::default();
        let (declared, state, live) = (
            self.declared(&policy),
            self.state(&policy),
            self.live_world(),
        );
        let state = state.as_ref();
        let comparison = self.compare(&declared, state, &live);
        let only = self.has("named").then(|| BTreeSet::from([self.key()]));
        let (_, plan) = self.plan(&policy);
        let adoption = adopt(&declared, state, &live, (&comparison, &plan), only.as_ref());
        let word = match (&*adoption.equal, &*adoption.pending, &*adoption.left) {
            ([_], [], []) => "adopted",
            ([], [_], []) => "pending",
            ([], [], [left]) => &left.why,
            ([], [], []) => "nothing",
            other => panic!("{other:?}"),
        };
        let record = adoption.recording.records.get(&self.key());
        let record = record.cloned().flatten().unwrap_or_default();
        let text = |fields: &Fields| {
            let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
            fields.collect::<Vec<_>>().join(", ")
        };
        let awaits = match adoption.recording.awaiting.is_empty() {
            true => "",
            false => "begins",
        };
        let cells = [
            word,
            &text(&record.fields),
            &text(&record.pending_adoption),
            awaits,
        ];
        cells.join(" | ").trim_end_matches([' ', '|']).to_owned()
    }

    /// What the plan says that is lost by it.
    pub(crate) fn lost(&self) -> String {
        let policy = Policy {
            prune: self.has("prune"),
            ..Policy::default()
        };
        let (_, plan) = self.plan(&policy);
        let mut changes = plan.changes.iter();
        let planned = changes.find(|planned| planned.change.key == self.key());
        let steps = planned.into_iter().flat_map(|planned| &planned.steps);
        let says: Vec<&str> = steps.map(|step| step.says.as_str()).collect();
        says.join(" | ")
    }

    /// What forgetting makes of it.
    pub(crate) fn forget(&self) -> String {
        let policy = Policy::default();
        let (declared, state, live) = (
            self.declared(&policy),
            self.state(&policy),
            self.live_world(),
        );
        let comparison = self.compare(&declared, state.as_ref(), &live);
        let keys = BTreeSet::from([self.key()]);
        let (recording, means) = forget(&declared, &live, &comparison, &keys);
        assert_eq!(recording.records.get(&self.key()), Some(&None));
        means[&self.key()].as_str().to_owned()
    }

    fn compare(&self, declared: &Declared, state: Option<&State>, live: &LiveWorld) -> Comparison {
        compare(CompareInput {
            declared,
            state,
            live,
            now: NOW,
        })
    }

    fn key(&self) -> ResourceKey {
        match self.kind.as_str() {
            "topic" => ResourceKey::kafka_topic("p", "s", "dev-t"),
            "dlq" => ResourceKey::kafka_topic("p", "s", "dev-t-dlq"),
            "ptopic" => ResourceKey::pubsub_topic("p", "dev-t"),
            "sub" => ResourceKey::pubsub_subscription("p", "dev-t-sub"),
            "iam" => ResourceKey::pubsub_binding("p", "dev-t", "roles/pubsub.publisher"),
            "dns" => ResourceKey::dns_record_set("z", "n.example", "A"),
            other => panic!("no kind {other}"),
        }
    }

    /// The difference of the resource (none if nothing is to be said) and the plan of the stack.
    fn plan(&self, policy: &Policy) -> (Option<Difference>, Plan) {
        let declared = self.declared(policy);
        let state = self.state(policy);
        let live = self.live_world();
        let comparison = compare(CompareInput {
            declared: &declared,
            state: state.as_ref(),
            live: &live,
            now: NOW,
        });
        let plan = plan(PlanInput {
            declared: &declared,
            state: state.as_ref(),
            live: &live,
            comparison: &comparison,
            overrides: &BTreeSet::new(),
            holds: &self.holds(),
            holds_unread: None,
        });
        (comparison.differences.get(&self.key()).cloned(), plan)
    }

    fn holds(&self) -> Vec<Hold> {
        let hold = |key| Hold {
            key,
            reason: "broker upgrade".to_owned(),
            who: "ana".to_owned(),
            until: NOW.plus_ms(MINUTE_MS),
            set_at: NOW,
        };
        let other = ResourceKey::kafka_topic("p", "s", "dev-other");
        let holds = [
            self.has("held").then(|| hold(Some(self.key()))),
            self.has("stack-held").then(|| hold(None)),
            self.has("other-held").then(|| hold(Some(other))),
        ];
        holds.into_iter().flatten().collect()
    }

    fn declared(&self, policy: &Policy) -> Declared {
        let resource = |fields: &Fields| DeclaredResource {
            key: self.key(),
            fields: fields
                .iter()
                .map(|(name, value)| {
                    let (value, origin) = (value.clone(), origin());
                    (name.clone(), DeclaredField { value, origin })
                })
                .collect(),
            secrets: ByField::new(),
            config_keys: BTreeSet::new(),
            origin: origin(),
            exclusive: self.has("exclusive"),
            authoritative: self.has("authoritative"),
            on_missing: None,
        };
        let rule = |field: Option<&'static str>, until: Timestamp| IgnoreRule {
            resource: self.key().to_string(),
            field: field.map(FieldName::known),
            reason: "replay".to_owned(),
            owner: "ana".to_owned(),
            until,
            origin: origin(),
        };
        let later = NOW.plus_ms(MINUTE_MS);
        let rules = [
            self.has("ignored").then(|| rule(None, later)),
            self.has("ignored-retention")
                .then(|| rule(Some("retention_ms"), later)),
            self.has("expired").then(|| rule(None, NOW)),
        ];
        Declared {
            stack: StackName::new("dev").unwrap(),
            revision: String::new(),
            files_read: 1,
            config: StackConfig::default(),
            policy: policy.clone(),
            resources: self
                .declared
                .iter()
                .map(|fields| (self.key(), resource(fields)))
                .collect(),
            ignore_rules: rules.into_iter().flatten().collect(),
            unused: Vec::new(),
            config_keys: BTreeSet::new(),
            variables: BTreeSet::new(),
        }
    }

    fn live_fields(&self) -> Option<&Fields> {
        match &self.live {
            LiveCell::Present(fields) => Some(fields),
            _ => None,
        }
    }

    fn catching_up(&self) -> Option<CatchingUp> {
        let (minutes, retried) = match () {
            () if self.has("settling") => (1, false),
            () if self.has("settling-far-ahead") => (24 * 60, false),
            () if self.has("not-taken") => (-1, false),
            () if self.has("not-taken-twice") => (-1, true),
            () if self.has("long-ago") => (-120, true),
            () => return None,
        };
        let made = !self.has("updated") && self.live_fields().is_none();
        // What is live now was so before; `unset:FIELD`: before that it was not set.
        let live = self.live_fields().into_iter().flatten();
        let mut before: ByField<Vec<Option<Value>>> = live
            .map(|(name, value)| (name.clone(), vec![Some(value.clone())]))
            .collect();
        let unset = self
            .with
            .iter()
            .filter_map(|word| word.strip_prefix("unset:"));
        for name in unset {
            let name = FieldName::new(name.to_owned());
            let mut values = before.remove(&name).unwrap_or_default();
            values.push(None);
            before.insert(name, values);
        }
        Some(CatchingUp {
            made,
            before,
            until: NOW.plus_ms(minutes * MINUTE_MS),
            retried,
        })
    }

    /// What was declared at adoption and differed: what is declared now, or `then:` a set.
    fn waiting(&self) -> Fields {
        let then = self.with.iter().find_map(|word| word.strip_prefix("then:"));
        let name = match self.kind.as_str() {
            "dns" => FieldName::known("addresses"),
            _ => FieldName::known("members"),
        };
        match then {
            Some(items) => [(name, Value::set(items.split(',')))].into(),
            None if self.has("adopted-unequal") => self.declared.clone().unwrap_or_default(),
            None => Fields::new(),
        }
    }

    fn state(&self, policy: &Policy) -> Option<State> {
        if self.has("no-state") {
            return None;
        }
        let stack = StackName::new("dev").unwrap();
        let mut state = State::first(stack, Salt([0; 16]), policy.clone());
        if let Some(fields) = &self.recorded {
            let record = Recorded {
                fields: fields.clone(),
                catching_up: self.catching_up(),
                pending_adoption: self.waiting(),
            };
            state.resources.insert(self.key(), record);
        }
        if self.has("listener") {
            let record = Recorded::default();
            state.resources.insert(listener(), record);
        }
        let awaited = match () {
            () if self.has("awaiting") => self.declared.clone(),
            () if self.has("awaited-otherwise") => Some(Fields::new()),
            () => None,
        };
        state.awaiting = awaited.into_iter().map(|then| (self.key(), then)).collect();
        state.retired = self.has("retired").then_some(NOW);
        state.applying = self.begun().map(|intent| Applying {
            run: RunRecord::default(),
            in_history: true,
            intents: BTreeMap::from([(self.key(), intent)]),
        });
        Some(state)
    }

    /// A change that was begun and of which nobody heard how it ended.
    fn begun(&self) -> Option<Intent> {
        let verb = match () {
            () if self.has("begun-create") => Verb::Create,
            () if self.has("begun-update") => Verb::Update,
            () if self.has("begun-replace") => Verb::Replace,
            () if self.has("begun-delete") => Verb::Delete,
            () => return None,
        };
        const HOUR_MS: i64 = 60 * MINUTE_MS;
        let at = match () {
            () if self.has("begun-before-an-hour") => NOW.plus_ms(-HOUR_MS),
            () if self.has("begun-in-two-hours") => NOW.plus_ms(2 * HOUR_MS),
            () => NOW,
        };
        let shown_in = if self.has("shown-later") { 1 } else { 0 };
        let to = match self.has("begun-otherwise") {
            true => self.recorded.clone(),
            false => self.declared.clone(),
        };
        let to = self
            .with
            .iter()
            .find_map(|word| word.strip_prefix("to:"))
            .map_or(to, fields);
        Some(Intent {
            verb,
            at,
            shown_by: NOW.plus_ms(shown_in * MINUTE_MS),
            from: self.recorded.clone(),
            to: to.unwrap_or_default(),
            automatic: None,
            begun_by: None,
            earlier: None,
        })
    }

    fn live_world(&self) -> LiveWorld {
        let key = self.key();
        let mut scope = ScopeReading::default();
        let failure = ReadFailure {
            reason: "403".to_owned(),
            permission: None,
            code: match () {
                () if self.has("coming") => FailureCode::InTransition,
                () if self.has("leaving") => FailureCode::BeingDeleted,
                () if self.has("listed") => FailureCode::ListedOnly,
                () => FailureCode::Forbidden,
            },
        };
        match &self.live {
            LiveCell::Unknown => {
                scope.fail(key.kind(), failure.clone());
            }
            LiveCell::Absent => scope.set_absent(key.clone(), proof_of_absence()),
            LiveCell::Present(fields) => {
                let live = Live {
                    fields: fields.clone(),
                    detail: self.detail(),
                    unhealthy: self.unhealthy(),
                    conditions: self.conditions(),
                };
                scope.set_present(key.clone(), live);
            }
        }
        if self.has("listener") {
            let live = Live {
                fields: fields("topic=dev-t").unwrap(),
                ..Live::default()
            };
            scope.set_present(listener(), live);
        }
        if self.has("other-family") {
            let other = key.named(&format!("{}/AAAA", key.name_head()));
            scope.set_present(other, Live::default());
        }
        if self.has("obstacle") {
            let why = "a CNAME stands there".to_owned();
            scope.obstacles.insert(key.clone(), why);
        }
        if self.has("scope-unread") {
            let kind = match key.kind() {
                Kind::PubsubBinding => Kind::PubsubSubscription,
                _ => Kind::PubsubBinding,
            };
            scope.fail(kind, failure);
        }
        LiveWorld {
            scopes: BTreeMap::from([(key.scope().clone(), scope)]),
        }
    }

    fn detail(&self) -> Detail {
        let record = |comment: &str| {
            Detail::DnsRecords(vec![DnsRecord {
                id: "1".to_owned(),
                address: "1.1.1.1".to_owned(),
                ttl: 300,
                proxied: false,
                comment: comment.to_owned(),
            }])
        };
        match () {
            () if self.has("mark-of-prod") => record("kedge:prod"),
            () if self.has("mark-of-dev") => record("kedge:dev"),
            () if self.has("comment") => record("kedge:prod please keep"),
            () if self.has("topic-deleted") => Detail::OrphanedSubscription,
            () if self.has("detached") => Detail::DetachedSubscription,
            () => Detail::None,
        }
    }

    fn unhealthy(&self) -> Vec<String> {
        let says = self.has("ill").then(|| "its state is BAD".to_owned());
        says.into_iter().collect()
    }

    /// Who holds the role under a condition: `a`, or one whom nobody declares.
    fn conditions(&self) -> BTreeMap<String, String> {
        let narrowed = [("narrowed", "a"), ("stranger-narrowed", "x")];
        let held = narrowed.iter().filter(|(flag, _)| self.has(flag));
        held.map(|(_, member)| ((*member).to_owned(), "'until may'".to_owned()))
            .collect()
    }
}

fn letter_of(plan: &Plan, key: &ResourceKey, letter: char, authority: Authority<'_>) -> char {
    let decided = authorise(plan, authority);
    let mut changes = decided.changes.iter();
    let Some(change) = changes.find(|change| change.planned.change.key == *key) else {
        return '.';
    };
    match (
        &change.approved,
        change.steps.iter().all(|step| step.decision.is_approved()),
    ) {
        (Some(_), true) => letter,
        (Some(_), false) => '~',
        (None, _) => '.',
    }
}

fn causes(difference: &Difference) -> String {
    let words: BTreeSet<&str> = difference
        .whole
        .into_iter()
        .chain(difference.fields.iter().map(|field| field.cause))
        .map(|cause| cause.as_str())
        .collect();
    match words.len() {
        0 => "-".to_owned(),
        _ => words.into_iter().collect::<Vec<_>>().join(" "),
    }
}

/// A subscription of the stack on the topic that the row is about.
fn listener() -> ResourceKey {
    ResourceKey::pubsub_subscription("p", "dev-l")
}

fn origin() -> Origin {
    Origin {
        file: "f.yaml".into(),
        line: 1,
        is_default: false,
    }
}

/// `-` is none, `()` is present without fields, else `name=value, name=value`.
fn fields(text: &str) -> Option<Fields> {
    match text {
        "-" => None,
        "()" => Some(Fields::new()),
        text => Some(text.split(", ").map(field).collect()),
    }
}

fn field(text: &str) -> (FieldName, Value) {
    let (name, value) = text.split_once('=').expect(text);
    let name = match name {
        "ret" => "retention_ms",
        "part" => "partitions",
        "max" => "max_message_bytes",
        "ips" => "addresses",
        other => other,
    };
    (FieldName::new(name), self::value(value))
}

/// `1`, `true`, `5s`, `{a b}`, `(a:60 b:300)`, or a text.
fn value(text: &str) -> Value {
    let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(items) = inner('{', '}') {
        return Value::set(items.split_whitespace());
    }
    if let Some(parts) = inner('(', ')') {
        let part = |part: &str| {
            let (at, value) = part.split_once(':').expect(part);
            (at.to_owned(), self::value(value))
        };
        return Value::Mixed(parts.split_whitespace().map(part).collect());
    }
    let seconds = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    match (text.parse(), text.parse(), seconds) {
        (Ok(number), _, _) => Value::Int(number),
        (_, Ok(flag), _) => Value::Bool(flag),
        (_, _, Some(seconds)) => Value::seconds(seconds),
        _ => Value::text(text),
    }
}

#[expect(clippy::disallowed_methods, reason = "the table is the provider")]
fn proof_of_absence() -> Proof {
    Proof::not_in_complete_list()
}
