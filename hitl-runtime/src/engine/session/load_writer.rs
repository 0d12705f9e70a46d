//! The load of a thread for its next entry: it is converted to this program's code.

use std::sync::Arc;

use super::thread_writer::ThreadWriter;
use crate::{Error, ThreadId, engine::Engine, journal::Fold, store::Tail, user_code::contain_panics};

impl Engine {
    /// Returns the writer of a thread, which has been converted to this program's code; `None` if there is no such
    /// thread.
    pub(in crate::engine) async fn find_writer(
        self: &Arc<Self>,
        thread: &ThreadId,
    ) -> Result<Option<Box<ThreadWriter>>, Error> {
        let Some(tail) = self.tail(thread).await? else { return Ok(None) };
        let writer = self.writer_from_tail(thread, &tail)?;
        self.authenticate_signatures(&writer.fold, &tail).await?;
        Ok(Some(writer))
    }

    /// Returns the writer of a thread as [`Self::find_writer`] does.
    pub(in crate::engine) async fn load_writer(
        self: &Arc<Self>,
        thread: &ThreadId,
    ) -> Result<Box<ThreadWriter>, Error> {
        let writer = self.find_writer(thread).await?;
        writer.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })
    }

    /// As [`Self::load_writer`], for a tail that has been read already. Does not authenticate the signatures in its
    /// snapshot.
    pub(in crate::engine) fn writer_from_tail(
        self: &Arc<Self>,
        thread: &ThreadId,
        tail: &Tail,
    ) -> Result<Box<ThreadWriter>, Error> {
        let mut writer = ThreadWriter::new(self, self.read_tail(thread, tail)?);
        writer.adapt()?;
        Ok(writer)
    }

    /// As [`Self::load_writer`], for callers that only read the thread.
    pub(in crate::engine) async fn load_for_reading(
        self: &Arc<Self>,
        thread: &ThreadId,
    ) -> Result<Fold, Error> {
        Ok(self.load_writer(thread).await?.into_fold())
    }

    /// Returns a thread as this program continues it.
    pub(crate) async fn thread(self: &Arc<Self>, thread: &ThreadId) -> Result<Fold, Error> {
        contain_panics(thread, self.load_for_reading(thread)).await
    }
}
