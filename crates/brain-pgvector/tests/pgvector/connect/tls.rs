//! Every `sslmode`, against a server that the network reaches under TLS only.

use brain_core::{ErrorKind, Result};
use brain_pgvector::{Connection, Pool};
use brain_testkit::services::{self, Server, Tls};

use crate::server::{run, settings};

fn server() -> (Server, Tls) {
    let server = services::postgres_tls();
    let tls = server.tls.clone().unwrap();
    (server, tls)
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

async fn connect(server: &Server, options: &str, parameters: &[(&str, &str)]) -> Result<Connection> {
    let url = format!("{}?{options}", server.url());
    Pool::new(settings(&[&[("connection_string", url.as_str())], parameters].concat())?).get().await
}

async fn is_encrypted(connection: &Connection) -> bool {
    let rows = connection.query(&[], "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
    rows[0].get(0)
}

#[test]
fn the_right_authority_does_for_every_mode_that_encrypts() {
    let (server, tls) = server();
    let root = text(&tls.ca_file);
    run(async {
        for mode in ["allow", "prefer", "require", "verify-ca", "verify-full"] {
            let connection = connect(&server, &format!("sslmode={mode}"), &[("ssl_root_cert", &root)]).await.unwrap();
            assert!(is_encrypted(&connection).await && connection.is_direct(), "{mode}");
        }
        let options = format!("sslmode=verify-full&sslrootcert={root}&channel_binding=require&sslnegotiation=direct");
        assert!(is_encrypted(&connect(&server, &options, &[]).await.unwrap()).await);
    });
}

#[test]
fn no_authority_does_where_nothing_is_to_be_verified() {
    let (server, _) = server();
    run(async {
        for options in ["", "sslmode=prefer", "sslmode=require"] {
            assert!(is_encrypted(&connect(&server, options, &[]).await.unwrap()).await, "{options}");
        }
    });
}

#[test]
fn a_wrong_authority_does_for_no_mode() {
    let (server, tls) = server();
    let other = text(&tls.other_ca_file.unwrap());
    run(async {
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            let error = connect(&server, &format!("sslmode={mode}"), &[("ssl_root_cert", &other)]).await.err().unwrap();
            assert!(error.message().contains("not signed by"), "{mode}: {error}");
        }
        let error = connect(&server, "sslmode=verify-full", &[("ssl_root_cert", "system")]).await.err().unwrap();
        assert!(error.kind() == ErrorKind::Config && !error.is_retryable(), "{error:?}");
    });
}

#[test]
fn a_wrong_name_matters_to_verify_full_alone() {
    let (server, tls) = server();
    let server = Server { host: "db.example".into(), ..server };
    let root = text(&tls.ca_file);
    run(async {
        assert!(connect(&server, "hostaddr=127.0.0.1&sslmode=verify-ca", &[("ssl_root_cert", &root)]).await.is_ok());
        let error = connect(&server, "hostaddr=127.0.0.1&sslmode=verify-full", &[("ssl_root_cert", &root)]).await.err().unwrap();
        assert!(error.message().contains("the server's certificate is for another name"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("verify-ca")), "{error:?}");
    });
}

#[test]
fn the_servers_own_certificate_does_in_place_of_an_authority() {
    let (server, tls) = server();
    let own = text(&tls.ca_file.with_file_name("server.pem"));
    let elsewhere = Server { host: "db.example".into(), ..server.clone() };
    run(async {
        assert!(connect(&server, "sslmode=verify-full", &[("ssl_root_cert", &own)]).await.is_ok());
        assert!(connect(&elsewhere, "hostaddr=127.0.0.1&sslmode=verify-ca", &[("ssl_root_cert", &own)]).await.is_ok());
        let error = connect(&elsewhere, "hostaddr=127.0.0.1&sslmode=verify-full", &[("ssl_root_cert", &own)]).await.err().unwrap();
        assert!(error.message().contains("another name"), "{error}");
    });
}

#[test]
fn without_tls_the_server_says_that_it_wants_it() {
    let (server, _) = server();
    let error = run(connect(&server, "sslmode=disable", &[])).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.hint().is_some_and(|hint| hint.contains("sslmode=require")), "{error:?}");
}

#[test]
fn a_client_certificate_stands_for_a_password() {
    let (server, tls) = server();
    let client = tls.client.unwrap();
    let server = Server { user: client.user.clone(), password: String::new(), ..server };
    let (root, cert, key) = (text(&tls.ca_file), text(&client.cert_file), text(&client.key_file));
    run(async {
        let identity = [("ssl_root_cert", root.as_str()), ("ssl_cert", cert.as_str()), ("ssl_key", key.as_str())];
        let connection = connect(&server, "sslmode=verify-full", &identity).await.unwrap();
        let rows = connection.query(&[], "SELECT current_user::text", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, String>(0), client.user);

        let error = connect(&server, "sslmode=require", &[]).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("ssl_cert")), "{error:?}");
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (server, tls) = server();
    let client = tls.client.unwrap();
    let (root, cert, key) = (text(&tls.ca_file), text(&client.cert_file), text(&client.key_file));
    run(async {
        for (parameters, says) in [
            (vec![("ssl_root_cert", "/nowhere/ca.pem")], "/nowhere/ca.pem"),
            (vec![("ssl_root_cert", key.as_str())], "holds no certificate"),
            (vec![("ssl_root_cert", root.as_str()), ("ssl_cert", cert.as_str()), ("ssl_key", cert.as_str())], "holds no private key"),
            (vec![("ssl_root_cert", root.as_str()), ("ssl_cert", root.as_str()), ("ssl_key", key.as_str())], "cannot be used"),
        ] {
            let error = connect(&server, "sslmode=verify-full", &parameters).await.err().unwrap();
            assert!(error.message().contains(says), "{says}: {error}");
        }
    });
}
