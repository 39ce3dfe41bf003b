//! A Redis client of a few lines, for what tests and floors do beside the product's own client: words of any bytes, answers as they come.
//!
//! It blocks, and speaks RESP2: what a server says there is what it has always said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::services::Server;

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A status, such as `OK`.
    Status(String),
    /// A refusal, from its first word on.
    Refusal(String),
    /// A whole number.
    Number(i64),
    /// A value.
    Bytes(Vec<u8>),
    /// Several.
    List(Vec<Answer>),
    /// No value.
    Nothing,
}

/// Writes a command as the server reads it.
pub fn write_command(out: &mut Vec<u8>, words: &[impl AsRef<[u8]>]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.as_ref().len()).as_bytes());
        out.extend_from_slice(word.as_ref());
        out.extend_from_slice(b"\r\n");
    }
}

impl Client {
    /// Connects, and says who it is.
    ///
    /// # Panics
    /// Where the server is not there or does not let it in; so do all functions here where the connection breaks.
    pub fn connect(server: &Server) -> Self {
        assert!(server.tls.is_none(), "this client speaks no TLS");
        let stream = TcpStream::connect((server.host.as_str(), server.port)).unwrap_or_else(|error| panic!("{error}; {server:?}"));
        stream.set_nodelay(true).unwrap();
        let answers = BufReader::with_capacity(256 << 10, stream.try_clone().unwrap());
        let mut client = Self { stream, answers };
        if !server.password.is_empty() {
            client.run(&["AUTH", &server.user, &server.password]);
        }
        client
    }

    /// Does a command that succeeds.
    ///
    /// # Panics
    /// With the server's words where it refuses.
    pub fn run(&mut self, words: &[impl AsRef<[u8]>]) -> Answer {
        match self.ask(words) {
            Answer::Refusal(words_of_server) => panic!("{}: {words_of_server}", String::from_utf8_lossy(words[0].as_ref())),
            answer => answer,
        }
    }

    /// Does a command written as text with blanks between its words.
    pub fn say(&mut self, command: &str) -> Answer {
        self.run(&command.split_ascii_whitespace().collect::<Vec<_>>())
    }

    /// What the server answers to a command, a refusal included.
    pub fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Answer {
        let mut out = Vec::new();
        write_command(&mut out, words);
        self.send(&out);
        self.read()
    }

    /// Sends commands that were [written](write_command) before.
    pub fn send(&mut self, commands: &[u8]) {
        self.stream.write_all(commands).unwrap();
    }

    /// The next answer.
    pub fn read(&mut self) -> Answer {
        let (kind, line) = self.line();
        let number = || line.parse::<i64>().unwrap();
        match kind {
            b'+' => Answer::Status(line),
            b'-' => Answer::Refusal(line),
            b':' => Answer::Number(number()),
            b'$' if number() < 0 => Answer::Nothing,
            b'$' => {
                let mut bytes = vec![0; number() as usize + 2];
                self.answers.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Answer::Bytes(bytes)
            }
            b'*' if number() < 0 => Answer::Nothing,
            b'*' => Answer::List((0..number()).map(|_| self.read()).collect()),
            other => panic!("the server begins an answer with {other}"),
        }
    }

    /// Passes over answers, of which none is a refusal, and keeps nothing of them; how many bytes of values there were.
    pub fn skip(&mut self, answers: usize) -> usize {
        let (mut left, mut bytes) = (answers, 0);
        while left > 0 {
            let (kind, line) = self.line();
            left -= 1;
            match (kind, line.parse::<i64>()) {
                (b'$', Ok(length)) if length >= 0 => {
                    bytes += length as usize;
                    self.pass(length as usize + 2);
                }
                (b'*', Ok(length)) => left += length.max(0) as usize,
                (b'-', _) => panic!("{line}"),
                _ => {}
            }
        }
        bytes
    }

    fn pass(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let there = self.answers.fill_buf().unwrap().len().min(bytes);
            assert!(there > 0, "the server closed the connection");
            self.answers.consume(there);
            bytes -= there;
        }
    }

    fn line(&mut self) -> (u8, String) {
        let mut line = Vec::new();
        self.answers.read_until(b'\n', &mut line).unwrap();
        assert!(line.len() > 2, "the server closed the connection");
        line.truncate(line.len() - 2);
        let kind = line.remove(0);
        (kind, String::from_utf8_lossy(&line).into_owned())
    }
}

impl Answer {
    /// The parts of a list; none of anything else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(parts) => parts,
            _ => &[],
        }
    }

    /// The answer as text, whatever it is written as; empty for a list or nothing.
    pub fn text(&self) -> String {
        match self {
            Self::Status(text) | Self::Refusal(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(_) | Self::Nothing => String::new(),
        }
    }

    /// The answer as a number.
    ///
    /// # Panics
    /// Where it is none.
    pub fn number(&self) -> f64 {
        self.text().parse().unwrap_or_else(|_| panic!("{self:?} is no number"))
    }

    /// What follows a name in a list of names and values, such as `FT.INFO` gives.
    pub fn named(&self, name: &str) -> Option<&Self> {
        self.list().chunks_exact(2).find(|pair| pair[0].text() == name).map(|pair| &pair[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_carry_any_bytes() {
        let mut out = Vec::new();
        write_command(&mut out, &[b"SET".as_slice(), b"k", b"\r\n\0"]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\0\r\n");
    }

    #[test]
    fn answers_of_every_kind_are_read_and_passed_over() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = b"+OK\r\n:-7\r\n$3\r\n\r\n\0\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n";
        std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            [0; 3].iter().for_each(|_| stream.write_all(answers).unwrap());
            stream.write_all(b"-ERR no\r\n").unwrap();
        });
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut client = Client { answers: BufReader::new(stream.try_clone().unwrap()), stream };
        let read: Vec<Answer> = (0..5).map(|_| client.read()).collect();
        assert_eq!(read[..4], [Answer::Status("OK".into()), Answer::Number(-7), Answer::Bytes(b"\r\n\0".to_vec()), Answer::Nothing]);
        assert_eq!(read[4].named("a").unwrap().list()[0].number(), 1.0);
        assert_eq!(client.skip(10), 8);
        assert_eq!(client.read(), Answer::Refusal("ERR no".into()));
    }
}
