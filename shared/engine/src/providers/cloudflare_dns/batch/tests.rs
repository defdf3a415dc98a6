use super::super::normalize::live;
use super::*;
use kedge_core::model::{ByField, FieldName, ResourceKey, StackName};

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";

fn record(address: &str, ttl: i64, proxied: bool, comment: &str) -> DnsRecord {
    DnsRecord {
        id: format!("id-{address}"),
        address: address.to_owned(),
        ttl,
        proxied,
        comment: comment.to_owned(),
    }
}

fn fields(addresses: &[&str], ttl: i64, proxied: bool) -> Fields {
    Fields::from([
        (ADDRESSES.clone(), Value::set(addresses.iter().copied())),
        (TTL.clone(), Value::Int(ttl)),
        (PROXIED.clone(), Value::Bool(proxied)),
    ])
}

fn change(verb: Verb, edits: &[Edit], declared: Fields, records: &[DnsRecord]) -> Change {
    Change {
        begun_before: false,
        stack: StackName::new("dev").unwrap(),
        key: ResourceKey::dns_record_set("z", "n.example", "A"),
        verb,
        edits: edits.to_vec(),
        recorded: declared.clone(),
        declared,
        secrets: ByField::new(),
        live: (!records.is_empty()).then(|| live(records)),
    }
}

fn add(item: &str) -> Edit {
    let item = item.to_owned();
    let field = ADDRESSES.clone();
    Edit::Add { field, item }
}

fn remove(item: &str) -> Edit {
    let item = item.to_owned();
    let field = ADDRESSES.clone();
    Edit::Remove { field, item }
}

fn set(field: &FieldName, to: Value) -> Edit {
    let field = field.clone();
    Edit::Set { field, to }
}

fn post(address: &str, ttl: i64, proxied: bool) -> Post {
    let address = address.to_owned();
    Post {
        address,
        ttl,
        proxied,
    }
}

fn patch(of: &str, to: Option<&str>, timing: Option<(i64, bool)>, marked: bool) -> Patch {
    Patch {
        id: format!("id-{of}"),
        address: to.map(str::to_owned),
        timing,
        marked,
    }
}

#[test]
fn creates() {
    for (declared, posts) in [
        (
            fields(&[B, A], 300, false),
            [post(A, 300, false), post(B, 300, false)],
        ),
        (
            fields(&[A, B], 300, true),
            [post(A, 1, true), post(B, 1, true)],
        ),
    ] {
        let made = batch(&change(Verb::Create, &[], declared, &[])).unwrap();
        assert_eq!(made.posts, posts);
        assert_eq!((made.name.as_str(), made.kind.as_str()), ("n.example", "A"));
        assert_eq!(made.mark, "kedge:dev");
    }
}

/// Deletes, patches and posts of an update of a set declared as A and B with ttl 300.
fn made(records: &[DnsRecord], edits: &[Edit]) -> (Vec<String>, Vec<Patch>, Vec<Post>) {
    let declared = fields(&[A, B], 300, false);
    let made = batch(&change(Verb::Update, edits, declared, records)).unwrap();
    (made.deletes, made.patches, made.posts)
}

#[test]
fn updates_of_addresses() {
    let plain = [
        record(A, 300, false, "kedge:dev"),
        record(B, 300, false, ""),
    ];
    let id = |address: &str| format!("id-{address}");
    for (name, edits, deletes, patches, posts) in [
        (
            "an address replaced keeps its record",
            vec![add(C), remove(B)],
            vec![],
            vec![patch(B, Some(C), None, true)],
            vec![],
        ),
        (
            "added",
            vec![add(C)],
            vec![],
            vec![],
            vec![post(C, 300, false)],
        ),
        ("removed", vec![remove(A)], vec![id(A)], vec![], vec![]),
        (
            "one replaced, one withdrawn",
            vec![add(C), remove(A), remove(B)],
            vec![id(B)],
            vec![patch(A, Some(C), None, false)],
            vec![],
        ),
        (
            "what is there is not added again, what is gone is not removed",
            vec![add(A), remove(C)],
            vec![],
            vec![],
            vec![],
        ),
        (
            "a new address and a new ttl in one patch",
            vec![add(C), remove(A), set(&TTL, Value::Int(60))],
            vec![],
            vec![
                patch(A, Some(C), Some((60, false)), false),
                patch(B, None, Some((60, false)), true),
            ],
            vec![],
        ),
    ] {
        assert_eq!(made(&plain, &edits), (deletes, patches, posts), "{name}");
    }
}

#[test]
fn updates_of_ttl_and_proxied_send_both() {
    let plain = [
        record(A, 300, false, "kedge:dev"),
        record(B, 300, false, ""),
    ];
    let mixed = [record(A, 300, false, "Anna's"), record(B, 1, true, "")];
    for (name, records, edit, patches) in [
        (
            "ttl goes with proxied",
            &plain,
            set(&TTL, Value::Int(60)),
            vec![
                patch(A, None, Some((60, false)), false),
                patch(B, None, Some((60, false)), true),
            ],
        ),
        (
            "only what differs is touched, and leaves the proxy with the declared ttl",
            &mixed,
            set(&PROXIED, Value::Bool(false)),
            vec![patch(B, None, Some((300, false)), true)],
        ),
        (
            "into the proxy with the automatic ttl; a person's comment is kept",
            &mixed,
            set(&PROXIED, Value::Bool(true)),
            vec![patch(A, None, Some((1, true)), false)],
        ),
        (
            "a ttl is nobody's while proxied",
            &mixed,
            set(&TTL, Value::Int(60)),
            vec![patch(A, None, Some((60, false)), false)],
        ),
    ] {
        assert_eq!(made(records, &[edit]), (vec![], patches, vec![]), "{name}");
    }
}

