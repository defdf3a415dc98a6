//! `kedge init`: sets up a folder for a stack.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use kedge_core::definitions::stack_names;
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_engine::RunError;
use kedge_engine::ports::{ProviderName, Secrets as _};
use kedge_native::{load_settings, secrets_of};

use crate::args::{Args, InitOptions};
use crate::error::CliError;
use crate::hints::CommandLine;
use crate::store::ChosenStore;
use crate::{definitions, screen, stack};

/// The template of `.env`, the same file as in the repository.
const ENV_EXAMPLE: &str = include_str!("../../../.env.example");

/// Writes `.env` if there is none, the stack's file if there is none, selects the stack, and says
/// which credentials are still missing. Never overwrites a file.
pub(crate) fn init(args: &Args, options: &InitOptions) -> Result<u8, CliError> {
    let set = definitions::load(&args.definitions)?;
    let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
    let settings = load_settings(&folder)?;
    if settings.read_only()? {
        return Err(RunError::ReadOnly.into());
    }
    let name = match &args.stack {
        Some(name) => name.clone(),
        None if screen::can_ask() => {
            screen::ask("Stack (an existing one, or the name of a new one): ")?
        }
        None => stack::choose(args, &settings, &set)?.stack.to_string(),
    };
    let name = StackName::new(&name).map_err(|error| CliError::Usage(error.to_string()))?;
    let file = args.definitions.join(format!("stacks/{name}.yaml"));
    if !file.exists()
        && let Some(other) = stack_names(&set).iter().find(|other| name.overlaps(other))
    {
        return Err(CliError::Usage(format!(
            "the names of the stacks `{name}` and `{other}` overlap: a resource whose name begins \
             with the longer one would belong to both; choose another name"
        )));
    }
    write_new(Path::new(".env"), ENV_EXAMPLE)?;
    if !file.exists() {
        let like = format!("stacks/{}.yaml", options.like);
        let Some(text) = set.text(&like) else {
            return Err(CliError::Usage(format!(
                "there is no {like} to copy settings from; name another stack with --like"
            )));
        };
        write_new(&file, &without_own_values(text, &name))?;
    }
    stack::write_selected(name.as_str())?;
    screen::out_lines(&format!("selected {name}"))?;
    let (secrets, problem) = secrets_of(&settings, &folder);
    if let Some(problem) = problem {
        screen::out_lines(&problem.to_string())?;
    }
    let endpoints = settings.endpoints()?;
    for provider in ProviderName::ALL {
        let variable = provider.entry().credential.variable;
        if endpoints.is_authenticated(provider) && secrets.secret(variable).is_none() {
            screen::out_lines(&format!("{variable} is not set: add it to .env"))?;
        }
    }
    let store = ChosenStore::of(args, &settings, &set)?;
    screen::out_lines(&format!("state is kept in {}", store.describe()))?;
    if let Some(advice) = store.lacks(&settings) {
        screen::out_lines(&advice)?;
    }
    let line = CommandLine {
        stack: Some(name.to_string()),
        names_stack: true,
        flags: args.flags(),
        read_only: false,
    };
    screen::out_lines(&format!("next: {}", line.words(&Hint::Preview)))?;
    Ok(0)
}

/// The settings that stacks share: no nodes and no webhook, which are one stack's own.
fn without_own_values(text: &str, name: &StackName) -> String {
    let schema = "# yaml-language-server: $schema=../schema/stack.schema.json\n";
    let mut lines = format!("{schema}# {name}\nconfig:\n");
    let shared = [
        "aiven_project",
        "kafka_service",
        "gcp_project",
        "gcp:project",
        "gcp:region",
    ];
    for line in text.lines() {
        let key = line.trim_start().split(": ").next().unwrap_or_default();
        if shared.iter().any(|end| key.ends_with(end)) {
            lines.push_str(&format!("  {}\n", line.trim()));
        }
    }
    lines
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    if path.exists() {
        return screen::out_lines(&format!("{} exists already, unchanged", path.display()));
    }
    let write = |source| CliError::Write {
        path: path.to_owned(),
        source,
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    // `.env` will hold credentials; a definition is for everybody to read.
    #[cfg(unix)]
    if path == Path::new(".env") {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(path).map_err(write)?;
    file.write_all(text.as_bytes()).map_err(write)?;
    screen::out_lines(&format!("wrote {}", path.display()))
}
