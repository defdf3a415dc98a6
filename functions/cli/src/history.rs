//! `kedge history`: pushes and what runs did, newest first.

use kedge_core::model::{FieldName, ResourceKey, Timestamp};
use kedge_core::render::{self, plain_text};
use kedge_core::stored::run::{RunOutcome, RunRecord};
use kedge_engine::documents;
use kedge_engine::ports::Clock as _;
use kedge_engine::{History, PushEntry, PushError, Query};

use crate::args::{Args, Format, HistoryOptions};
use crate::error::CliError;
use crate::setup::Setup;
use crate::{hints, screen};

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
    for (_, lines) in entries(&history, screen::of_stdout(args).most()) {
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

/// Every entry as lines, newest first; of each run at most so many changes.
fn entries(history: &History, most: usize) -> Vec<(i64, String)> {
    let pushes = history
        .pushes
        .iter()
        .map(|push| (push.pushed.at.0, push_line(push)));
    let runs = history
        .runs
        .iter()
        .map(|run| (run.at_ms, run_lines(run, most)));
    let mut all: Vec<(i64, String)> = pushes.chain(runs).collect();
    all.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
    all
}

/// A run and its changes.
fn run_lines(run: &RunRecord, most: usize) -> String {
    let changes: String = run.outcomes.iter().take(most).map(change_line).collect();
    let more = match run.outcomes.len().saturating_sub(most) {
        0 => String::new(),
        more => format!("    and {more} more ({})\n", hints::FULL),
    };
    format!("{}\n{changes}{more}", run_line(run))
}

fn push_line(push: &PushEntry) -> String {
    let at = time(push.pushed.at.0);
    let revision = &push.revision;
    let actor = plain_text(&push.pushed.actor);
    let (verb, from) = match (&push.rollback_of, &push.pushed.upload) {
        (Some(old), _) => ("rollback", format!(" · back to {old}")),
        (None, Some(upload)) => ("upload", format!(" · {}", plain_text(&upload.key))),
        (None, None) => ("push", from(push)),
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
    let key = ResourceKey::parse(&change.key);
    let kind = key.as_ref().map(ResourceKey::kind);
    let name = key.as_ref().map(ResourceKey::labelled);
    let name = name.unwrap_or_else(|_| change.key.clone());
    let mut line = format!("    {} {} {name}", change.outcome, change.verb);
    for field in &change.fields {
        let value = |text: &String| match &kind {
            Ok(kind) => render::recorded_text(*kind, &FieldName::new(&field.field), text),
            Err(_) => plain_text(text),
        };
        let (from, to) = (field.from.as_ref().map(value), field.to.as_ref().map(value));
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

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_core::stored::run::RunField;

    fn change(number: usize) -> RunOutcome {
        let field = |field: &str, from: Option<&str>, to: &str| RunField {
            field: field.to_owned(),
            from: from.map(str::to_owned),
            to: Some(to.to_owned()),
        };
        RunOutcome {
            key: format!("kafka-topic/p/s/t{number:02}"),
            verb: "update".to_owned(),
            risk: "safe".to_owned(),
            outcome: "done".to_owned(),
            reason: None,
            fields: vec![
                field("retention_ms", Some("3600000"), "604800000"),
                field("partitions", None, "3"),
            ],
        }
    }

    #[test]
    fn a_run_ends_at_ten_changes_and_says_values_as_people_do() {
        let run = RunRecord {
            outcomes: (0..12).map(change).collect(),
            ..RunRecord::default()
        };
        let text = run_lines(&run, 10);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "    done update topic t00, retention_ms 3600000 (1h) → 604800000 (7d), \
             partitions + 3"
        );
        assert_eq!((lines.len(), lines[11]), (12, "    and 2 more (--full)"));
        assert!(!run_lines(&run, usize::MAX).contains("more"));
    }
}
