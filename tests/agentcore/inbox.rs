//! Tests of the actions that are about no thread: the list of open reviews, and a sweep.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hitl::{
    Agent, Graph, ManualClock, Place, Store, ThreadId, Timestamp,
    agentcore::{AgentCore, OperatorAuth, Right, TokenVerifier},
    prelude::*,
    store::{BoxFuture, LayeredStore, OpenReview, Page, Record, StoreError, StoreLayer, position_after},
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    issuer::{Issuer, NOW},
    kit::{
        payment::{CaseInput, Payer},
        world::World,
    },
    table::{Table, store},
    test_server::read,
};

/// The position in the list of reviews that a token of the store has.
#[derive(Serialize, Deserialize)]
struct Position {
    opened: u64,
    thread: String,
    place: u64,
    digest: String,
}

/// A server of any graph.
pub struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start<G: Graph>(agent: Agent<G>, operators: OperatorAuth) -> Self {
        Self::with_settings(agent, |served| served.operators(operators))
    }

    pub fn with_settings<G: Graph>(agent: Agent<G>, settings: impl FnOnce(AgentCore) -> AgentCore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/invocations", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = settings(AgentCore::new(agent)).serve_until(listener, async {
            let _ = stopped.await;
        });
        Self { url, stop, serving: tokio::spawn(served) }
    }

    pub async fn ask(&self, authorization: Option<&str>, payload: Value) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(&self.url).json(&payload);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        read(request.send().await.unwrap()).await
    }

    /// Returns the names of the threads in each page of an inbox.
    async fn inbox(&self, authorization: &str, limit: usize) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), Value::Null);
        loop {
            let payload = json!({ "action": "inbox", "limit": limit, "after": after });
            let (status, body) = self.ask(Some(authorization), payload).await;
            assert_eq!(status, 200, "{body}");
            let reviews = body["reviews"].as_array().unwrap().iter();
            pages.push(reviews.map(|review| review["thread"].as_str().unwrap().to_owned()).collect());
            after = body["next"].clone();
            let Some(token) = after.as_str() else { return pages };
            // A token names a thread, so it must not be one that is not listed.
            let position = position_after::<Position>("reviews", Some(token)).unwrap().unwrap();
            assert_eq!(pages.last().and_then(|page: &Vec<String>| page.last()), Some(&position.thread));
        }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap().unwrap();
    }
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(NOW * 1000))
}

