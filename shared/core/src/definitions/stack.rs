//! `stacks/<stack>.yaml`: a stack's config. A `Pulumi.<stack>.yaml` is accepted unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::model::{StackName, is_hex};

use super::bundle::Bundle;
use super::context::{
    ConfigContent, ConfigValue, Entry, Filled, ParseContext, stack_file, variable,
};
use super::policy::{self, PolicyKeys};
use super::problem::Place;
use super::redact::{bare, is_secret_name, quoted};
use super::suggest::nearest;
use super::yaml::{Content, Node, Pos};

/// Top-level keys that mean something here.
pub(super) const KEYS: [&str; 2] = ["config", "policy"];
/// Top-level keys of Pulumi that mean nothing here (semantics 4.2).
pub(super) const PULUMI_KEYS: [&str; 4] = [
    "encryptionsalt",
    "secretsprovider",
    "encryptedkey",
    "environment",
];
/// Our config keys.
pub(super) const CONFIG_KEYS: [&str; 6] = [
    "aiven_project",
    "kafka_service",
    "gcp_project",
    "gmail_webhook_endpoint",
    "cloudflare_zone_id",
    "nodes",
];

/// The stacks of a set: its files `stacks/<stack>.yaml`.
pub(super) fn names(bundle: &Bundle) -> Vec<StackName> {
    bundle
        .files()
        .keys()
        .filter_map(|path| StackName::new(file_stem(path)?).ok())
        .collect()
}

/// A way out for a stack that is not there.
pub(super) fn known(known: &[&str], missing: &str) -> String {
    let file = format!("stacks/{}.yaml", bare(missing));
    match known {
        [] => format!("add the file {file}"),
        _ => format!(
            "known stacks: {}; a new one needs the file {file}",
            known.join(", ")
        ),
    }
}

/// `<stack>` of `stacks/<stack>.yaml`.
pub(super) fn file_stem(path: &str) -> Option<&str> {
    let stem = path.strip_prefix("stacks/")?.strip_suffix(".yaml")?;
    (!stem.contains('/')).then_some(stem)
}

/// What a stack's file says, besides what went into the context.
#[derive(Debug, Default)]
pub(super) struct StackFile {
    /// Accepted keys that mean nothing here.
    pub(super) unused: Vec<String>,
    /// Where `config:` stands, for what is missing in it.
    config_pos: Option<Pos>,
    /// Keys of other projects, without and with their namespace.
    of_others: BTreeMap<String, (Pos, String)>,
    /// Keys without a value, which was reported.
    empty: BTreeSet<String>,
}

/// Reads the stack's config into the context, overrides first.
pub(super) fn read_config<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    root: Option<&Node<'a>>,
    overrides: &BTreeMap<String, String>,
) -> StackFile {
    let mut found = StackFile::default();
    for (key, text) in overrides {
        let key = key.to_lowercase();
        if is_secret_name(&key) {
            context.report.hide(text);
        }
        let value = ConfigValue {
            content: ConfigContent::Text(text.clone()),
            place: None,
            key_place: None,
            written: variable(&key),
        };
        context.config.insert(key, value);
    }
    let Some(root) = root else {
        return found;
    };
    context.config_unknown |= !matches!(root.content, Content::Map(_));
    let mut google: Option<ConfigValue<'a>> = None;
    for entry in context.entries(file, root, "this file") {
        let place = Place {
            file,
            pos: entry.key_pos,
        };
        if PULUMI_KEYS.contains(&entry.key) {
            found.unused.push(format!("{place} {}", entry.key));
        } else if entry.key == "config" {
            found.config_pos = Some(entry.key_pos);
            config(context, file, entry.value, &mut google, &mut found);
        } else if !KEYS.contains(&entry.key) {
            context.unknown_key(file, &entry, KEYS.into_iter().chain(PULUMI_KEYS));
            // What was meant is known, so it is not missing elsewhere.
            let key = entry.key.rsplit(':').next().unwrap_or_default();
            if nearest(entry.key, ["config"]).is_some() {
                config(context, file, entry.value, &mut google, &mut found);
            } else if CONFIG_KEYS.contains(&key) {
                take(context, file, &entry, key);
            }
        }
    }
    match google {
        Some(value) if context.config.contains_key("gcp_project") => {
            found
                .unused
                .extend(value.place.map(|place| format!("{place} gcp:project")));
        }
        Some(value) => {
            context.config.insert("gcp_project".to_owned(), value);
        }
        None => {}
    }
    found
}

fn config<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node<'a>,
    google: &mut Option<ConfigValue<'a>>,
    found: &mut StackFile,
) {
    match &node.content {
        Content::Null => return,
        Content::Map(_) => {}
        _ => context.config_unknown = true,
    }
    for own in context.entries(file, node, "`config`") {
        config_key(context, file, &own, google, found);
    }
}

