use std::fs;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::formats::arbitrary;
use brain_core::{FieldValue, ItemId};

/// What a file of these bytes reads as, beside the folder it lies in.
fn read(bytes: &[u8]) -> (Vec<Result<Sample, String>>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, bytes).unwrap();
    let mut samples = read_jsonl(&path).unwrap();
    let items = samples.by_ref().map(|item| item.map_err(|error| error.message().to_owned())).collect();
    assert!(!samples.broke_off());
    (items, folder.path().to_str().unwrap().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_is_read_back(samples in prop::collection::vec(arbitrary::sample(), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.jsonl");
        let count = write_jsonl(&path, samples.iter().cloned().map(Ok)).unwrap();
        prop_assert_eq!(count, samples.len() as u64);
        let read = read_jsonl(&path).unwrap();
        prop_assert_eq!(read.total(), Some(count));
        prop_assert_eq!(read.collect::<Result<Vec<_>>>().unwrap(), samples);
    }
}

#[test]
fn byte_order_marks_line_ends_blanks_and_a_missing_last_line_end() {
    let (items, folder) = read(b"\xef\xbb\xbf{\"filepath\": \"./x.jpg\"}\r\n\r\n  \t\n{\"filepath\": \"/abs/y.jpg\"}\n{\"filepath\": \"sub/z.jpg\"}");
    let paths: Vec<_> = items.into_iter().map(|item| item.unwrap().filepath).collect();
    assert_eq!(paths, [format!("{folder}/x.jpg"), "/abs/y.jpg".to_owned(), format!("{folder}/sub/z.jpg")]);
}

#[test]
fn a_bad_line_names_file_line_and_column_and_the_next_is_read() {
    let (items, folder) =
        read(b"{\"filepath\": \"a\"}\n\n{\"filepath\": \"b\", \"tags\": 7}\n{\"filepath\": \"\xff\"}\n{\"filepath\"\n{\"filepath\": \"c\"}\n");
    assert_eq!(items.len(), 5);
    assert_eq!(items[1], Err(format!("{folder}/a.jsonl:3:27: \"tags\" of the sample is not a list of texts, but a number: 7")));
    assert_eq!(items[2], Err(format!("{folder}/a.jsonl:4:15: the line is not UTF-8")));
    assert_eq!(items[3], Err(format!("{folder}/a.jsonl:5:11: EOF while parsing an object")));
    assert!(items[0].is_ok() && items[4].is_ok());
}

#[test]
fn a_line_too_long_is_passed_over() {
    let mut bytes = b"{\"filepath\": \"".to_vec();
    bytes.resize(MAX_RECORD_BYTES + 10, b'x');
    bytes.extend_from_slice(b"\"}\n{\"filepath\": \"b\"}\n");
    let (items, folder) = read(&bytes);
    assert_eq!(items[0], Err(format!("{folder}/a.jsonl:1:1: the line is longer than 64 MiB")));
    assert!(items.len() == 2 && items[1].is_ok());
}

#[test]
fn lines_are_counted_by_their_ends() {
    for (text, lines) in [("", 0), ("{}", 1), ("{}\n", 1), ("{}\n{}", 2)] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_jsonl(file.path()).unwrap().total(), Some(lines), "{text:?}");
    }
}

#[test]
fn nothing_is_overwritten_and_a_failed_export_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let nan = Sample {
        id: Some(ItemId::from_bytes([1; 12])),
        filepath: "/a".into(),
        fields: vec![("f".into(), FieldValue::Float(f64::NAN))],
        ..Sample::default()
    };
    let error = write_jsonl(&path, [Ok(Sample::default()), Ok(nan)]).unwrap_err();
    assert_eq!(error.message(), "sample 010101010101010101010101 cannot be exported: field \"f\" holds NaN, which JSON cannot say");
    assert!(write_jsonl(&path, [Err(Error::corrupt("the store broke"))]).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(write_jsonl(&path, []).unwrap(), 0);
    assert_eq!(write_jsonl(&path, []).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut bytes = Vec::new();
    assert_eq!(write_jsonl_to(&mut bytes, [Ok(Sample { filepath: "/a".into(), ..Sample::default() })]).unwrap(), 1);
    assert_eq!(bytes, b"{\"filepath\":\"/a\"}\n");
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_jsonl(&folder.path().join("no.jsonl")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(read_jsonl(folder.path()).unwrap_err().message().contains("is a folder"));
}
