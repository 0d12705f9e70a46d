//! A few threads that read.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::file::File;
use crate::store::StoreError;

/// Enough for the page cache; a read of a file that is not cached waits for the disk, and so may others meanwhile.
const MOST: usize = 4;

type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// The threads, which are started when there is something for them to do.
pub(super) struct Readers {
    file: Arc<File>,
    hall: Arc<Hall>,
}

struct Hall {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

/// One reader's own.
struct Desk {
    file: Arc<File>,
    connection: Option<Connection>,
}

impl Readers {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, hall: Arc::new(Hall { state: Mutex::default(), called: Condvar::new() }) }
    }

    /// Runs a query in one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(move |desk| {
            if !reply.is_closed() {
                // Nobody is told only where nobody waits any more.
                let _ = reply.send(desk.read(doing, query));
            }
        }))?;
        answer.await.unwrap_or_else(|_| Err(self.file.broken("its reader has ended; open the store again")))
    }

    fn submit(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.hall.lock();
        if state.idle <= state.jobs.len() && state.threads.len() < MOST {
            let (hall, file) = (Arc::clone(&self.hall), Arc::clone(&self.file));
            let started = thread::Builder::new()
                .name("hitl-sqlite-reader".into())
                .spawn(move || hall.serve(&mut Desk { file, connection: None }));
            match started {
                Ok(thread) => state.threads.push(thread),
                Err(error) if state.threads.is_empty() => return Err(self.file.no_thread(error)),
                // The ones there are will come to it.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        self.hall.called.notify_one();
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let mut state = self.hall.lock();
        state.closed = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.hall.called.notify_all();
        for thread in threads {
            // One that has panicked has closed its connection too.
            let _ = thread.join();
        }
    }
}

impl Hall {
    /// No job runs under the lock, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, desk: &mut Desk) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job(desk);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl Desk {
    fn read<T>(
        &mut self,
        doing: &str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let answer = self.try_read(query);
        // Whatever was read is of a file that nobody else knows, or of another one that stands in its place.
        self.file.is_in_place().inspect_err(|_| self.connection = None)?;
        answer.map_err(|error| self.file.failed(doing, error))
    }

    fn try_read<T>(&mut self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.file.connect_for_reading()?,
        };
        let answer = query(&connection)?;
        // Not after an error: the next read starts afresh, for the file may have been mended meanwhile.
        self.connection = Some(connection);
        Ok(answer)
    }
}
