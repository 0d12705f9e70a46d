//! Settlement of in-doubt effects: a person records how an effect ended.

use std::sync::Arc;

use super::recover::RetryScope;
use crate::{
    Digest, Error, Incompatibility, Operator, ThreadId, Violation,
    engine::{
        Engine,
        exec::{RunError, finish_for},
        read::RequiredRoles,
        routing::{self, for_each, write_checks},
        session::{effects_in_doubt, incompatible, is_not_closed},
    },
    graph::Point,
    journal::{Event, Evidence, Fold, LaneId, Settlement, Transition, Values},
    state::Slots,
};

impl Engine {
    /// Records how an effect in doubt ended, and continues.
    pub async fn settle(
        self: &Arc<Self>,
        thread: ThreadId,
        digest: Digest,
        operator: &Operator,
        how: Settlement,
    ) -> Result<Fold, Error> {
        let (engine, operator, name) = (Arc::clone(self), operator.clone(), thread.clone());
        let span = self.thread_span("settle", &thread);
        let settled = async move { engine.settle_in_place(&thread, digest, &operator, &how).await };
        finish_for(name, span, settled).await
    }

    async fn settle_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        how: &Settlement,
    ) -> Result<Fold, Error> {
        loop {
            self.read_stops().await?;
            let writer = self.load_writer(thread).await?;
            let fold = &writer.fold;
            let Some(doubt) = effects_in_doubt(self, fold).find(|doubt| doubt.digest == digest) else {
                return Err(Error::NotInDoubt { thread: thread.clone() });
            };
            let asked = RequiredRoles::new(self.graph, fold, doubt.lane, &doubt.activation);
            let roles = asked.of_whom(fold, &doubt.activation.node, operator, how)?;
            if let Settlement::RunAgain = how {
                is_not_closed(fold, &doubt.activation.node)?;
            }
            let (run, to) = match how {
                Settlement::Happened { wrote } => {
                    let (run, to) = self.happened(fold, doubt.lane, &doubt.activation.node, wrote)?;
                    (run, Some(to))
                }
                Settlement::RunAgain | Settlement::Stop { .. } => (None, None),
            };
            if !doubt.written {
                if !self.may_run() {
                    // Only a claim of the thread keeps its runner, which may still live, from going on.
                    self.tell_runner(fold);
                    return Err(Error::NeedsRunner { thread: thread.clone() });
                }
                self.take_up(thread, RetryScope::Orphans).await?;
                continue;
            }
            let event = Event::Settled {
                node: doubt.activation.node,
                lane: doubt.lane,
                how: how.clone(),
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                run,
                to,
                evidence: Some(Evidence::of_roles(operator, &roles)),
            };
            match self.append_and_run(writer, [event]).await {
                Err(RunError::Conflict(_)) => {}
                end => return self.fold_after(end).await,
            }
        }
    }

    /// Validates the fields of an effect that happened, and returns the number of the run, if it is counted, and the
    /// next step of its lane.
    fn happened(
        &self,
        fold: &Fold,
        id: LaneId,
        node: &str,
        wrote: &Values,
    ) -> Result<(Option<u32>, Transition), Error> {
        let invalid = |field: &str, message: String| Error::Invalid {
            thread: fold.thread.clone(),
            field: field.to_owned(),
            violations: vec![Violation { path: String::new(), message }],
        };
        let Some((index, entry)) = self.graph.node(node) else {
            return Err(invalid(node, "the graph has no such node".to_owned()));
        };
        for field in entry.spec.writes {
            if !wrote.contains_key(*field) {
                return Err(invalid(
                    field,
                    format!("`{node}` writes it; give the value that it would have written"),
                ));
            }
        }
        let Some(lane) = fold.lanes.get(&id) else {
            return Err(Error::NotInDoubt { thread: fold.thread.clone() });
        };
        let written = |field: &str| wrote.get(field).map(|json| json.get());
        for_each::fits(self.graph, Point::Node(index), &lane.fields, written)
            .map_err(|e| invalid(&e.field, e.problem))?;
        let mut fields = Slots::clone(&lane.fields);
        for (field, json) in wrote {
            if !entry.spec.writes.contains(&field.as_str()) {
                return Err(invalid(field, format!("`{node}` does not write it; leave it out")));
            }
            fields.write(field, json.get()).map_err(|e| invalid(field, e.problem))?;
            write_checks::check(self.graph, &lane.fields, field, json.get())
                .map_err(|problem| invalid(field, problem))?;
        }
        let run = fold.next_run(id, Some(&entry.spec));
        let to = routing::after_node(self.graph, index, &fields, &lane.runs.with(node, run))
            .map_err(|problem| incompatible(&fold.thread, Incompatibility::NoWay { problem }))?;
        Ok((run, to))
    }
}
