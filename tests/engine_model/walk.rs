//! The progress of the reference's threads without people: the work of each node, and the node that follows.

use super::{
    office::{Deed, Effect, Node, Tier},
    reference::{At, Doubt, Lane, Proposed, Reference, Review, THREADS},
};

impl Reference {
    /// Runs a thread until a person must decide, the thread ends, or the process dies. A thread that a dead process
    /// still holds is left alone.
    pub fn run(&mut self, name: usize) {
        while !self.thread(name).is_held {
            self.announce(name);
            if self.thread(name).is_stopped() {
                return;
            }
            let ready = |lane: &Lane| matches!(lane.at, At::Ready(..));
            let Some(lane) = self.thread(name).lanes.iter().position(ready) else { return };
            let At::Ready(node, signed) = self.thread(name).lanes[lane].at else { return };
            if self.weather.dies_at == Some(node) {
                self.die(name, lane, node, signed);
            } else {
                self.step(name, lane, node, signed);
            }
        }
    }

    /// Records what must be known before any node runs.
    fn announce(&mut self, name: usize) {
        for lane in 0..self.thread(name).lanes.len() {
            match self.thread(name).lanes[lane].at {
                At::Ready(node @ (Node::Pay | Node::PayLarge | Node::Send), None) => {
                    self.open(name, lane, node)
                }
                At::Doubt(doubt) => self.doubts[doubt].is_written = true,
                _ => {}
            }
        }
    }

    /// Does the work of a node, after which the process dies.
    fn die(&mut self, name: usize, lane: usize, node: Node, signed: Option<usize>) {
        self.work(name, node, signed);
        if let Some(signed) = signed {
            self.doubt_of(name, lane, node, signed, false);
        }
        self.thread(name).is_held = true;
        self.weather.dies_at = None;
        self.died = true;
    }

    fn step(&mut self, name: usize, lane: usize, node: Node, signed: Option<usize>) {
        let brought = std::mem::take(&mut self.thread(name).brings);
        let tries = if node == Node::Look { 3 } else { 1 };
        let end = (0..tries).map(|_| self.work(name, node, signed)).find(|end| *end != Effect::Refuses);
        match (end, signed) {
            (Some(Effect::Works), _) => self.done(name, lane, node, brought),
            (Some(_), Some(signed)) => self.doubt_of(name, lane, node, signed, true),
            _ => self.go(name, lane, At::Failed { node, signed, stopped: false }),
        }
    }

    /// Does the work of a node in the world, and returns its outcome.
    fn work(&mut self, name: usize, node: Node, signed: Option<usize>) -> Effect {
        let end = |fails| if fails { Effect::Refuses } else { Effect::Works };
        let deed = signed.map(|review| {
            let (thread, what) = (THREADS[name].to_owned(), self.what(name, node));
            (review, Deed { thread, what, by: self.reviews[review].signed_by.clone() })
        });
        match (node, deed) {
            (Node::Look, _) => {
                self.books.looked += 1;
                let fails = self.weather.look_fails > 0;
                self.weather.look_fails = self.weather.look_fails.saturating_sub(1);
                end(fails)
            }
            (Node::Pay | Node::PayLarge, Some((review, deed))) => {
                self.books.paid.push(deed);
                self.paid_for.push(review);
                self.weather.pay
            }
            (Node::Send, Some((review, deed))) => {
                self.books.sent.push(deed);
                self.sent_for.push(review);
                self.weather.send
            }
            (Node::Tidy, _) => {
                self.books.tidied += 1;
                end(self.weather.tidy_fails)
            }
            (node, _) => {
                self.books.drafted += u32::from(node == Node::Draft);
                self.books.rated += u32::from(node == Node::Rate);
                self.books.filed += u32::from(node == Node::File);
                Effect::Works
            }
        }
    }

    /// Returns the content of a payment or of the letter.
    fn what(&mut self, name: usize, node: Node) -> String {
        let thread = self.thread(name);
        if node.pays() {
            format!("{} dollars, {}", thread.dollars, thread.note)
        } else {
            thread.letter.clone()
        }
    }

    fn done(&mut self, name: usize, lane: usize, node: Node, brought: String) {
        let line = match node {
            Node::Look => return self.go(name, lane, At::Ready(Node::Draft, None)),
            Node::Draft => {
                let thread = self.thread(name);
                thread.dollars = thread.wish;
                thread.note = if brought.is_empty() { "as wished".to_owned() } else { brought };
                thread.proposed = None;
                return self.go(name, lane, At::Ready(Node::Rate, None));
            }
            Node::Rate => {
                let large = Tier::of(self.thread(name).dollars) == Tier::Large;
                let node = if large { Node::PayLarge } else { Node::Pay };
                return self.go(name, lane, At::Ready(node, None));
            }
            Node::Pay | Node::PayLarge => format!("paid {}", self.what(name, node)),
            Node::Send => format!("sent {}", self.what(name, node)),
            Node::Cancel => format!("cancelled by {brought}"),
            Node::Skip => format!("skipped by {brought}"),
            Node::Tidy => "tidied".to_owned(),
            Node::File => "filed".to_owned(),
        };
        self.thread(name).lanes[lane].log.push(line);
        self.leave(name, node);
    }

    fn doubt_of(&mut self, thread: usize, lane: usize, node: Node, signed: usize, is_written: bool) {
        self.doubts.push(Doubt { thread, node, signed, is_written, settled: None });
        self.go(thread, lane, At::Doubt(self.doubts.len() - 1));
    }

    fn go(&mut self, thread: usize, lane: usize, to: At) {
        self.thread(thread).lanes[lane].at = to;
    }

    fn open(&mut self, thread: usize, lane: usize, node: Node) {
        let hours = if node.pays() { 24 } else { 48 };
        let deadline_hours = self.now_hours + hours;
        let proposed = self.thread(thread).proposed.filter(|_| node.pays());
        let proposed_by = proposed.map(|proposed| proposed.by.name());
        let (decided, signed_by, review) = (None, String::new(), self.reviews.len());
        self.reviews.push(Review { thread, node, deadline_hours, decided, signed_by, proposed_by });
        self.go(thread, lane, At::Open(review));
        if let Some(Proposed { by, node: at, until_hours }) = proposed
            && (at == node && self.now_hours < until_hours)
            && by.may(node).is_ok()
        {
            self.decided(review, by.name(), "approve", At::Ready(node, Some(review)));
        }
    }

    /// Moves a branch on from a finished node, to the fork, the join or the end.
    pub fn leave(&mut self, name: usize, node: Node) {
        let thread = self.thread(name);
        match node {
            Node::Pay | Node::PayLarge => {
                thread.lanes[0].at = At::Away;
                let lane = |node| Lane { at: At::Ready(node, None), log: Vec::new() };
                thread.lanes.extend([lane(Node::Send), lane(Node::Tidy)]);
            }
            Node::Send | Node::Skip | Node::Tidy => {
                thread.lanes[if node == Node::Tidy { 2 } else { 1 }].at = At::Away;
                if thread.lanes.iter().all(|lane| lane.at == At::Away) {
                    let branches = thread.lanes.split_off(1);
                    thread.lanes[0].log.extend(branches.into_iter().flat_map(|branch| branch.log));
                    thread.lanes[0].at = At::Ready(Node::File, None);
                }
            }
            _ => thread.lanes[0].at = At::Ended,
        }
    }
}
