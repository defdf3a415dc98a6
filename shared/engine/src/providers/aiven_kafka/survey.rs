//! What is known of a service's topics, and what is still to ask. Pure: answers in, questions out.
//!
//! A topic is unknown until an answer about it arrives, and absent only with a proof (semantics 3.1). The
//! service is read once, and only if something looks missing. The first batches are those of the group:
//! all its stacks make the same ones. Of a batch that another stack's topic may have spoiled, the own names
//! are asked for again as if nobody else were there. Requests and answers are in `super`.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::live::{FailureCode, Live, Proof, ReadFailure, ScopeReading, Wanted};
use kedge_core::model::{Kind, ResourceKey};

use super::normalize::{self, is_internal};
use super::wire::TopicSummary;

/// The most names in one bulk read: what terraform-provider-aiven asks for
/// (kafkatopicrepository); an Aiven engineer named about 200 as the ceiling (its #354).
pub(super) const BULK_NAMES_MAX: usize = 100;
/// The most reads of a run, besides the list, the first bulk reads and the service, that prove
/// absences or look for the name that spoils a batch (semantics 3.1).
pub(super) const EXTRA_READS_MAX: usize = 20;
/// A refused batch of at most so many names is read one by one; a larger one in two halves.
const SINGLES_MAX: usize = 4;

/// A question for Aiven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// The details of these topics.
    Bulk(Vec<String>),
    /// The details of one topic.
    Single(String),
    /// Whether the service is running.
    Service,
}

/// What an answer shows of one topic.
pub(super) type TopicAnswer = Result<Live, ReadFailure>;

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A bulk read: what it shows, which may be less than what was asked for (tf: read.go).
    Topics(Vec<String>, BTreeMap<String, TopicAnswer>),
    /// A bulk read refused for a name in it, in Aiven's words; it does not say which
    /// (terraform-provider-aiven#1179).
    Stale(Vec<String>, String),
    /// There is no bulk read here; it was experimental once.
    NoBulk(Vec<String>, ReadFailure),
    /// A bulk read failed.
    Failed(Vec<String>, ReadFailure),
    /// One topic.
    Topic(String, TopicAnswer),
    /// One topic is not there, in Aiven's words.
    Gone(String, String),
    /// The service is running, or not, or nobody knows.
    Service(Result<(), ReadFailure>),
}

/// A reading in the making.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    project: &'a str,
    service: &'a str,
    listed: BTreeSet<String>,
    /// What this stack asks for in detail. Other names of a batch are other stacks'.
    own: BTreeSet<String>,
    /// Those of them that another stack's names may have spoiled a batch for.
    to_ask_alone: Vec<String>,
    /// Recorded and not in the list.
    missing: Vec<String>,
    /// Wanted, never recorded and not in the list. Such a name is absent, unless the list is empty:
    /// then the service must be running.
    unlisted: Vec<String>,
    extra_reads_left: usize,
    reading: ScopeReading,
}

impl<'a> Survey<'a> {
    /// Begins with the list; returns what to ask first.
    pub(super) fn begin(
        project: &'a str,
        service: &'a str,
        list: Vec<TopicSummary>,
        wanted: &Wanted,
    ) -> (Self, Vec<Ask>) {
        let mut survey = Self {
            project,
            service,
            listed: list.iter().map(|topic| topic.topic_name.clone()).collect(),
            own: BTreeSet::new(),
            to_ask_alone: Vec::new(),
            missing: Vec::new(),
            unlisted: Vec::new(),
            extra_reads_left: EXTRA_READS_MAX,
            reading: ScopeReading::default(),
        };
        let ours =
            |key: &&ResourceKey| key.kind() == Kind::KafkaTopic && **key == survey.key(key.name());
        let names = |keys: &BTreeSet<ResourceKey>| -> BTreeSet<String> {
            keys.iter()
                .filter(ours)
                .map(|key| key.name().to_owned())
                .collect()
        };
        let (asked_for, recorded) = (names(&wanted.keys), names(&wanted.recorded));
        let of_group = names(&wanted.of_group);
        survey.missing = recorded.difference(&survey.listed).cloned().collect();
        let mut to_read = BTreeSet::new();
        for topic in list {
            if asked_for.contains(&topic.topic_name) || recorded.contains(&topic.topic_name) {
                let name = survey.listed_and_wanted(topic);
                to_read.extend(name.clone());
                survey.own.extend(name);
            } else {
                if of_group.contains(&topic.topic_name) && is_readable(&topic) {
                    to_read.insert(topic.topic_name.clone());
                }
                survey.listed_only(topic, &wanted.namespaces);
            }
        }
        let to_read: Vec<String> = to_read.into_iter().collect();
        let mut asks: Vec<Ask> = to_read
            .chunks(BULK_NAMES_MAX)
            .filter(|names| names.iter().any(|name| survey.own.contains(name)))
            .map(|names| Ask::Bulk(names.to_vec()))
            .collect();
        let unlisted = |name: &&String| !recorded.contains(*name) && !survey.listed.contains(*name);
        survey.unlisted = asked_for.iter().filter(unlisted).cloned().collect();
        // A service that is switched off lists nothing, which would look like a new one.
        if !survey.listed.is_empty() {
            survey.prove_never_recorded();
        }
        if !survey.missing.is_empty() || !survey.unlisted.is_empty() {
            asks.push(Ask::Service);
        }
        (survey, asks)
    }

