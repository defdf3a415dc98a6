//! The suite of all stores, on a real S3 server, which `make test-real` starts. By itself a test run
//! says that these are left out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test they help"
)]

use std::collections::BTreeMap;

use kedge_adapters::conformance::{
    long_lists_are_whole, neighbours_do_not_meet, store_conformance, text,
};
use kedge_core::model::BucketAddress;
use kedge_engine::ports::{Condition, Random as _, Store as _};
use kedge_native::{HttpOptions, NativeHttp, SystemRandom};
use kedge_s3::{S3Options, S3Settings, S3Store};

/// The server's variables: its address, a bucket, a key pair.
fn server() -> BTreeMap<&'static str, String> {
    let names = [
        ("R2_ENDPOINT_URL", "KEDGE_TEST_S3_ENDPOINT"),
        ("R2_ACCESS_KEY_ID", "KEDGE_TEST_S3_KEY_ID"),
        ("R2_SECRET_ACCESS_KEY", "KEDGE_TEST_S3_SECRET"),
        ("bucket", "KEDGE_TEST_S3_BUCKET"),
    ];
    let find = |(name, variable)| match std::env::var_os(variable) {
        Some(value) => (name, value.into_string().unwrap()),
        None => panic!("{variable} is not set; `make test-real` sets it"),
    };
    names.into_iter().map(find).collect()
}

/// A store in the server's bucket, under this prefix.
fn store(server: &BTreeMap<&'static str, String>, prefix: &str) -> S3Store {
    let address = format!("s3://{}/{prefix}", server["bucket"]);
    open(server, &address.parse().unwrap())
}

fn open(server: &BTreeMap<&'static str, String>, address: &BucketAddress) -> S3Store {
    let variable = |name: &str| server.get(name).map(String::as_str);
    let settings = S3Settings::from_variables(variable).unwrap();
    let http = NativeHttp::new(HttpOptions::default()).unwrap();
    S3Store::new(address.clone(), settings, &http, S3Options::default())
}

/// A prefix that nobody used before.
fn unused(name: &str) -> String {
    format!("{name}-{:016x}", SystemRandom::new().next_u64())
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "needs a real S3 server: make test-real"]
async fn a_bucket_is_a_store() {
    let server = server();
    store_conformance(&store(&server, &unused("suite"))).await;
    long_lists_are_whole(&store(&server, &unused("long"))).await;
    let name = unused("beside");
    let next = format!("{name}0");
    neighbours_do_not_meet(&store(&server, &name), &store(&server, &next)).await;
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "needs a real S3 server: make test-real"]
async fn wrong_settings_are_told_from_an_empty_store() {
    let mut server = server();
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
