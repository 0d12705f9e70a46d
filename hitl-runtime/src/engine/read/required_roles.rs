//! The roles that a person needs to settle an effect in doubt, and the people who may not.

use crate::{
    Error, Operator,
    engine::session::{may_decide, may_sign, required_role},
    graph::{NodeSpec, Point, ReadKind, RoleSpec},
    journal::{Activation, Fold, LaneId, Settlement},
    node::GraphTable,
    review::applicable_reviews,
    state::Slots,
};

/// The roles that an operator needs to settle an effect.
pub(in crate::engine) struct RequiredRoles {
    /// All of these are required for [`Settlement::Happened`], and for every settlement if `any` is empty.
    pub(in crate::engine) all: Vec<String>,
    /// One of these is required in every other case. Empty if the effect runs on a signature that was given in a role,
    /// or if the graph requires no role.
    pub(in crate::engine) any: Vec<String>,
    /// `true` if a review whose signature the effect runs on takes none of the thread's requester.
    not_requester: bool,
}

impl RequiredRoles {
    pub(in crate::engine) fn new(
        graph: &'static GraphTable,
        fold: &Fold,
        lane: LaneId,
        activation: &Activation,
    ) -> Self {
        let (own, not_requester) = effect_rules(graph, fold, lane, activation);
        if !own.is_empty() {
            return Self { all: own, any: Vec::new(), not_requester };
        }
        let node = graph.current(&activation.node).map(|(number, _)| number);
        let ahead = node.map(|node| reachable(graph, node)).unwrap_or_default();
        let all = roles_of(graph, |node| ahead.contains(&node));
        Self { all, any: roles_of(graph, |_| true), not_requester }
    }

    /// Checks an operator's roles for a settlement, and returns the roles in which they settle. Who may not sign the
    /// effect may not let it run or count either, but may stop the thread.
    pub(in crate::engine) fn of_whom(
        self,
        fold: &Fold,
        node: &str,
        operator: &Operator,
        how: &Settlement,
    ) -> Result<Vec<String>, Error> {
        let thread = &fold.thread;
        may_decide(thread, node, None, operator)?;
        if self.not_requester && !matches!(how, Settlement::Stop { .. }) {
            may_sign(fold, node, operator)?;
        }
        let needs_all = self.any.is_empty() || matches!(how, Settlement::Happened { .. });
        if needs_all && !self.all.is_empty() {
            self.all.iter().try_for_each(|role| may_decide(thread, node, Some(role), operator))?;
            return Ok(self.all);
        }
        match self.any.iter().find(|role| operator.has_role(role)).or(self.any.first()) {
            Some(role) => may_decide(thread, node, Some(role), operator).map(|()| vec![role.clone()]),
            None => Ok(Vec::new()),
        }
    }
}

/// Returns the roles that the selected nodes' reviews require, each once.
fn roles_of(graph: &'static GraphTable, is_meant: impl Fn(usize) -> bool) -> Vec<String> {
    let reviews = graph.spec.nodes.iter().enumerate().filter(|(node, _)| is_meant(*node));
    let mut roles: Vec<String> = Vec::new();
    let required = reviews.filter_map(|(_, node)| node.interrupt.as_ref()?.role.as_ref());
    for role in required.flat_map(RoleSpec::all) {
        if !roles.iter().any(|known| known == role) {
            roles.push((*role).to_owned());
        }
    }
    roles
}

/// Returns whether an operator holds a role that a review of the graph requires, and so may settle an effect that needs
/// no role of its own.
pub fn may_settle(graph: &'static GraphTable, operator: &Operator) -> bool {
    roles_of(graph, |_| true).iter().any(|role| operator.has_role(role))
}

/// Returns the roles that the graph's reviews require, each once.
pub(in crate::engine) fn review_roles(graph: &'static GraphTable) -> Vec<String> {
    roles_of(graph, |_| true)
}

/// Returns the role that the review before a node requires for these fields. If that cannot be evaluated, every role that
/// the review can choose is required.
fn roles_for(graph: &'static GraphTable, node: &NodeSpec, fields: Option<&Slots>) -> Vec<String> {
    let evaluated =
        graph.node(node.name).zip(fields).map(|((_, entry), fields)| required_role(entry, fields));
    match (evaluated, node.interrupt.and_then(|interrupt| interrupt.role)) {
        (Some(Ok(role)), _) => role.into_iter().map(str::to_owned).collect(),
        (_, role) => role.iter().flat_map(RoleSpec::all).map(|role| (*role).to_owned()).collect(),
    }
}

/// Returns the nodes that are reachable from a node.
fn reachable(graph: &'static GraphTable, from: usize) -> Vec<usize> {
    let (mut reached, mut next) = (Vec::new(), vec![from]);
    while let Some(node) = next.pop() {
        for edge in graph.spec.edges.iter().filter(|edge| edge.from == Point::Node(node)) {
            if let Point::Node(to) = edge.to
                && !reached.contains(&to)
            {
                reached.push(to);
                next.push(to);
            }
        }
    }
    reached
}

/// Returns the roles that an operator must hold to settle an effect, and whether they may not be the thread's
/// requester. For each field that the effect takes as signed, the role is the one required by the review that gave the
/// signature (the effect's own review or an earlier one in its lane), or, if that review no longer requires a role, the
/// role in which the field was signed.
fn effect_rules(
    graph: &'static GraphTable,
    fold: &Fold,
    lane: LaneId,
    activation: &Activation,
) -> (Vec<String>, bool) {
    let Some((_, entry)) = graph.current(&activation.node) else { return (Vec::new(), false) };
    let spec = &entry.spec;
    let signatures = fold.lanes.get(&lane).map(|lane| &lane.signatures);
    let own = spec.interrupt.map(|interrupt| interrupt.field);
    let approved = spec.reads.iter().filter(|read| read.kind == ReadKind::Approved).map(|read| read.field);
    let (mut roles, mut not_requester) = (Vec::<String>::new(), false);
    for field in own.into_iter().chain(approved.filter(|field| own != Some(*field))) {
        let signature = signatures.and_then(|signatures| signatures.get(field));
        let own = spec.interrupt.filter(|interrupt| interrupt.field == field);
        let mut reviewed: Vec<&NodeSpec> = match (own, signature) {
            (Some(_), _) => vec![spec],
            (None, Some(signature)) => applicable_reviews(graph.spec, spec, field, signature).collect(),
            (None, None) => Vec::new(),
        };
        if reviewed.is_empty() {
            // That review no longer exists: require the role of a current review of the field.
            let reviews = |node: &&NodeSpec| node.interrupt.is_some_and(|review| review.field == field);
            reviewed.extend(graph.spec.nodes.iter().filter(reviews).take(1));
        }
        not_requester |= reviewed.iter().any(|node| node.excludes_requester());
        let fields = fold.lanes.get(&lane).map(|lane| &*lane.fields);
        let mut asked: Vec<String> =
            reviewed.into_iter().flat_map(|node| roles_for(graph, node, fields)).collect();
        if asked.is_empty() {
            asked.extend(signature.and_then(|signature| signature.role.clone()));
        }
        asked.retain(|role| !roles.contains(role));
        roles.append(&mut asked);
    }
    (roles, not_requester)
}
