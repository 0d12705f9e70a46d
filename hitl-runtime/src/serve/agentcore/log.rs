//! JSON logs in the format that the service expects: one object per line.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::calendar::utc;

/// Installs a global `tracing` subscriber that logs to standard output as JSON: `timestamp`, `level`, `message`,
/// `logger`, and inside a request its `requestId` and `sessionId`, the names that the service's own SDK uses.
/// `RUST_LOG` sets the filter; the default is `info`. If the program has already set a global subscriber, nothing
/// changes.
///
/// ```
/// hitl::agentcore::log_as_json();
/// ```
pub fn log_as_json() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().event_format(Lines);
    let subscriber = tracing_subscriber::registry().with(filter).with(Fields).with(lines);
    // It fails if a global subscriber is already set; that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The fields of a span or an event, by name.
#[derive(Default)]
struct Said(Map<String, Value>);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// A layer that stores the fields of spans, for the events inside them.
struct Fields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Fields {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut said = Said::default();
        attributes.record(&mut said);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(said);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<Said>()
        {
            values.record(said);
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: String,
    logger: &'a str,
    #[serde(flatten)]
    said: Map<String, Value>,
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Map::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(Said(fields)) = span.extensions().get::<Said>() {
                said.extend(fields.clone());
            }
        }
        let mut own = Said::default();
        event.record(&mut own);
        let message = own.0.remove("message").and_then(|message| message.as_str().map(str::to_owned));
        said.extend(own.0);
        let line = Line {
            timestamp: timestamp(SystemTime::now()),
            level: event.metadata().level().as_str(),
            message: message.unwrap_or_default(),
            logger: event.metadata().target(),
            said,
        };
        // People read logs too: characters that could mislead them are escaped.
        let json = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writer.write_str(&crate::unicode::spelled_json(&json))?;
        writer.write_char('\n')
    }
}

/// Formats a time as `2026-11-22T18:40:00.123Z` (RFC 3339).
fn timestamp(time: SystemTime) -> String {
    let ms = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let ms = u64::try_from(ms).unwrap_or(u64::MAX);
    format!("{}.{:03}Z", utc(ms).replace(' ', "T"), ms % 1000)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_says_which_request_it_is_of() {
        let kept = Kept::default();
        let lines = tracing_subscriber::fmt::layer().event_format(Lines).with_writer({
            let kept = kept.clone();
            move || kept.clone()
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Fields).with(lines), || {
            let inside = tracing::info_span!("request", requestId = "r-1", sessionId = "").entered();
            inside.record("sessionId", "s-1");
            tracing::warn!(status = 409_u64, "two\nlines and a \"quote\"");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "two\nlines and a \"quote\"");
        assert_eq!(
            (&line["level"], &line["requestId"], &line["sessionId"]),
            (&"WARN".into(), &"r-1".into(), &"s-1".into())
        );
        assert_eq!(line["status"], 409);
        assert!(line["logger"].as_str().unwrap().contains("agentcore::log"), "{line}");
    }

    #[test]
    fn a_time_is_one_that_machines_read() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_344_603_250);
        assert_eq!(timestamp(time), "2026-11-22T10:50:03.250Z");
    }
}
