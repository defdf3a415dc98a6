//! Annotations of GitHub Actions: lines that a runner turns into remarks on the files of a change.
//!
//! `::warning file=…,line=…,title=…::message`, escaped as the runner takes it apart (actions/toolkit,
//! `packages/core/src/command.ts`): `%`, CR and LF everywhere, `:` and `,` in properties too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::summary::{advice, field_text, summary};
use super::view::{View, outside};
use crate::compare::{Difference, Verdict};
use crate::definitions::{Problem, Problems};
use crate::model::printable;
use crate::model::{Origin, ResourceKey};
use crate::report::Report;
use crate::stored::hold::Hold;

/// A runner shows so many of each sort per step, and drops the rest in silence.
const SHOWN_MAX: usize = 10;

/// Where in a file.
struct Spot {
    file: String,
    line: u32,
    /// First and last column, where they are known.
    columns: Option<(u32, u32)>,
}

struct Annotation {
    is_error: bool,
    spot: Option<Spot>,
    title: String,
    message: String,
}

/// What is wrong with a stack, as annotations; files are under `root`, the path from the repository
/// to the definitions.
#[must_use]
pub fn github_annotations(report: &Report, root: &str) -> String {
    let view = View::new(report);
    let stack = report.declared.stack.as_str();
    let invalid = report.invalid.iter().map(|bundle| &bundle.reason);
    let mut annotations: Vec<Annotation> = invalid
        .chain(&report.unverified)
        .map(|why| Annotation {
            is_error: true,
            spot: None,
            title: format!("kedge {stack}"),
            message: outside(why),
        })
        .collect();
    annotations.extend(unread(report));
    let loosened = &report.plan.policy_change.loosened;
    let policy = (!loosened.is_empty()).then(|| {
        format!(
            "the policy would allow automation more: {}",
            loosened.join(", ")
        )
    });
    let guards = report.decided.refused.iter();
    let guards = guards.map(|trip| format!("guard {trip}; the plan is refused"));
    let adoption = report
        .is_not_adopted()
        .then(|| "no state yet: nothing is adopted, and nothing counts as drift".to_owned());
    let of_stack = |hold: &&Hold| hold.key.is_none() && hold.stands(report.read_at);
    let holds = report.holds.iter().filter(of_stack);
    let holds = holds.map(|hold| outside(&hold.describe()));
    let unread = report.holds_unread.iter();
    let unread = unread.map(|unread| outside(&unread.describe()));
    let variables = report.plan.variables.iter();
    let variables = variables.map(|variable| outside(&variable.to_string()));
    let open_run = report.open_run.iter().map(|run| outside(&run.to_string()));
    annotations.extend(
        policy
            .into_iter()
            .chain(guards)
            .chain(holds)
            .chain(unread)
            .chain(report.forgot_checks().map(|text| outside(&text)))
            .chain(variables)
            .chain(open_run)
            .chain(adoption)
            .map(|message| Annotation {
                is_error: false,
                spot: None,
                title: format!("kedge {stack}"),
                message,
            }),
    );
    for difference in report.comparison.differences.values() {
        annotations.extend(of_resource(&view, difference, root));
    }
    let counts = report.verdict().to_string().to_lowercase();
    lines(
        annotations,
        &format!("a check of stack {stack} shows all ({counts})"),
    )
}

/// What is wrong with definitions, as annotations.
#[must_use]
pub fn problems_github(problems: &Problems, root: &str) -> String {
    let one = |problem: &Problem| {
        let hint = problem.hint.as_ref();
        let hint = hint
            .map(|hint| format!("\n{}", printable(hint)))
            .unwrap_or_default();
        // A file that is missing has no line to stand at.
        let end = problem
            .column
            .saturating_add(problem.width.saturating_sub(1));
        Annotation {
            is_error: true,
            spot: problem.source_line.is_some().then(|| Spot {
                file: rooted(root, &problem.file),
                line: problem.line,
                columns: Some((problem.column, end)),
            }),
            title: format!("kedge {}", problem.file),
            message: format!("{}{hint}", printable(&problem.message)),
        }
    };
    let annotations: Vec<Annotation> = problems.list.iter().map(one).collect();
    let mut text = lines(annotations, "a check shows all");
    if problems.left_out > 0 {
        let _ = writeln!(
            text,
            "::notice title=kedge::and {} more problems",
            problems.left_out
        );
    }
    text
}

/// A command that could not be carried out, with its causes.
#[must_use]
pub fn error_github(error: &str, because: &[String]) -> String {
    let because = because.iter().map(|cause| format!("\nbecause {cause}"));
    let message = printable_lines(&format!("{error}{}", because.collect::<String>()));
    format!("::error title=kedge::{}\n", data(&message))
}

