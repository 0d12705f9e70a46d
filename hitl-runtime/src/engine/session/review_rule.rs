//! The rule of an open review: the role that may sign it, its deadline and its reminders. New code may require more
//! than the code that opened the review, and a journal may record less than the program requires.

use std::time::Duration;

use super::{review_expressions, review_terms};
use crate::{
    Timestamp,
    graph::ReviewRisk,
    journal::OpenReviewState,
    node::{GraphTable, NodeTable},
    state::Slots,
    user_code::UserCodeError,
};

/// The role that may sign a review and the person who may not, its deadline, its reminder interval, and the risk of the
/// action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct ReviewRule {
    pub(in crate::engine) role: Option<String>,
    pub(in crate::engine) deadline: Option<Timestamp>,
    pub(in crate::engine) remind: Option<Duration>,
    pub(in crate::engine) risk: ReviewRisk,
    /// `true` if the person who started the thread may not sign.
    pub(in crate::engine) not_requester: bool,
}

impl ReviewRule {
    /// Returns the rule of the review before a node for the fields of its lane, if the review opens at `opened`.
    ///
    /// # Errors
    /// If an expression of the review fails.
    pub(in crate::engine) fn new(
        graph: &GraphTable,
        entry: &NodeTable,
        fields: &Slots,
        opened: Timestamp,
    ) -> Result<Self, UserCodeError> {
        let expires = review_expressions::expires(entry, fields)?;
        Ok(Self {
            role: review_expressions::required_role(entry, fields)?.map(str::to_owned),
            deadline: expires.map(|span| opened.saturating_add(span)),
            remind: entry.spec.interrupt.and_then(|interrupt| interrupt.remind),
            risk: review_expressions::risk(graph, entry, fields)?,
            not_requester: entry.spec.excludes_requester(),
        })
    }

    /// Returns the rule of an open review before this node of this program: the stricter one of the journal's and the
    /// program's.
    ///
    /// The program's role applies, or the old role if the program requires none. The deadline is the earlier one of the
    /// old deadline and the program's deadline, counted from the time when the review was opened. The program's
    /// reminder interval applies. The risk is the higher one. Who is excluded by one of them is excluded.
    ///
    /// # Errors
    /// If an expression of the review fails.
    pub(super) fn in_program(
        open: &OpenReviewState,
        graph: &GraphTable,
        entry: &NodeTable,
        fields: &Slots,
    ) -> Result<Self, UserCodeError> {
        let asked = Self::new(graph, entry, fields, open.opened)?;
        Ok(Self {
            role: asked.role.or_else(|| open.role.clone()),
            deadline: open.deadline.into_iter().chain(asked.deadline).min(),
            remind: asked.remind,
            risk: asked.risk.max(open.shown_risk()),
            not_requester: asked.not_requester || open.not_requester,
        })
    }

    /// Returns whether an open review requires everything that the program requires before this node for the fields of
    /// its lane, and covers and shows the same. The program is the authority on the rule, not the journal. Also `false`
    /// if an expression of the review fails, and `true` if the node has no review.
    pub(in crate::engine) fn is_as_asked(
        open: &OpenReviewState,
        graph: &GraphTable,
        entry: &NodeTable,
        fields: &Slots,
    ) -> bool {
        let Some(interrupt) = entry.spec.interrupt else { return true };
        let Ok(Self { role, deadline: latest, risk, .. }) = Self::new(graph, entry, fields, open.opened)
        else {
            return false;
        };
        interrupt.field == open.field
            && interrupt.edit == open.edit
            && interrupt.remind == open.remind
            && risk.is_within(open.shown_risk())
            && (open.not_requester || !interrupt.not_requester)
            && (role.is_none() || role == open.role)
            && latest.is_none_or(|latest| open.deadline.is_some_and(|deadline| deadline <= latest))
            && review_terms::are(&open.covers, &open.shows, entry.spec.name, &interrupt)
    }
}
