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
use crate::serve::wire::Refusal;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// Idle: the head of its first request is incomplete, and no parser or router exists for it yet.
    Arriving,
    /// Idle: the head of its next request is incomplete.
    Waiting,
    /// The body of a request is being received.
    Reading,
    /// A request is being executed, or its response is being sent.
    Working,
    /// A WebSocket with no request in flight.
    Listening,
    /// A WebSocket with a request in flight.
    Talking,
}

/// All connections of a server.
pub(super) struct Connections {
    most: usize,
    sockets: usize,
    memory: usize,
    table: Mutex<Table>,
}

/// The states with no request.
const IDLE: [Doing; 2] = [Doing::Arriving, Doing::Waiting];

/// The states that may be closed if no idle connection can be.
const SLOW: [Doing; 2] = [Doing::Reading, Doing::Listening];

#[derive(Default)]
struct Table {
    /// A logical clock: it orders events without reading the time.
    ticks: u64,
    seats: BTreeMap<u64, Seat>,
    /// State, tick of the last change, and number of each connection. The first of each state is the oldest.
    order: BTreeSet<(Doing, u64, u64)>,
    counts: BTreeMap<Doing, usize>,
    /// The sum over all seats.
    bytes: usize,
}

struct Seat {
    doing: Doing,
    since: u64,
    bytes: usize,
    cut: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let (most, sockets) = (limits.most_connections(), limits.most_sockets());
        Arc::new(Self { most, sockets, memory: limits.memory, table: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a new connection. If the limit is reached, closes the connection that has been idle the longest.
    pub(super) fn enter(self: &Arc<Self>) -> Arc<Connection> {
        let mut table = self.table();
        while table.seats.len() >= self.most && table.spare_one(self.most) {}
        let (number, cut) = (table.tick(), Arc::new(Notify::new()));
        let seat = Seat { doing: Doing::Arriving, since: number, bytes: 0, cut: Arc::clone(&cut) };
        table.insert(number, seat);
        Arc::new(Connection { number, cut, all: Arc::clone(self) })
    }

    /// Closes the most expendable connection, if there is one.
    pub(super) fn make_room(&self) {
        self.table().spare_one(self.most);
    }

    /// Returns the maximum number of requests executed concurrently.
    fn most_working(&self) -> usize {
        (self.most / 4).max(1)
    }

    /// Returns the number of connections in a state.
    #[cfg(test)]
    pub(super) fn doing(&self, doing: Doing) -> usize {
        self.table().count(&[doing])
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn insert(&mut self, number: u64, seat: Seat) {
        self.order.insert((seat.doing, seat.since, number));
        *self.counts.entry(seat.doing).or_default() += 1;
        self.bytes += seat.bytes;
        self.seats.insert(number, seat);
    }

    fn remove(&mut self, number: u64) -> Option<Seat> {
        let seat = self.seats.remove(&number)?;
        self.order.remove(&(seat.doing, seat.since, number));
        if let Some(count) = self.counts.get_mut(&seat.doing) {
            *count -= 1;
        }
        self.bytes -= seat.bytes;
        Some(seat)
    }

    /// Changes a seat, unless its connection has been closed.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Seat)) {
        if let Some(mut seat) = self.remove(number) {
            change(&mut seat);
            self.insert(number, seat);
        }
    }

    fn does(&mut self, number: u64, doing: Doing) {
        let since = self.tick();
        self.change(number, |seat| (seat.doing, seat.since) = (doing, since));
    }

    /// Returns the numbers of the connections in a state, oldest first.
    fn doing(&self, doing: Doing) -> impl Iterator<Item = u64> {
        self.order.range((doing, 0, 0)..=(doing, u64::MAX, u64::MAX)).map(|(_, _, number)| *number)
    }

    fn cut(&mut self, number: u64) {
        if let Some(seat) = self.remove(number) {
            seat.cut.notify_one();
        }
    }

    /// Closes the oldest connection in the first of these states that has any. Returns whether there was one.
    fn cut_one(&mut self, spared: &[Doing]) -> bool {
        let oldest = spared.iter().find_map(|doing| self.doing(*doing).next());
        oldest.map(|number| self.cut(number)).is_some()
    }

    /// Closes the most expendable connection. Idle ones go first, unless there are so few that the oldest of them may
    /// have arrived just now and its first byte has not been read yet.
    fn spare_one(&mut self, most: usize) -> bool {
        let idle_first = self.count(&IDLE) > (most / 8).max(1);
        let [first, then] = if idle_first { [&IDLE, &SLOW] } else { [&SLOW, &IDLE] };
        self.cut_one(first) || self.cut_one(then)
    }

    fn count(&self, doing: &[Doing]) -> usize {
        doing.iter().filter_map(|doing| self.counts.get(doing)).sum()
    }
}

/// A registered connection. It is removed from the table when its last `Arc` is dropped.
pub(super) struct Connection {
    number: u64,
    cut: Arc<Notify>,
    all: Arc<Connections>,
}

impl Connection {
    /// Waits until this connection must close.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.all.table().seats.get(&self.number).is_none_or(|seat| seat.doing == Doing::Waiting)
    }

    /// Records that the head of the first request is complete.
    pub(super) fn arrives(&self) {
        self.all.table().does(self.number, Doing::Waiting);
    }

    /// Records that a request has begun.
    pub(super) fn reads(&self) {
        self.all.table().does(self.number, Doing::Reading);
    }

    /// Records that a request has ended, and releases its memory.
    pub(super) fn waits(&self) {
        self.rests(Doing::Waiting);
    }

    /// Records that a request is being executed.
    ///
    /// # Errors
    /// If the maximum number of requests is in flight.
    pub(super) fn works(&self) -> Result<(), Refusal> {
        let mut table = self.all.table();
        if table.count(&[Doing::Working, Doing::Talking]) >= self.all.most_working() {
            return Err(busy("requests"));
        }
        table.does(self.number, Doing::Working);
        Ok(())
    }

    /// Records that the connection is now a WebSocket. If there are too many, closes the one that has been idle the
    /// longest.
    ///
    /// # Errors
    /// If all of them have a request in flight.
    pub(super) fn opens(&self) -> Result<(), Refusal> {
        let mut table = self.all.table();
        while table.count(&[Doing::Listening, Doing::Talking]) >= self.all.sockets {
            if !table.cut_one(&[Doing::Listening]) {
                return Err(busy("WebSockets"));
            }
        }
        table.does(self.number, Doing::Listening);
        Ok(())
    }

    /// Records that a request on a WebSocket is being executed.
    ///
    /// # Errors
    /// As [`Connection::works`].
    pub(super) fn talks(&self) -> Result<(), Refusal> {
        let mut table = self.all.table();
        if table.count(&[Doing::Working, Doing::Talking]) >= self.all.most_working() {
            return Err(busy("requests"));
        }
        table.does(self.number, Doing::Talking);
        Ok(())
    }

    /// Records that a request on a WebSocket has ended.
    pub(super) fn listens(&self) {
        self.rests(Doing::Listening);
    }

    /// Reserves memory for this request. If there is too little, closes the connections that have been receiving a body
    /// for the longest time.
    ///
    /// # Errors
    /// If no other connection can be closed to free enough.
    pub(super) fn takes(&self, bytes: usize) -> Result<(), Refusal> {
        let mut table = self.all.table();
        loop {
            // This connection has been closed already, so its request cannot complete.
            let Some(own) = table.seats.get(&self.number).map(|seat| seat.bytes) else {
                return Err(busy("requests"));
            };
            if table.bytes - own + bytes <= self.all.memory {
                break;
            }
            let takes = |number: &u64| table.seats.get(number).is_some_and(|seat| seat.bytes > 0);
            let other = table.doing(Doing::Reading).find(|number| *number != self.number && takes(number));
            match other {
                Some(number) => table.cut(number),
                None => return Err(busy("requests")),
            }
        }
        table.change(self.number, |seat| seat.bytes = seat.bytes.max(bytes));
        Ok(())
    }

    /// Records that no request is in flight, and releases the memory.
    fn rests(&self, doing: Doing) {
        let mut table = self.all.table();
        table.does(self.number, doing);
        table.change(self.number, |seat| seat.bytes = 0);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.table().remove(self.number);
    }
}

pub(super) fn busy(what: &str) -> Refusal {
    Refusal::new(
        503,
        "busy",
        format!("as many {what} are under way here as there may be at once: ask again later"),
    )
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn eight() -> Arc<Connections> {
        Connections::new(&Limits::default().connections(8))
    }

    fn is_cut(connection: &Connection) -> bool {
        connection.cut().now_or_never().is_some()
    }

    #[test]
    fn the_longest_idle_gives_way_and_no_work_does() {
        let all = eight();
        let open: Vec<_> = (0..8).map(|_| all.enter()).collect();
        open[0].reads();
        open[0].works().unwrap();
        open[1].reads();
        open[2].opens().unwrap();
        let _newer: Vec<_> = (0..5).map(|_| all.enter()).collect();
        let cut: Vec<_> = open.iter().map(|connection| is_cut(connection)).collect();
        assert_eq!(cut, [false, false, false, true, true, true, true, true]);
        assert_eq!(all.table().seats.len(), 8);
    }

    #[test]
    fn slow_bodies_and_idle_sockets_give_way_when_none_waits() {
        let all = eight();
        let open: Vec<_> = (0..8).map(|_| all.enter()).collect();
        open.iter().for_each(|connection| connection.reads());
        open[7].opens().unwrap();
        let newer: Vec<_> = (0..8)
            .map(|_| {
                let newer = all.enter();
                newer.reads();
                newer
            })
            .collect();
        assert!(is_cut(&open[0]) && is_cut(&open[6]) && !is_cut(&newer[7]));
        // A second WebSocket replaces the first.
        newer[7].opens().unwrap();
        assert!(is_cut(&open[7]));
    }

    #[test]
    fn what_has_just_come_does_not_give_way_to_what_comes_next() {
        let all = eight();
        let slow: Vec<_> = (0..8).map(|_| all.enter()).collect();
        slow.iter().for_each(|connection| connection.reads());
        let (ping, _next) = (all.enter(), all.enter());
        assert!(!is_cut(&ping) && is_cut(&slow[0]) && is_cut(&slow[1]));
    }

    #[test]
    fn work_is_bounded_and_ends() {
        let all = eight();
        let open: Vec<_> = (0..3).map(|_| all.enter()).collect();
        open[0].works().unwrap();
        open[1].works().unwrap();
        assert_eq!(open[2].works().unwrap_err().status, 503);
        open[0].waits();
        open[2].works().unwrap();
    }

    #[test]
    fn memory_is_taken_from_the_slowest_sender() {
        let all = Connections::new(&Limits { memory: 100, ..Limits::default().connections(8) });
        let open: Vec<_> = (0..3).map(|_| all.enter()).collect();
        open.iter().for_each(|connection| connection.reads());
        open[0].takes(50).unwrap();
        open[1].takes(50).unwrap();
        open[2].takes(60).unwrap();
        assert!(is_cut(&open[0]) && is_cut(&open[1]));
        assert_eq!(open[0].takes(1).unwrap_err().code, "busy");
        assert_eq!(open[2].takes(101).unwrap_err().code, "busy");
        open[2].takes(100).unwrap();
    }
}
