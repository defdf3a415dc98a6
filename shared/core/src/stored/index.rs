//! `stacks/index.json`: the registry of stacks.
//!
//! It holds what one stack must know of the others: their names (semantics 2.1), their record sets (2.3),
//! and the revision that each has; and what a schedule must know of all, so that it reads one object. It follows `definitions.json` and can be rebuilt from it, so the next
//! push repairs what an interrupted one left.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bounded::{Count, Span};
use super::bundle::is_revision;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{CheckEvery, ResourceKey, StackName};
use crate::providers::Naming;

/// The most bytes of an index: 500 stacks with 100 record sets of 150 bytes each.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Every stack that was ever pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The stacks.
    pub stacks: BTreeMap<StackName, Entry>,
}

/// What the others know of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The revision that was pushed last.
    pub revision: String,
    /// The DNS record sets it declares, and those that it recorded and still has to let go.
    pub record_sets: BTreeSet<ResourceKey>,
    /// Whether it was retired: its names are free, and a push begins it anew.
    pub retired: bool,
    /// How often automation checks it.
    pub check_every: CheckEvery,
    /// What checking it takes, by scope (`aiven/project/service`): an estimate, by what it declares.
    pub reads: BTreeMap<String, ScopeReads>,
}

/// What reading one scope takes, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeReads {
    /// Lists, which are read once for all stacks of a group.
    pub lists: u64,
    /// How many names are read, several in a request.
    pub names: u64,
    /// How many of them one request takes; 0 where none are.
    pub names_per_request: u64,
    /// What else is read of this stack alone.
    pub own: u64,
}

const OBJECT: &str = "registry of stacks (stacks/index.json)";

