//! A shard: the peers, routes, ears and mouths that one thread serves, as a machine without thread, socket or clock.
//!
//! Inputs are commands, datagrams and time; outputs are events and datagrams. The rule of use:
//!
//! 1. `command` and `receive` whatever there is, then `advance(now)`;
//! 2. send `take_transmits()`, tell `take_events()`;
//! 3. come back at `deadline()` or earlier.
//!
//! A packet costs one lookup of its source, one poll of its peer, and for each subscriber the numbers and a place in
//! that peer's queue; subscribers are polled once for a whole batch, in `advance`. Timers lie in one lazy heap: an entry
//! that is no longer true is dropped when it comes up. A panic inside a peer ends that peer.
//!
//! Neighbours: `media` in this folder has the ears and mouths, `watching` the eyes; `peer`, `router` and `demux` do the work.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::demux::{Demux, PeerKey, SourceChange};
use crate::identity::Identity;
use crate::peer::{CloseReason, Datagram, Peer, PeerEvent, Transmit};
use crate::plane::{Command, Counters, Event};
use crate::router::{Origin, Router};
use crate::sender::OutgoingPacket;
use crate::spec::{PeerId, PeerSpec, PublicationId, Slot};

mod forwarding;
mod media;
mod watching;

use forwarding::{Internal, Reviews};
use media::Media;
use watching::Watch;

/// What may be told of one peer's messages and channels and not fetched, in bytes as `Event::unread` counts them.
const MAX_UNREAD_BYTES: u64 = 1024 * 1024;

struct Entry {
    peer: Box<Peer>,
    /// The earliest timer in the heap.
    armed: Option<Instant>,
    dirty: bool,
    unread_bytes: u64,
    /// Of the peer's handshakes, the one that its routes know.
    generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Peer(PeerKey),
    Speaker(u64),
    Ear(u64),
    Review,
}

/// One shard.
pub struct Shard {
    identity: Identity,
    peers: HashMap<PeerKey, Entry>,
    internals: HashMap<PeerKey, Internal>,
    keys: HashMap<PeerId, PeerKey>,
    next_key: u64,
    demux: Demux,
    router: Router,
    media: Media,
    eyes: HashMap<PeerKey, Watch>,
    reviews: Reviews,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    dirty: Vec<PeerKey>,
    events: Vec<Event>,
    transmits: Vec<Transmit>,
    counters: Counters,
}

