//! What the driver and the server say, as the library's one error: which kind, what was wrong with what, how to mend it.
//!
//! No credential can come along: URLs are read by [`Settings`](crate::Settings), never by the driver, and the server does not repeat passwords. The driver
//! tells little but the server's words, so it is these that are read.

use brain_core::{Error, ErrorKind};
use fred::error::{Error as DriverError, ErrorKind as DriverKind};

pub(crate) const AGAIN: &str = "run the same command again; nothing that was acknowledged is lost";

/// What failed while doing `what` ("search the index x"), as the library's error: "cannot `what`: …".
pub(crate) fn of(error: DriverError, what: &str) -> Error {
    let Verdict { kind, reason, hint, retryable } = verdict(&error);
    let made = Error::new(kind, format!("cannot {what}: {reason}")).with_source(error);
    let made = if retryable { made.retryable() } else { made };
    if hint.is_empty() { made } else { made.with_hint(hint) }
}

/// Why a first connection is not made. One that hangs or breaks then often leads to a server that speaks TLS where it is not spoken to so, or the other
/// way round: neither side says it.
pub(crate) fn of_connecting(error: DriverError, address: &str, with_tls: bool) -> Error {
    let reason = match verdict(&error) {
        Verdict { kind: ErrorKind::Timeout, .. } => "the server did not answer in time",
        Verdict { hint: AGAIN, .. } => "the server closed the connection",
        _ => return of(error, &format!("connect to Redis at {address}")),
    };
    let hint = if with_tls {
        "check host and port; where the server speaks no TLS, set tls to false, or begin url with redis://"
    } else {
        "check host and port; where the server speaks nothing but TLS, set tls to true, or begin url with rediss://"
    };
    let message = format!("cannot connect to Redis at {address}: {reason}");
    Error::new(ErrorKind::Unavailable, message).with_hint(hint).with_source(error).retryable()
}

/// Whether nobody knows what became of a command: its answer never came.
pub(crate) fn is_lost(error: &DriverError) -> bool {
    matches!(error.kind(), DriverKind::IO | DriverKind::Canceled | DriverKind::Timeout | DriverKind::Protocol | DriverKind::Routing)
        || is_given_up(error.details())
}

/// What the driver says where it does not send a command again.
fn is_given_up(details: &str) -> bool {
    details.contains("attempts") || details.contains("Failed to route")
}

/// What the server says, without that it discarded a transaction for it: it may find so only at the transaction's end.
fn words(error: &DriverError) -> &str {
    let says = error.details();
    says.strip_prefix("EXECABORT Transaction discarded because of: ").unwrap_or(says)
}

/// Whether the server has no memory left for what is written.
pub(crate) fn is_out_of_memory(error: &DriverError) -> bool {
    words(error).starts_with("OOM")
}

/// Whether the server says that there is no index of the name.
pub(crate) fn is_unknown_index(error: &DriverError) -> bool {
    let details = error.details().to_ascii_lowercase();
    details.contains("unknown index name") || details.contains("no such index")
}

/// Whether the server says that there is an index of the name already.
pub(crate) fn is_taken_index(error: &DriverError) -> bool {
    error.details().to_ascii_lowercase().contains("index already exists")
}

/// With how many rows the server answers at most, where it says so.
pub(crate) fn rows_most(error: &DriverError) -> Option<usize> {
    error.details().split("LIMIT exceeds maximum of ").nth(1)?.trim().parse().ok()
}

struct Verdict {
    kind: ErrorKind,
    reason: String,
    hint: &'static str,
    retryable: bool,
}

fn final_verdict(kind: ErrorKind, reason: impl Into<String>, hint: &'static str) -> Verdict {
    Verdict { kind, reason: reason.into(), hint, retryable: false }
}

fn passing(kind: ErrorKind, reason: impl Into<String>, hint: &'static str) -> Verdict {
    Verdict { kind, reason: reason.into(), hint, retryable: true }
}

