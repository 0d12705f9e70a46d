//! Lowering of the statements to nodes and edges. Each statement adds its own edges, and each point has one exit.

use proc_macro2::{Ident, Span};
use syn::{Expr, Path};

use super::{
    bindings,
    model::{Edge, Kind, Model, Node, Point, Route, Verdicts},
    parse::{Graph, Match, Statement, Step},
};
use crate::{
    diagnostics::{Errors, on_line},
    names, spans,
};

const NOTHING_AFTER_CONTINUE: &str = "nothing can follow `continue`: remove the `->` after it";

/// The end of a chain so far.
#[derive(Clone, Copy)]
pub(super) enum Tail {
    /// A point, and the kind of the edge that leaves it next.
    At(Point, Kind),
    /// A fork that has no join yet.
    Fork(usize),
    /// `end`, or the arms of a `match`.
    Done,
}

impl<'a> Model<'a> {
    pub(crate) fn new(graph: &'a Graph, errors: &mut Errors) -> Self {
        let mut model = Self::default();
        for statement in &graph.statements {
            match statement {
                Statement::Chain(chain) => model.add_chain(chain, errors),
                Statement::Verdicts { node, verdicts } => model.add_verdicts(node, verdicts, errors),
                // Handled below: these refer to nodes of the other statements.
                Statement::Renamed { .. } => {}
            }
        }
        for statement in &graph.statements {
            if let Statement::Renamed { old, node } = statement {
                model.rename(old, node, errors);
            }
        }
        for (from, node) in model.routes.iter().flat_map(Route::counted).collect::<Vec<_>>() {
            model.count(from, node, errors);
        }
        if errors.is_empty() {
            model.resolve_continues(errors);
        }
        model
    }

    /// Returns the number of the node that `path` refers to, and records the path.
    fn intern_node(&mut self, path: &'a Path, errors: &mut Errors) -> usize {
        let word = names::last(path);
        let name = word.map(names::plain).unwrap_or_default();
        let span = word.map_or_else(Span::call_site, Ident::span);
        let number = *self.numbers.entry(name.clone()).or_insert_with(|| {
            if matches!(name.as_str(), "start" | "end") {
                errors.at(
                    span,
                    format!(
                        "`{name}` is a keyword of `graph!`: import the node under another name, `use … as …`"
                    ),
                );
            }
            self.nodes.push(Node::new(name.clone()));
            self.nodes.len() - 1
        });
        if let Some(first) = self.nodes[number].mentions.first()
            && (first.get_ident().is_none() || path.get_ident().is_none())
            && names::text(first) != names::text(path)
        {
            errors.at(
                span,
                format!(
                    "two nodes have the name `{name}`: `{}`{}, and `{}` here; import one of them under another name, `use {} as other_{name}`",
                    names::text(first),
                    on_line(self.nodes[number].span()),
                    names::text(path),
                    names::text(path),
                ),
            );
            self.nodes.push(Node { mentions: vec![path], ..Node::new(name) });
            return self.nodes.len() - 1;
        }
        self.nodes[number].mentions.push(path);
        number
    }

    fn add_chain(&mut self, chain: &'a [Step], errors: &mut Errors) {
        let Some((first, rest)) = chain.split_first() else { return };
        let from = match first {
            Step::Start(_) => Point::Start,
            Step::Node(path) => Point::Node(self.intern_node(path, errors)),
            Step::End(word) => {
                return errors.at(word.span(), "nothing can follow `end`: remove the `->` after it");
            }
            Step::Continue(span) => {
                return errors.at(*span, NOTHING_AFTER_CONTINUE);
            }
            // The grammar does not allow these at the beginning of a statement.
            Step::Fork(..) | Step::Match(_) | Step::Each(_) => return,
        };
        let tail = self.add_steps(Tail::At(from, Kind::Next), rest, None, errors);
        self.check_joined(tail, errors);
    }

