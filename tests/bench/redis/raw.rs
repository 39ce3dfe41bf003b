//! The same work by plain commands on one connection, written by a client that does nothing else: what the server itself takes.

use std::collections::HashSet;
use std::time::Instant;

use brain::core::ItemId;
use brain_kernels::{Metric, Query};
use brain_testkit::resp::{Answer, Client, write_command};
use brain_testkit::services::Server;

use crate::data::Data;

/// How many commands are on their way before their answers are read.
const PIPELINE: usize = 500;
/// How long a search may take, in milliseconds.
const TIMEOUT: &str = "60000";

/// A connection, and what it has made.
pub(super) struct Raw(Client);

/// Commands in the server's form, and how many.
pub(super) struct Piece {
    commands: Vec<u8>,
    count: usize,
}

/// How a search is asked for: the index, the effort of a graph, and what is searched.
pub(super) struct Asked<'a> {
    pub(super) index: &'a str,
    pub(super) effort: Option<u32>,
    pub(super) within: Within<'a>,
    pub(super) k: usize,
}

/// What a search ranges over.
#[derive(Clone, Copy)]
pub(super) enum Within<'a> {
    All,
    /// Those that a filter lets through, each compared.
    Filter(&'a str),
    Keys(&'a [String]),
}

impl Raw {
    pub(super) fn connect(server: &Server) -> Self {
        Self(Client::connect(server))
    }

    pub(super) fn say(&mut self, command: &str) -> Answer {
        self.0.say(command)
    }

    /// Sends all pieces, each while the one before it is being done.
    pub(super) fn pipeline(&mut self, pieces: &[Piece]) -> usize {
        let mut bytes = 0;
        let mut under_way = 0;
        for piece in pieces {
            self.0.send(&piece.commands);
            bytes += self.0.skip(under_way);
            under_way = piece.count;
        }
        bytes + self.0.skip(under_way)
    }

    /// Asks for the keys of an index of so many rows.
    pub(super) fn list(&mut self, index: &str, rows: usize) {
        let mut command = Vec::new();
        write_command(&mut command, &["FT.SEARCH", index, "*", "NOCONTENT", "LIMIT", "0", &rows.to_string(), "TIMEOUT", TIMEOUT, "DIALECT", "2"]);
        self.0.send(&command);
        self.0.skip(1);
    }

    /// Waits until the server has indexed so many rows, and nothing is left to do.
    pub(super) fn wait_for(&mut self, index: &str, rows: usize) {
        loop {
            let info = self.say(&format!("FT.INFO {index}"));
            let number = |name: &str| info.named(name).unwrap().number();
            assert_eq!(number("hash_indexing_failures"), 0.0);
            if number("indexing") == 0.0 && number("num_docs") as usize == rows {
                return;
            }
        }
    }

    /// How much memory the server has given out, in MB.
    pub(super) fn memory_mb(&mut self) -> f64 {
        let info = self.say("INFO memory").text();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        line.trim().parse::<f64>().unwrap() / (1 << 20) as f64
    }

    /// One search; its milliseconds, and the keys of what was found.
    pub(super) fn search(&mut self, asked: &Asked<'_>, vector: &[f32]) -> (f64, Vec<String>) {
        let blob: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        let filter = match asked.within {
            Within::Filter(filter) => filter,
            Within::All | Within::Keys(_) => "*",
        };
        let attributes = match (asked.effort, asked.within) {
            // The server takes no effort where it compares one by one.
            (_, Within::Filter(_)) => "HYBRID_POLICY ADHOC_BF ".to_owned(),
            (Some(effort), _) => format!("EF_RUNTIME {effort} "),
            (None, _) => String::new(),
        };
        let query = format!("{filter}=>[KNN {} @vector $q {attributes}AS d]", asked.k);
        let k = asked.k.to_string();
        let mut words: Vec<&[u8]> = vec![b"FT.SEARCH", asked.index.as_bytes(), query.as_bytes()];
        let count;
        if let Within::Keys(keys) = asked.within {
            count = keys.len().to_string();
            words.extend([b"INKEYS".as_slice(), count.as_bytes()]);
            words.extend(keys.iter().map(|key| key.as_bytes()));
        }
        words.extend([b"PARAMS".as_slice(), b"2", b"q", &blob, b"SORTBY", b"d", b"RETURN", b"1", b"d", b"LIMIT", b"0", k.as_bytes()]);
        words.extend([b"TIMEOUT".as_slice(), TIMEOUT.as_bytes(), b"DIALECT", b"2"]);
        let started = Instant::now();
        let answer = self.0.run(&words);
        let ms = started.elapsed().as_secs_f64() * 1e3;
        (ms, answer.list()[1..].chunks(2).map(|found| found[0].text()).collect())
    }

    /// One search by asking for more, of which those in the view are kept; its milliseconds, and the keys of what was found.
    pub(super) fn search_more(&mut self, asked: &Asked<'_>, more: usize, view: &HashSet<String>, vector: &[f32]) -> (f64, Vec<String>) {
        let started = Instant::now();
        let effort = asked.effort.map(|effort| effort.max(more as u32));
        let (_, mut found) = self.search(&Asked { effort, k: more, ..*asked }, vector);
        found.retain(|key| view.contains(key));
        found.truncate(asked.k);
        (started.elapsed().as_secs_f64() * 1e3, found)
    }

    /// One search by reading the vectors of some keys and comparing them here; its milliseconds.
    pub(super) fn search_here(&mut self, reads: &[Piece], vector: &[f32]) -> f64 {
        let started = Instant::now();
        let query = Query::new(Metric::Cosine, vector);
        let (mut distances, mut row) = (Vec::new(), vec![0.0; vector.len()]);
        let mut compare = |client: &mut Client, answers: usize| {
            for _ in 0..answers {
                let Answer::List(fields) = client.read() else { panic!("HMGET gives a list") };
                let [Answer::Bytes(bytes)] = &fields[..] else { panic!("there is no vector") };
                row.iter_mut().zip(bytes.as_chunks::<4>().0).for_each(|(x, bytes)| *x = f32::from_le_bytes(*bytes));
                distances.push(query.distance(&row[..]));
            }
        };
        let mut under_way = 0;
        for piece in reads {
            self.0.send(&piece.commands);
            compare(&mut self.0, under_way);
            under_way = piece.count;
        }
        compare(&mut self.0, under_way);
        distances.sort_by(f32::total_cmp);
        std::hint::black_box(&distances);
        started.elapsed().as_secs_f64() * 1e3
    }
}

/// The commands that write rows, with their ids in a field where one is named.
pub(super) fn writes(data: &Data, ids: &[ItemId], prefix: &str, tag: Option<&str>) -> Vec<Piece> {
    let rows: Vec<usize> = (0..data.rows()).collect();
    pieces(&rows, |out, row| {
        let id = ids[row].to_string();
        let vector: Vec<u8> = data.row(row).iter().flat_map(|x| x.to_le_bytes()).collect();
        let key = format!("{prefix}{id}");
        let tag = tag.map(|tag| [tag.as_bytes(), id.as_bytes()]);
        let words: [&[u8]; 4] = [b"HSET", key.as_bytes(), b"vector", &vector];
        write_command(out, &words.into_iter().chain(tag.into_iter().flatten()).collect::<Vec<_>>());
    })
}

/// The commands that read some fields of some keys.
pub(super) fn reads(keys: &[String], fields: &[&str]) -> Vec<Piece> {
    let rows: Vec<usize> = (0..keys.len()).collect();
    pieces(&rows, |out, row| write_command(out, &[&["HMGET", &keys[row]], fields].concat()))
}

fn pieces(rows: &[usize], mut write: impl FnMut(&mut Vec<u8>, usize)) -> Vec<Piece> {
    let piece = |rows: &[usize]| {
        let mut commands = Vec::new();
        rows.iter().for_each(|&row| write(&mut commands, row));
        Piece { commands, count: rows.len() }
    };
    rows.chunks(PIPELINE).map(piece).collect()
}
