//! A model hub: files by HTTP, with resume.
//!
//! A file's address answers with the file, or sends elsewhere for it; where it does, the hub names the SHA-256 of large files in a header of
//! that first answer. What came of a file is kept when the connection breaks, and the rest is asked for by `Range`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brain_core::{Error, ErrorKind, Progress, Result};
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::{PullOptions, address};
use crate::manifest::{self, FileSource};

/// How often a download goes on after it broke, without a byte coming in between.
const ATTEMPTS: u32 = 4;

/// How often an address may send elsewhere.
const REDIRECTS: usize = 5;

/// How long to wait before the first of the attempts that follow one another without a byte; twice as long before each next one.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a hub may keep silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The header with the SHA-256 of a large file, in the hub's own answer.
const ANNOUNCED: &str = "x-linked-etag";

/// A hub, and the client that talks to it.
pub(super) struct Hub<'a> {
    options: &'a PullOptions,
    agent: Agent,
}

/// The answer to a request, wherever it came from.
struct Answer {
    response: Response<Body>,
    announced: Option<String>,
}

impl<'a> Hub<'a> {
    pub(super) fn new(options: &'a PullOptions) -> Result<Self> {
        if !options.endpoint.starts_with("http://") && !options.endpoint.starts_with("https://") {
            return Err(Error::config(format!("the hub's address {:?} is no URL: it begins with https://", options.endpoint))
                .with_hint(format!("--endpoint or the variable {} names the hub", super::ENDPOINT_VARIABLE)));
        }
        let config = Agent::config_builder()
            // Redirects are followed here: the first answer has what is said of the file.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("brain/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls());
        Ok(Self { options, agent: config.build().new_agent() })
    }

    /// Writes a file of a repository to `part`, after what an interrupted download left there; its SHA-256, where the hub says it.
    pub(super) fn fetch(
        &self,
        repository: &manifest::Hub,
        source: &FileSource,
        part: &Path,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<Option<String>> {
        let url = address(&self.options.endpoint, repository, source);
        let mut download = Download { part, name, told: false, progress };
        let mut left = ATTEMPTS;
        let done = loop {
            let before = download.held();
            match self.attempt(&url, &mut download) {
                Ok(announced) => break Ok(announced),
                Err(error) if error.is_retryable() => {
                    left = if download.held() > before { ATTEMPTS } else { left - 1 };
                    if left == 0 {
                        break Err(error);
                    }
                    std::thread::sleep(PAUSE * (1 << (ATTEMPTS - left)) / 2);
                }
                Err(error) => break Err(error),
            }
        };
        if download.told {
            progress.finish();
        }
        done.map_err(|error| error.with_operation("pull model"))
    }

    fn attempt(&self, url: &str, download: &mut Download<'_>) -> Result<Option<String>> {
        let held = download.held();
        let Answer { response, announced } = self.ask(url, held)?;
        let status = response.status();
        if status == StatusCode::RANGE_NOT_SATISFIABLE && held > 0 {
            // All of it is here already, or it is something else; the sum tells, and a wrong one is fetched again.
            return match header(&response, "content-range").and_then(|range| range.strip_prefix("bytes */")?.parse::<u64>().ok()) {
                Some(total) if held == total => Ok(announced),
                _ => {
                    download.restart()?;
                    Err(broken(url, "the rest of the file is not where it was"))
                }
            };
        }
        let from = match status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => first_byte(&response).ok_or_else(|| broken(url, "a part of the file came without its place"))?,
            _ => return Err(refused(url, status)),
        };
        if from != 0 && from != held {
            return Err(broken(url, "another part of the file came than was asked for"));
        }
        let length = header(&response, "content-length").and_then(|length| length.parse::<u64>().ok());
        download.write(url, response, from, length)?;
        Ok(announced)
    }

