//! The suite of all stores, on a real S3 server: `make test-real` starts one. Without
//! `KEDGE_TEST_S3_ENDPOINT` it says that it was left out.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail the test they help, and say what was left out"
)]

use std::collections::BTreeMap;

use kedge_core::model::BucketAddress;
use kedge_engine::ports::{Condition, Random as _, Store as _};
use kedge_native::SystemRandom;
use kedge_native::conformance::{
    long_lists_are_whole, neighbours_do_not_meet, store_conformance, text,
};
use kedge_s3::{S3Options, S3Settings, S3Store};

/// The server's variables, if there is one: its address, a bucket, a key pair.
fn server() -> Option<BTreeMap<&'static str, String>> {
    let names = [
        ("R2_ENDPOINT_URL", "KEDGE_TEST_S3_ENDPOINT"),
        ("R2_ACCESS_KEY_ID", "KEDGE_TEST_S3_KEY_ID"),
        ("R2_SECRET_ACCESS_KEY", "KEDGE_TEST_S3_SECRET"),
        ("bucket", "KEDGE_TEST_S3_BUCKET"),
    ];
    let find = |(name, variable)| Some((name, std::env::var_os(variable)?.into_string().unwrap()));
    let found: Option<BTreeMap<_, _>> = names.into_iter().map(find).collect();
    if found.is_none() {
        println!(
            "SKIPPED: no KEDGE_TEST_S3_ENDPOINT; `make test-real` runs this on a real S3 server"
        );
    }
    found
}

/// A store in the server's bucket, under this prefix.
fn store(server: &BTreeMap<&'static str, String>, prefix: &str) -> S3Store {
    let address = format!("s3://{}/{prefix}", server["bucket"]);
    open(server, &address.parse().unwrap())
}

fn open(server: &BTreeMap<&'static str, String>, address: &BucketAddress) -> S3Store {
    let variable = |name: &str| server.get(name).map(String::as_str);
    let settings = S3Settings::from_variables(variable).unwrap();
    S3Store::new(address.clone(), settings, S3Options::default()).unwrap()
}

/// A prefix that nobody used before.
fn unused(name: &str) -> String {
    format!("{name}-{:016x}", SystemRandom::new().next_u64())
}

#[tokio::test(flavor = "current_thread")]
async fn a_bucket_is_a_store() {
    let Some(server) = server() else { return };
    store_conformance(&store(&server, &unused("suite"))).await;
    long_lists_are_whole(&store(&server, &unused("long"))).await;
    let name = unused("beside");
    let next = format!("{name}0");
    neighbours_do_not_meet(&store(&server, &name), &store(&server, &next)).await;
}

#[tokio::test(flavor = "current_thread")]
async fn wrong_settings_are_told_from_an_empty_store() {
    let Some(mut server) = server() else { return };
    let secret = server["R2_SECRET_ACCESS_KEY"].clone();
    let nowhere = open(&server, &"s3://no-such-bucket-here".parse().unwrap());
    server.insert("R2_SECRET_ACCESS_KEY", "wrong-s3cret".to_owned());
    let refused = store(&server, "x");
    let mut errors = Vec::new();
    for (store, part) in [(&nowhere, "there is no bucket"), (&refused, "not accepted")] {
        errors.push((store.get("key").await.unwrap_err(), part));
        errors.push((store.list("").await.unwrap_err(), part));
    }
    // SeaweedFS makes a bucket that is missing; R2 and S3 refuse.
    let written = refused.put("key", text("x"), Condition::Absent).await;
    errors.push((written.unwrap_err(), "not accepted"));
    for (error, part) in errors {
        let error = error.to_string();
        assert!(error.contains(part), "{error}");
        assert!(
            !error.contains(&secret) && !error.contains("wrong-s3cret"),
            "{error}"
        );
    }
}
