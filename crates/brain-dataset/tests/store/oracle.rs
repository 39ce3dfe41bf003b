//! What a view means, said again in the plainest way: loops over samples in memory.

use brain_core::{Comparison, FieldValue, Filter, Item, Label, Literal, Path, Sample, Stage, View};

/// A row: the sample at a position, or one of the labels of one of its fields.
#[derive(Clone, Debug)]
struct Row {
    sample: usize,
    label: Option<Label>,
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Scalar {
    Bool(bool),
    Number(f64),
    Text(String),
}

pub(crate) struct Oracle<'a> {
    samples: &'a [Sample],
    rows: Vec<Row>,
    patches: Option<String>,
    label_filters: Vec<(String, Filter)>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn run(samples: &'a [Sample], view: &View) -> Self {
        let rows = (0..samples.len()).map(|sample| Row { sample, label: None }).collect();
        let mut oracle = Self { samples, rows, patches: None, label_filters: Vec::new() };
        view.stages().iter().for_each(|stage| oracle.apply(stage));
        oracle
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        let item = |row: &Row| {
            let sample = self.samples[row.sample].id.clone().unwrap();
            match &row.label {
                Some(label) => Item::patch(label.id.clone().unwrap(), sample),
                None => Item::sample(sample),
            }
        };
        self.rows.iter().map(item).collect()
    }

    /// The samples of the view, with the labels that are left.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let whole = |row: &Row| {
            let mut sample = self.samples[row.sample].clone();
            for (name, value) in &mut sample.fields {
                let left = self.labels(row.sample, name);
                if let FieldValue::Labels(labels) = value {
                    labels.labels = left;
                }
            }
            sample.fields.retain(|(_, value)| *value != FieldValue::Null);
            sample
        };
        self.rows.iter().map(whole).collect()
    }

    fn apply(&mut self, stage: &Stage) {
        let rows = std::mem::take(&mut self.rows);
        self.rows = match stage {
            Stage::Select { ids } => self.keep(rows, |oracle, row| ids.contains(&oracle.id(row))),
            Stage::Exclude { ids } => self.keep(rows, |oracle, row| !ids.contains(&oracle.id(row))),
            Stage::Match { filter } => self.keep(rows, |oracle, row| oracle.holds(filter, row)),
            Stage::MatchTags { tags } => self.keep(rows, |oracle, row| oracle.tags(row).iter().any(|tag| tags.contains(tag))),
            Stage::Exists { field, exists } => {
                let filter = Filter::Exists { path: path(field) };
                self.keep(rows, |oracle, row| oracle.holds(&filter, row) == *exists)
            }
            Stage::FilterLabels { field, filter } => {
                if self.patches.is_some() {
                    self.keep(rows, |oracle, row| oracle.holds(filter, row))
                } else {
                    self.label_filters.push((field.clone(), filter.clone()));
                    self.keep(rows, |oracle, row| !oracle.labels(row.sample, field).is_empty())
                }
            }
            Stage::SortBy { field, reverse } => self.sorted(rows, &path(field), *reverse),
            Stage::Shuffle { seed } => {
                let (mut rows, mut state) = (rows, *seed);
                for last in (1..rows.len()).rev() {
                    rows.swap(last, below(&mut state, last as u64 + 1) as usize);
                }
                rows
            }
            Stage::Take { count, seed } => {
                let (mut state, mut wanted, total) = (*seed, (*count).min(rows.len() as u64), rows.len() as u64);
                let mut chosen = Vec::new();
                for (at, row) in rows.into_iter().enumerate() {
                    if wanted > 0 && below(&mut state, total - at as u64) < wanted {
                        chosen.push(row);
                        wanted -= 1;
                    }
                }
                chosen
            }
            Stage::Skip { count } => rows.into_iter().skip(*count as usize).collect(),
            Stage::Limit { count } => rows.into_iter().take(*count as usize).collect(),
            Stage::ToPatches { field } => {
                let patches = |row: Row| self.labels(row.sample, field).into_iter().map(move |label| Row { label: Some(label), ..row });
                let rows = rows.into_iter().flat_map(patches).collect();
                self.patches = Some(field.clone());
                rows
            }
            other => panic!("{other:?}"),
        };
    }

    fn keep(&self, rows: Vec<Row>, holds: impl Fn(&Self, &Row) -> bool) -> Vec<Row> {
        rows.into_iter().filter(|row| holds(self, row)).collect()
    }

    fn id(&self, row: &Row) -> brain_core::ItemId {
        row.label.as_ref().map_or(&self.samples[row.sample].id, |label| &label.id).clone().unwrap()
    }

    fn tags(&self, row: &Row) -> Vec<String> {
        row.label.as_ref().map_or(&self.samples[row.sample].tags, |label| &label.tags).clone()
    }

    /// The labels of a field that the filters so far have left.
    fn labels(&self, sample: usize, field: &str) -> Vec<Label> {
        let Some((_, FieldValue::Labels(labels))) = self.samples[sample].fields.iter().find(|(name, _)| name == field) else { return Vec::new() };
        let is_left = |label: &&Label| {
            let row = Row { sample, label: Some((*label).clone()) };
            self.label_filters.iter().filter(|(filtered, _)| filtered == field).all(|(_, filter)| self.holds(filter, &row))
        };
        labels.labels.iter().filter(is_left).cloned().collect()
    }

    fn holds(&self, filter: &Filter, row: &Row) -> bool {
        match filter {
            Filter::And(parts) => parts.iter().all(|part| self.holds(part, row)),
            Filter::Or(parts) => parts.iter().any(|part| self.holds(part, row)),
            Filter::Not(inner) => !self.holds(inner, row),
            Filter::Compare { path, comparison: Comparison::NotEqual, value } => !self.values(path, row).iter().any(|found| *found == scalar(value)),
            Filter::Compare { path, comparison, value } => self.values(path, row).iter().any(|found| compares(found, *comparison, &scalar(value))),
            Filter::In { path, values } => self.values(path, row).iter().any(|found| values.iter().any(|value| *found == scalar(value))),
            Filter::Contains { path, text } => match last(path) {
                "tags" => self.tag_lists(path, row).iter().any(|tags| tags.contains(text)),
                _ => self.values(path, row).iter().any(|found| matches!(found, Scalar::Text(found) if found.contains(text))),
            },
            Filter::Exists { path } => match last(path) {
                "tags" => self.tag_lists(path, row).iter().any(|tags| !tags.is_empty()),
                _ if path.attribute.is_none() && row.label.is_none() && path.field != "id" && path.field != "filepath" => {
                    self.samples[row.sample].fields.iter().any(|(name, value)| *name == path.field && *value != FieldValue::Null)
                }
                _ => match (&row.label, &path.attribute) {
                    (Some(label), _) => is_there(label, last(path)),
                    (None, Some(name)) => self.labels(row.sample, &path.field).iter().any(|label| is_there(label, name)),
                    (None, None) => !self.values(path, row).is_empty(),
                },
            },
        }
    }

    fn tag_lists(&self, path: &Path, row: &Row) -> Vec<Vec<String>> {
        match (&row.label, &path.attribute) {
            (None, Some(_)) => self.labels(row.sample, &path.field).into_iter().map(|label| label.tags).collect(),
            _ => vec![self.tags(row)],
        }
    }

    /// The values a path names: none, one, or one a label.
    fn values(&self, path: &Path, row: &Row) -> Vec<Scalar> {
        match (&row.label, &path.attribute) {
            (Some(label), _) => attribute(label, last(path)).into_iter().collect(),
            (None, Some(name)) => self.labels(row.sample, &path.field).iter().filter_map(|label| attribute(label, name)).collect(),
            (None, None) => of_sample(&self.samples[row.sample], &path.field).into_iter().collect(),
        }
    }

    fn sorted(&self, rows: Vec<Row>, path: &Path, reverse: bool) -> Vec<Row> {
        let key = |row: &Row| {
            let order = |a: &Scalar, b: &Scalar| a.partial_cmp(b).unwrap();
            let values = self.values(path, row);
            if reverse { values.into_iter().max_by(order) } else { values.into_iter().min_by(order) }
        };
        let mut keyed: Vec<(Option<Scalar>, Row)> = rows.into_iter().map(|row| (key(&row), row)).collect();
        keyed.sort_by(|(a, _), (b, _)| match (a, b) {
            (None, None) => std::cmp::Ordering::Equal,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(_), None) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) if reverse => b.partial_cmp(a).unwrap(),
            (Some(a), Some(b)) => a.partial_cmp(b).unwrap(),
        });
        keyed.into_iter().map(|(_, row)| row).collect()
    }
}