    /// Adds a chain from `tail` on. `branch` is the branch of a fork that contains the chain.
    pub(super) fn add_steps(
        &mut self,
        mut tail: Tail,
        steps: &'a [Step],
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Tail {
        for (at, step) in steps.iter().enumerate() {
            let next = steps.get(at + 1);
            tail = match step {
                Step::Start(word) => {
                    errors.at(word.span(), "no edge can lead to `start`: name the node that runs next");
                    return Tail::Done;
                }
                Step::End(word) => {
                    self.add_edges(tail, Point::End, word.span(), errors);
                    if let Some(next) = next {
                        errors.at(next.span(), "nothing can follow `end`: remove the `->` after it");
                        return Tail::Done;
                    }
                    Tail::Done
                }
                Step::Node(path) => {
                    let node = self.intern_node(path, errors);
                    self.add_written(node, branch);
                    self.add_edges(
                        tail,
                        Point::Node(node),
                        names::last(path).map_or_else(Span::call_site, Ident::span),
                        errors,
                    );
                    Tail::At(Point::Node(node), Kind::Next)
                }
                Step::Continue(span) => {
                    match next {
                        Some(next) => errors.at(next.span(), NOTHING_AFTER_CONTINUE),
                        None => self.add_continue(tail, *span, branch, errors),
                    }
                    return Tail::Done;
                }
                Step::Fork(..) | Step::Each(_) | Step::Match(_) => {
                    let Some(from) = self.point_before(tail, step, branch, errors) else { return Tail::Done };
                    self.add_choice(from, step, branch, errors)
                }
            };
        }
        tail
    }

    /// Adds a fork, a `for` or a `match` after a point.
    fn add_choice(
        &mut self,
        from: Point,
        step: &'a Step,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Tail {
        match step {
            Step::Fork(span, branches) => self.add_fork(from, *span, branches, branch, errors),
            Step::Each(each) => self.add_for(from, each, branch, errors),
            Step::Match(found) => {
                self.add_match(from, found, branch, errors);
                Tail::Done
            }
            Step::Start(_) | Step::End(_) | Step::Continue(_) | Step::Node(_) => Tail::Done,
        }
    }

    /// Records that a node is written in a branch.
    pub(super) fn add_written(&mut self, node: usize, branch: Option<(usize, usize)>) {
        let Some((fork, branch)) = branch else { return };
        let written = &mut self.forks[fork].branches[branch].written;
        if !written.contains(&node) {
            written.push(node);
        }
    }

    /// Adds the edges from the end of a chain to a point.
    pub(super) fn add_edges(&mut self, tail: Tail, to: Point, span: Span, errors: &mut Errors) {
        match tail {
            Tail::At(from, kind) => {
                if kind == Kind::Next {
                    self.set_exit(from, kind, Some(to), span, errors);
                }
                self.edges.push(Edge { from, to, kind, joins: None, span });
            }
            Tail::Fork(fork) => {
                self.forks[fork].join = to;
                if self.report_shared_node(fork, errors) {
                    return;
                }
                if self.forks[fork].each.is_some() {
                    let (from, kind) = (self.forks[fork].from, Kind::Empty { fork });
                    self.edges.push(Edge { from, to, kind, joins: None, span });
                }
                for branch in 0..self.forks[fork].branches.len() {
                    if let Some(last) = self.forks[fork].branches[branch].end {
                        self.set_exit(Point::Node(last), Kind::Next, Some(to), span, errors);
                        self.edges.push(Edge {
                            from: Point::Node(last),
                            to,
                            kind: Kind::Next,
                            joins: None,
                            span,
                        });
                    }
                }
            }
            Tail::Done => {}
        }
    }

    /// Records the exit of a point. Reports an error if the point already has one.
    pub(super) fn set_exit(
        &mut self,
        from: Point,
        kind: Kind,
        to: Option<Point>,
        span: Span,
        errors: &mut Errors,
    ) {
        let word = self.point_name(from);
        match self.exits.get(&from) {
            None => {
                self.exits.insert(from, (kind, to, span));
            }
            Some((earlier, target, place)) => {
                let line = on_line(*place);
                let target_word = target.map_or("continue", |target| self.point_name(target));
                let message = match (earlier, kind) {
                    (Kind::Next, Kind::Next) if *target == to => {
                        format!(
                            "the edge `{word} -> {target_word}` is declared twice, first{line}: remove one of them"
                        )
                    }
                    (Kind::Next, _) if from == Point::Start => {
                        format!("`start` already leads to `{target_word}`{line}: remove one of the edges")
                    }
                    (Kind::Next, _) => format!(
                        "`{word}` already leads to `{target_word}`{line}: to choose, write `{word} -> match field {{ … }}`; to run both, `{word} -> (…, …) -> join`"
                    ),
                    (Kind::Case { .. }, _) => {
                        format!("`{word}` already has a `match`{line}: add the edge to one of its arms")
                    }
                    (Kind::Fork { fork, .. }, _) if self.forks[*fork].each.is_some() => {
                        format!("`{word}` already has a `for`{line}: continue at its join")
                    }
                    _ => format!("`{word}` already has branches{line}: continue at their join"),
                };
                errors.at(span, message);
            }
        }
    }

    fn add_match(
        &mut self,
        from: Point,
        found: &'a Match,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) {
        let route = self.routes.len();
        self.set_exit(from, Kind::Case { route, case: 0 }, Some(Point::End), found.keyword.span, errors);
        let field = leftmost_name(&found.scrutinee);
        if field.is_none() {
            errors.on(&found.scrutinee, "a `match` must begin with a field of the state: `match risk { … }`, `match draft.amount { … }`");
        }
        if found.arms.is_empty() {
            errors.at(
                found.keyword.span,
                format!(
                    "a `match` needs at least one arm: write `{} -> match … {{ pattern => node }}`",
                    self.point_name(from)
                ),
            );
        }
        for arm in &found.arms {
            bindings::check(found, arm, field.as_ref(), errors);
        }
        self.routes.push(Route { from, field: field.clone(), source: found });
        for (case, arm) in found.arms.iter().enumerate() {
            let kind = Kind::Case { route, case };
            let mut tail = Tail::At(from, kind);
            if let Some(field) = field.as_ref().filter(|_| !arm.names.bound.is_empty()) {
                let node = self.add_binding((from, kind), field, arm, branch, errors);
                self.nodes[node].arm = Some((route, case));
                tail = Tail::At(Point::Node(node), Kind::Next);
            }
            let tail = self.add_steps(tail, &arm.chain, branch, errors);
            self.check_joined(tail, errors);
        }
    }

    fn add_verdicts(&mut self, mention: &'a Path, verdicts: &'a [(Ident, Vec<Step>)], errors: &mut Errors) {
        let node = self.intern_node(mention, errors);
        let span = names::last(mention).map_or_else(Span::call_site, Ident::span);
        let name = self.nodes[node].name.clone();
        if let Some(earlier) = self.verdicts.iter().find(|block| block.node == node) {
            let line = on_line(spans::first(&earlier.mention));
            errors.at(span, format!("`{name}` already has a verdict block{line}: merge them into one"));
        }
        let (mut seen, mut unknown): (Vec<Kind>, bool) = (Vec::new(), false);
        for (word, chain) in verdicts {
            let given = word.to_string();
            let kind = match (given.as_str(), names::near(&given, ["reject", "ask", "expire"])) {
                ("reject", _) => Kind::Reject,
                ("ask", _) => Kind::Ask,
                ("expire", _) => Kind::Expire,
                (_, Some(near)) => {
                    errors
                        .at(word.span(), format!("a verdict block has no `{given}`; did you mean `{near}`?"));
                    match near {
                        "ask" => Kind::Ask,
                        "expire" => Kind::Expire,
                        _ => Kind::Reject,
                    }
                }
                (_, None) => {
                    let hint = match given.as_str() {
                        "approve" | "edit" => format!(
                            "after an approval, with or without an edit, `{name}` runs and follows `{name} -> …`"
                        ),
                        _ => "it takes `reject`, `ask` and `expire`".to_owned(),
                    };
                    errors.at(word.span(), format!("a verdict block has no `{given}`: {hint}"));
                    unknown = true;
                    continue;
                }
            };
            if seen.contains(&kind) {
                errors.at(word.span(), format!("`{name}` has two `{word}` edges: keep one"));
            }
            seen.push(kind);
            let tail = self.add_steps(Tail::At(Point::Node(node), kind), chain, None, errors);
            self.check_joined(tail, errors);
        }
        if !seen.contains(&Kind::Reject) && !unknown {
            errors.at(
                span,
                format!("the verdict block of `{name}` has no `reject` edge: add `reject -> node`, or `reject -> end` to end the thread"),
            );
        }
        self.verdicts.push(Verdicts { node, mention, asks: seen.contains(&Kind::Ask) });
    }
}

impl<'a> Model<'a> {
    /// Records an old name of a node. Reports an error if it is the name of a node or has a new name already.
    fn rename(&mut self, old: &'a Ident, mention: &'a Path, errors: &mut Errors) {
        let word = names::plain(old);
        if self.numbers.contains_key(&word) {
            return errors.at(
                old.span(),
                format!("`{word}` is a node of this graph, so it cannot be the old name of another one: remove this statement, or rename the node"),
            );
        }
        if let Some((earlier, _)) = self.renamed.iter().find(|(earlier, _)| names::plain(earlier) == word) {
            let line = on_line(earlier.span());
            return errors.at(old.span(), format!("`{word}` is already renamed{line}: keep one"));
        }
        let fix = || format!(": write the present name of `{word}`");
        if let Some(node) = self.known_node(mention, fix, errors) {
            self.renamed.push((old, node));
        }
    }

