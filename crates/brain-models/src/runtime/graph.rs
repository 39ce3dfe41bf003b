//! A graph's ends, and what passes through them.

use std::fmt;

use brain_core::{Error, ErrorKind, Result};

/// A loaded ONNX graph, whichever runtime runs it.
///
/// The first dimension of every input and of every output is the batch.
pub(crate) trait Graph: Send + Sync {
    /// The inputs, in the graph's order.
    fn inputs(&self) -> &[Port];

    /// The outputs, in the graph's order.
    fn outputs(&self) -> &[Port];

    /// What runs it on what, for people: `rten 0.27 on 2 threads`.
    fn runtime(&self) -> &str;

    /// As [`Embedder::takes_all_cores`](brain_core::Embedder::takes_all_cores).
    fn takes_all_cores(&self) -> bool {
        false
    }

    /// The arrays of the named outputs, in the order they are asked for.
    ///
    /// Whole numbers are given as `i64`; a graph that wants `i32` gets those. Of a batch of nothing comes nothing: arrays of shape `[0]`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such input or output, with those there are; [`InvalidInput`](ErrorKind::InvalidInput) when an
    /// input does not fit its port or inputs differ in their batch; [`Unsupported`](ErrorKind::Unsupported) when an output is not of `f32`;
    /// [`Unexpected`](ErrorKind::Unexpected) when the runtime fails.
    fn run(&self, inputs: &[(&str, Tensor<'_>)], outputs: &[&str]) -> Result<Vec<Array>>;
}

/// One end of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) element: Element,
    /// The dimensions, the batch first; `None` where the graph does not say how many there are.
    pub(crate) dimensions: Option<Vec<Dimension>>,
}

/// What the numbers of a port are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// `f32`.
    Float,
    /// `i64` or `i32`: one of the runtimes does not tell them apart.
    Whole,
    /// Anything else, by the runtime's name for it: nothing of this crate can be put in or taken out.
    Other(String),
}

/// How long one side of an array is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    Fixed(usize),
    /// As long as what is put in; the graph's name for it, which may be empty.
    Symbolic(String),
}

/// Numbers to put into a graph, one slice a row of the batch.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<'a> {
    /// The dimensions of one row: those of the port without the batch.
    pub(crate) row_shape: Vec<usize>,
    pub(crate) rows: Rows<'a>,
}

/// The rows of a [`Tensor`], each as many numbers as its shape says.
#[derive(Clone, Debug)]
pub(crate) enum Rows<'a> {
    F32(Vec<&'a [f32]>),
    I64(Vec<&'a [i64]>),
}

/// Numbers that came out of a graph, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    /// The batch first.
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

/// Which end of a graph is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Input,
    Output,
}

impl Rows<'_> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(rows) => rows.len(),
            Self::I64(rows) => rows.len(),
        }
    }

    fn element(&self) -> Element {
        match self {
            Self::F32(_) => Element::Float,
            Self::I64(_) => Element::Whole,
        }
    }

    /// The length of the first row that has not `wanted` numbers.
    fn odd_one(&self, wanted: usize) -> Option<usize> {
        match self {
            Self::F32(rows) => rows.iter().map(|row| row.len()).find(|&length| length != wanted),
            Self::I64(rows) => rows.iter().map(|row| row.len()).find(|&length| length != wanted),
        }
    }
}

impl Side {
    /// The port of this side called `name`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), with the ports there are.
    pub(crate) fn find<'a>(self, ports: &'a [Port], name: &str) -> Result<&'a Port> {
        ports.iter().find(|port| port.name == name).ok_or_else(|| {
            let there: Vec<_> = ports.iter().map(Port::to_string).collect();
            Error::not_found(format!("the graph has no {self} called {name:?}")).with_hint(format!("its {self}s are: {}", there.join(", ")))
        })
    }
}

