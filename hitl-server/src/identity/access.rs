//! Authorization: the rights of callers to threads.
//!
//! A thread belongs to the subject of the issuer who started it, whose name may have changed since. It is also accessible
//! to those who may sign one of its reviews, and to holders of a role that has a right to all threads. For other callers
//! it does not exist: the response is the same as for a missing thread.

use std::collections::BTreeSet;

use hitl_runtime::{
    Error, OpenReview, Operator, Place, ThreadId,
    journal::{Entry, Event, Requester},
    plumbing::{Engine, is_same_owner, may_settle, plain},
};

use super::{Caller, OperatorAuth};
use crate::api::{Action, ApiError, Request, ReviewFilter};

/// A right that can be granted to callers.
///
/// ```
/// use hitl::agentcore::Right;
///
/// assert_eq!("read".parse(), Ok(Right::Read));
/// assert!("decide".parse::<Right>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Right {
    /// The right to start threads.
    Start,
    /// The right to read a thread and its history.
    Read,
    /// The right to resume a thread. A role that has it may also sweep; a sweep is never open to callers without one.
    Resume,
}

impl std::str::FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        match text {
            "start" => Ok(Self::Start),
            "read" => Ok(Self::Read),
            "resume" => Ok(Self::Resume),
            _ => Err(UnknownRight),
        }
    }
}

/// The error of parsing an unknown right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown right; the rights are `start`, `read` and `resume`")]
#[non_exhaustive]
pub struct UnknownRight;

/// The holders of a right.
#[derive(Clone, Default)]
pub(super) struct Rule {
    /// `true` if every caller has it, with or without a token.
    open: bool,
    roles: BTreeSet<String>,
}

impl Rule {
    fn is_held_by(&self, operator: &Operator) -> bool {
        self.open || self.roles.iter().any(|role| operator.has_role(role))
    }
}

/// The holders of each right, if tokens are verified.
#[derive(Clone, Default)]
pub(super) struct Rules {
    start: Rule,
    read: Rule,
    resume: Rule,
}

impl Rules {
    fn rule(&mut self, right: Right) -> &mut Rule {
        match right {
            Right::Start => &mut self.start,
            Right::Read => &mut self.read,
            Right::Resume => &mut self.resume,
        }
    }

    pub(super) fn open(&mut self, right: Right) {
        self.rule(right).open = true;
    }

    pub(super) fn role(&mut self, right: Right, role: String) {
        self.rule(right).roles.insert(role);
    }
}

/// The events of a thread that a caller may see during its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// All events.
    All,
    /// None, because the request is about no thread.
    Nothing,
    /// The events after the thread was started with this owner.
    OwnThread(Option<Requester>),
}

/// The open reviews that an operator may decide, of those for which they have the role: the holder of a role may, and if
/// a review requires none, those who may see its thread.
pub(crate) struct DecidableReviews<'a> {
    pub(crate) operators: &'a OperatorAuth,
    pub(crate) engine: &'a Engine,
    pub(crate) operator: &'a Operator,
}

impl ReviewFilter for DecidableReviews<'_> {
    async fn accepts(&self, review: &OpenReview) -> bool {
        let Some(rules) = self.operators.rules() else { return true };
        let has_role = |role: &String| self.operator.has_role(role);
        if review.role.as_ref().is_some_and(has_role) || rules.read.roles.iter().any(has_role) {
            return true;
        }
        // One thread that cannot be read must not hide the others.
        is_involved(self.engine, &review.thread, self.operator).await.unwrap_or_else(|error| {
            let thread = &*plain(review.thread.as_str());
            tracing::warn!(
                thread,
                code = error.code(),
                "review left out of an inbox: its thread cannot be read"
            );
            false
        })
    }

    async fn sees(&self, thread: &ThreadId) -> Result<bool, Error> {
        let Some(rules) = self.operators.rules() else { return Ok(true) };
        if thread.is_reserved() {
            return Ok(false);
        }
        let holds_all = rules.read.roles.iter().any(|role| self.operator.has_role(role));
        Ok(holds_all || is_involved(self.engine, thread, self.operator).await?)
    }
}

