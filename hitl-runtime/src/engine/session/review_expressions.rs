//! The expressions of a review: the condition (`when`), which decides if a person is asked, the role, and the time until
//! the review expires. They are the user's code.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::{
    graph::{ExpirySpec, ExpressionSpec, NodeSpec, ReviewRisk, RiskSpec, RoleSpec},
    journal::{Condition, Fold, Lane, Signature},
    node::{Evaluate, GraphTable, NodeTable},
    review::CurrentRules,
    state::{FieldError, Slots},
    user_code::{UserCodeError, catch_panic},
};

/// Evaluates the condition of the review before a node on the fields of a lane. `None` if the review has no condition.
///
/// # Errors
/// If the condition panics, or a field that it reads is unwritten or cannot be decoded.
pub(in crate::engine) fn condition(
    entry: &NodeTable,
    fields: &Slots,
) -> Result<Option<Condition>, UserCodeError> {
    let spec = entry.spec.interrupt.and_then(|interrupt| interrupt.when);
    let (Some(when), Some(spec)) = (entry.expressions.when, spec) else { return Ok(None) };
    let value = evaluate("condition", when, spec, entry, fields)?;
    Ok(Some(Condition::new(spec.text, value)))
}

/// Returns the role that the review before a node requires. `None` if it requires none.
///
/// # Errors
/// As [`condition`].
pub(in crate::engine) fn required_role(
    entry: &NodeTable,
    fields: &Slots,
) -> Result<Option<&'static str>, UserCodeError> {
    match (entry.spec.interrupt.and_then(|interrupt| interrupt.role), entry.expressions.role) {
        (None, _) => Ok(None),
        (Some(RoleSpec::Fixed(role)), _) => Ok(Some(role)),
        (Some(RoleSpec::Chosen { by, roles }), Some(role)) => evaluate("role", role, by, entry, fields)
            .and_then(|role| one_of("role", role, roles, by, entry))
            .map(Some),
        (Some(RoleSpec::Chosen { by, .. }), None) => Err(missing("role", by, entry)),
    }
}

/// Returns the time until the review before a node expires. `None` if it has no deadline.
///
/// # Errors
/// As [`condition`].
pub(super) fn expires(entry: &NodeTable, fields: &Slots) -> Result<Option<Duration>, UserCodeError> {
    match (entry.spec.interrupt.and_then(|interrupt| interrupt.expires), entry.expressions.expires) {
        (None, _) => Ok(None),
        (Some(ExpirySpec::Fixed(after)), _) => Ok(Some(after)),
        (Some(ExpirySpec::Chosen { by, values }), Some(expires)) => {
            evaluate("deadline", expires, by, entry, fields)
                .and_then(|after| one_of("deadline", after, values, by, entry))
                .map(Some)
        }
        (Some(ExpirySpec::Chosen { by, .. }), None) => Err(missing("deadline", by, entry)),
    }
}

/// Returns the risk of the action under review before a node: the highest one of its review and of the effects that run
/// on the signature, and of the reviews before those effects. Of a risk that another review chooses, the highest one
/// counts, because the fields by which it is chosen may not be written yet.
///
/// # Errors
/// As [`condition`].
pub(in crate::engine) fn risk(
    graph: &GraphTable,
    entry: &NodeTable,
    fields: &Slots,
) -> Result<ReviewRisk, UserCodeError> {
    let Some(interrupt) = entry.spec.interrupt else { return Ok(ReviewRisk::default()) };
    let own = match (interrupt.risk, entry.expressions.risk) {
        (None, _) => None,
        (Some(RiskSpec::Fixed(risk)), _) => Some(risk),
        (Some(RiskSpec::Chosen { by, values }), Some(risk)) => Some(
            evaluate("risk", risk, by, entry, fields)
                .and_then(|risk| one_of("risk", risk, values, by, entry))?,
        ),
        (Some(RiskSpec::Chosen { by, .. }), None) => return Err(missing("risk", by, entry)),
    };
    let own = ReviewRisk { level: own.max(entry.spec.risk), irreversible: interrupt.irreversible };
    let covered = interrupt.covers.iter().filter_map(|name| Some(highest_risk(&graph.node(name)?.1.spec)));
    Ok(covered.fold(own, ReviewRisk::max))
}

/// Returns the highest risk that an effect and its review can have.
fn highest_risk(node: &NodeSpec) -> ReviewRisk {
    let review = match node.interrupt.and_then(|interrupt| interrupt.risk) {
        Some(RiskSpec::Fixed(risk)) => Some(risk),
        Some(RiskSpec::Chosen { values, .. }) => values.iter().copied().max(),
        None => None,
    };
    let irreversible = node.interrupt.is_some_and(|interrupt| interrupt.irreversible);
    ReviewRisk { level: node.risk.max(review), irreversible }
}

