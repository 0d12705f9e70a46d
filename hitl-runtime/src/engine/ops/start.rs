//! Start of threads.

use std::sync::Arc;

use serde_json::{Value, value::RawValue};

use crate::{
    Error, Incompatibility, Operator, Place, ThreadId,
    engine::{
        Engine,
        exec::{RunError, execute, finish_for},
        routing::{self, for_each, write_checks},
        session::{ThreadWriter, has_requester, may_decide, random_id},
    },
    graph::Point,
    journal::{Entry, Event, Fold, Requester, Requesters, Runs, TokenSubject, Values, migrate::updated},
    state::{Slots, StateTable},
};

/// The party that starts a thread.
#[derive(Clone, Copy, Debug)]
pub enum Starter<'a> {
    /// The program itself, which owns every thread.
    Program,
    /// A caller, if their identity is known. A thread of another caller counts as an existing thread with its name.
    Caller(Option<&'a Operator>),
}

impl Engine {
    /// Starts a thread with an input in JSON.
    pub async fn start_json(
        self: &Arc<Self>,
        thread: ThreadId,
        input: &Value,
        starter: Starter<'_>,
    ) -> Result<Fold, Error> {
        let input = (self.graph.read_input)(input).map_err(|problem| Error::InvalidInput { problem })?;
        self.start(thread, input, starter).await
    }

    /// Starts a thread and runs it until a person must act or it ends.
    pub(crate) async fn start(
        self: &Arc<Self>,
        thread: ThreadId,
        input: Values,
        starter: Starter<'_>,
    ) -> Result<Fold, Error> {
        let (requester, owns_all) = match starter {
            Starter::Program => (None, true),
            Starter::Caller(caller) => (caller.map(|caller| named(&thread, caller)).transpose()?, false),
        };
        let (engine, start) =
            (Arc::clone(self), Start { thread: thread.clone(), input, requester, owns_all });
        let span = self.thread_span("start", &thread);
        finish_for(thread, span, async move { engine.begin(start).await }).await
    }

    async fn begin(self: Arc<Self>, start: Start) -> Result<Fold, Error> {
        let thread = &start.thread;
        match self.find_writer(thread).await {
            Ok(Some(writer)) => return Box::pin(self.same_start(writer.into_fold(), &start)).await,
            Ok(None) => {
                thread.check_new()?;
                self.may_start(thread).await?;
            }
            Err(Error::GraphChanged { differences, .. })
                if matches!(differences[..], [Incompatibility::OtherGraph { .. }]) =>
            {
                return Err(Error::ThreadExists { thread: thread.clone() });
            }
            Err(error) => return Err(error),
        }
        match execute(self.first_entry(&start)?).await {
            Err(RunError::Conflict(_)) => self.same_start(self.load_for_reading(thread).await?, &start).await,
            other => {
                let fold = self.fold_after(other).await?;
                self.cancel_late_start(fold).await
            }
        }
    }

    /// Checks the input, and queues the first entry of the thread.
    fn first_entry(self: &Arc<Self>, start: &Start) -> Result<Box<ThreadWriter>, Error> {
        has_requester(self.graph.spec, &start.thread, &Requesters::of(start.requester.as_ref()))?;
        let invalid = |problem: String| Error::InvalidInput { problem };
        let mut fields = Slots::empty(self.graph.state);
        for (field, json) in &start.input {
            fields.write(field, json.get()).map_err(|e| invalid(e.to_string()))?;
        }
        let unwritten = Slots::empty(self.graph.state);
        for (field, json) in &start.input {
            write_checks::check(self.graph, &unwritten, field, json.get()).map_err(invalid)?;
        }
        for_each::fits(self.graph, Point::Start, &fields, |_| None).map_err(|e| invalid(e.to_string()))?;
        let to = routing::after_start(self.graph, &fields, &Runs::default()).map_err(invalid)?;
        let mut writer = ThreadWriter::new(self, Fold::empty(self.graph.state, start.thread.clone()));
        // The thread has had no other runner: its own id is the first runner's name.
        let id = random_id()?;
        writer.claim_as(id.clone());
        writer.push(Event::Started {
            graph: self.graph.spec.name.to_owned(),
            print: self.print.clone(),
            version: self.graph.state.spec.version,
            id,
            input: start.input.clone(),
            to: Some(to),
            from: None,
            requester: start.requester.clone(),
        })?;
        Ok(writer)
    }

