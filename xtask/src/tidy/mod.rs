//! `tidy`: the house rules that no compiler checks, each finding one sentence that says where, what and what to do.
//!
//! | module | its rules |
//! |---|---|
//! | [`layers`] | which crate may see which |
//! | [`dependencies`] | what must not be depended on, directly or at all |
//! | [`manifests`] | versions in the root table only, the workspace's lints everywhere |
//! | [`tree`] | the top level, folder and module names, file lengths |
//! | [`roots`] | how a crate's root file begins: its story, an example, its stand on `unsafe` |
//! | [`source`] | what does not occur in Rust code |
//! | [`text`] | what does not occur in any text file |
//! | [`help`] | the README's help section and command lines against the program itself |

mod dependencies;
mod help;
mod invocations;
mod layers;
mod manifests;
mod roots;
mod rust_code;
mod source;
mod text;
mod tree;

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Checks everything; with `bless`, rewrites the README's help section instead of comparing it.
pub(crate) fn run(workspace: &Workspace, bless: bool) -> Result<ExitCode> {
    let mut findings = house(workspace)?;
    let built = process::status(&mut process::cargo(&workspace.root, &["build", "--quiet", "--package", "brain-cli"]))?;
    findings.extend(match (built.success(), bless) {
        (false, _) => vec!["brain-cli: it does not build, so the README was not compared with it; mend the build first".to_owned()],
        (true, true) => help::bless(workspace)?,
        (true, false) => readme(workspace)?,
    });
    Ok(if report(&findings) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every rule that needs nothing built; well under a second.
pub(crate) fn house(workspace: &Workspace) -> Result<Vec<String>> {
    let files = workspace.files()?;
    let mut findings = layers::check(workspace);
    findings.extend(dependencies::check(workspace)?);
    findings.extend(tree::check(workspace, &files)?);
    findings.extend(roots::check(workspace)?);
    for file in &files {
        // Pictures and model weights are not UTF-8, and nothing here is about them.
        let Ok(content) = fs::read_to_string(workspace.root.join(file)) else { continue };
        findings.extend(text::check(file, &content));
        if file.ends_with(".rs") {
            findings.extend(source::check(file, &content));
        } else if file.ends_with("/Cargo.toml") {
            findings.extend(manifests::check(file, &content));
        }
    }
    Ok(findings)
}

/// The README against the `brain` binary of the dev profile, which must have been built.
pub(crate) fn readme(workspace: &Workspace) -> Result<Vec<String>> {
    help::check(workspace)
}

/// Prints the findings and their number; true where there are none.
pub(crate) fn report(findings: &[String]) -> bool {
    for finding in findings {
        println!("tidy: {finding}");
    }
    println!("tidy: {} finding{}", findings.len(), if findings.len() == 1 { "" } else { "s" });
    findings.is_empty()
}
