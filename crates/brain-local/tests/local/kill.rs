//! A process that writes is killed, again and again, at any instant; nothing that it acknowledged is lost, nothing is half visible.

use std::time::Duration;

use brain_testkit::random::Random;
use futures::executor::block_on;

use crate::child::{Process, role, tell};
use crate::model::{BLOCK_ROWS, Change, Model, create, open};

/// How many processes are killed: 40 unless this variable says otherwise (`BRAIN_KILLS=500 cargo test -p brain-local --test local kill`).
const KILLS: &str = "BRAIN_KILLS";

/// A process dies within so many microseconds of its start, or of its first change: it lives for some changes.
const LONGEST_LIFE: usize = 300_000;

/// What the kills fell into.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    changes: u64,
    /// Before the first change: while the home was opened.
    opening: u32,
    /// Inside a change, which then was not there,
    absent: u32,
    /// or was there: between its publication and its acknowledgement.
    present: u32,
    /// While the live rows were being written anew, or were about to be.
    compacting: u32,
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Some((home, first)) = role() {
        return write_until_killed(&home, first.parse().unwrap());
    }
    let kills: u32 = std::env::var(KILLS).map_or(40, |kills| kills.parse().expect("BRAIN_KILLS is a number"));
    let home = tempfile::tempdir().unwrap();
    create(home.path());
    let mut random = Random::new(kills.into());
    let (mut model, mut next, mut tally) = (Model::default(), 0, Tally::default());
    for _ in 0..kills {
        let lines = one_life(home.path(), next, &mut random);
        let latest = |word: &str| lines.iter().rev().find_map(|line| line.strip_prefix(word)?.parse::<u64>().ok());
        let acknowledged = latest("done ").map_or(next, |number| number + 1);
        let begun = latest("begin ").map_or(next, |number| number + 1);
        assert!(begun == acknowledged || begun == acknowledged + 1, "{lines:?}");
        model = (next..acknowledged).fold(model, |model, number| model.after(&Change::new(number)));

        let index = open(home.path());
        let found = Model::of(&*index).unwrap();
        let after = model.clone().after(&Change::new(acknowledged));
        let present = begun > acknowledged && found != model;
        if present {
            assert!(found == after, "change {acknowledged}, {:?}, is half there", Change::new(acknowledged));
            model = after;
        } else {
            assert!(found == model, "after change {acknowledged} of {next}..{begun}, {tally:?}");
        }
        model.assert_answers(&*index);

        let info = block_on(index.info()).unwrap();
        let dead = info.details["dead_rows"].as_u64().unwrap();
        tally.kills += 1;
        tally.changes += acknowledged - next;
        tally.opening += u32::from(lines.is_empty());
        tally.present += u32::from(present);
        tally.absent += u32::from(begun > acknowledged && !present);
        // It was worth it, and is not done, and was begun in this life.
        tally.compacting += u32::from((present || acknowledged > next) && dead >= u64::from(BLOCK_ROWS) && dead > info.items);
        next = acknowledged + u64::from(present);
    }
    eprintln!("{tally:?}");
    assert!(tally.absent + tally.present > 0, "no kill fell inside a change: {tally:?}");
    if kills >= 500 {
        assert!(tally.opening > 0 && tally.absent > 0 && tally.present > 0 && tally.compacting > 0, "a phase was never hit: {tally:?}");
    }
}

/// Starts a writer that goes on with change `next`, kills it some time later, and gives what it said.
fn one_life(home: &std::path::Path, next: u64, random: &mut Random) -> Vec<String> {
    let victim = Process::start("kill::a_killed_writer_loses_nothing_it_acknowledged", home, &next.to_string(), None);
    let mut lines = Vec::new();
    if random.below(4) > 0 {
        lines.extend(victim.line());
    }
    // Short lives as often as long ones.
    let longest = 1 + random.below(LONGEST_LIFE);
    let life = random.below(longest) as u64;
    lines.extend(victim.lines_for(Duration::from_micros(life)));
    lines.extend(victim.kill());
    lines
}

fn write_until_killed(home: &std::path::Path, first: u64) {
    let index = open(home);
    for number in first.. {
        tell(&format!("begin {number}"));
        Change::new(number).apply(&*index).unwrap();
        tell(&format!("done {number}"));
    }
}
