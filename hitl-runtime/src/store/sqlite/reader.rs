//! The reader threads.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::file::File;
use crate::store::StoreError;

/// The maximum number of readers. It suffices while the file is in the page cache; a read that misses the cache waits
/// for the disk, and may delay other reads.
const MAX_THREADS: usize = 4;

type Job = Box<dyn FnOnce(&mut ReaderState) + Send>;

/// The reader threads, which are started on demand.
pub(super) struct Readers {
    file: Arc<File>,
    queue: Arc<JobQueue>,
}

struct JobQueue {
    state: Mutex<State>,
    job_added: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

/// The state of one reader thread.
struct ReaderState {
    file: Arc<File>,
    connection: Option<Connection>,
}

impl Readers {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, queue: Arc::new(JobQueue { state: Mutex::default(), job_added: Condvar::new() }) }
    }

    /// Runs a query in one of the reader threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(move |reader| {
            if !reply.is_closed() {
                // An error means that the caller no longer waits.
                let _ = reply.send(reader.read(doing, query));
            }
        }))?;
        answer
            .await
            .unwrap_or_else(|_| Err(self.file.failure("its reader thread has ended; reopen the store")))
    }

    fn submit(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.queue.lock();
        if state.idle <= state.jobs.len() && state.threads.len() < MAX_THREADS {
            let (queue, file) = (Arc::clone(&self.queue), Arc::clone(&self.file));
            let started = thread::Builder::new()
                .name("hitl-sqlite-reader".into())
                .spawn(move || queue.run(&mut ReaderState { file, connection: None }));
            match started {
                Ok(thread) => state.threads.push(thread),
                Err(error) if state.threads.is_empty() => return Err(self.file.thread_failure(error)),
                // The existing threads will run the job.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        self.queue.job_added.notify_one();
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.closed = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.queue.job_added.notify_all();
        for thread in threads {
            // A thread that panicked has closed its connection too.
            let _ = thread.join();
        }
    }
}

impl JobQueue {
    /// Locks the state. No job runs under the lock, so the state behind a poisoned lock is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, reader: &mut ReaderState) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job(reader);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                state = self.job_added.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl ReaderState {
    fn read<T>(
        &mut self,
        doing: &str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let answer = self.try_read(query);
        // If the file was deleted or replaced, the result is from an orphaned file, or from another one at its path.
        self.file.check_in_place().inspect_err(|_| self.connection = None)?;
        answer.map_err(|error| self.file.failed(doing, error))
    }

    fn try_read<T>(&mut self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.file.connect_for_reading()?,
        };
        let answer = query(&connection)?;
        // After an error the connection is dropped: the next read opens the file again, which may have been repaired.
        self.connection = Some(connection);
        Ok(answer)
    }
}