impl Stored for StoredIndex {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: BYTES_MAX,
        smaller: "use another store for some of the stacks",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredIndex {
    format: u32,
    stacks: BTreeMap<String, StoredEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredEntry {
    revision: String,
    record_sets: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    retired: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    check_every_ms: Option<Span>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    reads: BTreeMap<String, StoredReads>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredReads {
    lists: Count,
    names: Count,
    names_per_request: Count,
    own: Count,
}

impl Index {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let entry = |entry: &Entry| {
            let Entry {
                revision,
                record_sets,
                retired,
                check_every,
                reads,
            } = entry;
            StoredEntry {
                revision: revision.clone(),
                record_sets: record_sets.iter().map(ToString::to_string).collect(),
                retired: *retired,
                check_every_ms: (*check_every != CheckEvery::default())
                    .then(|| Span(check_every.ms())),
                reads: reads
                    .iter()
                    .map(|(scope, reads)| (scope.clone(), store_reads(*reads)))
                    .collect(),
            }
        };
        let stacks = self.stacks.iter();
        write(&StoredIndex {
            format: StoredIndex::FORMAT.written,
            stacks: stacks
                .map(|(stack, one)| (stack.to_string(), entry(one)))
                .collect(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it can't be used: what it says of other stacks guards against taking their names, so
    /// that it is not made anew in silence.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredIndex = read(bytes)?;
        let stacks = stored.stacks.into_iter().map(|(stack, entry)| {
            let stack = StackName::new(&stack).map_err(invalid_value)?;
            Ok((stack, load(entry)?))
        });
        Ok(Self {
            stacks: stacks.collect::<Result<_, _>>()?,
        })
    }

    /// The other stack in use whose name overlaps with this one's (semantics 2.1), if there is one.
    #[must_use]
    pub fn overlapping(&self, stack: &StackName) -> Option<&StackName> {
        let mut others = self.others(stack).map(|(other, _)| other);
        others.find(|other| stack.overlaps(other))
    }

    /// The other stack in use that has this record set (semantics 2.3), if there is one.
    #[must_use]
    pub fn owner(&self, stack: &StackName, key: &ResourceKey) -> Option<&StackName> {
        let mut others = self.others(stack);
        others
            .find(|(_, entry)| entry.record_sets.contains(key))
            .map(|(other, _)| other)
    }

    fn others(&self, stack: &StackName) -> impl Iterator<Item = (&StackName, &Entry)> {
        let mine = stack.clone();
        let in_use = move |(other, entry): &(&StackName, &Entry)| **other != mine && !entry.retired;
        self.stacks.iter().filter(in_use)
    }
}

fn store_reads(reads: ScopeReads) -> StoredReads {
    StoredReads {
        lists: Count(reads.lists),
        names: Count(reads.names),
        names_per_request: Count(reads.names_per_request),
        own: Count(reads.own),
    }
}

fn load_reads(stored: StoredReads) -> ScopeReads {
    ScopeReads {
        lists: stored.lists.0,
        names: stored.names.0,
        names_per_request: stored.names_per_request.0,
        own: stored.own.0,
    }
}

fn load(stored: StoredEntry) -> Result<Entry, StoredError> {
    if !is_revision(&stored.revision) {
        return Err(invalid_value(format!(
            "`{}` as a revision",
            stored.revision
        )));
    }
    let key = |text: &String| {
        let key = ResourceKey::parse(text).map_err(invalid_value)?;
        match key.kind().entry().naming {
            Naming::SharedByName => Ok(key),
            Naming::StackPrefix | Naming::OfParent => {
                Err(invalid_value(format!("`{text}` as a record set")))
            }
        }
    };
    let check_every = stored
        .check_every_ms
        .map_or(Ok(CheckEvery::default()), |ms| {
            let why = || invalid_value(format!("{} ms between checks", ms.0));
            CheckEvery::of_ms(ms.0).ok_or_else(why)
        });
    let reads = stored.reads.into_iter();
    Ok(Entry {
        check_every: check_every?,
        reads: reads
            .map(|(scope, reads)| (scope, load_reads(reads)))
            .collect(),
        record_sets: stored
            .record_sets
            .iter()
            .map(key)
            .collect::<Result<_, _>>()?,
        revision: stored.revision,
        retired: stored.retired,
    })
}

fn invalid_value(why: impl ToString) -> StoredError {
    StoredError::InvalidValue {
        object: OBJECT,
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 wrote; never edited.
    const SAMPLE: &str = include_str!("samples/index.json");

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    fn sample() -> Index {
        let key = ResourceKey::dns_record_set("z", "1.clustera.io", "A");
        let entry = |record_sets: &[ResourceKey], retired| Entry {
            revision: "e3b0c44298fc".to_owned(),
            record_sets: record_sets.iter().cloned().collect(),
            retired,
            check_every: CheckEvery::default(),
            reads: BTreeMap::new(),
        };
        let mut steve = entry(&[key], false);
        steve.check_every = CheckEvery::of_ms(3_600_000).unwrap();
        let reads = ScopeReads {
            lists: 1,
            names: 40,
            names_per_request: 100,
            own: 2,
        };
        steve.reads = [("aiven/p/s".to_owned(), reads)].into();
        let stacks = [(name("old"), entry(&[], true)), (name("steve"), steve)];
        Index {
            stacks: stacks.into(),
        }
    }

    #[test]
    fn an_index_of_the_first_version_is_read_and_written_alike() {
        assert_eq!(Index::decode(SAMPLE.as_bytes()).unwrap(), sample());
        let text = String::from_utf8(sample().encode().unwrap()).unwrap();
        assert_eq!(text, SAMPLE);
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        let cases = [
            ("", "is damaged"),
            (&SAMPLE[..SAMPLE.len() / 2], "is damaged"),
            (&SAMPLE.replace("\"format\": 1", "\"format\": 2"), "newer"),
            (&SAMPLE.replace("steve", "Steve"), "Steve"),
            (&SAMPLE.replace("e3b0", "E3b0"), "as a revision"),
            (
                &SAMPLE.replace("dns-record-set/z/", "pubsub-topic/"),
                "record set",
            ),
            (&SAMPLE.replace("\"retired\"", "\"gone\""), "newer kedge"),
            (&SAMPLE.replace("3600000", "1000"), "1000 ms between checks"),
        ];
        for (text, expected) in cases {
            let error = Index::decode(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn names_and_record_sets_of_stacks_in_use_count() {
        let index = sample();
        let key = ResourceKey::dns_record_set("z", "1.clustera.io", "A");
        for (stack, overlapping, owner) in [
            ("steve-1", Some("steve"), Some("steve")),
            ("steve", None, None),
            ("steve1", None, Some("steve")),
            ("old-1", None, Some("steve")),
        ] {
            let stack = name(stack);
            let text = |found: Option<&StackName>| found.map(ToString::to_string);
            assert_eq!(text(index.overlapping(&stack)).as_deref(), overlapping);
            assert_eq!(text(index.owner(&stack, &key)).as_deref(), owner);
        }
    }
}
