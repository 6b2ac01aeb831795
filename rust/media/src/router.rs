//! Publications and subscriptions: all that is known of who hears and sees whom.
//!
//! A publication is a peer's sending slot or a mouth, here or on another shard; a subscription is a peer's receiving slot.
//! A subscription may be made before its publication exists and outlives it: it is fed whenever there is something to
//! feed it with. The router decides which packet goes where and under which numbers. It sends nothing itself.
//!
//! Neighbours: `subscription` keeps one slot's numbers, `review` in this folder chooses layers and tells what passed,
//! `exchange` talks to other shards, `shard` carries everything out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::border::{BorderMessage, ShardIndex, To};
use crate::demux::PeerKey;
use crate::keyframe::starts_keyframe;
use crate::layers::LayerWish;
use crate::levels::Level;
use crate::rewrite::SourceKey;
use crate::sender::OutgoingPacket;
use crate::spec::{AudioCodec, Codec, PublicationId, Slot, SpeakerId};
use crate::statistics::StreamCount;
use crate::subscription::{Forward, Numbers, Sink, Subscription, Target};

mod exchange;
mod review;

pub use review::{Carries, PeerDemand};

/// A publisher is not asked for more than this.
const KEYFRAME_EVERY: Duration = Duration::from_millis(500);
/// Layers and sources of one publication that are kept apart.
const MOST_LAYERS: usize = 8;

/// Where a publication comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The slot with this mid.
    Peer(PeerKey, String),
    /// An AI.
    Speaker(SpeakerId),
    /// What a peer without a connection is given on the slot with this mid.
    Slot(PeerKey, String),
    /// Another shard.
    Shard(ShardIndex),
}

/// A layer as it comes.
#[derive(Debug)]
struct Layer {
    rid: Option<Arc<str>>,
    source: SourceKey,
    clock_hz: u32,
    timestamp: Option<u32>,
    count: StreamCount,
    asked_at: Option<Instant>,
    /// Someone asked a moment after the last time.
    owed: bool,
}

#[derive(Default)]
struct Publication {
    origin: Option<Origin>,
    subscriptions: Vec<Subscription>,
    layers: Vec<Layer>,
    level: Level,
    keyframes_asked: u64,
    /// We asked other shards for it.
    wanted: Vec<AudioCodec>,
    is_wanted: bool,
    /// Shards that asked us.
    wanters: BTreeMap<ShardIndex, Vec<AudioCodec>>,
}

/// A packet as it came, or as a mouth made it.
#[derive(Debug, Clone, Copy)]
pub struct RoutedPacket<'a> {
    /// Distinguishes streams.
    pub source: SourceKey,
    /// What it is coded with.
    pub codec: &'a Codec,
    /// Simulcast layer.
    pub rid: Option<&'a Arc<str>>,
    /// A mouth made it.
    pub spoken: bool,
    /// Its numbers and contents; SSRC and payload type are ignored.
    pub packet: &'a OutgoingPacket,
}

/// What the router hands out.
#[derive(Debug)]
pub enum Delivery<'a> {
    /// To a peer.
    Send(PeerKey, OutgoingPacket),
    /// To the ears of this publication, which a peer without a connection is fed with.
    Hear(PublicationId, RoutedPacket<'a>),
}

/// A key frame to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyframeAsk {
    /// Of whom.
    pub peer: PeerKey,
    /// On which slot.
    pub mid: String,
    /// Of which layer.
    pub rid: Option<Arc<str>>,
}

/// Who hears whom, on one shard.
pub struct Router {
    publications: HashMap<PublicationId, Publication>,
    /// The numbers of streams that are fed with nothing for the moment, by SSRC. They are kept as long as their peer: a
    /// stream that comes back must not use a number again.
    idle: HashMap<(PeerKey, u32), Numbers>,
    asks: Vec<KeyframeAsk>,
    outbox: Vec<(To, BorderMessage)>,
    review_due: bool,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            publications: HashMap::new(),
            idle: HashMap::new(),
            asks: Vec::new(),
            outbox: vec![(To::Others, BorderMessage::Hello)],
            review_due: false,
        }
    }
}

impl Router {
    /// A publication begins.
    pub fn publish(&mut self, publication: &PublicationId, origin: Origin) {
        self.publications.entry(publication.clone()).or_default().origin = Some(origin);
        self.tell_wanters(publication, BorderMessage::Published);
        self.update_want(publication);
    }

    /// A publication ends; its subscriptions wait.
    pub fn unpublish(&mut self, publication: &PublicationId) {
        if let Some(known) = self.publications.get_mut(publication) {
            known.origin = None;
            known.layers.clear();
            self.tell_wanters(publication, BorderMessage::Unpublished);
            self.update_want(publication);
            self.drop_empty();
        }
    }

    /// Where a publication comes from, while there is one.
    pub fn origin(&self, publication: &PublicationId) -> Option<&Origin> {
        self.publications.get(publication)?.origin.as_ref()
    }

