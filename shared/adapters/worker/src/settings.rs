//! Variables and secrets of a deployment.

use worker::Env;
use worker::js_sys::{Array, Object};
use worker::wasm_bindgen::JsCast as _;

/// Each variable and secret by its name, as text. Bindings that are no text (a bucket, a queue) and variables that
/// are JSON are none of ours.
pub fn variables(env: &Env) -> Vec<(String, String)> {
    let entries = Object::entries(env.unchecked_ref());
    let entries = entries.iter().map(|entry| {
        let entry: Array = entry.unchecked_into();
        Some((entry.get(0).as_string()?, entry.get(1).as_string()?))
    });
    entries.flatten().collect()
}
