//! Adaptation of stored threads to this program. A thread that other code moved last is migrated, or is rejected as
//! incompatible before anything runs.
//!
//! The thread is first changed in memory only, which is enough for reading it. The entries for the change are stored
//! together with the next entry of the thread, in one append, so that the change needs no append of its own.

use super::{
    Agent, Graph,
    fit::fit,
    post::Post,
    repropose::proposer,
    review_rule::ReviewRule,
    route,
    terms::{self, Terms},
    turn,
};
use crate::{
    Error, ThreadId,
    journal::{Event, Fold, LaneId, OpenAt, Proposer},
    state::State,
    store::Tail,
};

impl<G: Graph> Agent<G> {
    /// Returns the thread adapted to this program, with the entries for that, which are not stored yet.
    pub(crate) async fn post(&self, thread: &ThreadId) -> Result<Box<Post<G>>, Error> {
        match self.tail(thread).await? {
            Some(tail) => {
                let post = self.post_of(thread, &tail)?;
                self.authenticate_signatures(&post.fold, &tail).await?;
                Ok(post)
            }
            None => Err(Error::UnknownThread { thread: thread.clone() }),
        }
    }

    /// As [`Agent::post`], for a tail that has been read already. Does not authenticate the signatures in its snapshot.
    pub(crate) fn post_of(&self, thread: &ThreadId, tail: &Tail) -> Result<Box<Post<G>>, Error> {
        let mut post = Post::new(self, self.read_tail(thread, tail)?);
        post.admit()?;
        Ok(post)
    }

    /// As [`Agent::post`], for callers that only read the thread.
    pub(crate) async fn known(&self, thread: &ThreadId) -> Result<Fold, Error> {
        Ok(self.post(thread).await?.seen())
    }

    /// Returns whether the code that moved the thread last has this program's graph fingerprint and state version.
    pub(super) fn has_met(&self, fold: &Fold) -> bool {
        fold.print == self.inner.print && fold.version == G::State::SPEC.version
    }
}

impl<G: Graph> Post<G> {
    /// Adapts the thread to this program: migrates it if other code moved it last, and opens reviews again whose draft
    /// or rule has changed.
    pub(super) fn admit(&mut self) -> Result<(), Error> {
        let agent = self.agent.clone();
        if agent.has_met(&self.fold) {
            return if self.fold.ended { Ok(()) } else { self.reopen_all(Met::This) };
        }
        self.note_lease();
        let found = fit::<G>(&self.fold);
        if !found.differences.is_empty() {
            let thread = self.fold.thread.clone();
            return Err(Error::GraphChanged { thread, differences: found.differences });
        }
        if self.fold.ended {
            return Ok(());
        }
        let known = G::State::SPEC.version;
        self.push(Event::Migrated {
            print: agent.inner.print.clone(),
            version: (self.fold.version != known).then_some(known),
            renamed: found.renamed,
            void: found.void,
        })?;
        self.reopen_all(Met::Other)?;
        found.again.into_iter().try_for_each(|lane| self.ask_again(lane))
    }

    /// Opens reviews again where needed. After other code every open review is compared with this program; otherwise
    /// only those whose rule is not this program's, for example because the journal was edited.
    fn reopen_all(&mut self, met: Met) -> Result<(), Error> {
        let is_due = |open: &OpenAt| met == Met::Other || !is_as_asked::<G>(open);
        let open = self.fold.open().filter(|(_, open)| is_due(open));
        let open: Vec<(LaneId, OpenAt)> = open.map(|(id, open)| (id, open.clone())).collect();
        if met == Met::This && !open.is_empty() {
            self.note_lease();
        }
        open.into_iter().try_for_each(|(lane, open)| self.reopen(lane, &open))
    }

    /// Opens the review before a lane's node, because its signature was given under a weaker rule and is now void.
    fn ask_again(&mut self, lane: LaneId) -> Result<(), Error> {
        let visit = self.fold.lanes.get(&lane).and_then(|lane| lane.at.visit());
        let Some((_, entry)) = visit.and_then(|visit| route::node::<G>(&visit.node)) else { return Ok(()) };
        let Some(interrupt) = entry.spec.interrupt else { return Ok(()) };
        let rule = ReviewRule::new(&interrupt, self.agent.inner.clock.now_ms());
        let proposed = proposer::<G>(&self.fold, lane, interrupt.field);
        self.open(lane, entry, rule, proposed)
    }

    /// Opens a review again if what is signed there, or its rule, has changed. So a node runs only on what was signed,
    /// under the rule of this program: an open review with a weaker rule never counts, be it from older code or written
    /// into the journal by an attacker.
    fn reopen(&mut self, lane: LaneId, open: &OpenAt) -> Result<(), Error> {
        let Some((_, entry)) = route::node::<G>(&open.visit.node) else { return Ok(()) };
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
        if is_as_asked::<G>(open) {
            let draft = turn::draft::<G>(&self.fold, lane, interrupt.field, reviewed)?;
            let digest = Terms::of_open(open).digest(&self.fold, lane, &draft);
            let digest = digest.map_err(|e| turn::unsignable(&self.fold.thread, interrupt.field, e))?;
            if digest == open.digest {
                return Ok(());
            }
        }
        self.open(lane, entry, ReviewRule::in_program(open, &interrupt), open.proposed.clone())
    }

    /// Opens a review with the draft and the terms of this program.
    fn open(
        &mut self,
        lane: LaneId,
        entry: &route::Entry<G>,
        rule: ReviewRule,
        proposed: Option<Proposer>,
    ) -> Result<(), Error> {
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
        let (node, field) = (entry.spec.name, interrupt.field);
        let draft = turn::draft::<G>(&self.fold, lane, field, reviewed)?;
        let (covers, shows) = terms::of(node, &interrupt);
        let terms = Terms { node, field, place: self.fold.next, covers: &covers, shows: &shows };
        let digest = terms.digest(&self.fold, lane, &draft);
        let digest = digest.map_err(|e| turn::unsignable(&self.fold.thread, field, e))?;
        self.push(Event::Paused {
            node: node.to_owned(),
            lane,
            field: field.to_owned(),
            digest,
            role: rule.role,
            deadline_ms: rule.deadline_ms,
            remind_ms: rule.remind_ms,
            proposed,
            covers,
            shows,
            edit: interrupt.edit,
        })
    }
}

/// The code that moved a thread last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    This,
    Other,
}

/// Returns whether an open review has the rule of this program. Also `true` if this program has no such review.
fn is_as_asked<G: Graph>(open: &OpenAt) -> bool {
    route::node::<G>(&open.visit.node)
        .and_then(|(_, entry)| Some((entry.spec.name, entry.spec.interrupt?)))
        .is_none_or(|(node, interrupt)| ReviewRule::is_as_asked(open, node, &interrupt))
}