    /// Records that a guard of a `match` counts the runs of a node.
    fn count(&mut self, from: Point, mention: &'a Path, errors: &mut Errors) {
        let fix = || ": `runs` takes a node of the graph".to_owned();
        if let Some(node) = self.known_node(mention, fix, errors) {
            self.nodes[node].counted = true;
            let span = names::last(mention).map_or_else(Span::call_site, Ident::span);
            self.counts.push((node, from, span));
        }
    }

    /// Returns the number of a node that the statements have. Reports an error if they have none of this name.
    fn known_node(
        &mut self,
        mention: &'a Path,
        fix: impl FnOnce() -> String,
        errors: &mut Errors,
    ) -> Option<usize> {
        let name = names::last(mention).map(names::plain).unwrap_or_default();
        if self.numbers.contains_key(&name) {
            return Some(self.intern_node(mention, errors));
        }
        let near = names::near(&name, self.nodes.iter().map(|node| node.name.as_str()));
        let hint = near.map_or_else(fix, |near| format!("; did you mean `{near}`?"));
        let span = names::last(mention).map_or_else(Span::call_site, Ident::span);
        errors.at(span, format!("the graph has no node `{name}`{hint}"));
        None
    }
}

/// Returns the field that an expression reads: its leftmost name.
pub(super) fn leftmost_name(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().cloned(),
        Expr::Field(field) => leftmost_name(&field.base),
        Expr::MethodCall(call) => leftmost_name(&call.receiver),
        Expr::Index(index) => leftmost_name(&index.expr),
        Expr::Reference(reference) => leftmost_name(&reference.expr),
        Expr::Unary(unary) => leftmost_name(&unary.expr),
        Expr::Paren(paren) => leftmost_name(&paren.expr),
        Expr::Group(group) => leftmost_name(&group.expr),
        Expr::Cast(cast) => leftmost_name(&cast.expr),
        Expr::Binary(binary) => leftmost_name(&binary.left),
        _ => None,
    }
}
