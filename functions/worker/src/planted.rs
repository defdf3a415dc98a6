//! What only tests want of a Worker. Never deployed: the feature `planted` is off.

use bytes::Bytes;
use http::{Request, Response};
use kedge_adapters::Settings;
use kedge_adapters::conformance::store_conformance;
use kedge_core::model::SecretText;
use kedge_engine::ports::Signer as _;
use kedge_worker::{R2Store, WebSigner};
use worker::Env;

use crate::home::BUCKET;

/// After how many writes to providers a process dies.
const KEDGE_PLANTED_PANIC_AFTER: &str = "KEDGE_PLANTED_PANIC_AFTER";

/// The signature of `header.claims` with the key that is sent, in hexadecimal, or why there is none.
async fn signature(key: &[u8]) -> String {
    let key = SecretText::new(String::from_utf8_lossy(key));
    match WebSigner.sign_rs256(&key, b"header.claims").await {
        Ok(signature) => hex::encode(signature),
        Err(error) => error.to_string(),
    }
}

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
        "/planted/signature" => signature(request.body()).await,
        "/planted/golden" => kedge_tests::golden::golden(),
        _ => return None,
    };
    Some(Response::new(Bytes::from(text)))
}
