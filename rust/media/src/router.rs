//! Publications and subscriptions: all that is known of who hears and sees whom.
//!
//! A publication is a peer's sending slot or a speaker; a subscription is a peer's receiving slot or an ear. A subscription
//! may be made before its publication exists and outlives it: it is fed whenever there is something to feed it with.
//! The router decides which packet goes where and under which numbers. It sends nothing itself.
//!
//! Neighbours: `rewrite` keeps a subscription's numbers, `shard` carries packets out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::demux::PeerKey;
use crate::rewrite::{Rewriter, SourceKey};
use crate::sender::OutgoingPacket;
use crate::spec::{AudioCodec, Codec, PublicationId, Slot, SpeakerId, TrackKind};

const KEYFRAME_EVERY: Duration = Duration::from_millis(500);

/// Where a publication comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The slot with this mid.
    Peer(PeerKey, String),
    /// An AI.
    Speaker(SpeakerId),
}

struct Subscription {
    peer: PeerKey,
    mid: String,
    ssrc: u32,
    kind: TrackKind,
    codecs: Vec<Codec>,
    preferred_rid: Option<String>,
    rewriter: Rewriter,
}

#[derive(Default)]
struct Publication {
    origin: Option<Origin>,
    subscriptions: Vec<Subscription>,
    keyframe_asked_at: Option<Instant>,
}

/// A packet as it came, or as a speaker made it.
#[derive(Debug, Clone, Copy)]
pub struct RoutedPacket<'a> {
    /// Distinguishes streams.
    pub source: SourceKey,
    /// What it is coded with.
    pub codec: &'a Codec,
    /// Simulcast layer.
    pub rid: Option<&'a str>,
    /// Its numbers and contents; SSRC and payload type are ignored.
    pub packet: &'a OutgoingPacket,
}

/// Who hears whom, on one shard.
#[derive(Default)]
pub struct Router {
    publications: HashMap<PublicationId, Publication>,
    /// The numbers of slots that are subscribed to nothing for the moment.
    idle: HashMap<(PeerKey, String), Rewriter>,
}

impl Router {
    /// A publication begins.
    pub fn publish(&mut self, publication: &PublicationId, origin: Origin) {
        self.publications.entry(publication.clone()).or_default().origin = Some(origin);
    }

    /// A publication ends; its subscriptions wait.
    pub fn unpublish(&mut self, publication: &PublicationId) {
        if let Some(known) = self.publications.get_mut(publication) {
            known.origin = None;
            if known.subscriptions.is_empty() {
                self.publications.remove(publication);
            }
        }
    }

    /// Where a publication comes from, while there is one.
    pub fn origin(&self, publication: &PublicationId) -> Option<&Origin> {
        self.publications.get(publication)?.origin.as_ref()
    }

    /// Feed a slot with a publication instead of what fed it before; false if nothing is sent there.
    pub fn subscribe(
        &mut self,
        peer: PeerKey,
        slot: &Slot,
        publication: &PublicationId,
        preferred_rid: Option<String>,
    ) -> bool {
        let Some(ssrc) = slot.send_ssrc() else { return false };
        let rewriter = self.take(peer, &slot.mid).unwrap_or_default();
        self.publications.entry(publication.clone()).or_default().subscriptions.push(Subscription {
            peer,
            mid: slot.mid.clone(),
            ssrc,
            kind: slot.kind,
            codecs: slot.codecs.clone(),
            preferred_rid,
            rewriter,
        });
        true
    }

    /// Feed a slot with nothing; its numbers are kept for the next subscription.
    pub fn unsubscribe(&mut self, peer: PeerKey, mid: &str) {
        if let Some(rewriter) = self.take(peer, mid) {
            self.idle.insert((peer, mid.to_owned()), rewriter);
        }
    }

    /// Forget a slot, as when it is gone or sends under another SSRC.
    pub fn forget(&mut self, peer: PeerKey, mid: &str) {
        self.take(peer, mid);
    }

