//! A name of a test's own on a server: all that the test makes begins with it, and goes when the test ends, however it ends.

use std::sync::atomic::{AtomicU32, Ordering};

use brain_core::{IndexSpec, ItemKind, Metric};
use brain_redis::RedisBackend;
use brain_testkit::resp::{Answer, Client};
use brain_testkit::services::Server;

use crate::server;

pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) server: Server,
}

impl Place {
    pub(crate) fn new(server: Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // No such name begins with another.
        let name = format!("test_{:x}_{:03}_", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { name, server }
    }

    /// A connection that is not the product's.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.server)
    }

    pub(crate) fn backend(&self) -> RedisBackend {
        server::backend(&self.server)
    }

    /// A name in here.
    pub(crate) fn named(&self, what: &str) -> String {
        format!("{}{what}", self.name)
    }

    /// An index of samples by cosine in here: vectors of 16 numbers, by these parameters.
    pub(crate) fn spec(&self, what: &str, parameters: &[(&str, &str)]) -> IndexSpec {
        let parameters = parameters.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
        IndexSpec { name: self.named(what), dimension: 16, metric: Metric::Cosine, items: ItemKind::Samples, parameters }
    }

    /// The names of the indexes in here, ascending.
    pub(crate) fn indexes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.client().say("FT._LIST").list().iter().map(Answer::text).collect();
        names.retain(|name| name.contains(&self.name));
        names.sort();
        names
    }

    /// The keys in here, ascending.
    pub(crate) fn keys(&self) -> Vec<String> {
        let pattern = format!("*{}*", self.name);
        let (mut client, mut cursor, mut keys) = (self.client(), "0".to_owned(), Vec::new());
        loop {
            let answer = client.run(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "10000"]);
            keys.extend(answer.list()[1].list().iter().map(Answer::text));
            cursor = answer.list()[0].text();
            if cursor == "0" {
                break;
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A server under TLS is swept by the tests themselves.
        if self.server.tls.is_some() {
            return;
        }
        let mut client = self.client();
        for index in self.indexes() {
            client.ask(&["FT.DROPINDEX", &index]);
        }
        for keys in self.keys().chunks(1_000) {
            let words: Vec<&str> = std::iter::once("UNLINK").chain(keys.iter().map(String::as_str)).collect();
            client.ask(&words);
        }
    }
}