/// Takes a value whose key was reported, so that nothing else is said of it.
fn take<'a>(context: &mut ParseContext<'a>, file: &'a str, entry: &Entry<'_, 'a>, key: &str) {
    if matches!(entry.value.content, Content::Null) {
        context.config_unknown = true;
        return;
    }
    let key = key.to_lowercase();
    context.used.insert(key.clone());
    let value = value(file, entry);
    let counts = context.config.entry(key.clone()).or_insert(value);
    if let ConfigContent::Text(text) = &counts.content
        && is_secret_name(&key)
    {
        context.report.hide(text);
    }
}

/// A config value as it is written.
fn value<'a>(file: &'a str, entry: &Entry<'_, 'a>) -> ConfigValue<'a> {
    let place = |pos| Some(Place { file, pos });
    ConfigValue {
        content: content(entry.value),
        place: place(entry.value.pos),
        key_place: place(entry.key_pos),
        written: entry.key.to_owned(),
    }
}

fn config_key<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    entry: &Entry<'_, 'a>,
    google: &mut Option<ConfigValue<'a>>,
    found: &mut StackFile,
) {
    let place = Place {
        file,
        pos: entry.key_pos,
    };
    // `namespace:config:key` is Pulumi's old form of the same.
    let split = entry
        .key
        .split_once(':')
        .map(|(namespace, key)| (namespace, key.strip_prefix("config:").unwrap_or(key)));
    let Some((namespace, key)) = split.filter(|(n, k)| !n.is_empty() && !k.is_empty()) else {
        let message = format!("config key `{}` has no namespace", bare(entry.key));
        let hint = format!("write `{}`", context.config_key(&bare(entry.key)));
        context.report.hinted(place, message, hint);
        take(context, file, entry, entry.key.trim_matches(':'));
        return;
    };
    let key = key.to_lowercase();
    let ours = match &context.project {
        Some(project) => namespace == project,
        // With the project's name unknown, our own keys are the best guess.
        None => CONFIG_KEYS.contains(&key.as_str()),
    };
    let value = value(file, entry);
    if namespace == "gcp" && key == "project" {
        *google = Some(value);
    } else if !ours {
        found.unused.push(format!("{place} {}", bare(entry.key)));
        let other = (entry.key_pos, bare(entry.key));
        found.of_others.insert(key, other);
    } else if matches!(entry.value.content, Content::Null) {
        let message = format!("`{key}` has no value");
        context
            .report
            .hinted(place, message, "write a value, or remove the key");
        found.empty.insert(key);
    } else {
        let is_encrypted = matches!(value.content, ConfigContent::Encrypted);
        // Overrides are there already and win.
        let counts = context.config.entry(key.clone()).or_insert(value);
        // What was worth encrypting, or is called a secret, is not to be read in a message.
        if let ConfigContent::Text(text) = &counts.content
            && (is_encrypted || is_secret_name(&key))
        {
            context.report.hide(text);
        }
    }
}

fn content<'a>(node: &Node<'a>) -> ConfigContent<'a> {
    let is_secure = |key: &Node| matches!(&key.content, Content::Scalar(text) if text == "secure");
    match &node.content {
        Content::Scalar(text) => ConfigContent::Text(text.clone().into_owned()),
        Content::Map(pairs) if pairs.len() == 1 && pairs.iter().all(|(key, _)| is_secure(key)) => {
            ConfigContent::Encrypted
        }
        Content::Null | Content::List(_) | Content::Map(_) => {
            ConfigContent::Tree(Rc::new(node.clone()))
        }
    }
}

/// Reads the stack's own policy over the project's.
pub(super) fn read_policy<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    root: &Node,
    keys: &mut PolicyKeys,
) {
    let Content::Map(pairs) = &root.content else {
        return;
    };
    let own = pairs.iter().find_map(|(key, value)| match &key.content {
        Content::Scalar(text) if text == "policy" => Some(value),
        _ => None,
    });
    let was_protected = keys.policy.protected;
    let Some(place) = own.and_then(|node| policy::read(context, file, node, keys)) else {
        return;
    };
    if was_protected && !keys.policy.protected {
        let hint = "remove this line; only kedge.yaml can take the protection away";
        context
            .report
            .hinted(place, "kedge.yaml protects this stack", hint);
    }
}

