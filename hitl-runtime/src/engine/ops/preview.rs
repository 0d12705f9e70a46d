//! Previews of verdicts: what a verdict would do, before anything moves.

use std::sync::Arc;

use super::decide::VerdictInput;
use crate::{
    Digest, Error, Operator, ThreadId,
    engine::{Engine, exec::Preview, session::checked_draft},
    journal::{Decision, Event},
    user_code::contain_panics,
};

impl Engine {
    /// Returns what a verdict would do. Nothing is written.
    pub async fn preview(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: &VerdictInput,
    ) -> Result<Preview, Error> {
        contain_panics(thread, self.preview_in_place(thread, digest, operator, verdict)).await
    }

    async fn preview_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: &VerdictInput,
    ) -> Result<Preview, Error> {
        let writer = self.load_writer(thread).await?;
        let fold = &writer.fold;
        let found = self.find_review(fold, digest).await?;
        if let Some(deadline) = found.open.deadline
            && deadline <= self.clock.now()
        {
            let (thread, node) = (thread.clone(), found.open.activation.node);
            return Err(Error::Expired { thread, node, deadline });
        }
        let event = self.decision(fold, &found, None, operator, verdict)?;
        match &event {
            Event::Decided { verdict: Decision::Approve, .. } => {
                let draft = checked_draft(fold, found.lane, &found.open.field, found.reviewed)?;
                Ok(Preview { draft: Some(draft), again: None })
            }
            Event::Decided { verdict: Decision::Edit { after, .. }, .. } => {
                let draft = serde_json::from_str(after.get()).ok();
                Ok(Preview { draft, again: self.reproposal(writer, &found, event)? })
            }
            _ => Ok(Preview { draft: None, again: None }),
        }
    }
}
