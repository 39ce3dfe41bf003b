//! Who the server is: asked over the first connection, and judged before any work.

use brain_core::{Error, ErrorKind, Result};
use fred::clients::Client;
use fred::error::Error as DriverError;
use fred::types::Value;

use crate::command::{Command, send};
use crate::{error, reply};

/// What a server said of itself.
///
/// # Versions
/// RediSearch 2.8 is the oldest that is served: it brought the third version of the protocol, in which a search that was cut short says so. 2.10 brought
/// half precision.
#[derive(Clone, Debug)]
pub struct Server {
    /// Redis's version; zeros where the user may not ask.
    pub version: Version,
    /// The version of its search.
    pub search: Version,
    /// Whether it repeats another server's changes, and takes none itself.
    pub replica: bool,
    /// The policy by which it throws keys away to make room, where it may throw away vectors.
    pub evicts: Option<String>,
    /// Whether it keeps nothing over a restart.
    pub forgets: bool,
}

/// A version, compared number by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

const OLDEST: Version = Version(2, 8, 0);
const HALVES: Version = Version(2, 10, 0);

impl Server {
    /// What the user should know of a server that is served all the same.
    pub fn advice(&self) -> Option<String> {
        let evicts = self
            .evicts
            .as_ref()
            .map(|policy| format!("it may evict vectors when its memory is full (maxmemory-policy {policy}): set maxmemory-policy to noeviction"));
        let forgets = self.forgets.then(|| "it keeps nothing over a restart (no save, no appendonly)".to_owned());
        let advice: Vec<String> = evicts.into_iter().chain(forgets).collect();
        (!advice.is_empty()).then(|| advice.join("; "))
    }

    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) where nothing can be written.
    pub fn check_writable(&self) -> Result<()> {
        if !self.replica {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "the Redis server is read-only: it is a replica, which repeats another server's changes")
            .with_hint("connect to the primary server"))
    }

    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) where vectors cannot be held in half precision.
    pub(crate) fn check_halves(&self) -> Result<()> {
        if self.search >= HALVES {
            return Ok(());
        }
        Err(Error::unsupported(format!("the server's RediSearch {} holds no vectors in half precision", self.search))
            .with_hint("choose vector_type float32, or update the server to Redis Stack 7.4 or later"))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// Reads `7.4.1`; what is missing is zero.
    fn of(text: &str) -> Self {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self(next(), next(), next())
    }

    /// Reads a module's number: 21005 is 2.10.5.
    fn of_module(number: u32) -> Self {
        Self(number / 10_000, number / 100 % 100, number % 100)
    }
}

/// The first answers of a server.
pub(super) struct Introduction {
    info: String,
    /// Whether snapshots are taken, where the user may know.
    snapshots: Option<bool>,
    /// What came of asking for the names of the indexes.
    search: std::result::Result<(), DriverError>,
}

impl Introduction {
    pub(super) async fn of(client: &Client) -> Result<Self> {
        let failed = |failure| error::of(failure, "ask Redis who it is");
        let info = match send(client, Command::new("INFO")).await {
            Ok(info) => info.as_string().unwrap_or_default(),
            // One may search without being allowed to look behind the scenes.
            Err(failure) if failure.details().starts_with("NOPERM") => String::new(),
            Err(failure) => return Err(failed(failure)),
        };
        let search = match send(client, Command::new("FT._LIST")).await {
            Ok::<Value, _>(_) => Ok(()),
            Err(failure) if error::is_lost(&failure) => return Err(failed(failure)),
            Err(failure) => Err(failure),
        };
        let snapshots = match send(client, Command::new("CONFIG").arg("GET").arg("save")).await {
            Ok(answer) => reply::map(answer).text("save").map(|save| !save.is_empty()),
            Err(failure) if error::is_lost(&failure) => return Err(failed(failure)),
            Err(_) => None,
        };
        Ok(Self { info, snapshots, search })
    }

    /// Judges what there is; `address` is named in what is wrong.
    pub(super) fn judge(self, address: &str) -> Result<Server> {
        let said = |name: &str| self.info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let module = self
            .info
            .lines()
            .filter_map(|line| line.strip_prefix("module:name=search,"))
            .find_map(|line| line.split(',').find_map(|field| field.strip_prefix("ver=")).and_then(|number| number.trim().parse().ok()));
        if said("cluster_enabled") == Some("1") {
            return Err(Error::unsupported(format!("the Redis server at {address} is part of a cluster, which is not searched as one"))
                .with_hint("use a server without cluster mode"));
        }
        let says_unknown = |failure: &DriverError| failure.details().to_ascii_lowercase().contains("unknown command");
        let search = match (module, self.search) {
            (Some(number), Ok(())) => Version::of_module(number),
            // Some services hide their modules.
            (None, Ok(())) => HALVES,
            (None, Err(failure)) if says_unknown(&failure) => {
                let version = said("redis_version").map(|version| format!(" (Redis {version})")).unwrap_or_default();
                return Err(Error::unsupported(format!("the Redis server at {address}{version} has no search module"))
                    .with_hint("use Redis Stack or Redis 8, or load RediSearch into this server with `loadmodule redisearch.so` (the image redis/redis-stack-server for docker)"));
            }
            (_, Err(failure)) => return Err(error::of(failure, &format!("use the search of Redis at {address}"))),
        };
        if search < OLDEST {
            return Err(Error::unsupported(format!("RediSearch {search} of {address} is too old"))
                .with_hint("update the server to Redis Stack 7.2 or later, with RediSearch 2.8 or later"));
        }
        let has_limit = said("maxmemory").is_some_and(|bytes| bytes != "0");
        let policy = said("maxmemory_policy").filter(|policy| policy.starts_with("allkeys-"));
        Ok(Server {
            version: said("redis_version").map(Version::of).unwrap_or_default(),
            search,
            replica: said("role") == Some("slave"),
            evicts: policy.filter(|_| has_limit).map(str::to_owned),
            forgets: said("aof_enabled") == Some("0") && self.snapshots == Some(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(info: &str) -> Result<Server> {
        Introduction { info: info.to_owned(), snapshots: None, search: Ok(()) }.judge("h:1")
    }

    #[test]
    fn a_server_is_told_by_what_it_says() {
        let info = "redis_version:7.4.1\r\nrole:slave\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\nmodule:name=search,ver=21005,api=1\r\n";
        let server = judge(info).unwrap();
        assert_eq!((server.version, server.search), (Version(7, 4, 1), Version(2, 10, 5)));
        assert!(server.check_writable().is_err() && server.check_halves().is_ok());
        assert!(server.advice().unwrap().contains("allkeys-lru"));
        let server = judge("role:master\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nmodule:name=search,ver=20812,api=1\r\n").unwrap();
        assert!(server.check_writable().is_ok() && server.check_halves().is_err() && server.advice().is_none());
    }

    #[test]
    fn a_server_that_will_not_do_is_refused() {
        assert!(judge("module:name=search,ver=20611,a=b").unwrap_err().message().contains("2.6.11"));
        assert!(judge("cluster_enabled:1").unwrap_err().message().contains("cluster"));
        let unknown = DriverError::new(fred::error::ErrorKind::Unknown, "ERR unknown command 'FT._LIST', with args beginning with: ");
        let error = Introduction { info: "redis_version:7.4.1".to_owned(), snapshots: None, search: Err(unknown) }.judge("h:1").unwrap_err();
        assert_eq!(error.message(), "the Redis server at h:1 (Redis 7.4.1) has no search module");
    }
}
