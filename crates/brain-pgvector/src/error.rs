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
        SqlState::INVALID_PASSWORD => final_verdict(Auth, says(), PASSWORD),
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => final_verdict(Auth, says(), of_authorization(server.message())),
        SqlState::INVALID_CATALOG_NAME => final_verdict(ErrorKind::NotFound, says(), DATABASE),
        SqlState::PROTOCOL_VIOLATION => of_pooler(server.message()),
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
        SqlState::UNDEFINED_OBJECT if server.message().contains("configuration parameter") => {
            final_verdict(Unsupported, says(), "the server's pgvector is too old for this setting; update it")
        }
        SqlState::INVALID_PARAMETER_VALUE if server.message().contains("parameter \"") => {
            final_verdict(ErrorKind::Config, says(), "correct the parameter of that name")
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
            "23" => final_verdict(Conflict, says(), "the table has rules of its own, which these rows do not keep"),
            "53" => passing(Unavailable, says(), "the server lacks a resource now; run the same command again"),
            "28" => final_verdict(Auth, says(), "check user and password in connection_string"),
            "58" => final_verdict(Unavailable, says(), "the server's own system failed it; its log says more"),
            "0A" => final_verdict(Unsupported, says(), ""),
            _ => final_verdict(Unexpected, format!("{} (SQLSTATE {})", says(), code.code()), ""),
        },
    }
}

const PASSWORD: &str = "check user and password in connection_string; special characters of a URL are percent-encoded, @ as %40";
const DATABASE: &str = "check the name in connection_string, or make the database with `createdb`";

/// pgbouncer gives this one SQLSTATE to what it refuses itself, and to what the server refused it.
fn of_pooler(message: &str) -> Verdict {
    if message.contains("authentication failed") || message.contains("no such user") {
        final_verdict(ErrorKind::Auth, message, PASSWORD)
    } else if message.contains("no such database") || message.starts_with("database ") && message.ends_with("does not exist") {
        final_verdict(ErrorKind::NotFound, message, DATABASE)
    } else if message.contains("unsupported startup parameter") {
        final_verdict(ErrorKind::Config, message, "leave the option out of connection_string, or add it to ignore_startup_parameters of the pooler")
    } else {
        lost(message)
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
        // Of the system, or of the driver, where target_session_attrs asks for another kind of server.
        Io::PermissionDenied => final_verdict(ErrorKind::Unavailable, io.to_string(), ""),
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use tokio::io::AsyncWriteExt;
    use tokio_postgres::{Config, NoTls};

    /// What the driver makes of a server that answers so.
    fn answered(bytes: &[u8]) -> tokio_postgres::Error {
        block_on(async {
            let (client, mut server) = tokio::io::duplex(1024);
            server.write_all(bytes).await.unwrap();
            server.shutdown().await.unwrap();
            let mut config = Config::new();
            config.user("ann").password("hunter2").ssl_mode(tokio_postgres::config::SslMode::Disable);
            config.connect_raw(client, NoTls).await.err().unwrap()
        })
    }

    fn refused(code: &str, message: &str) -> Error {
        let fields = format!("SERROR\0VERROR\0C{code}\0M{message}\0\0");
        let mut bytes = vec![b'E'];
        bytes.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
        bytes.extend(fields.as_bytes());
        of(answered(&bytes), "search the table x")
    }

    #[test]
    fn each_refusal_of_the_server_has_its_kind_and_its_remedy() {
        use ErrorKind::{AlreadyExists, Auth, Conflict, Corrupt, NotFound, Timeout, Unavailable, Unsupported};
        for (code, message, kind, retryable, hint) in [
            ("28P01", "password authentication failed for user \"ann\"", Auth, false, "check user and password"),
            ("28000", "no pg_hba.conf entry for host \"h\", user \"ann\", database \"d\", no encryption", Auth, false, "sslmode=require"),
            ("28000", "connection requires a valid client certificate", Auth, false, "ssl_cert"),
            ("28000", "role \"ann\" does not exist", Auth, false, "createuser"),
            ("08P01", "SASL authentication failed", Auth, false, "check user and password"),
            ("08P01", "no such database: birds", NotFound, false, "createdb"),
            ("08P01", "database \"birds\" does not exist", NotFound, false, "createdb"),
            ("08P01", "unsupported startup parameter: options", ErrorKind::Config, false, "ignore_startup_parameters"),
            ("08P01", "query_wait_timeout", Unavailable, true, "again"),
            ("3D000", "database \"d\" does not exist", NotFound, false, "createdb"),
            ("57P03", "the database system is starting up", Unavailable, true, "wait"),
            ("57P01", "terminating connection due to administrator command", Unavailable, true, "again"),
            ("57P02", "terminating connection because of crash", Unavailable, true, "again"),
            ("08006", "connection failure", Unavailable, true, "again"),
            ("53300", "sorry, too many clients already", Unavailable, true, "pool_size"),
            ("53100", "could not extend file: No space left on device", Unavailable, false, "free some space"),
            ("53200", "out of memory", Unavailable, false, "work_mem"),
            ("57014", "canceling statement due to statement timeout", Timeout, false, "statement_timeout"),
            ("57014", "canceling statement due to user request", Timeout, false, "cancelled"),
            ("40001", "could not serialize access", Conflict, true, "again"),
            ("40P01", "deadlock detected", Conflict, true, "again"),
            ("55P03", "could not obtain lock", Conflict, true, "lock"),
            ("42501", "permission denied for table x", Auth, false, "GRANT"),
            ("25006", "cannot execute INSERT in a read-only transaction", Unavailable, false, "primary"),
            ("42P01", "relation \"x\" does not exist", NotFound, false, "table_name"),
            ("42704", "type \"vector\" does not exist", Unsupported, false, "CREATE EXTENSION"),
            ("22023", "invalid value for parameter \"work_mem\": \"much\"", ErrorKind::Config, false, "parameter"),
            ("42704", "unrecognized configuration parameter \"hnsw.iterative_scan\"", Unsupported, false, "update"),
            ("42P07", "relation \"x\" already exists", AlreadyExists, false, "another name"),
            ("23505", "duplicate key value", Conflict, false, "id"),
            ("XX002", "index is corrupt", Corrupt, false, "REINDEX"),
        ] {
            let error = refused(code, message);
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{code} {message}");
            assert_eq!(error.message(), format!("cannot search the table x: {message}"));
            assert!(error.hint().is_some_and(|text| text.contains(hint)), "{code}: {:?}", error.hint());
        }
    }

    #[test]
    fn an_unknown_refusal_keeps_its_code() {
        let error = refused("42601", "syntax error");
        assert_eq!(error.kind(), ErrorKind::Unexpected);
        assert!(error.message().contains("syntax error (SQLSTATE 42601)"), "{error}");
    }

    #[test]
    fn a_connection_that_ends_may_come_back() {
        let error = of(answered(b""), "search the table x");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_that_is_not_there_is_said_so() {
        let config = Config::new();
        let wants_password = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];
        let error = block_on(async {
            let (client, mut server) = tokio::io::duplex(1024);
            server.write_all(&wants_password).await.unwrap();
            let mut config = config;
            config.user("ann").ssl_mode(tokio_postgres::config::SslMode::Disable);
            config.connect_raw(client, NoTls).await.err().unwrap()
        });
        let error = of(error, "connect to h:5432/d");
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.message().ends_with("the server wants a password, and connection_string has none"), "{error}");
    }
}
