//! Changes to a home's files and manifests, as the bytes of an input say.

use std::fs::{self, OpenOptions};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::home::{Home, Original};

/// Bytes of an input that make one change.
const CHANGE: usize = 8;

/// What is done to a home.
pub(super) struct Damage(Vec<Change>);

/// One change. Numbers that choose count around: every input means something.
enum Change {
    /// Other bits in one byte of a file.
    Flip { file: usize, at: usize, mask: u8 },
    /// A file ends early.
    Cut { file: usize, at: usize },
    /// A file has more bytes behind its own.
    Grow { file: usize, by: usize, with: u8 },
    /// A file is gone.
    Remove { file: usize },
    /// A file has the bytes of another.
    Swap { file: usize, other: usize },
    /// A cell of a manifest holds something else.
    Cell { cell: usize, at: usize, with: [u8; 2] },
}

impl Damage {
    pub(super) fn parse(data: &[u8]) -> Self {
        let (changes, _) = data.as_chunks::<CHANGE>();
        let change = |&[kind, a, b, c, d, e, f, g]: &[u8; CHANGE]| {
            let (which, at) = (usize::from(a), usize::from(u16::from_le_bytes([b, c])));
            match kind % 6 {
                0 => Change::Flip { file: which, at, mask: d },
                1 => Change::Cut { file: which, at },
                2 => Change::Grow { file: which, by: at % 100, with: d },
                3 => Change::Remove { file: which },
                4 => Change::Swap { file: which, other: usize::from(d) },
                _ => Change::Cell { cell: usize::from(u16::from_le_bytes([a, g])), at, with: [e, f] },
            }
        };
        Self(changes.iter().map(change).collect())
    }

    /// Whether nothing is changed.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether more than files is changed.
    pub(super) fn changes_manifest(&self) -> bool {
        self.0.iter().any(|change| matches!(change, Change::Cell { .. }))
    }

    pub(super) fn inflict(&self, home: &Home, index: &Original) {
        self.0.iter().for_each(|change| change.inflict(home, index));
    }
}

impl Change {
    fn inflict(&self, home: &Home, index: &Original) {
        let path = |file: usize| &index.files[file % index.files.len()].0;
        // A file that an earlier change removed is left alone.
        match *self {
            Self::Flip { file, at, mask } => {
                if let Ok(mut bytes) = fs::read(path(file))
                    && !bytes.is_empty()
                {
                    let at = at % bytes.len();
                    bytes[at] ^= mask;
                    fs::write(path(file), bytes).unwrap();
                }
            }
            Self::Cut { file, at } => {
                if let Ok(file) = OpenOptions::new().write(true).open(path(file)) {
                    let length = file.metadata().unwrap().len();
                    file.set_len(at as u64 % (length + 1)).unwrap();
                }
            }
            Self::Grow { file, by, with } => {
                if let Ok(mut bytes) = fs::read(path(file)) {
                    bytes.resize(bytes.len() + by, with);
                    fs::write(path(file), bytes).unwrap();
                }
            }
            Self::Remove { file } => drop(fs::remove_file(path(file))),
            Self::Swap { file, other } => {
                if let (Ok(one), Ok(two)) = (fs::read(path(file)), fs::read(path(other))) {
                    fs::write(path(file), two).unwrap();
                    fs::write(path(other), one).unwrap();
                }
            }
            Self::Cell { cell, at, with } => home.cells[cell % home.cells.len()].change(home, at, with),
        }
    }
}

/// One cell of the tables that hold the manifests.
pub(super) struct Cell {
    table: String,
    column: String,
    value: Value,
    /// The row's primary key: columns and values.
    key: Vec<(String, Value)>,
}

impl Cell {
    /// Every cell of every table of the local indexes.
    pub(super) fn of_manifests(connection: &Connection) -> Vec<Self> {
        let names = |sql: &str, table: &[&str]| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map(params_from_iter(table), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let mut cells = Vec::new();
        for table in names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'local\\_%' ESCAPE '\\' ORDER BY name", &[]) {
            let key = names("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk", &[&table]);
            let columns = names("SELECT name FROM pragma_table_info(?1) ORDER BY cid", &[&table]);
            let mut statement = connection.prepare(&format!("SELECT {} FROM {table} ORDER BY {}", columns.join(", "), key.join(", "))).unwrap();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let value = |column: &String| row.get::<_, Value>(column.as_str()).unwrap();
                let key: Vec<_> = key.iter().map(|column| (column.clone(), value(column))).collect();
                cells.extend(columns.iter().map(|column| Self {
                    table: table.clone(),
                    column: column.clone(),
                    value: value(column),
                    key: key.clone(),
                }));
            }
        }
        cells
    }

    /// Another value of the same type. A change that the tables' own rules forbid is none.
    fn change(&self, home: &Home, at: usize, [how, with]: [u8; 2]) {
        let bytes = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if bytes.is_empty() {
                return vec![with];
            }
            let at = at % bytes.len();
            if how % 2 == 0 {
                bytes[at] ^= with
            } else {
                bytes.truncate(at)
            }
            bytes
        };
        let value = match &self.value {
            Value::Null => Value::Null,
            Value::Real(number) => Value::Real(-number),
            Value::Integer(number) => Value::Integer(match how % 4 {
                0 => number.wrapping_add(i64::from(with.cast_signed())),
                1 => i64::from(with),
                2 => number.wrapping_shl(u32::from(with)),
                _ => [i64::MIN, -1, i64::MAX, i64::from(u32::MAX)][usize::from(with % 4)],
            }),
            Value::Text(text) => Value::Text(String::from_utf8_lossy(&bytes(text.as_bytes())).into_owned()),
            Value::Blob(blob) => Value::Blob(bytes(blob)),
        };
        let key: Vec<String> = self.key.iter().enumerate().map(|(number, (column, _))| format!("{column} = ?{}", number + 2)).collect();
        let sql = format!("UPDATE {} SET {} = ?1 WHERE {}", self.table, self.column, key.join(" AND "));
        let values = [&value].into_iter().chain(self.key.iter().map(|(_, value)| value));
        let _ = Connection::open(home.database()).unwrap().execute(&sql, params_from_iter(values));
    }
}
