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

use crate::timestamp::format_utc;

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
    let lines = tracing_subscriber::fmt::layer().event_format(JsonFormat);
    let subscriber = tracing_subscriber::registry().with(filter).with(SpanFields).with(lines);
    // It fails if a global subscriber is already set; that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The fields of a span or an event, by name.
#[derive(Default)]
struct FieldMap(Map<String, Value>);

impl Visit for FieldMap {
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
struct SpanFields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanFields {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = FieldMap::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<FieldMap>()
        {
            values.record(fields);
        }
    }
}

#[derive(Serialize)]
struct LogLine<'a> {
    timestamp: String,
    level: &'a str,
    message: String,
    logger: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

struct JsonFormat;

impl<S, N> FormatEvent<S, N> for JsonFormat
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
        let mut fields = Map::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(FieldMap(of_span)) = span.extensions().get::<FieldMap>() {
                fields.extend(of_span.clone());
            }
        }
        let mut own = FieldMap::default();
        event.record(&mut own);
        let message = own.0.remove("message").and_then(|message| message.as_str().map(str::to_owned));
        fields.extend(own.0);
        let line = LogLine {
            timestamp: timestamp(SystemTime::now()),
            level: event.metadata().level().as_str(),
            message: message.unwrap_or_default(),
            logger: event.metadata().target(),
            fields,
        };
        // People read logs too: characters that could mislead them are escaped.
        let json = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writer.write_str(&crate::unicode::escape_hidden_json(&json))?;
        writer.write_char('\n')
    }
}

/// Formats a time as `2026-11-22T18:40:00.123Z` (RFC 3339).
fn timestamp(time: SystemTime) -> String {
    let ms = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let ms = u64::try_from(ms).unwrap_or(u64::MAX);
    format!("{}.{:03}Z", format_utc(ms).replace(' ', "T"), ms % 1000)
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
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_fields_of_its_request() {
        let buffer = Buffer::default();
        let lines = tracing_subscriber::fmt::layer().event_format(JsonFormat).with_writer({
            let buffer = buffer.clone();
            move || buffer.clone()
        });
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(SpanFields).with(lines),
            || {
                let inside = tracing::info_span!("request", requestId = "r-1", sessionId = "").entered();
                inside.record("sessionId", "s-1");
                tracing::warn!(status = 409_u64, "two\nlines and a \"quote\"");
            },
        );
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
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
    fn a_timestamp_is_rfc_3339() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_344_603_250);
        assert_eq!(timestamp(time), "2026-11-22T10:50:03.250Z");
    }
}
