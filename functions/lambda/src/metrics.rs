//! Metrics: what counts of the lines of a log, as lines that CloudWatch reads metrics from (the embedded
//! metric format). They cost no request.
//!
//! Each run is counted by its verdict. A stack is a dimension only of verdicts that somebody has to do
//! something about: CloudWatch charges for each metric of each stack, and most runs are clean.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use kedge_core::model::Timestamp;
use kedge_engine::ports::Clock as _;
use kedge_native::logs::BoxedLayer;
use kedge_native::{Settings, SystemClock};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::Registry;

/// The target of lines that count.
pub(crate) const TARGET: &str = "kedge";
/// A tick ended.
pub(crate) const TICKED: &str = "ticked";
/// A message could not be worked on, and comes again.
pub(crate) const MESSAGE_FAILED: &str = "message failed";
/// The namespace of the metrics where the settings name none.
const NAMESPACE: &str = "Kedge";
const KEDGE_METRICS_NAMESPACE: &str = "KEDGE_METRICS_NAMESPACE";
const CLEAN: &str = "Clean";

/// What a line says that may count.
#[derive(Debug, Default)]
struct Line {
    message: String,
    stack: Option<String>,
    verdict: Option<String>,
    duration_ms: Option<u64>,
    changed: Option<u64>,
    failed: Option<u64>,
    checks: Option<u64>,
}

impl Line {
    /// What counts of it: name, unit and value; and the metric that is kept for each stack too.
    fn metrics(&self) -> (Vec<Metric>, Option<String>) {
        let count = |name: &str, value: Option<u64>| {
            value.map(|value| Metric {
                name: name.to_owned(),
                unit: "Count",
                value,
            })
        };
        let took = self.duration_ms.map(|value| Metric {
            name: "Duration".to_owned(),
            unit: "Milliseconds",
            value,
        });
        let (metrics, of_stack) = match self.message.as_str() {
            "run ended" => {
                let verdict = self.verdict.as_deref().map(metric_name);
                let metrics = vec![
                    verdict.as_deref().and_then(|name| count(name, Some(1))),
                    count("ChangesMade", self.changed),
                    count("ChangesFailed", self.failed),
                    took,
                ];
                (metrics, verdict.filter(|name| name != CLEAN))
            }
            "run failed" => {
                let name = "RunFailed";
                let metrics = vec![count(name, Some(1)), took];
                (metrics, Some(name.to_owned()))
            }
            TICKED => {
                let metrics = vec![count("Ticked", Some(1)), count("ChecksSent", self.checks)];
                (metrics, None)
            }
            MESSAGE_FAILED => (vec![count("MessageFailed", Some(1))], None),
            _ => (Vec::new(), None),
        };
        (metrics.into_iter().flatten().collect(), of_stack)
    }
}

/// A metric.
struct Metric {
    name: String,
    unit: &'static str,
    value: u64,
}

