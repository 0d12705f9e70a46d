//! Who may do what with which thread.
//!
//! A thread is its starter's. Whoever may sign a review of it sees it too, and so do those whose role is named for that.
//! For anybody else there is no such thread: what is answered is what a missing one is answered.

use std::collections::BTreeSet;

use super::{House, call::kept_back, identity::Caller};
use crate::{
    Agent, Error, Operator, ThreadId,
    journal::{Entry, Event, Requester},
    run::{Graph, may_settle},
    serve::wire::{Action, Refusal, Request},
};

/// What callers may be let do.
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
    /// To begin threads.
    Start,
    /// To look at a thread and its history.
    Read,
    /// To have a thread taken up again.
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

/// A word that names no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rights are `start`, `read` and `resume`")]
pub struct UnknownRight;

/// Who has a right.
#[derive(Clone, Default)]
pub(super) struct Rule {
    /// Whoever calls, with no token.
    open: bool,
    roles: BTreeSet<String>,
}

impl Rule {
    fn is_held_by(&self, operator: &Operator) -> bool {
        self.open || self.roles.iter().any(|role| operator.holds(role))
    }
}

/// Who has which right, where tokens are verified.
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

/// What the caller may hear of a thread while its request is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// All of it.
    All,
    /// What happens once the thread has begun as this starter's own.
    Own(Option<String>),
}

/// Whether a caller may have a request carried out, and what it may hear meanwhile.
///
/// # Errors
/// 401 without a token where one is asked for; 403 for a start by somebody without a role for it; for the thread of somebody
/// else what a missing one is answered.
pub(super) async fn admit<G: Graph>(
    house: &House<G>,
    caller: &Caller,
    request: &Request,
) -> Result<Hearing, Refusal> {
    let Some(rules) = house.operators.rules() else { return Ok(Hearing::All) };
    let operator = caller.operator();
    let rule = match request.action {
        Action::Start { .. } => &rules.start,
        Action::Resume => &rules.resume,
        Action::Get | Action::History { .. } => &rules.read,
        // A verdict's role is asked for by the review that it is for.
        _ => &Rule { open: false, roles: rules.read.roles.clone() },
    };
    let Some(operator) = operator else {
        return match (rule.open, &request.action) {
            (false, _) => Err(token_missing()),
            (true, Action::Start { .. }) if !rules.read.open => Ok(Hearing::Own(None)),
            (true, _) => Ok(Hearing::All),
        };
    };
    if matches!(request.action, Action::Start { .. }) {
        if !rule.roles.is_empty() && !rule.is_held_by(operator) {
            return Err(Refusal::new(403, "role_missing", "the token has no role that may begin a thread"));
        }
        let all = rules.read.is_held_by(operator);
        return Ok(if all { Hearing::All } else { Hearing::Own(Some(operator.name().to_owned())) });
    }
    if rule.is_held_by(operator) || concerns(&house.agent, &request.thread, operator).await.map_err(failed)? {
        return Ok(Hearing::All);
    }
    Err(Error::UnknownThread { thread: request.thread.clone() }.into())
}

fn failed(error: Error) -> Refusal {
    kept_back(error.into())
}

fn token_missing() -> Refusal {
    Refusal::new(
        401,
        "token_missing",
        "this needs a token that is verified here: send it as `Authorization: Bearer …`",
    )
}

/// Whether a thread is somebody's affair: they began it, hold the role of a review that it waits for or has waited for, or
/// hold a role in which an effect may be settled that was in doubt.
/// Whoever could sign may see what came of it, and who was first.
async fn concerns<G: Graph>(agent: &Agent<G>, thread: &ThreadId, operator: &Operator) -> Result<bool, Error> {
    const PAGE: usize = 200;
    let (mut from, mut looks) = (0, 0);
    loop {
        let page = agent.store().entries(thread, from, PAGE).await?;
        looks += 1;
        let events = page.iter().filter_map(|record| serde_json::from_slice::<Entry>(&record.body).ok());
        let is_theirs = |event: Event| match event {
            Event::Started { requester, .. } => {
                requester.as_ref().and_then(Requester::owner) == Some(operator.name())
            }
            Event::Paused { role, .. } => role.is_some_and(|role| operator.holds(&role)),
            // Its starter need not be let settle it.
            Event::InDoubt { .. } => may_settle::<G>(operator),
            _ => false,
        };
        if events.map(|entry| entry.event).any(is_theirs) {
            return Ok(true);
        }
        match page.last() {
            Some(last) => from = last.place + 1,
            // Nearly every thread is read whole by one look, and its end seen by a second. A missing one is looked for as
            // often, so that the time tells nobody which of them it was.
            None if looks == 1 => {}
            None => return Ok(false),
        }
    }
}
