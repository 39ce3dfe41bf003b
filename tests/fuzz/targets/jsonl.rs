//! A JSON Lines file: samples and bad records.

use brain::core::ErrorKind;
use brain::dataset::formats::read_jsonl;

use super::{file, store};

pub(super) fn run(data: &[u8]) {
    let path = file("fuzz.jsonl", data);
    let mut reader = read_jsonl(&path).unwrap();
    let lines = data.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(reader.total(), Some(lines as u64));
    let (mut samples, mut bad) = (Vec::new(), 0);
    for record in reader.by_ref() {
        match record {
            Ok(sample) => samples.push(sample),
            Err(error) => {
                bad += 1;
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
                let place = error.message().strip_prefix(&format!("{}:", path.display())).and_then(|rest| rest.split_once(':'));
                let line = place.and_then(|(line, _)| line.parse::<usize>().ok());
                assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "it does not say where: {error}");
            }
        }
    }
    assert!(!reader.broke_off());
    assert!(samples.len() + bad <= lines, "{} samples and {bad} bad records of {lines} lines", samples.len());
    if !samples.is_empty() {
        store::assert_written(&samples);
        store::assert_stored("jsonl", &samples);
    }
}
