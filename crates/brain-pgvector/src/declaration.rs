//! What the backend says of its parameters to the configuration.

use brain_core::config::{BackendDeclaration, Parameter, ParameterKind};

/// The backend's name and parameters.
pub const DECLARATION: BackendDeclaration = BackendDeclaration {
    name: "pgvector",
    aliases: &[],
    parameters: &[
        Parameter {
            name: "connection_string",
            kind: ParameterKind::Secret,
            default: None,
            about: "where the server is: postgresql://user:password@host:port/database, or libpq's key=value form",
        },
        Parameter { name: "ssl_cert", kind: ParameterKind::Text, default: None, about: "the file of the client's certificate, PEM" },
        Parameter { name: "ssl_key", kind: ParameterKind::Text, default: None, about: "the file of the client's private key, PEM, not encrypted" },
        Parameter {
            name: "ssl_root_cert",
            kind: ParameterKind::Text,
            default: None,
            about: "the file of the certificates that sign the server's, PEM, or `system`",
        },
        Parameter { name: "pool_size", kind: ParameterKind::Integer, default: Some("8"), about: "how many connections are open at once, at most" },
        Parameter {
            name: "statement_timeout",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many seconds a statement may run; the server's own limit by default, 0 for none",
        },
        Parameter {
            name: "index_name",
            kind: ParameterKind::Text,
            default: None,
            about: "the index on the vectors to make or attach to; a new unique name by default",
        },
        Parameter {
            name: "table_name",
            kind: ParameterKind::Text,
            default: None,
            about: "the table to make or attach to; a new unique name by default",
        },
        Parameter {
            name: "schema_name",
            kind: ParameterKind::Text,
            default: None,
            about: "the schema of the table; the first of the search_path by default",
        },
        Parameter {
            name: "metric",
            kind: ParameterKind::Choice(&["cosine", "dotproduct", "euclidean", "l1", "hamming", "jaccard"]),
            default: Some("cosine"),
            about: "how vectors are compared",
        },
        Parameter {
            name: "vector_type",
            kind: ParameterKind::Choice(&["vector", "halfvec"]),
            default: Some("vector"),
            about: "how a vector is stored: 32 or 16 bits a number",
        },
        Parameter {
            name: "index_type",
            kind: ParameterKind::Choice(&["hnsw", "ivfflat", "none"]),
            default: Some("hnsw"),
            about: "how the nearest are found: by graph, by lists, or by reading every row",
        },
        Parameter { name: "hnsw_m", kind: ParameterKind::Integer, default: Some("16"), about: "the links of a row in the graph, 2 to 100" },
        Parameter {
            name: "hnsw_ef_construction",
            kind: ParameterKind::Integer,
            default: Some("64"),
            about: "how many rows are looked at to find a new row's links, at least twice hnsw_m, at most 1000",
        },
        Parameter {
            name: "hnsw_ef_search",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many rows a search keeps in sight, 1 to 1000; chosen for recall by default",
        },
        Parameter {
            name: "ivfflat_lists",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many lists the rows are divided into; chosen from the row count by default",
        },
        Parameter {
            name: "ivfflat_probes",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many lists a search reads; chosen from the row count by default",
        },
        Parameter { name: "work_mem", kind: ParameterKind::Text, default: Some("64MB"), about: "PostgreSQL's work_mem of the connections" },
        Parameter {
            name: "maintenance_work_mem",
            kind: ParameterKind::Text,
            default: None,
            about: "PostgreSQL's maintenance_work_mem while an index is built; the server's by default",
        },
        Parameter {
            name: "max_parallel_maintenance_workers",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many workers help to build an index; the server's by default",
        },
    ],
};
