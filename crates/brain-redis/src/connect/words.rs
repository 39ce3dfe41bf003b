//! A URL, taken apart: `redis://user:password@host:port/db`, or `rediss://` for TLS.
//!
//! The driver reads such URLs too, but its errors repeat words of what they refuse, which may be half of a password.

use percent_encoding::percent_decode_str;

/// What a URL says.
#[derive(Clone, PartialEq)]
pub(super) struct Words {
    pub(super) tls: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) db: Option<i64>,
}

/// Why a text is no such URL, in words that repeat nothing of it.
pub(super) type Refusal = &'static str;

impl Words {
    pub(super) fn of(url: &str) -> Result<Self, Refusal> {
        let url = url.trim();
        let (tls, rest) = match url.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            Some(("redis-cluster" | "rediss-cluster", _)) => return Err("a cluster cannot be searched as one; give one server"),
            Some(("redis-sentinel" | "rediss-sentinel" | "unix" | "redis+unix", _)) => {
                return Err("sentinels and sockets of this machine are not supported; give the server's host and port");
            }
            _ => return Err("it does not begin with redis:// or rediss://"),
        };
        if rest.contains(['?', '#']) {
            return Err("it has a ? or a #, and options are parameters of their own; in a password they are written %3F and %23");
        }
        let (place, db) = rest.split_once('/').map_or((rest, ""), |(place, db)| (place, db));
        if place.matches('@').count() > 1 || db.contains('@') {
            return Err("there is an @ where none can be: in user and password @ is written %40, and / is written %2F");
        }
        let (who, address) = match place.split_once('@') {
            Some((who, address)) => (Some(who), address),
            None => (None, place),
        };
        let (username, password) = match who.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            Some((username, password)) => (decoded(username)?, decoded(password)?),
            None => (None, None),
        };
        let (host, port) = match address.strip_prefix('[') {
            Some(after) => {
                let (host, port) = after.split_once(']').ok_or("a bracket of the host is not closed")?;
                (host, port.strip_prefix(':'))
            }
            None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => Some(port.parse().map_err(|_| "its port is no number up to 65535")?),
            None => None,
        };
        let db = match db.trim_end_matches('/') {
            "" => None,
            db => Some(db.parse().map_err(|_| "what follows its host is no number of a database")?),
        };
        Ok(Self { tls, username, password, host: decoded(host)?, port, db })
    }
}

fn decoded(text: &str) -> Result<Option<String>, Refusal> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "it is not UTF-8 once its percent signs are decoded")?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let words = Words::of("rediss://ann:p%40s%3As@db.example:6380/2").ok().unwrap();
        assert!(words.tls && words.username.as_deref() == Some("ann") && words.password.as_deref() == Some("p@s:s"));
        assert_eq!((words.host.as_deref(), words.port, words.db), (Some("db.example"), Some(6380), Some(2)));
        let words = Words::of("redis://:secret@[::1]").ok().unwrap();
        assert_eq!((words.host.as_deref(), words.port, words.db, words.username), (Some("::1"), None, None, None));
        assert_eq!(words.password.as_deref(), Some("secret"));
        let words = Words::of("redis://h/").ok().unwrap();
        assert_eq!((words.host.as_deref(), words.db, words.password), (Some("h"), None, None));
    }

    #[test]
    fn what_is_no_url_is_refused_without_a_word_of_it() {
        for text in [
            "hunter2",
            "http://hunter2",
            "redis://u:hun@hunter2@h",
            "redis://u:hunter2/x@h",
            "redis://u:hunter2?@h",
            "redis://h:hunter2",
            "redis://h/hunter2",
            "redis-sentinel://hunter2",
        ] {
            let refusal = Words::of(text).err().unwrap();
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
