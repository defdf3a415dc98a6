//! The sandbox's own path, `/_sandbox/`: faults, persons, the world as it is, the log.

use crate::Sandbox;
use crate::call::{Answer, Call};
use crate::faults::Fault;
use crate::person::Deed;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) fn answer(sandbox: &Sandbox, call: &Call, now_ms: i64) -> Answer {
    let result = match (
        call.method.as_str(),
        call.segments().get(1..).unwrap_or_default(),
    ) {
        ("GET", ["version"]) => {
            Ok(json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")}))
        }
        ("GET", ["world"]) => Ok(sandbox.world()),
        ("GET", ["requests"]) => Ok(json!({"requests": sandbox.requests()})),
        ("DELETE", ["requests"]) => {
            sandbox.clear_requests();
            Ok(json!({}))
        }
        ("GET", ["faults"]) => Ok(json!({"faults": sandbox.faults()})),
        ("POST", ["faults"]) => one_or_many::<Fault>(call).map(|faults| {
            let added = faults.len();
            faults
                .into_iter()
                .for_each(|fault| sandbox.add_fault(fault));
            json!({"added": added})
        }),
        ("DELETE", ["faults"]) => {
            sandbox.clear_faults();
            Ok(json!({}))
        }
        ("POST", ["person"]) => one_or_many::<Deed>(call).and_then(|deeds| {
            for (number, deed) in deeds.iter().enumerate() {
                sandbox
                    .act(deed, now_ms)
                    .map_err(|reason| format!("deed {}: {reason}", number + 1))?;
            }
            Ok(json!({"done": deeds.len()}))
        }),
        _ => return Answer::json(404, json!({"error": "no such sandbox path"})),
    };
    match result {
        Ok(value) => Answer::json(200, value),
        Err(reason) => Answer::json(400, json!({"error": reason})),
    }
}

/// A single one, or a list of them.
fn one_or_many<T: DeserializeOwned>(call: &Call) -> Result<Vec<T>, String> {
    let value: Value = serde_json::from_slice(&call.body).map_err(|error| error.to_string())?;
    let items = match value {
        Value::Array(items) => items,
        single => vec![single],
    };
    items
        .into_iter()
        .map(|item| serde_json::from_value(item).map_err(|error| error.to_string()))
        .collect()
}
