//! The same work by plain SQL and COPY, on one connection: what the server itself takes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use brain::core::{Item, ItemId};
use brain_testkit::services::{Server, tool};
use bytes::Bytes;
use futures::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use crate::data::Data;

/// A connection, and the floor's own table.
pub(super) struct Raw {
    pub(super) client: Client,
}

/// A query vector as the server takes it.
#[derive(Debug)]
pub(super) struct Vector<'a>(pub(super) &'a [f32]);

impl ToSql for Vector<'_> {
    fn to_sql(
        &self,
        _: &tokio_postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&(self.0.len() as u16).to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        self.0.iter().for_each(|x| out.extend_from_slice(&x.to_be_bytes()));
        Ok(tokio_postgres::types::IsNull::No)
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl Raw {
    pub(super) async fn connect(server: &Server) -> Self {
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client }
    }

    pub(super) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Copies rows that were put into the server's form beforehand.
    pub(super) async fn copy(&self, table: &str, pieces: &[Bytes]) {
        let sink = self.client.copy_in(&format!("COPY {table} (id, sample_id, embedding_vector) FROM STDIN BINARY")).await.unwrap();
        let mut sink = std::pin::pin!(sink);
        for piece in pieces {
            sink.send(piece.clone()).await.unwrap();
        }
        sink.finish().await.unwrap();
    }

    /// Reads a table to its end; how many bytes there were.
    pub(super) async fn copy_out(&self, table: &str) -> usize {
        let pieces = self.client.copy_out(&format!("COPY (SELECT id, sample_id, embedding_vector FROM {table}) TO STDOUT BINARY")).await.unwrap();
        let mut pieces = std::pin::pin!(pieces);
        let mut bytes = 0;
        while let Some(piece) = pieces.try_next().await.unwrap() {
            bytes += piece.len();
        }
        bytes
    }

    pub(super) async fn prepare(&self, sql: &str) -> Statement {
        self.client.prepare(sql).await.unwrap()
    }

    /// Runs a prepared statement; its milliseconds, and its rows' ids.
    pub(super) async fn ask(&self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> (f64, Vec<String>) {
        let started = Instant::now();
        let rows = self.client.query(statement, parameters).await.unwrap();
        let ids = rows.iter().map(|row| row.get(0)).collect();
        (started.elapsed().as_secs_f64() * 1e3, ids)
    }
}

/// Rows in the server's binary form, in pieces of a quarter of a megabyte.
pub(super) fn pieces(data: &Data, ids: &[ItemId]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut piece = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for (row, id) in ids.iter().enumerate() {
        let Item { id, sample_id } = Item::sample(id.clone());
        piece.extend_from_slice(&3_i16.to_be_bytes());
        for text in [id.to_string(), sample_id.to_string()] {
            piece.extend_from_slice(&(text.len() as i32).to_be_bytes());
            piece.extend_from_slice(text.as_bytes());
        }
        piece.extend_from_slice(&((4 + 4 * data.dimension) as i32).to_be_bytes());
        piece.extend_from_slice(&(data.dimension as u16).to_be_bytes());
        piece.extend_from_slice(&[0, 0]);
        data.row(row).iter().for_each(|x| piece.extend_from_slice(&x.to_be_bytes()));
        if piece.len() > 256 << 10 {
            pieces.push(Bytes::from(std::mem::take(&mut piece)));
        }
    }
    piece.extend_from_slice(&(-1_i16).to_be_bytes());
    pieces.push(Bytes::from(piece));
    pieces
}

/// How many milliseconds pgbench takes a query, with so many clients at once, each on its own connection, prepared.
pub(super) fn pgbench(server: &Server, table: &str, queries: &[&[f32]], ef: u32, clients: usize, folder: &Path) -> Option<f64> {
    let program = tool("pgbench")?;
    let mut command = Command::new(program);
    for (number, query) in queries.iter().enumerate() {
        let numbers: Vec<String> = query.iter().map(f32::to_string).collect();
        let path = folder.join(format!("query{number}.sql"));
        let sql = format!(
            "SELECT id, id, (embedding_vector <=> '[{0}]')::float4 FROM {table} ORDER BY embedding_vector <=> '[{0}]' LIMIT 10;\n",
            numbers.join(",")
        );
        std::fs::write(&path, sql).unwrap();
        command.arg("--file").arg(path);
    }
    let options = format!("-c hnsw.ef_search={ef} -c enable_seqscan=off -c jit=off");
    let output = command
        .args(["--no-vacuum", "--protocol", "prepared", "--time", "8", "--jobs", "1", "--client", &clients.to_string()])
        .arg(server.url())
        .env("PGOPTIONS", options)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "))?.split_whitespace().next()?.parse::<f64>().ok()?;
    Some(1e3 / tps)
}
