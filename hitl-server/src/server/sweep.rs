//! Sweeps of a server: the one in its background, and the requested ones.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hitl_runtime::{
    Error, ThreadId, ThreadStatus,
    agent::SweepEvent,
    plumbing::{Engine, plain},
};

use super::{AppState, background::Background};
use crate::api::{self, ApiError, SweepCounts};

/// The interval between sweeps.
const INTERVAL: Duration = Duration::from_secs(60);

/// The threads that a server sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SweepScope {
    /// All threads of the store.
    #[default]
    All,
    /// The threads that requests to this process were about.
    Own,
    /// None.
    Nothing,
}

/// The threads that requests to this process were about and succeeded. The least recently used ones are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct OwnThreads(Mutex<RecentThreads>);

/// The threads, each with the number of its last use, and the same by that number.
#[derive(Debug, Default)]
struct RecentThreads {
    last_use: BTreeMap<ThreadId, u64>,
    by_use: BTreeMap<u64, ThreadId>,
    uses: u64,
}

impl OwnThreads {
    /// The number of threads that are remembered. A container of AgentCore serves one session, so it has few.
    const MAX: usize = 10_000;

    /// Records a use of a thread, and forgets the least recently used one if there are too many.
    pub(crate) fn add(&self, thread: &ThreadId) {
        if thread.is_reserved() {
            return;
        }
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.uses += 1;
        let this_use = threads.uses;
        if let Some(earlier) = threads.last_use.insert(thread.clone(), this_use) {
            threads.by_use.remove(&earlier);
        }
        threads.by_use.insert(this_use, thread.clone());
        if threads.by_use.len() > Self::MAX
            && let Some((_, oldest)) = threads.by_use.pop_first()
        {
            threads.last_use.remove(&oldest);
        }
    }

    pub(crate) fn contains(&self, thread: &ThreadId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_use.contains_key(thread)
    }
}

/// Sweeps immediately and then once a minute, for as long as the future is polled.
pub(crate) async fn watch(
    engine: Arc<Engine>,
    background: Background,
    scope: SweepScope,
    own: Arc<OwnThreads>,
) {
    let on_event = |event: Result<SweepEvent, Error>| {
        if event.is_err() {
            background.record_failure();
        }
        log(event);
    };
    let sweep = async || match scope {
        SweepScope::All => engine.watch(INTERVAL, on_event).await,
        SweepScope::Own => {
            let own = Arc::clone(&own);
            engine.watch_where(INTERVAL, move |thread| own.contains(thread), on_event).await
        }
        SweepScope::Nothing => std::future::pending().await,
    };
    background.supervise("the sweep", sweep).await
}

/// Sweeps for a request, and returns what happened within [`Limits::sweep`](super::Limits::sweep). One such sweep runs at
/// a time, so that several requests do not multiply the threads that are moved at a time, nor wait for each other.
pub(crate) async fn requested(state: &AppState) -> Result<SweepCounts, ApiError> {
    let Ok(_turn) = state.sweeping.try_lock() else {
        return Err(ApiError::new(
            409,
            "sweep_running",
            "a sweep is running in this process; it moves what is due, so retry later",
        ));
    };
    let mut counts = SweepCounts::default();
    let sweeping = api::sweep(&state.engine, &mut counts, |event| log(Ok(event)));
    // A node may take any time. Dropping the sweep leaves the threads that it has begun running.
    let ended = tokio::time::timeout(state.limits.sweep, sweeping).await;
    match ended {
        Ok(ended) => ended?,
        Err(_) => {
            counts.more = true;
            tracing::warn!("the sweep has not ended in time; the threads that it has begun go on");
        }
    }
    Ok(counts)
}

