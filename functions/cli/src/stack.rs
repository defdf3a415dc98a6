//! Which stack is meant, and how that is known.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kedge_core::definitions::{
    Bundle, environment_of, is_protected, nearest, stack_names, stack_of_branch,
};
use kedge_core::documents;
use kedge_core::model::{StackName, printable};
use kedge_native::{Settings, load_settings};

use crate::args::{Args, Format};
use crate::error::CliError;
use crate::{definitions, git, screen, setup};

/// Where `kedge select` keeps its answer.
const SELECTED: &str = ".kedge/selected";

/// A stack and how it was chosen, which is always printed.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) stack: StackName,
    pub(crate) origin: String,
}

/// Finds the stack: `--stack`, `KEDGE_STACK`, `kedge select`, the git branch, in this order.
pub(crate) fn choose(
    args: &Args,
    settings: &Settings,
    bundle: &Bundle,
) -> Result<Chosen, CliError> {
    let (name, origin) = if let Some(name) = &args.stack {
        (name.clone(), "--stack".to_owned())
    } else if let Some(name) = settings.get("KEDGE_STACK") {
        (name.to_owned(), "KEDGE_STACK".to_owned())
    } else if let Ok(name) = fs::read_to_string(SELECTED) {
        (name.trim().to_owned(), "kedge select".to_owned())
    } else if let Some(branch) = git::ci_branch(settings) {
        return Ok(Chosen {
            stack: stack_of_branch(bundle, &branch).ok_or_else(|| no_stack(&branch, bundle))?,
            origin: format!("branch {}", printable(&branch)),
        });
    } else if let Some((stack, branch)) = of_branch(Path::new("."), bundle) {
        return Ok(Chosen {
            stack,
            origin: format!("branch {branch}"),
        });
    } else {
        let known = known(bundle);
        return Err(CliError::Usage(format!(
            "no stack is chosen; name one with --stack, KEDGE_STACK or `kedge select` ({known})"
        )));
    };
    let stack = StackName::new(&name)
        .map_err(|error| CliError::Usage(format!("{error} (from {origin})")))?;
    Ok(Chosen { stack, origin })
}

fn no_stack(branch: &str, bundle: &Bundle) -> CliError {
    CliError::Usage(format!(
        "branch {branch} deploys to no stack ({})",
        known(bundle)
    ))
}

/// `kedge stack`. For GitHub Actions it prints outputs of a step, and a branch without a stack is no
/// error there: there is nothing to do then.
pub(crate) fn show(args: &Args) -> Result<u8, CliError> {
    let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
    let settings = load_settings(&folder)?;
    let bundle = definitions::load(&args.definitions)?;
    let format = args.format();
    let is_given = args.stack.is_some() || settings.get("KEDGE_STACK").is_some();
    if format == Format::Github
        && !is_given
        && let Some(branch) = git::ci_branch(&settings)
        && stack_of_branch(&bundle, &branch).is_none()
    {
        let branch = printable(&branch);
        screen::err_lines(&format!("branch {branch} deploys to no stack"))?;
        screen::out("stack=\nprotected=false\n")?;
        return Ok(0);
    }
    let Chosen { stack, origin } = choose(args, &settings, &bundle)?;
    if !stack_names(&bundle).contains(&stack) {
        let known = known(&bundle);
        return Err(CliError::Usage(format!(
            "there is no stack `{stack}`; {known}"
        )));
    }
    let protected = is_protected(&bundle, &stack);
    let [environment, push, preview] = environments(environment_of(&bundle, &stack), protected);
    if matches!(format, Format::Text | Format::Junit) {
        let protected = if protected { " · protected" } else { "" };
        let text = format!("{stack} (from {origin}) · environment {environment}{protected}\n");
        screen::out_lines(&text)?;
        return Ok(0);
    }
    screen::out(&match format {
        Format::Json => documents::json_text(&document(&bundle, &stack, &origin))?,
        _ => format!(
            "stack={stack}\nprotected={protected}\nenvironment={environment}\n\
             push_environment={push}\npreview_environment={preview}\n"
        ),
    })?;
    Ok(0)
}

/// A stack as a document.
fn document(bundle: &Bundle, stack: &StackName, origin: &str) -> documents::Stack {
    let protected = is_protected(bundle, stack);
    let environments = environments(environment_of(bundle, stack), protected);
    documents::stack(
        stack,
        origin,
        protected,
        environments.each_ref().map(String::as_str),
    )
}

/// The GitHub Environments of a stack's `up`, `push` and `preview`. A protected stack has three: the
/// first waits for reviewers, and a pull request must not see what its credentials can do.
fn environments(environment: String, protected: bool) -> [String; 3] {
    let of = |suffix: &str| match protected {
        true => format!("{environment}-{suffix}"),
        false => environment.clone(),
    };
    let (push, preview) = (of("push"), of("preview"));
    [environment, push, preview]
}

