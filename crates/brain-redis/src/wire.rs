//! Vectors in the server's forms: raw little-endian numbers, and JSON documents.

use brain_core::Item;
use half::f16;

use crate::options::Number;

/// Appends the numbers of a vector.
pub(crate) fn put(vector: &[f32], number: Number, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + vector.len() * number.width(), 0);
    let room = &mut out[start..];
    match number {
        Number::Single => room.as_chunks_mut().0.iter_mut().zip(vector).for_each(|(bytes, x)| *bytes = x.to_le_bytes()),
        Number::Half => room.as_chunks_mut().0.iter_mut().zip(vector).for_each(|(bytes, x)| *bytes = f16::from_f32(*x).to_le_bytes()),
        Number::Double => room.as_chunks_mut().0.iter_mut().zip(vector).for_each(|(bytes, x)| *bytes = f64::from(*x).to_le_bytes()),
    }
}

/// Appends the numbers of a vector as the server holds it; `None` where the bytes are no vector of `dimension` numbers.
pub(crate) fn read(bytes: &[u8], number: Number, dimension: usize, out: &mut Vec<f32>) -> Option<()> {
    if bytes.len() != dimension * number.width() {
        return None;
    }
    match number {
        Number::Single => out.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
        Number::Half => out.extend(bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32())),
        Number::Double => out.extend(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32)),
    }
    Some(())
}

/// Appends a document as FiftyOne writes it: `{"foid", "sample_id", "vector"}`.
pub(crate) fn put_document(item: &Item, vector: &[f32], number: Number, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing to memory does not fail, and neither does a text or a finite number become JSON.
    let _ = out.write_all(b"{\"foid\":");
    let _ = serde_json::to_writer(&mut *out, &item.id);
    let _ = out.write_all(b",\"sample_id\":");
    let _ = serde_json::to_writer(&mut *out, &item.sample_id);
    let _ = out.write_all(b",\"vector\":");
    put_numbers(vector, number, out);
    out.push(b'}');
}

fn put_numbers(vector: &[f32], number: Number, out: &mut Vec<u8>) {
    let as_stored = |x: f32| if number == Number::Half { f16::from_f32(x).to_f32() } else { x };
    out.push(b'[');
    for (at, &x) in vector.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // The shortest text that reads back as the same number of single precision.
        let _ = serde_json::to_writer(&mut *out, &as_stored(x));
    }
    out.push(b']');
}

/// Reads the array of numbers of a document: what a path leads to, as a list of what it found.
pub(crate) fn read_numbers(json: &[u8], number: Number, dimension: usize, out: &mut Vec<f32>) -> Option<()> {
    let [numbers]: [Vec<f64>; 1] = serde_json::from_slice(json).ok()?;
    if numbers.len() != dimension {
        return None;
    }
    let as_indexed = |x: f64| if number == Number::Half { f16::from_f32(x as f32).to_f32() } else { x as f32 };
    out.extend(numbers.into_iter().map(as_indexed));
    Some(())
}

/// Reads the one text that a path leads to.
pub(crate) fn read_text(json: &[u8]) -> Option<String> {
    let [text]: [String; 1] = serde_json::from_slice(json).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_read_back(vector in proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::ZERO | proptest::num::f32::SUBNORMAL, 1..5)) {
            for number in [Number::Single, Number::Double] {
                let (mut bytes, mut read_back) = (Vec::new(), Vec::new());
                put(&vector, number, &mut bytes);
                prop_assert_eq!(read(&bytes, number, vector.len(), &mut read_back), Some(()));
                prop_assert_eq!(&read_back, &vector);
                prop_assert_eq!(read(&bytes, number, vector.len() + 1, &mut read_back), None);
            }
            let mut document = Vec::new();
            put_document(&Item::patch("a\"b".into(), "c".into()), &vector, Number::Single, &mut document);
            let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
            prop_assert_eq!(&value["foid"], "a\"b");
            let mut read_back = Vec::new();
            let numbers = serde_json::to_vec(&[&value["vector"]]).unwrap();
            prop_assert_eq!(read_numbers(&numbers, Number::Single, vector.len(), &mut read_back), Some(()));
            prop_assert_eq!(read_back, vector);
        }
    }

    #[test]
    fn halves_are_rounded_as_they_are_stored() {
        let (mut bytes, mut vector) = (Vec::new(), Vec::new());
        put(&[0.1], Number::Half, &mut bytes);
        read(&bytes, Number::Half, 1, &mut vector).unwrap();
        let mut document = Vec::new();
        put_document(&Item::sample("a".into()), &[0.1], Number::Half, &mut document);
        let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let mut numbers = Vec::new();
        read_numbers(&serde_json::to_vec(&[&value["vector"]]).unwrap(), Number::Half, 1, &mut numbers).unwrap();
        assert_eq!(numbers, vector);
    }

    #[test]
    fn a_text_is_read_alone() {
        assert_eq!(read_text(br#"["s"]"#).as_deref(), Some("s"));
        assert_eq!(read_text(b"[]"), None);
    }
}
