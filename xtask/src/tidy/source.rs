//! What does not occur in Rust code.

use super::rust_code::{code_only, lines_with};

/// Where unsafe code may live.
const UNSAFE_HOME: &str = "crates/brain-kernels/src/";

/// A name that must not occur, followed by `suffix`, and what to do about it.
struct Ban {
    name: &'static str,
    suffix: &'static str,
    remedy: &'static str,
}

const EVERYWHERE: [Ban; 3] = [
    Ban { name: "todo", suffix: "!", remedy: "finish it, or return `Unsupported` with a hint" },
    Ban { name: "unimplemented", suffix: "!", remedy: "finish it, or return `Unsupported` with a hint" },
    Ban { name: "dbg", suffix: "!", remedy: "remove it" },
];

const OUTSIDE_KERNELS: Ban = Ban { name: "unsafe", suffix: "", remedy: "wrap what you need safely in brain-kernels" };

const IN_TESTS: Ban = Ban { name: "sleep", suffix: "(", remedy: "wait for the condition itself; a test that sleeps is slow or flaky" };

/// Checks one Rust file.
pub(crate) fn check(path: &str, source: &str) -> Vec<String> {
    let code = code_only(source);
    let mut findings: Vec<String> = EVERYWHERE.iter().flat_map(|ban| occurrences(path, &code, ban, 1)).collect();
    if !path.starts_with(UNSAFE_HOME) {
        findings.extend(occurrences(path, &code, &OUTSIDE_KERNELS, 1));
    }
    if let Some(first) = first_test_line(path, &code) {
        findings.extend(occurrences(path, &code, &IN_TESTS, first));
    }
    findings
}

/// The occurrences of a ban from a line on.
fn occurrences(path: &str, code: &str, ban: &Ban, first: usize) -> Vec<String> {
    let Ban { name, suffix, remedy } = ban;
    let lines = lines_with(code, name, suffix).into_iter().filter(|line| *line >= first);
    lines.map(|line| format!("{path}:{line}: `{name}{suffix}` does not occur here; {remedy}")).collect()
}

/// The line from which a file is test code: the first of a file under `tests`, else that of its test module.
fn first_test_line(path: &str, code: &str) -> Option<usize> {
    if path.split('/').any(|folder| folder == "tests") {
        return Some(1);
    }
    code.lines().position(|line| line.trim() == "#[cfg(test)]").map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_and_unsafe_code_is_found_with_its_line() {
        let source = "fn f() {\n    todo!()\n}\nunsafe fn g() {}\n// todo!() unsafe\n#![forbid(unsafe_code)]\n";
        let findings = check("crates/brain/src/session.rs", source);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("crates/brain/src/session.rs:2: `todo!`"), "{findings:?}");
        assert!(findings[1].starts_with("crates/brain/src/session.rs:4: `unsafe`"), "{findings:?}");
        assert_eq!(check("crates/brain-kernels/src/map.rs", "unsafe fn g() {}"), Vec::<String>::new());
    }

    #[test]
    fn only_tests_must_not_sleep() {
        let source = "fn back_off() { sleep(a_while); }\n#[cfg(test)]\nmod tests { fn t() { thread::sleep(a_while); } }\n";
        let findings = check("crates/brain/src/retry.rs", source);
        assert!(findings.len() == 1 && findings[0].contains("retry.rs:3:"), "{findings:?}");
        assert_eq!(check("tests/product/walk.rs", "fn t() { sleep(a_while); }").len(), 1);
    }
}
