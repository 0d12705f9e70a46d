//! The progress of the reference's threads without people: the work of each node, and the node that follows.

use super::{
    agent::{AttemptedEffect, Effect, Node, Tier},
    reference::{Doubt, Lane, LaneState, Proposed, Reference, Review, THREADS},
};

impl Reference {
    /// Runs a thread until a person must decide, the thread ends, or the process dies. A thread that a dead process
    /// still holds is left alone.
    pub fn run(&mut self, name: usize) {
        while !self.thread(name).is_held {
            self.record(name);
            if self.thread(name).is_stopped() {
                return;
            }
            let ready = |lane: &Lane| matches!(lane.at, LaneState::Ready(..));
            let Some(lane) = self.thread(name).lanes.iter().position(ready) else { return };
            let LaneState::Ready(node, signed) = self.thread(name).lanes[lane].at else { return };
            if self.conditions.dies_at == Some(node) {
                self.crash(name, lane, node, signed);
            } else {
                self.step(name, lane, node, signed);
            }
        }
    }

    /// Records what must be known before any node runs.
    fn record(&mut self, name: usize) {
        for lane in 0..self.thread(name).lanes.len() {
            match self.thread(name).lanes[lane].at {
                LaneState::Ready(node @ (Node::Pay | Node::PayLarge | Node::Send), None) => {
                    self.open(name, lane, node)
                }
                LaneState::Doubt(doubt) => self.doubts[doubt].is_written = true,
                _ => {}
            }
        }
    }

    /// Does the work of a node, after which the process dies.
    fn crash(&mut self, name: usize, lane: usize, node: Node, signed: Option<usize>) {
        self.work(name, node, signed);
        if let Some(signed) = signed {
            self.doubt_of(name, lane, node, signed, false);
        }
        self.thread(name).is_held = true;
        self.conditions.dies_at = None;
        self.died = true;
    }

    fn step(&mut self, name: usize, lane: usize, node: Node, signed: Option<usize>) {
        let payload = std::mem::take(&mut self.thread(name).payload);
        let tries = if node == Node::Look { 3 } else { 1 };
        let end = (0..tries).map(|_| self.work(name, node, signed)).find(|end| *end != Effect::Refuses);
        match (end, signed) {
            (Some(Effect::Works), _) => self.finish(name, lane, node, payload),
            (Some(_), Some(signed)) => self.doubt_of(name, lane, node, signed, true),
            _ => self.set_lane(name, lane, LaneState::Failed { node, signed, stopped: false }),
        }
    }

    /// Does the work of a node in the world, and returns its outcome.
    fn work(&mut self, name: usize, node: Node, signed: Option<usize>) -> Effect {
        let end = |fails| if fails { Effect::Refuses } else { Effect::Works };
        let effect = signed.map(|review| {
            let (thread, what) = (THREADS[name].to_owned(), self.content(name, node));
            (review, AttemptedEffect { thread, what, by: self.reviews[review].signed_by.clone() })
        });
        match (node, effect) {
            (Node::Look, _) => {
                self.call_log.looked += 1;
                let fails = self.conditions.look_fails > 0;
                self.conditions.look_fails = self.conditions.look_fails.saturating_sub(1);
                end(fails)
            }
            (Node::Pay | Node::PayLarge, Some((review, effect))) => {
                self.call_log.paid.push(effect);
                self.paid_for.push(review);
                self.conditions.pay
            }
            (Node::Send, Some((review, effect))) => {
                self.call_log.sent.push(effect);
                self.sent_for.push(review);
                self.conditions.send
            }
            (Node::Tidy, _) => {
                self.call_log.tidied += 1;
                end(self.conditions.tidy_fails)
            }
            (node, _) => {
                self.call_log.drafted += u32::from(node == Node::Draft);
                self.call_log.rated += u32::from(node == Node::Rate);
                self.call_log.filed += u32::from(node == Node::File);
                Effect::Works
            }
        }
    }

