//! Definitions: a bundle of YAML files in, one stack's [`Declared`] resources out, or all that is wrong.
//!
//! `yaml` makes a tree with positions. The readers (`project`, `stack`, `kafka`, `pubsub`, `nodes`) walk
//! the trees and report every problem with its place. `fields` reads a resource's fields by the tables
//! in `crate::providers`, from which `schema` makes the JSON Schemas for editors. Problems that all
//! readers share are in `entries` (a node of the wrong sort), `misplaced` (an unknown key) and `syntax`
//! (text that is not YAML).

mod bundle;
mod context;
mod entries;
mod fields;
mod iam;
mod kafka;
mod misplaced;
mod naming;
mod nodes;
mod others;
mod policy;
mod problem;
mod project;
mod pubsub;
pub(crate) mod redact;
mod scalar;
mod schema;
mod stack;
mod suggest;
mod syntax;
mod units;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    BucketAddress, BucketAddressError, Declared, DeclaredResource, ResourceKey, Salt, StackConfig,
    StackName,
};
use crate::providers::ProviderName;

use context::{ParseContext, stack_file};
use kafka::KafkaReader;
use problem::{Place, ProblemCollector};
use project::Project;
use pubsub::PubsubReader;
use yaml::{Content, Node, Pos};

pub use bundle::{Bundle, BundleError, same_but_for_case};
pub use context::variable;
pub use others::{declared_by_others, may_have_nodes_of_environment};
pub use problem::{Problem, Problems};
pub use schema::{json_schema_text, json_schemas};
pub use suggest::nearest;

/// What a parse needs.
#[derive(Debug, Clone, Copy)]
pub struct ParseInput<'a> {
    /// The files.
    pub bundle: &'a Bundle,
    /// The stack to read them for.
    pub stack: &'a StackName,
    /// Config values that win over the stack's file, by key without namespace: those of the
    /// environment variables `KEDGE_CONFIG_<KEY>`.
    pub overrides: &'a BTreeMap<String, String>,
    /// The key of the hashes of URLs' hidden parts.
    pub salt: &'a Salt,
}

/// Reads the definitions of one stack. Files of other stacks are not read, so that a mistake in one
/// stack's file stops that stack only.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn parse(input: &ParseInput<'_>) -> Result<Declared, Problems> {
    let mut context = context(input);
    context.known_stacks = stack::names(input.bundle);
    let own_file = stack_file(input.stack);
    let layout = Layout::of(&mut context, input.bundle);
    let own_path = input
        .bundle
        .files()
        .get_key_value(&own_file)
        .map(|(path, _)| path.as_str());
    let root = project_root(&mut context);
    if let Some(root) = &root {
        context.project = project::name(&mut context, root);
    }
    let stack_root = stack_root(&mut context, &own_file, own_path);
    let own_path = own_path.unwrap_or_default();
    let mut stack_file =
        stack::read_config(&mut context, own_path, stack_root.as_ref(), input.overrides);
    let mut project = match &root {
        Some(root) => project::read(&mut context, root, &layout.areas),
        None => {
            context.defaults_unknown = true;
            Project::default()
        }
    };
    if let Some(root) = &stack_root {
        stack::read_policy(&mut context, own_path, root, &mut project.policy_keys);
    }
    context.asked.clear();
    let mut resources = read_areas(&mut context, &layout, &project, &stack_file);
    resources.extend(nodes::read(&mut context, &stack_file));
    stack::finish(&mut context, &mut stack_file);
    let config = stack_config(&context, &resources);
    let files_read = layout.files_read();
    let config_keys = context.used;
    match context.report.finish(files_read) {
        Some(problems) => Err(problems),
        None => Ok(Declared {
            stack: input.stack.clone(),
            revision: input.bundle.revision(),
            files_read,
            config,
            policy: project.policy_keys.policy,
            check_every: project.policy_keys.check_every,
            resources: by_key(resources),
            ignore_rules: project.ignore_rules,
            unused: stack_file.unused,
            variables: variables(input.overrides, &config_keys),
            config_keys,
        }),
    }
}

