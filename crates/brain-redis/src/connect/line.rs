//! A connection for many small commands at once, beside the driver's.
//!
//! The driver gives each command a future, a place in its queue and an answer of its own, which takes it several times what the server takes to look a key
//! up. Here commands are written one after the other into memory, and their answers are read where they arrived, part by part, by who asked. It is used for
//! nothing but reading, so a line that breaks, or is given up half way, is dropped, and another one asked again.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fred::error::{Error as DriverError, ErrorKind as DriverKind};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::Settings;

/// How much is read at once. What is longer has room made for it.
const ROOM: usize = 256 << 10;
/// The longest part of an answer that is believed: the server's own limit.
const LONGEST: usize = 512 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// A connection of its own to the server.
pub(crate) struct Line {
    stream: Box<dyn Stream>,
    /// What came, of which this range is not read yet.
    came: Vec<u8>,
    unread: Range<usize>,
    timeout: Duration,
}

/// A part of an answer, as it lies where it arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    /// No value.
    Nothing,
    /// A text, a number or bytes.
    Bytes(&'a [u8]),
    /// So many parts follow, which belong together.
    Several(usize),
    /// Why the server refuses.
    Refusal(&'a [u8]),
}

enum Kind {
    Nothing,
    Bytes,
    Several(usize),
    Refusal,
}

impl Line {
    /// Connects, and says who it is.
    ///
    /// # Errors
    /// What kept it from that: of the network, of TLS, or the server's words.
    pub(super) async fn connect(settings: &Settings, tls: Option<rustls::ClientConfig>) -> Result<Self, DriverError> {
        let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from(settings.host.clone()).map_err(|error| DriverError::new(DriverKind::Tls, error.to_string()))?;
                Box::new(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
            }
        };
        let mut line = Self { stream, came: Vec::new(), unread: 0..0, timeout: settings.command_timeout };
        let mut words: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &settings.password {
            words.extend([b"AUTH", settings.username.as_deref().unwrap_or("default").as_bytes(), password.as_bytes()]);
        }
        let mut hello = Vec::new();
        write(&mut hello, &words);
        line.send(&hello).await?;
        line.pass().await?;
        Ok(line)
    }

    /// Sends commands that were [written](write) before.
    pub(crate) async fn send(&mut self, commands: &[u8]) -> Result<(), DriverError> {
        in_time(self.timeout, async {
            self.stream.write_all(commands).await?;
            self.stream.flush().await
        })
        .await
    }

    /// The next part of an answer.
    pub(crate) async fn next(&mut self) -> Result<Part<'_>, DriverError> {
        let (kind, at) = loop {
            match parse(&self.came[self.unread.clone()]).map_err(|why| DriverError::new(DriverKind::Protocol, why))? {
                Parsed::Whole(kind, at, length) => {
                    let start = self.unread.start;
                    self.unread.start += length;
                    break (kind, start + at.start..start + at.end);
                }
                Parsed::Wants(length) => self.read(length).await?,
            }
        };
        let bytes = &self.came[at];
        Ok(match kind {
            Kind::Nothing => Part::Nothing,
            Kind::Bytes => Part::Bytes(bytes),
            Kind::Several(parts) => Part::Several(parts),
            Kind::Refusal => Part::Refusal(bytes),
        })
    }

    /// Passes over a whole answer.
    ///
    /// # Errors
    /// The server's words where it refuses.
    pub(crate) async fn pass(&mut self) -> Result<(), DriverError> {
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            match self.next().await? {
                Part::Several(parts) => left += parts,
                Part::Refusal(says) => return Err(refusal(says)),
                Part::Nothing | Part::Bytes(_) => {}
            }
        }
        Ok(())
    }

    /// Reads on, until there is something more, with room for `length` bytes that are not read yet.
    async fn read(&mut self, length: usize) -> Result<(), DriverError> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        if self.unread.start + length > self.came.len() {
            self.came.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            self.came.resize(self.came.len().max(length).max(ROOM), 0);
        }
        let room = &mut self.came[self.unread.end..];
        let count = in_time(self.timeout, self.stream.read(room)).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.unread.end += count;
        Ok(())
    }
}

async fn in_time<T>(timeout: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, DriverError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(DriverError::new(DriverKind::Timeout, "Request timed out.")),
    }
}

/// What the server refuses with, as the driver would give it.
pub(crate) fn refusal(says: &[u8]) -> DriverError {
    DriverError::new(DriverKind::Unknown, String::from_utf8_lossy(says).into_owned())
}

