//! What `docs/definitions.md` says of fields is what the tables of the providers' entries say.

use std::fs;

use crate::definitions::{nodes, policy, project, pubsub, stack};
use crate::model::{FieldSpec, Kind, Meaning, RiskRule, Shape, Spelling, Unit, field_specs};

fn takes(spec: &FieldSpec) -> String {
    match spec.shape {
        Shape::Int { min, max } => {
            let unit = match spec.unit {
                Unit::Plain => "",
                Unit::Milliseconds => " ms (or `7d`)",
                Unit::Bytes => " bytes (or `25MiB`)",
                Unit::Seconds => " seconds",
            };
            match max {
                i64::MAX => format!("at least {min}{unit}"),
                _ => format!("{min} to {max}{unit}"),
            }
        }
        Shape::Bool => "`true`, `false`".to_owned(),
        Shape::Choice(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Shape::Ratio => "0 to 1".to_owned(),
        Shape::Text { chars_max } => format!("text, at most {chars_max} characters"),
        Shape::Duration { min_s, max_s } => format!("`{}` to `{}`", time(min_s), time(max_s)),
        Shape::Expiration { min_s } => format!("at least `{}`, or `never`", time(min_s)),
        Shape::PushEndpoint => "an `https://` URL, or `pull`".to_owned(),
        Shape::PubsubTopic => "a topic's name".to_owned(),
        Shape::Addresses => "IP addresses".to_owned(),
        Shape::Members => "list of members".to_owned(),
        Shape::Texts => "list of texts".to_owned(),
        Shape::TextMap { entries_max, .. } => format!("map, at most {entries_max} entries"),
    }
}

fn time(seconds: i64) -> String {
    match seconds % 86_400 {
        0 if seconds > 0 => format!("{}d", seconds / 86_400),
        _ => format!("{seconds}s"),
    }
}

fn rule(rule: RiskRule) -> String {
    match rule {
        RiskRule::Safe => "safe".to_owned(),
        RiskRule::SafeBut(says) => format!("safe ({says})"),
        RiskRule::Disruptive(says) => format!("disruptive ({says})"),
        RiskRule::Destructive(says) => format!("destructive ({says})"),
        RiskRule::Impossible(says) => format!("impossible ({says})"),
        RiskRule::Replace(says) => format!("destructive ({says})"),
    }
}

fn risk(spec: &FieldSpec) -> String {
    // Their items are decided one by one (`plan::steps`), not by the table.
    if matches!(spec.shape, Shape::Addresses | Shape::Members) {
        return "by item, see below".to_owned();
    }
    if spec.raised == spec.lowered {
        return rule(spec.raised);
    }
    let (up, down) = match spec.shape {
        Shape::Bool => ("turned on", "turned off"),
        _ => ("raised", "lowered"),
    };
    format!(
        "{up}: {}; {down}: {}",
        rule(spec.raised),
        rule(spec.lowered)
    )
}

fn table(kind: Kind) -> String {
    let mut table = "| field | takes | what it is | a change is |\n|---|---|---|---|\n".to_owned();
    for spec in field_specs(kind) {
        let (takes, risk) = (takes(spec), risk(spec));
        table += &format!("| `{}` | {takes} | {} | {risk} |\n", spec.name, spec.doc);
    }
    table
}

/// The values of a kind that mean something else than they say.
fn special_values(kind: Kind) -> Option<String> {
    let mut table = "| field | value | means | source |\n|---|---|---|---|\n".to_owned();
    let rows = field_specs(kind)
        .iter()
        .flat_map(|spec| spec.special.iter().map(move |special| (spec, special)));
    let mut any = false;
    for (spec, special) in rows {
        any = true;
        let value = match special.spelling {
            Spelling::Number(i64::MAX) => "`9223372036854775807` (2^63-1)".to_owned(),
            Spelling::Number(number) => format!("`{number}`"),
            Spelling::Word(word) => format!("`{word}`"),
            Spelling::Absent => "not shown".to_owned(),
        };
        let means = match special.meaning {
            Meaning::NoLimit => "no limit".to_owned(),
            Meaning::As(field) => format!("as `{field}`"),
            Meaning::Word(word) => format!("`{word}`"),
            Meaning::Flag(flag) => format!("`{flag}`"),
            Meaning::Automatic => "automatic".to_owned(),
        };
        table += &format!(
            "| `{}` | {value} | {means} | {} |\n",
            spec.name, special.source
        );
    }
    any.then_some(table)
}

fn page() -> String {
    fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/definitions.md"
    ))
    .unwrap()
}

#[test]
fn the_tables_of_fields() {
    let page = page();
    for kind in Kind::ALL {
        for table in std::iter::once(table(kind)).chain(special_values(kind)) {
            assert!(
                page.contains(&table),
                "docs/definitions.md lacks:\n\n{table}"
            );
        }
    }
}

#[test]
fn every_key_is_named() {
    let page = page();
    let lists: [&[&str]; 8] = [
        &project::KEYS,
        &project::AREA_KEYS,
        &project::IGNORE_KEYS,
        &policy::KEYS,
        &policy::GUARDS,
        &nodes::KEYS,
        &stack::CONFIG_KEYS,
        &pubsub::BINDING_OWN,
    ];
    for key in lists.into_iter().flatten() {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/definitions.md lacks `{key}`"
        );
    }
}
