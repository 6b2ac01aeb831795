//! A look at all subscriptions every now and then: layers, levels, and what passed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Origin, Publication, Router, Target};
use crate::demux::PeerKey;
use crate::layers::{Given, LayerSeen, Viewer, allocate};
use crate::spec::{PublicationId, TrackKind};
use crate::statistics::{LayerStatistics, PublicationStatistics, SubscriptionStatistics};
use crate::subscription::Sink;

/// What is known of a peer's network, in bits a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carries {
    /// Found out from reports on every packet.
    pub measured: Option<u64>,
    /// What the receiver says. It knows of no more than it gets, so only a value below that means anything.
    pub reported: Option<u64>,
}

/// What a peer's network should carry, in bits a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDemand {
    /// Whose.
    pub peer: PeerKey,
    /// All that was wished, with room to climb.
    pub desired: u64,
    /// Someone is given less than the best.
    pub waits: bool,
    /// Streams to be held back to what the network carries, by SSRC; all others go out as they come.
    pub held: Vec<u32>,
}

impl PeerDemand {
    /// Whether it is about the same: rates vary, and a rise would be tried out each time.
    pub fn is_like(&self, other: &Self) -> bool {
        self.waits == other.waits && self.desired.abs_diff(other.desired) * 6 <= self.desired.max(other.desired)
    }
}

impl Publication {
    /// Pictures that come in now, by layer.
    fn seen(&mut self, now: Instant) -> Vec<LayerSeen> {
        let flowing = self.layers.iter_mut().filter(|layer| layer.count.rate.flows(now));
        flowing
            .map(|layer| LayerSeen {
                rid: layer.rid.clone().unwrap_or_else(|| "".into()),
                bits_per_second: layer.count.rate.bits_per_second(now),
            })
            .collect()
    }
}

/// Where a subscription is.
type Place = (PublicationId, usize);

impl Router {
    /// Whether something changed that a review should not wait for.
    pub fn take_review_due(&mut self) -> bool {
        std::mem::take(&mut self.review_due)
    }

    /// Whether there is anything to review.
    pub fn needs_reviews(&self) -> bool {
        let mut all = self.publications.values().flat_map(|known| &known.subscriptions);
        all.any(|one| one.kind == TrackKind::Video)
    }

    /// Choose a layer for every subscription.
    pub fn review(&mut self, now: Instant, carries: impl Fn(PeerKey) -> Carries) -> Vec<PeerDemand> {
        let mut by_peer: BTreeMap<PeerKey, Vec<Place>> = BTreeMap::new();
        let (mut pictures, mut other_use): (BTreeMap<PeerKey, u64>, BTreeMap<PeerKey, u64>) = Default::default();
        let mut seen: BTreeMap<PublicationId, Vec<LayerSeen>> = BTreeMap::new();
        for (name, known) in &mut self.publications {
            if known.subscriptions.iter().any(|one| one.kind == TrackKind::Video) {
                seen.insert(name.clone(), known.seen(now));
            }
            for (place, one) in known.subscriptions.iter_mut().enumerate() {
                let rate = one.sent.rate.bits_per_second(now);
                if one.kind == TrackKind::Video {
                    by_peer.entry(one.peer).or_default().push((name.clone(), place));
                    *pictures.entry(one.peer).or_default() += rate;
                } else {
                    *other_use.entry(one.peer).or_default() += rate;
                }
            }
        }
        let mut demands = Vec::new();
        for (peer, mut places) in by_peer {
            places.sort_by_key(|(name, place)| self.publications[name].subscriptions[*place].mid.clone());
            let other = other_use.get(&peer).copied().unwrap_or(0);
            let sent = other + pictures.get(&peer).copied().unwrap_or(0);
            let Carries { measured, reported } = carries(peer);
            let known = measured.or(reported.filter(|reported| *reported < sent));
            let budget = known.map(|known| known.saturating_sub(other));
            let given = self.allocate(now, budget, &places, &seen);
            let held = self.held(now, &places, &given);
            demands.push(demand(peer, other, &given, held));
            for ((name, place), given) in places.into_iter().zip(given) {
                self.apply(now, &name, place, given);
            }
        }
        demands
    }

