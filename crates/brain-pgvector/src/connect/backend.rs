//! Whether a connection leads to one backend process of the server, or to a pooler that lends another one to every transaction.
//!
//! Behind a pooler in transaction mode a prepared statement or a `SET` stays on a backend that someone else gets next. Nothing in the protocol says that
//! there is a pooler, but each side of it knows another process: at connect the client is told the id of "its" process, for requests to cancel, and
//! `pg_backend_pid()` is the one that really answers. A pooler makes up the first. (Comparing network addresses would do too, and would take every
//! container with a published port for a pooler.)

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, Error};

/// The process id that the client was told at connect. The driver shows it nowhere but in its request to cancel, which goes to a pipe here.
///
/// # Errors
/// What the driver could not write; it does not happen.
pub(super) async fn announced(token: &CancelToken) -> Result<i32, Error> {
    let (client, mut server) = tokio::io::duplex(64);
    let read = async {
        // A request is its length, a code, and what the code asks for.
        word(&mut server).await?;
        if word(&mut server).await? == SSL_REQUEST {
            server.write_all(b"S").await?;
            word(&mut server).await?;
            word(&mut server).await?;
        }
        word(&mut server).await
    };
    let (written, read) = future::join(token.cancel_query_raw(client, Pipe), read).await;
    written?;
    // Zero is no process's id: what could not be read counts as a pooler.
    Ok(read.unwrap_or(0))
}

async fn word(server: &mut DuplexStream) -> io::Result<i32> {
    let mut bytes = [0; 4];
    server.read_exact(&mut bytes).await?;
    Ok(i32::from_be_bytes(bytes))
}

/// The code of a request for TLS, which the driver sends first where the connection has it.
const SSL_REQUEST: i32 = 80_877_103;

/// What stands in for TLS on the pipe: nothing.
struct Pipe;

impl TlsConnect<DuplexStream> for Pipe {
    type Stream = Plain;
    type Error = Infallible;
    type Future = Ready<Result<Plain, Infallible>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Plain(stream)))
    }
}

struct Plain(DuplexStream);

impl TlsStream for Plain {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Plain {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
