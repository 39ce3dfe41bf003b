//! How the server is reached: the parameters of the backend, read once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use brain_core::config::{ParameterValue, ResolvedParameters};
use brain_core::{Error, Result};

use super::tls::Tls;
use super::words::Words;

/// How the server is reached, and with which limits. `Debug` shows no credential.
#[derive(Clone)]
pub struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) pool_size: usize,
    pub(super) command_timeout: Duration,
    query_timeout: Duration,
}

impl Settings {
    /// Reads the parameters `url` or `host`, `port`, `db`, `username`, `password`, `tls`, and `ssl_cert`, `ssl_key`, `ssl_root_cert`, `pool_size`,
    /// `command_timeout`, `query_timeout`. The files of certificates are read when the first connection is made.
    ///
    /// # Errors
    /// [`Config`](brain_core::ErrorKind::Config) where one is malformed, and for a database other than 0; never with a word of the URL in it.
    pub fn from_parameters(parameters: &ResolvedParameters) -> Result<Self> {
        let secret = |name: &str| match parameters.get(name) {
            Some(ParameterValue::Secret(secret)) if !secret.expose().is_empty() => Some(secret.expose().to_owned()),
            _ => None,
        };
        let text = |name: &str| parameters.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let url = match secret("url") {
            Some(url) => Words::of(&url).map(Some).map_err(|why| {
                let origin = parameters.origin("url").unwrap_or_default();
                Error::config(format!("url from {origin} cannot be read: {why}")).with_hint(
                    "it is written redis://user:password@host:port, or rediss:// for TLS; special characters are percent-encoded, @ as %40",
                )
            })?,
            None => None,
        };
        // What is said beside a URL fills what it leaves open; a default does not count as said.
        let of_url = |from: fn(&Words) -> Option<String>| url.as_ref().and_then(from);
        let host = of_url(|url| url.host.clone()).or_else(|| text("host")).unwrap_or_else(|| "localhost".to_owned());
        let port = match url.as_ref().and_then(|url| url.port) {
            Some(port) => port,
            None => within(parameters, "port", 6379, 1, 65_535)? as u16,
        };
        let db = url.as_ref().and_then(|url| url.db).or_else(|| parameters.integer("db")).unwrap_or(0);
        if db != 0 {
            return Err(Error::config(format!("Redis indexes vectors in database 0 only, and db is {db}"))
                .with_hint("set db to 0, or leave it out; index names keep indexes apart"));
        }
        let asked = url.as_ref().is_some_and(|url| url.tls) || parameters.get("tls") == Some(&ParameterValue::Bool(true));
        let files = [text("ssl_root_cert"), text("ssl_cert"), text("ssl_key")].map(|file| file.map(PathBuf::from));
        if !asked && files.iter().any(Option::is_some) {
            return Err(Error::config("certificates are named, and the connection is not encrypted")
                .with_hint("set tls to true, or begin url with rediss://"));
        }
        let [roots, certificate, key] = files;
        Ok(Self {
            host,
            port,
            username: of_url(|url| url.username.clone()).or_else(|| text("username")),
            password: of_url(|url| url.password.clone()).or_else(|| secret("password")),
            tls: if asked { Some(Tls::new(roots, certificate, key)?) } else { None },
            pool_size: within(parameters, "pool_size", 4, 1, 1000)? as usize,
            command_timeout: Duration::from_secs(within(parameters, "command_timeout", 60, 1, 86_400)?),
            query_timeout: Duration::from_secs(within(parameters, "query_timeout", 30, 1, 86_400)?),
        })
    }

    /// Where the server is, for messages: `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    /// Lets the server search for so long, and no longer.
    #[must_use]
    pub fn with_query_timeout(mut self, timeout: Duration) -> Self {
        self.query_timeout = timeout;
        self
    }

    /// How long the server may search.
    pub fn query_timeout(&self) -> Duration {
        // A search that nobody waits for any more is of no use.
        self.query_timeout.min(self.command_timeout)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address()).field("username", &self.username).field("tls", &self.tls).finish_non_exhaustive()
    }
}

fn within(parameters: &ResolvedParameters, name: &str, default: i64, least: i64, most: i64) -> Result<u64> {
    let asked = parameters.integer(name).unwrap_or(default);
    if (least..=most).contains(&asked) {
        return Ok(asked.unsigned_abs());
    }
    Err(Error::config(format!("{name} must be {least} to {most}, not {asked}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use brain_core::ErrorKind;
    use brain_core::config::{Config, Environment, Sources};

    fn settings(arguments: &[(&str, &str)]) -> Result<Settings> {
        let sources = Sources { file: None, home: Some("home".into()), environment: Environment::default() };
        let config = Config::load(&sources, &[crate::DECLARATION])?;
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::from_parameters(&config.parameters("redis", &arguments)?)
    }

    #[test]
    fn a_url_and_single_parameters_say_the_same() {
        let one = settings(&[("url", "rediss://ann:p%40s@db.example:6380")]).unwrap();
        let other = settings(&[("host", "db.example"), ("port", "6380"), ("username", "ann"), ("password", "p@s"), ("tls", "true")]).unwrap();
        for settings in [one, other] {
            assert_eq!(settings.address(), "db.example:6380");
            assert_eq!((settings.username.as_deref(), settings.password.as_deref()), (Some("ann"), Some("p@s")));
            assert!(settings.tls.is_some());
        }
        let defaults = settings(&[]).unwrap();
        assert_eq!(defaults.address(), "localhost:6379");
        assert!(defaults.tls.is_none() && defaults.password.is_none() && defaults.pool_size == 4);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, says) in [
            (&[("db", "3")][..], "database 0 only, and db is 3"),
            (&[("url", "redis://h/1")], "database 0 only, and db is 1"),
            (&[("url", "h:6379")], "url from"),
            (&[("port", "70000")], "port must be 1 to 65535"),
            (&[("pool_size", "0")], "pool_size"),
            (&[("command_timeout", "0")], "command_timeout"),
            (&[("ssl_root_cert", "a.pem")], "not encrypted"),
            (&[("tls", "true"), ("ssl_cert", "a.pem")], "ssl_key is not"),
        ] {
            let error = settings(arguments).unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.message().contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let shown = format!("{:?}", settings(&[("url", "redis://ann:hunter2@h")]).unwrap());
        assert!(shown.contains("h:6379") && shown.contains("ann") && !shown.contains("hunter2"), "{shown}");
        let error = settings(&[("url", "redis://ann:hun@hunter2@h")]).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}