    fn allocate(
        &mut self,
        now: Instant,
        budget: Option<u64>,
        places: &[Place],
        seen: &BTreeMap<PublicationId, Vec<LayerSeen>>,
    ) -> Vec<Given> {
        let mut parts = Vec::with_capacity(places.len());
        for (name, place) in places {
            let one = &mut self.publications.get_mut(name).expect("places were just found").subscriptions[*place];
            let current = one.current().map(|(_, rid)| rid.clone().unwrap_or_else(|| "".into()));
            parts.push((one.wish.clone(), current, std::mem::take(&mut one.climb)));
        }
        let mut viewers: Vec<Viewer<'_>> = parts
            .iter_mut()
            .zip(places)
            .map(|((wish, current, climb), (name, _))| Viewer {
                wish,
                layers: &seen[name],
                current: current.as_deref(),
                climb,
            })
            .collect();
        let given = allocate(now, budget, &mut viewers);
        for ((name, place), (_, _, climb)) in places.iter().zip(parts) {
            self.publications.get_mut(name).expect("places were just found").subscriptions[*place].climb = climb;
        }
        given
    }

    fn held(&mut self, now: Instant, places: &[Place], given: &[Given]) -> Vec<u32> {
        let mut held = Vec::new();
        for ((name, place), given) in places.iter().zip(given) {
            let one = &mut self.publications.get_mut(name).expect("places were just found").subscriptions[*place];
            if one.pace.review(now, given.falls)
                && let Sink::Stream(ssrc) = one.sink
            {
                held.push(ssrc);
            }
        }
        held
    }

    fn apply(&mut self, now: Instant, name: &PublicationId, place: usize, given: Given) {
        let Some(known) = self.publications.get_mut(name) else { return };
        let flows = known.layers.iter().any(|layer| layer.count.rate.flows(now));
        let one = &mut known.subscriptions[place];
        let Some(rid) = given.rid else {
            // A source that pauses may go on as it was; a wish that leaves nothing is to be kept.
            if flows {
                one.pause();
            }
            return;
        };
        let rid: Option<Arc<str>> = (!rid.is_empty()).then_some(rid);
        let target = Target::Layer(rid.clone());
        let changed = one.target != target;
        one.target = target;
        let waits = one.current().is_none_or(|(_, current)| *current != rid);
        if changed && waits {
            self.ask_keyframe(now, name, rid.as_ref());
        }
    }

    /// What each peer hears, with its loudness.
    pub fn heard(&self, now: Instant) -> BTreeMap<PeerKey, Vec<(PublicationId, f32)>> {
        let mut heard: BTreeMap<PeerKey, Vec<(PublicationId, f32)>> = BTreeMap::new();
        for (name, known) in self.publications.iter().filter(|(_, known)| known.origin.is_some()) {
            let loudness = known.level.loudness(now);
            for one in known.subscriptions.iter().filter(|one| one.kind == TrackKind::Audio) {
                heard.entry(one.peer).or_default().push((name.clone(), loudness));
            }
        }
        heard
    }

    /// The last level of a publication, in dBov.
    pub fn level(&self, now: Instant, publication: &PublicationId) -> i8 {
        self.publications.get(publication).map_or(i8::MIN + 1, |known| known.level.dbov(now))
    }

    /// What passed on all slots of a peer; loss and requests are the peer's to tell.
    pub fn statistics(
        &mut self,
        now: Instant,
        peer: PeerKey,
    ) -> (Vec<PublicationStatistics>, Vec<SubscriptionStatistics>) {
        let (mut published, mut subscribed) = (Vec::new(), Vec::new());
        for (name, known) in &mut self.publications {
            if let Some(Origin::Peer(owner, mid)) = &known.origin
                && *owner == peer
            {
                published.push(PublicationStatistics {
                    mid: mid.clone(),
                    publication: Some(name.clone()),
                    subscribers: known.subscriptions.len() as u64,
                    keyframes_asked: known.keyframes_asked,
                    layers: known.layers.iter_mut().map(|layer| layer.statistics(now)).collect(),
                });
            }
            for one in known.subscriptions.iter_mut().filter(|one| one.peer == peer) {
                subscribed.push(SubscriptionStatistics {
                    mid: one.mid.clone(),
                    publication: Some(name.clone()),
                    rid: one.current().and_then(|(_, rid)| rid.as_ref()).map(ToString::to_string),
                    packets: one.sent.packets,
                    bytes: one.sent.bytes,
                    bits_per_second: one.sent.rate.bits_per_second(now),
                    switches: one.sent.switches,
                    ..SubscriptionStatistics::default()
                });
            }
        }
        published.sort_by(|a, b| a.mid.cmp(&b.mid));
        subscribed.sort_by(|a, b| a.mid.cmp(&b.mid));
        (published, subscribed)
    }
}

