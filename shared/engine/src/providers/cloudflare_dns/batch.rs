//! The batch of records that makes one change. Pure. It is sent and resolved in `super`.

use std::collections::BTreeSet;

use kedge_core::change::{Change, ChangeError, Edit, Verb};
use kedge_core::live::{Detail, DnsRecord, Live};
use kedge_core::model::{Fields, Value, mark_of, marked_stack};

use super::error::{blocked, failed};
use super::normalize::{ADDRESSES, PROXIED, TTL, TTL_AUTOMATIC, canonical, canonical_name};
use super::wire::WireRecord;

/// Operations in one batch: what every plan of Cloudflare's takes (Free 200, paid 3,500;
/// developers.cloudflare.com, batch-record-changes). A set is never changed in parts, since
/// between two parts a name could be left with no address.
const OPERATIONS_MAX: usize = 200;

/// Changes of one record set that are made at once or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The domain name.
    pub(super) name: String,
    /// `A` or `AAAA`.
    pub(super) kind: String,
    /// The comment on records that we write.
    pub(super) mark: String,
    /// Ids of records to delete.
    pub(super) deletes: Vec<String>,
    /// Records to change in place.
    pub(super) patches: Vec<Patch>,
    /// Records to create.
    pub(super) posts: Vec<Post>,
}

/// One record to change in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    /// Its id.
    pub(super) id: String,
    /// Its new address, if that changes.
    pub(super) address: Option<String>,
    /// Its new ttl and proxied, if one of them changes; always both (semantics 2.2).
    pub(super) timing: Option<(i64, bool)>,
    /// Whether it gets our mark: only where it has no comment, since a person's is kept.
    pub(super) marked: bool,
}

/// One record to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    /// Its address.
    pub(super) address: String,
    /// Its time to live.
    pub(super) ttl: i64,
    /// Whether traffic goes through Cloudflare.
    pub(super) proxied: bool,
}

/// Where the records that a batch creates were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// Under the name that was asked for.
    AsAsked,
    /// Under another one: Cloudflare completes a name that is outside its zone.
    Elsewhere {
        /// The name.
        name: String,
        /// The ids of those that are as we asked otherwise, so that they are surely ours.
        ids: Vec<String>,
    },
    /// The answer does not say.
    Unnamed,
}

impl Batch {
    /// Where the created records stand, by what the answer shows of them.
    pub(super) fn made_by(&self, created: &[WireRecord]) -> Made {
        let name_of = |record: &WireRecord| record.name.text().map(canonical_name);
        let names: Option<Vec<String>> = created.iter().map(name_of).collect();
        let Some(names) = names.filter(|names| names.len() >= self.posts.len()) else {
            return match self.posts.is_empty() {
                true => Made::AsAsked,
                false => Made::Unnamed,
            };
        };
        let is_other = |name: &String| *name != self.name;
        let Some(name) = names.iter().find(|name| is_other(name)).cloned() else {
            return Made::AsAsked;
        };
        let is_ours = |record: &&WireRecord| {
            let address = record
                .content
                .text()
                .and_then(|text| canonical(&self.kind, text));
            let is_posted =
                |address: &String| self.posts.iter().any(|post| post.address == *address);
            name_of(record).is_some_and(|name| is_other(&name))
                && record.comment.text() == Some(&self.mark)
                && address.as_ref().is_some_and(is_posted)
        };
        let ids = created.iter().filter(is_ours);
        let ids = ids.filter_map(|record| record.id.text().map(str::to_owned));
        Made::Elsewhere {
            name,
            ids: ids.collect(),
        }
    }

