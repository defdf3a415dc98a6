//! Which store is asked, how often, and what is said where that fails.

use super::desk::{Desk, TOKENS};
use super::expect;

#[test]
fn a_bucket_that_can_not_be_asked_is_named_with_what_to_do() {
    let mut desk = Desk::new();
    let check = "check --stack steve1";
    expect(
        &desk.kedge(&format!("{check} --store s3://x")),
        1,
        &["`s3://x`", "3 to 63"],
    );
    expect(
        &desk.kedge(&format!("{check} --store s3://kedge/p")),
        1,
        &["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"],
    );
    let mut set = |name: &str, value: &str| {
        desk.variables.insert(name.to_owned(), value.to_owned());
    };
    set("KEDGE_BUCKET", "kedge");
    set("R2_ACCESS_KEY_ID", TOKENS[0]);
    set("AWS_SECRET_ACCESS_KEY", TOKENS[1]);
    expect(&desk.kedge(check), 1, &["R2_SECRET_ACCESS_KEY is not"]);
    let mut set = |name: &str, value: &str| {
        desk.variables.insert(name.to_owned(), value.to_owned());
    };
    set("R2_SECRET_ACCESS_KEY", TOKENS[1]);
    // A port that was taken a moment ago and on which nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    set("R2_ENDPOINT_URL", &format!("http://{address}"));
    let answer = desk.kedge(check);
    let parts = [
        "stacks/steve1/",
        "s3://kedge",
        &address,
        "could not connect",
        "R2_ENDPOINT_URL",
    ];
    expect(&answer, 1, &parts);
    expect(
        &desk.kedge("init --stack steve1"),
        0,
        &["state is kept in s3://kedge (from KEDGE_BUCKET)"],
    );
    let folder = desk.folder.path().join(".kedge/store");
    assert!(!folder.exists(), "no other store is made instead");
}

/// How often the store is asked is a promise (R2 bills it and limits it).
#[test]
fn the_store_is_asked_seldom() {
    let desk = Desk::new();
    let json = |words: &str| -> serde_json::Value {
        let answer = desk.kedge(&format!("{words} --stack development --json --stats"));
        serde_json::from_str(&answer.out).unwrap()
    };
    let up = json("up --yes");
    assert!(up["complete"] == true && !up["changes"].as_array().unwrap().is_empty());
    let seconds = up["traffic"]["wall_ms"].as_u64().unwrap().div_ceil(1_000);
    let writes = up["stats"]["store"]["writes"].as_u64().unwrap();
    assert!(writes <= 6 + 2 * seconds, "{writes} writes in {seconds} s");
    json("check");
    let clean = json("check");
    assert_eq!(clean["verdict"], "clean");
    let store = &clean["stats"]["store"];
    assert!(store["reads"].as_u64().unwrap() <= 3, "{store}");
    assert_eq!(store["writes"], 0);
    let again = &json("up --yes")["stats"]["store"];
    assert_eq!(again["writes"], 0, "{again}");
}
