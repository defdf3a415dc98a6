//! `kedge history`: pushes and what runs did, newest first.

use kedge_core::model::{ResourceKey, Timestamp};
use kedge_core::render::plain_text;
use kedge_core::stored::run::{RunOutcome, RunRecord};
use kedge_engine::documents;
use kedge_engine::ports::Clock as _;
use kedge_engine::{History, PushEntry, PushError, Query};

use crate::args::{Args, Format, HistoryOptions};
use crate::error::CliError;
use crate::screen;
use crate::setup::Setup;

/// `kedge history`.
pub(crate) async fn history(args: &Args, options: &HistoryOptions) -> Result<u8, CliError> {
    let setup = Setup::of(args)?;
    let query = Query {
        resource: options.resource.clone(),
        since: options.since.map(|ms| setup.ports.now().plus_ms(-ms)),
        most: usize::from(options.most),
    };
    let stack = &setup.chosen.stack;
    let found = setup.engine(&|_| {}).history(stack, &query).await;
    let history = found.map_err(PushError::Store)?;
    if history == History::default() {
        setup.refuse_unknown().await?;
    }
    if args.format() == Format::Json {
        screen::document(&documents::history(stack, &history))?;
        return Ok(0);
    }
    let mut text = format!("{stack} (from {})\n", setup.chosen.origin);
    for (_, lines) in entries(&history) {
        text.push_str(&lines);
    }
    if history.pushes.is_empty() && history.runs.is_empty() {
        text.push_str("no pushes and no runs yet\n");
    }
    for key in &history.unread {
        text.push_str(&format!("can't be read: {}\n", plain_text(key)));
    }
    if history.more {
        text.push_str("there is more: use --most or --since\n");
    }
    screen::out_lines(&text)?;
    Ok(0)
}

/// Every entry as lines, newest first.
fn entries(history: &History) -> Vec<(i64, String)> {
    let pushes = history
        .pushes
        .iter()
        .map(|push| (push.pushed.at.0, push_line(push)));
    let runs = history.runs.iter().map(|run| {
        let changes: String = run.outcomes.iter().map(change_line).collect();
        (run.at_ms, format!("{}\n{changes}", run_line(run)))
    });
    let mut all: Vec<(i64, String)> = pushes.chain(runs).collect();
    all.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
    all
}

fn push_line(push: &PushEntry) -> String {
    let at = time(push.pushed.at.0);
    let revision = &push.revision;
    let actor = plain_text(&push.pushed.actor);
    let (verb, from) = match &push.rollback_of {
        Some(old) => ("rollback", format!(" · back to {old}")),
        None => ("push", from(push)),
    };
    format!("{at}  {verb:<8}  {actor} · revision {revision}{from}\n")
}

/// ` · main c0ffee1200`.
fn from(push: &PushEntry) -> String {
    let commit = push.pushed.commit.as_ref().map(|commit| {
        let edited = if commit.edited { " and edits" } else { "" };
        format!("{}{edited}", commit.id.get(..10).unwrap_or(&commit.id))
    });
    let parts: Vec<String> = push.pushed.branch.iter().cloned().chain(commit).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" · {}", plain_text(&parts.join(" "))),
    }
}

/// One run on one line: when, what, who, by which definitions, and how it ended.
pub(crate) fn run_line(run: &RunRecord) -> String {
    let done = run
        .outcomes
        .iter()
        .filter(|one| one.outcome == "done")
        .count();
    let all = run.outcomes.len();
    let ended = match (&run.stopped, all) {
        (Some(why), _) => format!("stopped after {done} of {all} changes: {}", plain_text(why)),
        (None, 0) => "no change".to_owned(),
        (None, _) => format!("{done} of {all} changes done{}", held_text(run)),
    };
    let revision = run.revision.as_ref();
    let revision = revision.map(|revision| format!(" · revision {}", plain_text(revision)));
    let interrupted = run.interrupted.as_ref();
    let found_out =
        interrupted.map(|one| format!(" · finished the interrupted run {}", plain_text(&one.run)));
    format!(
        "{}  {:<8}  {} ({}){} · {} · {ended}{}",
        time(run.at_ms),
        plain_text(&run.verb),
        plain_text(&run.actor),
        plain_text(&run.trigger),
        revision.unwrap_or_default(),
        plain_text(&run.verdict),
        found_out.unwrap_or_default(),
    )
}

/// ` · 2 held`.
fn held_text(run: &RunRecord) -> String {
    let outcomes = run.outcomes.iter();
    match outcomes.filter(|one| one.outcome == "held").count() {
        0 => String::new(),
        held => format!(" · {held} held"),
    }
}

fn change_line(change: &RunOutcome) -> String {
    // A record of another version may have a key that can't be read here.
    let name = ResourceKey::parse(&change.key);
    let name = name.map_or_else(|_| change.key.clone(), |key| key.labelled());
    let mut line = format!("    {} {} {name}", change.outcome, change.verb);
    for field in &change.fields {
        let (from, to) = (field.from.as_deref(), field.to.as_deref());
        line.push_str(&match (from, to) {
            (Some(from), Some(to)) => format!(", {} {from} → {to}", field.field),
            (None, Some(to)) => format!(", {} + {to}", field.field),
            (Some(from), None) => format!(", {} - {from}", field.field),
            (None, None) => format!(", {}", field.field),
        });
    }
    if let Some(reason) = &change.reason {
        line.push_str(&format!(" ({reason})"));
    }
    format!("{}\n", plain_text(&line))
}

fn time(at_ms: i64) -> String {
    Timestamp(at_ms).day_and_time()
}