/// Logs an event of a sweep: names and codes, and not the text of an error, which may quote a value of the thread.
pub(crate) fn log(event: Result<SweepEvent, Error>) {
    match event {
        Ok(SweepEvent::Moved {
            thread,
            standing: standing @ (ThreadStatus::Failed | ThreadStatus::InDoubt),
            ..
        }) => {
            let thread = &*plain(thread.as_str());
            tracing::warn!(
                thread,
                standing = standing.as_str(),
                "thread advanced, but it failed or is in doubt"
            );
        }
        Ok(SweepEvent::Moved { thread, .. }) => {
            tracing::info!(thread = &*plain(thread.as_str()), "thread advanced");
        }
        Ok(SweepEvent::Refused { thread, error, .. }) => {
            let thread = &*plain(thread.as_str());
            tracing::warn!(thread, code = error.code(), "thread cannot be resumed");
        }
        Ok(_) => {}
        Err(error @ Error::Store(_)) => tracing::warn!(code = error.code(), "sweep failed: {error}"),
        Err(error) => tracing::warn!(code = error.code(), "sweep failed"),
    }
}

#[cfg(all(test, feature = "agentcore"))]
mod tests {
    use axum::{body::Body, http::Request};
    use hitl::{Agent, ManualClock, Timestamp};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::agentcore::AgentCore;

    mod refunds {
        #![allow(dead_code)]
        include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    }

    #[tokio::test]
    async fn a_process_sweeps_only_the_threads_it_was_asked_about() {
        use refunds::{RefundAgent, TicketInput};

        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let agent: Agent<RefundAgent> = RefundAgent::new(hitl::MemoryStore::new()).clock(clock.clone());
        for thread in ["started-here", "asked-about", "of-another-process"] {
            if thread != "started-here" {
                let input = TicketInput { message: "order A-9133 arrived broken".into() };
                let _ = agent.start(thread, input).await.unwrap();
            }
        }
        let served = AgentCore::new(agent.clone());
        let own = Arc::clone(&served.server.state.own_threads);
        let service = TowerToHyperService::new(served.router());
        let status_of = async |payload: &'static str| {
            let request = Request::post("/invocations").header("host", "localhost");
            let request =
                request.header("content-type", "application/json").body(Body::from(payload)).unwrap();
            service.call(request).await.unwrap().status().as_u16()
        };
        for payload in [
            r#"{ "thread_id": "started-here", "message": "order A-9133 arrived broken" }"#,
            r#"{ "action": "get", "thread_id": "asked-about" }"#,
            r#"{ "action": "stops" }"#,
        ] {
            assert_eq!(status_of(payload).await, 200, "{payload}");
        }
        // A request that fails makes no thread this process's own.
        let refused = r#"{ "action": "resume", "thread_id": "nobody" }"#;
        assert_eq!(status_of(refused).await, 404);
        assert!(!own.contains(&ThreadId::new("nobody").unwrap()));
        clock.advance(Duration::from_secs(24 * 60 * 60));
        let engine = hitl_runtime::plumbing::engine(&agent);
        let swept = async |is_selected: &(dyn Fn(&ThreadId) -> bool + Send + Sync)| {
            let events = engine.sweep_where(is_selected).await.unwrap();
            let mut threads: Vec<String> = events
                .into_iter()
                .map(|event| match event {
                    SweepEvent::Moved { thread, standing: ThreadStatus::Ended, .. } => thread.to_string(),
                    event => panic!("{event:?}"),
                })
                .collect();
            threads.sort();
            threads
        };
        assert_eq!(swept(&|thread| own.contains(thread)).await, ["asked-about", "started-here"]);
        assert_eq!(swept(&|_| true).await, ["of-another-process"]);
    }

    #[test]
    fn the_least_recently_used_thread_is_forgotten() {
        let own = OwnThreads::default();
        let thread = |number: usize| ThreadId::new(format!("t-{number}")).unwrap();
        for number in 0..OwnThreads::MAX {
            own.add(&thread(number));
            own.add(&thread(number));
        }
        own.add(&ThreadId::of_stops());
        // A use of the oldest one makes the next one the oldest.
        own.add(&thread(0));
        own.add(&thread(OwnThreads::MAX));
        assert!(!own.contains(&thread(1)) && !own.contains(&ThreadId::of_stops()));
        assert!([0, 2, OwnThreads::MAX].into_iter().all(|number| own.contains(&thread(number))));
    }
}
