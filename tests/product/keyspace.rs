//! Names in Redis of a test's own: what begins with one goes when the test ends, however it ends.

use std::sync::atomic::{AtomicU32, Ordering};

use brain_testkit::resp::{Answer, Client};
use brain_testkit::services::redis;

pub(crate) struct Keyspace {
    /// What all its indexes, and so their keys, begin with.
    pub(crate) name: String,
}

impl Keyspace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self { name: format!("product_{:x}_{:03}_", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&redis())
    }

    /// The keys that have the name in theirs.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (mut client, mut cursor, mut keys) = (self.client(), "0".to_owned(), Vec::new());
        loop {
            let answer = client.run(&["SCAN", &cursor, "MATCH", &format!("*{}*", self.name), "COUNT", "1000"]);
            keys.extend(answer.list()[1].list().iter().map(Answer::text));
            cursor = answer.list()[0].text();
            if cursor == "0" {
                return keys;
            }
        }
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let mut client = self.client();
        for index in client.say("FT._LIST").list().iter().map(Answer::text).filter(|index| index.starts_with(&self.name)) {
            client.ask(&["FT.DROPINDEX", &index]);
        }
        for key in self.keys() {
            client.ask(&["UNLINK", &key]);
        }
    }
}
