//! Reading from the server's catalog what a table and its indexes really are.

use brain_core::{Error, ErrorKind, Metric, Result};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::connect::{Parameter, Session, Types};
use crate::error;
use crate::options::{Method, Over};
use crate::table::{Table, VECTOR_COLUMN, VectorIndex};

/// The table that `name` means: a table's name, or that of an index on it.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) for what is no table of vectors, saying what it lacks; those of the server.
pub(crate) async fn find(session: &Session, schema: Option<&str>, name: &str) -> Result<Option<Table>> {
    find_by(session.client(), session.types(), schema, name).await
}

/// As [`find`], also within a transaction, which sees its own changes.
pub(crate) async fn find_by(client: &Client, types: &Types, schema: Option<&str>, name: &str) -> Result<Option<Table>> {
    const FIND: &str = "\
        SELECT t.oid, n.nspname::text, t.relname::text, t.relkind::text, pg_catalog.obj_description(t.oid, 'pg_class') \
        FROM pg_catalog.pg_class c \
        LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
        JOIN pg_catalog.pg_class t ON t.oid = coalesce(i.indrelid, c.oid) \
        JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
        WHERE c.relname = $1 AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2 END";
    let what = format!("look for the table {name:?}");
    let rows = ask(client, FIND, &[(&name, Type::TEXT), (&schema, Type::TEXT)], &what).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (oid, schema, found, kind): (u32, String, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
    if !matches!(kind.as_str(), "r" | "p") {
        return Err(Error::unsupported(format!("{schema}.{found} is {}, not a table", kind_in_words(&kind)))
            .with_hint("attach to the table itself, or to an index on it"));
    }
    let comment: Option<String> = row.get(4);
    let mut table = Table {
        oid,
        schema,
        name: found,
        halves: false,
        dimension: None,
        note: comment.as_deref().and_then(|comment| serde_json::from_str(comment).ok()),
        indexes: Vec::new(),
        keyed: false,
        samples_indexed: false,
        samples_optional: false,
    };
    let vector_column = columns(client, types, &mut table).await?;
    indexes(client, &mut table, vector_column).await?;
    Ok(Some(table))
}

/// Reads the columns; the number of the one that holds the vectors.
async fn columns(client: &Client, types: &Types, table: &mut Table) -> Result<i16> {
    const COLUMNS: &str = "\
        SELECT a.attname::text, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory::text \
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = ask(client, COLUMNS, &[(&table.oid, Type::OID)], &format!("read the columns of {}", table.sql())).await?;
    let column = |name: &str| rows.iter().find(|row| row.get::<_, &str>(0) == name);
    let wrong = |what: String| {
        let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        Error::unsupported(format!("the table {} {what}", table.sql())).with_hint(format!(
            "a table of vectors has the columns id (text), sample_id (text) and {VECTOR_COLUMN} (vector or halfvec); this one has {}",
            names.join(", ")
        ))
    };
    for name in ["id", "sample_id"] {
        let row = column(name).ok_or_else(|| wrong(format!("has no column {name}")))?;
        if row.get::<_, &str>(6) != "S" {
            return Err(wrong(format!("has {} in its column {name}, not text", row.get::<_, &str>(5))));
        }
    }
    let row = column(VECTOR_COLUMN).ok_or_else(|| wrong(format!("has no column {VECTOR_COLUMN}")))?;
    let oid: u32 = row.get(2);
    let halves = oid == types.halfvec.oid();
    if !halves && oid != types.vector.oid() {
        return Err(wrong(format!("has {} in its column {VECTOR_COLUMN}", row.get::<_, &str>(5))));
    }
    let (number, declared) = (row.get(1), row.get::<_, i32>(3));
    let samples_optional = !column("sample_id").is_some_and(|row| row.get(4));
    table.halves = halves;
    table.dimension = usize::try_from(declared).ok().filter(|&dimension| dimension > 0);
    table.samples_optional = samples_optional;
    Ok(number)
}

async fn indexes(client: &Client, table: &mut Table, vector_column: i16) -> Result<()> {
    const INDEXES: &str = "\
        SELECT i.indexrelid, c.relname::text, m.amname::text, o.opcname::text, i.indisvalid AND i.indisready, i.indkey[0], \
               pg_catalog.pg_get_indexdef(i.indexrelid, 1, true), pg_catalog.obj_description(i.indexrelid, 'pg_class'), i.indpred IS NOT NULL, \
               i.indisunique AND i.indnkeyatts = 1 \
        FROM pg_catalog.pg_index i \
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
        JOIN pg_catalog.pg_am m ON m.oid = c.relam \
        JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0] \
        WHERE i.indrelid = $1 ORDER BY i.indexrelid";
    for row in ask(client, INDEXES, &[(&table.oid, Type::OID)], &format!("read the indexes of {}", table.sql())).await? {
        let (method, class, key): (&str, &str, i16) = (row.get(2), row.get(3), row.get(5));
        let first: Option<&str> = row.get(6);
        let (valid, partial, unique): (bool, bool, bool) = (row.get(4), row.get(8), row.get(9));
        if method == "btree" && valid && !partial {
            table.samples_indexed |= first == Some("sample_id");
            table.keyed |= unique && first == Some("id");
        }
        let method = match method {
            "hnsw" => Method::Hnsw,
            "ivfflat" => Method::Ivfflat,
            _ => continue,
        };
        // An index over some of the rows would lose the others.
        let Some((over, metric)) = of_class(class, key == vector_column).filter(|_| !partial) else { continue };
        // As PostgreSQL prints the expressions of `Ranked::indexed`.
        let expected = match over {
            Over::Column => VECTOR_COLUMN.to_owned(),
            Over::Halves => format!("{VECTOR_COLUMN}::"),
            Over::Signs => format!("binary_quantize({VECTOR_COLUMN})::bit"),
        };
        if !first.is_some_and(|first| first.contains(&expected)) {
            continue;
        }
        let comment: Option<&str> = row.get(7);
        table.indexes.push(VectorIndex {
            oid: row.get(0),
            name: row.get(1),
            method,
            over,
            metric,
            valid,
            calibration: comment.and_then(|comment| serde_json::from_str(comment).ok()),
        });
    }
    Ok(())
}

