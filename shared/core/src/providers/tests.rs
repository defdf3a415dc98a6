//! The entries fit together, and the documentation says what they say.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::model::{DefaultValue, field_spec};

#[test]
fn each_kind_is_of_one_provider() {
    let all: Vec<Kind> = ProviderName::ALL
        .into_iter()
        .flat_map(|name| name.entry().kinds.iter().copied())
        .collect();
    let mut once: Vec<Kind> = all.clone();
    once.sort_unstable();
    assert_eq!(once, Kind::ALL, "each kind is in one provider's list");
    for name in ProviderName::ALL {
        assert_eq!(name.entry().name, name);
        for kind in name.entry().kinds {
            assert_eq!(kind.entry().provider, name, "{kind:?}");
        }
    }
}

#[test]
fn words_and_variables_are_unique() {
    let providers = || ProviderName::ALL.into_iter().map(ProviderName::entry);
    let words: BTreeSet<&str> = providers().map(|entry| entry.word).collect();
    assert_eq!(words.len(), ProviderName::ALL.len());
    let variables: BTreeSet<&str> = providers()
        .flat_map(|entry| [entry.credential.variable, entry.endpoint.variable])
        .collect();
    assert_eq!(variables.len(), 2 * ProviderName::ALL.len());
    let words: BTreeSet<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
    assert_eq!(words.len(), Kind::ALL.len());
}

#[test]
fn keys_of_every_kind_survive_their_text_form() {
    for kind in Kind::ALL {
        let text = format!("{}/scope/first/second", kind.as_str());
        let key = ResourceKey::parse(&text).unwrap();
        assert_eq!((key.kind(), key.to_string()), (kind, text));
        assert_eq!(key.scope().provider(), kind.entry().provider);
    }
}

/// What a row says of another field is true of a field of the same kind.
#[test]
fn rows_name_fields_of_their_kind() {
    for kind in Kind::ALL {
        for spec in kind.entry().fields {
            let same_as = match spec.default {
                Some(DefaultValue::SameAs(field)) => Some(field),
                _ => None,
            };
            let worse = spec.worse.map(|worse| worse.field);
            for other in [same_as, worse, spec.unused_while].into_iter().flatten() {
                let found = field_spec(kind, &FieldName::known(other));
                assert!(found.is_some(), "{} names {other}", spec.name);
            }
        }
        if let Some(other) = &kind.entry().hangs_on {
            let found = field_spec(kind, &FieldName::known(other.field));
            assert!(found.is_some(), "{kind:?} hangs on {}", other.field);
        }
    }
}

/// Every URL of a definition may hide a secret, and whatever may be the same URL hides it too.
#[test]
fn fields_that_may_hold_a_secret_are_marked() {
    for spec in Kind::ALL.into_iter().flat_map(|kind| kind.entry().fields) {
        let is_url = spec.shape == Shape::PushEndpoint;
        let is_copy = matches!(spec.default, Some(DefaultValue::SameAs(_)));
        assert_eq!(spec.hides_secrets, is_url || is_copy, "{}", spec.name);
    }
}

fn page(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    fs::read_to_string(format!("{root}{path}")).unwrap()
}

#[test]
fn the_pages_list_what_the_entries_say() {
    let (security, sandbox) = (page("SECURITY.md"), page("docs/sandbox.md"));
    let (example, github) = (page(".env.example"), page("docs/definitions.md"));
    for entry in ProviderName::ALL.map(ProviderName::entry) {
        let (credential, endpoint) = (&entry.credential, &entry.endpoint);
        for variable in [credential.variable, endpoint.variable] {
            let line = format!("\n{variable}=\n");
            assert!(example.contains(&line), ".env.example lacks {variable}");
        }
        let variables = entry.sandbox_variables("127.0.0.1:8080", "sandbox");
        let variables = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let line = format!("export {}", variables.collect::<Vec<_>>().join(" "));
        assert!(sandbox.contains(&line), "docs/sandbox.md lacks {line}");
        let leaked = format!("\n| `{}` | ", credential.variable);
        assert!(security.contains(&leaked), "SECURITY.md lacks {leaked}");
        let rows: Vec<&str> = security
            .lines()
            .filter(|line| line.starts_with(&format!("| {} |", entry.title)))
            .collect();
        let permissions = [entry.permissions.read, entry.permissions.write];
        assert_eq!(rows.len(), permissions.len(), "{}", entry.title);
        for (row, names) in rows.iter().zip(permissions) {
            for name in names {
                assert!(
                    row.contains(name),
                    "SECURITY.md lacks {name} of {}",
                    entry.title
                );
            }
        }
        for setting in entry.kinds.iter().flat_map(|kind| kind.entry().settings) {
            assert!(
                github.contains(&format!("`{setting}`")),
                "docs/definitions.md lacks {setting}"
            );
        }
    }
}

/// Semantics 3.6 and the entries give the same times.
#[test]
fn semantics_3_6_gives_the_times_of_the_entries() {
    let page = page("docs/semantics.md");
    let minutes = |entry: &Provider| entry.catching_up_ms / 60_000;
    let [aiven, pubsub, cloudflare] = ProviderName::ALL.map(|name| minutes(name.entry()));
    assert_eq!(pubsub, cloudflare);
    let line = format!("(Aiven {aiven} minutes, Pub/Sub and Cloudflare {pubsub})");
    assert!(page.contains(&line), "docs/semantics.md lacks {line}");
}
