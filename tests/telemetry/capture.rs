//! A subscriber of the process that keeps every span and event at every level, with their fields as text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

type Fields = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub struct SpanSeen {
    pub parent: Option<usize>,
    pub name: &'static str,
    pub target: &'static str,
    pub fields: Fields,
}

#[derive(Clone, Debug)]
pub struct EventSeen {
    pub span: Option<usize>,
    pub target: String,
    pub level: Level,
    pub message: String,
    pub fields: Fields,
}

/// A place in the code that writes a span or an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Callsite {
    pub is_span: bool,
    /// The name of the span or the message of the event.
    pub name: String,
    pub level: String,
    pub target: String,
    pub fields: BTreeSet<String>,
}

/// Everything that was captured so far. A span is named by its index.
#[derive(Clone, Default)]
pub struct Seen {
    pub spans: Vec<SpanSeen>,
    pub events: Vec<EventSeen>,
    pub callsites: BTreeSet<Callsite>,
}

impl Seen {
    /// Returns the indices of a span and of those around it, from the inside out.
    pub fn around(&self, span: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(span, |span| self.spans[*span].parent)
    }

    /// Returns the names of a span and of those around it, from the outside in.
    pub fn path(&self, span: Option<usize>) -> Vec<&'static str> {
        let mut names: Vec<_> = self.around(span).map(|span| self.spans[span].name).collect();
        names.reverse();
        names
    }

    /// Returns the value of a field in a span or in the ones around it.
    pub fn inherited(&self, span: Option<usize>, field: &str) -> Option<&str> {
        self.around(span).find_map(|span| self.spans[span].fields.get(field).map(String::as_str))
    }

    /// Returns the spans of this name for a thread.
    pub fn spans_of(&self, thread: &str, name: &str) -> Vec<usize> {
        let all = 0..self.spans.len();
        all.filter(|span| {
            self.spans[*span].name == name && self.inherited(Some(*span), "thread") == Some(thread)
        })
        .collect()
    }

    /// Returns the events with this message for a thread.
    pub fn events_of(&self, thread: &str, message: &str) -> Vec<&EventSeen> {
        let events = self.events.iter().filter(|event| event.message == message);
        events.filter(|event| self.thread_of(event) == Some(thread)).collect()
    }

    /// Returns the messages about a thread at `INFO` or above, in order.
    pub fn messages(&self, thread: &str) -> Vec<&str> {
        let events = self.events.iter().filter(|event| event.level <= Level::INFO);
        events
            .filter(|event| self.thread_of(event) == Some(thread))
            .map(|event| event.message.as_str())
            .collect()
    }

    fn thread_of<'a>(&'a self, event: &'a EventSeen) -> Option<&'a str> {
        event.fields.get("thread").map(String::as_str).or(self.inherited(event.span, "thread"))
    }

    /// Returns the spans and events that are those of hitl, as one text.
    pub fn text(&self) -> String {
        let spans = self.spans.iter().filter(|span| span.target.starts_with("hitl"));
        let spans = spans.map(|span| format!("{span:?}"));
        let events = self.events.iter().filter(|event| event.target.starts_with("hitl"));
        spans.chain(events.map(|event| format!("{event:?}"))).collect::<Vec<_>>().join("\n")
    }
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn change<T>(change: impl FnOnce(&mut Seen) -> T) -> T {
    change(lock().get_or_insert_default())
}

/// Begins to capture. A test calls it first.
pub fn begin() {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Capture)).unwrap();
    });
    LazyLock::force(&INSTALLED);
}

/// Returns everything that was captured so far, by all tests of the process.
pub fn seen() -> Seen {
    lock().clone().unwrap_or_default()
}

struct Capture;

/// The index of a span, kept in the registry.
struct Index(usize);

#[derive(Default)]
struct Text(Fields);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn callsite(metadata: &'static Metadata<'static>, name: String) -> Callsite {
    let fields = metadata.fields().iter().map(|field| field.name().to_owned());
    Callsite {
        is_span: metadata.is_span(),
        name,
        level: metadata.level().to_string(),
        target: metadata.target().to_owned(),
        fields: fields.filter(|field| field != "message").collect(),
    }
}

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Text::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        let span = context.span(id).unwrap();
        let parent = span.parent().map(|parent| parent.extensions().get::<Index>().unwrap().0);
        let (name, target) = (metadata.name(), metadata.target());
        let index = change(|seen| {
            seen.callsites.insert(callsite(metadata, name.to_owned()));
            seen.spans.push(SpanSeen { parent, name, target, fields: fields.0 });
            seen.spans.len() - 1
        });
        span.extensions_mut().insert(Index(index));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Text::default();
        record.record(&mut fields);
        let index = context.span(id).unwrap().extensions().get::<Index>().unwrap().0;
        change(|seen| seen.spans[index].fields.extend(fields.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Text::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let span = context.event_span(event).map(|span| span.extensions().get::<Index>().unwrap().0);
        let metadata = event.metadata();
        change(|seen| {
            if metadata.target().starts_with("hitl") {
                seen.callsites.insert(callsite(metadata, message.clone()));
            }
            seen.events.push(EventSeen {
                span,
                target: metadata.target().to_owned(),
                level: *metadata.level(),
                message,
                fields: fields.0,
            });
        });
    }
}
