//! `fuzz`: one fuzz target, guided by coverage, on the stable toolchain.
//!
//! The targets live with the whole-product tests, in `tests/fuzz`: a body each, and a folder of seeds of the same name. LLVM's SanitizerCoverage comes
//! with every compiler, so that nothing but these flags is needed; the build has a folder of its own, and disturbs no other.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use crate::process;
use crate::workspace::Workspace;

/// What libFuzzer wants of the code under test: counters, and the operands of comparisons.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // The tables are found by the fuzzer alone: a linker that drops what nobody refers to would drop them.
    "-Clink-dead-code",
];

/// An input that takes more address space than this (KiB) is a find: what a file claims must not be allocated before it is there.
const ADDRESS_SPACE_KIB: u32 = 4 << 20;

/// Likewise for memory that is used (MiB), and for the time of one input (seconds).
const RSS_MIB: u32 = 512;
const TIMEOUT_S: u32 = 20;

const SEEDS: &str = "tests/fuzz/seeds";

/// Builds the targets and runs one: its corpus grows in `target/fuzz/corpus`, what it trips over lies in `target/fuzz/finds`.
pub(crate) fn run(workspace: &Workspace, target: &str, seconds: u64) -> Result<ExitCode> {
    let names = targets(workspace)?;
    if !names.iter().any(|name| name == target) {
        bail!("there is no fuzz target {target:?}; there are {}", names.join(", "));
    }
    let built = workspace.target.join("fuzz");
    let triple = host()?;
    let arguments = ["build", "--package", "brain-tests", "--test", "fuzz", "--features", "fuzz", "--profile", "fuzz", "--target", &triple];
    let mut build = process::cargo(&workspace.root, &arguments);
    build.arg("--target-dir").arg(&built).env("RUSTFLAGS", COVERAGE.join(" "));
    // The program is named after a hash; cargo says where it is.
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let program = executable(&process::stdout(&mut build)?).context("cargo built no fuzz program")?;

    let (corpus, finds) = (built.join("corpus").join(target), built.join("finds").join(target));
    for folder in [&corpus, &finds] {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let limited = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$@\"");
    let mut fuzz = Command::new("sh");
    fuzz.args(["-c", &limited, "sh"]).arg(program).arg(&corpus).arg(workspace.root.join(SEEDS).join(target));
    fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-rss_limit_mb={RSS_MIB}")).arg(format!("-timeout={TIMEOUT_S}"));
    fuzz.args(["-print_final_stats=1", "-max_len=8192"]).arg(format!("-artifact_prefix={}/", finds.display()));
    fuzz.env("BRAIN_FUZZ_TARGET", target);
    Ok(process::exit_code(process::status(&mut fuzz)?))
}

/// The names of the targets: the folders of seeds.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let seeds = workspace.root.join(SEEDS);
    let mut names = Vec::new();
    for entry in fs::read_dir(&seeds).with_context(|| format!("{} cannot be listed", seeds.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// This machine's target triple. With `--target`, the flags are the product's alone, and not those of build scripts and macros.
fn host() -> Result<String> {
    let version = process::stdout(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say which machine it is for")?.to_owned())
}

/// The program among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let artifacts = Message::parse_stream(messages.as_bytes()).filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) => artifact.executable,
        _ => None,
    });
    artifacts.last().map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        let workspace = Workspace::load().unwrap();
        let names = targets(&workspace).unwrap();
        assert!(names.iter().any(|name| name == "npy"), "{names:?}");
        for name in names {
            assert!(fs::read_dir(workspace.root.join(SEEDS).join(&name)).unwrap().count() > 0, "{name}");
        }
    }
}