/// Checks whether a caller may make a request, and returns the events that it may see during the request.
///
/// # Errors
/// 401 without a required token; 403 for a start without a required role; for another subject's thread, the error for a
/// missing thread.
pub(crate) async fn authorize(
    operators: &OperatorAuth,
    engine: &Engine,
    caller: &Caller,
    request: &Request,
) -> Result<Visibility, ApiError> {
    let Some(rules) = operators.rules() else { return Ok(Visibility::All) };
    let operator = caller.subject();
    let is_about_all = request.is_about_all() || request.thread.is_reserved();
    let rule = match request.action {
        Action::Start { .. } => &rules.start,
        Action::Resume | Action::Continue => &rules.resume,
        // A sweep runs the threads of all callers, so it is open to no caller without a role.
        Action::Sweep => &Rule { open: false, roles: rules.resume.roles.clone() },
        Action::Inbox { .. } | Action::Batch(_) => &Rule::default(),
        // The journal of stops, and what is about all threads, are open to no caller without a token.
        _ if is_about_all => &Rule { open: false, roles: rules.read.roles.clone() },
        Action::Get | Action::History { .. } => &rules.read,
        // The role for a verdict is checked by the review itself.
        _ => &Rule { open: false, roles: rules.read.roles.clone() },
    };
    let Some(operator) = operator else {
        return match (rule.open, &request.action) {
            (false, _) => Err(token_missing()),
            (true, Action::Start { .. }) if !rules.read.open => Ok(Visibility::OwnThread(None)),
            (true, _) => Ok(Visibility::All),
        };
    };
    if matches!(request.action, Action::Start { .. }) {
        if !rule.roles.is_empty() && !rule.is_held_by(operator) {
            return Err(ApiError::new(403, "role_missing", "the token has no role that may start a thread"));
        }
        let all = rules.read.is_held_by(operator);
        return Ok(if all {
            Visibility::All
        } else {
            Visibility::OwnThread(Some(Requester::from(operator)))
        });
    }
    match request.action {
        // The list has only what the operator may decide, and a batch is checked thread by thread: see
        // `DecidableReviews`.
        Action::Inbox { .. } | Action::Batch(_) => return Ok(Visibility::Nothing),
        // A sweep moves the threads of all callers, so no stake in one of them is enough.
        Action::Sweep if rule.is_held_by(operator) => return Ok(Visibility::Nothing),
        // A page token has the name of a thread in it, so a list of all threads takes the right to all of them.
        Action::Threads { .. } | Action::Metrics { .. } if rule.is_held_by(operator) => {
            return Ok(Visibility::Nothing);
        }
        Action::Threads { .. } | Action::Metrics { .. } => {
            return Err(ApiError::new(
                403,
                "role_missing",
                "the token has no role that may read all threads; the roles that may are in HITL_READ_ROLES, or set by \
                 `OperatorAuth::role_for`",
            ));
        }
        Action::Sweep => {
            return Err(ApiError::new(
                403,
                "role_missing",
                "the token has no role that may sweep; the roles that may are in HITL_RESUME_ROLES, or set by \
                 `OperatorAuth::role_for`",
            ));
        }
        _ => {}
    }
    let stops = matches!(request.action, Action::Stop { .. });
    if stops && engine.may_stop(operator) {
        return Ok(Visibility::All);
    }
    if is_about_all {
        if !stops && (rule.is_held_by(operator) || engine.may_stop(operator)) {
            return Ok(Visibility::All);
        }
        return Err(may_not_stop());
    }
    if rule.is_held_by(operator) || is_involved(engine, &request.thread, operator).await.map_err(redacted)? {
        // Who may read a thread may not stop it for that: without a role for it, every caller could.
        return if stops { Err(may_not_stop()) } else { Ok(Visibility::All) };
    }
    Err(Error::UnknownThread { thread: request.thread.clone() }.into())
}

/// Checks that a caller has a token, if tokens are verified.
///
/// # Errors
/// 401 without one.
pub(crate) fn is_known(operators: &OperatorAuth, caller: &Caller) -> Result<(), ApiError> {
    if operators.verifies() && caller.subject().is_none() { Err(token_missing()) } else { Ok(()) }
}

fn may_not_stop() -> ApiError {
    ApiError::new(403, "role_missing", "the token has no role that may stop threads")
}

fn redacted(error: Error) -> ApiError {
    ApiError::from(error).redacted()
}

fn token_missing() -> ApiError {
    ApiError::new(401, "token_missing", "this request requires a token: send it as `Authorization: Bearer …`")
}

/// Returns whether an operator has a stake in a thread: they started it, hold the role of a review that it waits for or
/// has waited for, or hold a role that may settle an effect of it that was in doubt. Those who could sign may see the
/// result, and who decided first.
async fn is_involved(engine: &Engine, thread: &ThreadId, operator: &Operator) -> Result<bool, Error> {
    const PAGE: usize = 200;
    let own = Requester::from(operator);
    let (mut from, mut looks) = (Place::START, 0);
    loop {
        let page = engine.store.entries(thread, from, PAGE).await?;
        looks += 1;
        let events = page.iter().filter_map(|record| serde_json::from_slice::<Entry>(&record.body).ok());
        let is_theirs = |event: Event| match event {
            Event::Started { requester, .. } => is_same_owner(requester.as_ref(), Some(&own)),
            Event::Paused { role, .. } => role.is_some_and(|role| operator.has_role(&role)),
            // They would have been asked, if the rule had not signed.
            Event::Signed { role, .. } => role.is_some_and(|role| operator.has_role(&role)),
            // Its starter need not be let settle it.
            Event::InDoubt { .. } => may_settle(engine.graph, operator),
            _ => false,
        };
        if events.map(|entry| entry.event).any(is_theirs) {
            return Ok(true);
        }
        match page.last() {
            Some(last) => from = last.place + 1,
            // Nearly every thread is read by one query, and a second one finds its end. A missing thread is queried
            // twice too, so that the response time does not reveal whether it exists.
            None if looks == 1 => {}
            None => return Ok(false),
        }
    }
}
