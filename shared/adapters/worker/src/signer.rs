//! RS256 by WebCrypto.

use kedge_adapters::pkcs8_der;
use kedge_core::model::SecretText;
use kedge_engine::ports::{SignError, Signer};
use worker::js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array, global};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

/// Signs with RSA keys in PKCS#8, the form in Google's key files. It keeps no key.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebSigner;

impl Signer for WebSigner {
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let der = pkcs8_der(key_pem.reveal())?;
        // What the runtime says of a key is not passed on: nobody promises that it holds no part of it.
        let key = import(&der)
            .await
            .map_err(|_| fail("it is not a usable RSA key in PKCS#8"))?;
        let signature = sign(&key, message)
            .await
            .map_err(|_| fail("signing with it failed"))?;
        Ok(Uint8Array::new(&signature).to_vec())
    }
}

fn fail(why: &str) -> SignError {
    SignError(why.to_owned())
}

/// `crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"])`.
async fn import(der: &[u8]) -> Result<JsValue, JsValue> {
    let arguments = Array::of5(
        &"pkcs8".into(),
        &Uint8Array::from(der),
        &algorithm()?,
        &JsValue::FALSE,
        &Array::of1(&"sign".into()),
    );
    subtle("importKey", &arguments).await
}

/// `crypto.subtle.sign(algorithm, key, message)`.
async fn sign(key: &JsValue, message: &[u8]) -> Result<JsValue, JsValue> {
    let arguments = Array::of3(&algorithm()?, key, &Uint8Array::from(message));
    subtle("sign", &arguments).await
}

fn algorithm() -> Result<JsValue, JsValue> {
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &"RSASSA-PKCS1-v1_5".into())?;
    Reflect::set(&algorithm, &"hash".into(), &"SHA-256".into())?;
    Ok(algorithm.into())
}

async fn subtle(method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    let crypto = Reflect::get(&global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    let method: Function = Reflect::get(&subtle, &method.into())?.dyn_into()?;
    let promise: Promise = method.apply(&subtle, arguments)?.dyn_into()?;
    JsFuture::from(promise).await
}
