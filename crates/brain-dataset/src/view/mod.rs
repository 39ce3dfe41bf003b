//! Turns a view's pipeline into SQL.
//!
//! A pipeline is cut into segments, each one `SELECT` of the form *source, conditions, order, stretch*. A stage that fits goes into the
//! segment at hand; one that does not (a filter after `limit`, say) makes the segment run, and its rows are the source of the next. `take` and
//! `shuffle` work on rows, or on plain positions where the whole dataset is meant, so that drawing from a million samples reads only what is drawn.
//!
//! Rows are the primary keys of samples, or of labels after `to_patches`.

mod condition;
mod draw;
mod operand;
mod segment;
mod span;

use brain_core::{Error, Filter, Item, ItemId, ItemKind, Path, Stage, View};
use brain_store::StoreFailure;
use rusqlite::Connection;

use crate::field::{Field, FieldType};
use crate::fragment::{Fragment, array, id_array};
use crate::layout::is_label_of;
use crate::schema::Schema;
pub(crate) use condition::LabelFilter;
use condition::{Conditions, has_tag};
pub(crate) use operand::attribute_path;
use operand::{Operand, Scope, find};
use segment::{Segment, Source};
use span::Span;

/// What a view means, as rows.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) kind: ItemKind,
    /// The label field whose rows these are, in a view of patches.
    pub(crate) patches: Option<Field>,
    /// Primary keys, in the view's order.
    pub(crate) rows: Vec<i64>,
    /// What `filter_labels` left of the labels.
    pub(crate) label_filters: Vec<LabelFilter>,
}

/// The rows of a view.
pub(crate) fn resolution(connection: &Connection, schema: &Schema, view: &View) -> Result<Resolution, StoreFailure> {
    let pipeline = Pipeline::run(connection, schema, view)?;
    let (kind, patches) = (pipeline.segment.kind(), pipeline.segment.patches.cloned());
    Ok(Resolution { kind, patches, rows: pipeline.segment.rows(connection)?, label_filters: pipeline.label_filters })
}

/// The items of a view.
pub(crate) fn items(connection: &Connection, schema: &Schema, view: &View) -> Result<Vec<Item>, StoreFailure> {
    Ok(Pipeline::run(connection, schema, view)?.segment.items(connection)?)
}

/// The condition on labels `l` of a field that the filters leave; `None` where they leave all.
pub(crate) fn left_labels(schema: &Schema, field: &Field, label_filters: &[LabelFilter]) -> Result<Option<Fragment>, Error> {
    let conditions = Conditions { schema, label_filters, scope: Scope::Label(field), few: false }.left_labels(field)?;
    Ok((!conditions.is_empty()).then(|| Fragment::joined(conditions, " AND ")))
}

struct Pipeline<'a> {
    connection: &'a Connection,
    schema: &'a Schema,
    segment: Segment<'a>,
    label_filters: Vec<LabelFilter>,
}

impl<'a> Pipeline<'a> {
    fn run(connection: &'a Connection, schema: &'a Schema, view: &View) -> Result<Self, StoreFailure> {
        let mut pipeline = Self {
            connection,
            schema,
            segment: Segment::new(schema, None, Source::Samples(Span::whole(connection, schema)?)),
            label_filters: Vec::new(),
        };
        for stage in view.stages() {
            pipeline.apply(stage)?;
        }
        Ok(pipeline)
    }

    fn apply(&mut self, stage: &Stage) -> Result<(), StoreFailure> {
        match stage {
            Stage::Select { ids } => self.restrict(|pipeline| Ok(pipeline.ids("IN", ids))),
            Stage::Exclude { ids } => self.restrict(|pipeline| Ok(pipeline.ids("NOT IN", ids))),
            Stage::Match { filter } => self.restrict(|pipeline| pipeline.conditions().of(filter)),
            Stage::MatchTags { tags } => self.restrict(|pipeline| Ok(pipeline.tags(tags))),
            Stage::Exists { field, exists } => self.restrict(|pipeline| {
                let condition = pipeline.conditions().of(&Filter::Exists { path: path(field) })?;
                Ok(if *exists { condition } else { condition.negated() })
            }),
            Stage::FilterLabels { field, filter } => self.filter_labels(field, filter),
            Stage::SortBy { field, reverse } => self.sort_by(field, *reverse),
            Stage::Shuffle { seed } => {
                let mut rows = self.rows()?;
                draw::shuffle(&mut rows, *seed);
                self.replace(rows);
                Ok(())
            }
            Stage::Take { count, seed } => self.take(*count, *seed),
            Stage::Skip { count } => {
                match self.segment.span() {
                    Some(span) => span.skip(self.connection, self.schema, *count)?,
                    None => self.segment.skip(*count),
                }
                Ok(())
            }
            Stage::Limit { count } => {
                match self.segment.span() {
                    Some(span) => span.limit(self.connection, self.schema, *count)?,
                    None => self.segment.limit(*count),
                }
                Ok(())
            }
            Stage::ToPatches { field } => self.cut_patches(field),
            other => Err(Error::unsupported(format!("this version of the dataset store does not know the stage {other:?}")).into()),
        }
    }

