//! What a user reads when the connection cannot be made. `cargo test -p brain-pgvector -- --nocapture refusals` prints the messages.

use brain_core::{Error, ErrorKind};
use brain_testkit::services::{self, Server};

use crate::server::{pool, pool_of, run, settings};

fn refusal(connection_string: &str) -> Error {
    run(pool_of(connection_string).get()).err().unwrap()
}

/// Checks kind, message and hint, and that no part of the error shows the password.
#[track_caller]
#[expect(clippy::print_stdout, reason = "the messages are what the test is for")]
fn assert_says(error: &Error, server: &Server, kind: ErrorKind, message: &str, hint: &str) {
    println!("error: {error}\nhint: {}\n", error.hint().unwrap_or_default());
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.message(), message);
    assert!(error.hint().is_some_and(|text| text.contains(hint)), "{error:?}");
    assert!(!format!("{error:?}").contains(&server.password), "{error:?}");
}

#[test]
fn a_wrong_password() {
    let server = Server { password: "hunter2".into(), ..services::postgres() };
    let (port, user) = (server.port, &server.user);
    let message = format!("cannot connect to PostgreSQL at 127.0.0.1:{port}/brain: password authentication failed for user \"{user}\"");
    assert_says(&refusal(&server.url()), &server, ErrorKind::Auth, &message, "check user and password in connection_string");
}

#[test]
fn no_password() {
    let server = services::postgres();
    let error = refusal(&format!("host={} port={} user={} dbname=brain", server.host, server.port, server.user));
    let message =
        format!("cannot connect to PostgreSQL at 127.0.0.1:{}/brain: the server wants a password, and connection_string has none", server.port);
    assert_says(&error, &server, ErrorKind::Auth, &message, "password");
}

#[test]
fn a_wrong_database() {
    let server = Server { database: "birds".into(), ..services::postgres() };
    let message = format!("cannot connect to PostgreSQL at 127.0.0.1:{}/birds: database \"birds\" does not exist", server.port);
    assert_says(&refusal(&server.url()), &server, ErrorKind::NotFound, &message, "createdb");
}

#[test]
fn a_server_that_is_down() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { port: free.local_addr().unwrap().port(), ..services::postgres() };
    drop(free);
    let message = format!("cannot connect to PostgreSQL at 127.0.0.1:{}/brain: no server answers there", server.port);
    let error = refusal(&server.url());
    assert_says(&error, &server, ErrorKind::Unavailable, &message, "check that the server runs");
    assert!(error.is_retryable());
}

#[test]
fn a_host_that_is_nowhere() {
    let server = Server { host: "nowhere.invalid".into(), ..services::postgres() };
    let error = refusal(&server.url());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().starts_with(&format!("cannot connect to PostgreSQL at nowhere.invalid:{}/brain: ", server.port)), "{error}");
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { port: silent.local_addr().unwrap().port(), ..services::postgres() };
    let message = format!("cannot connect to PostgreSQL at 127.0.0.1:{}/brain: the server did not answer in time", server.port);
    let error = refusal(&format!("{}?connect_timeout=1", server.url()));
    assert_says(&error, &server, ErrorKind::Unavailable, &message, "PostgreSQL's");
}

#[test]
fn a_missing_extension() {
    let server = Server { database: "postgres".into(), ..services::postgres() };
    let message = format!("the extension pgvector is not installed in 127.0.0.1:{}/postgres", server.port);
    assert_says(&refusal(&server.url()), &server, ErrorKind::Unsupported, &message, "CREATE EXTENSION vector");
}

#[test]
fn tls_that_the_server_does_not_offer() {
    let server = services::postgres();
    let message = format!("cannot connect to PostgreSQL at 127.0.0.1:{}/brain: the server does not offer TLS, which sslmode asks for", server.port);
    assert_says(&refusal(&format!("{}?sslmode=require", server.url())), &server, ErrorKind::Config, &message, "sslmode=prefer");
}

#[test]
fn a_wrong_authority() {
    let server = services::postgres_tls();
    let other = server.tls.as_ref().and_then(|tls| tls.other_ca_file.clone()).unwrap();
    let parameters = [("connection_string", format!("{}?sslmode=verify-full", server.url())), ("ssl_root_cert", other.display().to_string())];
    let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
    let error = run(brain_pgvector::Pool::new(settings(&parameters).unwrap()).get()).err().unwrap();
    let message = format!(
        "cannot connect to PostgreSQL at localhost:{}/brain: the server's certificate is not signed by a certificate of ssl_root_cert",
        server.port
    );
    assert_says(&error, &server, ErrorKind::Config, &message, "point ssl_root_cert to");
}

#[test]
fn a_pool_outside_of_a_runtime() {
    let error = futures::executor::block_on(pool(&services::postgres()).get()).err().unwrap();
    assert!(error.message().contains("outside of a tokio runtime"), "{error}");
}
