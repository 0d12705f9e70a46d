//! The sweep in the background of a server: which threads it is about, and what it logs.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hitl_runtime::{
    Error, ThreadId, ThreadStatus,
    agent::SweepEvent,
    plumbing::{Engine, plain},
};

use super::background::Background;

/// The interval between sweeps.
const INTERVAL: Duration = Duration::from_secs(60);

/// The threads that a server sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SweepScope {
    /// All threads of the store.
    #[default]
    All,
    /// The threads that requests to this process were about.
    Own,
    /// None.
    Nothing,
}

/// The threads that requests to this process were about, the latest ones first to stay.
#[derive(Debug, Default)]
pub(super) struct OwnThreads(Mutex<RecentThreads>);

#[derive(Debug, Default)]
struct RecentThreads {
    known: BTreeSet<ThreadId>,
    by_age: VecDeque<ThreadId>,
}

impl OwnThreads {
    /// The number of threads that are remembered. A container of AgentCore serves one session, so it has few.
    const MAX: usize = 10_000;

    /// Adds a thread, and forgets the one that was added first if there are too many.
    pub(super) fn add(&self, thread: &ThreadId) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_reserved() || !threads.known.insert(thread.clone()) {
            return;
        }
        threads.by_age.push_back(thread.clone());
        if threads.by_age.len() > Self::MAX
            && let Some(oldest) = threads.by_age.pop_front()
        {
            threads.known.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, thread: &ThreadId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.contains(thread)
    }
}

/// Sweeps immediately and then once a minute, for as long as the future is polled.
pub(super) async fn watch(
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

/// Logs an event of a sweep: names and codes, and not the text of an error, which may quote a value of the thread.
pub(super) fn log(event: Result<SweepEvent, Error>) {
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

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use hitl::{Agent, ManualClock, Timestamp};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::{super::AgentCore, *};

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
        let own = served.own_threads();
        let service = TowerToHyperService::new(served.router());
        for payload in [
            r#"{ "thread_id": "started-here", "message": "order A-9133 arrived broken" }"#,
            r#"{ "action": "get", "thread_id": "asked-about" }"#,
            r#"{ "action": "stops" }"#,
        ] {
            let request = Request::post("/invocations").header("host", "localhost");
            let request =
                request.header("content-type", "application/json").body(Body::from(payload)).unwrap();
            assert_eq!(service.call(request).await.unwrap().status().as_u16(), 200, "{payload}");
        }
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
    fn the_oldest_of_too_many_threads_is_forgotten() {
        let own = OwnThreads::default();
        let thread = |number: usize| ThreadId::new(format!("t-{number}")).unwrap();
        for number in 0..=OwnThreads::MAX {
            own.add(&thread(number));
            own.add(&thread(number));
        }
        own.add(&ThreadId::of_stops());
        assert!(!own.contains(&thread(0)) && !own.contains(&ThreadId::of_stops()));
        assert!(own.contains(&thread(1)) && own.contains(&thread(OwnThreads::MAX)));
    }
}
