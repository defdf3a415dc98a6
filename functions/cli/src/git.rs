//! What git says of the folder of definitions: asked of `git` itself, which knows worktrees, packed
//! references and shallow clones. A folder without git is fine; then some checks can't be made, and
//! it is said which.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kedge_core::push::Ancestry;
use kedge_core::stored::bundle::Commit;
use kedge_native::Settings;

/// The trailer of a commit message that agrees to a withdrawal (semantics 7.3).
const WITHDRAW: &str = "Kedge-Withdraw";
/// The trailer that ends a push hold (semantics 7.4).
const AFTER_ROLLBACK: &str = "Kedge-After-Rollback";

/// The commit that is checked out, and what its message agrees to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Git {
    folder: PathBuf,
    /// The commit; none where there is none.
    pub(crate) commit: Option<Commit>,
    /// The branch; none on a detached head.
    pub(crate) branch: Option<String>,
    /// Whether the message says `Kedge-Withdraw: yes`.
    pub(crate) withdraw: bool,
    /// What the message says after `Kedge-After-Rollback:`.
    pub(crate) after_rollback: Option<String>,
    /// Why there is no commit. Reads on after "because".
    pub(crate) problem: Option<String>,
}

impl Git {
    /// Asks about a folder.
    pub(crate) fn of(folder: &Path, settings: &Settings) -> Self {
        let mut git = Self {
            folder: folder.to_owned(),
            ..Self::default()
        };
        let id = match git.ask(&["rev-parse", "--verify", "--quiet", "HEAD"]) {
            Ok(id) => id,
            Err(problem) => {
                git.problem = Some(problem);
                return git;
            }
        };
        // `.` is the folder of definitions: edits elsewhere are not pushed.
        let status = git.ask(&["status", "--porcelain", "--", "."]);
        git.commit = Some(Commit {
            id,
            edited: status.map_or(true, |text| !text.is_empty()),
        });
        git.branch = git
            .ask(&["symbolic-ref", "--short", "--quiet", "HEAD"])
            .ok();
        if git.branch.is_none() {
            git.branch = ci_branch(settings);
        }
        let message = git.ask(&["show", "--no-patch", "--format=%B", "HEAD"]);
        let message = message.unwrap_or_default();
        git.withdraw = trailer(&message, WITHDRAW).is_some_and(|said| said == "yes");
        git.after_rollback = trailer(&message, AFTER_ROLLBACK).map(str::to_owned);
        git
    }

    /// Whether a stored commit is an ancestor of the one that is checked out.
    pub(crate) fn ancestry(&self, stored: &Commit) -> Ancestry {
        let Some(commit) = &self.commit else {
            let problem = self.problem.clone().unwrap_or_default();
            return Ancestry::NotChecked(problem);
        };
        if commit.id == stored.id {
            return Ancestry::Descends;
        }
        if !stored.id.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ancestry::Unknown("it is not the id of a commit".to_owned());
        }
        // Exit codes of git merge-base --is-ancestor: 0 yes, 1 no, anything else an error.
        match self.run(&["merge-base", "--is-ancestor", &stored.id, &commit.id]) {
            Ok(output) => match output.status.code() {
                Some(0) => Ancestry::Descends,
                // A clone that was cut can't prove that something is no ancestor.
                Some(1) if self.is_shallow() => Ancestry::Unknown(
                    "this is a shallow clone, without the whole history".to_owned(),
                ),
                Some(1) => Ancestry::DoesNotDescend,
                _ => Ancestry::Unknown("this repository does not have it".to_owned()),
            },
            Err(error) => Ancestry::Unknown(format!("git could not be run: {error}")),
        }
    }

    fn is_shallow(&self) -> bool {
        let said = self.ask(&["rev-parse", "--is-shallow-repository"]);
        said.is_ok_and(|said| said == "true")
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let output = match self.run(arguments) {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err("git is not installed".to_owned());
            }
            Err(error) => return Err(format!("git could not be run: {error}")),
        };
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(refused(&output)),
        }
    }

    fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            // Its words are looked at below.
            .env("LC_ALL", "C")
            .output()
    }
}

fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    match first {
        first if first.contains("not a git repository") => {
            "the definitions are not in a git repository".to_owned()
        }
        "" => "the git repository has no commit yet".to_owned(),
        first => format!("git said: {}", first.trim_start_matches("fatal: ")),
    }
}

/// The branch that a GitHub Actions run is for, whose checkout may be a detached head: of a pull
/// request the branch that it would be merged into, since that is what it changes.
pub(crate) fn ci_branch(settings: &Settings) -> Option<String> {
    settings.get("GITHUB_ACTIONS")?;
    if let Some(base) = settings.get("GITHUB_BASE_REF") {
        return Some(base.to_owned());
    }
    let is_branch = settings.get("GITHUB_REF_TYPE") == Some("branch");
    let name = settings.get("GITHUB_REF_NAME").filter(|_| is_branch)?;
    Some(name.to_owned())
}

/// The value of a trailer, `Name: value` on a line of its own.
fn trailer<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().rev().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::of(pairs)
    }

    #[test]
    fn trailers() {
        let message =
            "topics: less\n\nSome: text\n\nKedge-Withdraw: yes\nkedge-after-rollback: 3f9a\n";
        assert_eq!(trailer(message, WITHDRAW), Some("yes"));
        assert_eq!(trailer(message, AFTER_ROLLBACK), Some("3f9a"));
        assert_eq!(trailer("Kedge-Withdraw\n", WITHDRAW), None);
    }

    #[test]
    fn the_branch_of_a_github_actions_run() {
        let push = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_REF_NAME", "main"),
        ];
        assert_eq!(ci_branch(&settings(&push)).as_deref(), Some("main"));
        assert_eq!(ci_branch(&settings(&push[1..])), None);
        let pull = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_REF_NAME", "12/merge"),
            ("GITHUB_BASE_REF", "staging"),
        ];
        assert_eq!(ci_branch(&settings(&pull)).as_deref(), Some("staging"));
        let tag = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_TYPE", "tag"),
            ("GITHUB_REF_NAME", "v1"),
        ];
        assert_eq!(ci_branch(&settings(&tag)), None);
    }

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "user.name=ana", "-c", "user.email=ana@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn commits_and_their_ancestry() {
        let folder = tempfile::tempdir().unwrap();
        let (root, none) = (folder.path(), settings(&[]));
        let outside = Git::of(root, &none);
        assert!(outside.commit.is_none() && outside.problem.is_some());
        let stored = |id: &str| Commit {
            id: id.to_owned(),
            edited: false,
        };
        let ancestry = outside.ancestry(&stored("c0ffee"));
        assert!(matches!(ancestry, Ancestry::NotChecked(_)), "{ancestry:?}");

        git(root, &["init", "--quiet", "--initial-branch=main"]);
        assert!(Git::of(root, &none).commit.is_none());
        let commit = |message: &str| {
            git(
                root,
                &["commit", "--quiet", "--allow-empty", "--message", message],
            );
            git(root, &["rev-parse", "HEAD"])
        };
        let first = commit("first");
        let second = commit("second\n\nKedge-Withdraw: yes");
        let now = Git::of(root, &none);
        assert_eq!(now.commit, Some(stored(&second)));
        assert_eq!((now.branch.as_deref(), now.withdraw), (Some("main"), true));
        assert_eq!(now.ancestry(&stored(&first)), Ancestry::Descends);
        assert_eq!(now.ancestry(&stored(&second)), Ancestry::Descends);
        let unknown = now.ancestry(&stored(&"0".repeat(40)));
        assert!(matches!(unknown, Ancestry::Unknown(_)), "{unknown:?}");
        let strange = now.ancestry(&stored("--help"));
        assert!(matches!(strange, Ancestry::Unknown(_)), "{strange:?}");

        git(root, &["checkout", "--quiet", &first]);
        std::fs::write(root.join("kedge.yaml"), "project: x\n").unwrap();
        let old = Git::of(root, &none);
        assert_eq!(old.ancestry(&stored(&second)), Ancestry::DoesNotDescend);
        assert!(old.commit.unwrap().edited && old.branch.is_none());
    }
}