    /// Returns a thread that this start, or an equal one, has begun.
    async fn same_start(&self, fold: Fold, start: &Start) -> Result<Fold, Error> {
        let first = self.store.entries(&fold.thread, Place::START, 1).await?;
        let entry = first.first().map(|record| serde_json::from_slice::<Entry>(&record.body));
        let Some(Ok(Entry {
            event: Event::Started { graph, version, input, from: None, requester, .. },
            ..
        })) = entry
        else {
            return Err(Error::ThreadExists { thread: fold.thread });
        };
        let is_theirs = start.owns_all || is_same_owner(requester.as_ref(), start.requester.as_ref());
        if is_theirs
            && graph == self.graph.spec.name
            && same_input(self.graph.state, version, &input, &start.input)
        {
            Ok(fold)
        } else {
            Err(Error::ThreadExists { thread: fold.thread })
        }
    }
}

struct Start {
    thread: ThreadId,
    input: Values,
    requester: Option<Requester>,
    /// `true` if the start may return any person's thread.
    owns_all: bool,
}

/// Returns whether two requesters are the same owner of a thread: the same verified person, or none both times. A person
/// is the subject of an issuer. Names are compared only if neither has a subject, because a name is not unique among
/// issuers: a requester with a subject and one without differ.
pub fn is_same_owner(one: Option<&Requester>, other: Option<&Requester>) -> bool {
    let verified = |requester: Option<&Requester>| requester.and_then(Requester::owner).map(str::to_owned);
    let subject = |requester: Option<&Requester>| {
        TokenSubject::of(requester.filter(|requester| !requester.unverified)?.evidence.as_deref())
    };
    match (subject(one), subject(other)) {
        (None, None) => verified(one) == verified(other),
        (one, other) => one == other,
    }
}

/// Converts an operator into a requester, after a check of their name.
pub(super) fn named(thread: &ThreadId, operator: &Operator) -> Result<Requester, Error> {
    may_decide(thread, "start", None, operator).map(|()| Requester::from(operator))
}

/// Returns whether a thread was started with this input, after migration to this version of the state.
fn same_input(state: &StateTable, version: u32, before: &Values, now: &Values) -> bool {
    let parsed = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    let Ok(before) = updated(state, version, before) else { return false };
    // A migration may have added fields that are not inputs.
    let is_input = |field: &str| state.spec.field(field).is_some_and(|field| field.input);
    let before: Vec<_> = before.iter().filter(|(field, _)| is_input(field)).collect();
    before.len() == now.len()
        && before.iter().zip(now).all(|((ka, va), (kb, vb))| *ka == kb && parsed(va) == parsed(vb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(json: &str) -> Requester {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_owner_is_the_subject_of_an_issuer() {
        let of_a = requester(r#"{ "operator": "mara", "evidence": { "issuer": "a", "subject": "1" } }"#);
        let of_b = requester(r#"{ "operator": "mara", "evidence": { "issuer": "b", "subject": "1" } }"#);
        let renamed = requester(r#"{ "operator": "mara.k", "evidence": { "issuer": "a", "subject": "1" } }"#);
        let named = requester(r#"{ "operator": "mara" }"#);
        let other = requester(r#"{ "operator": "noor", "evidence": { "channel": "cli" } }"#);
        let by_channel = requester(r#"{ "operator": "mara", "evidence": { "channel": "cli" } }"#);
        let claimed = requester(
            r#"{ "operator": "mara", "unverified": true, "evidence": { "issuer": "a", "subject": "1" } }"#,
        );
        for (one, two, same) in [
            (Some(&of_a), Some(&of_a), true),
            (Some(&of_a), Some(&renamed), true),
            (Some(&of_a), Some(&of_b), false),
            // One side has no subject.
            (Some(&of_a), Some(&named), false),
            (Some(&of_a), Some(&by_channel), false),
            (Some(&of_a), Some(&claimed), false),
            (Some(&of_a), None, false),
            (Some(&named), Some(&by_channel), true),
            (Some(&named), Some(&other), false),
            (Some(&named), Some(&claimed), false),
            (Some(&claimed), None, true),
            (None, None, true),
        ] {
            assert_eq!((is_same_owner(one, two), is_same_owner(two, one)), (same, same), "{one:?} {two:?}");
        }
    }
}
