//! Weights of the parts of a query: `"a dog:1.0"`, `x.jpg:0.5`.

/// What a word means, and its weight where it ends in `:NUMBER`. `\:` before a number is a plain colon.
pub(super) fn split(word: &str) -> (String, Option<f32>) {
    match word.rsplit_once(':') {
        Some((before, _)) if before.ends_with('\\') => (plain(word), None),
        Some((before, after)) => match number(after) {
            Some(weight) => (plain(before), Some(weight)),
            None => (plain(word), None),
        },
        None => (word.to_owned(), None),
    }
}

/// As [`split`], for files: a file of the whole name is meant as it is.
pub(super) fn split_path(word: &str) -> (String, Option<f32>) {
    if std::path::Path::new(word).exists() { (word.to_owned(), None) } else { split(word) }
}

/// As [`split`], for ids. Ids of others may hold colons and numbers: only those of 24 hexadecimal digits carry a weight.
pub(super) fn split_id(word: &str) -> (String, Option<f32>) {
    match word.split_once(':') {
        Some((id, after)) if id.len() == 24 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) => match number(after) {
            Some(weight) => (id.to_owned(), Some(weight)),
            None => (word.to_owned(), None),
        },
        _ => (word.to_owned(), None),
    }
}

/// A decimal number; words that Rust reads as numbers too, such as `inf`, are none.
fn number(text: &str) -> Option<f32> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    text.parse().ok().filter(|_| decimal)
}

/// A word without the backslash that keeps its last colon from being a weight's.
fn plain(word: &str) -> String {
    match word.rsplit_once("\\:") {
        Some((before, after)) if number(after).is_some() => format!("{before}:{after}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_the_last_colon_is_a_weight() {
        for (word, text, weight) in [
            ("a dog", "a dog", None),
            ("a dog:1.0", "a dog", Some(1.0)),
            ("a dog:-.5", "a dog", Some(-0.5)),
            ("note: a dog", "note: a dog", None),
            ("a dog:", "a dog:", None),
            ("a dog:inf", "a dog:inf", None),
            ("format 16:9", "format 16", Some(9.0)),
            ("format 16\\:9", "format 16:9", None),
            ("format 16\\:9:0.5", "format 16:9", Some(0.5)),
            ("C:\\x.jpg:2", "C:\\x.jpg", Some(2.0)),
        ] {
            assert_eq!(split(word), (text.to_owned(), weight), "{word}");
        }
    }

    #[test]
    fn ids_of_others_keep_their_colons() {
        assert_eq!(split_id("doc:12"), ("doc:12".to_owned(), None));
        assert_eq!(split_id("6b01656cdf05e9355da64f3c:0.5"), ("6b01656cdf05e9355da64f3c".to_owned(), Some(0.5)));
    }

    #[test]
    fn a_file_that_is_there_is_meant_as_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jpg:0.5").display().to_string();
        assert_eq!(split_path(&path).1, Some(0.5));
        std::fs::write(&path, "").unwrap();
        assert_eq!(split_path(&path), (path, None));
    }
}
