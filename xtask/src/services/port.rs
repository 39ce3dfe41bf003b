//! Ports for servers that may be stopped for a while.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

use super::secret;

/// Below the range from which systems give ports to outgoing connections (32,768 on Linux): one of those would take a stopped server's port.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// A port that nobody listens at now. It can be lost before it is used; whoever starts a server there tries again with another.
pub(crate) fn free() -> Result<u16> {
    let span = u32::from(PORTS.end - PORTS.start);
    let mut tries = (0..100).map(|_| Ok(PORTS.start + u16::try_from(secret::number()? % span)?));
    tries.find(|port: &Result<u16>| port.as_ref().map_or(true, |port| is_free(*port))).context("a hundred ports were tried, and all are taken")?
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_in_range_and_a_taken_one_is_seen() {
        let port = free().unwrap();
        assert!(PORTS.contains(&port));
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }
}