impl Shard {
    /// Make an empty shard. `epoch` is where `AudioHeard` counts from.
    pub fn new(identity: Identity, epoch: Instant) -> Self {
        Self {
            identity,
            peers: HashMap::new(),
            internals: HashMap::new(),
            keys: HashMap::new(),
            next_key: 1,
            demux: Demux::default(),
            router: Router::default(),
            media: Media::new(epoch),
            eyes: HashMap::new(),
            reviews: Reviews::default(),
            timers: BinaryHeap::new(),
            dirty: Vec::new(),
            events: Vec::new(),
            transmits: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// What was lost and worked so far.
    pub fn counters(&self) -> Counters {
        Counters {
            audio_blocks_dropped: self.media.dropped_blocks(),
            frames_decoded: self.media.frames_decoded(),
            frames_encoded: self.media.frames_encoded(),
            ..self.counters
        }
    }

    /// Peers that are there.
    pub fn peers(&self) -> usize {
        self.peers.len() + self.internals.len()
    }

    /// Whether a peer is there.
    pub fn has_peer(&self, peer: &PeerId) -> bool {
        self.keys.contains_key(peer)
    }

    /// Who is there, in no order.
    pub fn peer_ids(&self) -> impl Iterator<Item = &PeerId> {
        self.keys.keys()
    }

    /// Take what was learned about where peers are.
    pub fn take_source_changes(&mut self) -> Vec<SourceChange> {
        self.demux.take_changes()
    }

    /// When to come back at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Take what is to be told.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Take what is to be sent.
    pub fn take_transmits(&mut self) -> Vec<Transmit> {
        std::mem::take(&mut self.transmits)
    }

    /// Carry out a command.
    pub fn command(&mut self, now: Instant, command: Command) {
        let done = match command {
            Command::AddPeer(spec) => {
                self.add_peer(now, *spec);
                true
            }
            Command::RemovePeer(peer) => {
                self.key(&peer).map(|key| self.drop_peer(now, key, CloseReason::Removed)).is_some()
            }
            Command::AddInternal(peer, slots) => self.add_internal(now, peer, slots),
            Command::Subscribe { peer, mid, publication, wish } => self.subscribe(now, &peer, &mid, &publication, wish),
            Command::WatchSpeakers(peer, on) => self.watch_speakers(now, &peer, on),
            Command::WatchCamera(peer, mid) => self.watch_camera(&peer, mid),
            Command::TellStatistics(number) => {
                self.tell_statistics(now, number);
                true
            }
            Command::Unsubscribe(peer, mid) => self.key(&peer).map(|key| self.router.unsubscribe(key, &mid)).is_some(),
            Command::OpenChannel(peer, number, options) => {
                self.with_peer(&peer, |entry| entry.peer.open_channel(number, options))
            }
            Command::SendMessage(peer, number, message) => {
                let bytes = message.data.len() as u64;
                let done = self.with_peer(&peer, |entry| entry.peer.send_message(number, message));
                if !done {
                    self.events.push(Event::MessageDropped(peer, number, bytes));
                }
                done
            }
            Command::CloseChannel(peer, number) => self.with_peer(&peer, |entry| entry.peer.close_channel(number)),
            Command::MessagesFetched(peer, bytes) => {
                if let Some(entry) = self.key(&peer).and_then(|key| self.peers.get_mut(&key)) {
                    entry.unread_bytes = entry.unread_bytes.saturating_sub(bytes);
                }
                true
            }
            other => self.media_command(now, other),
        };
        self.counters.commands_ignored += u64::from(!done);
    }

    /// Take a datagram.
    pub fn receive(&mut self, now: Instant, mut datagram: Datagram<'_>) {
        let source = (datagram.protocol, datagram.source);
        let Some(key) = self.demux.find(source, datagram.contents) else {
            self.counters.datagrams_dropped += 1;
            return;
        };
        datagram.destination = self.our_address(&datagram);
        let Some(entry) = self.peers.get_mut(&key) else { return };
        match catch_unwind(AssertUnwindSafe(|| entry.peer.receive(now, datagram))) {
            Ok(true) => self.demux.learn(key, source),
            Ok(false) => {}
            Err(_) => return self.break_peer(key),
        }
        // The library holds one packet at a time.
        self.poll_peer(now, key);
    }

    /// Let time pass: everything that is due, and every peer that has something to send.
    pub fn advance(&mut self, now: Instant) {
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            match timer {
                Timer::Peer(key) => {
                    if let Some(entry) = self.peers.get_mut(&key).filter(|entry| entry.armed == Some(at)) {
                        entry.armed = None;
                        self.mark(key);
                    }
                }
                Timer::Speaker(number) => self.tick_speaker(now, at, number),
                Timer::Ear(number) => self.tick_ear(at, number),
                Timer::Review => self.on_review_timer(now),
            }
        }
        loop {
            while let Some(key) = self.dirty.pop() {
                self.poll_peer(now, key);
            }
            if !self.router.take_review_due() {
                break;
            }
            self.review_layers(now);
            self.arm_review(now);
        }
    }

    /// Say goodbye to everyone.
    pub fn close(&mut self, now: Instant) {
        let mut keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            self.drop_peer(now, key, CloseReason::Closed);
        }
        let internals: Vec<PeerKey> = self.internals.keys().copied().collect();
        for key in internals {
            self.forget_internal(key, CloseReason::Closed);
        }
        self.media.clear();
        self.timers.clear();
    }

    fn key(&self, peer: &PeerId) -> Option<PeerKey> {
        self.keys.get(peer).copied()
    }

    fn with_peer(&mut self, peer: &PeerId, act: impl FnOnce(&mut Entry) -> bool) -> bool {
        let Some(key) = self.key(peer) else { return false };
        let done = self.peers.get_mut(&key).is_some_and(act);
        self.mark(key);
        done
    }

    fn mark(&mut self, key: PeerKey) {
        if let Some(entry) = self.peers.get_mut(&key)
            && !std::mem::replace(&mut entry.dirty, true)
        {
            self.dirty.push(key);
        }
    }

