//! The open connections, their states, and the choice of the one to close when there are too many.
//!
//! A connection that has not sent a request yet is the cheapest to reopen, so it is closed first: a new connection is
//! always accepted, and a ping always gets through.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::limits::Limits;
use crate::api::ApiError;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ConnectionState {
    /// Idle: the head of its first request is incomplete, and no parser or router exists for it yet.
    ReadingHead,
    /// Idle: the head of its next request is incomplete.
    Idle,
    /// The body of a request is being received.
    ReadingBody,
    /// A request is being executed, or its response is being sent.
    Executing,
    /// A WebSocket with no request in flight, or a stream of events.
    WebSocketIdle,
    /// A WebSocket with a request in flight.
    WebSocketExecuting,
}

/// All connections of a server.
pub(crate) struct Connections {
    max_connections: usize,
    max_websockets: usize,
    max_memory: usize,
    table: Mutex<Table>,
}

/// The states with no request.
const IDLE_STATES: [ConnectionState; 2] = [ConnectionState::ReadingHead, ConnectionState::Idle];

/// The states that may be closed if no idle connection can be.
const SLOW_STATES: [ConnectionState; 2] = [ConnectionState::ReadingBody, ConnectionState::WebSocketIdle];

#[derive(Default)]
struct Table {
    /// A logical clock: it orders events without reading the time.
    clock: u64,
    /// The open connections, by their numbers.
    open: BTreeMap<u64, OpenConnection>,
    /// State, tick of the last change, and number of each connection. The first of each state is the oldest.
    order: BTreeSet<(ConnectionState, u64, u64)>,
    counts: BTreeMap<ConnectionState, usize>,
    /// The sum over all connections.
    bytes: usize,
    /// The number of requests being executed, also of connections that have closed since.
    executing: usize,
}

