//! The README against the program: its help section, and every `brain` and `cargo xtask` command line in it.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::process::Command;

use anyhow::{Context, Result};

use super::invocations::invocations;
use crate::readme;
use crate::workspace::Workspace;
use crate::{COMMANDS, process};

const BEGIN: &str = "<!-- help -->";
const END: &str = "<!-- /help -->";

/// The width the help is wrapped to, whatever terminal this runs in.
const COLUMNS: &str = "100";

/// Compares the README with the `brain` of the dev profile.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let Some(markdown) = read(workspace)? else { return Ok(vec![MISSING_README.to_owned()]) };
    let mut program = Program { workspace, known: HashMap::new() };
    let top = program.help(&[]).context("`brain --help` failed")?;
    let mut findings: Vec<String> = compare(&markdown, &top).into_iter().collect();
    for command in readme::commands(&markdown) {
        for words in invocations(&command.text) {
            let wrong = misuse(&words, &mut |path| program.help(path));
            findings.extend(wrong.map(|what| format!("README.md:{}: {what}", command.line)));
        }
    }
    Ok(findings)
}

/// Rewrites the README's help section from the program; where that is impossible, says why.
pub(crate) fn bless(workspace: &Workspace) -> Result<Vec<String>> {
    let Some(markdown) = read(workspace)? else { return Ok(vec![MISSING_README.to_owned()]) };
    let Some(range) = section(&markdown) else { return Ok(vec![missing_markers()]) };
    let help = Program { workspace, known: HashMap::new() }.help(&[]).context("`brain --help` failed")?;
    let blessed = format!("{}{}{}", &markdown[..range.start], fenced(&help), &markdown[range.end..]);
    fs::write(workspace.root.join("README.md"), blessed).context("README.md cannot be written")?;
    check(workspace)
}

const MISSING_README: &str = "README.md: there is none; write it, with a help section for `cargo xtask tidy --bless` to fill";

fn missing_markers() -> String {
    format!("README.md: it has no help section; put `{BEGIN}` and `{END}` on lines of their own, then run `cargo xtask tidy --bless`")
}

fn read(workspace: &Workspace) -> Result<Option<String>> {
    let path = workspace.root.join("README.md");
    if path.exists() { fs::read_to_string(&path).map(Some).context("README.md cannot be read") } else { Ok(None) }
}

/// The bytes between the markers.
fn section(markdown: &str) -> Option<Range<usize>> {
    let start = markdown.find(BEGIN)? + BEGIN.len();
    Some(start..start + markdown[start..].find(END)?)
}

/// What stands between the markers of a README in step.
fn fenced(help: &str) -> String {
    format!("\n```text\n{}\n```\n", help.trim_end())
}

fn compare(markdown: &str, help: &str) -> Option<String> {
    match section(markdown) {
        None => Some(missing_markers()),
        Some(range) if markdown[range.clone()] == fenced(help) => None,
        Some(range) => {
            let line = markdown[..range.start].lines().count();
            Some(format!("README.md:{line}: the help section is not what `brain --help` says; run `cargo xtask tidy --bless`"))
        }
    }
}

/// The built `brain`, asked for the help of each subcommand once.
struct Program<'a> {
    workspace: &'a Workspace,
    known: HashMap<Vec<String>, Option<String>>,
}

impl Program<'_> {
    /// The help of a subcommand, empty path for the program's own; `None` where it is refused.
    fn help(&mut self, path: &[String]) -> Option<String> {
        let ask = || {
            let mut command = Command::new(self.workspace.target.join("debug").join(format!("brain{}", std::env::consts::EXE_SUFFIX)));
            command.args(path).arg("--help").env("COLUMNS", COLUMNS);
            process::stdout(&mut command).ok()
        };
        self.known.entry(path.to_vec()).or_insert_with(ask).clone()
    }
}

/// What is wrong with an invocation, if it is one of `brain` or of `cargo xtask`.
fn misuse(words: &[String], help: &mut dyn FnMut(&[String]) -> Option<String>) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["cargo", "xtask", command, ..] => {
            (!COMMANDS.contains(&command)).then(|| format!("`cargo xtask {command}` does not exist; name one of {}", COMMANDS.join(", ")))
        }
        ["cargo", "run", ..] => {
            let arguments = words.iter().position(|&word| word == "--")?;
            brain_misuse(&words[arguments + 1..], help)
        }
        [program, ref arguments @ ..] if program == "brain" || program.ends_with("/brain") => brain_misuse(arguments, help),
        _ => None,
    }
}

