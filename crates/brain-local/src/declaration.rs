//! What the backend says of its parameters to the configuration.

use brain_core::config::{BackendDeclaration, Parameter, ParameterKind};

/// The backend's name and parameters.
pub const DECLARATION: BackendDeclaration = BackendDeclaration {
    name: "local",
    aliases: &["sklearn"],
    parameters: &[
        Parameter {
            name: "metric",
            kind: ParameterKind::Choice(&["cosine", "dotproduct", "euclidean", "l1", "hamming", "jaccard"]),
            default: Some("cosine"),
            about: "how vectors are compared",
        },
        Parameter { name: "vector_type", kind: ParameterKind::Choice(&["f32", "f16"]), default: Some("f32"), about: "how a number is stored" },
        Parameter { name: "algorithm", kind: ParameterKind::Choice(&["exact", "hnsw"]), default: Some("exact"), about: "how the nearest are found" },
        Parameter {
            name: "index_name",
            kind: ParameterKind::Text,
            default: None,
            about: "the index to make or attach to; a new unique name by default",
        },
    ],
};
