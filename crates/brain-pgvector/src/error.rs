//! What the driver and the server say, as the library's one error: which kind, what was wrong with what, how to mend it.
//!
//! No credential can come along: connection strings are read by [`Settings`](crate::Settings), never by the driver as they were given, and the server
//! does not repeat passwords. Sources are the driver's own errors, which hold the server's message or the system's.

use std::error::Error as _;
use std::io;

use brain_core::{Error, ErrorKind};
use tokio_postgres::error::{DbError, SqlState};

/// What failed while doing `what` ("search the table x"), as the library's error: "cannot `what`: …".
pub(crate) fn of(error: tokio_postgres::Error, what: &str) -> Error {
    let verdict = if let Some(server) = error.as_db_error() {
        of_server(server)
    } else if let Some(io) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        of_io(io)
    } else if error.is_closed() {
        lost("the server closed the connection")
    } else {
        of_driver(&error)
    };
    let made = Error::new(verdict.kind, format!("cannot {what}: {}", verdict.reason)).with_source(error);
    let made = if verdict.retryable { made.retryable() } else { made };
    if verdict.hint.is_empty() { made } else { made.with_hint(verdict.hint) }
}

/// A certificate, key or handshake that did not do, in the words of the side that refused.
pub(crate) fn of_tls(error: &rustls::Error) -> (String, &'static str) {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error as Tls};
    match error {
        Tls::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => (
            "the server's certificate is not signed by a certificate of ssl_root_cert".to_owned(),
            "point ssl_root_cert to the certificate of the authority that signed the server's (the server's administrator has it)",
        ),
        Tls::InvalidCertificate(name @ (Certificate::NotValidForName | Certificate::NotValidForNameContext { .. })) => (
            format!("the server's certificate is for another name: {name}"),
            "connect by a name that the certificate holds as subjectAltName, or use sslmode=verify-ca, which does not look at the name",
        ),
        Tls::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            ("the server's certificate has expired".to_owned(), "the server's administrator renews it; check this machine's clock too")
        }
        Tls::InvalidCertificate(other) => (format!("the server's certificate cannot be used: {other}"), ""),
        Tls::AlertReceived(Alert::CertificateRequired) => {
            ("the server wants a client certificate".to_owned(), "name its files with ssl_cert and ssl_key")
        }
        Tls::AlertReceived(Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::DecryptError | Alert::AccessDenied) => (
            "the server refused the client certificate".to_owned(),
            "ssl_cert must be signed by an authority of the server's ssl_ca_file, and its common name be the user's",
        ),
        Tls::AlertReceived(Alert::CertificateExpired) => {
            ("the server refused the client certificate: it has expired".to_owned(), "renew ssl_cert and ssl_key")
        }
        other => (format!("TLS failed: {other}"), ""),
    }
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

const AGAIN: &str = "run the same command again; nothing that was acknowledged is lost";

fn lost(reason: impl Into<String>) -> Verdict {
    passing(ErrorKind::Unavailable, reason, AGAIN)
}