/// Follows the subcommands as far as they go, then looks every flag up in the help of where that is.
fn brain_misuse(arguments: &[&str], help: &mut dyn FnMut(&[String]) -> Option<String>) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    let mut page = help(&path)?;
    let mut words = arguments.iter().copied().take_while(|&word| word != "--");
    let mut flags = Vec::new();
    while let Some(word) = words.next() {
        let commands = subcommands(&page);
        if is_flag(word) {
            flags.push(word);
            // A flag before the subcommand, such as `--home DIR`, may take the next word with it.
            if !commands.is_empty() && !word.contains('=') && takes_value(&page, word) {
                words.next();
            }
        } else if commands.contains(&word) {
            path.push(word.to_owned());
            match help(&path) {
                Some(text) => page = text,
                None => return Some(format!("`brain {} --help` fails; mend the command line", path.join(" "))),
            }
        } else if !commands.is_empty() {
            let name = [&["brain".to_owned()], &path[..]].concat().join(" ");
            return Some(format!("`{name} {word}` does not exist; name one of {}", commands.join(", ")));
        }
    }
    let unknown = flags.into_iter().map(|flag| flag.split('=').next().unwrap_or(flag)).find(|flag| flag_line(&page, flag).is_none());
    unknown.map(|flag| format!("`brain {}` has no flag `{flag}`; see its --help", path.join(" ")))
}

/// Whether a word is a flag; a negative number and a lone dash are values.
fn is_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()))
}

/// The names listed under `Commands:`.
fn subcommands(page: &str) -> Vec<&str> {
    let lines = page.lines().skip_while(|line| line.trim() != "Commands:").skip(1).take_while(|line| !line.trim().is_empty());
    lines.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect()
}

/// The rest of the help line that defines a flag, as in `  -k, --count <N>  How many`.
fn flag_line<'a>(page: &'a str, flag: &str) -> Option<&'a str> {
    let definitions = page.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    definitions.into_iter().find_map(|line| {
        let names = line.split("  ").next().unwrap_or(line);
        let named = names.split([' ', ',', '=']).any(|name| name.trim_end_matches("...") == flag);
        named.then_some(names)
    })
}

fn takes_value(page: &str, flag: &str) -> bool {
    flag_line(page, flag).is_some_and(|names| names.contains('<'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str = "\
Similarity search

Usage: brain [OPTIONS] <COMMAND>

Commands:
  dataset             Datasets
                      and their samples
  sort-by-similarity  Search
  help                Print help

Options:
      --home <DIR>   Where the data lives
  -v, --verbose...   Say more
  -h, --help         Print help
";
    const DATASET: &str = "Datasets\n\nCommands:\n  list  All\n\nOptions:\n  -h, --help  Print help\n";
    const LIST: &str = "All\n\nOptions:\n      --json        JSON\n      --home <DIR>\n  -h, --help  Print help\n";
    const SORT: &str =
        "Search\n\nArguments:\n  <NAME>\n\nOptions:\n  -k <N>             How many; see --depth\n      --id [<ID>...]  Ids\n  -h, --help  Help\n";

    fn page(path: &[String]) -> Option<String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = match path[..] {
            [] => TOP,
            ["dataset"] => DATASET,
            ["dataset", "list"] => LIST,
            ["sort-by-similarity"] => SORT,
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn misuse_of(command: &str) -> String {
        invocations(command).iter().find_map(|words| misuse(words, &mut page)).unwrap_or_default()
    }

    #[test]
    fn a_section_in_step_is_silent_and_a_blessed_one_is_in_step() {
        let markdown = format!("# brain\n{BEGIN}{}{END}\nmore\n", fenced(TOP));
        assert_eq!(compare(&markdown, TOP), None);
        assert!(compare(&markdown, DATASET).is_some_and(|finding| finding.starts_with("README.md:2: ")));
        assert!(compare("# brain\n", TOP).is_some_and(|finding| finding.contains("no help section")));
        let empty = format!("{BEGIN}\n{END}\n");
        let range = section(&empty).unwrap();
        assert_eq!(compare(&format!("{}{}{}", &empty[..range.start], fenced(TOP), &empty[range.end..]), TOP), None);
    }

    #[test]
    fn commands_that_exist_are_silent() {
        for command in [
            "brain --help",
            "brain --home /tmp/x dataset list --json",
            "FIFTYONE_BRAIN_HOME=x ./target/release/brain sort-by-similarity quickstart --id a b -k 3",
            "brain sort-by-similarity quickstart -k=3 -- --no-flag",
            "cargo run --release -- dataset list",
            "cargo xtask test",
            "cargo build --release",
            "git clone --depth 1 url",
        ] {
            assert_eq!(misuse_of(command), "", "{command}");
        }
    }

    #[test]
    fn commands_and_flags_that_do_not_exist_are_named() {
        for (command, what) in [
            ("brain datasets list", "`brain datasets` does not exist; name one of dataset, sort-by-similarity, help"),
            ("ls | brain dataset lst", "`brain dataset lst` does not exist"),
            ("brain dataset list --jsn", "`brain dataset list` has no flag `--jsn`"),
            ("brain sort-by-similarity q --depth 3", "no flag `--depth`"),
            ("cargo run -- dataset lst", "`brain dataset lst` does not exist"),
            ("cargo xtask tset", "`cargo xtask tset` does not exist"),
        ] {
            assert!(misuse_of(command).contains(what), "{command}: {:?}", misuse_of(command));
        }
    }
}
