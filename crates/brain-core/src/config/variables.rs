//! Every environment variable that the library reads.

/// Where the configuration file is; default `~/.fiftyone/brain_config.json`.
pub const CONFIG_PATH: &str = "FIFTYONE_BRAIN_CONFIG_PATH";

/// Where the embedded data lives; default `~/.fiftyone/brain`.
pub const HOME: &str = "FIFTYONE_BRAIN_HOME";

/// The backend of a run that names none; over `default_similarity_backend` of the file.
pub const DEFAULT_BACKEND: &str = "FIFTYONE_BRAIN_DEFAULT_SIMILARITY_BACKEND";

/// A comma list of the backends that are exposed; `*` stands for all built-in ones.
pub const BACKENDS: &str = "FIFTYONE_BRAIN_SIMILARITY_BACKENDS";

/// `FIFTYONE_BRAIN_SIMILARITY_<BACKEND>_<PARAMETER>` sets one parameter of one backend.
pub const PARAMETER_PREFIX: &str = "FIFTYONE_BRAIN_SIMILARITY_";

/// What all variables of FiftyOne's brain begin with; those that are not above are left alone.
pub const PREFIX: &str = "FIFTYONE_BRAIN_";

/// The variable of one parameter of one backend.
pub fn parameter(backend: &str, parameter: &str) -> String {
    format!("{PARAMETER_PREFIX}{}_{}", backend.to_uppercase(), parameter.to_uppercase())
}