/// A word such as `not-adopted` as the name of a metric: `NotAdopted`.
fn metric_name(word: &str) -> String {
    let mut name = String::new();
    for part in word.split('-') {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// The line of the embedded metric format; none if nothing counts.
fn embedded(line: &Line, namespace: &str, at: Timestamp) -> Option<String> {
    let (metrics, of_stack) = line.metrics();
    if metrics.is_empty() {
        return None;
    }
    let named = |metrics: &[&Metric]| -> Vec<Value> {
        let one = |metric: &&Metric| json!({"Name": metric.name, "Unit": metric.unit});
        metrics.iter().map(one).collect()
    };
    let directive = |dimensions: &[&str], metrics: &[&Metric]| {
        json!({
            "Namespace": namespace,
            "Dimensions": [dimensions],
            "Metrics": named(metrics),
        })
    };
    let all: Vec<_> = metrics.iter().collect();
    let mut directives = vec![directive(&[], &all)];
    let of_stack = metrics
        .iter()
        .find(|metric| Some(&metric.name) == of_stack.as_ref());
    if let (Some(metric), Some(_)) = (of_stack, &line.stack) {
        directives.push(directive(&["Stack"], &[metric]));
    }
    let mut root = Map::new();
    root.insert("timestamp".to_owned(), json!(at.to_string()));
    root.insert("level".to_owned(), json!("INFO"));
    root.extend(
        line.stack
            .iter()
            .map(|stack| ("Stack".to_owned(), json!(stack))),
    );
    root.extend(
        metrics
            .iter()
            .map(|metric| (metric.name.clone(), json!(metric.value))),
    );
    root.insert(
        "_aws".to_owned(),
        json!({"Timestamp": at.0, "CloudWatchMetrics": directives}),
    );
    Some(Value::Object(root).to_string())
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        let place = match field.name() {
            "duration_ms" => &mut self.duration_ms,
            "changed" => &mut self.changed,
            "failed" => &mut self.failed,
            "checks" => &mut self.checks,
            _ => return,
        };
        *place = Some(value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record_u64(field, u64::try_from(value).unwrap_or_default());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = |value| {
            let mut text = String::new();
            // A text takes whatever is written to it.
            let _ = write!(text, "{value:?}");
            text
        };
        match field.name() {
            "message" => self.message = text(value),
            "stack.name" => self.stack = Some(text(value)),
            "verdict" => self.verdict = Some(text(value)),
            _ => {}
        }
    }
}

/// Listens for lines that count, and writes each metric line with `write`.
struct Metrics<W> {
    namespace: String,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Metrics<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let Some(text) = embedded(&line, &self.namespace, SystemClock::default().now()) {
            (self.write)(&text);
        }
    }
}

/// Writes metrics to standard output, whatever is logged. `KEDGE_METRICS_NAMESPACE` tells deployments in one
/// account apart.
pub(crate) fn layer(settings: &Settings) -> BoxedLayer {
    let namespace = settings.get(KEDGE_METRICS_NAMESPACE).unwrap_or(NAMESPACE);
    over(namespace, |text| {
        let mut out = io::stdout().lock();
        // Nobody could be told that there is nobody to tell.
        let _ = writeln!(out, "{text}");
    })
}

fn over(namespace: &str, write: impl Fn(&str) + Send + Sync + 'static) -> BoxedLayer {
    let namespace = namespace.to_owned();
    let metrics = Metrics { namespace, write };
    let ours = Targets::new().with_target(TARGET, LevelFilter::INFO);
    Layer::<Registry>::with_filter(metrics, ours).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;
    use tracing::{Level, event};
    use tracing_subscriber::layer::SubscriberExt as _;

    const NOW: Timestamp = Timestamp(1_796_069_832_757);

    fn embedded_json(line: &Line) -> Option<Value> {
        embedded(line, "Kedge", NOW).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_run_with_drift_counts_for_its_stack_too() {
        let line = Line {
            message: "run ended".to_owned(),
            stack: Some("prod".to_owned()),
            verdict: Some("drifted".to_owned()),
            duration_ms: Some(420),
            ..Line::default()
        };
        let expected = json!({
            "_aws": {
                "Timestamp": 1_796_069_832_757_i64,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Kedge",
                        "Dimensions": [[]],
                        "Metrics": [
                            {"Name": "Drifted", "Unit": "Count"},
                            {"Name": "Duration", "Unit": "Milliseconds"},
                        ],
                    },
                    {
                        "Namespace": "Kedge",
                        "Dimensions": [["Stack"]],
                        "Metrics": [{"Name": "Drifted", "Unit": "Count"}],
                    },
                ],
            },
            "timestamp": "2026-11-30T20:17:12.757Z",
            "level": "INFO",
            "Stack": "prod",
            "Drifted": 1,
            "Duration": 420,
        });
        assert_eq!(embedded_json(&line), Some(expected));
    }

    #[test]
    fn what_counts_of_each_line() {
        let line = |message: &str| Line {
            message: message.to_owned(),
            stack: Some("prod".to_owned()),
            duration_ms: Some(5),
            ..Line::default()
        };
        let ended = |verdict: &str| Line {
            verdict: Some(verdict.to_owned()),
            changed: Some(2),
            failed: Some(0),
            ..line("run ended")
        };
        let ticked = Line {
            message: "ticked".to_owned(),
            checks: Some(7),
            ..Line::default()
        };
        for (line, total, of_stack) in [
            (
                ended("clean"),
                "Clean 1, ChangesMade 2, ChangesFailed 0, Duration 5",
                "",
            ),
            (
                ended("not-adopted"),
                "NotAdopted 1, ChangesMade 2, ChangesFailed 0, Duration 5",
                "NotAdopted",
            ),
            (line("run failed"), "RunFailed 1, Duration 5", "RunFailed"),
            (ticked, "Ticked 1, ChecksSent 7", ""),
            (line("message failed"), "MessageFailed 1", ""),
        ] {
            let json = embedded_json(&line).unwrap();
            let directives = json["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            let names = |directive: Option<&Value>| -> Vec<String> {
                let metrics = directive.map(|one| one["Metrics"].as_array().unwrap());
                let names = metrics.into_iter().flatten();
                names
                    .map(|one| one["Name"].as_str().unwrap().to_owned())
                    .collect()
            };
            let counted: Vec<_> = names(directives.first())
                .into_iter()
                .map(|name| format!("{name} {}", json[&name]))
                .collect();
            assert_eq!(counted.join(", "), total);
            assert_eq!(names(directives.get(1)).join(", "), of_stack, "{total}");
        }
        assert_eq!(embedded_json(&line("upload ended")), None);
    }

    #[test]
    fn only_lines_of_runs_are_heard() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let page = Arc::clone(&written);
        let layer = over("Kedge/other", move |text: &str| {
            page.lock().unwrap().push(text.to_owned())
        });
        let subscriber = tracing_subscriber::registry().with(layer);
        with_default(subscriber, || {
            let stack = "dev";
            event!(target: "kedge", Level::INFO, stack.name = %stack, verdict = %"pending", duration_ms = 7_i64, changed = Some(3_usize), "run ended");
            event!(target: "kedge", Level::DEBUG, duration_ms = 7_i64, "run ended");
            event!(target: "kedge", Level::WARN, "upload ended");
            event!(target: "hyper", Level::INFO, "ticked");
        });
        let written = written.lock().unwrap();
        assert_eq!(written.len(), 1, "{written:?}");
        let json: Value = serde_json::from_str(&written[0]).unwrap();
        assert_eq!(json["Stack"], "dev");
        let directive = &json["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Kedge/other");
        assert_eq!(
            (&json["Pending"], &json["Duration"], &json["ChangesMade"]),
            (&json!(1), &json!(7), &json!(3))
        );
    }
}