impl super::Layer {
    fn statistics(&mut self, now: Instant) -> LayerStatistics {
        LayerStatistics {
            rid: self.rid.as_deref().map(Into::into),
            packets: self.count.packets,
            bytes: self.count.bytes,
            lost: self.count.lost(),
            jitter_ms: self.count.jitter_ms(self.clock_hz),
            bits_per_second: self.count.rate.bits_per_second(now),
        }
    }
}

fn demand(peer: PeerKey, other: u64, given: &[Given], held: Vec<u32>) -> PeerDemand {
    let wished = other + given.iter().map(|given| given.wished_bits_per_second).sum::<u64>();
    // A third more, so that rates may vary and the climb has room.
    PeerDemand { peer, desired: wished * 4 / 3, waits: given.iter().any(|given| given.waits), held }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::layers::LayerWish;
    use crate::rewrite::SourceKey;
    use crate::router::{Delivery, RoutedPacket};
    use crate::sender::OutgoingPacket;
    use crate::spec::{Codec, Slot, StreamIds};

    const VIEWER: PeerKey = 2;

    /// A camera in two layers, a key frame every second, and one viewer.
    struct Stage {
        router: Router,
        now: Instant,
        frames: u64,
    }

    impl Stage {
        fn new() -> Self {
            let (mut router, vp8) = (Router::default(), Codec::plain(96, "VP8", 90_000, 1));
            router.publish(&"cam".into(), Origin::Peer(1, "0".into()));
            let slot = Slot {
                mid: "0".into(),
                kind: TrackKind::Video,
                codecs: vec![vp8],
                publication: None,
                receive: Vec::new(),
                send: Some(StreamIds { ssrc: Some(7), ..StreamIds::default() }),
            };
            assert!(router.subscribe(VIEWER, &slot, &"cam".into(), LayerWish::default()));
            Self { router, now: Instant::now(), frames: 0 }
        }

        /// Let seconds pass, with reviews at which the viewer's network is said to carry so much; give the layer.
        fn run(&mut self, seconds: u64, carries: Carries) -> String {
            let vp8 = Codec::plain(96, "VP8", 90_000, 1);
            for _ in 0..seconds * 10 {
                self.now += Duration::from_millis(100);
                self.frames += 1;
                let key = self.frames % 10 == 1;
                // 400 and 80 kbit/s.
                for (stream, rid, bytes) in [(0, "f", 5_000), (1, "q", 1_000)] {
                    let rid: Arc<str> = rid.into();
                    let mut payload = vec![0x10, u8::from(!key)];
                    payload.resize(bytes, 0xAA);
                    let packet =
                        OutgoingPacket::unrouted(self.frames, self.frames as u32 * 9_000, true, payload.into());
                    let source = SourceKey::peer(1, 0, stream);
                    let routed = RoutedPacket { source, codec: &vp8, rid: Some(&rid), spoken: false, packet: &packet };
                    self.router.route(self.now, &"cam".into(), routed, |given| {
                        assert!(matches!(given, Delivery::Send(VIEWER, _)));
                    });
                }
                if self.frames.is_multiple_of(5) {
                    self.router.review(self.now, |peer| if peer == VIEWER { carries } else { Carries::default() });
                }
            }
            let (_, subscribed) = self.router.statistics(self.now, VIEWER);
            subscribed[0].rid.clone().unwrap_or_default()
        }
    }

    #[test]
    fn what_a_receiver_says_that_its_network_carries_counts_where_nothing_is_measured() {
        let says = |bits| Carries { measured: None, reported: Some(bits) };
        let mut stage = Stage::new();
        assert_eq!(stage.run(5, Carries::default()), "f");
        assert_eq!(stage.run(5, says(5_000_000)), "f");
        assert_eq!(stage.run(5, Carries { measured: Some(5_000_000), reported: Some(150_000) }), "f");
        assert_eq!(stage.run(5, says(150_000)), "q");
        assert_eq!(stage.run(20, Carries::default()), "f", "nothing is known against it any more");
    }
}
