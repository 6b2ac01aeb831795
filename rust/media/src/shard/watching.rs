//! A shard's eyes: each watches one slot of one peer.

use std::time::Instant;

use super::Shard;
use crate::demux::PeerKey;
use crate::eye::{Eye, Glimpse};
use crate::peer::ReceivedPacket;
use crate::plane::Event;
use crate::spec::{PeerId, PublicationId, VideoCodec};

/// What is watched of a peer.
pub(super) struct Watch {
    mid: String,
    eye: Eye,
}

impl Shard {
    /// Watch a slot of a peer in place of another, or none; false if the peer is not there or has no connection.
    pub(super) fn watch_camera(&mut self, peer: &PeerId, mid: Option<String>) -> bool {
        let Some(key) = self.key(peer).filter(|key| self.peers.contains_key(key)) else { return false };
        match mid {
            Some(mid) => self.eyes.insert(key, Watch { mid, eye: Eye::default() }),
            None => self.eyes.remove(&key),
        };
        true
    }

    /// Show a packet that was routed to the eye that watches its slot.
    pub(super) fn look(&mut self, now: Instant, key: PeerKey, publication: &PublicationId, packet: &ReceivedPacket) {
        let (Some(watch), Some(entry)) = (self.eyes.get_mut(&key), self.peers.get(&key)) else { return };
        let Some(slot) = entry.peer.spec().slots.get(packet.slot).filter(|slot| slot.mid == watch.mid) else { return };
        let codec = slot.codecs.iter().find(|codec| codec.payload_type == packet.payload_type);
        if codec.and_then(crate::spec::Codec::video) != Some(VideoCodec::Vp8) {
            return;
        }
        let glimpse = Glimpse {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload: &packet.payload,
        };
        if let Some(still) = watch.eye.see(now, &glimpse) {
            self.events.push(Event::StillSeen(entry.peer.spec().peer.clone(), still));
        }
        if watch.eye.asks(now) {
            self.router.ask_keyframe(now, publication, packet.rid.as_ref());
            self.ask_keyframes();
        }
    }
}
