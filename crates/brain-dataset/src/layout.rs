//! Where a dataset lies in SQLite.
//!
//! | table | a row is |
//! |---|---|
//! | `dataset_dataset`, `dataset_field` | a dataset with its count of samples; a field with its type |
//! | `ds<D>_samples` | a sample, in dataset order of `pk`; column `f<F>` holds the scalar of field `F`, or 1 where it has labels or a vector |
//! | `ds<D>_gaps` | a `pk` between the first and the last that no sample has, because one was deleted |
//! | `ds<D>_labels_<F>` | a label of field `F`; its `pk` is `sample pk << 20 \| position`, so that labels lie beside those of their sample; `attributes` are JSONB |
//! | `ds<D>_vectors_<F>` | a vector of field `F`: little-endian `f32`s |
//!
//! Names hold numbers only, never what a user typed: field names may differ in case alone, which SQLite's columns may not, and nothing needs quoting.
//! Numbers are never given twice, so a handle on a deleted dataset cannot meet another one.
//!
//! *Indexes.* Ids are unique. Labels have `(label, pk, confidence)`, which answers a filter on the class and its confidence without touching the
//! labels; it costs little at import, because rows of one class are appended in order. Scalar fields have none until one is asked for
//! ([`Dataset::create_index`](crate::Dataset::create_index)): a scan of a million samples takes about a tenth of a second, and an index filled in
//! random order would slow each import. `filepath` gets one when an import first matches samples by it.

/// The steps of the catalogue's schema, for [`brain_store::Database::migrate`].
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE dataset_dataset (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        samples INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE dataset_field (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        dataset INTEGER NOT NULL REFERENCES dataset_dataset (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        indexed INTEGER NOT NULL DEFAULT 0,
        attributes TEXT NOT NULL DEFAULT '{}',
        UNIQUE (dataset, name)
    );
"];

/// How many bits of a label's `pk` say its position in its sample.
pub(crate) const POSITION_BITS: u32 = 20;

/// The most labels one field of one sample can hold.
pub(crate) const MOST_LABELS: usize = 1 << POSITION_BITS;

/// The `pk` of a sample's label.
pub(crate) fn label_pk(sample: i64, position: usize) -> i64 {
    sample << POSITION_BITS | position as i64
}

/// The `pk` of the sample that a label's `pk` (an SQL expression) belongs to.
pub(crate) fn sample_of(label_pk: &str) -> String {
    format!("{label_pk} >> {POSITION_BITS}")
}

/// The condition that a label's `pk` belongs to a sample's `pk` (both SQL expressions), in a form the primary key answers.
pub(crate) fn is_label_of(label_pk: &str, sample: &str) -> String {
    let last = MOST_LABELS - 1;
    format!("{label_pk} BETWEEN {sample} << {POSITION_BITS} AND ({sample} << {POSITION_BITS}) + {last}")
}

/// The names of one dataset's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) dataset: i64,
}

impl Layout {
    pub(crate) fn samples(self) -> String {
        format!("ds{}_samples", self.dataset)
    }

    pub(crate) fn gaps(self) -> String {
        format!("ds{}_gaps", self.dataset)
    }

    pub(crate) fn labels(self, field: i64) -> String {
        format!("ds{}_labels_{field}", self.dataset)
    }

    pub(crate) fn vectors(self, field: i64) -> String {
        format!("ds{}_vectors_{field}", self.dataset)
    }

    /// The index on a field's column.
    pub(crate) fn field_index(self, field: i64) -> String {
        format!("ds{}_by_{}", self.dataset, column(field))
    }

    pub(crate) fn create_samples(self) -> String {
        format!(
            "CREATE TABLE {} (pk INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, filepath TEXT NOT NULL, tags TEXT);
            CREATE TABLE {} (pk INTEGER PRIMARY KEY)",
            self.samples(),
            self.gaps()
        )
    }

    pub(crate) fn create_labels(self, field: i64) -> String {
        let table = self.labels(field);
        format!(
            "CREATE TABLE {table} (
                pk INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, label TEXT, confidence REAL, region, tags TEXT, attributes BLOB
            );
            CREATE INDEX {table}_by_label ON {table} (label, pk, confidence)"
        )
    }

    pub(crate) fn create_vectors(self, field: i64) -> String {
        format!("CREATE TABLE {} (sample INTEGER PRIMARY KEY, vector BLOB NOT NULL)", self.vectors(field))
    }

    pub(crate) fn create_filepath_index(self) -> String {
        format!("CREATE INDEX IF NOT EXISTS ds{}_by_filepath ON {} (filepath)", self.dataset, self.samples())
    }
}

/// The column of a field in its dataset's table of samples. It has no declared type: SQLite then keeps values as they are bound.
pub(crate) fn column(field: i64) -> String {
    format!("f{field}")
}
