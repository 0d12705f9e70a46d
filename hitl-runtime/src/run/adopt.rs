//! Adoption: a program with journal keys takes over a thread that was begun without them.

use futures_util::future::BoxFuture;

use super::{
    Agent, Graph, JournalHead, decide::may_decide, lenient_load::load_strict, thread_writer::ThreadWriter,
};
use crate::{
    Error, Operator, ThreadId,
    journal::{Event, Evidence},
};

impl<G: Graph> Agent<G> {
    /// Adopts a thread: vouches in the operator's name for the entries that were written without a MAC. From then on
    /// the thread is authenticated.
    ///
    /// The whole journal is verified first, and compared with `kept`, a head that was stored elsewhere, if one is
    /// given. Without such a head, an attacker who rewrote the whole journal before the adoption is not detected: look
    /// at the thread's history in a program without keys first. The appended entry has the operator's name and a MAC of
    /// a key for verdicts.
    ///
    /// Only entries from before the first key can be adopted. An entry without a MAC that comes after an entry with a
    /// MAC was added without a key, and no adoption covers it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::journal::{JournalKey, JournalKeys};
    ///
    /// let (store, thread) = (MemoryStore::new(), "ticket-A-9133".try_into()?);
    /// let old = RefundAgent::new(store.clone());
    /// let _ = waiting(&old, "A-9133").await?;
    ///
    /// let keys = JournalKeys::new(JournalKey::new([7; 32])?);
    /// let agent = RefundAgent::new(store).journal_keys(keys);
    /// assert_eq!(agent.thread(&thread).await.unwrap_err().code(), "unauthenticated_entry");
    /// agent.adopt(&thread, &mara(), None).await?;
    /// assert!(matches!(agent.thread(&thread).await?, RefundAgentTurn::Pay(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotSetUp`] without journal keys that sign verdicts; [`Error::BadOperator`] if the operator has no valid
    /// name; [`Error::Damaged`] if the verification of the journal fails or its head is not `kept`;
    /// [`Error::Unauthenticated`] if a MAC is wrong, or an entry without a MAC comes after one with a MAC;
    /// [`Error::OtherCode`] while a runner holds the thread's lease; [`Error::GraphChanged`] if the thread is
    /// incompatible with this program.
    pub async fn adopt(
        &self,
        thread: &ThreadId,
        operator: &Operator,
        kept: Option<&JournalHead>,
    ) -> Result<JournalHead, Error> {
        let Some(keys) = &self.inner.keys else {
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
            let authenticated: BoxFuture<'_, _> = Box::pin(self.inner.authenticate_unadopted(keys, thread));
            let authenticated = authenticated.await?;
            // Not `Agent::tail`, which rejects entries without a MAC.
            let tail = self.inner.store.tail(thread).await?;
            let tail = tail.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
            let mut writer = ThreadWriter::new(&self.inner, load_strict(G::TABLE, thread, &tail)?);
            if writer.fold.hash != verified.head.hash || writer.fold.hash != authenticated {
                // An entry was appended since the verification: verify again.
                continue;
            }
            if let Some(lease) =
                writer.fold.lease.as_ref().filter(|lease| lease.until_ms > self.inner.clock.now_ms())
            {
                return Err(Error::OtherCode { thread: thread.clone(), until_ms: lease.until_ms });
            }
            writer.push(Event::Adopted {
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                evidence: Some(Evidence::of(operator, None)),
            })?;
            if writer.flush(false).await? {
                let place = writer.fold.next.saturating_sub(1);
                return Ok(JournalHead { thread: thread.clone(), place, hash: writer.fold.hash });
            }
        }
    }
}
