//! What keeps a client out, and how it is told: the kind, the words, the remedy, and never a password.

use brain_core::{Error, ErrorKind, SimilarityBackend};
use brain_testkit::services::{self, Server};

use crate::place::Place;
use crate::server::{backend, backend_and, backend_with, parameters, run};

/// Two passwords that nobody has.
const WRONG: &str = "hunter2";

fn refusal(server: &Server) -> Error {
    run(backend(server).health()).unwrap_err()
}

/// The error is of this kind, says these words of this server, has this remedy, and gives nothing away.
#[track_caller]
pub(super) fn assert_says(error: &Error, server: &Server, kind: ErrorKind, words: &str, hint: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    let address = format!("{}:{}", server.host, server.port);
    assert!(error.message().contains(&address) && error.message().contains(words), "{error:?}");
    assert!(error.hint().unwrap_or_default().contains(hint), "{error:?}");
    for secret in [server.password.as_str(), WRONG] {
        let said = format!("{error} {error:?} {error:#?} {:?}", error.hint());
        assert!(secret.is_empty() || !said.contains(secret), "it gives a password away: {said}");
    }
    show(error);
}

/// `cargo test -p brain-redis -- --nocapture refusals acl tls` shows what a user reads.
#[expect(clippy::print_stdout, reason = "the messages are what the test is for")]
pub(super) fn show(error: &Error) {
    println!("error: {error}\nhint: {}\n", error.hint().unwrap_or_default());
}

#[test]
fn a_wrong_password() {
    let server = Server { password: WRONG.into(), ..services::redis() };
    let error = refusal(&server);
    assert_says(&error, &server, ErrorKind::Auth, "password", "password");
    assert!(!error.is_retryable());
}

#[test]
fn an_unknown_user() {
    let server = Server { user: "nobody".into(), ..services::redis() };
    assert_says(&refusal(&server), &server, ErrorKind::Auth, "password", "username");
}

#[test]
fn no_password_at_all() {
    let server = services::redis();
    let address = [("host", server.host.as_str()), ("port", &server.port.to_string())].map(|(name, value)| (name, value.to_owned()));
    let address = address.each_ref().map(|(name, value)| (*name, value.as_str()));
    let error = run(backend_with(&address).health()).unwrap_err();
    assert_says(&error, &server, ErrorKind::Auth, "password", "password");
}

#[test]
fn parts_of_an_address_do_as_a_url_does() {
    let server = services::redis();
    let port = server.port.to_string();
    let parts = [("host", server.host.as_str()), ("port", &port), ("username", &server.user), ("password", &server.password), ("db", "0")];
    assert!(run(backend_with(&parts).health()).is_ok());
}

#[test]
fn a_server_that_is_down() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { port: free.local_addr().unwrap().port(), ..services::redis() };
    drop(free);
    let error = refusal(&server);
    assert_says(&error, &server, ErrorKind::Unavailable, "no server answers there", "check that the server runs");
    assert!(error.is_retryable());
}

#[test]
fn a_host_that_is_nowhere() {
    let server = Server { host: "nowhere.invalid".into(), ..services::redis() };
    let error = refusal(&server);
    assert_says(&error, &server, ErrorKind::Unavailable, "", "");
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { port: silent.local_addr().unwrap().port(), ..services::redis() };
    let error = run(backend_and(&server, &[("command_timeout", "1")]).health()).unwrap_err();
    assert_says(&error, &server, ErrorKind::Unavailable, "in time", "");
}

#[test]
fn a_server_without_the_search_module() {
    let server = services::redis_bare();
    assert_says(&refusal(&server), &server, ErrorKind::Unsupported, "search module", "Redis Stack");
    // Nothing is tried on it either.
    let spec = Place::new(services::redis()).spec("x", &[]);
    let error = run(backend(&server).check(&spec)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let error = run(backend(&server).create(&spec)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[test]
fn another_database_than_the_one_that_is_indexed() {
    let server = services::redis();
    for error in [
        run(backend_and(&server, &[("db", "3")]).health()).unwrap_err(),
        run(backend_with(&[("url", &format!("{}/3", server.url()))]).health()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains('3') && error.hint().is_some_and(|hint| hint.contains('0')), "{error:?}");
        show(&error);
    }
}

#[test]
fn a_port_where_something_else_answers() {
    let server = Server { port: services::postgres().port, ..services::redis() };
    let error = run(backend_and(&server, &[("command_timeout", "2")]).health()).unwrap_err();
    assert_says(&error, &server, ErrorKind::Unavailable, "", "");
}

#[test]
fn what_is_no_address_is_refused_as_configuration() {
    for (name, value) in [("url", "http://127.0.0.1:6379"), ("url", "redis://127.0.0.1:notaport"), ("url", "127.0.0.1")] {
        let error = run(backend_with(&[(name, value)]).health()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{value}: {error:?}");
    }
    for (name, value) in [("port", "many"), ("db", "first"), ("algorithm", "TREE"), ("colour", "red")] {
        let error = parameters(&[(name, value)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: {error:?}");
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_backend_shows_no_password() {
    let server = services::redis();
    let backend = backend(&server);
    run(async {
        let shown = backend.health().await.unwrap().detail;
        assert!(shown.contains(&server.port.to_string()) && !shown.contains(&server.password), "{shown}");
    });
    let pool = backend.pool().unwrap();
    let shown = format!("{pool:?} {pool:#?} {:?}", pool.settings());
    assert!(!shown.contains(&server.password), "{shown}");
}

/// What FiftyOne's own client could do on a replica: search, and not write.
#[test]
fn a_replica_is_searched_and_not_written_to() {
    let server = services::redis_faults();
    let place = Place::new((*server).clone());
    run(async {
        let backend = place.backend();
        let spec = place.spec("copied", &[]);
        let index = backend.create(&spec).await.unwrap();
        let rows = crate::faults::rows(40, 1);
        brain_testkit::questions::add(&*index, &rows, Default::default()).await.unwrap();
        let mut client = place.client();
        // Its primary is nowhere, so that it keeps what it has.
        client.say("REPLICAOF 127.0.0.1 1");
        let outcome = async {
            let again = place.backend();
            let read = again.open(&spec).await.unwrap();
            assert_eq!(read.count(brain_core::Scope::All).await.unwrap(), 40);
            assert!(again.health().await.is_ok(), "it answers questions");
            let check = again.check(&place.spec("new", &[])).await.unwrap_err();
            let create = again.create(&place.spec("new", &[])).await.err().unwrap();
            let write = brain_testkit::questions::add(&*read, &rows[..1], Default::default()).await.unwrap_err();
            for error in [check, create, write] {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                assert!(error.message().contains("replica") || error.hint().is_some_and(|hint| hint.contains("primary")), "{error:?}");
            }
        };
        let outcome = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(outcome)).await;
        client.say("REPLICAOF NO ONE");
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
