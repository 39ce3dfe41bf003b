//! A filter: it prints and parses to itself, and means something in a view.

use std::sync::LazyLock;

use brain::core::{Error, ErrorKind, Filter, View};
use brain::dataset::Dataset;

use super::{assert_refused, store};

/// Samples with a field of every type, and with gaps.
const SAMPLES: &str = include_str!("../seeds/jsonl/every_type.jsonl");

static DATASET: LazyLock<Dataset> = LazyLock::new(|| store::filled("filter", SAMPLES));

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let filter: Filter = match text.parse() {
        Ok(filter) => filter,
        Err(error) => {
            assert_refused(&error);
            return assert!(error.message().contains("column "), "it does not say where: {error}");
        }
    };
    let printed = filter.to_string();
    assert_eq!(printed.parse::<Filter>().as_ref().ok(), Some(&filter), "{printed}");
    let stored = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&stored).unwrap(), filter);

    let all = DATASET.count().unwrap();
    let negated = Filter::Not(Box::new(filter.clone()));
    match (count(filter), count(negated)) {
        (Ok(holds), Ok(does_not)) => assert_eq!(holds + does_not, all, "{printed}: {holds} and {does_not}"),
        (Err(error), Err(same)) => {
            assert_eq!(error.message(), same.message(), "{printed}");
            if error.kind() == ErrorKind::NotFound {
                assert!(error.hint().is_some(), "{error:?}");
            } else {
                assert_refused(&error);
            }
        }
        (one, other) => panic!("{printed}: {one:?}, its negation {other:?}"),
    }
}

fn count(filter: Filter) -> Result<u64, Error> {
    DATASET.count_view(&View::new().match_filter(filter))
}
