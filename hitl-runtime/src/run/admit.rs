//! An old thread meets new code: it goes on as the new code has it, or is refused whole, before anything runs.
//!
//! What taking it over changes is first done to the thread in memory, which is all that a look needs. It is stored with
//! the first thing that happens to the thread, in one append, so that it costs no commit of its own.

use super::{
    Agent, Graph,
    fit::fit,
    graph::GraphFold,
    post::Post,
    review_rule::ReviewRule,
    route,
    terms::{self, Terms},
    turn,
};
use crate::{
    Digest, Error, ThreadId,
    journal::{Event, Fold, LaneId, OpenAt},
    state::State,
    store::Tail,
};

impl<G: Graph> Agent<G> {
    /// A thread as it goes on under this program, with the entries that this takes.
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

    /// The same for a tail that has been read already.
    pub(crate) fn post_of(&self, thread: &ThreadId, tail: &Tail) -> Result<Box<Post<G>>, Error> {
        let mut post = Post::new(self, self.read_tail(thread, tail)?);
        post.admit()?;
        Ok(post)
    }

    /// The same thread for whoever only looks at it.
    pub(crate) async fn known(&self, thread: &ThreadId) -> Result<GraphFold<G>, Error> {
        Ok(self.post(thread).await?.seen())
    }

    /// Whether the thread was last moved by this very code.
    pub(super) fn has_met<S: State>(&self, fold: &Fold<S>) -> bool {
        fold.print == self.inner.print && fold.version == S::SPEC.version
    }
}

impl<G: Graph> Post<G> {
    /// Takes the thread over from other code, if it comes from there.
    pub(super) fn admit(&mut self) -> Result<(), Error> {
        let agent = self.agent.clone();
        if agent.has_met(&self.fold) {
            return Ok(());
        }
        let found = fit::<G, G::State>(&self.fold);
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
        let open: Vec<(LaneId, OpenAt)> = self.fold.open().map(|(id, open)| (id, open.clone())).collect();
        open.into_iter().try_for_each(|(lane, open)| self.reopen(lane, &open))
    }

    /// What was signed is what runs, under the rule that the program asks for: a review is opened again where what is
    /// signed has become something else, or where its rule has changed. Code that asks for more never meets a review
    /// that asks for less.
    fn reopen(&mut self, lane: LaneId, open: &OpenAt) -> Result<(), Error> {
        let Some((_, entry)) = route::node::<G>(&open.visit.node) else { return Ok(()) };
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
        let (node, field) = (open.visit.node.clone(), interrupt.field);
        let draft = turn::draft::<G>(&self.fold, lane, field, reviewed)?;
        let (covers, shows) = terms::of(entry.spec.name, &interrupt);
        let digest = |fold: &GraphFold<G>, place| -> Result<Digest, Error> {
            let terms = Terms { node: &node, field, place, covers: &covers, shows: &shows };
            terms.digest(fold, lane, &draft).map_err(|e| turn::unsignable(&fold.thread, field, e))
        };
        let rule = ReviewRule::in_program(open, &interrupt);
        let same = field == open.field && rule == ReviewRule::opened(open);
        if same && digest(&self.fold, open.place)? == open.digest {
            return Ok(());
        }
        let digest = digest(&self.fold, self.fold.next)?;
        self.push(Event::Paused {
            node: node.clone(),
            lane,
            field: field.to_owned(),
            digest,
            role: rule.role,
            deadline_ms: rule.deadline_ms,
            remind_ms: rule.remind_ms,
            proposed: open.proposed.clone(),
            covers,
            shows,
        })
    }
}
