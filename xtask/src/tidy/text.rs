//! What does not occur in any text file: one machine's paths, and promises instead of work.

/// Files whose text is not ours to change.
const NOT_OURS: [&str; 2] = ["Cargo.lock", "LICENSE"];

/// Folders that exist on some machine only. Split, so that this file does not hold what it looks for.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

const PROMISES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Checks one text file.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    if NOT_OURS.contains(&path) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| starts_in(line, folder)) {
            findings.push(format!("{path}:{number}: a path in `{folder}` exists on one machine only; make it relative or a parameter"));
        }
        if let Some(word) = PROMISES.iter().find(|word| has_word(line, word)) {
            findings.push(format!("{path}:{number}: `{word}` is a promise; do it now or leave it to an issue"));
        }
    }
    findings
}

/// Whether a path that begins with this folder occurs; `assets/…` with the folder's name further inside does not count.
fn starts_in(line: &str, folder: &str) -> bool {
    let inside_a_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '}' | '*');
    line.match_indices(folder).any(|(start, _)| !line[..start].ends_with(inside_a_path))
}

fn has_word(line: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| !line[..start].ends_with(in_word) && !line[start + word.len()..].starts_with(in_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_and_promises_are_found_with_their_line() {
        for folder in MACHINE_FOLDERS {
            let findings = check("README.md", &format!("fine\nopen {folder}photos\n"));
            assert!(findings.len() == 1 && findings[0].starts_with("README.md:2:"), "{folder}: {findings:?}");
        }
        for word in PROMISES {
            assert_eq!(check("README.md", &format!("// {word}: later")).len(), 1, "{word}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_fine() {
        let text = MACHINE_FOLDERS.map(|folder| format!("crates{folder}x and ${{dir}}{folder}x and ~{folder}x")).join("\n");
        assert_eq!(check("README.md", &text), Vec::<String>::new());
        assert_eq!(check("README.md", &format!("A_{}_LIST and {}S", PROMISES[0], PROMISES[0])), Vec::<String>::new());
    }
}
