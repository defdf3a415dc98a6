//! JUnit XML, in the form that CI systems read: one suite per stack, one case per resource.
//!
//! A case fails where the resource's verdict counts (semantics 9.5), so that a report without a
//! failure or an error is a clean stack. It is an error where the resource could not be read, and
//! skipped where its difference is overlooked.

use std::fmt::Write as _;

use super::summary::{advice, field_text, summary};
use super::view::{View, outside};
use crate::compare::{Difference, Verdict};
use crate::definitions::Problems;
use crate::report::Report;

/// How a case ended.
enum CaseEnd {
    Passed,
    Failed(String),
    Error(String),
    Skipped(String),
}

struct Case {
    /// Sorts cases in what shows them.
    class: String,
    name: String,
    ended: CaseEnd,
    /// A word for the sort of failure.
    kind: String,
    details: Vec<String>,
}

/// What is wrong with a stack, as JUnit XML.
#[must_use]
pub fn junit_xml(report: &Report) -> String {
    let view = View::new(report);
    let mut cases = vec![stack_case(report)];
    let differences = report.comparison.differences.values();
    cases.extend(differences.map(|difference| case(&view, difference)));
    let stack = report.declared.stack.as_str();
    suite(
        &format!("kedge {stack}"),
        &report.read_at.to_string(),
        &cases,
    )
}

/// What is wrong with a set, as JUnit XML.
#[must_use]
pub fn problems_junit(problems: &Problems) -> String {
    let case = |problem: &crate::definitions::Problem| Case {
        class: problem.file.clone(),
        name: format!("{}:{}:{}", problem.file, problem.line, problem.column),
        ended: CaseEnd::Error(problem.message.clone()),
        kind: "invalid".to_owned(),
        details: vec![problem.to_string()],
    };
    let mut cases: Vec<Case> = problems.list.iter().map(case).collect();
    if problems.left_out > 0 {
        let more = format!("{} more problems", problems.left_out);
        cases.push(Case {
            class: "definitions".to_owned(),
            name: more.clone(),
            ended: CaseEnd::Error(more),
            kind: "invalid".to_owned(),
            details: Vec::new(),
        });
    }
    suite("kedge definitions", "", &cases)
}

/// What counts of the stack itself: its state, its policy, its guards.
fn stack_case(report: &Report) -> Case {
    if let Some(set) = &report.invalid {
        let problems = set.problems.iter().flat_map(|problems| &problems.list);
        return Case {
            class: "stack".to_owned(),
            name: report.declared.stack.to_string(),
            ended: CaseEnd::Error(set.reason.clone()),
            kind: "invalid".to_owned(),
            details: problems.map(ToString::to_string).collect(),
        };
    }
    if let Some(why) = &report.unverified {
        return Case {
            class: "stack".to_owned(),
            name: report.declared.stack.to_string(),
            ended: CaseEnd::Error(outside(why)),
            kind: "incomplete".to_owned(),
            details: Vec::new(),
        };
    }
    let mut wrong = Vec::new();
    if report.is_not_adopted() {
        wrong.push("not adopted: no state yet".to_owned());
    }
    let loosened = &report.plan.policy_change.loosened;
    if !loosened.is_empty() {
        wrong.push(format!(
            "its policy would allow automation more: {}",
            loosened.join(", ")
        ));
    }
    let variables = report.plan.variables.iter();
    wrong.extend(variables.map(|variable| outside(&variable.to_string())));
    let refused = report.decided.refused.iter().map(ToString::to_string);
    let refused = refused.map(|trip| format!("guard {trip}"));
    let standing = report
        .holds
        .iter()
        .filter(|hold| hold.stands(report.read_at));
    let standing = standing
        .filter(|hold| hold.key.is_none())
        .map(|hold| outside(&hold.describe()));
    let unread = report.holds_unread.iter();
    let doubts = unread.map(|unread| outside(&unread.describe()));
    let open_run = report.open_run.iter().map(|run| outside(&run.to_string()));
    Case {
        class: "stack".to_owned(),
        name: report.declared.stack.to_string(),
        ended: match wrong.is_empty() {
            true => CaseEnd::Passed,
            false => CaseEnd::Failed(wrong.join("; ")),
        },
        kind: report.verdict().as_str().to_owned(),
        details: refused
            .chain(standing)
            .chain(doubts)
            .chain(report.forgot_checks().map(|text| outside(&text)))
            .chain(open_run)
            .collect(),
    }
}

fn case(view: &View<'_>, difference: &Difference) -> Case {
    let key = &difference.key;
    let text = summary(difference);
    let is_pruned = view.report.plan.policy.prune;
    let ended = match difference.verdict {
        Verdict::InSync | Verdict::CatchingUp => CaseEnd::Passed,
        Verdict::Ignored => CaseEnd::Skipped(text),
        Verdict::Orphan if !is_pruned => CaseEnd::Skipped(text),
        Verdict::Unknown => CaseEnd::Error(text),
        Verdict::Drifted
        | Verdict::DriftedAndPending
        | Verdict::Pending
        | Verdict::NotAdopted
        | Verdict::Orphan => CaseEnd::Failed(text),
    };
    let resource = view.report.declared.resources.get(key);
    let origin = resource.map(|resource| format!("declared in {}", resource.origin));
    let fields = difference
        .fields
        .iter()
        .map(|field| field_text(key.kind(), field));
    let details = fields.chain(origin).chain(advice(view, difference));
    Case {
        class: key.kind().as_str().to_owned(),
        name: outside(&key.to_string()),
        ended,
        kind: difference.verdict.as_str().to_owned(),
        details: details.collect(),
    }
}

fn suite(name: &str, timestamp: &str, cases: &[Case]) -> String {
    let count = |of: fn(&CaseEnd) -> bool| cases.iter().filter(|case| of(&case.ended)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\"",
        cases.len(),
        count(|ended| matches!(ended, CaseEnd::Failed(_))),
        count(|ended| matches!(ended, CaseEnd::Error(_))),
    );
    let skipped = count(|ended| matches!(ended, CaseEnd::Skipped(_)));
    let timestamp = match timestamp {
        "" => String::new(),
        at => format!(" timestamp=\"{}\"", escaped(at)),
    };
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts} time=\"0\">\n  \
         <testsuite name=\"{}\" {counts} skipped=\"{skipped}\" time=\"0\"{timestamp}>\n",
        escaped(name)
    );
    cases.iter().for_each(|case| write_case(&mut xml, case));
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, case: &Case) {
    let (class, name) = (escaped(&case.class), escaped(&case.name));
    let head = format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\"");
    let (tag, message) = match &case.ended {
        CaseEnd::Passed => {
            let _ = writeln!(xml, "{head}/>");
            return;
        }
        CaseEnd::Skipped(message) => {
            let message = escaped(message);
            let _ = writeln!(
                xml,
                "{head}>\n      <skipped message=\"{message}\"/>\n    </testcase>"
            );
            return;
        }
        CaseEnd::Failed(message) => ("failure", message),
        CaseEnd::Error(message) => ("error", message),
    };
    let details = escaped(&case.details.join("\n"));
    let _ = writeln!(
        xml,
        "{head}>\n      <{tag} type=\"{}\" message=\"{}\">{details}</{tag}>\n    </testcase>",
        escaped(&case.kind),
        escaped(message)
    );
}

/// A text as XML 1.0 can hold it, in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // No other control character may stand in XML 1.0, not even escaped.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
