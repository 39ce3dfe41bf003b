//! The answer of a search, told to people.

use std::io;

use brain::{Report, SortedRow};

use crate::distance;
use crate::known::Known;
use crate::location::Location;
use crate::output::Output;
use crate::table::Table;

/// The rows of an answer: rank, distance, class where it is known, file, id.
pub(crate) fn table(rows: &[SortedRow], known: &Known) -> Table {
    let location = Location::here();
    let mut table = Table::new().number("rank").number("distance");
    if known.has_classes() {
        table = table.text("label");
    }
    table = table.text("file").text("id");
    for row in rows {
        let mut cells = vec![row.rank.to_string(), distance::shown(row.distance)];
        if known.has_classes() {
            cells.push(known.class(row).unwrap_or_default().to_owned());
        }
        cells.push(row.filepath.as_deref().map_or_else(|| "(no longer in the dataset)".to_owned(), |path| location.shown(path)));
        cells.push(row.id.to_string());
        table.row(cells);
    }
    table
}

/// What must be known of an answer; with `explain` everything that is.
pub(crate) fn remarks(output: &mut Output, report: &Report, explain: bool) -> io::Result<()> {
    if explain {
        output.line("")?;
        for line in explained(report) {
            output.line(line)?;
        }
    } else if report.returned == 0 {
        output.hint(format_args!("no rows: {}", report.reason))?;
    }
    if report.missing > 0 {
        output.warn(format_args!(
            "{} items of the view are not in the index; add them with `brain add-to-index NAME --brain-key KEY --new`",
            report.missing
        ))?;
    }
    Ok(())
}

fn explained(report: &Report) -> Vec<String> {
    let requested = report.requested.map_or_else(|| "everything".to_owned(), |k| k.to_string());
    let mut lines = vec![
        format!("route   {}, {}", report.route, if report.exact { "exact" } else { "approximate" }),
        format!("reason  {}", report.reason),
        format!("rows    {} of {requested} asked for; {} items of the view are not in the index", report.returned, report.missing),
        format!("time    {:.1} ms", report.elapsed_ms),
    ];
    lines.extend(report.plan.as_ref().map(|plan| format!("plan    {}", plan.replace('\n', "\n        "))));
    lines
}

#[cfg(test)]
mod tests {
    use brain::Route;

    use super::*;

    #[test]
    fn distances_have_four_decimals_and_classes_a_column_where_they_are_known() {
        let row = |rank, id: &str, distance| SortedRow {
            rank,
            id: id.into(),
            sample_id: id.into(),
            label_id: None,
            filepath: (rank == 1).then(|| "/elsewhere/a.jpg".to_owned()),
            distance,
        };
        let mut text = Vec::new();
        table(&[row(1, "a", 0.0), row(2, "b", 0.123_46)], &Known::default()).write(&mut text, false).unwrap();
        let expected = "rank  distance  file                        id\n   1    0.0000  /elsewhere/a.jpg            a\n   2    0.1235  (no longer in the dataset)  b\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn an_explanation_names_route_reason_rows_and_time() {
        let report = Report {
            requested: Some(10),
            returned: 10,
            missing: 2,
            exact: true,
            route: Route::SubsetScan,
            reason: "the view is small".into(),
            elapsed_ms: 1.25,
            plan: Some("Limit\nScan".into()),
        };
        let lines = explained(&report);
        assert_eq!(lines[0], "route   subset scan, exact");
        assert_eq!(lines[2], "rows    10 of 10 asked for; 2 items of the view are not in the index");
        assert_eq!(lines[4], "plan    Limit\n        Scan");
        assert_eq!(explained(&Report { requested: None, plan: None, ..report })[2].split(';').next(), Some("rows    10 of everything asked for"));
    }
}