fn path(name: &str) -> Path {
    let (field, attribute) = name.split_once('.').map_or((name, None), |(field, attribute)| (field, Some(attribute.to_owned())));
    Path { field: field.to_owned(), attribute }
}

fn last(path: &Path) -> &str {
    path.attribute.as_ref().unwrap_or(&path.field)
}

fn of_sample(sample: &Sample, name: &str) -> Option<Scalar> {
    match name {
        "id" => return Some(Scalar::Text(sample.id.as_ref().unwrap().to_string())),
        "filepath" => return Some(Scalar::Text(sample.filepath.clone())),
        _ => {}
    }
    match &sample.fields.iter().find(|(field, _)| field == name)?.1 {
        FieldValue::Bool(value) => Some(Scalar::Bool(*value)),
        FieldValue::Int(value) => Some(Scalar::Number(*value as f64)),
        FieldValue::Float(value) => Some(Scalar::Number(*value)),
        FieldValue::Text(value) => Some(Scalar::Text(value.clone())),
        _ => None,
    }
}

fn attribute(label: &Label, name: &str) -> Option<Scalar> {
    match name {
        "id" => Some(Scalar::Text(label.id.as_ref().unwrap().to_string())),
        "label" => label.label.clone().map(Scalar::Text),
        "confidence" => label.confidence.map(Scalar::Number),
        _ => match label.attributes.get(name)? {
            serde_json::Value::Bool(value) => Some(Scalar::Bool(*value)),
            serde_json::Value::Number(value) => Some(Scalar::Number(value.as_f64().unwrap())),
            serde_json::Value::String(value) => Some(Scalar::Text(value.clone())),
            _ => None,
        },
    }
}

/// Whether a label has a value for an attribute, of whatever type.
fn is_there(label: &Label, name: &str) -> bool {
    attribute(label, name).is_some() || label.attributes.get(name).is_some_and(|value| !value.is_null())
}

fn scalar(literal: &Literal) -> Scalar {
    match literal {
        Literal::Bool(value) => Scalar::Bool(*value),
        Literal::Int(value) => Scalar::Number(*value as f64),
        Literal::Float(value) => Scalar::Number(*value),
        Literal::Text(value) => Scalar::Text(value.clone()),
    }
}

fn compares(found: &Scalar, comparison: Comparison, value: &Scalar) -> bool {
    if std::mem::discriminant(found) != std::mem::discriminant(value) {
        return false;
    }
    match comparison {
        Comparison::Equal => found == value,
        Comparison::NotEqual => found != value,
        Comparison::Less => found < value,
        Comparison::LessOrEqual => found <= value,
        Comparison::Greater => found > value,
        Comparison::GreaterOrEqual => found >= value,
    }
}

/// SplitMix64 and a multiplication, as the store documents its draws.
fn below(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
}
