//! Limits on the resources and time that clients may take.

use std::time::Duration;

/// The default maximum of open connections; the limit on open files must be at least twice that.
const CONNECTIONS: usize = 512;

/// The default time after which a request for a sweep is answered.
const SWEEP: Duration = Duration::from_secs(60);

/// The default maximum of bytes that all requests together may take in memory, from reading to the end of their
/// execution.
const MEMORY: usize = 256 * 1024 * 1024;

/// Limits on the resources that clients may take, and timeouts for each of them.
///
/// ```
/// use hitl::agentcore::Limits;
/// use std::time::Duration;
///
/// // Behind a proxy that buffers each request, and with few users.
/// let limits = Limits::default().headers(Duration::from_secs(5)).body(Duration::from_secs(5)).sockets(16);
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) headers: Duration,
    pub(crate) body: Duration,
    pub(crate) response: Duration,
    pub(crate) silence: Duration,
    pub(crate) sweep: Duration,
    pub(crate) connections: usize,
    pub(crate) sockets: Option<usize>,
    pub(crate) memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(20),
            body: Duration::from_secs(30),
            response: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            sweep: SWEEP,
            connections: CONNECTIONS,
            sockets: None,
            memory: MEMORY,
        }
    }
}

impl Limits {
    /// Sets the time in which the head of a request must arrive, counted from the connection or from the end of the
    /// previous response: 20 s by default. It is also the time for which an idle connection is kept open.
    #[must_use]
    pub fn headers(self, time: Duration) -> Self {
        Self { headers: time, ..self }
    }

    /// Sets the time in which the body of a request must arrive: 30 s by default.
    #[must_use]
    pub fn body(self, time: Duration) -> Self {
        Self { body: time, ..self }
    }

    /// Sets the time after which a client that reads nothing of its response is disconnected: 30 s by default.
    #[must_use]
    pub fn response(self, time: Duration) -> Self {
        Self { response: time, ..self }
    }

    /// Sets the time after which a WebSocket whose peer sends nothing, not even pongs, is closed: 60 s by default. The
    /// server sends four pings in that time.
    #[must_use]
    pub fn silence(self, time: Duration) -> Self {
        Self { silence: time, ..self }
    }

    /// Sets the time after which a request for a `sweep` is answered, even if threads are still running: 60 s by default.
    /// The response then has `"more": true`, the threads that have begun go on, and the next sweep finds the others.
    #[must_use]
    pub fn sweep(self, time: Duration) -> Self {
        Self { sweep: time, ..self }
    }

    /// Sets the maximum of open connections: 512 by default, and never more than half of the open files that the system
    /// allows, because the store needs some too. A new connection is always accepted: the one that has been idle the
    /// longest is closed. At most a quarter of the connections may have a request in execution.
    #[must_use]
    pub fn connections(self, most: usize) -> Self {
        Self { connections: most.max(1), ..self }
    }

    /// Sets the maximum of open WebSockets: by default an eighth of the connections. A new one replaces the one that
    /// has been idle the longest.
    #[must_use]
    pub fn sockets(self, most: usize) -> Self {
        Self { sockets: Some(most), ..self }
    }

    /// Returns the maximum of connections, as far as the system allows.
    pub(crate) fn max_connections(&self) -> usize {
        #[cfg(unix)]
        if let Some(files) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            let half = usize::try_from(files / 2).unwrap_or(usize::MAX);
            return self.connections.min(half.max(8));
        }
        self.connections
    }

    pub(crate) fn max_websockets(&self) -> usize {
        self.sockets.unwrap_or_else(|| (self.max_connections() / 8).max(1))
    }
}
