//! One row of the table and what the code makes of it. `cells.rs` reads its fields and values, `worlds.rs`
//! builds what is declared, recorded and live.

mod cells;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::compare::{CompareInput, Comparison, Difference, compare};
use kedge_core::documents::{self, FindingKind, Word as _};
use kedge_core::live::LiveWorld;
use kedge_core::model::{Allowance, Declared, Fields, OnMissing, Policy, ResourceKey, Timestamp};
use kedge_core::plan::{Authority, Plan, PlanInput, authorise, plan};
use kedge_core::record::{adopt, forget};
use kedge_core::state::State;

use self::cells::fields;

const NOW: Timestamp = Timestamp(100_000_000_000);

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
                format!(
                    "{} {}",
                    planned.change.verb.as_str(),
                    FindingKind::from(&finding.kind).as_str()
                )
            }
            (None, Some(finding)) => FindingKind::from(&finding.kind).as_str().to_owned(),
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
        let impacts: Vec<&str> = steps.map(|step| step.impact.as_str()).collect();
        impacts.join(" | ")
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
        documents::StateResult::from(means[&self.key()])
            .as_str()
            .to_owned()
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
        let comparison = self.compare(&declared, state.as_ref(), &live);
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
        .map(|cause| documents::Cause::from(&cause).as_str())
        .collect();
    match words.len() {
        0 => "-".to_owned(),
        _ => words.into_iter().collect::<Vec<_>>().join(" "),
    }
}
