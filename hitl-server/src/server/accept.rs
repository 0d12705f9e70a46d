//! The accept loop, and the task that serves each connection.
//!
//! It replaces `axum::serve`, which limits neither the number of connections nor the time that each may take. A
//! dedicated thread accepts connections and hands each one on once the head of its first request is complete. A
//! thousand connections that never get that far cost the thread that answers requests nothing, and the accepting thread
//! one read and one timer each.

use std::{
    io::{self, Read as _},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    connection_handler::{ConnectionHandler, PendingConnection},
    connections::Connections,
    limits::Limits,
    request_head,
};

/// The backlog of `listen(2)`: a client that finds it full retries its SYN only after a second.
#[cfg(unix)]
const BACKLOG: i32 = 4096;

/// The number of connections accepted in a row before the runtime polls the existing ones again.
const ACCEPTS_PER_YIELD: u32 = 16;

/// The pause after a failed `accept`.
const RETRY_DELAY: Duration = Duration::from_millis(5);

/// Serves until `stop` resolves, then completes the requests in flight.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    connections: Arc<Connections>,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    #[cfg(unix)]
    rustix::net::listen(&listener, BACKLOG)?;
    // Unbounded, but it never holds more items than there are connections.
    let (hand_on, mut pending) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    let (ending, mut accepting) = oneshot::channel();
    let acceptor = Acceptor { connections, head_timeout: limits.headers, hand_on };
    std::thread::Builder::new().name("hitl-accept".to_owned()).spawn(move || {
        let _ = ending.send(acceptor.run(listener, ended));
    })?;
    let (stopping, stopped) = watch::channel(false);
    let handler =
        || ConnectionHandler { router: router.clone(), limits: limits.clone(), stopped: stopped.clone() };
    let mut serving = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        while serving.try_join_next().is_some() {}
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(pending) = pending.recv() => drop(serving.spawn(handler().serve(pending))),
            // The accept loop has ended, so no new connections arrive.
            ended = &mut accepting => {
                return ended.unwrap_or_else(|_| Err(io::Error::other("the thread that accepts connections panicked")));
            }
        }
    }
    drop(end);
    let _ = accepting.await;
    while let Ok(pending) = pending.try_recv() {
        serving.spawn(handler().serve(pending));
    }
    let _ = stopping.send(true);
    while serving.join_next().await.is_some() {}
    Ok(())
}

/// The accept loop, which holds each connection until the head of its first request is complete.
struct Acceptor {
    connections: Arc<Connections>,
    /// The maximum time for the head of the first request.
    head_timeout: Duration,
    hand_on: mpsc::UnboundedSender<PendingConnection>,
}

impl Acceptor {
    /// Accepts connections on the current thread until `ended` resolves.
    fn run(self, listener: std::net::TcpListener, mut ended: oneshot::Receiver<()>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let mut incomplete = JoinSet::new();
            let mut accepted_in_a_row = 0;
            loop {
                while incomplete.try_join_next().is_some() {}
                let accepted = tokio::select! {
                    biased;
                    _ = &mut ended => return Ok(()),
                    accepted = listener.accept() => accepted,
                };
                match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => {
                        let connection = self.connections.register();
                        let head = read_available(&stream);
                        let pending = PendingConnection { stream, connection, head };
                        if request_head::is_complete(&pending.head) {
                            self.hand_on(pending);
                        } else {
                            incomplete.spawn(read_head(pending, self.head_timeout, self.hand_on.clone()));
                        }
                    }
                    Err(error) => {
                        tracing::debug!("accept failed: {error}");
                        // Out of file descriptors: close one of our connections to free one.
                        if is_full(&error) {
                            self.connections.evict_one();
                        }
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
                accepted_in_a_row += 1;
                if accepted_in_a_row % ACCEPTS_PER_YIELD == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    }

    fn hand_on(&self, pending: PendingConnection) {
        pending.connection.head_received();
        // The receiver is dropped only when the server ends.
        let _ = self.hand_on.send(pending);
    }
}

/// Waits until the head of a connection's first request is complete, and hands the connection on.
async fn read_head(
    pending: PendingConnection,
    head_timeout: Duration,
    hand_on: mpsc::UnboundedSender<PendingConnection>,
) {
    let PendingConnection { stream, connection, head } = pending;
    tokio::select! {
        // First, so that a connection that is closed before it is polled costs nothing.
        biased;
        () = connection.closed() => {}
        head = timeout(head_timeout, head_of(stream, head)) => {
            // I/O errors and timeouts are caused by the client and are not logged.
            if let Ok(Ok((stream, head))) = head && !head.is_empty() {
                connection.head_received();
                let _ = hand_on.send(PendingConnection { stream, connection: Arc::clone(&connection), head });
            }
        }
    }
}

async fn head_of(stream: std::net::TcpStream, head: Vec<u8>) -> io::Result<(std::net::TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::from_std(stream)?;
    let head = request_head::read(&mut stream, head).await?;
    Ok((stream.into_std()?, head))
}

/// Returns the bytes that have already arrived, which for most clients is the whole head; empty if there are none.
fn read_available(mut stream: &std::net::TcpStream) -> Vec<u8> {
    let mut buffer = [0; 2048];
    // The socket is non-blocking. An error on it shows up again at the next read.
    let count = stream.read(&mut buffer).unwrap_or(0);
    buffer.get(..count).unwrap_or_default().to_vec()
}

/// Returns whether `accept` failed because too many files are open.
fn is_full(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let number = error.raw_os_error();
        [Errno::MFILE, Errno::NFILE].iter().any(|full| number == Some(full.raw_os_error()))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        true
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::connections::ConnectionState, *};

    #[tokio::test]
    async fn an_incomplete_head_allocates_nothing_and_a_ping_is_answered() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits::default().connections(8);
        let connections = Connections::new(&limits);
        let (stop, stopped) = oneshot::channel::<()>();
        let all = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            let router = Router::new().route("/ping", get(async || "pong"));
            serve(listener, router, all, &limits, async { drop(stopped.await) }).await
        });
        let mut half_open = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
            half_open.push(stream);
        }
        let mut ping = TcpStream::connect(address).await.unwrap();
        ping.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        ping.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        // No further connection is accepted, and only the ping's connection has a parser, a router and a buffer.
        assert_eq!(
            (connections.count_in(ConnectionState::ReadingHead), connections.count_in(ConnectionState::Idle)),
            (7, 1)
        );
        // The oldest connection was closed, and its client sees end of file.
        assert_eq!(half_open[0].read(&mut answer).await.unwrap_or(0), 0);
        // A head that is completed later is answered too.
        let last = half_open.last_mut().unwrap();
        last.write_all(b"x\r\n\r\n").await.unwrap();
        last.read_exact(&mut answer).await.unwrap();
        assert_eq!(
            (connections.count_in(ConnectionState::ReadingHead), connections.count_in(ConnectionState::Idle)),
            (6, 2)
        );
        drop(stop);
        serving.await.unwrap().unwrap();
    }
}