struct OpenConnection {
    state: ConnectionState,
    since: u64,
    bytes: usize,
    close_signal: Arc<Notify>,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let (max_connections, max_websockets) = (limits.max_connections(), limits.max_websockets());
        Arc::new(Self { max_connections, max_websockets, max_memory: limits.memory, table: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a new connection. If the limit is reached, closes the connection that has been idle the longest.
    pub(crate) fn register(self: &Arc<Self>) -> Arc<Connection> {
        let mut table = self.table();
        while table.open.len() >= self.max_connections && table.evict(self.max_connections) {}
        let (number, close_signal) = (table.tick(), Arc::new(Notify::new()));
        let open = OpenConnection {
            state: ConnectionState::ReadingHead,
            since: number,
            bytes: 0,
            close_signal: Arc::clone(&close_signal),
        };
        table.insert(number, open);
        Arc::new(Connection { number, close_signal, all: Arc::clone(self) })
    }

    /// Closes the most expendable connection, if there is one.
    pub(crate) fn evict_one(&self) {
        self.table().evict(self.max_connections);
    }

    /// Returns the maximum number of requests executed concurrently.
    fn max_executing(&self) -> usize {
        (self.max_connections / 4).max(1)
    }

    /// Returns the number of connections in a state.
    #[cfg(test)]
    pub(crate) fn count_in(&self, state: ConnectionState) -> usize {
        self.table().count(&[state])
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn insert(&mut self, number: u64, open: OpenConnection) {
        self.order.insert((open.state, open.since, number));
        *self.counts.entry(open.state).or_default() += 1;
        self.bytes += open.bytes;
        self.open.insert(number, open);
    }

    fn remove(&mut self, number: u64) -> Option<OpenConnection> {
        let open = self.open.remove(&number)?;
        self.order.remove(&(open.state, open.since, number));
        if let Some(count) = self.counts.get_mut(&open.state) {
            *count -= 1;
        }
        self.bytes -= open.bytes;
        Some(open)
    }

    /// Changes an open connection. One that has been closed stays as it is.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut OpenConnection)) {
        if let Some(mut open) = self.remove(number) {
            change(&mut open);
            self.insert(number, open);
        }
    }

    fn set_state(&mut self, number: u64, state: ConnectionState) {
        let since = self.tick();
        self.change(number, |open| (open.state, open.since) = (state, since));
    }

    /// Returns the numbers of the connections in a state, oldest first.
    fn in_state(&self, state: ConnectionState) -> impl Iterator<Item = u64> {
        self.order.range((state, 0, 0)..=(state, u64::MAX, u64::MAX)).map(|(_, _, number)| *number)
    }

    fn close(&mut self, number: u64) {
        if let Some(open) = self.remove(number) {
            open.close_signal.notify_one();
        }
    }

    /// Closes the oldest connection in the first of these states that has any. Returns whether there was one.
    fn close_oldest(&mut self, candidates: &[ConnectionState]) -> bool {
        let oldest = candidates.iter().find_map(|state| self.in_state(*state).next());
        oldest.map(|number| self.close(number)).is_some()
    }

    /// Closes the most expendable connection. Idle ones go first, unless there are so few that the oldest of them may
    /// have arrived just now and its first byte has not been read yet.
    fn evict(&mut self, max_connections: usize) -> bool {
        let idle_first = self.count(&IDLE_STATES) > (max_connections / 8).max(1);
        let [first, then] =
            if idle_first { [&IDLE_STATES, &SLOW_STATES] } else { [&SLOW_STATES, &IDLE_STATES] };
        self.close_oldest(first) || self.close_oldest(then)
    }

    fn count(&self, states: &[ConnectionState]) -> usize {
        states.iter().filter_map(|state| self.counts.get(state)).sum()
    }
}

/// A registered connection. It is removed from the table when its last `Arc` is dropped.
pub(crate) struct Connection {
    number: u64,
    close_signal: Arc<Notify>,
    all: Arc<Connections>,
}

impl Connection {
    /// Waits until this connection must close. It stays closed: both the task of a connection and a stream on it wait.
    pub(crate) async fn closed(&self) {
        self.close_signal.notified().await;
        self.close_signal.notify_one();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.all.table().open.get(&self.number).is_none_or(|open| open.state == ConnectionState::Idle)
    }

    /// Records that the head of the first request is complete.
    pub(crate) fn head_received(&self) {
        self.all.table().set_state(self.number, ConnectionState::Idle);
    }

    /// Records that a request has begun.
    pub(crate) fn begin_body(&self) {
        self.all.table().set_state(self.number, ConnectionState::ReadingBody);
    }

    /// Records that a request has ended, and releases its memory.
    pub(crate) fn end_request(&self) {
        self.release(ConnectionState::Idle);
    }

    /// Records that a request is being executed.
    ///
    /// # Errors
    /// If the maximum number of requests is in flight.
    pub(crate) fn begin_execution(&self) -> Result<Execution, ApiError> {
        self.begin_in(ConnectionState::Executing)
    }

    fn begin_in(&self, state: ConnectionState) -> Result<Execution, ApiError> {
        let mut table = self.all.table();
        // A response that is being sent counts too, and an execution whose client has gone.
        let sending = table.count(&[ConnectionState::Executing, ConnectionState::WebSocketExecuting]);
        if table.executing.max(sending) >= self.all.max_executing() {
            return Err(busy("requests"));
        }
        table.executing += 1;
        table.set_state(self.number, state);
        Ok(Execution(Arc::clone(&self.all)))
    }

    /// Records that the connection is now a WebSocket. If there are too many, closes the one that has been idle the
    /// longest.
    ///
    /// # Errors
    /// If all of them have a request in flight.
    pub(crate) fn begin_websocket(&self) -> Result<(), ApiError> {
        let mut table = self.all.table();
        while table.count(&[ConnectionState::WebSocketIdle, ConnectionState::WebSocketExecuting])
            >= self.all.max_websockets
        {
            if !table.close_oldest(&[ConnectionState::WebSocketIdle]) {
                return Err(busy("WebSockets"));
            }
        }
        table.set_state(self.number, ConnectionState::WebSocketIdle);
        Ok(())
    }

    /// Records that a request on a WebSocket is being executed.
    ///
    /// # Errors
    /// As [`Connection::begin_execution`].
    #[cfg(feature = "agentcore")]
    pub(crate) fn begin_message(&self) -> Result<Execution, ApiError> {
        self.begin_in(ConnectionState::WebSocketExecuting)
    }

    /// Records that a request on a WebSocket has ended.
    #[cfg(feature = "agentcore")]
    pub(crate) fn end_message(&self) {
        self.release(ConnectionState::WebSocketIdle);
    }

    /// Reserves memory for this request. If there is too little, closes the connections that have been receiving a body
    /// for the longest time.
    ///
    /// # Errors
    /// If no other connection can be closed to free enough.
    pub(crate) fn reserve_memory(&self, bytes: usize) -> Result<(), ApiError> {
        let mut table = self.all.table();
        loop {
            // This connection has been closed already, so its request cannot complete.
            let Some(own) = table.open.get(&self.number).map(|open| open.bytes) else {
                return Err(busy("requests"));
            };
            if table.bytes - own + bytes <= self.all.max_memory {
                break;
            }
            let has_memory = |number: &u64| table.open.get(number).is_some_and(|open| open.bytes > 0);
            let other = table
                .in_state(ConnectionState::ReadingBody)
                .find(|number| *number != self.number && has_memory(number));
            match other {
                Some(number) => table.close(number),
                None => return Err(busy("requests")),
            }
        }
        table.change(self.number, |open| open.bytes = open.bytes.max(bytes));
        Ok(())
    }

    /// Records that no request is in flight, and releases the memory.
    fn release(&self, state: ConnectionState) {
        let mut table = self.all.table();
        table.set_state(self.number, state);
        table.change(self.number, |open| open.bytes = 0);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.table().remove(self.number);
    }
}

/// A request that is being executed. It counts until it is dropped: a client that sends a request and closes its
/// connection does not make room for another one.
pub(crate) struct Execution(Arc<Connections>);

impl Drop for Execution {
    fn drop(&mut self) {
        self.0.table().executing -= 1;
    }
}

pub(crate) fn busy(what: &str) -> ApiError {
    ApiError::new(503, "busy", format!("the limit of concurrent {what} is reached: retry later"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn eight() -> Arc<Connections> {
        Connections::new(&Limits::default().connections(8))
    }

    fn is_closed(connection: &Connection) -> bool {
        connection.closed().now_or_never().is_some()
    }

    #[test]
    fn the_longest_idle_is_evicted_and_no_execution_is() {
        let all = eight();
        let open: Vec<_> = (0..8).map(|_| all.register()).collect();
        open[0].begin_body();
        let _execution = open[0].begin_execution().unwrap();
        open[1].begin_body();
        open[2].begin_websocket().unwrap();
        let _newer: Vec<_> = (0..5).map(|_| all.register()).collect();
        let closed: Vec<_> = open.iter().map(|connection| is_closed(connection)).collect();
        assert_eq!(closed, [false, false, false, true, true, true, true, true]);
        // A stream on it learns that too.
        assert!(is_closed(&open[3]));
        assert_eq!(all.table().open.len(), 8);
    }

    #[test]
    fn slow_bodies_and_idle_websockets_are_evicted_if_none_is_idle() {
        let all = eight();
        let open: Vec<_> = (0..8).map(|_| all.register()).collect();
        open.iter().for_each(|connection| connection.begin_body());
        open[7].begin_websocket().unwrap();
        let newer: Vec<_> = (0..8)
            .map(|_| {
                let newer = all.register();
                newer.begin_body();
                newer
            })
            .collect();
        assert!(is_closed(&open[0]) && is_closed(&open[6]) && !is_closed(&newer[7]));
        // A second WebSocket replaces the first.
        newer[7].begin_websocket().unwrap();
        assert!(is_closed(&open[7]));
    }

    #[test]
    fn a_new_connection_is_not_evicted_for_the_next_one() {
        let all = eight();
        let slow: Vec<_> = (0..8).map(|_| all.register()).collect();
        slow.iter().for_each(|connection| connection.begin_body());
        let (ping, _next) = (all.register(), all.register());
        assert!(!is_closed(&ping) && is_closed(&slow[0]) && is_closed(&slow[1]));
    }

    #[test]
    fn executions_are_bounded_and_end() {
        let all = eight();
        let mut open: Vec<_> = (0..3).map(|_| all.register()).collect();
        let first = open[0].begin_execution().unwrap();
        let _second = open[1].begin_execution().unwrap();
        let is_busy = |connection: &Connection| connection.begin_execution().is_err_and(|e| e.status == 503);
        assert!(is_busy(&open[2]));
        // The client is gone, and the execution continues.
        open[0].end_request();
        open.remove(0);
        assert!(is_busy(&open[1]));
        drop(first);
        let third = open[1].begin_execution().unwrap();
        // Its response is still being sent.
        drop(third);
        let next = all.register();
        assert!(is_busy(&next));
        open[1].end_request();
        assert!(!is_busy(&next));
    }

    #[test]
    fn the_slowest_sender_is_closed_at_the_memory_limit() {
        let all = Connections::new(&Limits { memory: 100, ..Limits::default().connections(8) });
        let open: Vec<_> = (0..3).map(|_| all.register()).collect();
        open.iter().for_each(|connection| connection.begin_body());
        open[0].reserve_memory(50).unwrap();
        open[1].reserve_memory(50).unwrap();
        open[2].reserve_memory(60).unwrap();
        assert!(is_closed(&open[0]) && is_closed(&open[1]));
        assert_eq!(open[0].reserve_memory(1).unwrap_err().code, "busy");
        assert_eq!(open[2].reserve_memory(101).unwrap_err().code, "busy");
        open[2].reserve_memory(100).unwrap();
    }
}
