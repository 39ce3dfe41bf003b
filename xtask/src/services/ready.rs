//! Whether a server answers: with its own protocol, never by waiting for a while.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::description::Server;
use super::instance::{Engine, Instance};

/// How long one question may take. A server of this machine answers in milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks once; an error says what came instead of the answer.
pub(crate) fn ask(instance: &Instance, server: &Server) -> Result<()> {
    match (instance.engine, &server.tls) {
        (Engine::Postgres | Engine::Pgbouncer, _) => postgres(server),
        (Engine::Redis, None) => redis(server, connect(server)?),
        (Engine::Redis, Some(tls)) => redis(server, secured(connect(server)?, &server.host, &tls.ca_file)?),
    }
}

fn connect(server: &Server) -> Result<TcpStream> {
    let mut last = None;
    let addresses = (server.host.as_str(), server.port).to_socket_addrs().with_context(|| format!("{} is not known", server.host))?;
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let wrong = format!("nobody listens at {}:{}", server.host, server.port);
    last.map_or_else(|| bail!("{wrong}"), |error| Err(error).context(wrong.clone()))
}

/// PostgreSQL answers a startup packet with a question for the password, or with an error: then it is ready too, unless it
/// says that it is still starting or already stopping (57P03). A server for TLS only refuses the packet, but answers.
fn postgres(server: &Server) -> Result<()> {
    let mut stream = connect(server)?;
    stream.write_all(&startup(&server.user, server.database.as_deref().unwrap_or_default()))?;
    let mut header = [0; 5];
    stream.read_exact(&mut header).context("the startup packet was not answered")?;
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    let mut body = vec![0; usize::try_from(length)?.clamp(4, 1 << 16) - 4];
    stream.read_exact(&mut body).context("the answer to the startup packet broke off")?;
    postgres_is_ready(header[0], &body)
}

/// Protocol 3.0: length, version, then names and values, each closed by a zero byte.
fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for text in ["user", user, "database", database] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}

fn postgres_is_ready(tag: u8, body: &[u8]) -> Result<()> {
    match tag {
        b'R' => Ok(()),
        b'E' => {
            let fields = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let refused = fields.into_iter().find_map(|field| match field.strip_prefix('C') {
                Some(code) if matches!(code, "57P03" | "53300") => Some(code.to_owned()),
                _ => None,
            });
            refused.map_or(Ok(()), |code| bail!("it takes no connections yet ({code})"))
        }
        other => bail!("it does not speak PostgreSQL's protocol (tag {other})"),
    }
}

/// TLS over a connection, with a server whose certificate this authority signed.
fn secured(stream: TcpStream, host: &str, ca_file: &Path) -> Result<impl Read + Write> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).with_context(|| format!("{} cannot be read", ca_file.display()))? {
        roots.add(certificate?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?;
    Ok(StreamOwned::new(session, stream))
}

/// Redis answers `PING` after `AUTH`, both as inline commands, with a line each.
fn redis(server: &Server, mut stream: impl Read + Write) -> Result<()> {
    let question = format!("AUTH {} {}\r\nPING\r\n", server.user, server.password);
    let written = stream.write_all(question.as_bytes());
    let lines = written.and_then(|()| BufReader::new(stream).lines().take(2).collect::<std::io::Result<Vec<_>>>());
    pong(&lines.context("AUTH and PING were not answered")?)
}

fn pong(lines: &[String]) -> Result<()> {
    match lines.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["+OK", "+PONG"] => Ok(()),
        ["+OK", wrong] | [wrong, ..] => bail!("it answers {wrong:?}"),
        [] => bail!("it closes the connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_packet_counts_itself() {
        let packet = startup("u", "db");
        assert_eq!(packet[..8], [0, 0, 0, 28, 0, 3, 0, 0]);
        assert_eq!(packet.len(), 28);
        assert!(packet.ends_with(b"user\0u\0database\0db\0\0"));
    }

    #[test]
    fn any_answer_but_not_yet_is_an_answer() {
        assert!(postgres_is_ready(b'R', &[0, 0, 0, 10]).is_ok());
        assert!(postgres_is_ready(b'E', b"SFATAL\0C28000\0Mno entry\0\0").is_ok());
        assert!(postgres_is_ready(b'E', b"SFATAL\0C57P03\0Mstarting up\0\0").unwrap_err().to_string().contains("57P03"));
        assert!(postgres_is_ready(b'H', b"").is_err());
    }

    #[test]
    fn redis_must_let_us_in_and_have_loaded() {
        let pong = |answer: &str| super::pong(&answer.lines().map(str::to_owned).collect::<Vec<_>>());
        assert!(pong("+OK\r\n+PONG\r\n").is_ok());
        assert!(pong("+OK\r\n-LOADING Redis is loading\r\n").unwrap_err().to_string().contains("LOADING"));
        assert!(pong("-WRONGPASS no\r\n-NOAUTH\r\n").unwrap_err().to_string().contains("WRONGPASS"));
        assert!(pong("+OK\r\n").is_err());
        assert!(pong("").is_err());
    }
}
