//! What only tests want of a Worker. Never deployed: the feature `planted` is off.

use bytes::Bytes;
use http::{Request, Response};
use kedge_adapters::Settings;
use kedge_adapters::conformance::store_conformance;
use kedge_worker::R2Store;
use worker::Env;

use crate::home::BUCKET;

/// After how many writes to providers a process dies.
const KEDGE_PLANTED_PANIC_AFTER: &str = "KEDGE_PLANTED_PANIC_AFTER";

/// Plants what the variables ask for.
pub(crate) fn plant(settings: &Settings) {
    let after = settings.get(KEDGE_PLANTED_PANIC_AFTER);
    if let Some(writes) = after.and_then(|text| text.parse().ok()) {
        kedge_worker::panic_after(writes);
    }
}

/// The answer to a request that only tests make. Where it fails it panics.
pub(crate) async fn answer(env: &Env, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let text = match request.uri().path() {
        "/planted/conformance" => {
            // It wants an empty one.
            let store = R2Store::new(env.bucket(BUCKET).ok()?, "planted", false);
            store_conformance(&store).await;
            "passed".to_owned()
        }
        "/planted/golden" => kedge_tests::golden::golden(),
        _ => return None,
    };
    Some(Response::new(Bytes::from(text)))
}
