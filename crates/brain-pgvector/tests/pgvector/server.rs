//! The servers as the backend is told of them.

use brain_core::Result;
use brain_core::config::{Config, Environment, ResolvedParameters, Sources};
use brain_pgvector::{DECLARATION, PgvectorBackend, Pool, Settings};
use brain_testkit::services::Server;

/// Runs a test's future as the command line does: on one thread.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// The parameters as the configuration reads them.
pub(crate) fn parameters(parameters: &[(&str, &str)]) -> Result<ResolvedParameters> {
    let sources = Sources { file: None, home: Some("home".into()), environment: Environment::default() };
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&sources, &[DECLARATION])?.parameters("pgvector", &parameters)
}

/// The settings that these parameters make.
pub(crate) fn settings(parameters: &[(&str, &str)]) -> Result<Settings> {
    Settings::from_parameters(&self::parameters(parameters)?)
}

/// A backend that finds the server by this connection string.
pub(crate) fn backend_of(connection_string: &str) -> PgvectorBackend {
    PgvectorBackend::new(&parameters(&[("connection_string", connection_string)]).unwrap())
}

/// A pool that finds the server by this connection string.
pub(crate) fn pool_of(connection_string: &str) -> Pool {
    Pool::new(settings(&[("connection_string", connection_string)]).unwrap())
}

/// A pool of the server as it is described.
pub(crate) fn pool(server: &Server) -> Pool {
    pool_of(&server.url())
}