fn evaluate<T>(
    what: &str,
    expression: Evaluate<T>,
    spec: ExpressionSpec,
    entry: &NodeTable,
    fields: &Slots,
) -> Result<T, UserCodeError> {
    let value = catch_panic(|| place(what, spec, entry), || expression(fields))?;
    let error_of = |problem: String| UserCodeError { place: place(what, spec, entry), problem };
    let value = value.map_err(|error| error_of(format!("cannot be evaluated: {error}")))?;
    value.ok_or_else(|| error_of("reads a field that is not written".to_owned()))
}

/// Returns a chosen value, which must be among those that are written in the choice: no text from elsewhere is a role.
fn one_of<T: PartialEq>(
    what: &str,
    value: T,
    known: &[T],
    spec: ExpressionSpec,
    entry: &NodeTable,
) -> Result<T, UserCodeError> {
    if known.contains(&value) {
        return Ok(value);
    }
    let problem = "has a value that is not at the end of one of its branches".to_owned();
    Err(UserCodeError { place: place(what, spec, entry), problem })
}

fn place(what: &str, spec: ExpressionSpec, entry: &NodeTable) -> String {
    format!("{what} `{}` of the review before `{}`", spec.text, entry.spec.name)
}

/// Returns the error for an expression without code, which only a hand-written graph can have.
fn missing(what: &str, spec: ExpressionSpec, entry: &NodeTable) -> UserCodeError {
    UserCodeError { place: place(what, spec, entry), problem: "has no code".to_owned() }
}

/// Returns the fields of a lane with an edited draft.
///
/// # Errors
/// If the state does not have the field.
pub(in crate::engine) fn edited(fields: &Slots, field: &str, after: &RawValue) -> Result<Slots, FieldError> {
    let mut fields = fields.clone();
    fields.replace(field, after.get())?;
    Ok(fields)
}

/// Returns whether the review before a node requires that a person is asked about these fields. It does unless its
/// condition is false and the risk is not high.
fn asks(graph: &GraphTable, entry: &NodeTable, fields: &Slots) -> bool {
    !matches!(condition(entry, fields), Ok(Some(Condition { value: false, .. })))
        || !matches!(risk(graph, entry, fields), Ok(risk) if !risk.is_high())
}

/// The rules of this program's reviews for the present values of a lane, by which one of its signatures is checked.
pub(in crate::engine) struct LaneRules<'a> {
    graph: &'static GraphTable,
    fold: &'a Fold,
    lane: &'a Lane,
    field: &'a str,
    /// `true` if this process has evaluated the condition by which a rule signed.
    is_evaluated: bool,
}

impl<'a> LaneRules<'a> {
    /// Creates the rules for a signature of a field.
    pub(in crate::engine) fn new(
        graph: &'static GraphTable,
        fold: &'a Fold,
        lane: &'a Lane,
        field: &'a str,
    ) -> Self {
        Self { graph, fold, lane, field, is_evaluated: false }
    }

    /// Does not evaluate the condition by which a rule gave this signature if this process has done so before.
    pub(in crate::engine) fn once(mut self, signature: &Signature) -> Self {
        self.is_evaluated = self.lane.evaluated.contains(&signature.place);
        self
    }
}

impl CurrentRules for LaneRules<'_> {
    fn asks(&self, reviewed: &NodeSpec) -> bool {
        let Some((_, entry)) = self.graph.node(reviewed.name) else { return true };
        let place = self.lane.signatures.get(self.field).map_or(self.fold.next, |signature| signature.place);
        let may_sign = self.fold.may_have_signed_by_rule(self.lane, self.field, place);
        // What was evaluated is the review before which the rule signed, and no other one that covers the node.
        let signature = self.lane.signatures.get(self.field);
        let signed_before = signature.and_then(|signature| self.graph.current(&signature.node));
        let is_evaluated =
            self.is_evaluated && signed_before.is_some_and(|(_, before)| before.spec.name == reviewed.name);
        !is_evaluated && (!may_sign || asks(self.graph, entry, &self.lane.fields))
    }

    fn risk(&self, reviewed: &NodeSpec) -> Result<ReviewRisk, String> {
        match self.graph.node(reviewed.name) {
            Some((_, entry)) => risk(self.graph, entry, &self.lane.fields).map_err(|error| error.to_string()),
            None => Err(format!("the graph has no node `{}`", reviewed.name)),
        }
    }

    fn role(&self, reviewed: &NodeSpec) -> Result<Option<&'static str>, String> {
        match self.graph.node(reviewed.name) {
            Some((_, entry)) => required_role(entry, &self.lane.fields).map_err(|error| error.to_string()),
            None => Err(format!("the graph has no node `{}`", reviewed.name)),
        }
    }
}