    fn conditions(&self) -> Conditions<'_> {
        let scope = self.segment.patches.map_or(Scope::Sample, Scope::Label);
        Conditions { schema: self.schema, label_filters: &self.label_filters, scope, few: self.segment.is_few() }
    }

    /// Keeps the rows that satisfy a condition.
    fn restrict(&mut self, condition: impl FnOnce(&Self) -> Result<Fragment, Error>) -> Result<(), StoreFailure> {
        self.settle()?;
        let condition = condition(self)?;
        self.segment.restrict(condition);
        Ok(())
    }

    /// Runs the segment if it has been cut, so that conditions and sorting can be added.
    fn settle(&mut self) -> rusqlite::Result<()> {
        if self.segment.is_cut() {
            let rows = self.rows()?;
            self.replace(rows);
        }
        Ok(())
    }

    /// Runs the segment.
    fn rows(&mut self) -> rusqlite::Result<Vec<i64>> {
        let none = Segment::none(self.schema, self.segment.patches);
        std::mem::replace(&mut self.segment, none).rows(self.connection)
    }

    /// Goes on from these rows.
    fn replace(&mut self, rows: Vec<i64>) {
        let patches = self.segment.patches;
        let source = if patches.is_some() { Source::LabelRows(array(rows)) } else { Source::SampleRows(array(rows)) };
        self.segment = Segment::new(self.schema, patches, source);
    }

    fn ids(&self, operator: &str, ids: &[ItemId]) -> Fragment {
        Fragment::new(format!("{}.id {operator} (SELECT value FROM rarray(?))", self.segment.alias())).bind(id_array(ids))
    }

    fn tags(&self, tags: &[String]) -> Fragment {
        if tags.is_empty() {
            return Fragment::new("FALSE");
        }
        let list = format!("{}.tags", self.segment.alias());
        Fragment::joined(tags.iter().map(|tag| has_tag(&list, tag)).collect(), " OR ")
    }

    fn filter_labels(&mut self, name: &str, filter: &Filter) -> Result<(), StoreFailure> {
        let field = self.schema.label_field(name)?;
        match self.segment.patches {
            Some(patches) if patches.id == field.id => self.restrict(|pipeline| pipeline.conditions().of(filter)),
            Some(patches) => Err(Error::invalid(format!("labels of {name:?} cannot be filtered in a view of the patches of {:?}", patches.name))
                .with_hint("filter them before to_patches")
                .into()),
            None => {
                self.settle()?;
                self.label_filters.push((field.id, filter.clone()));
                self.restrict(|pipeline| pipeline.conditions().some_label(field, None))
            }
        }
    }

    fn sort_by(&mut self, name: &str, reverse: bool) -> Result<(), StoreFailure> {
        self.settle()?;
        let path = path(name);
        let found = find(self.schema, self.conditions().scope, &path)?;
        let value = sort_value(&path, &found.operand)?;
        let mut key = match found.labels_of {
            None => value,
            Some(field) => {
                let best = if reverse { "max" } else { "min" };
                let mut key = Fragment::new(format!("(SELECT {best}("));
                key.append(value);
                key.push(&format!(") FROM {} AS l NOT INDEXED WHERE {}", self.schema.layout.labels(field.id), is_label_of("l.pk", "s.pk")));
                if let Some(left) = left_labels(self.schema, field, &self.label_filters)? {
                    key.push(" AND ");
                    key.append(left);
                }
                key.push(")");
                key
            }
        };
        key.push(if reverse { " DESC NULLS LAST" } else { " ASC NULLS LAST" });
        self.segment.sort(key);
        Ok(())
    }

    fn take(&mut self, count: u64, seed: u64) -> Result<(), StoreFailure> {
        let rows = match self.segment.span() {
            Some(span) => span.choose(self.connection, self.schema, |total| draw::positions(total, count, seed))?,
            None => {
                let rows = self.rows()?;
                draw::positions(rows.len() as u64, count, seed).into_iter().map(|position| rows[position as usize]).collect()
            }
        };
        self.replace(rows);
        Ok(())
    }

    fn cut_patches(&mut self, name: &str) -> Result<(), StoreFailure> {
        let field = self.schema.label_field(name)?;
        if let Some(patches) = self.segment.patches {
            return Err(Error::invalid(format!("the view is of the patches of {:?} already", patches.name))
                .with_hint("use to_patches once in a view")
                .into());
        }
        if !matches!(field.field_type, FieldType::Labels(class) if class.has_regions()) {
            return Err(Error::invalid(format!("{name:?} holds {}, which have no region, so there are no patches of it", field.field_type))
                .with_hint("use a field of detections or polylines")
                .into());
        }
        let source = match self.segment.span() {
            Some(span) => Source::Labels(span.clone()),
            None => Source::LabelsOf(array(self.rows()?)),
        };
        self.segment = Segment::new(self.schema, Some(field), source);
        if let Some(left) = left_labels(self.schema, field, &self.label_filters)? {
            self.segment.restrict(left);
        }
        Ok(())
    }
}

/// `field` or `field.attribute`.
fn path(name: &str) -> Path {
    match name.split_once('.') {
        Some((field, attribute)) => Path { field: field.to_owned(), attribute: Some(attribute.to_owned()) },
        None => Path { field: name.to_owned(), attribute: None },
    }
}

/// What is sorted by.
fn sort_value(path: &Path, operand: &Operand) -> Result<Fragment, Error> {
    match operand {
        Operand::Column { sql, .. } | Operand::Id { sql } => Ok(Fragment::new(sql.clone())),
        Operand::Attribute { path, field_type } if field_type.is_scalar() || *field_type == FieldType::Null => {
            Ok(Fragment::new("json_extract(l.attributes, ?)").bind(path.clone()))
        }
        Operand::Attribute { field_type, .. } | Operand::Present { field_type, .. } => {
            Err(Error::invalid(format!("{path} is of type {field_type}, which has no order"))
                .with_hint("sort by a bool, int, float or text field, filepath or id"))
        }
        Operand::Tags { .. } => {
            Err(Error::invalid(format!("{path} is a list, which has no order")).with_hint("sort by a bool, int, float or text field, filepath or id"))
        }
    }
}
