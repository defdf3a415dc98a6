//! `kedge outputs`: what the stack consists of, for whoever uses it.

use kedge_core::model::{DeclaredResource, Kind};
use kedge_core::report::Report;
use kedge_engine::CheckRequest;

use crate::args::{Args, Format};
use crate::error::CliError;
use crate::screen;
use crate::verbs::Invocation;

/// Prints the names that other programs need. Reads the world, so that what is not there is said.
pub(crate) async fn outputs(args: &Args) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let report = run.check(CheckRequest::default()).await?;
    let setup = &run.setup;
    if args.format() == Format::Json {
        let mut json: serde_json::Map<String, serde_json::Value> = Kind::ALL
            .into_iter()
            .map(|kind| (kind.as_str().to_owned(), of_kind(&report, kind).into()))
            .collect();
        json.insert("format".to_owned(), "kedge.outputs/1".into());
        json.insert("stack".to_owned(), setup.chosen.stack.as_str().into());
        screen::out(&format!("{:#}\n", serde_json::Value::Object(json)))?;
        return Ok(0);
    }
    let mut text = format!("{} (from {})\n", setup.chosen.stack, setup.chosen.origin);
    for resource in report.declared.resources.values() {
        let key = &resource.key;
        let there = if report.is_live(key) {
            ""
        } else {
            "   (does not exist now)"
        };
        let label = key.kind().label();
        text.push_str(&format!("{label:<13} {}{there}\n", full_name(resource)));
    }
    screen::out(&text)?;
    Ok(0)
}

fn of_kind(report: &Report, kind: Kind) -> Vec<serde_json::Value> {
    let resources = report.declared.resources.values();
    resources
        .filter(|resource| resource.key.kind() == kind)
        .map(|resource| {
            serde_json::json!({
                "key": resource.key.to_string(),
                "name": full_name(resource),
                "live": report.is_live(&resource.key),
            })
        })
        .collect()
}

/// The name under which others know it: a full Pub/Sub name, a domain with its addresses.
fn full_name(resource: &DeclaredResource) -> String {
    let key = &resource.key;
    let sets = resource
        .fields
        .values()
        .filter_map(|field| field.value.as_set());
    let items: Vec<&str> = sets.flatten().map(String::as_str).collect();
    key.kind().entry().full_name(key, &items.join(", "))
}
