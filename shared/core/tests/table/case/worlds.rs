//! What a row says is declared, recorded and live, built as the code gets it.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::Verb;
use kedge_core::live::{
    Detail, DnsRecord, FailureCode, Live, LiveWorld, Proof, ReadFailure, ScopeReading,
};
use kedge_core::model::{
    ByField, CatchingUp, Declared, DeclaredField, DeclaredResource, FieldName, Fields, IgnoreRule,
    Kind, Origin, Policy, Recorded, ResourceKey, Salt, StackConfig, StackName, Timestamp, Value,
};
use kedge_core::state::{Applying, Intent, State};
use kedge_core::stored::hold::Hold;
use kedge_core::stored::run::RunRecord;

use super::cells::fields;
use super::{Case, LiveCell, NOW};

const MINUTE_MS: i64 = 60_000;

impl Case {
    pub(super) fn holds(&self) -> Vec<Hold> {
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

    pub(super) fn declared(&self, policy: &Policy) -> Declared {
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
            check_every: kedge_core::model::CheckEvery::default(),
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

    pub(super) fn state(&self, policy: &Policy) -> Option<State> {
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

    pub(super) fn live_world(&self) -> LiveWorld {
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
            let other = key.named(format!("{}/AAAA", key.name_head()));
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

#[expect(clippy::disallowed_methods, reason = "the table is the provider")]
fn proof_of_absence() -> Proof {
    Proof::not_in_complete_list()
}