    /// Asks for a file from a byte on, wherever the hub sends for it.
    fn ask(&self, url: &str, from: u64) -> Result<Answer> {
        let (mut at, mut announced) = (url.to_owned(), None);
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(&at).header("accept-encoding", "identity");
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let at_home = origin(&at) == origin(&self.options.endpoint);
            if let (true, Some(token)) = (at_home, &self.options.token) {
                request = request.header("authorization", format!("Bearer {}", token.expose()));
            }
            let response = request.call().map_err(|error| unreachable(&at, error))?;
            if at_home && announced.is_none() {
                announced = header(&response, ANNOUNCED).and_then(digest);
            }
            if !response.status().is_redirection() {
                return Ok(Answer { response, announced });
            }
            let place = header(&response, "location").ok_or_else(|| broken(&at, "it sends elsewhere without saying where"))?;
            at = match place.strip_prefix('/') {
                Some(path) => format!("{}/{path}", origin(&at)),
                None => place.to_owned(),
            };
        }
        Err(Error::unexpected(format!("{url} sends elsewhere again and again")))
    }
}

/// A file on its way.
struct Download<'a> {
    part: &'a Path,
    name: &'a str,
    /// Whether progress was told that it began.
    told: bool,
    progress: &'a dyn Progress,
}

impl Download<'_> {
    /// How many bytes are here.
    fn held(&self) -> u64 {
        fs::metadata(self.part).map_or(0, |metadata| metadata.len())
    }

    fn restart(&self) -> Result<()> {
        fs::remove_file(self.part).map_err(|error| Error::io("remove", self.part, error))
    }

    fn write(&mut self, url: &str, response: Response<Body>, from: u64, length: Option<u64>) -> Result<()> {
        let failed = |error| Error::io("write", self.part, error);
        if !self.told {
            self.told = true;
            self.progress.start(&format!("{} (kB)", self.name), length.map(|length| (from + length) / 1000));
            self.progress.advance(from / 1000);
        }
        let mut file = match from {
            0 => File::create(self.part).map_err(failed)?,
            _ => OpenOptions::new().append(true).open(self.part).map_err(failed)?,
        };
        let (mut body, mut buffer, mut come, mut shown) = (response.into_body().into_reader(), vec![0; 1 << 17], 0_u64, 0_u64);
        loop {
            let read = body.read(&mut buffer).map_err(|error| broken(url, &error.to_string()))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).map_err(failed)?;
            come += read as u64;
            self.progress.advance(come / 1000 - shown);
            shown = come / 1000;
        }
        file.sync_all().map_err(failed)?;
        match length {
            Some(length) if come < length => Err(broken(url, "the connection ended before the file")),
            _ => Ok(()),
        }
    }
}

/// Certificates that this machine trusts, by the one implementation of TLS.
fn tls() -> TlsConfig {
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// A SHA-256 in quotes, perhaps after `W/`; other tags are no sums.
fn digest(tag: &str) -> Option<String> {
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    (tag.len() == 64 && tag.bytes().all(|digit| digit.is_ascii_hexdigit())).then(|| tag.to_ascii_lowercase())
}

/// Where a part of a file begins: `bytes 5-9/10`.
fn first_byte(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find(['/', '?', '#']).map_or(url, |end| &url[..host + end])
}

fn broken(url: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("fetching {} broke off: {why}", without_query(url))).retryable()
}

fn unreachable(url: &str, error: ureq::Error) -> Error {
    let kind = if matches!(error, ureq::Error::Timeout(_)) { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    Error::new(kind, format!("the hub at {} cannot be reached: {error}", origin(url))).with_source(error).retryable()
}

fn refused(url: &str, status: StatusCode) -> Error {
    let (shown, number) = (without_query(url), status.as_u16());
    match number {
        401 | 403 => Error::new(ErrorKind::Auth, format!("the hub refuses {shown}: status {number}"))
            .with_context("token", format!("the variable {} holds one for repositories that ask for it", super::TOKEN_VARIABLE)),
        404 | 410 => Error::not_found(format!("the hub has no {shown}: status {number}")),
        408 | 429 | 500..=599 => Error::new(ErrorKind::Unavailable, format!("the hub does not give {shown} now: status {number}")).retryable(),
        _ => Error::unexpected(format!("the hub answers {shown} with status {number}")),
    }
}

/// What may be shown of an address: signatures of a storage stand behind the question mark.
fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(path, _)| path)
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
