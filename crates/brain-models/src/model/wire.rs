//! Joining a manifest to its graphs: what it names must be there, and fit.

use brain_core::{Error, Result};

use crate::manifest::Pooling;
use crate::runtime::{Array, Dimension, Element, Port, Side};

/// The port that a manifest names, or the only one there is.
pub(crate) fn named_or_only<'a>(side: Side, ports: &'a [Port], name: Option<&str>, setting: &str) -> Result<&'a Port> {
    match name {
        Some(name) => side.find(ports, name),
        None => only(side, ports, setting),
    }
}

/// The only port of a side.
pub(crate) fn only<'a>(side: Side, ports: &'a [Port], setting: &str) -> Result<&'a Port> {
    match ports {
        [port] => Ok(port),
        _ => Err(Error::invalid(format!("the graph has {} {side}s, and the manifest does not say which is meant", ports.len()))
            .with_hint(format!("say it as {setting:?}; its {side}s are: {}", listed(ports)))),
    }
}

/// Checks that every input is given something.
pub(crate) fn nothing_else(ports: &[Port], given: &[Option<&String>]) -> Result<()> {
    match ports.iter().find(|port| !given.contains(&Some(&port.name))) {
        Some(port) => Err(Error::invalid(format!("the graph also takes {port}, and nothing is known to put there"))
            .with_hint(format!("export it without that input; its inputs are: {}", listed(ports)))),
        None => Ok(()),
    }
}

/// Checks that prepared pictures fit an input.
pub(crate) fn takes_pictures(port: &Port, shape: [usize; 4]) -> Result<()> {
    let fits = port.dimensions.as_ref().is_none_or(|dimensions| {
        dimensions.len() == 4
            && dimensions
                .iter()
                .zip(shape)
                .skip(1)
                .all(|(dimension, side)| matches!(dimension, Dimension::Symbolic(_)) || *dimension == Dimension::Fixed(side))
    });
    if fits && port.element == Element::Float {
        return Ok(());
    }
    let [_, sides @ ..] = shape;
    Err(Error::invalid(format!("the graph takes pictures as {port}, but its manifest prepares f32 {sides:?}"))
        .with_hint("\"size\" and \"layout\" (nchw or nhwc) of the manifest must fit the graph"))
}

/// How the rows of an output become vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooled {
    pooling: Pooling,
    pub(crate) dimension: usize,
}

impl Pooled {
    pub(crate) fn new(pooling: Pooling, dimension: usize) -> Self {
        Self { pooling, dimension }
    }

    /// Checks what a graph says of its output; what it leaves open shows when it runs.
    pub(crate) fn check(self, port: &Port) -> Result<()> {
        let Some(dimensions) = &port.dimensions else { return Ok(()) };
        let fixed: Vec<Option<usize>> =
            dimensions.iter().skip(1).map(|dimension| if let Dimension::Fixed(length) = dimension { Some(*length) } else { None }).collect();
        let last = fixed.last().copied().flatten();
        let fits = match self.pooling {
            Pooling::None if fixed.iter().all(Option::is_some) => fixed.iter().flatten().product::<usize>() == self.dimension,
            Pooling::None => fixed.len() == 1 || fixed.contains(&Some(1)),
            Pooling::Cls | Pooling::Mean => fixed.len() == 2 && last.is_none_or(|last| last == self.dimension),
        };
        if fits { Ok(()) } else { Err(self.unfit(&port.to_string())) }
    }

    /// One vector of each of `rows` rows; of a text, `counts` says how many of its tokens count.
    pub(crate) fn apply(self, arrays: Vec<Array>, rows: usize, counts: Option<&[usize]>) -> Result<Vec<f32>> {
        let array = arrays.into_iter().next().ok_or_else(|| Error::unexpected("the graph gave no output"))?;
        if rows == 0 {
            return Ok(Vec::new());
        }
        let shown = || format!("{:?}", array.shape);
        let of_row = array.data.len() / rows;
        let whole = array.data.len() == of_row * rows && array.shape.first() == Some(&rows);
        match self.pooling {
            Pooling::None if whole && of_row == self.dimension => Ok(array.data),
            Pooling::Cls if whole && self.is_rows(&array) => {
                Ok(array.data.chunks_exact(of_row).flat_map(|row| &row[..self.dimension]).copied().collect())
            }
            Pooling::Mean if whole && self.is_rows(&array) => {
                let mean = |(at, row): (usize, &[f32])| self.mean(row, counts.and_then(|counts| counts.get(at)).copied());
                Ok(array.data.chunks_exact(of_row).enumerate().flat_map(mean).collect())
            }
            _ => Err(self.unfit(&shown())),
        }
    }

