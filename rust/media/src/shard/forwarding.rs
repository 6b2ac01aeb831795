//! A shard's routes: what comes from peers, mouths and other shards goes to whom it is for.
//!
//! Packets are routed at once. Every now and then all subscriptions are looked at: which layer each should get, who
//! speaks. Neighbours: `router` decides, this file carries out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Shard, Timer};
use crate::border::{BorderMessage, ShardIndex, To};
use crate::demux::PeerKey;
use crate::layers::LayerWish;
use crate::levels::Dominance;
use crate::peer::{CloseReason, ReceivedPacket};
use crate::plane::Event;
use crate::rewrite::SourceKey;
use crate::router::{Carries, Delivery, Origin, PeerDemand, RoutedPacket};
use crate::sender::OutgoingPacket;
use crate::spec::{InternalSlot, PeerId, PublicationId};
use crate::statistics::PeerStatistics;

/// How often subscriptions are looked at.
const REVIEW_EVERY: Duration = Duration::from_millis(200);
/// How soon more is looked for,
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// and how rarely where it is never found.
const RAREST_LOOK: Duration = Duration::from_secs(6);

/// What is remembered between reviews.
#[derive(Default)]
pub(super) struct Reviews {
    armed: bool,
    watchers: HashMap<PeerKey, Dominance>,
    told_levels: HashMap<PublicationId, i8>,
    asked: HashMap<PeerKey, Asked>,
}

/// What a peer's estimator was asked to find. It looks for more where more is asked for, so where somebody waits for a
/// better layer it is asked again and again, ever more rarely: each look costs a short burst. Where a look found half as
/// much again the network has opened, and the next one comes soon.
#[derive(Default)]
struct Asked {
    demand: Option<PeerDemand>,
    desired: u64,
    last_at: Option<Instant>,
    pause: Duration,
    /// What it had found when it was asked last.
    found: Option<u64>,
}

/// What to do with an estimator.
enum Look {
    /// Look for so much, in bits a second.
    For(u64),
    /// Begin anew: it does not move any more.
    Anew(u64),
}

impl Asked {
    fn next(&mut self, now: Instant, demand: &PeerDemand, found: Option<u64>) -> Option<Look> {
        let stuck = found.is_some() && found == self.found && self.pause > FIRST_LOOK;
        let opened = found.zip(self.found).is_some_and(|(found, before)| found * 2 > before * 3);
        let pause = if opened { FIRST_LOOK } else { self.pause };
        let look = if self.demand.as_ref().is_none_or(|asked| !asked.is_like(demand)) {
            self.demand = Some(demand.clone());
            (self.desired, self.pause) = (demand.desired, FIRST_LOOK);
            Look::For(self.desired)
        } else if demand.waits && self.last_at.is_some_and(|at| now >= at + pause) {
            self.desired += 1;
            self.pause = if opened { FIRST_LOOK } else { (self.pause * 2).min(RAREST_LOOK) };
            if stuck { Look::Anew(self.desired) } else { Look::For(self.desired) }
        } else {
            return None;
        };
        (self.last_at, self.found) = (Some(now), found);
        Some(look)
    }
}

/// A peer without a connection.
pub(super) struct Internal {
    pub id: PeerId,
    slots: Vec<InternalSlot>,
}

impl Shard {
    /// Take what other shards are told.
    pub fn take_border(&mut self) -> Vec<(To, BorderMessage)> {
        self.router.take_border()
    }

    /// What a mouth speaks for this publication.
    #[cfg(test)]
    pub(super) fn codecs_of(&self, publication: &PublicationId) -> Vec<crate::spec::AudioCodec> {
        self.router.codecs_needed(publication)
    }

    /// Another shard tells something.
    pub fn border(&mut self, now: Instant, from: ShardIndex, message: BorderMessage) {
        if let BorderMessage::Packet(publication, packet) = &message {
            let (peers, dirty, media) = (&mut self.peers, &mut self.dirty, &mut self.media);
            self.router.route_border(now, from, publication, packet, |delivery| match delivery {
                Delivery::Send(key, packet) => super::send(peers, dirty, now, key, packet),
                Delivery::Hear(heard_as, routed) => media.hear_packet(now, &heard_as, &routed),
            });
        } else {
            self.router.on_border(now, from, message);
        }
        self.ask_keyframes();
    }

