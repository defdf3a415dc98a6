//! Whoever keeps logs, in a test: takes down every span and every line, with all that is in them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Fields by name, as a person reads them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    /// The text of a field; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field as a number.
    pub(super) fn number(&self, name: &str) -> i64 {
        let text = self.get(name);
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// A line, with the spans around it, the outermost first.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) target: String,
    pub(super) fields: Fields,
    pub(super) spans: Vec<(&'static str, Fields)>,
}

impl Line {
    /// What it says.
    pub(super) fn message(&self) -> &str {
        self.fields.get("message")
    }

    /// The names of the spans around it.
    pub(super) fn within(&self) -> Vec<&'static str> {
        self.spans.iter().map(|(name, _)| *name).collect()
    }

    /// The fields of the span of this name around it.
    pub(super) fn span(&self, name: &str) -> &Fields {
        match self.spans.iter().find(|(span, _)| *span == name) {
            Some((_, fields)) => fields,
            None => panic!("no span {name}: {self:?}"),
        }
    }
}

/// What was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) lines: Vec<Line>,
    /// Every span as it ended up, those without a line too.
    pub(super) spans: Vec<(&'static str, Fields)>,
}

impl Told {
    /// The lines that say this.
    pub(super) fn saying(&self, message: &str) -> Vec<&Line> {
        let is_meant = |line: &&Line| line.message() == message;
        self.lines.iter().filter(is_meant).collect()
    }
}

#[derive(Default)]
struct Listener(Arc<Mutex<Told>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Fields>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter();
        let spans = spans.flat_map(|scope| scope.from_root()).map(|span| {
            let fields = span.extensions().get::<Fields>().cloned();
            (span.name(), fields.unwrap())
        });
        let line = Line {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            fields,
            spans: spans.collect(),
        };
        self.0.lock().unwrap().lines.push(line);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let fields = span.extensions().get::<Fields>().cloned().unwrap();
        self.0.lock().unwrap().spans.push((span.name(), fields));
    }
}

/// Does this, and gives all that was told meanwhile.
pub(super) fn listening<T>(work: impl FnOnce() -> T) -> (T, Told) {
    let told = Arc::<Mutex<Told>>::default();
    let listener = Listener(Arc::clone(&told));
    let value = with_default(Registry::default().with(listener), work);
    let told = told.lock().unwrap().clone();
    (value, told)
}
