//! Which peer a datagram belongs to: by its exact source address, else by the ufrag of an ICE check; never by a scan.
//!
//! An address is learned only after its check proved its integrity, so nobody can take over a peer by guessing. Both
//! maps are bounded: a peer has one ufrag and a few addresses, of which the oldest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use str0m::ice::StunMessage;

use crate::spec::Protocol;

/// Addresses that one peer may have at a time.
const MOST_ADDRESSES: usize = 8;

/// Names a peer within its shard.
pub type PeerKey = u64;

/// A source address.
pub type Source = (Protocol, SocketAddr);

/// What a shard has learned about who is where, for whoever hands datagrams to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    /// Datagrams from there are for this shard.
    Learned(Source),
    /// They are so no longer.
    Forgotten(Source),
}

/// Both maps.
#[derive(Debug, Default)]
pub struct Demux {
    changes: Vec<SourceChange>,
    by_source: HashMap<Source, PeerKey>,
    by_ufrag: HashMap<String, PeerKey>,
    sources: HashMap<PeerKey, VecDeque<Source>>,
}

impl Demux {
    /// Make a peer known by its ufrag; false if that is in use.
    pub fn add(&mut self, peer: PeerKey, ufrag: &str) -> bool {
        match self.by_ufrag.get(ufrag) {
            Some(other) if *other != peer => false,
            _ => {
                self.by_ufrag.insert(ufrag.to_owned(), peer);
                true
            }
        }
    }

    /// Forget a peer's ufrag, as after a restart of ICE.
    pub fn remove_ufrag(&mut self, ufrag: &str) {
        self.by_ufrag.remove(ufrag);
    }

    /// Forget a peer.
    pub fn remove(&mut self, peer: PeerKey, ufrag: &str) {
        self.by_ufrag.remove(ufrag);
        for source in self.sources.remove(&peer).unwrap_or_default() {
            self.by_source.remove(&source);
            self.changes.push(SourceChange::Forgotten(source));
        }
    }

    /// Find whose datagram this is.
    pub fn find(&self, source: Source, contents: &[u8]) -> Option<PeerKey> {
        let check = contents.first().is_some_and(|first| *first < 4);
        if check && let Some(ufrag) = ufrag(contents) {
            return self.by_ufrag.get(&ufrag).copied();
        }
        self.by_source.get(&source).copied()
    }

    /// A check from `source` proved its integrity.
    pub fn learn(&mut self, peer: PeerKey, source: Source) {
        match self.by_source.insert(source, peer) {
            Some(same) if same == peer => return,
            Some(other) => {
                if let Some(sources) = self.sources.get_mut(&other) {
                    sources.retain(|known| *known != source);
                }
            }
            None => self.changes.push(SourceChange::Learned(source)),
        }
        let sources = self.sources.entry(peer).or_default();
        sources.push_back(source);
        if sources.len() > MOST_ADDRESSES
            && let Some(oldest) = sources.pop_front()
        {
            self.by_source.remove(&oldest);
            self.changes.push(SourceChange::Forgotten(oldest));
        }
    }

    /// Take what has changed since the last call.
    pub fn take_changes(&mut self) -> Vec<SourceChange> {
        std::mem::take(&mut self.changes)
    }
}

/// The local part of a request's USERNAME: ours.
pub fn ufrag(contents: &[u8]) -> Option<String> {
    let message = StunMessage::parse(contents).ok()?;
    message.split_username().map(|(local, _)| local.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> Source {
        (Protocol::Udp, SocketAddr::from(([192, 0, 2, 1], port)))
    }

    #[test]
    fn a_source_is_known_once_it_was_learned_and_until_its_peer_goes() {
        let mut demux = Demux::default();
        assert!(demux.add(1, "aaaa") && demux.add(2, "bbbb") && !demux.add(2, "aaaa"));
        assert_eq!(demux.find(source(9), &[128, 0]), None);
        demux.learn(1, source(9));
        assert_eq!(demux.find(source(9), &[128, 0]), Some(1));
        assert_eq!(demux.find((Protocol::Tcp, source(9).1), &[128, 0]), None);
        demux.learn(2, source(9));
        assert_eq!(demux.find(source(9), &[22, 0]), Some(2));
        demux.remove(1, "aaaa");
        assert_eq!(demux.find(source(9), &[22, 0]), Some(2), "it was the other's by then");
        demux.remove(2, "bbbb");
        let (learned, forgotten) = (SourceChange::Learned(source(9)), SourceChange::Forgotten(source(9)));
        assert_eq!(demux.take_changes(), [learned, forgotten]);
        assert_eq!(demux.find(source(9), &[22, 0]), None);
        assert!(demux.by_source.is_empty() && demux.by_ufrag.is_empty() && demux.sources.is_empty());
    }

    #[test]
    fn the_oldest_source_is_forgotten() {
        let mut demux = Demux::default();
        for port in 1..=20 {
            demux.learn(1, source(port));
        }
        assert_eq!(demux.by_source.len(), MOST_ADDRESSES);
        assert_eq!(demux.find(source(12), &[128]), None);
        assert_eq!(demux.find(source(13), &[128]), Some(1));
        let changes = demux.take_changes();
        let known = |change: &&SourceChange| matches!(change, SourceChange::Learned(_));
        assert_eq!((changes.iter().filter(known).count(), changes.len()), (20, 32));
    }

    #[test]
    fn garbage_has_no_ufrag() {
        for contents in [&[][..], &[0], &[0; 19], &[0; 20], &[1; 40], &[0xFF; 100]] {
            assert_eq!(ufrag(contents), None);
        }
    }
}