#[test]
fn deletes_what_is_recorded_and_live() {
    let records = [record(A, 300, false, ""), record(C, 300, false, "")];
    let made = batch(&change(
        Verb::Delete,
        &[],
        fields(&[A, B], 300, false),
        &records,
    ));
    assert_eq!(made.unwrap().deletes, [format!("id-{A}")]);
    let none = batch(&change(
        Verb::Delete,
        &[],
        fields(&[B], 300, false),
        &records,
    ));
    assert!(none.unwrap().is_empty());
}

#[test]
fn refusals() {
    let ours = [record(A, 300, false, "kedge:dev")];
    let other = [
        record(A, 300, false, ""),
        record(B, 300, false, "kedge:prod"),
    ];
    let comments = [
        record(A, 300, false, "kedge: see the wiki"),
        record(B, 300, false, "kedge:"),
    ];
    let declared = || fields(&[A], 300, false);
    let many: Vec<String> = (0..201).map(|n| format!("198.51.100.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let blocked = [
        (
            change(Verb::Update, &[remove(A)], declared(), &ours),
            "without an address",
        ),
        (
            change(Verb::Update, &[add(C)], declared(), &other),
            "stack prod",
        ),
        (change(Verb::Delete, &[], declared(), &other), "stack prod"),
        (
            change(Verb::Create, &[], fields(&many, 300, false), &[]),
            "201 operations",
        ),
    ];
    for (change, part) in blocked {
        let error = batch(&change).unwrap_err();
        assert!(matches!(error, ChangeError::Blocked { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    // A person's comment is no mark and blocks nothing.
    assert!(batch(&change(Verb::Update, &[add(C)], declared(), &comments)).is_ok());
    let failed = [
        change(Verb::Update, &[add(C)], declared(), &[]),
        change(Verb::Create, &[], Fields::new(), &[]),
        change(Verb::Replace, &[], declared(), &ours),
        change(
            Verb::Update,
            &[set(&ADDRESSES, Value::set([C]))],
            declared(),
            &ours,
        ),
    ];
    for change in failed {
        let error = batch(&change).unwrap_err();
        assert!(matches!(error, ChangeError::Failed { .. }), "{error}");
    }
}

#[test]
fn a_result_that_stands() {
    let before = [record(A, 300, false, ""), record(B, 300, false, "")];
    let edits = [add(C), remove(A), set(&TTL, Value::Int(60))];
    let made = batch(&change(
        Verb::Update,
        &edits,
        fields(&[B, C], 60, false),
        &before,
    ));
    let made = made.unwrap();
    assert!(!made.stands_in(&before));
    let mut after = [record(C, 60, false, ""), record(B, 60, false, "")];
    after[0].id = format!("id-{A}");
    assert!(made.stands_in(&after));
    after[1].ttl = 90;
    assert!(!made.stands_in(&after));
    assert!(!made.stands_in(&[]));
    let created = batch(&change(Verb::Create, &[], fields(&[A], 300, true), &[])).unwrap();
    assert!(created.stands_in(&[record(A, 1, true, "")]));
    assert!(!created.stands_in(&[record(A, 300, false, "")]));
}

#[test]
fn where_created_records_stand() {
    let made = batch(&change(Verb::Create, &[], fields(&[A, B], 300, false), &[])).unwrap();
    let of = |records: serde_json::Value| -> Made {
        let records: Vec<WireRecord> = serde_json::from_value(records).unwrap();
        made.made_by(&records)
    };
    let row = |id: &str, name: &str, address: &str, comment: &str| serde_json::json!({"id": id, "type": "A", "name": name, "content": address, "comment": comment});
    let ours = |id: &str, name: &str, address: &str| row(id, name, address, "kedge:dev");
    let elsewhere = |ids: &[&str]| Made::Elsewhere {
        name: "n.example.zone.io".to_owned(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    for (records, expected) in [
        (
            vec![ours("1", "n.example", A), ours("2", "N.Example.", B)],
            Made::AsAsked,
        ),
        (
            vec![
                ours("1", "n.example.zone.io", A),
                ours("2", "n.example.zone.io", B),
            ],
            elsewhere(&["1", "2"]),
        ),
        // Only what is surely ours is named for deletion.
        (
            vec![
                ours("1", "n.example.zone.io", A),
                row("2", "n.example.zone.io", B, "Anna's"),
                ours("3", "n.example.zone.io", C),
            ],
            elsewhere(&["1"]),
        ),
        (
            vec![ours("1", "n.example", A), ours("2", "n.example.zone.io", B)],
            elsewhere(&["2"]),
        ),
        (vec![ours("1", "n.example", A)], Made::Unnamed),
        (vec![], Made::Unnamed),
        (
            vec![serde_json::json!({}), serde_json::json!({})],
            Made::Unnamed,
        ),
    ] {
        assert_eq!(of(records.clone().into()), expected, "{records:?}");
    }
    let undoing = made.undoing(&["1".to_owned()]);
    assert_eq!((undoing.deletes.len(), undoing.operations()), (1, 1));
    assert_eq!(undoing.made_by(&[]), Made::AsAsked);
}
