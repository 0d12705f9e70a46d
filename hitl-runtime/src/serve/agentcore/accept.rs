//! Accepting connections, and serving each.
//!
//! It is done here and not by `axum::serve`, which takes any number of connections and gives each all the time it wants.
//! They are accepted on a thread of their own, which does nothing else: what waits to be accepted waits in a line, a ping
//! behind all that came before it, and that line is short.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinSet,
};

use super::{
    arrivals::{Arrivals, Arrived},
    connections::Connections,
    converse::Conversation,
    limits::Limits,
};

/// How many connections may wait to be accepted: whoever finds no place asks again only after a second.
#[cfg(unix)]
const BACKLOG: i32 = 1024;

/// So many new connections are looked at before those that are there are again.
const AT_ONCE: u32 = 16;

/// How long nothing is accepted after something could not be.
const PAUSE: Duration = Duration::from_millis(5);

/// Serves until it is stopped, and what is under way by then to its end.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    connections: Arc<Connections>,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    #[cfg(unix)]
    rustix::net::listen(&listener, BACKLOG)?;
    let arrivals = Arc::<Arrivals>::default();
    let (end, ended) = oneshot::channel();
    let (ending, mut accepting) = oneshot::channel();
    let came = Arc::clone(&arrivals);
    std::thread::Builder::new().name("agentcore-accept".to_owned()).spawn(move || {
        let _ = ending.send(accept(listener, &connections, &came, ended));
    })?;
    let (stopping, stopped) = watch::channel(false);
    let conversation =
        || Conversation { router: router.clone(), limits: limits.clone(), stopped: stopped.clone() };
    let mut serving = JoinSet::new();
    let mut stop = pin!(stop);
    let mut looked_at = 0;
    loop {
        while serving.try_join_next().is_some() {}
        let arrived = tokio::select! {
            biased;
            () = &mut stop => break,
            // Nobody is accepted any more, so nobody is served.
            ended = &mut accepting => {
                return ended.unwrap_or_else(|_| Err(io::Error::other("the thread that accepts connections panicked")));
            }
            arrived = arrivals.next() => arrived,
        };
        serving.spawn(conversation().hold(arrived));
        looked_at += 1;
        if looked_at % AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(end);
    let _ = accepting.await;
    while let Some(arrived) = arrivals.pop() {
        serving.spawn(conversation().hold(arrived));
    }
    let _ = stopping.send(true);
    while serving.join_next().await.is_some() {}
    Ok(())
}

/// Accepts connections on this thread until it is told to end.
fn accept(
    listener: std::net::TcpListener,
    connections: &Arc<Connections>,
    arrivals: &Arrivals,
    mut ended: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = &mut ended => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => arrivals.push(Arrived { stream, connection: connections.enter() }),
                Err(error) => {
                    tracing::debug!("no connection was accepted: {error}");
                    // When the system has no more files for us, one of ours is spared.
                    if is_full(&error) {
                        connections.make_room();
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

/// Whether too many files are open.
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
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::{super::connections::Doing, *};

    #[tokio::test]
    async fn nothing_is_set_up_for_half_a_head_and_a_ping_gets_in() {
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
        // All places are taken, and only the ping's has a parser, a router and a buffer.
        assert_eq!((connections.doing(Doing::Arriving), connections.doing(Doing::Waiting)), (7, 1));
        // The oldest gave way, and is told so by the end of its connection.
        assert_eq!(half_open[0].read(&mut answer).await.unwrap_or(0), 0);
        // A head that comes whole later is answered as well.
        let last = half_open.last_mut().unwrap();
        last.write_all(b"x\r\n\r\n").await.unwrap();
        last.read_exact(&mut answer).await.unwrap();
        assert_eq!((connections.doing(Doing::Arriving), connections.doing(Doing::Waiting)), (6, 2));
        drop(stop);
        serving.await.unwrap().unwrap();
    }
}
