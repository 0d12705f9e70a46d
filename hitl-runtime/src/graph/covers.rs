//! Which effects run on the signature of another node's review, and what ends that.
//!
//! A review signs its field for the effect that it stands before, and for those that it names as covered. Each of them
//! spends the signature once. What stands in the facts of the proof is therefore not "this field is signed" but "this
//! effect may still run on the signature of this field": a [`Cover`]. The review of the effect itself needs none: it is
//! asked at every coming to the node.

use super::bits::Bits;
use super::names::{Names, same};
use super::prove::NodeProof;
use super::{GraphSpec, NodeSpec, ReadKind};

/// One effect's right to one field that another node's review signs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cover {
    /// The effect.
    pub(super) node: usize,
    /// The field that it takes as signed.
    pub(super) field: usize,
    /// The fields whose change ends it: the one that is signed, and those that are shown beside it.
    pub(super) ends: Bits,
}

/// Every cover of a graph, by its number in [`Bits`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Covers {
    all: [Cover; Self::MOST],
    count: usize,
}

impl Covers {
    /// As many as [`Bits`] has room for.
    pub(super) const MOST: usize = 256;

    /// None.
    pub(super) const NONE: Self =
        Self { all: [Cover { node: 0, field: 0, ends: Bits::NONE }; Self::MOST], count: 0 };

    /// Reads the reviews of a graph, and says of each node which covers it gives, needs and ends.
    ///
    /// # Panics
    /// If there are more than [`Covers::MOST`].
    pub(super) const fn read(spec: &GraphSpec, names: &Names, nodes: &mut [NodeProof]) -> Self {
        let (mut covers, mut review) = (Self::NONE, 0);
        while review < nodes.len() {
            if let Some(interrupt) = &spec.nodes[review].interrupt
                && let Some(field) = names.find(interrupt.field)
            {
                let (mut ends, mut place) = (Bits::NONE.with(field), 0);
                while place < interrupt.shows.len() {
                    if let Some(shown) = names.find(interrupt.shows[place]) {
                        ends = ends.with(shown);
                    }
                    place += 1;
                }
                place = 0;
                while place < interrupt.covers.len() {
                    if let Some(node) = spec.node_index(interrupt.covers[place])
                        && node != review
                        && takes_from_others(&spec.nodes[node], interrupt.field)
                    {
                        let number = covers.add(Cover { node, field, ends });
                        nodes[review].gives = nodes[review].gives.with(number);
                    }
                    place += 1;
                }
            }
            review += 1;
        }
        let mut node = 0;
        while node < nodes.len() {
            covers.settle(node, &mut nodes[node]);
            if let Some(interrupt) = &spec.nodes[node].interrupt
                && let Some(field) = names.find(interrupt.field)
            {
                // An earlier signature of the field does not outlive a later "no", or a question.
                nodes[node].stopped.unsigns = covers.of(field);
            }
            node += 1;
        }
        covers
    }

    /// Those of one field.
    const fn of(&self, field: usize) -> Bits {
        let (mut of, mut number) = (Bits::NONE, 0);
        while number < self.count {
            if self.all[number].field == field {
                of = of.with(number);
            }
            number += 1;
        }
        of
    }

    /// Two reviews may give the same cover: what either shows ends it.
    const fn add(&mut self, cover: Cover) -> usize {
        match self.find(cover.node, cover.field) {
            Some(number) => {
                self.all[number].ends = self.all[number].ends.or(cover.ends);
                number
            }
            None => {
                assert!(
                    self.count < Self::MOST,
                    "the reviews of a graph may cover at most 256 later effects: split it into two"
                );
                self.all[self.count] = cover;
                self.count += 1;
                self.count - 1
            }
        }
    }

    /// What coming to a node asks for, and what its run does to the covers.
    const fn settle(&self, node: usize, proof: &mut NodeProof) {
        let (mut needs, mut uncovered, mut number) = (Bits::NONE, proof.approved, 0);
        while number < self.count {
            let cover = &self.all[number];
            if cover.node == node && proof.approved.has(cover.field) {
                needs = needs.with(number);
                uncovered = uncovered.minus(Bits::NONE.with(cover.field));
            }
            number += 1;
        }
        proof.uncovered = uncovered;
        // What is missing is reported at the node, and counts as there where a verdict leads on.
        proof.stopped.signs = needs;
        // A review of the field takes the place of every earlier one; what the node writes ends its own, too.
        proof.ran.signs = proof.gives.minus(self.ended_by(proof.writes));
        proof.ran.unsigns = needs.or(self.ended_by(proof.touches));
    }

    /// The number of an effect's cover of a field.
    pub(super) const fn find(&self, node: usize, field: usize) -> Option<usize> {
        let mut number = 0;
        while number < self.count {
            if self.all[number].node == node && self.all[number].field == field {
                return Some(number);
            }
            number += 1;
        }
        None
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn get(&self, number: usize) -> &Cover {
        &self.all[number]
    }

    /// Those that end where one of these fields may change.
    pub(super) const fn ended_by(&self, fields: Bits) -> Bits {
        let (mut ended, mut number) = (Bits::NONE, 0);
        while number < self.count {
            if !self.all[number].ends.and(fields).same(Bits::NONE) {
                ended = ended.with(number);
            }
            number += 1;
        }
        ended
    }
}

/// Whether a node takes a field as signed that its own review does not sign.
pub(super) const fn takes_from_others(node: &NodeSpec, field: &str) -> bool {
    if let Some(interrupt) = &node.interrupt
        && same(interrupt.field, field)
    {
        return false;
    }
    let mut read = 0;
    while read < node.reads.len() {
        if matches!(node.reads[read].kind, ReadKind::Approved) && same(node.reads[read].field, field) {
            return true;
        }
        read += 1;
    }
    false
}