    /// Takes an answer in; returns what to ask next.
    pub(super) fn take(&mut self, answer: Answer) -> Vec<Ask> {
        match answer {
            Answer::Topics(mut asked, mut topics) => {
                asked.retain(|name| self.own.contains(name));
                let mut left_out = Vec::new();
                for name in asked {
                    match topics.remove(&name) {
                        Some(topic) => self.enter(&name, topic),
                        None => left_out.push(name),
                    }
                }
                self.look_closer(left_out, "it was left out")
            }
            Answer::Stale(names, words) => {
                let names = self.unspoiled(names);
                self.look_closer(names, &words)
            }
            Answer::NoBulk(mut names, failure) => {
                names.retain(|name| self.own.contains(name));
                let reason = format!(
                    "{}; at most {EXTRA_READS_MAX} topics are read one by one",
                    failure.reason
                );
                self.one_by_one(names, &inconsistent(&reason))
            }
            Answer::Failed(mut names, failure) => {
                match may_be_for_a_name(failure.code) {
                    true => names = self.unspoiled(names),
                    false => names.retain(|name| self.own.contains(name)),
                }
                for name in &names {
                    self.unknown(name, failure.clone());
                }
                Vec::new()
            }
            Answer::Topic(name, topic) => {
                self.enter(&name, topic);
                Vec::new()
            }
            Answer::Gone(name, words) => {
                self.gone(&name, &words);
                Vec::new()
            }
            Answer::Service(Ok(())) => self.prove_absences(),
            Answer::Service(Err(failure)) => {
                self.service_failed(failure);
                Vec::new()
            }
        }
    }

    /// What is to ask again without the names of other stacks, once all answers of a round are in.
    pub(super) fn ask_alone(&mut self) -> Vec<Ask> {
        let names = std::mem::take(&mut self.to_ask_alone);
        let batches = names.chunks(BULK_NAMES_MAX);
        batches.map(|names| Ask::Bulk(names.to_vec())).collect()
    }

    /// The names of a batch that failed, if all are this stack's. Else its own are put aside, to be asked
    /// for alone: what another stack's name spoils says nothing of them.
    fn unspoiled(&mut self, mut names: Vec<String>) -> Vec<String> {
        let count = names.len();
        names.retain(|name| self.own.contains(name));
        if names.len() == count {
            return names;
        }
        self.to_ask_alone.append(&mut names);
        names
    }

    /// The reading, when nothing is left to ask.
    pub(super) fn end(self) -> ScopeReading {
        self.reading
    }

    fn key(&self, name: &str) -> ResourceKey {
        ResourceKey::kafka_topic(self.project, self.service, name)
    }

    fn unknown(&mut self, name: &str, failure: ReadFailure) {
        let key = self.key(name);
        self.reading.set_unknown(key, failure);
    }

    fn absent(&mut self, name: &str, proof: Proof) {
        let key = self.key(name);
        self.reading.set_absent(key, proof);
    }

    fn enter(&mut self, name: &str, topic: TopicAnswer) {
        match topic {
            Ok(live) => {
                let key = self.key(name);
                self.reading.set_present(key, live);
            }
            Err(failure) => self.unknown(name, failure),
        }
    }

    /// A topic that must be read in detail, unless it is on its way in or out: one such topic can
    /// spoil a whole batch.
    fn listed_and_wanted(&mut self, topic: TopicSummary) -> Option<String> {
        match normalize::in_transition(topic.state.as_deref()) {
            Ok(()) => Some(topic.topic_name),
            Err(failure) => {
                self.unknown(&topic.topic_name, failure);
                None
            }
        }
    }

