//! The one place where names and texts become SQL.

use brain_core::{Error, Result};

/// The longest name that PostgreSQL keeps, in bytes. It cuts longer ones without an error, so that two of them may collide.
pub(crate) const NAME_BYTES: usize = 63;

/// A name as an identifier of SQL: quoted, whatever is in it. Names that come from outside pass [`check_name`] first.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name within a schema; without one it is found by the `search_path`.
pub(crate) fn qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", identifier(schema), identifier(name)),
        None => identifier(name),
    }
}

/// A text as a literal of SQL. A backslash makes it an escape string, so that it reads the same whatever `standard_conforming_strings` is.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Refuses what PostgreSQL cannot use as a name, or would cut. `what` is what the name is of, for example `table_name`.
///
/// # Errors
/// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for an empty name, one with a NUL, and one of more than 63 bytes.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(format!("{what} is empty")));
    }
    if name.contains('\0') {
        return Err(Error::invalid(format!("{what} {name:?} holds a NUL, which PostgreSQL allows in no name")));
    }
    if name.len() > NAME_BYTES {
        return Err(Error::invalid(format!("{what} {name:?} has {} bytes; PostgreSQL keeps {NAME_BYTES}", name.len()))
            .with_hint("choose a shorter name: PostgreSQL would cut it, and two names could become one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a quoted token as PostgreSQL's scanner does: to the first quote that is not doubled.
    fn scan(sql: &str, quote: char) -> Option<(String, &str)> {
        let mut rest = sql.strip_prefix(quote)?;
        let mut text = String::new();
        loop {
            let end = rest.find(quote)?;
            text.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(quote) {
                Some(after) => {
                    text.push(quote);
                    rest = after;
                }
                None => return Some((text, rest)),
            }
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_is_one_token_that_says_the_name(schema in r#"["a.;'\\é-]{1,8}"#, name in r#"["a.;'\\é-]{1,8}"#) {
            let sql = identifier(&name);
            prop_assert_eq!(scan(&sql, '"'), Some((name.clone(), "")));
            let sql = qualified(Some(&schema), &name);
            let (first, rest) = scan(&sql, '"').unwrap();
            prop_assert_eq!(first, schema);
            prop_assert_eq!(scan(rest.strip_prefix('.').unwrap(), '"'), Some((name, "")));
        }

        #[test]
        fn a_literal_is_one_token_that_says_the_text(text in r#"['a"\\;é]{0,8}"#) {
            let sql = literal(&text);
            let (read, rest) = scan(sql.trim_start_matches('E'), '\'').unwrap();
            prop_assert_eq!(rest, "");
            let read = if sql.starts_with('E') { read.replace("\\\\", "\\") } else { read };
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn names_that_postgresql_would_cut_or_refuse_are_refused() {
        assert!(check_name("table_name", &"é".repeat(31)).is_ok());
        for (name, why) in [(String::new(), "empty"), ("a\0b".to_owned(), "NUL"), ("é".repeat(32), "64 bytes")] {
            let error = check_name("table_name", &name).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }
}
