//! The one place where names and ids become keys, patterns and queries.
//!
//! The vectors of the index `birds` lie under `birds:ID`, as FiftyOne's do. In a name, `:` and `%` are written `%3A` and `%25`, so that the first colon of a
//! key ends the name: no index's prefix begins another one's keys, whatever both are called. What is kept about an index lies under a key without any
//! colon, which no prefix begins.

use brain_core::ItemId;

/// The prefix of the keys of an index that this library makes.
pub(crate) fn prefix(name: &str) -> String {
    format!("{}:", plain(name))
}

/// Where the note about an index lies.
pub(crate) fn note(name: &str) -> String {
    format!("brain-index|{}", plain(name))
}

fn plain(name: &str) -> String {
    name.replace('%', "%25").replace(':', "%3A")
}

/// The item of a key; `None` for one that is not UTF-8, or not under the prefix.
pub(crate) fn id(prefix: &str, key: &[u8]) -> Option<ItemId> {
    let id = key.strip_prefix(prefix.as_bytes())?;
    if id.is_empty() { None } else { std::str::from_utf8(id).ok().map(ItemId::from_text) }
}

/// The pattern that matches the keys under a prefix and no others.
pub(crate) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 2);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('*');
    pattern
}

/// A text without the space around it, as the server keeps a tag.
pub(crate) fn bare(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_ascii_whitespace() || character == '\u{b}')
}

/// A text within the braces of a query for tags: whatever is no letter and no digit is escaped.
pub(crate) fn tag(text: &str) -> String {
    let mut tag = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() {
            tag.push('\\');
        }
        tag.push(character);
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_prefix_begins_a_key_of_another_index(a in "[a:%*]{1,5}", b in "[a:%*]{1,5}", id in "[a:%*]{1,5}") {
            let (one, other) = (prefix(&a), format!("{}{id}", prefix(&b)));
            prop_assert_eq!(other.starts_with(&one), a == b);
            prop_assert!(!note(&b).starts_with(&one));
            if a == b {
                prop_assert_eq!(super::id(&one, other.as_bytes()), Some(ItemId::from_text(&id)));
            }
        }
    }

    #[test]
    fn a_pattern_takes_names_as_they_are() {
        assert_eq!(pattern("birds:"), "birds:*");
        assert_eq!(pattern("b*[a-z]?\\:"), "b\\*\\[a\\-z\\]\\?\\\\:*");
    }

    #[test]
    fn a_tag_is_one_word() {
        assert_eq!(tag("a b|{c}é"), "a\\ b\\|\\{c\\}é");
        assert_eq!(bare(" \t\u{b}a b\n"), "a b");
    }
}
