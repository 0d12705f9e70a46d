//! The paths of the document.

use hitl_runtime::{ThreadStatus, ThreadView, metrics::By, plumbing::Engine};
use serde_json::{Map, Value, json};

use super::{
    bodies::Bodies,
    operations::{Operation, Paths, place, query, text},
    replies::{HistoryPage, ReviewPage, StopList, ThreadPage, VerdictPreview},
    schemas::Schemas,
};
use crate::api::{BatchReply, DEFAULT_PAGE, DEFAULT_REVIEWS, MAX_PAGE, MetricsReply};

/// The groups of operations, with their descriptions.
const TAGS: [(&str, &str); 6] = [
    ("threads", "Threads: their start, their state, their history and their events."),
    ("reviews", "Open reviews and effects in doubt, and the verdicts on them."),
    ("batches", "One verdict on reviews of many threads."),
    ("stops", "Pauses and cancellations of a thread, of a graph and of the store."),
    ("metrics", "The numbers of reviews: rates, times to decision, effects in doubt."),
    ("description", "This document."),
];

/// Returns the groups of operations.
pub(super) fn tags() -> Value {
    TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect()
}

/// Returns the paths, and adds their schemas. Where operators are claimed, each request may name one.
pub(super) fn paths(schemas: &mut Schemas, engine: &Engine, are_claimed: bool) -> Map<String, Value> {
    let bodies = Bodies::new(schemas, engine, are_claimed);
    let mut paths = Paths::new(schemas, are_claimed);
    add_threads(&mut paths, schemas, &bodies);
    add_reviews(&mut paths, schemas, &bodies);
    add_stops(&mut paths, schemas, &bodies);
    let give = Operation {
        tag: "batches",
        id: "give_batch",
        summary: "Previews one verdict on reviews of many threads; with the `confirm` of the preview, gives it.",
    };
    paths.post("/v1/batches", &give, &bodies.batch, &schemas.reply::<BatchReply>());
    let read = Operation {
        tag: "metrics",
        id: "get_metrics",
        summary: "Returns the numbers of the reviews in the store, of all graphs.",
    };
    let filters = vec![place("since_ms"), query("by", schemas.reply::<By>())];
    paths.get("/v1/metrics", &read, filters, &schemas.reply::<MetricsReply>());
    let describe = Operation { tag: "description", id: "get_description", summary: "Returns this document." };
    paths.description("/v1/openapi.json", &describe);
    paths.into_paths()
}

fn add_threads(paths: &mut Paths, schemas: &mut Schemas, bodies: &Bodies) {
    let threads = |id, summary| Operation { tag: "threads", id, summary };
    let thread = schemas.reply::<ThreadView>();
    let status = query("status", schemas.reply::<ThreadStatus>());
    let list = threads("list_threads", "Returns the threads of the store.");
    let page = schemas.reply::<ThreadPage>();
    paths.get("/v1/threads", &list, vec![status, text("after"), limit(DEFAULT_PAGE)], &page);
    let start = threads("start_thread", "Starts a thread.");
    paths.post("/v1/threads", &start, &bodies.start, &thread);
    let get = threads("get_thread", "Returns a thread.");
    paths.get("/v1/threads/{thread}", &get, vec![], &thread);
    let history = threads("get_history", "Returns entries of the journal.");
    let page = schemas.reply::<HistoryPage>();
    paths.get("/v1/threads/{thread}/history", &history, vec![place("from"), limit(DEFAULT_PAGE)], &page);
    let events = threads("get_events", "Sends the entries of a thread as they are stored.");
    paths.events("/v1/threads/{thread}/events", &events);
    let resume = threads("resume_thread", "Resumes a thread, and retries a failed node.");
    paths.post("/v1/threads/{thread}/resume", &resume, &bodies.empty, &thread);
}

fn add_reviews(paths: &mut Paths, schemas: &mut Schemas, bodies: &Bodies) {
    let reviews = |id, summary| Operation { tag: "reviews", id, summary };
    let thread = schemas.reply::<ThreadView>();
    let list = reviews("list_reviews", "Returns the open reviews that the operator may decide.");
    let filters =
        vec![text("node"), text("role"), text("thread_prefix"), text("after"), limit(DEFAULT_REVIEWS)];
    paths.get("/v1/reviews", &list, filters, &schemas.reply::<ReviewPage>());
    let review = "/v1/threads/{thread}/reviews/{digest}";
    let preview = reviews("preview_verdict", "Returns what a verdict would do.");
    let previewed = schemas.reply::<VerdictPreview>();
    paths.post(&format!("{review}/preview"), &preview, &bodies.verdict, &previewed);
    let give = reviews("give_verdict", "Decides a review.");
    paths.post(&format!("{review}/verdict"), &give, &bodies.verdict, &thread);
    let give = reviews("give_verdicts", "Decides several reviews of a thread, all of them or none.");
    paths.post("/v1/threads/{thread}/verdicts", &give, &bodies.verdicts, &thread);
    let settle = reviews("settle_effect", "Records how an effect in doubt ended.");
    let settlement = "/v1/threads/{thread}/effects/{digest}/settlement";
    paths.post(settlement, &settle, &bodies.settlement, &thread);
}

fn add_stops(paths: &mut Paths, schemas: &mut Schemas, bodies: &Bodies) {
    let (thread, stops) = (schemas.reply::<ThreadView>(), schemas.reply::<StopList>());
    for (action, summary) in [("pause", "Pauses"), ("unpause", "Lifts the pause of"), ("cancel", "Cancels")] {
        let (id, of_thread) = (format!("{action}_thread"), format!("{summary} a thread."));
        let operation = Operation { tag: "stops", id: &id, summary: &of_thread };
        paths.post(&format!("/v1/threads/{{thread}}/{action}"), &operation, &bodies.stop, &thread);
        for scope in ["graph", "store"] {
            let (id, of_all) =
                (format!("{action}_{scope}"), format!("{summary} all threads of the {scope}."));
            let operation = Operation { tag: "stops", id: &id, summary: &of_all };
            paths.post(&format!("/v1/{scope}/{action}"), &operation, &bodies.stop, &stops);
        }
    }
    let list = Operation {
        tag: "stops",
        id: "list_stops",
        summary: "Returns the stops of graphs and of the store.",
    };
    paths.get("/v1/stops", &list, vec![], &stops);
}

/// Returns the parameter of the size of a page.
fn limit(default: usize) -> Value {
    query("limit", json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default }))
}