/// Whether a text begins as the server's errors do: a word in capitals.
fn has_code(details: &str) -> bool {
    let code = details.split(' ').next().unwrap_or_default();
    code.len() >= 3 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

const CREDENTIALS: &str = "check username and password, or those in url, where special characters are percent-encoded, @ as %40";
const THERE: &str = "check that the server runs and that host and port are right";

fn verdict(error: &DriverError) -> Verdict {
    let says = words(error);
    match error.kind() {
        DriverKind::Tls => return of_tls(says),
        DriverKind::Timeout => {
            return passing(ErrorKind::Timeout, "no answer came in time", "raise command_timeout (in seconds), or do less at once");
        }
        DriverKind::Backpressure => return passing(ErrorKind::Unavailable, "too many commands wait for their answers", "do less at once"),
        DriverKind::IO if says.contains("ConnectionRefused") || says.contains("NotFound") => {
            return passing(ErrorKind::Unavailable, "no server answers there", THERE);
        }
        DriverKind::IO if says.contains("TimedOut") => return passing(ErrorKind::Unavailable, "the server did not answer in time", THERE),
        DriverKind::IO if says.contains("InvalidData") || says.contains("InvalidCertificate") || says.contains("AlertReceived") => {
            return of_tls(says);
        }
        DriverKind::IO if says.contains("HostUnreachable") || says.contains("NetworkUnreachable") => {
            return passing(ErrorKind::Unavailable, "the network does not lead there", THERE);
        }
        DriverKind::IO if says.contains("lookup address") || says.contains("Name or service") || says.contains("No address") => {
            return passing(ErrorKind::Unavailable, "the name of the host is not known", THERE);
        }
        DriverKind::IO | DriverKind::Canceled | DriverKind::Routing => {
            return passing(ErrorKind::Unavailable, "the connection to the server broke", AGAIN);
        }
        _ if is_given_up(says) => return passing(ErrorKind::Unavailable, "the connection to the server broke", AGAIN),
        _ => {}
    }
    match says.split(' ').next().unwrap_or_default() {
        "WRONGPASS" => final_verdict(ErrorKind::Auth, "the server refused the password", CREDENTIALS),
        "NOAUTH" => final_verdict(
            ErrorKind::Auth,
            "the server wants a password, and there is none",
            "set password, or url to redis://user:password@host:port",
        ),
        "NOPERM" => final_verdict(
            ErrorKind::Auth,
            without_code(says),
            "give the user what is missing with ACL SETUSER: a command (+ft.search), or keys (~birds:*)",
        ),
        "OOM" => final_verdict(
            ErrorKind::Unavailable,
            "the server's memory is full (maxmemory)",
            "free some of it or raise maxmemory, and run the same command again; nothing that was acknowledged is lost",
        ),
        "READONLY" => final_verdict(ErrorKind::Unavailable, "the server is read-only: it is a replica", "connect to the primary server"),
        "MISCONF" => final_verdict(
            ErrorKind::Unavailable,
            "the server takes no writes as it cannot write its snapshots",
            "look at the server's log and its disk; then run the same command again",
        ),
        "LOADING" => {
            passing(ErrorKind::Unavailable, "the server is reading its data back", "wait until it has started, and run the same command again")
        }
        "BUSY" => passing(ErrorKind::Unavailable, "the server is busy with a script", "run the same command again"),
        "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS" => passing(ErrorKind::Unavailable, says, "run the same command again"),
        // What was wrong with its commands is an answer of its own, which came before; a transaction that was discarded for its end says why.
        "EXECABORT" => passing(ErrorKind::Unavailable, "the server refused a command of the transaction, and did nothing of it", AGAIN),
        "WRONGTYPE" => {
            final_verdict(ErrorKind::Conflict, "a key of the index holds something else than a vector", "another program writes under the same keys")
        }
        _ => of_words(error, says),
    }
}

fn of_words(error: &DriverError, says: &str) -> Verdict {
    let lower = says.to_ascii_lowercase();
    if error.kind() == &DriverKind::Auth {
        // A server with `requirepass` alone, or one without any password, says it in its own ways.
        return final_verdict(ErrorKind::Auth, without_code(says), CREDENTIALS);
    }
    if lower.contains("max number of clients") {
        return passing(ErrorKind::Unavailable, "the server has too many connections", "lower pool_size, or raise the server's maxclients");
    }
    if lower.contains("timeout limit was reached") {
        return final_verdict(ErrorKind::Timeout, "the search took longer than it may", "raise query_timeout (in seconds), or ask for less at once");
    }
    if is_unknown_index(error) {
        return final_verdict(
            ErrorKind::NotFound,
            "the server has no such index",
            "check index_name; a server that keeps nothing over a restart loses its indexes",
        );
    }
    if rows_most(error).is_some() {
        return final_verdict(ErrorKind::Unsupported, without_code(says), "raise the server's MAXSEARCHRESULTS, or ask for less at once");
    }
    if lower.contains("unknown command") {
        return final_verdict(
            ErrorKind::Unsupported,
            without_code(says),
            "use Redis Stack or Redis 8, or load the module that has it (RediSearch, RedisJSON)",
        );
    }
    if lower.contains("vector index initial capacity") || lower.contains("out of memory") || lower.contains("oom") {
        return final_verdict(ErrorKind::Unavailable, without_code(says), "give the server more memory");
    }
    if error.kind() == &DriverKind::Protocol || error.kind() == &DriverKind::Parse {
        return passing(ErrorKind::Unavailable, format!("what came back is no answer of Redis ({says})"), THERE);
    }
    final_verdict(ErrorKind::Unexpected, without_code(says), "")
}

fn of_tls(says: &str) -> Verdict {
    let (reason, hint) = if says.contains("UnknownIssuer") || says.contains("BadSignature") {
        (
            "the server's certificate is not signed by a certificate of ssl_root_cert".to_owned(),
            "point ssl_root_cert to the certificate of the authority that signed the server's (the server's administrator has it)",
        )
    } else if says.contains("NotValidForName") {
        ("the server's certificate is for another name".to_owned(), "connect by a name that the certificate holds as subjectAltName")
    } else if says.contains("CertificateExpired") && says.contains("Alert") {
        ("the server refused the client certificate: it has expired".to_owned(), "renew ssl_cert and ssl_key")
    } else if says.contains("Expired") {
        ("the server's certificate has expired".to_owned(), "the server's administrator renews it; check this machine's clock too")
    } else if says.contains("CertificateRequired") {
        ("the server wants a client certificate".to_owned(), "name its files with ssl_cert and ssl_key")
    } else if says.contains("AlertReceived") {
        ("the server refused the client certificate".to_owned(), "ssl_cert must be signed by an authority of the server's tls-ca-cert-file")
    } else if says.contains("InvalidContentType") || says.contains("InvalidMessage") {
        ("the server does not speak TLS there".to_owned(), "set tls to false, or begin url with redis://; or name the port that has TLS (tls-port)")
    } else {
        (format!("TLS failed: {says}"), "")
    };
    final_verdict(ErrorKind::Config, reason, hint)
}

/// The server's words without the code before them.
fn without_code(says: &str) -> String {
    match says.split_once(' ') {
        Some((_, rest)) if has_code(says) => rest.to_owned(),
        _ => says.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_kind_and_its_remedy() {
        use ErrorKind::{Auth, Config, NotFound, Timeout, Unavailable, Unsupported};
        for (kind, says, expected, retryable, hint) in [
            (DriverKind::Auth, "WRONGPASS invalid username-password pair or user is disabled.", Auth, false, "password"),
            (DriverKind::Auth, "NOAUTH HELLO must be called with the client already authenticated", Auth, false, "set password"),
            (DriverKind::Unknown, "NOPERM User ann has no permissions to run the 'ft.create' command", Auth, false, "ACL SETUSER"),
            (DriverKind::Unknown, "OOM command not allowed when used memory > 'maxmemory'.", Unavailable, false, "maxmemory"),
            (DriverKind::Unknown, "EXECABORT Transaction discarded because of: OOM command not allowed", Unavailable, false, "maxmemory"),
            (DriverKind::Unknown, "READONLY You can't write against a read only replica.", Unavailable, false, "primary"),
            (DriverKind::Unknown, "LOADING Redis is loading the dataset in memory", Unavailable, true, "wait"),
            (DriverKind::Unknown, "MISCONF Redis is configured to save RDB snapshots", Unavailable, false, "log"),
            (DriverKind::Unknown, "ERR max number of clients reached", Unavailable, true, "pool_size"),
            (DriverKind::Unknown, "Timeout limit was reached", Timeout, false, "query_timeout"),
            (DriverKind::Unknown, "Unknown index name", NotFound, false, "index_name"),
            (DriverKind::Unknown, "ERR unknown command 'JSON.SET'", Unsupported, false, "RedisJSON"),
            (DriverKind::Timeout, "Request timed out.", Timeout, true, "command_timeout"),
            (DriverKind::IO, "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }", Unavailable, true, "host and port"),
            (DriverKind::IO, "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }", Config, false, "ssl_root_cert"),
            (DriverKind::IO, "Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }", Config, false, "redis://"),
            (DriverKind::Canceled, "Canceled.", Unavailable, true, "again"),
        ] {
            let error = of(DriverError::new(kind, says), "search the index x");
            assert_eq!((error.kind(), error.is_retryable()), (expected, retryable), "{says}");
            assert!(error.message().starts_with("cannot search the index x: "), "{error}");
            assert!(error.hint().is_some_and(|text| text.contains(hint)), "{says}: {:?}", error.hint());
        }
    }

    #[test]
    fn an_answer_that_never_came_is_lost() {
        assert!(is_lost(&DriverError::new(DriverKind::Canceled, "Canceled.")));
        assert!(is_lost(&DriverError::new(DriverKind::IO, "Os { kind: BrokenPipe }")));
        assert_eq!(rows_most(&DriverError::new(DriverKind::Unknown, "LIMIT exceeds maximum of 10000")), Some(10_000));
        let full = DriverError::new(DriverKind::Unknown, "EXECABORT Transaction discarded because of: OOM command not allowed");
        assert!(!is_lost(&full) && is_out_of_memory(&full));
    }
}
