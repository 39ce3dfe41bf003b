//! What a backend claims to be able to do.

use serde::Serialize;

use crate::{Error, Metric, Result};

/// What a backend can do. Each claim is tested both ways: supported means right, unsupported means a clear
/// [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The metrics it can rank by.
    pub metrics: Vec<Metric>,
    /// Whether it can answer approximately, faster than exactly.
    pub approximate: bool,
    /// Whether it ranks the farthest first by itself ([`Direction::Farthest`](crate::Direction::Farthest)).
    pub farthest: bool,
    /// The most rows one answer can have; `None` where there is no such bound.
    pub max_k: Option<usize>,
    /// The most numbers a vector can have; `None` where there is no such bound.
    pub max_dimension: Option<usize>,
    /// Whether indexes made by others can be attached to.
    pub attach: bool,
    /// Whether a server must be running.
    pub server: bool,
}

impl Capabilities {
    /// A backend that answers exactly by these metrics, and nothing more: a start to set fields on.
    pub fn exact(metrics: impl Into<Vec<Metric>>) -> Self {
        Self { metrics: metrics.into(), approximate: false, farthest: false, max_k: None, max_dimension: None, attach: false, server: false }
    }

    /// Refuses a metric or a dimension that the backend `name` cannot serve.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported), with what the backend offers instead.
    pub fn check(&self, name: &str, metric: Metric, dimension: usize) -> Result<()> {
        if !self.metrics.contains(&metric) {
            let offered: Vec<_> = self.metrics.iter().map(|metric| metric.as_str()).collect();
            return Err(Error::unsupported(format!("the backend {name} does not offer the metric {metric}"))
                .with_hint(format!("it offers {}; `brain backends` shows what the others do", offered.join(", "))));
        }
        if dimension == 0 {
            return Err(Error::invalid("vectors of no numbers cannot be indexed"));
        }
        match self.max_dimension {
            Some(most) if dimension > most => {
                Err(Error::unsupported(format!("the backend {name} holds vectors of at most {most} numbers, not {dimension}"))
                    .with_hint("`brain backends` shows which backends hold longer vectors"))
            }
            _ => Ok(()),
        }
    }
}
