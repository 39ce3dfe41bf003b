//! Servers that somebody else runs: the environment says where they are, in the variables that `services env` prints.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::description::{Server, Tls};
use super::instance::{Engine, Instance};
use super::ready;

/// The servers among these that the environment names. One that is not named is not asked for.
pub(super) fn up(instances: &[&'static Instance]) -> Result<Vec<(&'static Instance, Result<Server>)>> {
    let named = instances.iter().filter_map(|instance| {
        let url = variable(instance, "URL")?;
        Some((*instance, reached(instance, &url)))
    });
    let servers: Vec<_> = named.collect();
    if servers.is_empty() {
        bail!("the environment names no server; BRAIN_SERVICES_POSTGRES_URL and the like do, and `…_CA` the authority of one that speaks TLS");
    }
    Ok(servers)
}

fn variable(instance: &Instance, what: &str) -> Option<String> {
    std::env::var(format!("BRAIN_SERVICES_{}_{what}", instance.variable())).ok()
}

fn reached(instance: &Instance, url: &str) -> Result<Server> {
    let mut server = parse(url, instance.engine).with_context(|| format!("BRAIN_SERVICES_{}_URL is not understood", instance.variable()))?;
    if instance.tls {
        let ca_file =
            variable(instance, "CA").with_context(|| format!("BRAIN_SERVICES_{}_CA does not name its authority's file", instance.variable()))?;
        server.tls = Some(Tls { ca_file: PathBuf::from(ca_file), ..Tls::default() });
    }
    ready::ask(instance, &server)?;
    Ok(server)
}

/// `scheme://user:password@host:port/database`; the port may be left out, and so may the database of a Redis server.
fn parse(url: &str, engine: Engine) -> Result<Server> {
    let (scheme, rest) = url.split_once("://").context("it has no scheme")?;
    let (schemes, port): (&[&str], _) = match engine {
        Engine::Postgres | Engine::Pgbouncer => (&["postgres", "postgresql"], 5432),
        Engine::Redis => (&["redis", "rediss"], 6379),
    };
    if !schemes.contains(&scheme) {
        bail!("its scheme is {scheme:?}, not {:?}", schemes[0]);
    }
    let rest = rest.split_once('?').map_or(rest, |(rest, _parameters)| rest);
    let (credentials, place) = rest.rsplit_once('@').context("it has no user and password")?;
    let (user, password) = credentials.split_once(':').context("it has no password")?;
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, digits)) => (host, digits.parse().context("its port is no number")?),
        None => (address, port),
    };
    Ok(Server {
        host: host.to_owned(),
        port,
        user: decoded(user)?,
        password: decoded(password)?,
        database: match engine {
            Engine::Redis => None,
            Engine::Postgres | Engine::Pgbouncer => Some(decoded(database)?),
        },
        ..Server::default()
    })
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).context("a `%` is not followed by two digits")?;
        bytes.push(u8::from_str_radix(digits, 16).context("a `%` is not followed by two digits")?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).context("it is no UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_description_says_in_a_url_is_read_back() {
        let server = Server {
            host: "db.example".to_owned(),
            port: 5433,
            user: "o'neill".to_owned(),
            password: "a:b@c/d%é".to_owned(),
            database: Some("my db".to_owned()),
            ..Server::default()
        };
        assert_eq!(parse(&server.url(Engine::Postgres), Engine::Postgres).unwrap(), server);
        let redis = Server { database: None, ..server };
        assert_eq!(parse(&redis.url(Engine::Redis), Engine::Redis).unwrap(), redis);
    }

    #[test]
    fn ports_have_defaults_and_mistakes_have_names() {
        assert_eq!(parse("redis://default:pw@host", Engine::Redis).unwrap().port, 6379);
        assert_eq!(parse("postgresql://u:p@host/db?sslmode=require", Engine::Postgres).unwrap().database.as_deref(), Some("db"));
        for (url, wrong) in [("mysql://u:p@h", "scheme"), ("postgres://h/db", "user"), ("postgres://u:p@h:x/db", "port"), ("postgres://u:%4@h", "%")]
        {
            let error = parse(url, Engine::Postgres).unwrap_err().to_string();
            assert!(error.contains(wrong), "{url}: {error}");
        }
    }
}
