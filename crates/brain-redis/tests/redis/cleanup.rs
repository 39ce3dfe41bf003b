//! Dropping and removing: what goes, what stays, and how long the server is kept busy at a time.

use brain_core::{OnConflict, OnMissing, Selector, SimilarityBackend};
use brain_testkit::questions::{add, batch_of};
use brain_testkit::resp::Client;
use brain_testkit::services::{redis, redis_faults};
use futures::stream::{self, StreamExt as _};

use crate::faults::rows;
use crate::place::Place;
use crate::server::run;

#[test]
fn the_index_goes_with_its_documents_and_nothing_else() {
    run(async {
        let place = Place::new(redis());
        let backend = place.backend();
        for storage in ["hash", "json"] {
            let mut client = place.client();
            let spec = place.spec("mine", &[("storage", storage)]);
            let longer = place.spec("mine:too", &[("storage", storage)]);
            let index = backend.create(&spec).await.unwrap();
            let other = backend.create(&longer).await.unwrap();
            add(&*index, &rows(300, 1), OnConflict::Error).await.unwrap();
            add(&*other, &rows(20, 1), OnConflict::Error).await.unwrap();
            // Of others: keys whose names are like ours, of every type, and an index over some of them.
            let mine = place.named("mine");
            for key in ["", "x", "_", ":", "*"] {
                client.run(&["SET", &format!("{mine}{key}"), "1"]);
            }
            client.run(&["HSET", &format!("x{mine}:1"), "a", "1"]);
            client.run(&["FT.CREATE", &format!("{mine}s"), "PREFIX", "1", &format!("x{mine}:"), "SCHEMA", "a", "TAG"]);
            let before = (place.indexes(), place.keys());
            let ours: Vec<&String> = before.1.iter().filter(|key| key.len() > mine.len() + 20 && key.starts_with(&mine)).collect();
            assert!(ours.len() >= 320, "{} keys", ours.len());
            assert!(backend.drop_index(&(&spec).into()).await.unwrap());
            assert_eq!(other.count(brain_core::Scope::All).await.unwrap(), 20, "the other index is whole");
            assert!(backend.drop_index(&(&longer).into()).await.unwrap());
            assert_eq!(place.indexes(), [format!("{mine}s")]);
            let mut left: Vec<String> = ["", "x", "_", ":", "*"].iter().map(|key| format!("{mine}{key}")).collect();
            left.push(format!("x{mine}:1"));
            left.sort();
            assert_eq!(place.keys(), left, "{storage}");
            client.run(&["FT.DROPINDEX", &format!("{mine}s"), "DD"]);
            left.iter().for_each(|key| drop(client.run(&["DEL", key])));
        }
    });
}

/// What the server spent on commands of these names since the statistics were reset: calls and microseconds.
fn spent(client: &mut Client, names: &[&str]) -> (f64, f64) {
    let stats = client.say("INFO commandstats").text();
    let number = |line: &str, what: &str| line.split([':', ',']).find_map(|part| part.strip_prefix(what)?.parse::<f64>().ok()).unwrap();
    let of = |line: &&str| names.iter().any(|name| line.to_lowercase().starts_with(&format!("cmdstat_{name}:")));
    stats.lines().filter(of).fold((0.0, 0.0), |(calls, micros), line| (calls + number(line, "calls="), micros + number(line, "usec=")))
}

/// A command that deletes much at once blocks everybody: the work comes in slices, and none is long.
#[test]
fn no_command_of_a_large_cleanup_keeps_the_server_busy() {
    const ROWS: usize = 10_000;
    const MILLISECONDS: f64 = 5.0;
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let mut client = place.client();
        for algorithm in ["FLAT", "HNSW"] {
            let spec = place.spec("large", &[("algorithm", algorithm)]);
            let backend = place.backend();
            let index = backend.create(&spec).await.unwrap();
            let all = rows(ROWS, 1);
            let batches = stream::iter(all.chunks(500).map(|rows| Ok(batch_of(rows))));
            index.add(batches.boxed(), OnConflict::Error).await.unwrap();
            let half: Vec<_> = all[..ROWS / 2].iter().map(|(item, _)| item.id.clone()).collect();
            for removes in [true, false] {
                client.say("CONFIG RESETSTAT");
                if removes {
                    index.remove(Selector::Items(&half), OnMissing::Error).await.unwrap();
                } else {
                    assert!(backend.drop_index(&(&spec).into()).await.unwrap());
                }
                let deleting = ["unlink", "del", "ft.dropindex", "exec", "json.del", "eval", "evalsha", "fcall"];
                let (calls, micros) = spent(&mut client, &deleting);
                let each = micros / calls / 1e3;
                eprintln!("{algorithm}, {}: {calls} commands of {each:.2} ms each", if removes { "removing half" } else { "dropping" });
                assert!(calls > 0.0 && each < MILLISECONDS, "{algorithm}: {calls} commands took {each:.1} ms each");
            }
            assert_eq!(place.keys(), [""; 0], "{algorithm}");
        }
    });
}
