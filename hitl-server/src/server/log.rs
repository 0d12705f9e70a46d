//! JSON logs in the format that the service expects: one object per line.

use std::io::{self, Write};

use hitl_core::unicode::escape_hidden_json;
use json_subscriber::JsonLayer;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::time::SystemTime, layer::SubscriberExt as _, registry::LookupSpan};

/// Installs a global `tracing` subscriber that logs to standard output as JSON: `timestamp`, `level`, `message`,
/// `logger`, and inside a request its `requestId` and `sessionId`, the names that the service's own SDK uses; `name` is
/// that of the innermost span. The fields of the spans around an event, such as `thread` and `node`, are in its line.
/// `RUST_LOG` sets the filter; the default is `info`. If the program has already set a global subscriber, nothing
/// changes.
///
/// ```
/// hitl::agentcore::log_as_json();
/// ```
pub fn log_as_json() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::registry().with(filter).with(lines(io::stdout));
    // It fails if a global subscriber is already set; that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Creates the layer that writes each event as a line.
fn lines<S, W>(output: fn() -> W) -> JsonLayer<S, impl Fn() -> EscapedLines<W>>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: Write + 'static,
{
    let mut layer = JsonLayer::new(move || EscapedLines(output()));
    layer.with_timer("timestamp", SystemTime).with_level("level").with_target("logger");
    layer.with_flattened_event().with_top_level_flattened_span_list();
    layer
}

/// Writes lines of JSON in which each hidden character is an escape, because people read logs too, and each name is
/// unique: a field of an event comes before that of a span.
struct EscapedLines<W>(W);

impl<W: Write> Write for EscapedLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let json = String::from_utf8_lossy(line);
        let (json, end) = json.strip_suffix('\n').map_or((&*json, ""), |json| (json, "\n"));
        let unique =
            serde_json::from_str(json).and_then(|FirstOfEachName(fields)| serde_json::to_string(&fields));
        let json = unique.unwrap_or_else(|_| json.to_owned());
        self.0.write_all(format!("{}{end}", escape_hidden_json(&json)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An object that may have a name more than once.
struct FirstOfEachName(Map<String, Value>);

impl<'de> Deserialize<'de> for FirstOfEachName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = FirstOfEachName;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<FirstOfEachName, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    fields.entry(name).or_insert(value);
                }
                fields.entry("message").or_insert_with(|| "".into());
                Ok(FirstOfEachName(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Buffer;

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_fields_of_its_request() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines(|| Buffer)), || {
            let inside = tracing::info_span!("request", requestId = "r-1", sessionId = "").entered();
            inside.record("sessionId", "s-1");
            tracing::warn!(status = 409_u64, sessionId = "s-2", "two\nlines, a \"quote\" and \u{202e}");
        });
        let text = String::from_utf8(WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
        assert_eq!((text.lines().count(), text.matches("sessionId").count()), (1, 1), "{text}");
        assert!(text.contains("\\u202e") && !text.contains('\u{202e}'), "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "two\nlines, a \"quote\" and \u{202e}");
        assert_eq!(
            (&line["level"], &line["requestId"], &line["sessionId"]),
            (&"WARN".into(), &"r-1".into(), &"s-2".into())
        );
        assert_eq!(line["status"], 409);
        assert!(line["logger"].as_str().unwrap().contains("server::log"), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    mod refunds {
        #![allow(dead_code)]
        include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    }

    static RUN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct RunBuffer;

    impl Write for RunBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            RUN.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn names_are_whole_in_the_lines_of_a_run() {
        use refunds::{RefundAgent, RefundAgentTurn, TicketInput};

        let (thread, operator) = (r#"t","operator":"nobody"#, r#"mara","verdict":"reject"#);
        let subscriber = tracing_subscriber::registry().with(lines(|| RunBuffer));
        let _guard = tracing::subscriber::set_default(subscriber);
        let agent = RefundAgent::new(hitl::MemoryStore::new());
        let input = TicketInput { message: "order A-9133 arrived broken".into() };
        let RefundAgentTurn::Pay(review) = agent.start(thread, input).await.unwrap() else { panic!() };
        let _ = review.approve(&hitl::Operator::new(operator).role("refund-approver")).await.unwrap();

        let text = String::from_utf8(RUN.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let decided = lines.iter().find(|line| line["message"] == "review decided").unwrap();
        let fields = ["thread", "operator", "verdict", "operation"].map(|field| decided[field].as_str());
        assert_eq!(fields, [thread, operator, "approve", "decide"].map(Some));
        // The node is a field of its span.
        let attempts: Vec<_> = lines.iter().filter(|line| line["message"] == "attempt ended").collect();
        let nodes: Vec<_> = attempts.iter().map(|line| line["node"].as_str().unwrap()).collect();
        assert_eq!(nodes, ["draft", "pay"]);
        assert!(attempts.iter().all(|line| line["thread"] == thread), "{text}");
    }
}
