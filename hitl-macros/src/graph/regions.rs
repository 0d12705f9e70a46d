//! Regions of forks: the nodes of a branch are entered only through its fork, and left only through its join.

use proc_macro2::Span;

use super::model::{Edge, Fork, Kind, Model, Point};
use crate::diagnostics::Errors;

/// Finds the nodes of every branch and the edges that end one, and orders the forks by nesting.
pub(crate) fn find(model: &mut Model<'_>, errors: &mut Errors) {
    let leaving = model.outgoing_edges();
    for fork in 0..model.forks.len() {
        // An arm of a `match` may lead to the join, which is outside.
        let join = model.forks[fork].join;
        for branch in &mut model.forks[fork].branches {
            branch.written.retain(|&node| Point::Node(node) != join);
        }
        let outside = outside(model, &leaving, fork);
        let mut owner: Vec<Option<usize>> = vec![None; model.nodes.len()];
        for branch in 0..model.forks[fork].branches.len() {
            for &node in &model.forks[fork].branches[branch].written {
                owner[node].get_or_insert(branch);
            }
        }
        for branch in 0..model.forks[fork].branches.len() {
            if !fill_branch(model, &leaving, (fork, branch), &outside, &mut owner, errors) {
                return;
            }
        }
        report_edges_into(model, fork, &owner, errors);
    }
    if errors.is_empty() {
        report_unnested_forks(model, errors);
    }
    if errors.is_empty() {
        report_counts_elsewhere(model, errors);
    }
    if errors.is_empty() {
        sort_by_depth(model);
    }
}

/// Reports guards that count the runs of a node of another branch: a branch counts its own runs.
fn report_counts_elsewhere(model: &Model<'_>, errors: &mut Errors) {
    let around = |point: Point| {
        let Point::Node(node) = point else { return Vec::new() };
        let branches = model.forks.iter().enumerate().flat_map(|(number, fork)| {
            fork.branches.iter().enumerate().map(move |(branch, of)| ((number, branch), of))
        });
        branches.filter(|(_, of)| of.nodes.contains(&node)).map(|(branch, _)| branch).collect()
    };
    for &(node, from, span) in &model.counts {
        if around(Point::Node(node)) != around(from) {
            errors.at(
                span,
                format!(
                    "`runs({name})` counts the runs in the branch of this `match`, but `{name}` runs outside of it: \
                     count a node of the same branch",
                    name = model.nodes[node].name
                ),
            );
        }
    }
}

/// The nodes that run in each fork, and their number.
pub(super) type Insides = Vec<(usize, Vec<bool>)>;

/// Returns the nodes that run in each fork, before [`find`] has found those of every branch.
pub(super) fn insides(model: &Model<'_>, leaving: &[Vec<usize>]) -> Insides {
    let inside = |(number, fork): (usize, &Fork<'_>)| {
        let mut seen = outside(model, leaving, number);
        let mut inside = vec![false; seen.len()];
        let mut open: Vec<_> = fork.branches.iter().flat_map(|branch| branch.written.clone()).collect();
        let mut size = 0;
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            inside[node] = true;
            size += 1;
            open.extend(leaving[node].iter().filter_map(|&edge| match model.edges[edge].to {
                Point::Node(to) => Some(to),
                _ => None,
            }));
        }
        (size, inside)
    };
    model.forks.iter().enumerate().map(inside).collect()
}

/// Returns the innermost fork that a node runs in.
pub(super) fn innermost(insides: &Insides, node: usize) -> Option<usize> {
    let around = insides.iter().enumerate().filter(|(_, (_, inside))| inside[node]);
    around.min_by_key(|(_, (size, _))| *size).map(|(fork, _)| fork)
}

/// Returns which nodes run before the fork, after its join, or in parallel to it.
fn outside(model: &Model<'_>, leaving: &[Vec<usize>], fork: usize) -> Vec<bool> {
    // The last element is for `start`.
    let mut seen = vec![false; leaving.len()];
    let mut open = vec![model.nodes.len()];
    if let Point::Node(join) = model.forks[fork].join {
        open.push(join);
    }
    while let Some(place) = open.pop() {
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        for edge in leaving[place].iter().map(|&edge| &model.edges[edge]) {
            match (edge.kind, edge.to) {
                (Kind::Fork { fork: f, .. }, _) if f == fork => {}
                (_, Point::Node(to)) => open.push(to),
                _ => {}
            }
        }
    }
    seen
}

