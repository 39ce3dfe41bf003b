//! TLS: whose certificate is believed, and what is said of one that is not.

use brain_core::{ErrorKind, Result, SimilarityBackend};
use brain_testkit::services::{self, Server, Tls};

use super::refusals::assert_says;
use crate::server::{backend_with, run};

fn server() -> (Server, Tls) {
    let server = services::redis_tls();
    let tls = server.tls.clone().unwrap();
    (server, tls)
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

fn health(parameters: &[(&str, &str)]) -> Result<String> {
    run(backend_with(parameters).health()).map(|health| health.detail)
}

#[test]
fn the_right_authority() {
    let (server, tls) = server();
    let (url, port, authority) = (server.url(), server.port.to_string(), text(&tls.ca_file));
    assert!(health(&[("url", &url), ("ssl_root_cert", &authority)]).unwrap().contains(&port));
    let parts = [("host", server.host.as_str()), ("port", &port), ("username", &server.user), ("password", &server.password)];
    assert!(health(&[&parts[..], &[("tls", "true"), ("ssl_root_cert", &authority)]].concat()).is_ok());
}

#[test]
fn another_authority() {
    let (server, tls) = server();
    let other = text(&tls.other_ca_file.unwrap());
    let error = health(&[("url", &server.url()), ("ssl_root_cert", &other)]).unwrap_err();
    assert_says(&error, &server, ErrorKind::Config, "certificate", "ssl_root_cert");
    assert!(!error.is_retryable());
}

#[test]
fn the_systems_authorities() {
    let (server, _) = server();
    let error = health(&[("url", &server.url())]).unwrap_err();
    assert_says(&error, &server, ErrorKind::Config, "certificate", "ssl_root_cert");
}

#[test]
fn tls_that_the_server_does_not_speak() {
    let server = services::redis();
    let url = server.url().replace("redis://", "rediss://");
    let error = health(&[("url", &url)]).unwrap_err();
    assert_says(&error, &server, ErrorKind::Unavailable, "did not answer in time", "redis://");
}

#[test]
fn a_server_that_speaks_nothing_but_tls() {
    let (server, _) = server();
    let url = server.url().replace("rediss://", "redis://");
    let error = health(&[("url", &url)]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Unavailable), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("rediss://") || hint.contains("tls")), "{error:?}");
}

/// The server asks for none here; it is sent all the same, and its files are read.
#[test]
fn a_client_certificate() {
    let (server, tls) = server();
    let postgres = services::postgres_tls().tls.unwrap().client.unwrap();
    let (url, root, cert, key) = (server.url(), text(&tls.ca_file), text(&postgres.cert_file), text(&postgres.key_file));
    let parameters = [("url", url.as_str()), ("ssl_root_cert", &root), ("ssl_cert", &cert), ("ssl_key", &key)];
    assert!(health(&parameters).is_ok());
    for (parameters, says) in [
        (vec![("ssl_root_cert", "/nowhere/ca.pem")], "/nowhere/ca.pem"),
        (vec![("ssl_root_cert", key.as_str())], "no certificate"),
        (vec![("ssl_root_cert", root.as_str()), ("ssl_cert", &cert), ("ssl_key", &cert)], "no private key"),
        (vec![("ssl_root_cert", root.as_str()), ("ssl_cert", &cert)], "ssl_key"),
    ] {
        let error = health(&[&[("url", url.as_str())], &parameters[..]].concat()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::NotFound) && error.message().contains(says), "{says}: {error:?}");
    }
}
