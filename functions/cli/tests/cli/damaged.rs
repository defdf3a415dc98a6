//! Stored objects that can't be read.

use super::{Desk, expect, fits};

const DRIFT: &str =
    r#"{"do":"set_topic_config","topic":"steve1-runtime","config":{"retention_ms":3600000}}"#;

fn standing() -> Desk {
    let desk = Desk::new();
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["changes made"]);
    desk
}

#[test]
fn a_damaged_lease_is_replaced_by_unlock() {
    let mut desk = standing();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "1".to_owned());
    desk.person(DRIFT);
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    let lease = ".kedge/store/stacks/steve1/lease.json";
    desk.write(lease, "{");
    expect(
        &kedge("up --yes"),
        1,
        &["can't be read", "see `kedge unlock`"],
    );
    expect(&kedge("unlock"), 1, &["lease.json is damaged", "--yes"]);
    desk.write(lease, "{\"format\": 2}");
    expect(&kedge("unlock --yes"), 1, &["newer kedge"]);
    desk.write(lease, "{");
    let unlocked = fits("unlocked", &kedge("unlock --yes --json"));
    assert!(unlocked["from"].is_null());
    assert!(unlocked["damaged"].as_str().unwrap().contains("lease.json"));
    expect(&kedge("unlock"), 0, &["is not locked"]);
    expect(&kedge("up --yes"), 0, &["done"]);
    expect(&kedge("check"), 0, &["CLEAN"]);
}