    /// Feed a slot with a publication instead of what fed it before; false if nothing is sent there.
    pub fn subscribe(&mut self, peer: PeerKey, slot: &Slot, publication: &PublicationId, wish: LayerWish) -> bool {
        let Some(ssrc) = slot.send_ssrc() else { return false };
        if let Some(same) = self.subscription(publication, peer, &slot.mid) {
            // Another wish for the same source: what is forwarded goes on until there is better.
            same.wish = wish;
            self.review_due = true;
            return true;
        }
        let (mid, codecs, sink) = (slot.mid.clone(), slot.codecs.clone(), Sink::Stream(ssrc));
        self.add(publication, Subscription::new(peer, mid, slot.kind, codecs, sink, wish));
        true
    }

    /// Let ears hear, as `heard_as`, what a slot of a peer without a connection is fed with.
    pub fn subscribe_heard(&mut self, peer: PeerKey, mid: &str, publication: &PublicationId, heard_as: &PublicationId) {
        let audio = [("opus", 48_000, 2), ("PCMU", 8_000, 1), ("PCMA", 8_000, 1)];
        let codecs = audio.map(|(name, clock_hz, channels)| Codec::plain(0, name, clock_hz, channels)).into();
        let sink = Sink::Heard(heard_as.clone());
        let kind = crate::spec::TrackKind::Audio;
        self.add(publication, Subscription::new(peer, mid.to_owned(), kind, codecs, sink, LayerWish::default()));
    }

    fn add(&mut self, publication: &PublicationId, mut subscription: Subscription) {
        self.unsubscribe(subscription.peer, &subscription.mid);
        if let Sink::Stream(ssrc) = subscription.sink {
            subscription.numbers = self.idle.remove(&(subscription.peer, ssrc)).unwrap_or_default();
        }
        self.publications.entry(publication.clone()).or_default().subscriptions.push(subscription);
        self.update_want(publication);
        self.review_due = true;
    }

    fn subscription(&mut self, publication: &PublicationId, peer: PeerKey, mid: &str) -> Option<&mut Subscription> {
        let known = self.publications.get_mut(publication)?;
        known.subscriptions.iter_mut().find(|one| one.peer == peer && one.mid == mid)
    }

    /// Feed a slot with nothing; its numbers are kept for the next subscription.
    pub fn unsubscribe(&mut self, peer: PeerKey, mid: &str) {
        let mut left = false;
        for publication in self.publications.values_mut() {
            let fits = |one: &Subscription| one.peer == peer && one.mid == mid;
            while let Some(at) = publication.subscriptions.iter().position(fits) {
                let one = publication.subscriptions.swap_remove(at);
                if let Sink::Stream(ssrc) = one.sink {
                    self.idle.insert((peer, ssrc), one.numbers);
                }
                left = true;
            }
        }
        if left {
            self.tidy();
        }
    }

    /// Forget a peer's subscriptions.
    pub fn forget_peer(&mut self, peer: PeerKey) {
        for publication in self.publications.values_mut() {
            publication.subscriptions.retain(|subscription| subscription.peer != peer);
        }
        self.idle.retain(|(owner, _), _| *owner != peer);
        self.tidy();
    }

    /// A peer counts roll-overs of its keys from 0 again.
    pub fn begin_key(&mut self, peer: PeerKey) {
        let publications = self.publications.values_mut();
        for one in publications.flat_map(|known| &mut known.subscriptions).filter(|one| one.peer == peer) {
            one.begin_key();
        }
        for (_, numbers) in self.idle.iter_mut().filter(|((owner, _), _)| *owner == peer) {
            numbers.rewriter.begin_key();
        }
    }

    fn tidy(&mut self) {
        let names: Vec<PublicationId> = self.publications.keys().cloned().collect();
        for name in &names {
            self.update_want(name);
        }
        self.drop_empty();
    }

    fn drop_empty(&mut self) {
        self.publications.retain(|_, known| {
            known.origin.is_some() || !known.subscriptions.is_empty() || !known.wanters.is_empty() || known.is_wanted
        });
    }

    /// What the slot with this mid is fed with.
    pub fn fed_by(&self, peer: PeerKey, mid: &str) -> Option<&PublicationId> {
        let fits = |subscription: &Subscription| subscription.peer == peer && subscription.mid == mid;
        self.publications.iter().find(|(_, known)| known.subscriptions.iter().any(fits)).map(|(id, _)| id)
    }

    /// What was wished where the slot with this mid was subscribed.
    pub fn wish(&self, peer: PeerKey, mid: &str) -> Option<LayerWish> {
        let mut all = self.publications.values().flat_map(|known| &known.subscriptions);
        all.find(|one| one.peer == peer && one.mid == mid).map(|one| one.wish.clone())
    }

    /// What a speaker must encode to: each subscriber's preferred codec, once.
    pub fn codecs_needed(&self, publication: &PublicationId) -> Vec<AudioCodec> {
        let Some(known) = self.publications.get(publication) else { return Vec::new() };
        let mut needed = known.needed();
        for codec in known.wanters.values().flatten() {
            if !needed.contains(codec) {
                needed.push(*codec);
            }
        }
        needed
    }

