//! A build that fetches nothing by itself.

use std::path::Path;

use brain_core::{Error, Progress, Result};

use super::PullOptions;
use crate::manifest::{self, FileSource};

pub(super) struct Hub;

impl Hub {
    pub(super) fn new(_options: &PullOptions) -> Result<Self> {
        Err(Error::unsupported("fetching from a model hub is left out of this build").with_operation("pull model"))
    }

    pub(super) fn fetch(
        &self,
        _repository: &manifest::Hub,
        _source: &FileSource,
        _part: &Path,
        _name: &str,
        _progress: &dyn Progress,
    ) -> Result<Option<String>> {
        Ok(None)
    }
}
