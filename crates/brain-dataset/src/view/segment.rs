//! A part of a view that is one `SELECT`: where rows come from, what must hold of them, in which order they come, and which stretch of them is meant.

use std::ops::Range;

use brain_core::{Item, ItemKind};
use rusqlite::{Connection, params_from_iter};

use super::span::Span;
use crate::dataset::item_at;
use crate::field::Field;
use crate::fragment::{Array, Fragment};
use crate::layout::{is_label_of, label_pk, sample_of};
use crate::schema::Schema;

/// Below this many rows, each one's labels are looked at instead of all labels of the dataset.
const FEW: usize = 10_000;

/// Where rows come from, and in which order before any sorting.
#[derive(Clone)]
pub(super) enum Source {
    /// A stretch of all samples.
    Samples(Span),
    /// These samples.
    SampleRows(Array),
    /// The labels of a stretch of all samples.
    Labels(Span),
    /// The labels of these samples.
    LabelsOf(Array),
    /// These labels.
    LabelRows(Array),
}

pub(super) struct Segment<'a> {
    schema: &'a Schema,
    /// The field whose labels the rows are; `None` where they are samples.
    pub(super) patches: Option<&'a Field>,
    pub(super) source: Source,
    conditions: Vec<Fragment>,
    order: Vec<Fragment>,
    skip: u64,
    limit: Option<u64>,
}

impl<'a> Segment<'a> {
    pub(super) fn new(schema: &'a Schema, patches: Option<&'a Field>, source: Source) -> Self {
        Self { schema, patches, source, conditions: Vec::new(), order: Vec::new(), skip: 0, limit: None }
    }

    /// No rows: what stands in for a segment while it runs.
    pub(super) fn none(schema: &'a Schema, patches: Option<&'a Field>) -> Self {
        Self::new(schema, patches, Source::SampleRows(Array::default()))
    }

    pub(super) fn kind(&self) -> ItemKind {
        if self.patches.is_some() { ItemKind::Patches } else { ItemKind::Samples }
    }

    /// The name of a row in conditions.
    pub(super) fn alias(&self) -> &'static str {
        if self.patches.is_some() { "l" } else { "s" }
    }

    /// Whether a stretch was cut out: what is asked after that is asked of the stretch.
    pub(super) fn is_cut(&self) -> bool {
        self.skip > 0 || self.limit.is_some()
    }

    /// The stretch of the dataset that the rows still are, if nothing else was asked.
    pub(super) fn span(&mut self) -> Option<&mut Span> {
        let is_plain = self.conditions.is_empty() && self.order.is_empty() && !self.is_cut();
        match &mut self.source {
            Source::Samples(span) if is_plain => Some(span),
            _ => None,
        }
    }

    /// Whether so few samples are asked about that the labels of each are best looked at one by one.
    pub(super) fn is_few(&self) -> bool {
        match &self.source {
            Source::SampleRows(rows) => rows.len() < FEW,
            Source::Samples(span) => span.at_most() < FEW,
            _ => false,
        }
    }

    /// Keeps the rows for which `condition` holds. The segment must not be [cut](Self::is_cut).
    pub(super) fn restrict(&mut self, condition: Fragment) {
        self.conditions.push(condition);
    }

    /// Sorts by `key`; ties keep their order before. The segment must not be [cut](Self::is_cut).
    pub(super) fn sort(&mut self, key: Fragment) {
        self.order.insert(0, key);
    }

    /// Leaves out the first `count` rows.
    pub(super) fn skip(&mut self, count: u64) {
        self.skip = self.skip.saturating_add(count);
        self.limit = self.limit.map(|limit| limit.saturating_sub(count));
    }

    /// Keeps the first `count` rows.
    pub(super) fn limit(&mut self, count: u64) {
        self.limit = Some(self.limit.unwrap_or(u64::MAX).min(count));
    }

    /// The primary keys of the rows, in order.
    pub(super) fn rows(mut self, connection: &Connection) -> rusqlite::Result<Vec<i64>> {
        if let Some(keys) = self.span().and_then(|span| span.known_keys()) {
            return Ok(keys);
        }
        let column = format!("{}.pk", self.alias());
        self.read(connection, &column, |row| row.get(0))
    }

    /// The rows as items, in order.
    pub(super) fn items(self, connection: &Connection) -> rusqlite::Result<Vec<Item>> {
        let kind = self.kind();
        let columns = match kind {
            ItemKind::Samples => "s.id".to_owned(),
            ItemKind::Patches => format!("l.id, (SELECT id FROM {} WHERE pk = {})", self.schema.layout.samples(), sample_of("l.pk")),
        };
        self.read(connection, &columns, |row| item_at(kind, row))
    }

    fn read<T>(
        self,
        connection: &Connection,
        columns: &str,
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let select = self.select(columns);
        connection.prepare(select.text())?.query_map(params_from_iter(select.values()), each)?.collect()
    }

    fn select(self, columns: &str) -> Fragment {
        let labels = self.patches.map(|field| self.schema.layout.labels(field.id)).unwrap_or_default();
        let samples = self.schema.layout.samples();
        let mut conditions = self.conditions;
        // The left table of a CROSS JOIN is always the outer loop, `rarray` gives its values in their order, and NOT INDEXED leaves the primary
        // key as the only way in: rows come in order without sorting, and no condition can lead the planner to a loop over all labels for each.
        let (from, position, is_in_order) = match self.source {
            Source::Samples(span) => {
                conditions.extend(span.part().map(|keys| Fragment::new("s.pk >= ? AND s.pk < ?").bind(keys.start).bind(keys.end)));
                (Fragment::new(format!("{samples} AS s")), "s.pk", false)
            }
            Source::Labels(span) => {
                let within = |keys: &Range<i64>| Fragment::new("l.pk >= ? AND l.pk < ?").bind(label_pk(keys.start, 0)).bind(label_pk(keys.end, 0));
                conditions.extend(span.part().map(within));
                (Fragment::new(format!("{labels} AS l")), "l.pk", false)
            }
            Source::SampleRows(rows) => {
                (Fragment::new(format!("rarray(?) AS r CROSS JOIN {samples} AS s NOT INDEXED ON s.pk = r.value")).bind(rows), "r.rowid", true)
            }
            Source::LabelRows(rows) => {
                (Fragment::new(format!("rarray(?) AS r CROSS JOIN {labels} AS l NOT INDEXED ON l.pk = r.value")).bind(rows), "r.rowid", true)
            }
            Source::LabelsOf(rows) => {
                let condition = is_label_of("l.pk", "r.value");
                (Fragment::new(format!("rarray(?) AS r CROSS JOIN {labels} AS l NOT INDEXED ON {condition}")).bind(rows), "r.rowid, l.pk", true)
            }
        };
        let mut select = Fragment::new(format!("SELECT {columns} FROM "));
        select.append(from);
        if !conditions.is_empty() {
            select.push(" WHERE ");
            select.append(Fragment::joined(conditions, " AND "));
        }
        if !(self.order.is_empty() && is_in_order) {
            select.push(" ORDER BY ");
            for key in self.order {
                select.append(key);
                select.push(", ");
            }
            select.push(position);
        }
        if self.skip > 0 || self.limit.is_some() {
            let bounded = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            select.append(Fragment::new(" LIMIT ? OFFSET ?").bind(self.limit.map_or(-1, bounded)).bind(bounded(self.skip)));
        }
        select
    }
}