    /// Returns the content of a payment or of the letter.
    fn content(&mut self, name: usize, node: Node) -> String {
        let thread = self.thread(name);
        if node.pays() {
            format!("{} dollars, {}", thread.dollars, thread.note)
        } else {
            thread.letter.clone()
        }
    }

    fn finish(&mut self, name: usize, lane: usize, node: Node, payload: String) {
        let line = match node {
            Node::Look => return self.set_lane(name, lane, LaneState::Ready(Node::Draft, None)),
            Node::Draft => {
                let thread = self.thread(name);
                thread.dollars = thread.wish;
                thread.note = if payload.is_empty() { "as wished".to_owned() } else { payload };
                thread.proposed = None;
                return self.set_lane(name, lane, LaneState::Ready(Node::Rate, None));
            }
            Node::Rate => {
                let large = Tier::of(self.thread(name).dollars) == Tier::Large;
                let node = if large { Node::PayLarge } else { Node::Pay };
                return self.set_lane(name, lane, LaneState::Ready(node, None));
            }
            Node::Pay | Node::PayLarge => format!("paid {}", self.content(name, node)),
            Node::Send => format!("sent {}", self.content(name, node)),
            Node::Cancel => format!("cancelled by {payload}"),
            Node::Skip => format!("skipped by {payload}"),
            Node::Tidy => "tidied".to_owned(),
            Node::File => "filed".to_owned(),
        };
        self.thread(name).lanes[lane].log.push(line);
        self.follow_edge(name, node);
    }

    fn doubt_of(&mut self, thread: usize, lane: usize, node: Node, signed: usize, is_written: bool) {
        self.doubts.push(Doubt { thread, node, signed, is_written, settled: None });
        self.set_lane(thread, lane, LaneState::Doubt(self.doubts.len() - 1));
    }

    fn set_lane(&mut self, thread: usize, lane: usize, to: LaneState) {
        self.thread(thread).lanes[lane].at = to;
    }

    fn open(&mut self, thread: usize, lane: usize, node: Node) {
        let hours = if node.pays() { 24 } else { 48 };
        let deadline_hours = self.now_hours + hours;
        let proposed = self.thread(thread).proposed.filter(|_| node.pays());
        let proposed_by = proposed.map(|proposed| proposed.by.name());
        let (decided, signed_by, review) = (None, String::new(), self.reviews.len());
        self.reviews.push(Review { thread, node, deadline_hours, decided, signed_by, proposed_by });
        self.set_lane(thread, lane, LaneState::Open(review));
        if let Some(Proposed { by, node: at, until_hours }) = proposed
            && (at == node && self.now_hours < until_hours)
            && by.may(node).is_ok()
        {
            self.decided(review, by.name(), "approve", LaneState::Ready(node, Some(review)));
        }
    }

    /// Moves a branch on from a finished node, to the fork, the join or the end.
    pub fn follow_edge(&mut self, name: usize, node: Node) {
        let thread = self.thread(name);
        match node {
            Node::Pay | Node::PayLarge => {
                thread.lanes[0].at = LaneState::Inactive;
                let lane = |node| Lane { at: LaneState::Ready(node, None), log: Vec::new() };
                thread.lanes.extend([lane(Node::Send), lane(Node::Tidy)]);
            }
            Node::Send | Node::Skip | Node::Tidy => {
                thread.lanes[if node == Node::Tidy { 2 } else { 1 }].at = LaneState::Inactive;
                if thread.lanes.iter().all(|lane| lane.at == LaneState::Inactive) {
                    let branches = thread.lanes.split_off(1);
                    thread.lanes[0].log.extend(branches.into_iter().flat_map(|branch| branch.log));
                    thread.lanes[0].at = LaneState::Ready(Node::File, None);
                }
            }
            _ => thread.lanes[0].at = LaneState::Ended,
        }
    }
}