    /// The candidate that a datagram came to; sockets that are bound to all addresses do not always know.
    fn our_address(&self, datagram: &Datagram<'_>) -> std::net::SocketAddr {
        let candidates = self.identity.candidates();
        let fits = |c: &&crate::spec::Candidate| c.protocol == datagram.protocol && c.addr == datagram.destination;
        let alike = |c: &&crate::spec::Candidate| {
            c.protocol == datagram.protocol && c.addr.is_ipv4() == datagram.source.is_ipv4()
        };
        let found = candidates.iter().find(fits).or_else(|| candidates.iter().find(alike));
        found.map_or(datagram.destination, |candidate| candidate.addr)
    }

    fn add_peer(&mut self, now: Instant, spec: PeerSpec) {
        if let Some(key) = self.key(&spec.peer) {
            return self.change_peer(now, key, spec);
        }
        let (id, ufrag) = (spec.peer.clone(), spec.local_ice.ufrag.clone());
        let key = self.next_key;
        self.next_key += 1;
        let slots = spec.slots.clone();
        let remote: Vec<_> = spec.remote_candidates.iter().map(|c| (c.protocol, c.addr)).collect();
        let learns = !spec.ice_lite;
        let made = spec.check().is_ok().then(|| self.demux.add(key, &ufrag)).filter(|added| *added);
        let Some(peer) = made.and_then(|_| Peer::new(spec, self.identity.clone(), now).ok()) else {
            if made.is_some() {
                self.demux.remove(key, &ufrag);
            }
            self.events.push(Event::PeerClosed(id, CloseReason::Failed));
            return;
        };
        if learns {
            for source in remote {
                self.demux.learn(key, source);
            }
        }
        self.keys.insert(id, key);
        self.peers
            .insert(key, Entry { peer: Box::new(peer), armed: None, dirty: false, unread_bytes: 0, generation: 0 });
        self.publish_slots(now, key, &slots);
        self.mark(key);
    }

    fn change_peer(&mut self, now: Instant, key: PeerKey, spec: PeerSpec) {
        let Some(entry) = self.peers.get_mut(&key) else { return };
        let old = entry.peer.spec().clone();
        if spec.check().is_err() {
            return self.drop_peer(now, key, CloseReason::Failed);
        }
        if old.local_ice.ufrag != spec.local_ice.ufrag {
            self.demux.remove_ufrag(&old.local_ice.ufrag);
            if !self.demux.add(key, &spec.local_ice.ufrag) {
                return self.drop_peer(now, key, CloseReason::Failed);
            }
        }
        let slots = spec.slots.clone();
        entry.peer.change(spec);
        for before in &old.slots {
            let after = slots.iter().find(|slot| slot.mid == before.mid);
            self.change_subscription(key, before, after);
            let publication = before.publication.as_ref();
            if let Some(gone) =
                publication.filter(|name| slots.iter().all(|slot| slot.publication.as_ref() != Some(*name)))
            {
                self.unpublish(gone);
            }
        }
        self.publish_slots(now, key, &slots);
        self.mark(key);
    }

    fn change_subscription(&mut self, key: PeerKey, before: &Slot, after: Option<&Slot>) {
        let same_stream = after.is_some_and(|slot| slot.send_ssrc() == before.send_ssrc());
        if same_stream && after.is_some_and(|slot| slot.codecs == before.codecs) {
            return;
        }
        let fed_by = self.router.fed_by(key, &before.mid).cloned();
        let wish = self.router.wish(key, &before.mid).unwrap_or_default();
        self.router.unsubscribe(key, &before.mid);
        let kind = after.filter(|slot| slot.kind == before.kind);
        if let (Some(slot), Some(publication)) = (kind, fed_by) {
            self.router.subscribe(key, slot, &publication, wish);
        }
    }

    fn publish_slots(&mut self, now: Instant, key: PeerKey, slots: &[Slot]) {
        for slot in slots {
            if let Some(publication) = &slot.publication {
                self.router.publish(publication, Origin::Peer(key, slot.mid.clone()));
                self.wake_ears(now, publication);
            }
        }
    }

    fn unpublish(&mut self, publication: &PublicationId) {
        self.router.unpublish(publication);
        self.media.rest_ears_of(publication);
    }