/// A text of several lines, each fit to be shown.
fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// What could not be read: one error for each reason, with how many resources it hides.
fn unread(report: &Report) -> Vec<Annotation> {
    let mut reasons: BTreeMap<String, Vec<&ResourceKey>> = BTreeMap::new();
    let differences = report.comparison.differences.values();
    for difference in differences.filter(|one| one.verdict == Verdict::Unknown) {
        let text = summary(difference);
        reasons.entry(text).or_default().push(&difference.key);
    }
    let stack = report.declared.stack.as_str();
    let error = |(text, keys): (String, Vec<&ResourceKey>)| {
        let what = match keys.as_slice() {
            [one] => outside(&one.to_string()),
            all => format!("{} resources", all.len()),
        };
        Annotation {
            is_error: true,
            spot: None,
            title: format!("kedge {stack}: not checked"),
            message: format!("{text}: {what}"),
        }
    };
    reasons.into_iter().map(error).collect()
}

/// A warning for each line that declares what differs.
fn of_resource(view: &View<'_>, difference: &Difference, root: &str) -> Vec<Annotation> {
    let report = view.report;
    let counts = match difference.verdict {
        Verdict::Drifted | Verdict::DriftedAndPending | Verdict::Pending | Verdict::NotAdopted => {
            true
        }
        Verdict::Orphan => report.plan.policy.prune,
        Verdict::InSync | Verdict::CatchingUp | Verdict::Ignored | Verdict::Unknown => false,
    };
    // A stack without state is told in one line (semantics 7.1).
    if !counts || !report.comparison.has_state {
        return Vec::new();
    }
    let key = &difference.key;
    let declared = report.declared.resources.get(key).map(|one| &one.origin);
    // A field of an area's default is told where the resource stands, not at the default.
    let place_of = |origin: Option<&Origin>| {
        origin
            .filter(|origin| !origin.is_default)
            .or(declared)
            .cloned()
    };
    let fields = difference.fields.iter();
    let mut places: BTreeSet<Option<Origin>> = fields
        .map(|field| place_of(field.origin.as_ref()))
        .collect();
    if places.is_empty() {
        places.insert(declared.cloned());
    }
    let verdict = difference.verdict.as_str().replace('-', " ");
    let title = format!("kedge {}: {verdict}", report.declared.stack);
    let name = outside(&key.labelled());
    let annotation = |place: Option<Origin>| {
        let here = difference
            .fields
            .iter()
            .filter(|field| place_of(field.origin.as_ref()) == place);
        let here: Vec<String> = here.map(|field| field_text(key.kind(), field)).collect();
        let text = match here.is_empty() {
            true => summary(difference),
            false => here.join("\n"),
        };
        let advice = advice(view, difference)
            .into_iter()
            .map(|line| format!("\n{line}"));
        Annotation {
            is_error: false,
            spot: place.map(|place| Spot {
                file: rooted(root, &place.file),
                line: place.line,
                columns: None,
            }),
            title: title.clone(),
            message: format!("{name} {text}{}", advice.collect::<String>()),
        }
    };
    places.into_iter().map(annotation).collect()
}

fn rooted(root: &str, file: &str) -> String {
    match root.trim_end_matches('/') {
        "" | "." => file.to_owned(),
        root => format!("{}/{file}", root.trim_start_matches("./")),
    }
}

/// The commands, as many as are shown, and one that counts the rest.
fn lines(annotations: Vec<Annotation>, next: &str) -> String {
    let (errors, warnings): (Vec<_>, Vec<_>) = annotations
        .into_iter()
        .partition(|annotation| annotation.is_error);
    let mut text = String::new();
    let mut left = Vec::new();
    for (what, all) in [("error", errors), ("warning", warnings)] {
        for annotation in all.iter().take(SHOWN_MAX) {
            write(&mut text, what, annotation);
        }
        match all.len().saturating_sub(SHOWN_MAX) {
            0 => {}
            1 => left.push(format!("1 more {what}")),
            more => left.push(format!("{more} more {what}s")),
        }
    }
    if !left.is_empty() {
        let rest = data(&format!("{} not shown here; {next}", left.join(" and ")));
        let _ = writeln!(text, "::notice title=kedge::{rest}");
    }
    text
}

fn write(text: &mut String, what: &str, annotation: &Annotation) {
    let mut properties = Vec::new();
    if let Some(Spot {
        file,
        line,
        columns,
    }) = &annotation.spot
    {
        properties.push(format!("file={}", property(file)));
        properties.push(format!("line={line}"));
        if let Some((first, last)) = columns {
            properties.push(format!("col={first}"));
            properties.push(format!("endColumn={last}"));
        }
    }
    properties.push(format!("title={}", property(&annotation.title)));
    let message = data(&annotation.message);
    let _ = writeln!(text, "::{what} {}::{message}", properties.join(","));
}

/// A message as the runner takes it apart.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property's value likewise.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
