//! The head of a `.npy` file: magic, version, and a Python dictionary as text.

use std::io::Read;

/// The first bytes of every file.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// No honest header is longer: NumPy writes 128 bytes.
const LONGEST: usize = 64 * 1024;

/// How the numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    F2,
    F4,
    F8,
}

impl Type {
    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F2 => 2,
            Self::F4 => 4,
            Self::F8 => 8,
        }
    }
}

/// What the head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Type,
    pub(super) rows: usize,
    pub(super) dimension: usize,
    /// Whether the shape is (dimensions) alone.
    pub(super) is_vector: bool,
    /// Where the numbers begin.
    pub(super) offset: u64,
}

/// Reads the head; the error says what is wrong with it.
pub(super) fn read(mut file: impl Read) -> Result<Header, String> {
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|_| "it is shorter than the head of a .npy file".to_owned())?;
    if start[..6] != *MAGIC {
        return Err("it does not begin with NumPy's magic bytes".to_owned());
    }
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        other => return Err(format!("its format version {other} is unknown")),
    };
    let mut length = [0; 4];
    let cut = |_| "its head is cut off".to_owned();
    file.read_exact(&mut length[..width]).map_err(cut)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(format!("its head claims {length} bytes"));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(cut)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (rows, dimension, is_vector) = shape(value(&text, "shape")?)?;
    match value(&text, "fortran_order")? {
        order if order.starts_with("False") => {}
        _ if is_vector => {}
        _ => return Err("its numbers are in Fortran order; save it with numpy.ascontiguousarray(x)".to_owned()),
    }
    let kind = kind(value(&text, "descr")?)?;
    Ok(Header { kind, rows, dimension, is_vector, offset: (8 + width + length) as u64 })
}

/// What stands after `'name':` in the dictionary.
fn value<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let find = |quote: char| text.find(&format!("{quote}{name}{quote}")).map(|at| at + name.len() + 2);
    let after = find('\'').or_else(|| find('"')).ok_or_else(|| format!("its head has no {name}"))?;
    let rest = text[after..].trim_start();
    Ok(rest.strip_prefix(':').ok_or_else(|| format!("its head has no value for {name}"))?.trim_start())
}

fn kind(text: &str) -> Result<Type, String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or("its numbers are records, not f4, f8 or f2")?;
    let name = text[1..].split(quote).next().unwrap_or_default();
    match name {
        "<f2" => Ok(Type::F2),
        "<f4" => Ok(Type::F4),
        "<f8" => Ok(Type::F8),
        other => Err(format!("its numbers are {other}, not <f4, <f8 or <f2; save it with x.astype(\"float32\")")),
    }
}

fn shape(text: &str) -> Result<(usize, usize, bool), String> {
    let inside = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("its shape is no tuple")?.0;
    let sides = inside
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty())
        .map(|side| side.parse::<usize>().map_err(|_| format!("its shape ({inside}) does not read")))
        .collect::<Result<Vec<_>, _>>()?;
    match sides[..] {
        [dimension] => Ok((1, dimension, true)),
        [rows, dimension] => Ok((rows, dimension, false)),
        _ => Err(format!("its shape is ({inside}), not (rows, dimensions)")),
    }
}

/// The head of a file of `rows` rows of `<f4`, always 128 bytes long, so that it can be written again when the rows are counted.
pub(super) fn write(rows: u64, dimension: usize) -> [u8; 128] {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dimension}), }}");
    let mut head = [b' '; 128];
    head[..6].copy_from_slice(MAGIC);
    head[6..8].copy_from_slice(&[1, 0]);
    head[8..10].copy_from_slice(&118_u16.to_le_bytes());
    head[10..10 + text.len()].copy_from_slice(text.as_bytes());
    head[127] = b'\n';
    head
}
