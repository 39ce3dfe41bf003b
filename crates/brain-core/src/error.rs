//! The one error of the library: what kind, which operation, what was wrong with what, and how to mend it.

use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible call of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of failure an [`Error`] is; callers branch on this, never on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A named dataset, run, item, file or index does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// This backend, model or build cannot do what was asked; the hint says which can.
    Unsupported,
    /// The input is malformed: a NaN, a broken file, a filter that does not parse.
    InvalidInput,
    /// A vector has another length than the index.
    DimensionMismatch,
    /// A configuration key or value is wrong; the message names where it came from.
    Config,
    /// The server refused the credentials.
    Auth,
    /// The server or the storage cannot be reached or written to now.
    Unavailable,
    /// The operation ran past its time limit.
    Timeout,
    /// Stored bytes do not match their checksum or format.
    Corrupt,
    /// Another writer was faster, or an item is already indexed under `OnConflict::Error`.
    Conflict,
    /// None of the above: the last resort.
    Unexpected,
}

impl ErrorKind {
    /// The kind's name, as it is spelled in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Unsupported => "Unsupported",
            Self::InvalidInput => "InvalidInput",
            Self::DimensionMismatch => "DimensionMismatch",
            Self::Config => "Config",
            Self::Auth => "Auth",
            Self::Unavailable => "Unavailable",
            Self::Timeout => "Timeout",
            Self::Corrupt => "Corrupt",
            Self::Conflict => "Conflict",
            Self::Unexpected => "Unexpected",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure of the library.
///
/// `Display` prints the message alone: what was wrong with what. The hint, the operation and the context are read through
/// their accessors, so that each surface (terminal, JSON, page) lays them out in its own way.
///
/// ```
/// use brain_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "dataset \"birds\" does not exist")
///     .with_operation("open dataset")
///     .with_hint("`brain dataset list` shows the datasets there are");
/// assert_eq!(error.to_string(), "dataset \"birds\" does not exist");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    hint: Option<String>,
    context: Vec<(&'static str, String)>,
    retryable: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` whose `message` says what was wrong with what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), operation: None, hint: None, context: Vec::new(), retryable: false, source: None }))
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Shorthand for [`ErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Shorthand for [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Shorthand for [`ErrorKind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Shorthand for [`ErrorKind::Unexpected`], the last resort.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, message)
    }

    /// An error of the file system about `path`, its kind chosen from the system's.
    ///
    /// A full disk, a missing permission and a read-only file system are [`ErrorKind::Unavailable`], each with its remedy.
    pub fn io(action: &str, path: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let message = format!("cannot {action} {}: {source}", path.display());
        let (kind, hint) = match source.kind() {
            Io::NotFound => (ErrorKind::NotFound, "check the path"),
            Io::PermissionDenied => {
                (ErrorKind::Unavailable, "give this user the permission, or choose another home with --home or FIFTYONE_BRAIN_HOME")
            }
            Io::ReadOnlyFilesystem => (ErrorKind::Unavailable, "choose a writable home with --home or FIFTYONE_BRAIN_HOME"),
            Io::StorageFull | Io::QuotaExceeded => {
                (ErrorKind::Unavailable, "free some space and run the same command again; nothing that was acknowledged is lost")
            }
            Io::FileTooLarge => (
                ErrorKind::Unavailable,
                "the file may not grow: free some space, or raise the limit on file sizes (`ulimit -f`), and run the same command again",
            ),
            Io::UnexpectedEof => (ErrorKind::InvalidInput, "the file is shorter than its header says"),
            _ => (ErrorKind::Unexpected, ""),
        };
        let error = Self::new(kind, message).with_source(source);
        if hint.is_empty() { error } else { error.with_hint(hint) }
    }

    /// Names the operation that failed; the innermost name wins.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Says how to mend it; the innermost hint wins.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert(hint.into());
        self
    }

    /// Adds a fact about where it happened, such as `("dataset", "birds")`. Never a credential.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Keeps the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Marks a failure that may pass when the same call is made again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was wrong with what.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operation that failed, where one was named.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// How to mend it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Facts about where it happened, in the order they were added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// Whether the same call may succeed when it is made again.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(operation) = self.0.operation {
            debug.field("operation", &operation);
        }
        if let Some(hint) = &self.0.hint {
            debug.field("hint", hint);
        }
        for (key, value) in &self.0.context {
            debug.field(key, value);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_hint_and_operation_win() {
        let error = Error::invalid("x").with_operation("read").with_hint("a").with_operation("import").with_hint("b");
        assert_eq!((error.operation(), error.hint()), (Some("read"), Some("a")));
    }

    #[test]
    fn a_full_disk_is_unavailable_and_says_what_to_do() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = Error::io("write", std::path::Path::new("/x/rows"), full);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("/x/rows"));
        assert!(error.hint().is_some_and(|hint| hint.contains("free some space")));
    }
}