    /// Forget a peer's subscriptions.
    pub fn forget_peer(&mut self, peer: PeerKey) {
        for publication in self.publications.values_mut() {
            publication.subscriptions.retain(|subscription| subscription.peer != peer);
        }
        self.idle.retain(|(owner, _), _| *owner != peer);
        self.drop_empty();
    }

    fn take(&mut self, peer: PeerKey, mid: &str) -> Option<Rewriter> {
        let mut found = self.idle.remove(&(peer, mid.to_owned()));
        for publication in self.publications.values_mut() {
            let fits = |subscription: &Subscription| subscription.peer == peer && subscription.mid == mid;
            if let Some(at) = publication.subscriptions.iter().position(fits) {
                found = Some(publication.subscriptions.swap_remove(at).rewriter);
            }
        }
        self.drop_empty();
        found
    }

    fn drop_empty(&mut self) {
        self.publications.retain(|_, known| known.origin.is_some() || !known.subscriptions.is_empty());
    }

    /// What the slot with this mid is fed with.
    pub fn fed_by(&self, peer: PeerKey, mid: &str) -> Option<&PublicationId> {
        let fits = |subscription: &Subscription| subscription.peer == peer && subscription.mid == mid;
        self.publications.iter().find(|(_, known)| known.subscriptions.iter().any(fits)).map(|(id, _)| id)
    }

    /// What a speaker must encode to: each subscriber's preferred codec, once.
    pub fn codecs_needed(&self, publication: &PublicationId) -> Vec<AudioCodec> {
        let mut needed = Vec::new();
        for subscription in self.publications.get(publication).iter().flat_map(|known| &known.subscriptions) {
            if let Some(codec) = subscription.codecs.iter().find_map(Codec::audio)
                && !needed.contains(&codec)
            {
                needed.push(codec);
            }
        }
        needed
    }

    /// Hand out a packet to all that are subscribed, in their own numbers.
    pub fn route(
        &mut self,
        now: Instant,
        publication: &PublicationId,
        routed: RoutedPacket<'_>,
        mut send: impl FnMut(PeerKey, OutgoingPacket),
    ) {
        let Some(known) = self.publications.get_mut(publication) else { return };
        let spoken = matches!(known.origin, Some(Origin::Speaker(_)));
        for subscription in &mut known.subscriptions {
            let wanted = subscription.preferred_rid.as_deref();
            if routed.rid.is_some() && wanted.is_some() && routed.rid != wanted {
                continue;
            }
            // A speaker speaks each codec; a subscriber takes the one it prefers.
            let accepted = if spoken {
                subscription.codecs.iter().find(|codec| codec.audio().is_some()).filter(|c| c.carries(routed.codec))
            } else {
                subscription.codecs.iter().find(|codec| codec.carries(routed.codec))
            };
            let Some(codec) = accepted else { continue };
            let packet = routed.packet;
            let numbers = subscription.rewriter.rewrite(
                now,
                routed.source,
                packet.sequence,
                packet.timestamp,
                codec.clock_rate_hz,
            );
            if let Some((sequence, timestamp)) = numbers {
                send(
                    subscription.peer,
                    OutgoingPacket {
                        ssrc: subscription.ssrc,
                        payload_type: codec.payload_type,
                        sequence,
                        timestamp,
                        repairable: subscription.kind == TrackKind::Video,
                        ..packet.clone()
                    },
                );
            }
        }
    }

    /// Whom to ask for a key frame of this publication; none if it was asked a moment ago.
    pub fn keyframe_wanted(&mut self, now: Instant, publication: &PublicationId) -> Option<(PeerKey, String)> {
        let known = self.publications.get_mut(publication)?;
        let Some(Origin::Peer(peer, mid)) = &known.origin else { return None };
        if known.keyframe_asked_at.is_some_and(|then| now < then + KEYFRAME_EVERY) {
            return None;
        }
        known.keyframe_asked_at = Some(now);
        Some((*peer, mid.clone()))
    }
}