/// The config keys whose values came from the environment and were used.
fn variables(overrides: &BTreeMap<String, String>, used: &BTreeSet<String>) -> BTreeSet<String> {
    // An empty text is what is not set.
    let bundle = overrides.iter().filter(|(_, text)| !text.is_empty());
    bundle
        .map(|(key, _)| key.to_lowercase())
        .filter(|key| used.contains(key))
        .collect()
}

/// The resources by their keys. Keys with equal scopes share one.
fn by_key(mut resources: Vec<DeclaredResource>) -> BTreeMap<ResourceKey, DeclaredResource> {
    let mut known: Option<ResourceKey> = None;
    for one in &mut resources {
        let is_known = known
            .as_ref()
            .is_some_and(|known| one.key.share_scope(known));
        if !is_known {
            known = Some(one.key.clone());
        }
    }
    let with_key = |one: DeclaredResource| (one.key.clone(), one);
    resources.into_iter().map(with_key).collect()
}

fn context<'a>(input: &ParseInput<'a>) -> ParseContext<'a> {
    ParseContext {
        report: ProblemCollector::new(input.bundle),
        stack: input.stack,
        known_stacks: Vec::new(),
        salt: input.salt,
        project: None,
        config: BTreeMap::new(),
        used: BTreeSet::new(),
        asked: BTreeSet::new(),
        asked_by_defaults: BTreeSet::new(),
        own_path: None,
        default_path: None,
        config_unknown: false,
        defaults_unknown: false,
        incomplete: false,
    }
}

/// The stacks of a bundle: one per file `stacks/<stack>.yaml`.
#[must_use]
pub fn stack_names(bundle: &Bundle) -> Vec<StackName> {
    stack::names(bundle)
}

/// The GitHub Environment of a stack that `environments:` of `kedge.yaml` does not name: personal
/// stacks share the secrets of development.
pub const SHARED_ENVIRONMENT: &str = "development";

/// The GitHub Environment that holds a stack's secrets.
#[must_use]
pub fn environment_of(bundle: &Bundle, stack: &StackName) -> String {
    let root = bundle
        .text(project::FILE)
        .and_then(|text| yaml::read(text).ok());
    let environments = root.as_ref().and_then(|root| child(root, "environments"));
    match environments.and_then(|environments| child(environments, stack.as_str())) {
        Some(Node {
            content: Content::Scalar(name),
            ..
        }) => name.clone().into_owned(),
        _ => SHARED_ENVIRONMENT.to_owned(),
    }
}

/// Whether a stack is protected, as far as its definitions say: all that a workflow must know before
/// it has the secrets that a whole reading may take.
#[must_use]
pub fn is_protected(bundle: &Bundle, stack: &StackName) -> bool {
    let says = |path: &str, keys: &[&str]| -> Option<bool> {
        let root = yaml::read(bundle.text(path)?).ok()?;
        let found = keys.iter().try_fold(&root, |node, key| child(node, key))?;
        match &found.content {
            Content::Scalar(text) => Some(text == "true"),
            _ => None,
        }
    };
    let own = says(project::FILE, &["stacks", stack.as_str(), "protected"]);
    let all = || says(project::FILE, &["policy", "protected"]);
    let file = says(&stack_file(stack), &["policy", "protected"]);
    own.or_else(all) == Some(true) || file == Some(true)
}

/// The stack that a branch deploys to: what `branches:` of `kedge.yaml` says, else the stack of the
/// branch's own name, if there is one.
#[must_use]
pub fn stack_of_branch(bundle: &Bundle, branch: &str) -> Option<StackName> {
    let known = stack::names(bundle);
    let named = |name: &str| known.iter().find(|stack| stack.as_str() == name).cloned();
    let root = bundle
        .text(project::FILE)
        .and_then(|text| yaml::read(text).ok());
    let branches = root.as_ref().and_then(|root| child(root, "branches"));
    match branches.and_then(|branches| child(branches, branch)) {
        // A mapping to a stack that is not there is a mistake, and no reason to guess another.
        Some(Node {
            content: Content::Scalar(name),
            ..
        }) => named(name),
        Some(_) => None,
        None => named(branch),
    }
}