    /// A topic nobody asked for: shown by its summary if it stands in a namespace. One that is
    /// being deleted is as good as gone, and unknown would make the check incomplete.
    fn listed_only(&mut self, topic: TopicSummary, namespaces: &BTreeSet<String>) {
        let name = topic.topic_name.as_str();
        let in_namespace = namespaces.iter().any(|prefix| name.starts_with(prefix));
        if in_namespace && !is_internal(name) && topic.state.as_deref() != Some("DELETING") {
            let key = self.key(name);
            self.reading.set_present(key, normalize::summary(topic));
        }
    }

    /// A GET answered 404, which is asked only of a running service. It is proof if the list lacks the
    /// name too.
    #[expect(
        clippy::disallowed_methods,
        reason = "the proof of 3.1 for a recorded name"
    )]
    fn gone(&mut self, name: &str, words: &str) {
        if self.listed.contains(name) {
            let reason = format!("it is listed, but Aiven says that it does not exist ({words})");
            self.unknown(name, listed_only(&reason));
        } else {
            self.absent(name, Proof::unlisted_and_not_found());
        }
    }

    /// Names that were never recorded, and that the list lacks, are not there.
    #[expect(
        clippy::disallowed_methods,
        reason = "the proof of 3.1 for a name that was never recorded"
    )]
    fn prove_never_recorded(&mut self) {
        for name in std::mem::take(&mut self.unlisted) {
            self.absent(&name, Proof::unlisted_and_never_recorded());
        }
    }

    fn prove_absences(&mut self) -> Vec<Ask> {
        let reason =
            format!("it would take more than {EXTRA_READS_MAX} reads to prove what is gone");
        self.prove_never_recorded();
        let missing = std::mem::take(&mut self.missing);
        // As many as that are not believed anyway, until a person confirms them (semantics 3.2).
        let too_many = ReadFailure {
            code: FailureCode::MassAbsence,
            ..inconsistent(&reason)
        };
        self.one_by_one(missing, &too_many)
    }

    /// What is not listed is unknown: a powered-off service lists nothing (tf#1004, tf#700). A
    /// guard that could not be read leaves open only what it was asked about.
    fn service_failed(&mut self, failure: ReadFailure) {
        let missing = std::mem::take(&mut self.missing);
        for name in missing.iter().chain(&std::mem::take(&mut self.unlisted)) {
            self.unknown(name, failure.clone());
        }
        if matches!(
            failure.code,
            FailureCode::NotRunning | FailureCode::ScopeNotFound
        ) {
            self.reading.fail(Kind::KafkaTopic, failure);
        }
    }

    /// Finds the names that spoil a batch: in halves, so that one of a hundred costs 14 reads and
    /// the others are still read.
    fn look_closer(&mut self, mut names: Vec<String>, words: &str) -> Vec<Ask> {
        let reason = format!("it is listed, but the bulk read does not show it ({words})");
        let failure = listed_only(&reason);
        if names.len() <= SINGLES_MAX {
            return self.one_by_one(names, &failure);
        }
        if self.extra_reads_left < 2 {
            for name in &names {
                self.unknown(name, failure.clone());
            }
            return Vec::new();
        }
        self.extra_reads_left -= 2;
        let second = names.split_off(names.len() / 2);
        vec![Ask::Bulk(names), Ask::Bulk(second)]
    }

    fn one_by_one(&mut self, mut names: Vec<String>, beyond: &ReadFailure) -> Vec<Ask> {
        let rest = names.split_off(self.extra_reads_left.min(names.len()));
        self.extra_reads_left -= names.len();
        for name in &rest {
            self.unknown(name, beyond.clone());
        }
        names.into_iter().map(Ask::Single).collect()
    }
}

/// Whether a batch may have failed for one of its names: since a broker does not answer about it, or
/// what is said of it can't be understood. Other failures are those of the service or of the credential.
fn may_be_for_a_name(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::ProviderError
            | FailureCode::Network
            | FailureCode::StrangeAnswer
            | FailureCode::Inconsistent
    )
}

fn is_readable(topic: &TopicSummary) -> bool {
    normalize::in_transition(topic.state.as_deref()).is_ok()
}

fn inconsistent(reason: &str) -> ReadFailure {
    ReadFailure {
        reason: reason.to_owned(),
        permission: None,
        code: FailureCode::Inconsistent,
    }
}

/// Listed, and denied by a read.
fn listed_only(reason: &str) -> ReadFailure {
    ReadFailure {
        code: FailureCode::ListedOnly,
        ..inconsistent(reason)
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