/// What an index of an operator class holds, and what it ranks by.
fn of_class(class: &str, whole_column: bool) -> Option<(Over, Metric)> {
    let (of, by) = class.strip_suffix("_ops")?.split_once('_')?;
    let metric = match by {
        "cosine" => Metric::Cosine,
        "ip" => Metric::DotProduct,
        "l2" => Metric::Euclidean,
        "l1" => Metric::L1,
        "hamming" => Metric::Hamming,
        "jaccard" => Metric::Jaccard,
        _ => return None,
    };
    match (of, whole_column) {
        ("vector" | "halfvec", true) => Some((Over::Column, metric)),
        ("halfvec", false) => Some((Over::Halves, metric)),
        ("bit", false) => Some((Over::Signs, metric)),
        _ => None,
    }
}

fn kind_in_words(kind: &str) -> &'static str {
    match kind {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "S" => "a sequence",
        _ => "something else",
    }
}

async fn ask(client: &Client, sql: &str, parameters: &[Parameter<'_>], what: &str) -> Result<Vec<Row>> {
    client.query_typed(sql, parameters).await.map_err(|error| error::of(error, what))
}

/// The length of the vectors in a table that does not declare it; `None` for an empty table.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) where they have several; those of the server.
pub(crate) async fn measured_dimension(session: &Session, table: &Table) -> Result<Option<usize>> {
    let x = crate::quote::identifier(&session.types().schema);
    let vector = if table.halves { format!("{VECTOR_COLUMN}::{x}.vector") } else { VECTOR_COLUMN.to_owned() };
    let sql = format!("SELECT min({x}.vector_dims({vector})), max({x}.vector_dims({vector})) FROM {} WHERE {VECTOR_COLUMN} IS NOT NULL", table.sql());
    let rows = ask(session.client(), &sql, &[], &format!("measure the vectors of {}", table.sql())).await?;
    let [least, most] = rows.first().map_or([None, None], |row| [row.get::<_, Option<i32>>(0), row.get(1)]);
    if least != most {
        let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
        return Err(Error::new(ErrorKind::Conflict, format!("the table {} holds vectors of {least} to {most} numbers", table.sql()))
            .with_hint("an index holds vectors of one length: remove the others"));
    }
    Ok(least.and_then(|dimension| usize::try_from(dimension).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_classes_say_what_an_index_holds() {
        assert_eq!(of_class("vector_cosine_ops", true), Some((Over::Column, Metric::Cosine)));
        assert_eq!(of_class("halfvec_l1_ops", true), Some((Over::Column, Metric::L1)));
        assert_eq!(of_class("halfvec_ip_ops", false), Some((Over::Halves, Metric::DotProduct)));
        assert_eq!(of_class("bit_hamming_ops", false), Some((Over::Signs, Metric::Hamming)));
        assert_eq!(of_class("sparsevec_l2_ops", true), None);
        assert_eq!(of_class("text_ops", true), None);
    }
}
