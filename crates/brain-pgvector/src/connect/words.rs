//! The two forms of a connection string, cut into words: names and values of options.
//!
//! The driver reads both forms too, but refuses `sslmode=verify-full` and the files of certificates, and its errors repeat words of what they refuse,
//! which may be half of a password. So the options are taken apart here; what concerns TLS is kept, and the driver gets the rest.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A connection string, taken apart.
pub(super) struct Words<'a> {
    /// What precedes the options: a URL to its `?`, or nothing.
    pub(super) head: &'a str,
    /// The options, decoded, in the order given.
    pub(super) options: Vec<(String, String)>,
}

/// Why a string is none of the two forms, in words that repeat nothing of it.
pub(super) type Refusal = &'static str;

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, Refusal> {
        let text = text.trim();
        if text.starts_with("postgresql://") || text.starts_with("postgres://") { Self::of_url(text) } else { Self::of_pairs(text) }
    }

    fn of_url(url: &'a str) -> Result<Self, Refusal> {
        let place = url.find("://").map_or(0, |colon| colon + 3);
        // As libpq reads it: the user's part ends at an @ before the first slash, and may hold a `?`.
        let slash = url[place..].find('/').map_or(url.len(), |at| place + at);
        let host = url[place..slash].find('@').map_or(place, |at| place + at + 1);
        if url[host..].split('?').next().is_some_and(|rest| rest.contains('@')) {
            return Err("there is an @ where none can be: in user and password @ is written %40, and / is written %2F");
        }
        let Some(question) = url[host..].find('?').map(|at| host + at) else {
            return Ok(Self { head: url, options: Vec::new() });
        };
        let options = url[question + 1..].split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').ok_or("an option after the ? has no value: they are name=value, joined by &")?;
            Ok((decoded(name)?.into_owned(), decoded(value)?.into_owned()))
        });
        Ok(Self { head: &url[..question], options: options.collect::<Result<_, Refusal>>()? })
    }

    /// libpq's form: `name = value`, parted by spaces; a value with spaces stands in single quotes, and a backslash keeps the next character.
    fn of_pairs(text: &'a str) -> Result<Self, Refusal> {
        const NEITHER: Refusal =
            "it is neither a URL (postgresql://user:password@host:port/database) nor name=value pairs; a value with spaces is put in single quotes";
        let mut options = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').ok_or(NEITHER)?;
            let name = name.trim_end();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(NEITHER);
            }
            let (value, after) = value(after.trim_start())?;
            options.push((name.to_owned(), value));
            rest = after.trim_start();
        }
        Ok(Self { head: "", options })
    }

    /// What is left, in the form it came in.
    pub(super) fn to_text(&self) -> String {
        if self.head.is_empty() {
            let kept = |value: &str| value.replace('\\', r"\\").replace('\'', r"\'");
            return self.options.iter().map(|(name, value)| format!("{name}='{}' ", kept(value))).collect();
        }
        let options = self.options.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        format!("{}?{}", self.head, options.collect::<Vec<_>>().join("&"))
    }

    /// Takes an option out; where it is given twice, the last one counts.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.options.extract_if(.., |(key, _)| key == name).last().map(|(_, value)| value)
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Refusal> {
    percent_decode_str(text).decode_utf8().map_err(|_| "an option after the ? is not UTF-8 once its percent signs are decoded")
}

/// One value and what follows it.
fn value(text: &str) -> Result<(String, &str), Refusal> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, next)| next)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if character.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            _ => value.push(character),
        }
    }
    if quoted { Err("a single quote is not closed") } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_keeps_its_head_and_gives_its_options() {
        let mut words = Words::of("postgresql://u:p%40?w@h:1/db?sslmode=verify-full&sslrootcert=%2Fa%20b&sslmode=require").unwrap();
        assert_eq!(words.head, "postgresql://u:p%40?w@h:1/db");
        assert_eq!(words.take("sslmode").as_deref(), Some("require"));
        assert_eq!(words.take("sslrootcert").as_deref(), Some("/a b"));
        assert!(words.options.is_empty() && words.take("sslcert").is_none());
    }

    #[test]
    fn an_at_sign_may_stand_in_an_option() {
        let mut words = Words::of("postgresql://h/db?user=u&password=p@ss").unwrap();
        assert_eq!(words.to_text(), "postgresql://h/db?user=u&password=p%40ss");
        assert_eq!((words.head, words.take("password").as_deref()), ("postgresql://h/db", Some("p@ss")));
    }

    #[test]
    fn what_is_neither_form_is_refused_without_a_word_of_it() {
        for text in [
            "hunter2",
            "host=h password=hun ter2",
            "postgresql://u:hun@ter2@h/db",
            "postgres://u:hun/ter2@h",
            "postgresql://h/db?hunter2",
            "password='hunter2",
        ] {
            let refusal = Words::of(text).err().unwrap();
            assert!(!refusal.contains("hun") && !refusal.contains("ter2"), "{refusal}");
        }
    }

    proptest! {
        #[test]
        fn pairs_read_back_whatever_is_in_a_value(values in proptest::collection::vec(r#"[a '\\=é]{0,6}"#, 0..4), quoted: bool) {
            let mut text = String::new();
            for (number, value) in values.iter().enumerate() {
                let kept = value.replace('\\', r"\\").replace('\'', r"\'");
                if quoted || value.is_empty() || value.contains(' ') {
                    text += &format!(" k{number} = '{kept}'");
                } else {
                    text += &format!(" k{number}={kept}");
                }
            }
            let read: Vec<String> = Words::of(&text).unwrap().options.into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }
    }
}
