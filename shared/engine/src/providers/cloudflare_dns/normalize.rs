//! Cloudflare's records as record sets. Pure. A record that can't be understood makes only its own set
//! unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use kedge_core::live::{Detail, DnsRecord, Live};
use kedge_core::model::{FieldName, Fields, ResourceKey, Value};

use super::wire::{Loose, WireRecord};

/// The set's addresses.
pub(super) static ADDRESSES: FieldName = FieldName::known("addresses");
/// Its time to live.
pub(super) static TTL: FieldName = FieldName::known("ttl");
/// Whether its traffic goes through Cloudflare.
pub(super) static PROXIED: FieldName = FieldName::known("proxied");

/// `ttl` of a record that Cloudflare times itself; also the default, and what every proxied record
/// has (Cloudflare OpenAPI `dns-records_ttl`; dnscontrol PR 489).
pub(super) const TTL_AUTOMATIC: i64 = 1;

/// The record sets of a zone. A set of which one record can't be understood is an error by itself.
pub(super) type Sets = BTreeMap<ResourceKey, Result<Vec<DnsRecord>, String>>;

/// Sorts a zone's records into sets. Other types than A and AAAA are left out.
///
/// # Errors
/// When a record does not even say what it is, so that it might belong to any set.
pub(super) fn sets<'a>(
    zone_id: &str,
    records: impl IntoIterator<Item = &'a WireRecord>,
) -> Result<Sets, String> {
    let mut sets = Sets::new();
    for record in records {
        let (Some(kind), Some(name)) = (record.kind.text(), record.name.text()) else {
            return Err("a record in the list has no name or no type".to_owned());
        };
        if !is_address(kind) {
            continue;
        }
        let name = canonical_name(name);
        let key = ResourceKey::dns_record_set(zone_id, &name, kind);
        let set = sets.entry(key).or_insert_with(|| Ok(Vec::new()));
        match (dns_record(kind, record), set.as_mut()) {
            (Ok(record), Ok(records)) => records.push(record),
            (Err(field), Ok(_)) => {
                *set = Err(format!(
                    "a record of this set has a `{field}` that can't be read"
                ));
            }
            (_, Err(_)) => {}
        }
    }
    for records in sets.values_mut().filter_map(|set| set.as_mut().ok()) {
        records.sort_by(|a, b| (&a.address, &a.id).cmp(&(&b.address, &b.id)));
    }
    Ok(sets)
}

/// Whether records of this type are addresses.
pub(super) fn is_address(kind: &str) -> bool {
    kind == "A" || kind == "AAAA"
}

/// A domain name in its one form: lower case, without a final dot.
pub(super) fn canonical_name(name: &str) -> String {
    name.trim().trim_end_matches('.').to_lowercase()
}

/// One record; the error is the name of a field that can't be understood. What is missing has the
/// schema's default.
fn dns_record(kind: &str, record: &WireRecord) -> Result<DnsRecord, &'static str> {
    let content = record.content.text().ok_or("content")?;
    Ok(DnsRecord {
        id: record.id.text().ok_or("id")?.to_owned(),
        address: canonical(kind, content).ok_or("content")?,
        ttl: match &record.ttl {
            Loose::Missing => TTL_AUTOMATIC,
            given => given.number().ok_or("ttl")?,
        },
        proxied: match record.proxied {
            Loose::Missing => false,
            Loose::Flag(flag) => flag,
            _ => return Err("proxied"),
        },
        // Null, absent and empty are one (terraform-provider-cloudflare#5517). A comment that is no
        // text can't be a mark and is not compared.
        comment: record.comment.text().unwrap_or_default().to_owned(),
    })
}

/// An address in its one form.
pub(super) fn canonical(kind: &str, text: &str) -> Option<String> {
    match kind {
        "A" => text.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string()),
        _ => text.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string()),
    }
}

/// A set as the core sees it.
pub(super) fn live(records: &[DnsRecord]) -> Live {
    let mut fields = Fields::new();
    let addresses = records.iter().map(|record| record.address.as_str());
    fields.insert(ADDRESSES.clone(), Value::set(addresses));
    let proxied = records
        .iter()
        .map(|record| (record, Value::Bool(record.proxied)));
    fields.extend(common(proxied).map(|value| (PROXIED.clone(), value)));
    // While proxied the ttl is Cloudflare's, so it is nobody's to compare (semantics 2.2).
    let ttl = records
        .iter()
        .filter(|record| !record.proxied)
        .map(|record| (record, Value::Int(record.ttl)));
    fields.extend(common(ttl).map(|value| (TTL.clone(), value)));
    Live {
        fields,
        detail: Detail::DnsRecords(records.to_vec()),
        ..Live::default()
    }
}