    /// A batch that deletes these records and nothing else.
    pub(super) fn undoing(&self, ids: &[String]) -> Self {
        Self {
            deletes: ids.to_vec(),
            patches: Vec::new(),
            posts: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.operations() == 0
    }

    fn operations(&self) -> usize {
        self.deletes.len() + self.patches.len() + self.posts.len()
    }

    /// Whether a set of records is as this batch would leave it.
    pub(super) fn stands_in(&self, records: &[DnsRecord]) -> bool {
        let timed = |record: &DnsRecord, ttl: i64, proxied: bool| {
            record.proxied == proxied && (proxied || record.ttl == ttl)
        };
        let deleted = self
            .deletes
            .iter()
            .all(|id| records.iter().all(|record| record.id != *id));
        let patched = self.patches.iter().all(|patch| {
            records.iter().any(|record| {
                record.id == patch.id
                    && patch
                        .address
                        .as_ref()
                        .is_none_or(|to| record.address == *to)
                    && patch
                        .timing
                        .is_none_or(|(ttl, proxied)| timed(record, ttl, proxied))
            })
        });
        let posted = self.posts.iter().all(|post| {
            records.iter().any(|record| {
                record.address == post.address && timed(record, post.ttl, post.proxied)
            })
        });
        deleted && patched && posted
    }
}

/// What a change takes.
///
/// # Errors
/// When it must not be made: another stack's mark, an emptied name, too much for one call.
pub(super) fn batch(change: &Change) -> Result<Batch, ChangeError> {
    let records = records(change.live.as_ref());
    check_marks(change, records)?;
    let mut batch = Batch {
        name: change.key.name_head().to_owned(),
        kind: change.key.name_tail().to_owned(),
        mark: mark_of(&change.stack),
        deletes: Vec::new(),
        patches: Vec::new(),
        posts: Vec::new(),
    };
    match change.verb {
        Verb::Create => create(change, &mut batch)?,
        Verb::Update => update(change, records, &mut batch)?,
        Verb::Delete => delete(change, records, &mut batch),
        // No field of a record set asks for it.
        Verb::Replace => return Err(failed("a record set is never replaced")),
    }
    let operations = batch.operations();
    if operations > OPERATIONS_MAX {
        return Err(blocked(
            format!(
                "{} needs {operations} operations, and Cloudflare takes at most {OPERATIONS_MAX} at once on a Free zone",
                change.key.name()
            ),
            "change it in several steps, each with fewer addresses",
        ));
    }
    Ok(batch)
}

/// The live records behind a set.
fn records(live: Option<&Live>) -> &[DnsRecord] {
    match live.map(|live| &live.detail) {
        Some(Detail::DnsRecords(records)) => records,
        _ => &[],
    }
}

/// Refuses a set in which a record bears another stack's mark (semantics 2.3).
fn check_marks(change: &Change, records: &[DnsRecord]) -> Result<(), ChangeError> {
    let other = records
        .iter()
        .filter_map(|record| marked_stack(&record.comment).map(|stack| (record, stack)))
        .find(|(_, stack)| *stack != change.stack);
    match other {
        None => Ok(()),
        Some((record, stack)) => Err(blocked(
            format!(
                "{} belongs to stack {stack}: the record with {} has its mark",
                change.key.name(),
                record.address
            ),
            "remove the name from one of the two stacks, or the comment if it is wrong",
        )),
    }
}

fn addresses(fields: &Fields) -> BTreeSet<&str> {
    fields
        .get(&ADDRESSES)
        .and_then(Value::as_set)
        .map(|set| set.iter().map(String::as_str).collect())
        .unwrap_or_default()
}

/// What new records get: as declared, else as the set has it, else the schema's default.
fn new_timing(change: &Change) -> (i64, bool) {
    let live = change.live.as_ref().map(|live| &live.fields);
    let known = |field| {
        let live = live.and_then(|fields| fields.get(field));
        change.declared.get(field).or(live)
    };
    let proxied = known(&PROXIED).and_then(Value::as_bool).unwrap_or(false);
    let ttl = known(&TTL).and_then(Value::as_int);
    (timed(ttl.unwrap_or(TTL_AUTOMATIC), proxied), proxied)
}

/// A ttl as it must be sent: proxied records have the automatic one (dnscontrol PR 489).
fn timed(ttl: i64, proxied: bool) -> i64 {
    if proxied { TTL_AUTOMATIC } else { ttl }
}

fn create(change: &Change, batch: &mut Batch) -> Result<(), ChangeError> {
    let (ttl, proxied) = new_timing(change);
    batch.posts = addresses(&change.declared)
        .into_iter()
        .map(|address| Post {
            address: address.to_owned(),
            ttl,
            proxied,
        })
        .collect();
    if batch.is_empty() {
        return Err(failed("no address is declared"));
    }
    Ok(())
}

fn delete(change: &Change, records: &[DnsRecord], batch: &mut Batch) {
    let recorded = addresses(&change.recorded);
    batch.deletes = records
        .iter()
        .filter(|record| recorded.contains(record.address.as_str()))
        .map(|record| record.id.clone())
        .collect();
}

/// The steps of an update, sorted.
#[derive(Default)]
struct Steps {
    adds: BTreeSet<String>,
    removes: BTreeSet<String>,
    ttl: Option<i64>,
    proxied: Option<bool>,
}

fn steps(edits: &[Edit]) -> Result<Steps, ChangeError> {
    let mut steps = Steps::default();
    for edit in edits {
        let field = edit.field();
        match edit {
            Edit::Add { item, .. } if *field == ADDRESSES => {
                steps.adds.insert(item.clone());
            }
            Edit::Remove { item, .. } if *field == ADDRESSES => {
                steps.removes.insert(item.clone());
            }
            Edit::Set {
                to: Value::Int(ttl),
                ..
            } if *field == TTL => steps.ttl = Some(*ttl),
            Edit::Set {
                to: Value::Bool(proxied),
                ..
            } if *field == PROXIED => steps.proxied = Some(*proxied),
            _ => return Err(failed(format!("`{field}` can't be changed in this way"))),
        }
    }
    Ok(steps)
}

fn update(change: &Change, records: &[DnsRecord], batch: &mut Batch) -> Result<(), ChangeError> {
    if records.is_empty() {
        return Err(failed(
            "the record set has no live records; it has changed since it was read",
        ));
    }
    let steps = steps(&change.edits)?;
    let is_live = |address: &String| records.iter().any(|record| record.address == *address);
    let mut adds = steps.adds.iter().filter(|address| !is_live(address));
    let mut replaced = BTreeSet::new();
    for record in records {
        let mut address = None;
        if steps.removes.contains(&record.address) {
            // One new address takes the place of one old: the id stays, and there is no moment
            // without a record. A second record with the same address just goes.
            let first = replaced.insert(&record.address);
            address = if first { adds.next().cloned() } else { None };
            if address.is_none() {
                batch.deletes.push(record.id.clone());
                continue;
            }
        }
        let timing = new_timing_of(record, &steps, change);
        if address.is_some() || timing.is_some() {
            batch.patches.push(Patch {
                id: record.id.clone(),
                address,
                timing,
                marked: record.comment.is_empty(),
            });
        }
    }
    let (ttl, proxied) = new_timing(change);
    batch.posts = adds
        .map(|address| Post {
            address: address.clone(),
            ttl,
            proxied,
        })
        .collect();
    if records.len() + batch.posts.len() == batch.deletes.len() {
        return Err(blocked(
            format!("this would leave {} without an address", change.key.name()),
            "declare at least one address, or remove the whole record set",
        ));
    }
    Ok(())
}

/// The ttl and proxied that a record must get, if it differs. A ttl shown while proxied says
/// nothing, so a record that leaves the proxy gets the declared one.
fn new_timing_of(record: &DnsRecord, steps: &Steps, change: &Change) -> Option<(i64, bool)> {
    let proxied = steps.proxied.unwrap_or(record.proxied);
    let declared = || change.declared.get(&TTL).and_then(Value::as_int);
    let ttl = match steps.ttl {
        Some(ttl) => ttl,
        None if record.proxied => declared().unwrap_or(TTL_AUTOMATIC),
        None => record.ttl,
    };
    let ttl = timed(ttl, proxied);
    let differs = proxied != record.proxied || (!proxied && ttl != record.ttl);
    differs.then_some((ttl, proxied))
}

#[cfg(test)]
mod tests;
