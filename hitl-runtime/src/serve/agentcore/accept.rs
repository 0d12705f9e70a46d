//! Accepting connections, and serving each.
//!
//! It is done here and not by `axum::serve`, which takes any number of connections and gives each all the time it wants.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{
    connections::{Connection, Connections},
    stall::Stalling,
};

/// How long the headers of a request may take to come, from when the connection was made or the answer before was sent.
const HEADERS: Duration = Duration::from_secs(20);

/// How long the other side may take nothing of what it is sent.
const STALL: Duration = Duration::from_secs(30);

/// How long a connection on which nothing is asked is kept once the server is to stop.
const LEAVE: Duration = Duration::from_secs(1);

/// How many connections may wait to be accepted: a ping waits behind them, and whoever finds no place asks
/// again only after a second.
#[cfg(unix)]
const BACKLOG: i32 = 1024;

/// The most bytes of a request's headers, all together.
const LARGEST_HEAD: usize = 64 * 1024;

/// Serves until it is stopped, and what is under way by then to its end.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    #[cfg(unix)]
    rustix::net::listen(&listener, BACKLOG)?;
    let listener = TcpListener::from_std(listener)?;
    let connections = Connections::new();
    let (stopping, stopped) = watch::channel(false);
    let mut serving = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = serving.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connections.enter();
                serving.spawn(converse(stream, router.clone(), connection, stopped.clone()));
            }
            Err(error) => {
                tracing::debug!("no connection was accepted: {error}");
                // When the system has no more files for us, one of ours is spared.
                if !(is_full(&error) && connections.make_room()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        // Whoever was cut lets its socket go.
        tokio::task::yield_now().await;
    }
    drop(listener);
    let _ = stopping.send(true);
    while serving.join_next().await.is_some() {}
    Ok(())
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

async fn converse(
    stream: TcpStream,
    router: Router,
    connection: Arc<Connection>,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Stalling::new(stream, STALL));
    let (router, on) = (TowerToHyperService::new(router), Arc::clone(&connection));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&on));
        router.call(request)
    });
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_header_size(LARGEST_HEAD)
            .serve_connection(io, service)
            .with_upgrades()
    );
    // Why a connection ends is its client's affair.
    tokio::select! {
        // First, so that one that is cut before it was looked at costs nothing.
        biased;
        () = connection.cut() => return,
        _ = &mut serving => return,
        _ = stopped.wait_for(|stopped| *stopped) => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = &mut serving => {}
        () = idle(&connection) => {}
    }
}

/// Waits until a connection has been asked nothing for a while.
async fn idle(connection: &Connection) {
    loop {
        tokio::time::sleep(LEAVE).await;
        if connection.is_waiting() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    /// A client of a server that runs until the test ends. Time stands still but for its timers, so nothing waits.
    async fn client_of(router: Router) -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, std::future::pending()));
        TcpStream::connect(address).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_do_not_come_whole_end_the_connection() {
        let mut client = client_of(Router::new()).await;
        client.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        let (begun, mut said) = (Instant::now(), Vec::new());
        let ended = tokio::time::timeout(2 * HEADERS, client.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "it is open after {:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        const LONG: usize = 64 * 1024 * 1024;
        let router = Router::new().fallback(async || vec![b'x'; LONG]);
        let mut client = client_of(router).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        // What the system buffers is taken all the same.
        tokio::time::sleep(3 * STALL).await;
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said).await;
        assert!(said.len() < LONG, "{}", said.len());
    }
}
