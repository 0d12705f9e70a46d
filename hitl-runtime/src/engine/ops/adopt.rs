//! Adoption: a program with journal keys takes over a thread that was begun without them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tracing::Instrument as _;

use crate::{
    Error, Operator, ThreadId,
    engine::{
        Engine,
        read::JournalHead,
        session::{JournalEnd, ThreadWriter, load_strict, may_decide},
    },
    journal::{Event, Evidence},
};

impl Engine {
    /// Takes over a thread that was begun without journal keys, after its verification.
    pub async fn adopt(
        self: &Arc<Self>,
        thread: &ThreadId,
        operator: &Operator,
        kept: Option<&JournalHead>,
    ) -> Result<JournalHead, Error> {
        let span = self.thread_span("adopt", thread);
        self.adopt_in_place(thread, operator, kept).instrument(span).await
    }

    async fn adopt_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        operator: &Operator,
        kept: Option<&JournalHead>,
    ) -> Result<JournalHead, Error> {
        let Some(keys) = &self.keys else {
            return Err(Error::NotSetUp {
                problem:
                    "adopting a thread requires a journal key; set HITL_JOURNAL_KEY, or give the agent its \
                          `journal_keys`"
                        .to_owned(),
            });
        };
        may_decide(thread, "adopt", None, operator)?;
        loop {
            let verified: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, None));
            let verified = verified.await?;
            verified.sound()?;
            let authenticated: BoxFuture<'_, _> = Box::pin(self.authenticate_unadopted(keys, thread));
            let authenticated = authenticated.await?;
            let adopted = || Event::Adopted {
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                evidence: Some(Evidence::of(operator, None)),
            };
            if thread.is_reserved() {
                let JournalHead { place, hash, .. } = verified.head;
                let end = JournalEnd { place: place.saturating_add(1), hash };
                if hash == authenticated && self.append_to_stops(end, false, adopted()).await?.is_some() {
                    let whole: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, None));
                    return Ok(whole.await?.head);
                }
                continue;
            }
            // Not `Engine::tail`, which rejects entries without a MAC.
            let tail = self.store.tail(thread).await?;
            let tail = tail.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
            let mut writer = ThreadWriter::new(self, load_strict(self.graph, thread, &tail)?);
            if writer.fold.hash != verified.head.hash || writer.fold.hash != authenticated {
                // An entry was appended since the verification: verify again.
                continue;
            }
            if let Some(lease) = writer.fold.lease.as_ref().filter(|lease| lease.until > self.clock.now()) {
                return Err(Error::OtherCode { thread: thread.clone(), until: lease.until });
            }
            writer.push(adopted())?;
            if writer.flush(false).await? {
                let place = writer.fold.next.saturating_sub(1);
                return Ok(JournalHead { thread: thread.clone(), place, hash: writer.fold.hash });
            }
        }
    }
}