/// One of our config values that something needs: its text, checked; an empty text when there is
/// none, since the set is refused then anyway.
pub(super) fn needed(
    context: &mut ParseContext<'_>,
    found: &StackFile,
    key: &'static str,
    need: &str,
) -> String {
    match context.config_text(key) {
        Filled::Text(text) => {
            if let Some(why) = fault(key, &text) {
                let value = context.config.get(key);
                let own = variable(key);
                let place = value.and_then(|value| value.place).unwrap_or(Place {
                    file: &own,
                    pos: Pos::START,
                });
                let message = format!("`{key}` can't be {}", quoted(&text));
                context.report.hinted(place, message, why);
            }
            text.into_owned()
        }
        Filled::Absent => {
            if !context.config_unknown && !found.empty.contains(key) {
                absent(context, found, key, need);
            }
            String::new()
        }
        Filled::Bad => String::new(),
    }
}

/// Reports a config value that is needed and not there: where it stands without a text, or under
/// another name, if it does.
fn absent(context: &mut ParseContext<'_>, found: &StackFile, key: &'static str, need: &str) {
    let file = stack_file(context.stack);
    let whole = context.config_key(key);
    if let Some(place) = context.config.get(key).and_then(|value| value.place) {
        let hint = format!("write its value here, or set {}", variable(key));
        let message = format!("`{key}` is empty");
        context.report.hinted(place, message, hint);
    } else if let Some((pos, other)) = found.of_others.get(key) {
        let place = Place {
            file: &file,
            pos: *pos,
        };
        let message = format!("`{other}` is another project's");
        let project = context.project.as_deref().unwrap_or_default();
        let hint = format!("write `{whole}`: `{project}` is the project in kedge.yaml");
        context.report.hinted(place, message, hint);
    } else if let Some((misspelt, place)) = misspelt(context, key) {
        let message = format!(
            "no definition uses the config key `{}`, did you mean `{key}`?",
            bare(&misspelt)
        );
        context
            .report
            .hinted(place, message, format!("write `{whole}`"));
        context.used.insert(misspelt);
    } else {
        let place = Place {
            file: &file,
            pos: found.config_pos.unwrap_or(Pos::START),
        };
        let hint = format!(
            "add `{whole}: …` under `config:`, or set {}: {need}",
            variable(key)
        );
        context
            .report
            .hinted(place, format!("`{key}` is not configured"), hint);
    }
}

/// A config key that nothing has used so far and that is nearly the one that is needed.
fn misspelt<'a>(context: &ParseContext<'a>, key: &'static str) -> Option<(String, Place<'a>)> {
    let unused =
        |name: &String| !CONFIG_KEYS.contains(&name.as_str()) && !context.used.contains(name);
    context.config.iter().find_map(|(name, value)| {
        let place = value.key_place.filter(|_| unused(name))?;
        nearest(name, [key]).map(|_| (name.clone(), place))
    })
}

/// Why a text can't be that config value. They become parts of paths and keys.
fn fault(key: &str, text: &str) -> Option<&'static str> {
    let all = |allowed: fn(char) -> bool| text.len() <= 63 && text.chars().all(allowed);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match key {
        "aiven_project" | "kafka_service" => {
            (!all(word)).then_some("write its name alone: letters, digits, `-`, `_`, at most 63")
        }
        "gcp_project" => {
            let id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
            (!all(id)).then_some("write the project's id: lower-case letters, digits, dashes")
        }
        "cloudflare_zone_id" => (text.len() != 32 || !is_hex(text)).then_some(
            "write the zone's 32 digits 0-9 and a-f, in lower case: see its page, under API",
        ),
        _ => None,
    }
}

/// Reports config keys of ours that nothing uses, and lists those that are known but not needed.
pub(super) fn finish(context: &mut ParseContext<'_>, found: &mut StackFile) {
    let mut words: Vec<String> = context.used.iter().cloned().collect();
    words.extend(CONFIG_KEYS.map(str::to_owned));
    let unused: Vec<(String, ConfigValue<'_>)> = context
        .config
        .iter()
        .filter(|(key, _)| !context.used.contains(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (key, value) in unused {
        let Some(place) = value.key_place else {
            found.unused.push(format!("environment {}", value.written));
            continue;
        };
        let listed = CONFIG_KEYS.contains(&key.as_str())
            || matches!(value.content, ConfigContent::Encrypted)
            || context.incomplete
            || context.project.is_none();
        if listed {
            found.unused.push(format!("{place} {}", value.written));
            continue;
        }
        let message = format!("no definition uses the config key `{}`", bare(&key));
        let known = words.iter().map(String::as_str).filter(|word| *word != key);
        let (message, hint) = match nearest(&key, known) {
            Some(word) => (
                format!("{message}, did you mean `{word}`?"),
                format!("write `{}`, or remove it", context.config_key(word)),
            ),
            None => (
                message,
                format!(
                    "remove it, or write `{{{}}}` where its value belongs",
                    bare(&key)
                ),
            ),
        };
        context.report.hinted(place, message, hint);
    }
    found.unused.sort();
}
