//! Free ports on loopback.
//!
//! Knows nothing about who will listen there.

use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::net::TcpListener;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// Ports are taken from below the kernel's range for outgoing connections (32768 and up): a port
/// from that range may be handed to some client between our probe and the server's own bind.
const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 32_000;

/// How many random ports are tried for one free one.
const TRIES: usize = 200;

/// A free port that stays occupied until it is let go right before its server starts.
pub(crate) struct Held(TcpListener);

impl Held {
    /// Occupies a free port, the wished one if it is free.
    pub(crate) fn take(wish: Option<u16>) -> Result<Self> {
        if let Some(listener) = wish.and_then(bind) {
            return Ok(Self(listener));
        }
        for _ in 0..TRIES {
            if let Some(listener) = bind(random_port()?) {
                return Ok(Self(listener));
            }
        }
        bail!("no free port on 127.0.0.1 between {LOWEST} and {HIGHEST} after {TRIES} tries");
    }

    pub(crate) fn number(&self) -> Result<u16> {
        Ok(self
            .0
            .local_addr()
            .context("a bound socket has no address")?
            .port())
    }
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

fn random_port() -> Result<u16> {
    let mut bytes = [0u8; 2];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read `/dev/urandom`")?;
    Ok(LOWEST + u16::from_ne_bytes(bytes) % (HIGHEST - LOWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wished_port_is_kept_while_free_and_replaced_while_taken() {
        let first = Held::take(None).unwrap();
        let number = first.number().unwrap();
        assert_ne!(Held::take(Some(number)).unwrap().number().unwrap(), number);
        drop(first);
        assert_eq!(Held::take(Some(number)).unwrap().number().unwrap(), number);
    }
}
