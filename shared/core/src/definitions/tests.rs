//! The readers as a whole: what good sets declare, and what is said of bad ones.

mod bad;
mod causes;
mod chaos;
mod documented;
mod rules;
mod shipped;

use std::collections::BTreeMap;

use crate::model::{Declared, Salt, StackName};

use super::{Bundle, ParseInput, Problems, parse};

const SALT: Salt = Salt([7; 16]);

const KEDGE: &str = "project: acme\n";
const STACK: &str = "config:
  acme:aiven_project: acme-aiven
  acme:kafka_service: kafka-acme
  acme:gcp_project: acme-google
";

fn set(files: &[(&str, &str)]) -> Bundle {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    Bundle::new(files.iter().map(owned).collect()).unwrap()
}

fn stack(name: &str) -> StackName {
    StackName::new(name).unwrap()
}

fn parse_with(
    bundle: &Bundle,
    name: &str,
    overrides: &[(&str, &str)],
) -> Result<Declared, Problems> {
    let overrides: BTreeMap<String, String> = overrides
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect();
    parse(&ParseInput {
        bundle,
        stack: &stack(name),
        overrides: &overrides,
        salt: &SALT,
    })
}

/// Parses stack `dev` of a set that has these files beside a small `kedge.yaml` and stack file,
/// unless it has its own.
fn dev(files: &[(&str, &str)]) -> Result<Declared, Problems> {
    let mut all = vec![("kedge.yaml", KEDGE), ("stacks/dev.yaml", STACK)];
    all.retain(|(path, _)| !files.iter().any(|(own, _)| own == path));
    all.extend(files);
    parse_with(&set(&all), "dev", &[])
}

/// The messages alone.
fn messages(result: Result<Declared, Problems>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list.into_iter().map(|one| one.message).collect(),
    }
}