/// The bucket that `kedge.yaml` names for Kedge's store; none if it names none.
///
/// # Errors
/// When `bucket:` is not the address of a bucket. The caller must not fall back to another store then.
pub fn bucket_of(bundle: &Bundle) -> Result<Option<BucketAddress>, BucketAddressError> {
    let root = bundle
        .text(project::FILE)
        .and_then(|text| yaml::read(text).ok());
    match root.as_ref().and_then(|root| child(root, "bucket")) {
        None => Ok(None),
        Some(node) => match &node.content {
            Content::Scalar(text) => text.parse().map(Some),
            _ => "".parse().map(Some),
        },
    }
}

fn child<'n>(node: &'n Node<'n>, name: &str) -> Option<&'n Node<'n>> {
    let Content::Map(pairs) = &node.content else {
        return None;
    };
    pairs.iter().find_map(|(key, value)| match &key.content {
        Content::Scalar(text) if text == name => Some(value),
        _ => None,
    })
}

/// The files by what reads them.
struct Layout<'a> {
    kafka: Vec<&'a str>,
    pubsub: Vec<&'a str>,
    areas: BTreeSet<&'a str>,
    others: usize,
}

impl<'a> Layout<'a> {
    fn of(context: &mut ParseContext<'a>, bundle: &'a Bundle) -> Self {
        let mut layout = Self {
            kafka: Vec::new(),
            pubsub: Vec::new(),
            areas: BTreeSet::new(),
            others: 0,
        };
        for path in bundle.files().keys() {
            if path == project::FILE || *path == stack_file(context.stack) {
                layout.others += 1;
                continue;
            }
            if let Some(stem) = stack::file_stem(path) {
                if let Err(error) = StackName::new(stem) {
                    let hint = "rename the file";
                    context
                        .report
                        .hinted(start_of(path), error.to_string(), hint);
                }
                continue;
            }
            let (area, name) = match (path.split_once('/'), path.rsplit_once('/')) {
                (Some((area, _)), Some((_, name))) if area != "stacks" => (area, name),
                _ => ("", ""),
            };
            match name {
                "kafka-topics.yaml" => layout.kafka.push(path),
                "pubsub.yaml" => layout.pubsub.push(path),
                _ => {
                    stray(context, path);
                    continue;
                }
            }
            layout.areas.insert(area);
        }
        layout
    }

    fn files_read(&self) -> usize {
        self.kafka.len() + self.pubsub.len() + self.others
    }
}

fn start_of(file: &str) -> Place<'_> {
    Place {
        file,
        pos: Pos::START,
    }
}

/// Reports a file that nothing reads, with the path that was probably meant.
fn stray(context: &mut ParseContext<'_>, path: &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.trim_end_matches(".yml").trim_end_matches(".yaml");
    let outside = folder.is_empty() || folder.split('/').next() == Some("stacks");
    let meant = match (folder, stem.strip_prefix("Pulumi.")) {
        (_, Some(stack)) => Some(format!("stacks/{stack}.yaml")),
        (_, None) if outside && ["kafka-topics", "pubsub"].contains(&stem) => {
            Some(format!("<area>/{stem}.yaml"))
        }
        ("stacks", None) => Some(format!("stacks/{stem}.yaml")),
        ("", None) => suggest::nearest(stem, ["kedge"]).map(|_| project::FILE.to_owned()),
        (_, None) if outside => None,
        (folder, None) => suggest::nearest(stem, ["kafka-topics", "pubsub"])
            .map(|word| format!("{folder}/{word}.yaml")),
    };
    let message = match meant {
        Some(meant) => format!("nothing reads this file, did you mean `{meant}`?"),
        None => "nothing reads this file".to_owned(),
    };
    let hint = "rename or remove it; read are kedge.yaml, stacks/<stack>.yaml, \
                <area>/…/kafka-topics.yaml and <area>/…/pubsub.yaml";
    context.report.hinted(start_of(path), message, hint);
}

fn project_root<'a>(context: &mut ParseContext<'a>) -> Option<Node<'a>> {
    if context.report.text(project::FILE).is_none() {
        let hint =
            "add it with `project: <name>`; the folder that holds it is the definitions' root";
        context
            .report
            .hinted(start_of(project::FILE), "there is no kedge.yaml", hint);
        context.incomplete = true;
        return None;
    }
    context.read(project::FILE)
}