    /// The slots of this shard's peers that a publication goes to.
    pub fn receivers(&self, publication: &PublicationId) -> impl Iterator<Item = (PeerKey, &str)> {
        let all = self.publications.get(publication).into_iter().flat_map(|known| &known.subscriptions);
        all.map(|one| (one.peer, &*one.mid))
    }

    /// Hand out a packet to all that are subscribed, in their own numbers.
    pub fn route<'a>(
        &mut self,
        now: Instant,
        publication: &PublicationId,
        routed: RoutedPacket<'a>,
        mut deliver: impl FnMut(Delivery<'a>),
    ) {
        let Some(known) = self.publications.get_mut(publication) else { return };
        let (place, first_of_frame, fresh) = known.count(now, &routed);
        self.review_due |= fresh;
        if let Some(dbov) = routed.packet.extensions.audio_level {
            known.level.hear(now, dbov, routed.packet.extensions.voice_activity);
        }
        // What came from another shard goes to no third one.
        for shard in known.wanters.keys().filter(|_| known.is_local()) {
            self.outbox.push((To::Shard(*shard), BorderMessage::packet(publication, &routed)));
        }
        let mut awaited = known.layers[place].owed;
        for subscription in &mut known.subscriptions {
            match subscription.forward(now, &routed, first_of_frame) {
                Forward::Send(packet) => deliver(Delivery::Send(subscription.peer, packet)),
                Forward::Hear(heard_as) => deliver(Delivery::Hear(heard_as, routed)),
                Forward::AwaitsKeyframe => awaited = true,
                Forward::Drop => {}
            }
        }
        if awaited {
            self.ask_keyframe(now, publication, routed.rid);
        }
    }

    /// A decoder of this slot lost its way.
    pub fn keyframe_wanted(&mut self, now: Instant, peer: PeerKey, mid: &str) {
        let Some(publication) = self.fed_by(peer, mid).cloned() else { return };
        let rid = self.subscription(&publication, peer, mid).and_then(|one| one.current()?.1.clone());
        self.ask_keyframe(now, &publication, rid.as_ref());
    }

    /// Ask whoever publishes this for a key frame of one layer, not more often than it should be asked.
    pub fn ask_keyframe(&mut self, now: Instant, publication: &PublicationId, rid: Option<&Arc<str>>) {
        let Some(known) = self.publications.get_mut(publication) else { return };
        // Before its first packet there is nobody to ask; afterwards whoever waits asks again.
        let Some(layer) = known.layers.iter_mut().find(|layer| layer.rid.as_ref() == rid) else { return };
        if layer.asked_at.is_some_and(|then| now < then + KEYFRAME_EVERY) {
            layer.owed = true;
            return;
        }
        (layer.asked_at, layer.owed) = (Some(now), false);
        known.keyframes_asked += 1;
        match &known.origin {
            Some(Origin::Peer(peer, mid)) => {
                self.asks.push(KeyframeAsk { peer: *peer, mid: mid.clone(), rid: rid.cloned() });
            }
            Some(Origin::Shard(shard)) => {
                self.outbox.push((To::Shard(*shard), BorderMessage::Keyframe(publication.clone(), rid.cloned())));
            }
            _ => {}
        }
    }

    /// Take the key frames to be asked for.
    pub fn take_asks(&mut self) -> Vec<KeyframeAsk> {
        std::mem::take(&mut self.asks)
    }
}

impl Publication {
    /// Count a packet; tell its layer's place, whether it is the first of a picture, and whether the layer is new.
    fn count(&mut self, now: Instant, routed: &RoutedPacket<'_>) -> (usize, bool, bool) {
        let known = self.layers.iter().position(|layer| layer.rid.as_ref() == routed.rid);
        let fresh = known.is_none_or(|place| self.layers[place].source != routed.source);
        let place = known.unwrap_or_else(|| {
            if self.layers.len() >= MOST_LAYERS {
                self.layers.remove(0);
            }
            self.layers.push(Layer::new(routed));
            self.layers.len() - 1
        });
        let layer = &mut self.layers[place];
        (layer.source, layer.clock_hz) = (routed.source, routed.codec.clock_rate_hz);
        let packet = routed.packet;
        let numbers = (packet.sequence, packet.timestamp);
        layer.count.add(now, fresh, numbers, packet.payload.len(), layer.clock_hz);
        let first_of_frame = layer.timestamp.replace(packet.timestamp) != Some(packet.timestamp);
        let video = routed.codec.video();
        if layer.owed && video.is_some_and(|codec| starts_keyframe(codec, &packet.payload, first_of_frame)) {
            // Here is what they waited for.
            layer.owed = false;
        }
        (place, first_of_frame, fresh)
    }

    fn needed(&self) -> Vec<AudioCodec> {
        let mut needed = Vec::new();
        for codec in self.subscriptions.iter().filter_map(Subscription::spoken) {
            if !needed.contains(&codec) {
                needed.push(codec);
            }
        }
        needed
    }
}

impl Layer {
    fn new(routed: &RoutedPacket<'_>) -> Self {
        Self {
            rid: routed.rid.cloned(),
            source: routed.source,
            clock_hz: routed.codec.clock_rate_hz,
            timestamp: None,
            count: StreamCount::default(),
            asked_at: None,
            owed: false,
        }
    }
}
