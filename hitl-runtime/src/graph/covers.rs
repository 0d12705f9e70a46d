//! Covers: the right of an effect to run on the signature of another node's review.
//!
//! A review signs its field for the node after it, and for the effects that it names in `covers`. Each of them spends
//! the signature once. The facts of the proof are therefore not "this field is signed" but "this effect may still run
//! on the signature of this field": a [`Cover`]. The node after the review needs no cover, because its review opens
//! again on each activation.

use super::bit_set::BitSet;
use super::const_string::str_eq;
use super::field_index::FieldIndex;
use super::proof::NodeProof;
use super::{GraphSpec, NodeSpec, ReadKind};

/// The right of one effect to one field that another node's review signs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cover {
    /// The effect.
    pub(super) node: usize,
    /// The field that it takes as signed.
    pub(super) field: usize,
    /// The fields whose change ends the cover: the signed field, and those shown with it.
    pub(super) ends: BitSet,
}

/// The covers of a graph, numbered as in [`BitSet`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Covers {
    all: [Cover; Self::MAX],
    count: usize,
}

impl Covers {
    /// The maximum number of covers: the capacity of [`BitSet`].
    pub(super) const MAX: usize = 256;

    /// The empty list.
    pub(super) const EMPTY: Self =
        Self { all: [Cover { node: 0, field: 0, ends: BitSet::EMPTY }; Self::MAX], count: 0 };

    /// Reads the reviews of a graph, and sets for each node the covers that it gives, requires and ends.
    ///
    /// # Panics
    /// If there are more covers than [`Covers::MAX`].
    pub(super) const fn from_spec(spec: &GraphSpec, index: &FieldIndex, nodes: &mut [NodeProof]) -> Self {
        let (mut covers, mut review) = (Self::EMPTY, 0);
        while review < nodes.len() {
            if let Some(interrupt) = &spec.nodes[review].interrupt
                && let Some(field) = index.find(interrupt.field)
            {
                let ends = index.find_all(interrupt.shows).with(field);
                let mut i = 0;
                while i < interrupt.covers.len() {
                    if let Some(node) = spec.node_index(interrupt.covers[i])
                        && node != review
                        && takes_as_covered(&spec.nodes[node], interrupt.field)
                    {
                        let number = covers.insert(Cover { node, field, ends });
                        nodes[review].gives = nodes[review].gives.with(number);
                    }
                    i += 1;
                }
            }
            review += 1;
        }
        let mut node = 0;
        while node < nodes.len() {
            covers.set_requirements(node, &mut nodes[node]);
            if let Some(interrupt) = &spec.nodes[node].interrupt
                && let Some(field) = index.find(interrupt.field)
            {
                // An earlier signature of the field does not outlive a later "no", or a question.
                nodes[node].verdict_transfer.unsigns = covers.for_field(field);
            }
            node += 1;
        }
        covers
    }

    /// Returns the covers of one field.
    const fn for_field(&self, field: usize) -> BitSet {
        let (mut set, mut number) = (BitSet::EMPTY, 0);
        while number < self.count {
            if self.all[number].field == field {
                set = set.with(number);
            }
            number += 1;
        }
        set
    }

    /// Inserts a cover and returns its number. If two reviews give the same cover, a change of a field that either shows
    /// ends it.
    const fn insert(&mut self, cover: Cover) -> usize {
        match self.find(cover.node, cover.field) {
            Some(number) => {
                self.all[number].ends = self.all[number].ends.or(cover.ends);
                number
            }
            None => {
                assert!(
                    self.count < Self::MAX,
                    "the reviews of a graph may cover at most 256 later effects: split it into two"
                );
                self.all[self.count] = cover;
                self.count += 1;
                self.count - 1
            }
        }
    }

    /// Sets the covers that a node requires, and those that its run ends and gives.
    const fn set_requirements(&self, node: usize, proof: &mut NodeProof) {
        let (mut needs, mut uncovered, mut number) = (BitSet::EMPTY, proof.approved, 0);
        while number < self.count {
            let cover = &self.all[number];
            if cover.node == node && proof.approved.contains(cover.field) {
                needs = needs.with(number);
                uncovered = uncovered.minus(BitSet::EMPTY.with(cover.field));
            }
            number += 1;
        }
        proof.uncovered = uncovered;
        // A cover that is lacking is reported at the node, and counts as present after a verdict.
        proof.verdict_transfer.signs = needs;
        // A review of a field replaces every earlier signature of it, and a write of the node ends the covers of its
        // own review.
        proof.run_transfer.signs = proof.gives.minus(self.ended_by(proof.writes));
        proof.run_transfer.unsigns = needs.or(self.ended_by(proof.touches));
    }

    /// Returns the number of the cover of a field for an effect.
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

    /// Returns the number of covers.
    #[cfg(test)]
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn get(&self, number: usize) -> &Cover {
        &self.all[number]
    }

    /// Returns the covers that end if one of these fields changes.
    pub(super) const fn ended_by(&self, fields: BitSet) -> BitSet {
        let (mut ended, mut number) = (BitSet::EMPTY, 0);
        while number < self.count {
            if !self.all[number].ends.and(fields).is_empty() {
                ended = ended.with(number);
            }
            number += 1;
        }
        ended
    }
}

/// Returns whether a node takes a field as signed by another node's review.
pub(super) const fn takes_as_covered(node: &NodeSpec, field: &str) -> bool {
    if let Some(interrupt) = &node.interrupt
        && str_eq(interrupt.field, field)
    {
        return false;
    }
    let mut read = 0;
    while read < node.reads.len() {
        if matches!(node.reads[read].kind, ReadKind::Approved) && str_eq(node.reads[read].field, field) {
            return true;
        }
        read += 1;
    }
    false
}