/// The tree of the stack's own file. Reports stack names whose namespaces overlap with this one's.
fn stack_root<'a>(
    context: &mut ParseContext<'a>,
    own_file: &str,
    own_path: Option<&'a str>,
) -> Option<Node<'a>> {
    let stack = context.stack;
    for other in context.known_stacks.clone() {
        if stack.overlaps(&other) {
            let message = format!("the names of the stacks `{stack}` and `{other}` overlap");
            let hint = format!(
                "`{}-a` could belong to either; rename the file of one",
                longer(stack, &other)
            );
            context.report.hinted(start_of(own_file), message, hint);
        }
    }
    let root = match own_path {
        Some(path) => context.read(path),
        None => {
            let known: Vec<&str> = context.known_stacks.iter().map(StackName::as_str).collect();
            let message = suggest::with_suggestion(
                format!("there is no stack `{stack}`"),
                stack.as_str(),
                known.iter().copied(),
            );
            let hint = stack::known(&known, stack.as_str());
            context.report.hinted(start_of(own_file), message, hint);
            None
        }
    };
    context.config_unknown = root.is_none();
    root
}

fn longer<'s>(one: &'s StackName, other: &'s StackName) -> &'s StackName {
    if one.as_str().len() > other.as_str().len() {
        one
    } else {
        other
    }
}

/// Reads the files of all areas.
fn read_areas<'a>(
    context: &mut ParseContext<'a>,
    layout: &Layout<'a>,
    project: &Project<'a>,
    own: &stack::StackFile,
) -> Vec<DeclaredResource> {
    let aiven = silent(context, "aiven_project");
    let service = silent(context, "kafka_service");
    let google = silent(context, "gcp_project");
    let mut found = Vec::new();
    let no_fields = fields::FieldMap::new();
    let mut kafka = KafkaReader::default();
    for path in &layout.kafka {
        let area = area_of(path);
        if let Some(root) = context.read(path) {
            let defaults = project.kafka_defaults.get(area).unwrap_or(&no_fields);
            found.extend(kafka.file(context, path, &root, defaults, (&aiven, &service)));
        }
    }
    let nothing = pubsub::Defaults::default();
    let mut pubsub = PubsubReader::default();
    for path in &layout.pubsub {
        let area = area_of(path);
        if let Some(root) = context.read(path) {
            let defaults = project.pubsub_defaults.get(area).unwrap_or(&nothing);
            found.extend(pubsub.file(context, path, &root, defaults, &google));
        }
    }
    if let Some(first) = kafka.first {
        let need = format!("topics ({first}) are in an Aiven service");
        stack::needed(context, own, "aiven_project", &need);
        stack::needed(context, own, "kafka_service", &need);
    }
    if let Some(first) = pubsub.first {
        let need = format!("what {first} declares is in a Google project");
        stack::needed(context, own, "gcp_project", &need);
    }
    pubsub.finish(context);
    found
}

fn area_of(path: &str) -> &str {
    path.split_once('/').map_or("", |(area, _)| area)
}

/// A config value as it stands, unreported and not yet marked as used: whether it is needed is
/// known once the files are read.
fn silent(context: &ParseContext<'_>, key: &str) -> String {
    match context.config.get(key).map(|value| &value.content) {
        Some(context::ConfigContent::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The settings that something declared needs.
fn stack_config(context: &ParseContext<'_>, resources: &[DeclaredResource]) -> StackConfig {
    let mut config = StackConfig::default();
    let text = |key: &str| Some(silent(context, key)).filter(|text| !text.is_empty());
    for provider in ProviderName::ALL {
        let is_its = |one: &DeclaredResource| one.key.kind().entry().provider == provider;
        if !resources.iter().any(is_its) {
            continue;
        }
        match provider {
            ProviderName::Aiven => {
                config.aiven_project = text("aiven_project");
                config.kafka_service = text("kafka_service");
            }
            ProviderName::Pubsub => config.gcp_project = text("gcp_project"),
            ProviderName::Cloudflare => config.cloudflare_zone_id = text("cloudflare_zone_id"),
        }
    }
    config
}
