//! A connection for many small commands at once, beside the driver's.
//!
//! The driver gives each command a future, a place in its queue and an answer of its own, which takes it several times what the server takes to look a key
//! up. Here commands are written one after the other into memory, and their answers are read where they arrived, part by part, by who asked. A line that
//! breaks, or is given up half way, is dropped: what was asked is asked of another one, and what was written is written again by who knows that it may be.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fred::error::{Error as DriverError, ErrorKind as DriverKind};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
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

    /// Sends commands that were [written](write()) before, and takes in what comes meanwhile: who is not listened to might not listen either.
    pub(crate) async fn send(&mut self, commands: &[u8]) -> Result<(), DriverError> {
        let mut left = commands;
        loop {
            self.make_room(self.unread.len() + 1);
            match in_time(self.timeout, poll_fn(|context| self.poll_move(context, left))).await? {
                Moved::All => return Ok(()),
                Moved::Out(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Moved::Out(count) => left = &left[count..],
                Moved::In(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Moved::In(count) => self.unread.end += count,
            }
        }
    }

    /// Moves what can be moved, out first.
    fn poll_move(&mut self, context: &mut Context<'_>, left: &[u8]) -> Poll<io::Result<Moved>> {
        let mut stream = Pin::new(&mut *self.stream);
        let out = if left.is_empty() {
            stream.as_mut().poll_flush(context).map_ok(|()| Moved::All)
        } else {
            stream.as_mut().poll_write(context, left).map_ok(Moved::Out)
        };
        if out.is_ready() {
            return out;
        }
        let mut room = ReadBuf::new(&mut self.came[self.unread.end..]);
        stream.poll_read(context, &mut room).map_ok(|()| Moved::In(room.filled().len()))
    }

    /// Sends a transaction of so many commands, from its MULTI to its EXEC; their results follow.
    ///
    /// # Errors
    /// Why nothing was done, or that nobody knows whether it was.
    pub(crate) async fn transact(&mut self, transaction: [&[u8]; 2], commands: usize) -> Result<(), DriverError> {
        for part in transaction {
            self.send(part).await?;
        }
        for _ in 0..=commands {
            // What is refused before the transaction begins says why; its end would say only that it was.
            if let Part::Refusal(says) = self.next().await? {
                return Err(refusal(says));
            }
        }
        match self.next().await? {
            Part::Several(results) if results == commands => Ok(()),
            Part::Refusal(says) => Err(refusal(says)),
            _ => Err(not_understood()),
        }
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

    /// Makes room for `length` bytes that are not read yet.
    fn make_room(&mut self, length: usize) {
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        if self.unread.start + length > self.came.len() {
            self.came.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if length > self.came.len() {
                self.came.resize(length.max(self.came.len() + ROOM), 0);
            }
        }
    }

    /// Reads on, until there is something more, with room for `length` bytes that are not read yet.
    async fn read(&mut self, length: usize) -> Result<(), DriverError> {
        self.make_room(length);
        let room = &mut self.came[self.unread.end..];
        let count = in_time(self.timeout, self.stream.read(room)).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.unread.end += count;
        Ok(())
    }
}

/// What a step of sending moved: so many bytes, or all there were.
enum Moved {
    All,
    Out(usize),
    In(usize),
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

/// Writes a word of so many bytes, which `fill` appends.
pub(crate) fn write_long_word(out: &mut Vec<u8>, length: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    write_number(out, b'$', length);
    let start = out.len();
    fill(out);
    debug_assert_eq!(out.len() - start, length, "a word is as long as it says");
    out.extend_from_slice(b"\r\n");
}

/// Writes a word, given in pieces.
pub(crate) fn write_word(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    write_long_word(out, length, |out| pieces.iter().for_each(|piece| out.extend_from_slice(piece)));
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
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// A line whose server says this, a few bytes at a time.
    fn hears(answers: &'static [u8], at_once: usize) -> Line {
        let (ours, mut theirs) = tokio::io::duplex(at_once);
        tokio::spawn(async move { theirs.write_all(answers).await });
        line_of(ours)
    }

    fn line_of(ours: tokio::io::DuplexStream) -> Line {
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
    fn a_server_that_answers_before_it_has_heard_all_is_listened_to() {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let server = tokio::spawn(async move {
                theirs.write_all(&b"+QUEUED\r\n".repeat(100_000)).await.unwrap();
                let mut heard = Vec::new();
                theirs.read_to_end(&mut heard).await.unwrap();
                heard.len()
            });
            let mut line = line_of(ours);
            line.send(&[0; 1_000]).await.unwrap();
            for _ in 0..100_000 {
                assert_eq!(line.next().await.unwrap(), Part::Bytes(b"QUEUED"));
            }
            drop(line);
            assert_eq!(server.await.unwrap(), 1_000);
        });
    }

    #[test]
    fn a_transaction_says_why_it_was_refused() {
        run(async {
            for (answers, expected) in [
                (&b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:0\r\n"[..], Ok(())),
                (b"+OK\r\n+QUEUED\r\n-OOM no room\r\n-EXECABORT it was discarded\r\n", Err("OOM no room")),
                (b"+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT it was discarded\r\n", Err("EXECABORT it was discarded")),
                (b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n:1\r\n", Err("an answer of another kind than was asked for")),
            ] {
                let mut line = hears(answers, 1_000);
                let done = line.transact([b"", b""], 2).await.map_err(|error| error.details().to_owned());
                assert_eq!(done, expected.map_err(str::to_owned));
                if done.is_ok() {
                    assert_eq!(line.next().await.unwrap(), Part::Bytes(b"1"));
                }
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
