//! The elements of lists in one big JSON object, one at a time: `{"samples": [{…}, {…}], …}`.
//!
//! The scan knows just enough JSON to find where an element ends (strings, and brackets by depth). What an element holds is for its reader to
//! parse, so that a malformed one is a bad record and the next one is still found.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use brain_core::Error;

use super::MAX_RECORD_BYTES;

/// One element of a list that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Which of the keys asked for holds the list.
    pub(super) list: usize,
    /// Its place in that list, from 0.
    pub(super) position: u64,
    /// Its first byte's place in the file, from 0.
    pub(super) offset: u64,
    /// Whether it is longer than [`MAX_RECORD_BYTES`]; its text is then not kept.
    pub(super) too_long: bool,
}

/// Why a scan cannot go on.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The file cannot be read.
    Io(io::Error),
    /// The file is not such an object: what was wrong, and at which byte.
    Syntax { offset: u64, message: String },
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ScanError {
    /// The error of the file at `path`.
    pub(super) fn of(self, path: &Path) -> Error {
        match self {
            Self::Io(source) => Error::io("read", path, source),
            Self::Syntax { offset, message } => {
                Error::corrupt(format!("{}: byte {offset}: {message}", path.display())).with_hint("the file is cut off or was edited; make it again")
            }
        }
    }
}

/// Where the scan stands.
enum State {
    /// Before the opening brace.
    Start,
    /// Before a key or the closing brace; a comma is due unless `first`.
    Member { first: bool },
    /// Inside a list, before an element or the closing bracket; a comma is due unless `position` is 0.
    List { list: usize, position: u64 },
    /// After the closing brace.
    End,
}

/// A scan over the elements of the lists named `keys`; other members are passed over.
pub(super) struct Elements<R> {
    reader: R,
    keys: &'static [&'static str],
    seen: Vec<bool>,
    offset: u64,
    state: State,
    text: Vec<u8>,
}

impl Elements<BufReader<File>> {
    /// A scan of the file at `path`.
    pub(super) fn open(path: &Path, keys: &'static [&'static str]) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(1 << 16, File::open(path)?), keys))
    }
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(reader: R, keys: &'static [&'static str]) -> Self {
        Self { reader, keys, seen: vec![false; keys.len()], offset: 0, state: State::Start, text: Vec::new() }
    }

    /// The bytes of the element that [`advance`](Self::advance) gave last.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether a list of that key has been met.
    pub(super) fn has_seen(&self, list: usize) -> bool {
        self.seen.get(list) == Some(&true)
    }

    /// Goes to the next element; `None` after the last one of the file.
    pub(super) fn advance(&mut self) -> Result<Option<Element>, ScanError> {
        loop {
            self.skip_space()?;
            match self.state {
                State::Start => {
                    self.skip_byte_order_mark()?;
                    self.skip_space()?;
                    self.expect(b'{', "an object")?;
                    self.state = State::Member { first: true };
                }
                State::Member { first } => {
                    if self.accept(b'}')? {
                        self.state = State::End;
                        continue;
                    }
                    if !first {
                        self.expect(b',', "a comma or the end of the object")?;
                        self.skip_space()?;
                    }
                    self.member()?;
                }
                State::List { list, position } => {
                    if self.accept(b']')? {
                        self.state = State::Member { first: false };
                        continue;
                    }
                    if position > 0 {
                        self.expect(b',', "a comma or the end of the list")?;
                        self.skip_space()?;
                    }
                    let offset = self.offset;
                    let too_long = self.value(true)?;
                    self.state = State::List { list, position: position + 1 };
                    return Ok(Some(Element { list, position, offset, too_long }));
                }
                State::End => {
                    return match self.peek()? {
                        None => Ok(None),
                        Some(_) => Err(self.wrong("the end of the file")),
                    };
                }
            }
        }
    }

    /// Reads a key; then enters its list, or passes its value over.
    fn member(&mut self) -> Result<(), ScanError> {
        if self.peek()? != Some(b'"') {
            return Err(self.wrong("a key in quotes"));
        }
        let begin = self.offset;
        self.value(true)?;
        let key: String =
            serde_json::from_slice(&self.text).map_err(|_| ScanError::Syntax { offset: begin, message: "a key is malformed".to_owned() })?;
        self.skip_space()?;
        self.expect(b':', "a colon")?;
        self.skip_space()?;
        let Some(list) = self.keys.iter().position(|wanted| *wanted == key) else {
            self.value(false)?;
            self.state = State::Member { first: false };
            return Ok(());
        };
        self.expect(b'[', &format!("the list of {key:?}"))?;
        self.seen[list] = true;
        self.state = State::List { list, position: 0 };
        Ok(())
    }

    /// Passes over one value, keeping its text where asked; tells whether it is too long to be kept.
    fn value(&mut self, keep: bool) -> Result<bool, ScanError> {
        self.text.clear();
        let begin = self.offset;
        let mut end = ValueEnd::default();
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                // A bare number may end with the file; the caller misses its closing bracket then.
                if end.is_scalar() {
                    break;
                }
                let message = format!("the file ends inside the value that begins at byte {begin}");
                return Err(ScanError::Syntax { offset: self.offset, message });
            }
            let found = end.find(chunk);
            let taken = found.unwrap_or(chunk.len());
            if keep && self.offset - begin + taken as u64 <= MAX_RECORD_BYTES as u64 {
                self.text.extend_from_slice(&chunk[..taken]);
            }
            self.reader.consume(taken);
            self.offset += taken as u64;
            if found.is_some() {
                break;
            }
        }
        if self.offset == begin {
            return Err(self.wrong("a value"));
        }
        let too_long = self.offset - begin > MAX_RECORD_BYTES as u64;
        if too_long {
            self.text = Vec::new();
        }
        Ok(too_long)
    }

    fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn accept(&mut self, byte: u8) -> Result<bool, ScanError> {
        let found = self.peek()? == Some(byte);
        if found {
            self.reader.consume(1);
            self.offset += 1;
        }
        Ok(found)
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), ScanError> {
        if self.accept(byte)? { Ok(()) } else { Err(self.wrong(what)) }
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), ScanError> {
        if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
            self.offset += 3;
        }
        Ok(())
    }

    fn skip_space(&mut self) -> Result<(), ScanError> {
        loop {
            let chunk = self.reader.fill_buf()?;
            let space = chunk.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            let more = space > 0 && space == chunk.len();
            self.reader.consume(space);
            self.offset += space as u64;
            if !more {
                return Ok(());
            }
        }
    }

    fn wrong(&mut self, expected: &str) -> ScanError {
        let found = match self.peek() {
            Err(error) => return error,
            Ok(None) => "the file ends".to_owned(),
            Ok(Some(byte)) => format!("there is {:?}", char::from(byte)),
        };
        ScanError::Syntax { offset: self.offset, message: format!("{found} where {expected} should be") }
    }
}