fn known(bundle: &Bundle) -> String {
    there_are(&stack_names(bundle).into_iter().collect())
}

fn there_are(stacks: &BTreeSet<StackName>) -> String {
    const SHOWN_MAX: usize = 10;
    let names = stacks.iter().take(SHOWN_MAX).map(StackName::as_str);
    let names = names.collect::<Vec<_>>().join(", ");
    match stacks.len().saturating_sub(SHOWN_MAX) {
        0 => format!("there are {names}"),
        more => format!("there are {names} and {more} more"),
    }
}

/// A name that is no stack's, beside those that are.
pub(crate) fn unknown(stack: &StackName, known: impl Iterator<Item = StackName>) -> CliError {
    let known: BTreeSet<StackName> = known.collect();
    let meant = nearest(stack.as_str(), known.iter().map(StackName::as_str));
    let meant = meant.map(|name| format!(", did you mean `{name}`?"));
    let others = match known.is_empty() {
        true => String::new(),
        false => format!("; {}", there_are(&known)),
    };
    CliError::Usage(format!(
        "there is no stack `{stack}`{}: there is no file stacks/{stack}.yaml here, and nothing is \
         stored of it{others}",
        meant.unwrap_or_default()
    ))
}

/// The stack of the branch that is checked out, if there is one.
fn of_branch(folder: &Path, bundle: &Bundle) -> Option<(StackName, String)> {
    let folder = folder.canonicalize().ok()?;
    let git = folder
        .ancestors()
        .map(|folder| folder.join(".git"))
        .find(|git| git.exists())?;
    let head = if git.is_file() {
        // A worktree's .git is a file: `gitdir: <folder>`.
        let text = fs::read_to_string(&git).ok()?;
        Path::new(text.strip_prefix("gitdir:")?.trim()).join("HEAD")
    } else {
        git.join("HEAD")
    };
    let head = fs::read_to_string(head).ok()?;
    let branch = head.strip_prefix("ref: refs/heads/")?.trim();
    stack_of_branch(bundle, branch).map(|stack| (stack, branch.to_owned()))
}

/// `kedge select`.
pub(crate) fn select(args: &Args, name: &str) -> Result<u8, CliError> {
    let bundle = definitions::load(&args.definitions)?;
    let names = stack_names(&bundle);
    let Some(stack) = names.iter().find(|stack| stack.as_str() == name) else {
        let known = known(&bundle);
        return Err(CliError::Usage(format!(
            "there is no stack `{name}`; {known}"
        )));
    };
    setup::refuse_read_only()?;
    write_selected(name)?;
    match args.format() {
        Format::Json => {
            let document = document(&bundle, stack, "kedge select");
            screen::out(&documents::json_text(&document)?)?;
        }
        _ => screen::out_lines(&format!("selected {name}"))?,
    }
    Ok(0)
}

/// Keeps the selected stack for later commands in this folder.
pub(crate) fn write_selected(name: &str) -> Result<(), CliError> {
    let write = |source| CliError::Write {
        path: SELECTED.into(),
        source,
    };
    fs::create_dir_all(".kedge").map_err(write)?;
    fs::write(SELECTED, format!("{name}\n")).map_err(write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_stack_has_three_environments() {
        let of = |protected| environments("prod".to_owned(), protected);
        assert_eq!(of(false), ["prod", "prod", "prod"]);
        assert_eq!(of(true), ["prod", "prod-push", "prod-preview"]);
    }

    #[test]
    fn the_branch_of_a_repository_and_of_a_worktree() {
        let files = [
            ("kedge.yaml", "branches: {main: prod}\n"),
            ("stacks/prod.yaml", ""),
            ("stacks/dev.yaml", ""),
        ];
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let bundle = Bundle::new(files.collect()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join(".git");
        fs::create_dir(&git).unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let on = |head: &str| {
            fs::write(git.join("HEAD"), head).unwrap();
            of_branch(&inner, &bundle).map(|(stack, _)| stack.to_string())
        };
        assert_eq!(on("ref: refs/heads/main\n").as_deref(), Some("prod"));
        assert_eq!(on("ref: refs/heads/dev\n").as_deref(), Some("dev"));
        assert_eq!(on("ref: refs/heads/feature/x\n"), None);
        assert_eq!(on("0123456789\n"), None);
        let tree = tempfile::tempdir().unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/dev\n").unwrap();
        fs::write(
            tree.path().join(".git"),
            format!("gitdir: {}\n", git.display()),
        )
        .unwrap();
        assert_eq!(of_branch(tree.path(), &bundle).unwrap().0.as_str(), "dev");
    }
}