    fn is_rows(self, array: &Array) -> bool {
        array.shape.len() == 3 && array.shape[1] > 0 && array.shape[2] == self.dimension
    }

    /// The mean over the first `count` of the rows.
    fn mean(self, rows: &[f32], count: Option<usize>) -> Vec<f32> {
        let count = count.unwrap_or(usize::MAX).min(rows.len() / self.dimension).max(1);
        let mut mean = vec![0.0; self.dimension];
        for row in rows.chunks_exact(self.dimension).take(count) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count as f32);
        }
        mean
    }

    fn unfit(self, has: &str) -> Error {
        let wanted = match self.pooling {
            Pooling::None => format!("[batch, {}]", self.dimension),
            Pooling::Cls | Pooling::Mean => format!("[batch, rows, {}]", self.dimension),
        };
        Error::invalid(format!("the graph's output is {has}, but its manifest says {wanted}"))
            .with_hint("\"dimension\", \"output\" and \"pooling\" (none, cls or mean) of the manifest must fit the graph")
    }
}

/// Scales each row of `dimension` numbers to length 1; a row of zeros stays.
pub(crate) fn normalise(vectors: &mut [f32], dimension: usize) {
    for vector in vectors.chunks_exact_mut(dimension.max(1)) {
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
    }
}

fn listed(ports: &[Port]) -> String {
    ports.iter().map(Port::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use brain_core::ErrorKind;

    use super::*;

    fn port(name: &str, dimensions: &[Option<usize>]) -> Port {
        let dimension = |length: &Option<usize>| length.map_or_else(|| Dimension::Symbolic("n".to_owned()), Dimension::Fixed);
        Port { name: name.to_owned(), element: Element::Float, dimensions: Some(dimensions.iter().map(dimension).collect()) }
    }

    fn array(shape: &[usize]) -> Array {
        Array { shape: shape.to_vec(), data: (0..shape.iter().product::<usize>()).map(|number| number as f32).collect() }
    }

    #[test]
    fn outputs_become_vectors() {
        let pooled = |pooling| Pooled::new(pooling, 2);
        assert_eq!(pooled(Pooling::None).apply(vec![array(&[2, 2, 1, 1])], 2, None).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(pooled(Pooling::Cls).apply(vec![array(&[2, 3, 2])], 2, None).unwrap(), [0.0, 1.0, 6.0, 7.0]);
        assert_eq!(pooled(Pooling::Mean).apply(vec![array(&[1, 3, 2])], 1, None).unwrap(), [2.0, 3.0]);
        assert_eq!(pooled(Pooling::Mean).apply(vec![array(&[2, 3, 2])], 2, Some(&[1, 2])).unwrap(), [0.0, 1.0, 7.0, 8.0]);
        assert_eq!(pooled(Pooling::None).apply(vec![array(&[2, 3])], 2, None).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_a_graph_really_has_is_said() {
        let hidden = port("last_hidden_state", &[None, None, Some(384)]);
        let wrong = Pooled::new(Pooling::None, 384).check(&hidden).unwrap_err();
        assert_eq!(wrong.message(), "the graph's output is last_hidden_state f32 [n, n, 384], but its manifest says [batch, 384]");
        assert!(Pooled::new(Pooling::Cls, 384).check(&hidden).is_ok());
        assert!(Pooled::new(Pooling::Cls, 512).check(&hidden).is_err());
        let wrong = takes_pictures(&port("pixels", &[None, Some(3), Some(384), Some(384)]), [1, 3, 224, 224]).unwrap_err();
        assert_eq!(wrong.message(), "the graph takes pictures as pixels f32 [n, 3, 384, 384], but its manifest prepares f32 [3, 224, 224]");
        let two = [port("a", &[None]), port("b", &[None])];
        let wrong = only(Side::Output, &two, "output").unwrap_err();
        assert_eq!(wrong.hint(), Some("say it as \"output\"; its outputs are: a f32 [n], b f32 [n]"));
    }
}
