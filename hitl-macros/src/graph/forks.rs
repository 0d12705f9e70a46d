//! Concurrent parts of a graph: the branches of a fork, and the items of a `for`.

use proc_macro2::Span;

use super::{
    lower::Tail,
    model::{Branch, Fork, Kind, Model, Point},
    parse::{Each, Step},
};
use crate::{diagnostics::Errors, spans};

impl<'a> Model<'a> {
    pub(super) fn add_fork(
        &mut self,
        from: Point,
        span: Span,
        branches: &'a [Vec<Step>],
        around: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Tail {
        if branches.len() < 2 {
            errors.at(
                span,
                format!(
                    "a fork needs at least two branches: write `{} -> …` without parentheses, or add a second branch",
                    self.point_name(from)
                ),
            );
            return Tail::Done;
        }
        self.add_branches(from, span, None, branches.iter().map(Vec::as_slice), around, errors)
    }

    /// Adds a `for`: a fork with one branch.
    pub(super) fn add_for(
        &mut self,
        from: Point,
        each: &'a Each,
        around: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Tail {
        let word = &each.item;
        if *word == each.list {
            errors.at(
                word.span(),
                format!(
                    "`{word}` cannot be both the list and one of its items: give the item a field of its own"
                ),
            );
        }
        self.add_branches(from, each.keyword.span, Some(each), [each.body.as_slice()], around, errors)
    }

    fn add_branches(
        &mut self,
        from: Point,
        span: Span,
        each: Option<&'a Each>,
        branches: impl IntoIterator<Item = &'a [Step]>,
        around: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Tail {
        let fork = self.forks.len();
        self.set_exit(from, Kind::Fork { fork, branch: 0 }, Some(Point::End), span, errors);
        self.forks.push(Fork { from, join: Point::End, span, each, branches: Vec::new() });
        for steps in branches {
            self.add_branch(fork, steps, errors);
        }
        if let Some((outer, branch)) = around {
            let inner: Vec<_> = self.forks[fork].branches.iter().flat_map(|b| b.written.clone()).collect();
            self.forks[outer].branches[branch].written.extend(inner);
        }
        Tail::Fork(fork)
    }

    /// Adds a branch of a fork, or the body of a `for`.
    fn add_branch(&mut self, fork: usize, steps: &'a [Step], errors: &mut Errors) {
        let Fork { from, span, each, .. } = self.forks[fork];
        let branch = self.forks[fork].branches.len();
        let (what, whole) = match each {
            Some(_) => ("the body of a `for`", "for … { … }"),
            None => ("a branch", "(…)"),
        };
        if let None | Some(Step::Start(_) | Step::End(_) | Step::Continue(_)) = steps.first() {
            return errors.at(
                steps.first().map_or(span, Step::span),
                format!("{what} must begin with a node, a `match`, a `for` or a fork"),
            );
        }
        // A branch that does not end in a `match` leads to its join anyway.
        let steps = match steps {
            [before @ .., Step::Continue(_)] if !before.is_empty() => before,
            steps => steps,
        };
        self.forks[fork].branches.push(Branch::default());
        let mut tail =
            self.add_steps(Tail::At(from, Kind::Fork { fork, branch }), steps, Some((fork, branch)), errors);
        // The inner fork joins before the outer one.
        if let Tail::Fork(inner) = tail {
            tail = Tail::At(self.add_join(inner, Some((fork, branch)), errors), Kind::Next);
        }
        match (tail, steps.last()) {
            (Tail::Done, Some(Step::End(word))) => {
                let who = self.forks[fork].parts();
                errors.at(
                    word.span(),
                    format!(
                        "{what} must end in a node: write `{whole} -> end` if nothing runs after {who} join"
                    ),
                );
            }
            (Tail::At(Point::Node(last), _), _) => self.forks[fork].branches[branch].end = Some(last),
            _ => {}
        }
    }

    /// Reports a chain that ends in a fork without a join.
    pub(super) fn check_joined(&self, tail: Tail, errors: &mut Errors) {
        if let Tail::Fork(fork) = tail {
            let fork = &self.forks[fork];
            let (from, who) = (self.point_name(fork.from), fork.parts());
            let what = if fork.each.is_some() { "for … { … }" } else { "(…)" };
            let (after, before) = if self.is_junction(fork.from) {
                (String::new(), String::new())
            } else {
                (format!(" after `{from}`"), format!("{from} -> "))
            };
            errors.at(
                fork.span,
                format!(
                    "{who}{after} must join: write `{before}{what} -> join`, where `join` is a node or `end`"
                ),
            );
        }
    }

    /// Reports a node that is written in two branches, or is both a branch and the join, and returns whether there is
    /// one.
    pub(super) fn report_shared_node(&self, fork: usize, errors: &mut Errors) -> bool {
        let Fork { from, join, span, branches, .. } = &self.forks[fork];
        let (inside, parts) = (self.inside(&self.forks[fork]), self.forks[fork].parts());
        let (from, join_word) = (self.point_name(*from), self.point_name(*join));
        for (number, branch) in branches.iter().enumerate() {
            if branch.written.first().is_some_and(|&head| Point::Node(head) == *join) {
                errors.at(
                    *span,
                    format!("`{join_word}` cannot both run in {inside} and be where {parts} join: join them in another node"),
                );
                return true;
            }
            let earlier = |node: &&usize| branches[..number].iter().any(|other| other.written.contains(node));
            if let Some(&node) =
                branch.written.iter().filter(|&&node| Point::Node(node) != *join).find(earlier)
            {
                let name = &self.nodes[node].name;
                let place = self.nodes[node].mentions.last().map_or(*span, spans::first);
                errors.at(
                    place,
                    format!("`{name}` is in two branches after `{from}`, but a node can be in only one: give each branch its own node, or go to `{name}` after `{join_word}`"),
                );
                return true;
            }
        }
        false
    }
}
