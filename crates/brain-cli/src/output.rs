//! What a command prints to the standard output: text for people, or JSON.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use serde::Serialize;

use crate::args::Global;
use crate::table::Table;

/// The standard output, buffered, in the form that was asked for.
///
/// Every method gives the error of the write, so that a closed pipe ends the command at once.
pub(crate) struct Output {
    writer: BufWriter<Stdout>,
    json: bool,
    quiet: bool,
    verbose: bool,
    is_terminal: bool,
    colour: bool,
}

/// Whether colour is wanted on a stream, which is a terminal or not; `NO_COLOR` and `TERM=dumb` refuse it (<https://no-color.org>).
pub(crate) fn wants_colour(is_terminal: bool) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self {
            writer: BufWriter::with_capacity(1 << 16, stdout),
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            is_terminal,
            colour: wants_colour(is_terminal),
        }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether more is to be said than usual.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The one JSON document of a command: on several lines for a terminal, on one for a pipe.
    pub(crate) fn document(&mut self, value: &impl Serialize) -> io::Result<()> {
        if self.is_terminal {
            serde_json::to_writer_pretty(&mut self.writer, value)?;
        } else {
            serde_json::to_writer(&mut self.writer, value)?;
        }
        self.writer.write_all(b"\n")
    }

    /// One line of JSON Lines.
    pub(crate) fn record(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, value)?;
        self.writer.write_all(b"\n")
    }

    /// A line for people.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.writer, "{text}")
    }

    /// A heading for people.
    pub(crate) fn heading(&mut self, text: impl Display) -> io::Result<()> {
        if self.colour { writeln!(self.writer, "\x1b[1m{text}\x1b[0m") } else { writeln!(self.writer, "{text}") }
    }

    /// What to do next; `--quiet` leaves it out.
    pub(crate) fn hint(&mut self, text: impl Display) -> io::Result<()> {
        match (self.quiet, self.colour) {
            (true, _) => Ok(()),
            (false, true) => writeln!(self.writer, "\x1b[2m{text}\x1b[0m"),
            (false, false) => writeln!(self.writer, "{text}"),
        }
    }

    /// A table for people.
    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        table.write(&mut self.writer, self.colour)
    }

    /// Something that did not fail, yet must not pass unseen: to the standard error, whatever the form of the output.
    pub(crate) fn warn(&mut self, text: impl Display) -> io::Result<()> {
        self.writer.flush()?;
        // Where the standard error is closed there is nobody to warn.
        let _ = writeln!(io::stderr(), "warning: {text}");
        Ok(())
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