impl Port {
    /// Whether `tensor` may be put in here.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) with what is wanted and what was given.
    pub(crate) fn check(&self, tensor: &Tensor<'_>) -> Result<()> {
        let Tensor { row_shape, rows } = tensor;
        let fits = |(side, dimension): (&usize, &Dimension)| match dimension {
            Dimension::Fixed(wanted) => side == wanted,
            Dimension::Symbolic(_) => true,
        };
        let shape_fits = self
            .dimensions
            .as_ref()
            .is_none_or(|dimensions| dimensions.len() == row_shape.len() + 1 && row_shape.iter().zip(&dimensions[1..]).all(fits));
        if !shape_fits || rows.element() != self.element {
            return Err(Error::invalid(format!("the graph's input is {self}, but was given rows of {} {row_shape:?}", rows.element())));
        }
        let wanted = row_shape.iter().product();
        match rows.odd_one(wanted) {
            Some(length) => Err(Error::invalid(format!("a row for the graph's input {self} has {length} numbers instead of {wanted}"))),
            None => Ok(()),
        }
    }

    /// How many rows the graph takes at a time, where it takes no other number.
    pub(crate) fn fixed_batch(&self) -> Option<usize> {
        match self.dimensions.as_deref()?.first()? {
            Dimension::Fixed(rows) => Some(*rows),
            Dimension::Symbolic(_) => None,
        }
    }
}

/// Checks everything that `run` is given against the ports, and gives the number of rows.
///
/// # Errors
/// As [`Graph::run`].
pub(crate) fn check(graph: &(impl Graph + ?Sized), inputs: &[(&str, Tensor<'_>)], outputs: &[&str]) -> Result<usize> {
    for (name, tensor) in inputs {
        Side::Input.find(graph.inputs(), name)?.check(tensor)?;
    }
    if let Some(left) = graph.inputs().iter().find(|port| inputs.iter().all(|(name, _)| *name != port.name)) {
        return Err(Error::invalid(format!("the graph's input {left} was given nothing")));
    }
    for name in outputs {
        let port = Side::Output.find(graph.outputs(), name)?;
        if port.element != Element::Float {
            return Err(Error::unsupported(format!("the graph's output {port} cannot be read: only f32 can")));
        }
    }
    let mut rows = inputs.iter().map(|(_, tensor)| tensor.rows.len());
    let first = rows.next().ok_or_else(|| Error::invalid("a graph without inputs has nothing to embed"))?;
    match rows.find(|&rows| rows != first) {
        Some(other) => Err(Error::invalid(format!("the inputs of a graph differ in their batch: {first} and {other} rows"))),
        None => Ok(first),
    }
}

/// Whole numbers for an input of 32 bits.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for one that does not fit.
pub(crate) fn narrowed(numbers: &[i64]) -> Result<Vec<i32>> {
    let narrow =
        |&number| i32::try_from(number).map_err(|_| Error::invalid(format!("the number {number} does not fit the 32 bits of the graph's input")));
    numbers.iter().map(narrow).collect()
}

/// Puts the outputs of batches that were run one after another together, each a list in the order of the outputs.
///
/// # Errors
/// [`Unexpected`](ErrorKind::Unexpected) when their rows differ in shape.
pub(crate) fn concatenate(parts: Vec<Vec<Array>>, outputs: usize) -> Result<Vec<Array>> {
    let mut parts = parts.into_iter();
    let Some(mut whole) = parts.next() else {
        return Ok(vec![Array { shape: vec![0], data: Vec::new() }; outputs]);
    };
    for part in parts {
        for (whole, part) in whole.iter_mut().zip(part) {
            if whole.shape[1..] != part.shape[1..] {
                let (one, other) = (&whole.shape[1..], &part.shape[1..]);
                return Err(Error::new(ErrorKind::Unexpected, format!("the graph gave rows of shape {one:?} and of shape {other:?} in one batch")));
            }
            whole.shape[0] += part.shape[0];
            whole.data.extend_from_slice(&part.data);
        }
    }
    Ok(whole)
}

impl fmt::Display for Port {
    /// `pixel_values f32 [batch, 3, 224, 224]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.element)?;
        let Some(dimensions) = &self.dimensions else { return Ok(()) };
        let sides: Vec<_> = dimensions.iter().map(Dimension::to_string).collect();
        write!(f, " [{}]", sides.join(", "))
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "f32",
            Self::Whole => "whole",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Symbolic(name) if name.is_empty() => f.write_str("?"),
            Self::Symbolic(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}
