//! Connections that were accepted, and that nothing has looked at yet.

use std::{
    collections::VecDeque,
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::connections::Connection;

/// A connection that was accepted.
pub(super) struct Arrived {
    pub(super) stream: TcpStream,
    pub(super) connection: Arc<Connection>,
}

/// Those that were accepted, the last of them first: where more come than can be looked at, the ones that nobody gets to
/// are those that have waited longest, and a ping is the newest when it comes.
#[derive(Default)]
pub(super) struct Arrivals {
    stack: Mutex<VecDeque<Arrived>>,
    came: Notify,
}

impl Arrivals {
    /// Adds one, and lets go of the oldest that have given way meanwhile.
    pub(super) fn push(&self, arrived: Arrived) {
        let mut stack = self.stack.lock().unwrap_or_else(PoisonError::into_inner);
        stack.push_back(arrived);
        while stack.front().is_some_and(|oldest| oldest.connection.is_cut()) {
            stack.pop_front();
        }
        drop(stack);
        self.came.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Arrived> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner).pop_back()
    }

    /// Waits for one.
    pub(super) async fn next(&self) -> Arrived {
        loop {
            let came = self.came.notified();
            if let Some(arrived) = self.pop() {
                return arrived;
            }
            came.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{connections::Connections, limits::Limits},
        *,
    };

    #[tokio::test]
    async fn the_newest_is_looked_at_first_and_none_that_gave_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = Connections::new(&Limits::default().connections(8));
        let arrivals = Arrivals::default();
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            let (stream, _) = listener.accept().unwrap();
            arrivals.push(Arrived { stream, connection: connections.enter() });
        }
        let newest = arrivals.next().await.stream;
        assert_eq!(newest.peer_addr().unwrap(), clients[19].local_addr().unwrap());
        // The sockets of those that gave way are closed already.
        let kept = std::iter::from_fn(|| arrivals.pop()).collect::<Vec<_>>();
        assert!(kept.len() == 7 && kept.iter().all(|arrived| !arrived.connection.is_cut()));
    }
}
