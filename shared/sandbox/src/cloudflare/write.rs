//! Writing records, one at a time or as a batch that happens whole or not at all.

use super::{ErrorEntry, Record, Zone};
use crate::call::Object;
use crate::random::SplitMix64;
use serde_json::{Value, json};

/// Operations in one batch on a Free zone; paid zones take 3,500 (Cloudflare docs: batch-record-changes).
const LARGEST_BATCH: usize = 200;

/// The record is not there: drift to a reader, done to one who deletes (terraform-provider-cloudflare#1621).
pub(super) fn gone() -> ErrorEntry {
    ErrorEntry::new(404, 81_044, "Record does not exist.")
}

/// What may not stand beside what. `own` is the id of the record being changed.
fn check_neighbours(zone: &Zone, record: &Record, own: Option<&str>) -> Result<(), ErrorEntry> {
    let refuse = |code: u32, message: &str| Err(ErrorEntry::new(400, code, message));
    for (id, other) in &zone.records {
        if other.name != record.name || own == Some(id) {
            continue;
        }
        let pair = (record.kind.as_str(), other.kind.as_str());
        if record.kind == other.kind && record.content == other.content {
            // The current wording; 81057 is the older one (jeessy2/ddns-go#1378).
            return refuse(81_058, "An identical record already exists.");
        }
        match pair {
            ("CNAME", "A" | "AAAA" | "CNAME") => {
                return refuse(
                    81_053,
                    "An A, AAAA, or CNAME record with that host already exists.",
                );
            }
            // favonia/cloudflare-ddns#990
            ("A" | "AAAA", "CNAME") => {
                return refuse(81_054, "A CNAME record with that host already exists.");
            }
            // A delegated name holds nothing else; the number is a belief.
            ("NS", other) | (other, "NS") if other != "NS" && record.name != zone.name => {
                return refuse(81_056, "An NS record with that host already exists.");
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn create(
    zone: &mut Zone,
    body: &Object,
    random: &mut SplitMix64,
    now_ms: i64,
) -> Result<Value, ErrorEntry> {
    let record = Record::read(zone, body, None, now_ms)?;
    check_neighbours(zone, &record, None)?;
    let id = random.hex_32();
    let shown = record.show(&id);
    zone.records.insert(id, record);
    Ok(shown)
}

pub(crate) fn patch(
    zone: &mut Zone,
    id: &str,
    body: &Object,
    now_ms: i64,
) -> Result<Value, ErrorEntry> {
    let before = zone.records.get(id).ok_or_else(gone)?;
    let record = Record::read(zone, body, Some(before), now_ms)?;
    replace(zone, id, record)
}

/// PUT: what the body leaves out goes back to its default; only the creation time stays.
pub(super) fn overwrite(
    zone: &mut Zone,
    id: &str,
    body: &Object,
    now_ms: i64,
) -> Result<Value, ErrorEntry> {
    let created_ms = zone.records.get(id).ok_or_else(gone)?.created_ms;
    let mut record = Record::read(zone, body, None, now_ms)?;
    record.created_ms = created_ms;
    replace(zone, id, record)
}

fn replace(zone: &mut Zone, id: &str, record: Record) -> Result<Value, ErrorEntry> {
    check_neighbours(zone, &record, Some(id))?;
    let shown = record.show(id);
    zone.records.insert(id.to_owned(), record);
    Ok(shown)
}

pub(crate) fn delete(zone: &mut Zone, id: &str) -> Result<Value, ErrorEntry> {
    let record = zone.records.remove(id).ok_or_else(gone)?;
    Ok(record.show(id))
}

/// Deletes, patches, puts, posts, in this order whatever the body's; one transaction (Cloudflare docs:
/// batch-record-changes).
pub(super) fn batch(
    zone: &mut Zone,
    body: &Object,
    random: &mut SplitMix64,
    now_ms: i64,
) -> Result<Value, ErrorEntry> {
    let list = |key: &str| -> Result<Vec<Object>, ErrorEntry> {
        let wrong = || ErrorEntry::invalid(9207, &format!("{key} must be a list of objects."));
        match body.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_object().cloned().ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    };
    let (deletes, patches, puts, posts) = (
        list("deletes")?,
        list("patches")?,
        list("puts")?,
        list("posts")?,
    );
    let size = deletes.len() + patches.len() + puts.len() + posts.len();
    if size == 0 || size > LARGEST_BATCH {
        return Err(ErrorEntry::invalid(
            9207,
            &format!("A batch holds between 1 and {LARGEST_BATCH} operations, not {size}."),
        ));
    }
    let id_of = |item: &Object| -> Result<String, ErrorEntry> {
        let id = item.get("id").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| ErrorEntry::invalid(9207, "id is required."))
    };
    let mut trial = zone.clone();
    let mut each =
        |items: Vec<Object>,
         work: &mut dyn FnMut(&mut Zone, &Object) -> Result<Value, ErrorEntry>| {
            items
                .iter()
                .map(|item| work(&mut trial, item))
                .collect::<Result<Vec<Value>, ErrorEntry>>()
        };
    let deleted = each(deletes, &mut |zone, item| delete(zone, &id_of(item)?))?;
    let patched = each(patches, &mut |zone, item| {
        patch(zone, &id_of(item)?, item, now_ms)
    })?;
    let put = each(puts, &mut |zone, item| {
        overwrite(zone, &id_of(item)?, item, now_ms)
    })?;
    let posted = each(posts, &mut |zone, item| create(zone, item, random, now_ms))?;
    *zone = trial;
    Ok(json!({"deletes": deleted, "patches": patched, "puts": put, "posts": posted}))
}
