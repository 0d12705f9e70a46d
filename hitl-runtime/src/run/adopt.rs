//! A thread that was begun without journal keys is taken over by a program that has some.

use futures_util::future::BoxFuture;

use super::{Agent, Graph, Head, decide::may_decide, post::Post, refused::strict};
use crate::{
    Error, Operator, ThreadId,
    journal::{Event, Evidence},
};

impl<G: Graph> Agent<G> {
    /// Vouches for the entries of a thread that were written without a MAC. From here on the thread is authenticated.
    ///
    /// The journal is verified first, whole and against a head that was kept elsewhere, if one is given. Without such a
    /// head nothing shows that an attacker did not write the journal anew before: look at its history, in a program without
    /// keys. The entry that is appended bears the operator's name and a MAC of a key for verdicts.
    ///
    /// An adoption is for what was written before there was a key. An entry without a MAC behind one that has a MAC was
    /// added by somebody without a key, and no adoption takes it over.
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
    /// [`Error::NotSetUp`] without journal keys that sign verdicts; [`Error::Damaged`] where the journal does not verify
    /// or is not the one of the head; [`Error::Unauthenticated`] where a MAC is wrong, or an entry without one stands
    /// behind one that has one; [`Error::OtherCode`] while a runner has the thread; [`Error::GraphChanged`] where it
    /// cannot go on in this program.
    pub async fn adopt(
        &self,
        thread: &ThreadId,
        operator: &Operator,
        kept: Option<&Head>,
    ) -> Result<Head, Error> {
        let Some(keys) = &self.inner.keys else {
            return Err(Error::NotSetUp {
                problem: "this program has no journal key to adopt with".to_owned(),
            });
        };
        may_decide(thread, "adopt", None, operator)?;
        loop {
            let verified: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, None));
            let verified = verified.await?;
            verified.sound()?;
            let authenticated: BoxFuture<'_, _> = Box::pin(self.authenticate_unadopted(keys, thread));
            let authenticated = authenticated.await?;
            // Read without asking for MACs, which is what this is about.
            let tail = self.inner.store.tail(thread).await?;
            let tail = tail.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
            let mut post = Post::new(self, strict::<G>(thread, &tail)?);
            if post.fold.hash != verified.head.hash || post.fold.hash != authenticated {
                // Somebody has appended since it was verified.
                continue;
            }
            if let Some(lease) =
                post.fold.lease.as_ref().filter(|lease| lease.until_ms > self.inner.clock.now_ms())
            {
                return Err(Error::OtherCode { thread: thread.clone(), until_ms: lease.until_ms });
            }
            post.push(Event::Adopted {
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                evidence: Some(Evidence::of(operator, None)),
            })?;
            if post.flush(false).await? {
                let place = post.fold.next.saturating_sub(1);
                return Ok(Head { thread: thread.clone(), place, hash: post.fold.hash });
            }
        }
    }
}
