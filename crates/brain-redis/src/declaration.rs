//! What the backend says of its parameters to the configuration.

use brain_core::config::{BackendDeclaration, Parameter, ParameterKind};

/// The backend's name and parameters.
pub const DECLARATION: BackendDeclaration = BackendDeclaration {
    name: "redis",
    aliases: &[],
    parameters: &[
        Parameter {
            name: "url",
            kind: ParameterKind::Secret,
            default: None,
            about: "where the server is: redis://user:password@host:port, or rediss:// for TLS; instead of the six that follow",
        },
        Parameter { name: "host", kind: ParameterKind::Text, default: Some("localhost"), about: "the server's name or address" },
        Parameter { name: "port", kind: ParameterKind::Integer, default: Some("6379"), about: "the server's port" },
        Parameter { name: "db", kind: ParameterKind::Integer, default: Some("0"), about: "the database: 0, the only one that Redis indexes" },
        Parameter { name: "username", kind: ParameterKind::Text, default: None, about: "the ACL user; `default` where there is only a password" },
        Parameter { name: "password", kind: ParameterKind::Secret, default: None, about: "the user's password" },
        Parameter { name: "tls", kind: ParameterKind::Bool, default: Some("false"), about: "whether the connection is encrypted" },
        Parameter { name: "ssl_cert", kind: ParameterKind::Text, default: None, about: "the file of the client's certificate, PEM" },
        Parameter { name: "ssl_key", kind: ParameterKind::Text, default: None, about: "the file of the client's private key, PEM, not encrypted" },
        Parameter {
            name: "ssl_root_cert",
            kind: ParameterKind::Text,
            default: None,
            about: "the file of the certificates that sign the server's, PEM; those that this machine trusts by default",
        },
        Parameter { name: "pool_size", kind: ParameterKind::Integer, default: Some("4"), about: "how many connections are open at once, at most" },
        Parameter {
            name: "command_timeout",
            kind: ParameterKind::Integer,
            default: Some("60"),
            about: "how many seconds a command may take to be answered, 1 to 86400",
        },
        Parameter {
            name: "query_timeout",
            kind: ParameterKind::Integer,
            default: Some("30"),
            about: "how many seconds the server may search, 1 to 86400, in place of its own limit",
        },
        Parameter {
            name: "index_name",
            kind: ParameterKind::Text,
            default: None,
            about: "the index to make or attach to; a new unique name by default",
        },
        Parameter {
            name: "metric",
            kind: ParameterKind::Choice(&["cosine", "dotproduct", "euclidean"]),
            default: Some("cosine"),
            about: "how vectors are compared",
        },
        Parameter {
            name: "algorithm",
            kind: ParameterKind::Choice(&["FLAT", "HNSW"]),
            default: Some("FLAT"),
            about: "how the nearest are found: by comparing every row, or by graph",
        },
        Parameter { name: "hnsw_m", kind: ParameterKind::Integer, default: Some("16"), about: "the links of a row in the graph, 2 to 512" },
        Parameter {
            name: "hnsw_ef_construction",
            kind: ParameterKind::Integer,
            default: Some("200"),
            about: "how many rows are looked at to find a new row's links, 1 to 4096",
        },
        Parameter {
            name: "hnsw_ef_runtime",
            kind: ParameterKind::Integer,
            default: None,
            about: "how many rows a search keeps in sight, 1 to 4096; chosen for recall by default",
        },
        Parameter {
            name: "vector_type",
            kind: ParameterKind::Choice(&["float32", "float16"]),
            default: Some("float32"),
            about: "how a vector is stored: 32 or 16 bits a number",
        },
        Parameter {
            name: "storage",
            kind: ParameterKind::Choice(&["hash", "json"]),
            default: Some("hash"),
            about: "what holds a vector: a hash with its bytes, or a JSON document with its numbers, as FiftyOne has them",
        },
    ],
};