    fn poll_peer(&mut self, now: Instant, key: PeerKey) {
        let Some(entry) = self.peers.get_mut(&key) else { return };
        entry.dirty = false;
        let generation = entry.peer.generation();
        if generation != std::mem::replace(&mut entry.generation, generation) {
            self.router.begin_key(key);
        }
        let mut told = Vec::new();
        let transmits = &mut self.transmits;
        if catch_unwind(AssertUnwindSafe(|| entry.peer.poll(now, &mut told, transmits))).is_err() {
            return self.break_peer(key);
        }
        if let Some(at) = entry.peer.deadline()
            && entry.armed.is_none_or(|armed| at < armed)
        {
            entry.armed = Some(at);
            self.timers.push(Reverse((at, Timer::Peer(key))));
        }
        for event in told {
            self.on_peer_event(now, key, event);
        }
    }

    fn on_peer_event(&mut self, now: Instant, key: PeerKey, event: PeerEvent) {
        let Some(entry) = self.peers.get_mut(&key) else { return };
        let id = entry.peer.spec().peer.clone();
        match event {
            PeerEvent::Connected => self.events.push(Event::PeerConnected(id)),
            PeerEvent::Closed(reason) => self.forget_peer(key, reason),
            PeerEvent::Packet(packet) => self.on_packet(now, key, &packet),
            PeerEvent::KeyframeWanted(place) => {
                let mid = entry.peer.spec().slots.get(place).map(|slot| slot.mid.clone());
                if let Some(mid) = mid {
                    self.router.keyframe_wanted(now, key, &mid);
                    self.ask_keyframes();
                }
            }
            PeerEvent::ChannelOpened(number, options) => {
                self.tell_of_peer(now, key, Event::ChannelOpened(id, number, options));
            }
            PeerEvent::ChannelClosed(number) => self.tell_of_peer(now, key, Event::ChannelClosed(id, number)),
            PeerEvent::Drained(number, bytes) => self.events.push(Event::ChannelDrained(id, number, bytes)),
            PeerEvent::Message(number, message) => {
                self.tell_of_peer(now, key, Event::MessageReceived(id, number, message));
            }
        }
    }

    /// Tell what a peer can make without end, as far as its share of what is unread goes.
    fn tell_of_peer(&mut self, now: Instant, key: PeerKey, event: Event) {
        let Some(entry) = self.peers.get_mut(&key) else { return };
        entry.unread_bytes += event.unread().map_or(0, |(_, bytes)| bytes);
        if entry.unread_bytes > MAX_UNREAD_BYTES {
            self.drop_peer(now, key, CloseReason::Overflow);
        } else {
            self.events.push(event);
        }
    }

    /// Say goodbye and forget.
    fn drop_peer(&mut self, now: Instant, key: PeerKey, reason: CloseReason) {
        if self.internals.contains_key(&key) {
            return self.forget_internal(key, reason);
        }
        if let Some(entry) = self.peers.get_mut(&key) {
            let transmits = &mut self.transmits;
            // What a broken peer cannot say any more is not said.
            let _ = catch_unwind(AssertUnwindSafe(|| entry.peer.goodbye(now, transmits)));
        }
        self.forget_peer(key, reason);
    }

    fn break_peer(&mut self, key: PeerKey) {
        self.counters.peers_broken += 1;
        self.forget_peer(key, CloseReason::Failed);
    }

    fn forget_peer(&mut self, key: PeerKey, reason: CloseReason) {
        let Some(entry) = self.peers.remove(&key) else { return };
        let spec = entry.peer.spec();
        self.demux.remove(key, &spec.local_ice.ufrag);
        self.keys.remove(&spec.peer);
        self.router.forget_peer(key);
        self.forget_reviews(key);
        self.eyes.remove(&key);
        for publication in spec.slots.iter().filter_map(|slot| slot.publication.as_ref()) {
            self.unpublish(publication);
        }
        self.events.push(Event::PeerClosed(spec.peer.clone(), reason));
    }

    fn arm(&mut self, at: Instant, timer: Timer) {
        self.timers.push(Reverse((at, timer)));
    }
}

/// Give a packet to a peer, which is polled with the whole batch.
fn send(
    peers: &mut HashMap<PeerKey, Entry>,
    dirty: &mut Vec<PeerKey>,
    now: Instant,
    key: PeerKey,
    packet: OutgoingPacket,
) {
    if let Some(entry) = peers.get_mut(&key)
        && entry.peer.send(now, packet)
        && !std::mem::replace(&mut entry.dirty, true)
    {
        dirty.push(key);
    }
}

#[cfg(test)]
mod tests;
