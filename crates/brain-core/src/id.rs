//! Identifiers of samples and labels, held compactly.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering as Atomic};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// The id of a sample or of a label.
///
/// Datasets of this library give 24 lower-case hexadecimal digits, held in 12 bytes; an attached index may hold any text.
/// Ids compare as their text does, byte by byte, whichever way they are held: that is the order ties are broken in.
///
/// ```
/// use brain_core::ItemId;
/// let hex: ItemId = "6b01656cdf05e9355da64f3c".parse()?;
/// let text: ItemId = "photo-7".parse()?;
/// assert!(hex < text && hex.to_string() == "6b01656cdf05e9355da64f3c");
/// # Ok::<(), brain_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ItemId(Repr);

#[derive(Clone)]
enum Repr {
    Hex([u8; 12]),
    Text(Box<str>),
}

impl ItemId {
    /// The id whose 24 hexadecimal digits are these 12 bytes.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(Repr::Hex(bytes))
    }

    /// The 12 bytes of a 24-digit id; `None` for a free text id.
    pub fn as_bytes(&self) -> Option<&[u8; 12]> {
        match &self.0 {
            Repr::Hex(bytes) => Some(bytes),
            Repr::Text(_) => None,
        }
    }

    /// The id of this text, whatever it is: 24 lower-case hexadecimal digits are packed, anything else is kept as it stands.
    ///
    /// Upper-case digits are kept as text, so that an id always prints as it was given.
    pub fn from_text(text: &str) -> Self {
        match parse_hex(text) {
            Some(bytes) => Self(Repr::Hex(bytes)),
            None => Self(Repr::Text(text.into())),
        }
    }

    /// A new id, unique across processes: seconds, a random part of this process, a counter (MongoDB's ObjectId layout).
    pub fn generate() -> Self {
        use std::collections::hash_map::RandomState;
        use std::hash::BuildHasher;
        use std::sync::OnceLock;
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let process = *PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        // Truncation is the layout: 4 bytes of seconds, 5 of the process, 3 of the counter.
        let count = COUNTER.fetch_add(1, Atomic::Relaxed).wrapping_add((process >> 40) as u32);
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&(seconds as u32).to_be_bytes());
        bytes[4..9].copy_from_slice(&process.to_be_bytes()[3..]);
        bytes[9..].copy_from_slice(&count.to_be_bytes()[1..]);
        Self(Repr::Hex(bytes))
    }

    fn digits(bytes: &[u8; 12]) -> [u8; 24] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 24];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

fn parse_hex(text: &str) -> Option<[u8; 12]> {
    let digits: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 12];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

impl FromStr for ItemId {
    type Err = Error;

    /// Any text but the empty one is an id.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid("an id is empty"));
        }
        Ok(Self::from_text(text))
    }
}

impl From<&str> for ItemId {
    fn from(text: &str) -> Self {
        Self::from_text(text)
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Hex(bytes) => f.pad(std::str::from_utf8(&Self::digits(bytes)).unwrap_or_default()),
            Repr::Text(text) => f.pad(text),
        }
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for ItemId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Hex(a), Repr::Hex(b)) => a.cmp(b),
            (Repr::Text(a), Repr::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Repr::Hex(a), Repr::Text(b)) => Self::digits(a).as_slice().cmp(b.as_bytes()),
            (Repr::Text(a), Repr::Hex(b)) => a.as_bytes().cmp(Self::digits(b).as_slice()),
        }
    }
}

impl PartialOrd for ItemId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ItemId {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Hex(a), Repr::Hex(b)) => a == b,
            (Repr::Text(a), Repr::Text(b)) => a == b,
            // A text of 24 lower-case digits is always packed, so the two forms are never equal.
            _ => false,
        }
    }
}

impl Eq for ItemId {}

impl Hash for ItemId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Hex(bytes) => bytes.hash(state),
            Repr::Text(text) => text.hash(state),
        }
    }
}

impl Serialize for ItemId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_order_and_print_as_their_text(a in "[0-9a-fA-F]{24}|[ -~]{1,30}", b in "[0-9a-f]{24}|[ -~]{1,30}") {
            let (x, y) = (ItemId::from_text(&a), ItemId::from_text(&b));
            prop_assert_eq!(x.to_string(), a.clone());
            prop_assert_eq!(x.cmp(&y), a.as_bytes().cmp(b.as_bytes()));
            prop_assert_eq!(x == y, a == b);
        }
    }

    #[test]
    fn generated_ids_differ_and_rise_within_a_second() {
        let ids: Vec<_> = (0..1000).map(|_| ItemId::generate()).collect();
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0].to_string().len(), 24);
    }

    #[test]
    fn the_empty_text_is_no_id() {
        assert!("".parse::<ItemId>().is_err());
    }
}
