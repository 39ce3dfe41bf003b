//! A process that is killed at any instant: the test starts itself again as the writer, and kills that.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::random::Random;

/// Tells a writer's lines from those of the test harness.
const MARK: &str = "tells: ";

/// Starts the test `name` of this binary with the variable `role` set, in which it is to see that it is the writer; kills it within `longest` of the
/// first line it [tells](tell), short lives as often as long ones; and gives all that it told.
///
/// # Panics
/// Where the process cannot be started or killed.
pub fn one_life(name: &str, role: (&str, &str), longest: Duration, random: &mut Random) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(role.0, role.1)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, told) = channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let lines = output.lines().map_while(Result::ok).filter_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
        // The receiver goes when nobody listens any more.
        lines.map_while(|line| sender.send(line).ok()).for_each(drop);
    });
    let mut lines: Vec<String> = told.recv().into_iter().collect();
    let most = 1 + random.below(longest.as_micros() as usize);
    let end = Instant::now() + Duration::from_micros(random.below(most) as u64);
    while let Ok(line) = told.recv_timeout(end.saturating_duration_since(Instant::now())) {
        lines.push(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lines.extend(told.iter());
    lines
}

/// Tells the process that started this one, before the next thing is done.
#[expect(clippy::print_stdout, reason = "standard output is the pipe to the process that started this one")]
pub fn tell(line: &str) {
    println!("{MARK}{line}");
}