    pub(super) fn on_packet(&mut self, now: Instant, key: PeerKey, packet: &ReceivedPacket) {
        let Some((slot, generation)) = self
            .peers
            .get(&key)
            .and_then(|entry| Some((entry.peer.spec().slots.get(packet.slot)?, entry.peer.generation())))
        else {
            return;
        };
        let Some(publication) = slot.publication.clone() else { return };
        let Some(codec) = slot.codecs.iter().find(|codec| codec.payload_type == packet.payload_type).cloned() else {
            return;
        };
        let (stamp, payload) = (packet.timestamp, packet.payload.clone());
        let outgoing = OutgoingPacket {
            extensions: packet.extensions,
            ..OutgoingPacket::unrouted(packet.sequence, stamp, packet.marker, payload)
        };
        let source = SourceKey::peer(key, generation, packet.ssrc);
        let routed = RoutedPacket { source, codec: &codec, rid: packet.rid.as_ref(), spoken: false, packet: &outgoing };
        self.media.hear_packet(now, &publication, &routed);
        self.route(now, &publication, routed);
        self.look(now, key, &publication, packet);
    }

    pub(super) fn route(&mut self, now: Instant, publication: &PublicationId, routed: RoutedPacket<'_>) {
        let (peers, dirty, media) = (&mut self.peers, &mut self.dirty, &mut self.media);
        self.router.route(now, publication, routed, |delivery| match delivery {
            Delivery::Send(key, packet) => super::send(peers, dirty, now, key, packet),
            Delivery::Hear(heard_as, routed) => media.hear_packet(now, &heard_as, &routed),
        });
        self.ask_keyframes();
    }

    pub(super) fn subscribe(
        &mut self,
        now: Instant,
        peer: &PeerId,
        mid: &str,
        publication: &PublicationId,
        wish: LayerWish,
    ) -> bool {
        let Some(key) = self.key(peer) else { return false };
        if let Some(internal) = self.internals.get(&key) {
            let Some(slot) = internal.slots.iter().find(|slot| slot.mid == mid) else { return false };
            self.router.subscribe_heard(key, mid, publication, &slot.heard_as);
            return true;
        }
        let slots = self.peers.get(&key).map(|entry| &entry.peer.spec().slots);
        let Some(slot) = slots.and_then(|slots| slots.iter().find(|slot| slot.mid == mid)) else { return false };
        let done = self.router.subscribe(key, &slot.clone(), publication, wish);
        self.router.ask_keyframe(now, publication, None);
        self.ask_keyframes();
        done
    }

    pub(super) fn ask_keyframes(&mut self) {
        for ask in self.router.take_asks() {
            if let Some(entry) = self.peers.get_mut(&ask.peer)
                && let Some(place) = entry.peer.spec().slots.iter().position(|slot| slot.mid == ask.mid)
                && entry.peer.spec().slots[place].kind == crate::spec::TrackKind::Video
            {
                entry.peer.request_keyframe(place, ask.rid.as_deref());
                self.mark(ask.peer);
            }
        }
    }

    /// Add or change a peer without a connection; false if the id is that of one with a connection.
    pub(super) fn add_internal(&mut self, now: Instant, id: PeerId, slots: Vec<InternalSlot>) -> bool {
        let known = self.key(&id);
        if known.is_some_and(|key| self.peers.contains_key(&key)) {
            return false;
        }
        let key = known.unwrap_or_else(|| {
            self.next_key += 1;
            self.keys.insert(id.clone(), self.next_key - 1);
            self.events.push(Event::PeerConnected(id.clone()));
            self.next_key - 1
        });
        let old = self.internals.insert(key, Internal { id, slots: slots.clone() });
        for gone in old.into_iter().flat_map(|old| old.slots).filter(|slot| !slots.contains(slot)) {
            self.router.unsubscribe(key, &gone.mid);
            self.unpublish(&gone.heard_as);
        }
        for slot in slots {
            self.router.publish(&slot.heard_as, Origin::Slot(key, slot.mid));
            self.wake_ears(now, &slot.heard_as);
        }
        true
    }

    pub(super) fn forget_internal(&mut self, key: PeerKey, reason: CloseReason) {
        let Some(internal) = self.internals.remove(&key) else { return };
        self.keys.remove(&internal.id);
        self.router.forget_peer(key);
        self.reviews.watchers.remove(&key);
        for slot in internal.slots {
            self.unpublish(&slot.heard_as);
        }
        self.events.push(Event::PeerClosed(internal.id, reason));
    }

    /// Tell a peer's active speaker from now on, or no longer.
    pub(super) fn watch_speakers(&mut self, now: Instant, peer: &PeerId, on: bool) -> bool {
        let Some(key) = self.key(peer) else { return false };
        if on {
            self.reviews.watchers.entry(key).or_default();
        } else {
            self.reviews.watchers.remove(&key);
        }
        self.arm_review(now);
        true
    }

    pub(super) fn arm_review(&mut self, now: Instant) {
        if !self.reviews.armed && (self.router.needs_reviews() || !self.reviews.watchers.is_empty()) {
            self.reviews.armed = true;
            self.arm(now + REVIEW_EVERY, Timer::Review);
        }
    }

