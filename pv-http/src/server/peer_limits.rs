//! What each peer may take of the places that there are for all, so that one of them cannot take them all.
//!
//! Peers on this host are not counted: a proxy there asks for many, and the person at this host must always get in.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How much of an IPv6 address is the peer's network: whoever has one address of it has them all.
const NETWORK_BITS: u32 = 64;

/// Who has how many places now. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Peers(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    most: usize,
    /// Holds those that have any; the places for all bound how many these are.
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A place of a peer, until this is dropped.
#[derive(Debug)]
#[must_use = "the place is free again as soon as this is dropped"]
pub(crate) struct Place(Option<(Arc<Counts>, IpAddr)>);

impl Peers {
    /// Lets each peer have `most` places.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Counts { most, taken: Mutex::default() }))
    }

    /// Takes a place; `None` where the peer has all that it may have.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        if peer.is_loopback() {
            return Some(Place(None));
        }
        let mut taken = self.0.taken();
        let has = taken.get(&peer).copied().unwrap_or(0);
        if has >= self.0.most {
            return None;
        }
        taken.insert(peer, has + 1);
        Some(Place(Some((self.0.clone(), peer))))
    }
}

impl Counts {
    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((counts, peer)) = &self.0 else { return };
        let mut taken = counts.taken();
        match taken.get_mut(peer) {
            Some(has @ 2..) => *has -= 1,
            _ => drop(taken.remove(peer)),
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

    /// Tells how many of these get in, one after the other, where each may have two.
    fn check(peers: &[&str], expected: usize) {
        let all = Peers::new(2);
        let places: Vec<_> = peers.iter().filter_map(|peer| all.take(peer.parse().unwrap())).collect();
        assert_eq!(places.len(), expected, "{peers:?}");
        drop(places);
        assert!(all.0.taken().is_empty(), "nothing is kept of those that are gone");
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
    fn a_place_that_is_given_back_can_be_taken_again() {
        let (all, peer) = (Peers::new(2), IpAddr::from([10, 0, 0, 1]));
        let (first, _second) = (all.take(peer).unwrap(), all.take(peer).unwrap());
        assert!(all.take(peer).is_none());
        drop(first);
        let again = all.take(peer);
        assert!(again.is_some() && all.take(peer).is_none());
    }
}