fn verified(issuer: &Issuer) -> OperatorAuth {
    OperatorAuth::verified(TokenVerifier::from_jwks(&issuer.jwks()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_has_only_what_its_caller_may_decide() {
    let (issuer, table) = (Issuer::new("k1"), Table::create().await);
    let agent = Payer::new(World::default(), store(table.endpoint())).clock(clock());
    for (thread, cents) in [("large-0", 900_000), ("small-0", 5), ("large-1", 900_000), ("small-1", 5)] {
        let _ = agent.start(thread, CaseInput { cents }).await.unwrap();
    }
    for number in 2..=120 {
        let _ = agent.start(format!("large-{number}"), CaseInput { cents: 900_000 }).await.unwrap();
    }
    let _ = agent.start("small-2", CaseInput { cents: 5 }).await.unwrap();
    let served = Server::start(agent, verified(&issuer));
    let clerk = issuer.bearer("cem", &["clerk"]);
    assert_eq!(served.inbox(&clerk, 2).await, [vec!["small-0", "small-1"], vec!["small-2"]]);
    assert_eq!(served.inbox(&clerk, 50).await, [["small-0", "small-1", "small-2"]]);
    let director = served.inbox(&issuer.bearer("dora", &["director"]), 100).await;
    assert_eq!(director.iter().map(Vec::len).collect::<Vec<_>>(), [100, 21]);
    assert_eq!(served.inbox(&issuer.bearer("ann", &["guest"]), 1).await, [Vec::<String>::new()]);

    let (status, body) = served.ask(Some(&clerk), json!({ "action": "inbox", "limit": 1 })).await;
    let review = &body["reviews"][0];
    assert_eq!(
        (status, &review["node"], &review["role"]),
        (200, &json!("pay_small"), &json!("clerk")),
        "{body}"
    );
    let approve = json!({ "action": "approve", "thread_id": "small-0", "digest": review["digest"] });
    assert_eq!(served.ask(Some(&clerk), approve).await.0, 200);
    assert_eq!(served.inbox(&clerk, 2).await, [["small-1", "small-2"]]);
    for (payload, status, code) in [
        (json!({ "action": "inbox", "after": "x" }), 400, "store"),
        (json!({ "action": "inbox", "limit": 0 }), 400, "invalid_request"),
        (json!({ "action": "inbox", "limit": 1001 }), 400, "invalid_request"),
        (json!({ "action": "inbox", "thread_id": "small-1" }), 400, "invalid_request"),
        (json!({ "action": "sweep", "scope": "store" }), 400, "invalid_request"),
    ] {
        let (found, body) = served.ask(Some(&clerk), payload.clone()).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{payload}: {body}");
    }
    assert_eq!(served.ask(None, json!({ "action": "inbox" })).await.0, 401);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_takes_the_role_for_resuming_all_threads() {
    let (issuer, clock) = (Issuer::new("k1"), clock());
    let agent = Payer::new(World::default(), MemoryStore::new()).clock(clock.clone());
    for number in 0..3 {
        let _ = agent.start(format!("t-{number}"), CaseInput { cents: 5 }).await.unwrap();
    }
    let operators = verified(&issuer).role_for(Right::Resume, "operations");
    let served = Server::start(agent.clone(), operators);
    let sweep = || json!({ "action": "sweep" });
    let operations = issuer.bearer("olga", &["operations"]);
    let (status, body) = served.ask(Some(&operations), sweep()).await;
    let counts = json!({ "sweep": { "moved": 0, "failed": 0, "reminded": 0, "refused": 0 } });
    assert_eq!((status, &body), (200, &counts));
    // The tokens are those of the issuer's own time, so that they outlive the deadlines.
    clock.advance(Duration::from_secs(24 * 60 * 60));
    let late = |name: &str, role: &str| {
        let claims = crate::issuer::with(json!({ "sub": name, "roles": [role], "exp": NOW + 90_000 }));
        format!("Bearer {}", issuer.token(&claims))
    };
    // Neither a stake in the threads nor a role for reviews is enough, and nothing has moved.
    let clerk = late("cem", "clerk");
    let (status, body) = served.ask(Some(&clerk), sweep()).await;
    assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
    assert!(body["error"].as_str().unwrap().contains("HITL_RESUME_ROLES"), "{body}");
    assert_eq!(served.ask(None, sweep()).await.0, 401);
    // Even if everyone may resume a thread.
    let resumable = Server::start(agent.clone(), verified(&issuer).open(Right::Resume));
    for (caller, status) in [(None, 401), (Some(clerk.as_str()), 403)] {
        assert_eq!(resumable.ask(caller, sweep()).await.0, status);
    }
    resumable.stop().await;
    assert_eq!(agent.view("t-0").await.unwrap().standing.as_str(), "waiting");
    // What has expired cannot be decided.
    assert_eq!(served.inbox(&clerk, 10).await, [Vec::<String>::new()]);

    let (status, body) = served.ask(Some(&late("olga", "operations")), sweep()).await;
    let counts = json!({ "sweep": { "moved": 3, "failed": 0, "reminded": 0, "refused": 0 } });
    assert_eq!((status, &body), (200, &counts));
    assert_eq!(agent.view("t-0").await.unwrap().standing.as_str(), "ended");
    served.stop().await;

    // As with `resume`, a server without keys leaves this to the control of access in front of it.
    let open = Server::start(agent, OperatorAuth::default());
    assert_eq!(open.ask(None, sweep()).await.0, 200);
    let (status, body) = open.ask(None, json!({ "action": "inbox" })).await;
    assert_eq!((status, &body["code"]), (401, &json!("operator_missing")), "{body}");
    open.stop().await;
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
struct Post {
    #[input]
    text: String,
    letter: Letter,
    #[output]
    sent: String,
}

#[node(Post, writes = letter)]
async fn write(text: &str) -> Result<Letter> {
    Ok(Letter { text: text.to_owned() })
}

#[interrupt_before]
#[node(Post, writes = sent, effect)]
async fn send(letter: &Approved<Letter>) -> Result<String> {
    Ok(letter.text.clone())
}

#[node(Post, writes = sent)]
async fn discard(rejection: &Rejection) -> Result<String> {
    Ok(rejection.note.clone())
}

graph! {
    Poster<Post> {
        start -> write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_without_a_role_is_listed_for_its_owner() {
    let (issuer, store) = (Issuer::new("k1"), MemoryStore::new());
    // The reviews of another graph in the same store are not listed.
    let payer = Payer::new(World::default(), store.clone()).clock(clock());
    let _ = payer.start("small", CaseInput { cents: 5 }).await.unwrap();
    let agent = Poster::new(store).clock(clock());
    let served = Server::start(agent, verified(&issuer).role_for(Right::Read, "auditor"));
    let ann = issuer.bearer("ann", &[]);
    let start = json!({ "thread_id": "letter", "text": "Dear all" });
    assert_eq!(served.ask(Some(&ann), start).await.0, 200);
    for (caller, listed) in [
        (ann, vec!["letter"]),
        (issuer.bearer("bob", &["clerk"]), vec![]),
        (issuer.bearer("eve", &["auditor"]), vec!["letter"]),
    ] {
        assert_eq!(served.inbox(&caller, 10).await, [listed]);
    }
    served.stop().await;
}

/// A store that can read neither the second page of the reviews nor the entries of the thread `broken`, while it fails.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Failing {
    fn check(&self, fails: bool) -> Result<(), StoreError> {
        let (location, problem) = ("a disk".to_owned(), "a sector is unreadable".to_owned());
        let failed = StoreError::Failed { location, problem, source: None };
        if fails && self.0.load(SeqCst) { Err(failed) } else { Ok(()) }
    }
}

impl StoreLayer for Failing {
    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            self.check(thread.as_str() == "broken")?;
            store.entries(thread, from, limit).await
        })
    }

    fn reviews<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        Box::pin(async move {
            self.check(after.is_some())?;
            store.reviews(after, limit).await
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_list_is_returned_as_far_as_it_was_read() {
    let (issuer, failing) = (Issuer::new("k1"), Failing::default());
    let agent =
        Payer::new(World::default(), LayeredStore::new(MemoryStore::new(), failing.clone())).clock(clock());
    for number in 0..120 {
        // The last reviews of the first page are not the clerk's.
        let cents = if (90..100).contains(&number) { 900_000 } else { 5 };
        let _ = agent.start(format!("t-{number:03}"), CaseInput { cents }).await.unwrap();
    }
    let served = Server::start(agent, verified(&issuer));
    let clerk = issuer.bearer("cem", &["clerk"]);
    let page = async |after: Value| {
        let payload = json!({ "action": "inbox", "limit": 200, "after": after });
        let (status, body) = served.ask(Some(&clerk), payload).await;
        let reviews = body["reviews"].as_array().map(|reviews| (reviews[0]["thread"].clone(), reviews.len()));
        (status, reviews, body["next"].clone())
    };
    failing.0.store(true, SeqCst);
    let (status, reviews, next) = page(Value::Null).await;
    assert_eq!((status, reviews), (200, Some((json!("t-000"), 90))));
    // Nothing was read of the rest.
    assert_eq!(page(next.clone()).await, (503, None, Value::Null));
    failing.0.store(false, SeqCst);
    assert_eq!(page(next).await, (200, Some((json!("t-100"), 20)), Value::Null));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_thread_does_not_hide_the_others() {
    let (issuer, failing) = (Issuer::new("k1"), Failing::default());
    let agent = Poster::new(LayeredStore::new(MemoryStore::new(), failing.clone())).clock(clock());
    let served = Server::start(agent, verified(&issuer));
    let ann = issuer.bearer("ann", &[]);
    for thread in ["broken", "letter"] {
        let start = json!({ "thread_id": thread, "text": "Dear all" });
        assert_eq!(served.ask(Some(&ann), start).await.0, 200);
    }
    failing.0.store(true, SeqCst);
    assert_eq!(served.inbox(&ann, 10).await, [["letter"]]);
    failing.0.store(false, SeqCst);
    assert_eq!(served.inbox(&ann, 10).await, [["broken", "letter"]]);
    served.stop().await;
}
