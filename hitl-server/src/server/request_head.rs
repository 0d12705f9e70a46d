//! Reading the head of a connection's first request, before anything else is allocated for the connection.
//!
//! A client that opens a thousand connections and sends half a head on each costs this thread one read and one timer
//! per connection, but no parser, buffer or router. Other requests, such as a ping, wait only for that.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// The maximum size of a head in bytes. A longer one is handed on as it is, and the HTTP parser rejects it.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// Reads until the head of a request is complete, or until the bytes cannot become one. Returns all bytes read,
/// including those in `read`; empty if the peer closed the connection.
///
/// # Errors
/// Those of the stream.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S, mut read: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut scanned = 0;
    while !is_enough(&read, scanned) {
        // The last read may have ended within a line ending.
        scanned = read.len().saturating_sub(2);
        if stream.read_buf(&mut read).await? == 0 {
            break;
        }
    }
    Ok(read)
}

/// Returns whether the head of a request is complete.
pub(crate) fn is_complete(read: &[u8]) -> bool {
    ends(read, 0)
}

fn is_enough(read: &[u8], scanned: usize) -> bool {
    ends(read, scanned) || read.len() >= MAX_BYTES || !may_be_http(read)
}

/// Returns whether there is an empty line at or after an offset. Those before the first line are skipped (RFC 9112,
/// section 2.2).
fn ends(read: &[u8], from: usize) -> bool {
    let begins = read.iter().position(|byte| !is_line_end(*byte)).unwrap_or(read.len());
    let rest = read.get(from.max(begins)..).unwrap_or_default();
    rest.iter().enumerate().any(|(at, byte)| {
        *byte == b'\n' && matches!(rest.get(at + 1..), Some([b'\n', ..] | [b'\r', b'\n', ..]))
    })
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Returns whether the bytes may begin a method. Others, such as a TLS hello, are not HTTP and are rejected at once.
fn may_be_http(read: &[u8]) -> bool {
    read.iter().find(|byte| !is_line_end(**byte)).is_none_or(u8::is_ascii_alphabetic)
}

/// A stream whose beginning has already been read.
pub(crate) struct PrefixedStream<S> {
    read: io::Cursor<Vec<u8>>,
    inner: S,
}

impl<S> PrefixedStream<S> {
    pub(crate) fn new(read: Vec<u8>, inner: S) -> Self {
        Self { read: io::Cursor::new(read), inner }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefixedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = usize::try_from(self.read.position())
            .ok()
            .and_then(|at| self.read.get_ref().get(at..))
            .filter(|left| !left.is_empty());
        let Some(left) = left else { return Pin::new(&mut self.inner).poll_read(cx, buffer) };
        let taken = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..taken]);
        if taken == left.len() {
            // The buffer is no longer needed, and a connection may be long-lived.
            self.read = io::Cursor::default();
        } else {
            let at = self.read.position() + taken as u64;
            self.read.set_position(at);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefixedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Returns the bytes handed on after these pieces have arrived; `None` if the head is still incomplete.
    async fn head_after(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut here, mut there) = tokio::io::duplex(2 * MAX_BYTES);
        let mut reading = Box::pin(read(&mut here, Vec::new()));
        let mut handed = None;
        for piece in pieces {
            there.write_all(piece).await.unwrap();
            handed = reading.as_mut().now_or_never().map(Result::unwrap);
        }
        handed
    }

    #[tokio::test]
    async fn only_a_complete_head_is_handed_on() {
        let long = vec![b'x'; MAX_BYTES];
        for (pieces, is_handed_on) in [
            (&[&b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"[..]][..], true),
            (&[b"GET /ping HTTP/1.1\r\nHost: a\r\n", b"\r\n"], true),
            (&[b"GET /ping HTTP/1.1\r\nHost: a\r\n\r", b"\n"], true),
            (&[b"GET /ping HTTP/1.1\nHost: a\n", b"\n"], true),
            (&[b"\r\n\r\nGET / HTTP/1.1\r\n\r\nrest"], true),
            (&[b"POST / HTTP/1.1\r\nHost: a\r\nX-Slow: "], false),
            (&[b"G", b"E", b"T", b" "], false),
            (&[b"\r\n\r\n"], false),
            (&[b"\r\n\r\nGET / HTTP/1.1\r\n"], false),
            // These can never become a complete head within the limit.
            (&[b"\x16\x03\x01"], true),
            (&[b"POST / HTTP/1.1\r\nX: ", &long], true),
        ] {
            let (sent, handed) = (pieces.concat(), head_after(pieces).await);
            let shown = sent[..sent.len().min(40)].escape_ascii();
            assert_eq!(handed.is_some(), is_handed_on, "{shown}");
            // All bytes that arrived, or at least as many as are examined.
            assert!(handed.is_none_or(|handed| handed == sent || handed.len() >= MAX_BYTES), "{shown}");
        }
    }

    #[tokio::test]
    async fn the_prefix_is_read_before_the_stream() {
        let (here, mut there) = tokio::io::duplex(64);
        there.write_all(b" world").await.unwrap();
        drop(there);
        let mut stream = PrefixedStream::new(b"hello".to_vec(), here);
        let mut two = [0; 2];
        stream.read_exact(&mut two).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&two, rest.as_str()), (b"he", "llo world"));
    }
}