/// What all records agree on, or each one's own; none without records.
fn common<'a>(values: impl Iterator<Item = (&'a DnsRecord, Value)>) -> Option<Value> {
    let mut by_address = BTreeMap::new();
    let mut distinct = BTreeSet::new();
    for (record, value) in values {
        distinct.insert(value.clone());
        by_address.insert(record.address.clone(), value);
    }
    if distinct.len() > 1 {
        return Some(Value::Mixed(by_address));
    }
    distinct.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(json: &str) -> Vec<WireRecord> {
        serde_json::from_str(json).unwrap()
    }

    fn set(json: &str) -> Result<Vec<DnsRecord>, String> {
        let sets = sets("z", &wire(json)).unwrap();
        assert_eq!(sets.len(), 1, "{sets:?}");
        sets.into_values().next().unwrap()
    }

    fn record(address: &str, ttl: i64, proxied: bool) -> DnsRecord {
        DnsRecord {
            id: format!("id-{address}"),
            address: address.to_owned(),
            ttl,
            proxied,
            comment: String::new(),
        }
    }

    #[test]
    fn records_become_sets_by_name_and_type() {
        let records = wire(
            r#"[
            {"id":"1","type":"A","name":"N.Example.","content":"192.0.2.2","ttl":60,"proxied":false,"comment":null},
            {"id":"2","type":"A","name":"n.example","content":"192.0.2.1","ttl":"60","proxied":false,"comment":""},
            {"id":"3","type":"AAAA","name":"n.example","content":"2001:DB8:0:0:0:0:0:1","comment":"kedge:dev"},
            {"id":"4","type":"CNAME","name":"c.example","content":"n.example"},
            {"id":"5","type":"TXT","name":"t.example","content":["odd"]}
        ]"#,
        );
        let sets = sets("z", &records).unwrap();
        let keys: Vec<String> = sets.keys().map(ToString::to_string).collect();
        assert_eq!(
            keys,
            [
                "dns-record-set/z/n.example/A",
                "dns-record-set/z/n.example/AAAA"
            ]
        );
        let four = sets[&ResourceKey::dns_record_set("z", "n.example", "A")].clone();
        let addresses: Vec<String> = four.unwrap().into_iter().map(|r| r.address).collect();
        assert_eq!(addresses, ["192.0.2.1", "192.0.2.2"]);
        let six = sets[&ResourceKey::dns_record_set("z", "n.example", "AAAA")].clone();
        let wanted = DnsRecord {
            id: "3".to_owned(),
            comment: "kedge:dev".to_owned(),
            ..record("2001:db8::1", 1, false)
        };
        assert_eq!(six.unwrap(), [wanted]);
    }

    #[test]
    fn a_strange_record_spoils_its_set_only() {
        for (field, json) in [
            ("content", r#"{"id":"1","content":"nonsense"}"#),
            ("content", r#"{"id":"1","content":"2001:db8::1"}"#),
            ("content", r#"{"id":"1"}"#),
            ("id", r#"{"content":"192.0.2.1"}"#),
            ("ttl", r#"{"id":"1","content":"192.0.2.1","ttl":"soon"}"#),
            ("ttl", r#"{"id":"1","content":"192.0.2.1","ttl":true}"#),
            (
                "proxied",
                r#"{"id":"1","content":"192.0.2.1","proxied":"yes"}"#,
            ),
            ("proxied", r#"{"id":"1","content":"192.0.2.1","proxied":1}"#),
        ] {
            let typed = json.replacen('{', r#"{"type":"A","name":"n.example","#, 1);
            let good = r#"{"type":"A","name":"n.example","id":"9","content":"192.0.2.9"}"#;
            for list in [format!("[{typed},{good}]"), format!("[{good},{typed}]")] {
                let error = set(&list).unwrap_err();
                assert!(error.contains(&format!("`{field}`")), "{error}");
            }
        }
        for nameless in [
            r#"[{"type":"A"}]"#,
            r#"[{"name":"n"}]"#,
            r#"[{"type":1,"name":"n"}]"#,
        ] {
            assert!(sets("z", &wire(nameless)).is_err(), "{nameless}");
        }
    }

    #[test]
    fn fields_of_sets() {
        let int = Value::Int;
        let flag = Value::Bool;
        let mixed = |parts: &[(&str, Value)]| {
            let parts = parts
                .iter()
                .map(|(at, value)| ((*at).to_owned(), value.clone()));
            Value::Mixed(parts.collect())
        };
        for (records, proxied, ttl) in [
            (
                vec![
                    record("192.0.2.1", 60, false),
                    record("192.0.2.2", 60, false),
                ],
                flag(false),
                Some(int(60)),
            ),
            (vec![record("192.0.2.1", 1, true)], flag(true), None),
            (
                vec![record("192.0.2.1", 60, false), record("192.0.2.2", 1, true)],
                mixed(&[("192.0.2.1", flag(false)), ("192.0.2.2", flag(true))]),
                Some(int(60)),
            ),
            (
                vec![
                    record("192.0.2.1", 60, false),
                    record("192.0.2.2", 90, false),
                ],
                flag(false),
                Some(mixed(&[("192.0.2.1", int(60)), ("192.0.2.2", int(90))])),
            ),
        ] {
            let live = live(&records);
            assert_eq!(live.fields.get(&PROXIED), Some(&proxied));
            assert_eq!(live.fields.get(&TTL), ttl.as_ref());
            let addresses = Value::set(records.iter().map(|r| r.address.clone()));
            assert_eq!(live.fields.get(&ADDRESSES), Some(&addresses));
            assert_eq!(live.detail, Detail::DnsRecords(records));
        }
    }
}
