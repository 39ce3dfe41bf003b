//! The servers as the backend is told of them.

use brain_core::Result;
use brain_core::config::{Config, Environment, ResolvedParameters, Sources};
use brain_redis::{DECLARATION, RedisBackend};
use brain_testkit::services::Server;

/// A runtime of one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a test's future in a runtime of its own.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    runtime().block_on(test)
}

/// The parameters as the configuration reads them.
pub(crate) fn parameters(parameters: &[(&str, &str)]) -> Result<ResolvedParameters> {
    let sources = Sources { file: None, home: Some("home".into()), environment: Environment::default() };
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&sources, &[DECLARATION])?.parameters("redis", &parameters)
}

/// A backend with these parameters.
pub(crate) fn backend_with(parameters: &[(&str, &str)]) -> RedisBackend {
    RedisBackend::new(&self::parameters(parameters).unwrap())
}

/// A backend of a server, with more parameters.
pub(crate) fn backend_and(server: &Server, more: &[(&str, &str)]) -> RedisBackend {
    let url = server.url();
    let authority = server.tls.as_ref().map(|tls| tls.ca_file.display().to_string());
    let mut parameters = vec![("url", url.as_str())];
    parameters.extend(authority.as_deref().map(|file| ("ssl_root_cert", file)));
    parameters.extend(more);
    backend_with(&parameters)
}

/// A backend of a server.
pub(crate) fn backend(server: &Server) -> RedisBackend {
    backend_and(server, &[])
}