fn of_server(server: &DbError) -> Verdict {
    use ErrorKind::{Auth, Conflict, Corrupt, Timeout, Unavailable, Unexpected, Unsupported};
    let says = || said_by(server);
    let code = server.code();
    match *code {
        SqlState::INVALID_PASSWORD => {
            final_verdict(Auth, says(), "check user and password in connection_string; special characters of a URL are percent-encoded, @ as %40")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => final_verdict(Auth, says(), of_authorization(server.message())),
        SqlState::INVALID_CATALOG_NAME => {
            final_verdict(ErrorKind::NotFound, says(), "check the name in connection_string, or make the database with `createdb`")
        }
        SqlState::CANNOT_CONNECT_NOW => passing(Unavailable, says(), "wait until the server has started, and run the same command again"),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::DATABASE_DROPPED | SqlState::IDLE_SESSION_TIMEOUT => lost(says()),
        SqlState::TOO_MANY_CONNECTIONS => {
            passing(Unavailable, says(), "lower pool_size, raise the server's max_connections, or connect through a pooler such as pgbouncer")
        }
        SqlState::QUERY_CANCELED if server.message().contains("statement timeout") => {
            final_verdict(Timeout, says(), "raise statement_timeout (in seconds; 0 for no limit), or ask for less at once")
        }
        SqlState::QUERY_CANCELED => final_verdict(Timeout, says(), "someone cancelled the statement, on this side or on the server"),
        SqlState::LOCK_NOT_AVAILABLE => passing(Conflict, says(), "another session holds a lock on the table; run the same command again"),
        SqlState::DISK_FULL => {
            final_verdict(Unavailable, says(), "free some space on the server and run the same command again; nothing that was acknowledged is lost")
        }
        SqlState::OUT_OF_MEMORY => final_verdict(Unavailable, says(), "lower work_mem or maintenance_work_mem, or give the server more memory"),
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            passing(Conflict, says(), "another session changed the same rows at the same time; run the same command again")
        }
        SqlState::INSUFFICIENT_PRIVILEGE => final_verdict(Auth, says(), "connect as another user, or let the owner GRANT this one what is missing"),
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            final_verdict(Unavailable, says(), "connect to the primary server; this one is read-only (a standby, or default_transaction_read_only)")
        }
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => final_verdict(ErrorKind::NotFound, says(), "check table_name and schema_name"),
        SqlState::UNDEFINED_OBJECT if EXTENSION_TYPES.iter().any(|name| server.message().contains(&format!("type \"{name}\""))) => {
            final_verdict(Unsupported, says(), "install pgvector in this database: CREATE EXTENSION vector")
        }
        SqlState::DUPLICATE_TABLE | SqlState::DUPLICATE_OBJECT | SqlState::DUPLICATE_SCHEMA => {
            final_verdict(ErrorKind::AlreadyExists, says(), "choose another name, or attach to what is there")
        }
        SqlState::UNIQUE_VIOLATION => final_verdict(Conflict, says(), "an item with this id is there already"),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            final_verdict(Corrupt, says(), "rebuild the index with REINDEX; where the table is damaged, restore it from a backup")
        }
        _ => match &code.code()[..2] {
            "08" => lost(says()),
            "53" => passing(Unavailable, says(), "the server lacks a resource now; run the same command again"),
            "28" => final_verdict(Auth, says(), "check user and password in connection_string"),
            "58" => final_verdict(Unavailable, says(), "the server's own system failed it; its log says more"),
            "0A" => final_verdict(Unsupported, says(), ""),
            _ => final_verdict(Unexpected, format!("{} (SQLSTATE {})", says(), code.code()), ""),
        },
    }
}

const EXTENSION_TYPES: [&str; 3] = ["vector", "halfvec", "sparsevec"];

fn said_by(server: &DbError) -> String {
    match server.detail() {
        Some(detail) => format!("{} ({detail})", server.message()),
        None => server.message().to_owned(),
    }
}

/// One SQLSTATE stands for several refusals, which only the text tells apart.
fn of_authorization(message: &str) -> &'static str {
    if message.contains("client certificate") {
        "name the files of a client certificate with ssl_cert and ssl_key"
    } else if message.contains("no encryption") {
        "the server takes this user by TLS only: use sslmode=require or stricter"
    } else if message.contains("does not exist") {
        "check the user in connection_string, or make the user with `createuser`"
    } else {
        "check the user in connection_string, and the server's pg_hba.conf"
    }
}

fn of_io(io: &io::Error) -> Verdict {
    use io::ErrorKind as Io;
    if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let (reason, hint) = of_tls(tls);
        return final_verdict(ErrorKind::Config, reason, hint);
    }
    let hint = "check that the server runs and that host and port of connection_string are right";
    match io.kind() {
        Io::ConnectionRefused | Io::NotFound => passing(ErrorKind::Unavailable, "no server answers there", hint),
        Io::TimedOut => passing(ErrorKind::Unavailable, "the server did not answer in time", hint),
        Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown => {
            passing(ErrorKind::Unavailable, format!("the network does not lead there: {io}"), hint)
        }
        Io::PermissionDenied => final_verdict(ErrorKind::Unavailable, format!("this user may not connect there: {io}"), ""),
        Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => lost("the connection to the server broke"),
        // A name that does not resolve has no kind of its own.
        _ => passing(ErrorKind::Unavailable, io.to_string(), hint),
    }
}

/// The driver's own refusals; it tells them apart by its text alone.
fn of_driver(error: &tokio_postgres::Error) -> Verdict {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    match cause.as_str() {
        "server does not support TLS" => {
            let hint = "turn on `ssl` in the server's configuration; or use sslmode=prefer, where the network may be trusted";
            final_verdict(ErrorKind::Config, "the server does not offer TLS, which sslmode asks for", hint)
        }
        "password missing" => {
            final_verdict(ErrorKind::Auth, "the server wants a password, and connection_string has none", "add it: postgresql://user:password@host/…")
        }
        "server did not use channel binding" => {
            final_verdict(ErrorKind::Auth, "the server did not use channel binding, which connection_string requires", "use channel_binding=prefer")
        }
        "" => final_verdict(ErrorKind::Unexpected, error.to_string(), ""),
        cause if error.to_string() == "authentication error" => final_verdict(ErrorKind::Auth, format!("authentication failed: {cause}"), ""),
        cause => final_verdict(ErrorKind::Unexpected, format!("{error}: {cause}"), ""),
    }
}
