//! The `brain` command: datasets, similarity and views from a terminal.
//!
//! A command line goes three steps. `args` parses it, as raw as clap gives it. One file in `commands` builds from it what owns the work (a view, a
//! query, a builder of the `brain` crate) and runs that. `output` prints what came of it: a table for people, or JSON. Whatever fails on the way is a
//! `failure`, printed to the standard error with its hint.

#![forbid(unsafe_code)]

mod answer;
mod args;
mod commands;
mod distance;
mod failed_items;
mod failure;
mod ids;
mod known;
mod location;
mod output;
mod plural;
mod progress;
mod session;
#[cfg(feature = "models")]
mod sheet;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    failure::speak_plainly_on_panic();
    match args::parse() {
        Ok(cli) => failure::exit_code(&cli.global, || session::run(&cli)),
        Err(usage) => failure::refuse_usage(&usage),
    }
}