/// Walks a branch to its join. Returns `false` if it is empty or leaves its region.
fn fill_branch(
    model: &mut Model<'_>,
    leaving: &[Vec<usize>],
    (fork, branch): (usize, usize),
    outside: &[bool],
    owner: &mut [Option<usize>],
    errors: &mut Errors,
) -> bool {
    let join = model.forks[fork].join;
    let Some(&head) = model.forks[fork].branches[branch].written.first() else { return false };
    let (mut nodes, mut open) = (vec![head], vec![head]);
    while let Some(node) = open.pop() {
        for &edge in &leaving[node] {
            let Edge { to, span, .. } = model.edges[edge];
            if to == join {
                model.edges[edge].joins = Some((fork, branch));
                continue;
            }
            let target = match to {
                Point::Node(target) if owner[target].is_none_or(|owner| owner == branch) => target,
                _ => {
                    report_stray_edge(model, fork, node, to, span, errors);
                    return false;
                }
            };
            // A node in the parentheses belongs to the branch, even if an edge from outside leads to it.
            if outside[target] && owner[target].is_none() {
                report_stray_edge(model, fork, node, to, span, errors);
                return false;
            }
            owner[target] = Some(branch);
            if !nodes.contains(&target) {
                nodes.push(target);
                open.push(target);
            }
        }
    }
    nodes.sort_unstable();
    model.forks[fork].branches[branch].nodes = nodes;
    true
}

/// Reports an edge that leaves a branch for anything but the join.
fn report_stray_edge(
    model: &Model<'_>,
    fork: usize,
    node: usize,
    to: Point,
    span: Span,
    errors: &mut Errors,
) {
    let fork = &model.forks[fork];
    let (node_word, from, join, to_word) = (
        &model.nodes[node].name,
        model.point_name(fork.from),
        model.point_name(fork.join),
        model.point_name(to),
    );
    let beside = matches!(to, Point::Node(to) if fork.branches.iter().any(|b| b.written.contains(&to) || b.nodes.contains(&to)));
    errors.at(
        span,
        if beside {
            format!("`{node_word}` and `{to_word}` run in different branches after `{from}`, which join only in `{join}`: give each branch its own node, or go to `{to_word}` after `{join}`")
        } else {
            let (inside, parts) = (model.inside(fork), fork.parts());
            format!("`{node_word}` runs in {inside}, which it can leave only for `{join}`, where {parts} join: lead `{node_word}` to `{join}`, and from there to `{to_word}`")
        },
    );
}

/// Reports edges into a branch from anywhere but its fork.
fn report_edges_into(model: &Model<'_>, fork: usize, owner: &[Option<usize>], errors: &mut Errors) {
    let branch = |point| match point {
        Point::Node(node) => owner[node],
        _ => None,
    };
    for edge in &model.edges {
        let forks = match edge.kind {
            Kind::Fork { fork: f, .. } => f == fork,
            // The items of the inner `for` lead to the same node, and that edge is reported.
            Kind::Empty { fork: inner } => model.forks[inner].branches.iter().any(|b| b.end.is_some()),
            _ => false,
        };
        if branch(edge.to).is_some() && branch(edge.from) != branch(edge.to) && !forks {
            let fork = &model.forks[fork];
            let how = match fork.each {
                Some(each) => format!("once for each `{}`, and can only be entered through it", each.item),
                None => "and can only be entered together with the other branches".to_owned(),
            };
            errors.at(
                edge.span,
                format!(
                    "`{}` runs in {}, {how}: lead `{}` to `{}`",
                    model.point_name(edge.to),
                    model.inside(fork),
                    model.point_name(edge.from),
                    model.point_name(fork.from),
                ),
            );
        }
    }
}

/// Reports an inner fork that does not join inside the branch that contains it.
fn report_unnested_forks(model: &Model<'_>, errors: &mut Errors) {
    for inner in &model.forks {
        for outer in &model.forks {
            let Point::Node(from) = inner.from else { continue };
            if inner.join == outer.join && outer.branches.iter().any(|branch| branch.nodes.contains(&from)) {
                errors.at(
                    inner.span,
                    format!(
                        "{} after `{}` run inside {}, and must join before it ends: join them in a node of their own, and lead that node to `{}`",
                        inner.parts(),
                        model.point_name(inner.from),
                        model.inside(outer),
                        model.point_name(inner.join),
                    ),
                );
            }
        }
    }
}

/// Renumbers the forks so that an inner one comes after the one around it.
fn sort_by_depth(model: &mut Model<'_>) {
    let depth = |of: usize| {
        let Point::Node(from) = model.forks[of].from else { return 0 };
        model
            .forks
            .iter()
            .filter(|fork| fork.branches.iter().any(|branch| branch.nodes.contains(&from)))
            .count()
    };
    let mut sorted: Vec<(usize, usize)> = (0..model.forks.len()).map(|fork| (depth(fork), fork)).collect();
    sorted.sort_unstable();
    if sorted.iter().enumerate().all(|(new, (_, old))| new == *old) {
        return;
    }
    let mut number = vec![0; sorted.len()];
    for (new, (_, old)) in sorted.iter().enumerate() {
        number[*old] = new;
    }
    for edge in &mut model.edges {
        if let Kind::Fork { fork, .. } | Kind::Empty { fork } = &mut edge.kind {
            *fork = number[*fork];
        }
        if let Some((fork, _)) = &mut edge.joins {
            *fork = number[*fork];
        }
    }
    let mut forks: Vec<_> = std::mem::take(&mut model.forks).into_iter().enumerate().collect();
    forks.sort_by_key(|(old, _)| number[*old]);
    model.forks = forks.into_iter().map(|(_, fork)| fork).collect();
}
