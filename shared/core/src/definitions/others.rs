//! DNS record sets that the other stacks of the same definitions declare (semantics 2.3).
//!
//! Kafka's and Pub/Sub's names need no such check, because each stack has a prefix of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ResourceKey, Salt, Scope, StackName};

use super::context::stack_file;
use super::{Bundle, ParseInput, context, nodes, project, project_root, stack};

/// Which of these record sets other stacks declare, and which stack; of several, the first. Of each
/// stack only its own file is read. A mistake in it is reported by that stack's own check; what
/// can't be understood here counts as not declared. If the file names no zone, because it comes
/// from the environment, it may be any zone.
#[must_use]
pub fn declared_by_others(
    bundle: &Bundle,
    others: &BTreeSet<StackName>,
    wanted: &BTreeSet<ResourceKey>,
) -> BTreeMap<ResourceKey, StackName> {
    let mut found = BTreeMap::new();
    let wanted: BTreeMap<&str, &ResourceKey> = wanted.iter().map(|key| (key.name(), key)).collect();
    let project = others.first().and_then(|any| project_name(bundle, any));
    for other in others {
        for key in record_sets(bundle, other, project.clone()) {
            let is_any_zone =
                matches!(key.scope(), Scope::DnsZone { zone_id } if zone_id.is_empty());
            let own = wanted.get(key.name());
            if let Some(own) = own.filter(|own| is_any_zone || own.scope() == key.scope()) {
                found.entry((*own).clone()).or_insert_with(|| other.clone());
            }
        }
    }
    found
}

/// Whether a stack's record sets may depend on the environment (`KEDGE_CONFIG_<NAME>`) of whoever
/// pushed it: its file names a zone and no `nodes`, or its nodes ask for a value that the file does
/// not give.
///
/// **Caveats.** It can't see a value of the environment that overrode the file's, nor `nodes` and a
/// zone that both came from the environment.
#[must_use]
pub fn may_have_nodes_of_environment(bundle: &Bundle, stack: &StackName) -> bool {
    let (overrides, salt) = (BTreeMap::new(), Salt([0; 16]));
    let mut context = context(&input(bundle, stack, &overrides, &salt));
    let own = bundle.files().get_key_value(&stack_file(stack));
    let Some((path, _)) = own else {
        return false;
    };
    context.project = project_name(bundle, stack);
    let root = context.read(path);
    let found = stack::read_config(&mut context, path, root.as_ref(), &overrides);
    nodes::read(&mut context, &found);
    match context.config.contains_key("nodes") {
        true => (context.used.iter()).any(|key| !context.config.contains_key(key)),
        false => context.config.contains_key("cloudflare_zone_id"),
    }
}

fn project_name(bundle: &Bundle, stack: &StackName) -> Option<String> {
    let (overrides, salt) = (BTreeMap::new(), Salt([0; 16]));
    let mut context = context(&input(bundle, stack, &overrides, &salt));
    let root = project_root(&mut context)?;
    project::name(&mut context, &root)
}

/// The record sets that a stack's own file declares.
fn record_sets(bundle: &Bundle, stack: &StackName, project: Option<String>) -> Vec<ResourceKey> {
    let own = bundle.files().get_key_value(&stack_file(stack));
    // Most files of a large set have none, and need no parse to say so.
    let Some((path, _)) = own.filter(|(_, text)| text.contains("nodes")) else {
        return Vec::new();
    };
    let (overrides, salt) = (BTreeMap::new(), Salt([0; 16]));
    let mut context = context(&input(bundle, stack, &overrides, &salt));
    context.project = project;
    let root = context.read(path);
    let found = stack::read_config(&mut context, path, root.as_ref(), &overrides);
    let declared = nodes::read(&mut context, &found);
    declared.into_iter().map(|one| one.key).collect()
}

fn input<'a>(
    bundle: &'a Bundle,
    stack: &'a StackName,
    overrides: &'a BTreeMap<String, String>,
    salt: &'a Salt,
) -> ParseInput<'a> {
    ParseInput {
        bundle,
        stack,
        overrides,
        salt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(zone: &str, domain: &str) -> String {
        format!(
            "config:\n{zone}  acme:nodes:\n    - {{name: n, ips: [192.0.2.1], domain: \"{domain}\"}}\n"
        )
    }

    #[test]
    fn the_same_name_in_the_same_zone_or_in_any() {
        let zone = "  acme:cloudflare_zone_id: z\n";
        let cases = [
            (file(zone, "1.example.com"), true),
            (file(zone, "1.Example.com."), true),
            (file("", "1.example.com"), true),
            (file(zone, "{stack}.example.com"), true),
            (
                file("  acme:cloudflare_zone_id: y\n", "1.example.com"),
                false,
            ),
            (file(zone, "2.example.com"), false),
            (
                file(zone, "1.example.com").replace("acme:nodes", "other:nodes"),
                false,
            ),
            // What else is wrong there is for its own check.
            (
                format!("{}  acme:x: [\n", file(zone, "1.example.com")),
                false,
            ),
            (file(zone, "1.example.com") + "unknown: 1\n", true),
            (String::new(), false),
        ];
        let wanted: BTreeSet<ResourceKey> = ["1.example.com", "prod.example.com"]
            .map(|name| ResourceKey::dns_record_set("z", name, "A"))
            .into();
        for (text, is_declared) in cases {
            let files = [
                ("kedge.yaml", "project: acme\n"),
                ("stacks/dev.yaml", "config: {}\n"),
                ("stacks/prod.yaml", &text),
            ];
            let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
            let bundle = Bundle::new(files.into()).unwrap();
            let prod = BTreeSet::from([StackName::new("prod").unwrap()]);
            let found = declared_by_others(&bundle, &prod, &wanted);
            assert_eq!(!found.is_empty(), is_declared, "{text}");
            assert!(found.values().all(|stack| prod.contains(stack)));
        }
    }

    #[test]
    fn nodes_that_the_environment_may_have_declared() {
        let zone = "  acme:cloudflare_zone_id: z\n";
        let cases = [
            (file(zone, "1.example.com"), false),
            (file(zone, "{stack}.example.com"), false),
            (file(zone, "{part?}.example.com"), true),
            (
                file(&format!("{zone}  acme:part: a\n"), "{part?}.example.com"),
                false,
            ),
            (file("", "1.example.com"), true),
            (format!("config:\n{zone}"), true),
            ("config: {}\n".to_owned(), false),
        ];
        let dev = StackName::new("dev").unwrap();
        for (text, may_have) in cases {
            let files = [
                ("kedge.yaml", "project: acme\n"),
                ("stacks/dev.yaml", &text),
            ];
            let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
            let bundle = Bundle::new(files.into()).unwrap();
            assert_eq!(
                may_have_nodes_of_environment(&bundle, &dev),
                may_have,
                "{text}"
            );
        }
    }
}
