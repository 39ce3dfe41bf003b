//! Passwords and dice, from the system's own source.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};

/// A password of 32 hexadecimal digits: nothing in it needs quoting anywhere.
pub(crate) fn password() -> Result<String> {
    Ok(bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Any number.
pub(crate) fn number() -> Result<u32> {
    Ok(u32::from_ne_bytes(bytes()?))
}

fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("the system gives no random numbers")?;
    Ok(bytes)
}