/// Finds the end of one JSON value that arrives in chunks.
#[derive(Default)]
struct ValueEnd {
    started: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl ValueEnd {
    /// Whether the value is a bare number or word, which only what follows ends.
    fn is_scalar(&self) -> bool {
        self.started && self.depth == 0 && !self.in_string
    }

    /// How many bytes of this chunk still belong to the value; `None` when all do and it goes on.
    fn find(&mut self, chunk: &[u8]) -> Option<usize> {
        for (at, &byte) in chunk.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if self.is_scalar() => return Some(at),
                b'"' => self.in_string = true,
                b'{' | b'[' if self.is_scalar() => return Some(at),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return Some(at),
                _ => {}
            }
            self.started = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// List, position, offset and text of an element.
    type Found = (usize, u64, u64, String);

    /// Every element, read through a buffer of `size` bytes, then how the scan ended.
    fn scan(json: &str, size: usize) -> (Vec<Found>, Option<String>) {
        let mut elements = Elements::new(BufReader::with_capacity(size, json.as_bytes()), &["a", "b"]);
        let mut found = Vec::new();
        loop {
            match elements.advance() {
                Ok(Some(element)) => {
                    let text = String::from_utf8(elements.text().to_vec()).unwrap();
                    found.push((element.list, element.position, element.offset, text));
                }
                Ok(None) => return (found, None),
                Err(ScanError::Io(error)) => panic!("{error}"),
                Err(ScanError::Syntax { offset, message }) => return (found, Some(format!("{offset}: {message}"))),
            }
        }
    }

    #[test]
    fn elements_are_found_whatever_the_buffer() {
        let json =
            "\u{feff} {\"x\": {\"a\": [1]}, \"b\": [ {\"s\": \"]}\\\"\\\\\"}, 12 ,\"t\",[[],{}]], \"a\":[], \"y\": null, \"\\u0061\": [true]}\n ";
        let expected = [(1, 0, "{\"s\": \"]}\\\"\\\\\"}"), (1, 1, "12"), (1, 2, "\"t\""), (1, 3, "[[],{}]"), (0, 0, "true")];
        for size in [8, 9, 64, 1 << 16] {
            let (found, end) = scan(json, size);
            assert_eq!(end, None);
            assert_eq!(found.iter().map(|(list, position, _, text)| (*list, *position, text.as_str())).collect::<Vec<_>>(), expected);
            for (_, _, offset, text) in &found {
                assert!(json[*offset as usize..].starts_with(text.as_str()));
            }
        }
    }

    #[test]
    fn a_malformed_element_does_not_hide_the_next() {
        let (found, end) = scan(r#"{"a": [{"x": NaN}, {"y" 1}, {"z": 1}]}"#, 16);
        assert_eq!((found.len(), end), (3, None));
    }

    #[test]
    fn what_ends_a_scan_says_where() {
        let end = |json: &str| scan(json, 8).1.unwrap();
        assert_eq!(end(""), "0: the file ends where an object should be");
        assert_eq!(end("[1]"), "0: there is '[' where an object should be");
        assert_eq!(end(r#"{"a": [{"x": 1}, {"#), "18: the file ends inside the value that begins at byte 17");
        assert_eq!(end(r#"{"a": [1"#), "8: the file ends where a comma or the end of the list should be");
        assert_eq!(end(r#"{"a": [1 2]}"#), "9: there is '2' where a comma or the end of the list should be");
        assert_eq!(end(r#"{"a": {}}"#), "6: there is '{' where the list of \"a\" should be");
        assert_eq!(end(r#"{"a": [1,,2]}"#), "9: there is ',' where a value should be");
        assert_eq!(end(r#"{"x" 1}"#), "5: there is '1' where a colon should be");
        assert_eq!(end(r#"{} x"#), "3: there is 'x' where the end of the file should be");
    }

    #[test]
    fn an_element_too_long_is_passed_over() {
        let json = format!(r#"{{"a": ["{}", 2]}}"#, "x".repeat(MAX_RECORD_BYTES));
        let mut elements = Elements::new(json.as_bytes(), &["a"]);
        assert!(elements.advance().unwrap().unwrap().too_long);
        assert!(elements.text().is_empty());
        assert_eq!(elements.advance().unwrap().unwrap().position, 1);
        assert_eq!(elements.text(), b"2");
    }
}
