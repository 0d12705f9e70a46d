//! How much of a server a client may take, and for how long.

use std::time::Duration;

/// The most connections that are open at once, where the system allows twice as many files.
const CONNECTIONS: usize = 512;

/// The most bytes that requests may take in memory together, while they are read and while they are carried out.
const MEMORY: usize = 256 * 1024 * 1024;

/// How much of a server its clients may take, and how long each of them is waited for.
///
/// ```
/// use hitl::agentcore::Limits;
/// use std::time::Duration;
///
/// // Behind a proxy that has read each request whole, and for few people.
/// let limits = Limits::default().headers(Duration::from_secs(5)).body(Duration::from_secs(5)).sockets(16);
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(super) headers: Duration,
    pub(super) body: Duration,
    pub(super) answer: Duration,
    pub(super) silence: Duration,
    pub(super) connections: usize,
    pub(super) sockets: Option<usize>,
    pub(super) memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(20),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            connections: CONNECTIONS,
            sockets: None,
            memory: MEMORY,
        }
    }
}

impl Limits {
    /// How long the headers of a request may take to come, from when the connection was made or the answer before was
    /// sent: 20 s. So long is a connection kept on which nothing is asked.
    #[must_use]
    pub fn headers(self, time: Duration) -> Self {
        Self { headers: time, ..self }
    }

    /// How long the body of a request may take to come whole: 30 s.
    #[must_use]
    pub fn body(self, time: Duration) -> Self {
        Self { body: time, ..self }
    }

    /// How long the other side may take nothing of what it is sent: 30 s.
    #[must_use]
    pub fn answer(self, time: Duration) -> Self {
        Self { answer: time, ..self }
    }

    /// How long the other side of a WebSocket may say nothing, not even in answer to pings: 60 s. It is pinged four times
    /// in that time.
    #[must_use]
    pub fn silence(self, time: Duration) -> Self {
        Self { silence: time, ..self }
    }

    /// The most connections that are open at once: 512, and never more than half of the files that the system allows, of
    /// which the store needs some too. A new one is always taken: what has asked for nothing longest gives way. A fourth
    /// of them may be at work.
    #[must_use]
    pub fn connections(self, most: usize) -> Self {
        Self { connections: most.max(1), ..self }
    }

    /// The most WebSockets that are open at once: an eighth of the connections. A new one takes the place of the one that
    /// has asked for nothing longest.
    #[must_use]
    pub fn sockets(self, most: usize) -> Self {
        Self { sockets: Some(most), ..self }
    }

    /// The connections that there may be, as far as the system allows.
    pub(super) fn most_connections(&self) -> usize {
        #[cfg(unix)]
        if let Some(files) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            let half = usize::try_from(files / 2).unwrap_or(usize::MAX);
            return self.connections.min(half.max(8));
        }
        self.connections
    }

    pub(super) fn most_sockets(&self) -> usize {
        self.sockets.unwrap_or_else(|| (self.most_connections() / 8).max(1))
    }
}