    pub(super) fn on_review_timer(&mut self, now: Instant) {
        self.reviews.armed = false;
        self.review_layers(now);
        self.review_speakers(now);
        self.arm_review(now);
    }

    pub(super) fn review_layers(&mut self, now: Instant) {
        let peers = &self.peers;
        let demands = self.router.review(now, |key| {
            let peer = peers.get(&key).map(|entry| &entry.peer);
            peer.map_or_else(Carries::default, |peer| Carries { measured: peer.estimate(), reported: peer.remb() })
        });
        let demands: HashMap<PeerKey, PeerDemand> = demands.into_iter().map(|demand| (demand.peer, demand)).collect();
        for (key, entry) in self.peers.iter_mut().filter(|(_, entry)| entry.peer.spec().estimates()) {
            let Some(demand) = demands.get(key) else {
                if self.reviews.asked.remove(key).is_some() {
                    entry.peer.look_for(0);
                }
                continue;
            };
            entry.peer.pace(&demand.held);
            let asked = self.reviews.asked.entry(*key).or_default();
            match asked.next(now, demand, entry.peer.estimate()) {
                Some(Look::For(desired)) => entry.peer.look_for(desired),
                Some(Look::Anew(desired)) => {
                    entry.peer.estimate_anew();
                    entry.peer.look_for(desired);
                }
                None => {}
            }
        }
        self.ask_keyframes();
    }

    fn review_speakers(&mut self, now: Instant) {
        if self.reviews.watchers.is_empty() {
            return self.reviews.told_levels.clear();
        }
        let mut audible: HashMap<PublicationId, i8> = HashMap::new();
        let heard = self.router.heard(now);
        for (key, dominance) in &mut self.reviews.watchers {
            let heard = heard.get(key).map_or(&[][..], Vec::as_slice);
            let changed = dominance.review(now, heard);
            for (publication, _) in heard {
                audible.entry(publication.clone()).or_insert_with(|| self.router.level(now, publication));
            }
            let internal = self.internals.get(key).map(|internal| &internal.id);
            let id = internal.or_else(|| self.peers.get(key).map(|entry| &entry.peer.spec().peer));
            if let Some(id) = id.filter(|_| changed) {
                self.events.push(Event::ActiveSpeaker(id.clone(), dominance.active().cloned()));
            }
        }
        let told = &self.reviews.told_levels;
        let mut changed: Vec<(PublicationId, i8)> = audible
            .iter()
            .filter(|(name, level)| told.get(name) != Some(level))
            .map(|(n, l)| (n.clone(), *l))
            .collect();
        changed.sort();
        self.reviews.told_levels = audible;
        if !changed.is_empty() {
            self.events.push(Event::LevelsHeard(changed));
        }
    }

    /// The peer is gone.
    pub(super) fn forget_reviews(&mut self, key: PeerKey) {
        self.reviews.watchers.remove(&key);
        self.reviews.asked.remove(&key);
    }

    pub(super) fn tell_statistics(&mut self, now: Instant, number: u64) {
        let mut all = Vec::with_capacity(self.peers.len() + self.internals.len());
        for (key, entry) in &self.peers {
            let (publications, mut subscriptions) = self.router.statistics(now, *key);
            for one in &mut subscriptions {
                let reported = entry.peer.reported(&one.mid);
                let clock_hz = entry
                    .peer
                    .spec()
                    .slots
                    .iter()
                    .find(|slot| slot.mid == one.mid)
                    .map_or(1, |slot| slot.codecs.first().map_or(1, |codec| codec.clock_rate_hz.max(1)));
                one.loss = reported.loss;
                one.jitter_ms = reported.jitter.map(|jitter| jitter as f32 * 1_000.0 / clock_hz as f32);
                (one.nacks, one.keyframes_wanted) = (reported.nacks, reported.keyframes_wanted);
            }
            all.push(PeerStatistics {
                peer: entry.peer.spec().peer.clone(),
                estimate: entry.peer.estimate(),
                round_trip_ms: entry.peer.round_trip().map(|time| time.as_secs_f32() * 1_000.0),
                publications,
                subscriptions,
            });
        }
        for (key, internal) in &self.internals {
            let (publications, subscriptions) = self.router.statistics(now, *key);
            let (estimate, round_trip_ms) = (None, None);
            all.push(PeerStatistics {
                peer: internal.id.clone(),
                estimate,
                round_trip_ms,
                publications,
                subscriptions,
            });
        }
        all.sort_by(|a, b| a.peer.cmp(&b.peer));
        self.events.push(Event::Statistics(number, all));
    }
}
