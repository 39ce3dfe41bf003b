//! How the server is reached: the parameters of the backend, read once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use brain_core::config::{ParameterValue, ResolvedParameters};
use brain_core::{Error, Result};
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Mode, Roots, Tls};
use super::words::Words;

/// How long one connection may take to be made, to its first answer, where `connect_timeout` of the connection string says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After how much silence the system asks whether the other side still lives, and for how long it waits for an answer before the connection counts as
/// broken; its own default of two hours outlasts every firewall.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How the server is reached, and with which limits. `Debug` shows no credential.
#[derive(Clone)]
pub struct Settings {
    pub(super) driver: tokio_postgres::Config,
    pub(super) tls: Tls,
    pub(super) pool_size: u32,
    pub(super) connect_timeout: Duration,
    /// The run-time settings that every statement has, unless it says otherwise.
    pub(super) run_time: Vec<(&'static str, String)>,
}

impl Settings {
    /// Reads the parameters `connection_string`, `ssl_cert`, `ssl_key`, `ssl_root_cert`, `pool_size`, `statement_timeout` and `work_mem`. The files of
    /// certificates are read when the first connection is made.
    ///
    /// # Errors
    /// [`Config`](brain_core::ErrorKind::Config) where one is missing or malformed; never with a word of the connection string in it.
    pub fn from_parameters(parameters: &ResolvedParameters) -> Result<Self> {
        let Some(ParameterValue::Secret(text)) = parameters.get("connection_string") else {
            return Err(Error::config("pgvector has no connection_string").with_hint(
                "set FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_CONNECTION_STRING, or \"connection_string\" of \"pgvector\" in the configuration file, \
                 to postgresql://user:password@host:port/database",
            ));
        };
        let origin = parameters.origin("connection_string").unwrap_or_default();
        let malformed = |why: &str| Error::config(format!("connection_string from {origin} cannot be read: {why}"));
        let mut words = Words::of(text.expose()).map_err(malformed)?;

        let file = |parameter: &str, option: Option<String>| parameters.text(parameter).map(str::to_owned).or(option).filter(|path| !path.is_empty());
        let roots = file("ssl_root_cert", words.take("sslrootcert"));
        let certificate = file("ssl_cert", words.take("sslcert")).map(PathBuf::from);
        let key = file("ssl_key", words.take("sslkey")).map(PathBuf::from);
        let roots = roots.map(|path| if path == "system" { Roots::System } else { Roots::File(path.into()) });
        let mode = Mode::of(words.take("sslmode").as_deref(), roots.as_ref())?;
        let tls = Tls::new(mode, roots, certificate, key)?;

        let mut driver = driver(&words).map_err(|why| malformed(&why))?;
        // On a socket of this machine there is no TLS to ask for, whatever sslmode says; so it is in libpq.
        let is_local = !driver.get_hosts().is_empty() && driver.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
        driver.ssl_mode(match mode {
            _ if is_local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        if driver.get_hosts().is_empty() && driver.get_hostaddrs().is_empty() {
            driver.host("localhost");
        }
        if driver.get_application_name().is_none() {
            driver.application_name("brain");
        }
        let given = |option: &str| words.options.iter().any(|(name, _)| name == option);
        if !given("keepalives_idle") {
            driver.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 6).keepalives_retries(6);
        }
        if !given("tcp_user_timeout") {
            driver.tcp_user_timeout(KEEPALIVE);
        }
        let connect_timeout = driver.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        driver.connect_timeout(connect_timeout);
        Ok(Self { driver, tls, pool_size: pool_size(parameters)?, connect_timeout, run_time: run_time(parameters)? })
    }

    /// Where the server is, for messages: `host:port/database`.
    pub fn address(&self) -> String {
        let ports = self.driver.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.driver.get_hosts();
        let named = hosts.iter().enumerate().map(|(at, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{}", folder.display(), port(at)),
        });
        let numbered = self.driver.get_hostaddrs().iter().enumerate().map(|(at, address)| format!("{address}:{}", port(at)));
        let places: Vec<String> = if hosts.is_empty() { numbered.collect() } else { named.collect() };
        let places = places.join(",");
        match self.driver.get_dbname().or(self.driver.get_user()) {
            Some(database) => format!("{places}/{database}"),
            None => places,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.driver.get_user().unwrap_or_default();
        f.debug_struct("Settings").field("address", &self.address()).field("user", &user).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// What the driver makes of the options that are left. Its refusals may repeat words of the string, so they end here.
fn driver(words: &Words<'_>) -> Result<tokio_postgres::Config, String> {
    for (position, (name, _)) in words.options.iter().enumerate() {
        if NOT_HERE.contains(&name.as_str()) {
            return Err(format!("the option {name} is not supported here; leave it out"));
        }
        if !DRIVER.contains(&name.as_str()) {
            return Err(format!(
                "PostgreSQL has no option of the name of its option number {}; a value with spaces is put in single quotes",
                position + 1
            ));
        }
    }
    words
        .to_text()
        .parse()
        .map_err(|_| "a value is malformed; special characters of user and password are percent-encoded in a URL, @ as %40".to_owned())
}

/// The options of libpq that the driver reads.
const DRIVER: [&str; 18] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// The options of libpq that nothing here reads. Passing over one could weaken what it asks for.
const NOT_HERE: [&str; 20] = [
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives_count",
    "krbsrvname",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslpassword",
    "sslsni",
];

fn pool_size(parameters: &ResolvedParameters) -> Result<u32> {
    let asked = parameters.integer("pool_size").unwrap_or(8);
    match u32::try_from(asked) {
        Ok(size @ 1..=1000) => Ok(size),
        _ => Err(Error::config(format!("pool_size must be 1 to 1000, not {asked}"))),
    }
}

fn run_time(parameters: &ResolvedParameters) -> Result<Vec<(&'static str, String)>> {
    let mut settings = Vec::new();
    if let Some(seconds) = parameters.integer("statement_timeout") {
        // PostgreSQL counts milliseconds in 31 bits.
        if !(0..=2_147_483).contains(&seconds) {
            return Err(Error::config(format!("statement_timeout must be 0 to 2147483 seconds, not {seconds}")));
        }
        settings.push(("statement_timeout", format!("{seconds}s")));
    }
    if let Some(memory) = parameters.text("work_mem") {
        settings.push(("work_mem", memory.to_owned()));
    }
    Ok(settings)
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
        Settings::from_parameters(&config.parameters("pgvector", &arguments)?)
    }

    fn of(text: &str) -> Result<Settings> {
        settings(&[("connection_string", text)])
    }

    #[test]
    fn both_forms_say_the_same() {
        for text in [
            "postgresql://ann:p%40s%3As@db.example:6543/birds?sslmode=require&connect_timeout=3&options=-c%20geqo%3Doff",
            "host=db.example port=6543 user=ann password='p@s:s' dbname = birds sslmode=require connect_timeout=3 options='-c geqo=off'",
        ] {
            let settings = of(text).unwrap();
            assert_eq!(settings.address(), "db.example:6543/birds");
            assert_eq!(settings.driver.get_password(), Some(b"p@s:s".as_slice()));
            assert_eq!(settings.driver.get_options(), Some("-c geqo=off"));
            assert_eq!(settings.driver.get_ssl_mode(), SslMode::Require);
            assert_eq!(settings.connect_timeout, Duration::from_secs(3));
            assert_eq!(settings.driver.get_application_name(), Some("brain"));
        }
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_libpq() {
        let settings = of("postgres://ann@/birds").unwrap();
        assert_eq!(settings.address(), "localhost:5432/birds");
        assert_eq!((settings.driver.get_ssl_mode(), settings.connect_timeout), (SslMode::Prefer, CONNECT_TIMEOUT));
        assert_eq!(of("postgres://ann@h").unwrap().address(), "h:5432/ann");
        assert_eq!(of("postgresql://ann@h1:1,h2:2/birds").unwrap().address(), "h1:1,h2:2/birds");
        assert_eq!(of("hostaddr=127.0.0.1 user=ann").unwrap().address(), "127.0.0.1:5432/ann");
        #[cfg(unix)]
        {
            let settings = of("postgresql:///birds?host=/run/postgresql&sslmode=require").unwrap();
            assert_eq!(settings.address(), "/run/postgresql:5432/birds");
            assert_eq!(settings.driver.get_ssl_mode(), SslMode::Disable);
        }
    }

    #[test]
    fn limits_become_settings_of_every_statement() {
        let settings = settings(&[("connection_string", "host=h"), ("statement_timeout", "90"), ("work_mem", "1GB"), ("pool_size", "3")]).unwrap();
        assert_eq!(settings.run_time, [("statement_timeout", "90s".to_owned()), ("work_mem", "1GB".to_owned())]);
        assert_eq!(settings.pool_size, 3);
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let parameters = |more: (&'static str, &'static str)| [("connection_string", "host=h"), more];
        for (result, says) in [
            (settings(&[]), "no connection_string"),
            (settings(&parameters(("pool_size", "0"))), "pool_size"),
            (settings(&parameters(("statement_timeout", "-1"))), "statement_timeout"),
            (settings(&parameters(("ssl_cert", "a.pem"))), "ssl_key is not"),
            (settings(&parameters(("ssl_key", "a.pem"))), "ssl_cert is not"),
            (of("host=h sslmode=verify-full"), "no ssl_root_cert"),
            (of("host=h sslmode=require sslrootcert=system"), "without the server's name"),
            (of("host=h sslmode=sometimes"), "sslmode"),
            (of("host=h service=x"), "option service"),
            (of("host=h port=x"), "malformed"),
        ] {
            let error = result.unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.message().contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let shown = format!("{:?}", of("postgresql://ann:hunter2@h/birds").unwrap());
        assert!(shown.contains("h:5432/birds") && shown.contains("ann") && !shown.contains("hunter2"), "{shown}");
        for text in [
            "postgresql://ann:hunter2@h:port/birds",
            "postgresql://ann:hun@hunter2/birds@h/birds",
            "postgresql://ann:x@hunter2@h/birds",
            "postgresql://ann@h/birds?password=x&hunter2=y",
            "host=h password=x hunter2=y",
            "host=h password=x hunter2",
            "host=h password='hunter2",
            "hunter2",
        ] {
            let error = of(text).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        }
    }
}
