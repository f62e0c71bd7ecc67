//! Limits for each peer: how many of the connections or streams of a service it may have, so that one peer cannot take
//! them all.
//!
//! Peers on this host are not counted: a proxy there has those of many clients, and the person at this host must never
//! be refused.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;

/// How much of an IPv6 address is the peer's network: a client that has one address of it has them all.
const NETWORK_BITS: u32 = 64;

/// How many permits each peer holds. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct PeerLimits(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    max: usize,
    /// The peers that hold any; there are no more of them than connections or streams.
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// Counts for a peer until it is dropped.
#[derive(Debug)]
#[must_use = "the permit is given back as soon as this is dropped"]
pub(crate) struct PeerPermit(Option<(Arc<Counts>, IpAddr)>);

impl PeerLimits {
    /// Allows each peer `max` permits.
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Counts { max, held: Mutex::default() }))
    }

    /// Takes a permit; `None` where the peer has all that it may have.
    pub(crate) fn acquire(&self, peer: IpAddr) -> Option<PeerPermit> {
        let peer = network(peer);
        if peer.is_loopback() {
            return Some(PeerPermit(None));
        }
        let mut held = self.0.held.lock();
        let count = held.get(&peer).copied().unwrap_or(0);
        if count >= self.0.max {
            return None;
        }
        held.insert(peer, count + 1);
        Some(PeerPermit(Some((self.0.clone(), peer))))
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let Some((counts, peer)) = &self.0 else { return };
        let mut held = counts.held.lock();
        match held.get_mut(peer) {
            Some(count @ 2..) => *count -= 1,
            _ => drop(held.remove(peer)),
        }
    }
}

fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks how many of these get a permit, one after the other, where each peer may have two.
    fn check(peers: &[&str], expected: usize) {
        let limits = PeerLimits::new(2);
        let permits: Vec<_> = peers.iter().filter_map(|peer| limits.acquire(peer.parse().unwrap())).collect();
        assert_eq!(permits.len(), expected, "{peers:?}");
        drop(permits);
        assert!(limits.0.held.lock().is_empty(), "peers without a permit are forgotten");
    }

    #[test]
    fn a_peer_has_its_share_and_no_more() {
        check(&["10.0.0.1", "10.0.0.1"], 2);
        check(&["10.0.0.1", "10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"], 2);
        check(&["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"], 3);
        check(&["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"], 3);
        check(&["127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::1", "::1", "::ffff:127.0.0.1"], 7);
    }

    #[test]
    fn a_permit_that_is_given_back_can_be_taken_again() {
        let (limits, peer) = (PeerLimits::new(2), IpAddr::from([10, 0, 0, 1]));
        let (first, _second) = (limits.acquire(peer).unwrap(), limits.acquire(peer).unwrap());
        assert!(limits.acquire(peer).is_none());
        drop(first);
        let again = limits.acquire(peer);
        assert!(again.is_some() && limits.acquire(peer).is_none());
    }
}