/// What came is no answer that was asked for.
pub(crate) fn not_understood() -> DriverError {
    DriverError::new(DriverKind::Protocol, "an answer of another kind than was asked for")
}

/// Writes a command as the server reads it.
pub(crate) fn write(out: &mut Vec<u8>, words: &[&[u8]]) {
    write_head(out, words.len());
    words.iter().for_each(|word| write_word(out, &[word]));
}

/// Writes that a command of so many words follows.
pub(crate) fn write_head(out: &mut Vec<u8>, words: usize) {
    write_number(out, b'*', words);
}

/// Writes a word, given in pieces.
pub(crate) fn write_word(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    write_number(out, b'$', pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(b"\r\n");
}

fn write_number(out: &mut Vec<u8>, kind: u8, number: usize) {
    use std::io::Write as _;
    out.push(kind);
    // Writing to memory does not fail.
    let _ = write!(out, "{number}\r\n");
}

enum Parsed {
    /// A part, where its bytes are, and how many there are with all that is around them.
    Whole(Kind, Range<usize>, usize),
    /// At least so many bytes are needed.
    Wants(usize),
}

/// Reads a part from the beginning of what came.
fn parse(came: &[u8]) -> Result<Parsed, &'static str> {
    // What begins an answer is short; only refusals are longer.
    let Some(end) = came.iter().position(|&byte| byte == b'\n') else { return Ok(Parsed::Wants(came.len() + 1)) };
    let line = came[..end].strip_suffix(b"\r").filter(|line| !line.is_empty()).ok_or("no answer of Redis")?;
    let whole = |kind| Ok(Parsed::Whole(kind, 1..line.len(), end + 1));
    let length = || match &line[1..] {
        b"-1" => Ok(None),
        digits => {
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            number.filter(|&length: &usize| length <= LONGEST).map(Some).ok_or("an answer without its length")
        }
    };
    match line[0] {
        b'+' | b':' | b',' | b'#' | b'(' => whole(Kind::Bytes),
        b'-' => whole(Kind::Refusal),
        b'_' => whole(Kind::Nothing),
        b'*' | b'~' => whole(length()?.map_or(Kind::Nothing, Kind::Several)),
        b'%' => whole(length()?.map_or(Kind::Nothing, |pairs| Kind::Several(2 * pairs))),
        kind @ (b'$' | b'!' | b'=') => {
            let Some(length) = length()? else { return whole(Kind::Nothing) };
            let (start, whole) = (end + 1, end + 1 + length + 2);
            if came.len() < whole {
                return Ok(Parsed::Wants(whole));
            }
            let kind = if kind == b'!' { Kind::Refusal } else { Kind::Bytes };
            Ok(Parsed::Whole(kind, start..start + length, whole))
        }
        _ => Err("no answer of Redis"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line whose server says this, a few bytes at a time.
    fn hears(answers: &'static [u8], at_once: usize) -> Line {
        let (ours, mut theirs) = tokio::io::duplex(at_once);
        tokio::spawn(async move { theirs.write_all(answers).await });
        Line { stream: Box::new(ours), came: Vec::new(), unread: 0..0, timeout: Duration::from_secs(5) }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn answers_are_read_wherever_they_are_cut() {
        run(async {
            for at_once in [1, 2, 3, 7, 1_000] {
                let mut line = hears(b"*2\r\n$4\r\na\r\nb\r\n_\r\n:7\r\n$-1\r\n-ERR no\r\n%1\r\n+a\r\n,0.5\r\n", at_once);
                for expected in [Part::Several(2), Part::Bytes(b"a\r\nb"), Part::Nothing, Part::Bytes(b"7"), Part::Nothing, Part::Refusal(b"ERR no")]
                {
                    assert_eq!(line.next().await.unwrap(), expected);
                }
                line.pass().await.unwrap();
                let error = line.next().await.unwrap_err();
                assert_eq!(error.kind(), &DriverKind::IO, "a server that is gone: {error:?}");
            }
        });
    }

    #[test]
    fn what_is_no_answer_is_an_error_at_once() {
        run(async {
            for answer in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\r\n", b"$x\r\n", b"*99999999999999\r\n", b"$-2\r\n"] {
                assert_eq!(hears(answer, 64).next().await.unwrap_err().kind(), &DriverKind::Protocol, "{answer:?}");
            }
        });
    }

    #[test]
    fn commands_carry_any_bytes() {
        let mut out = Vec::new();
        write(&mut out, &[b"GET", b"\r\n\0"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\n\r\n\0\r\n");
    }
}
