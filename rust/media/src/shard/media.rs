//! A shard's ears and mouths: what ticks every 20 ms.
//!
//! Every tick lies on an absolute schedule: its start and k times 20 ms. A mouth that comes more than 60 ms late skips
//! what it missed; an ear makes up for every tick, because its lane runs on time. An ear ticks only while its
//! publication is there; that of a mouth is driven by the mouth.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Shard, Timer};
use crate::jitter::{Arrival, JitterBuffer};
use crate::levels::dbov_of;
use crate::listener::{Listener, ListenerOptions};
use crate::plane::{Command, Event};
use crate::playout::{Frame, PlayoutEvent, RATE_HZ};
use crate::rewrite::SourceKey;
use crate::router::{Origin, RoutedPacket};
use crate::sender::OutgoingPacket;
use crate::speaker::Speaker;
use crate::spec::{AudioCodec, Codec, ListenerId, PublicationId, SpeakerId};

/// A tick.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// Ticks fall on multiples of this, so that many ears and mouths share one wake-up of their thread and of their reader.
const GRID: Duration = Duration::from_millis(2);
/// How much a mouth may be late and still say everything.
const CATCH_UP: Duration = Duration::from_millis(60);
/// How often a mouth looks at what its receivers lose.
const LOSS_EVERY_TICKS: u64 = 50;

struct Mouth {
    id: SpeakerId,
    publication: PublicationId,
    speaker: Speaker,
}

struct Ear {
    id: ListenerId,
    publication: PublicationId,
    listener: Listener,
    jitter: JitterBuffer,
    epoch: Instant,
    ticking: bool,
}

impl Ear {
    fn samples(&self, at: Instant) -> i64 {
        (at.saturating_duration_since(self.epoch).as_micros() * u128::from(RATE_HZ) / 1_000_000) as i64
    }
}

/// All of one shard, by number; a closed one's number never comes again, so that its timers are void.
pub(super) struct Media {
    epoch: Instant,
    next: u64,
    mouths: HashMap<u64, Mouth>,
    mouth_numbers: HashMap<SpeakerId, u64>,
    ears: HashMap<u64, Ear>,
    /// Whom a publication is heard by, in the order of opening.
    ears_of: HashMap<PublicationId, Vec<u64>>,
    ear_numbers: HashMap<ListenerId, u64>,
    dropped_blocks: u64,
    frames_decoded: u64,
    frames_encoded: u64,
}

impl Media {
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            next: 1,
            mouths: HashMap::new(),
            mouth_numbers: HashMap::new(),
            ears: HashMap::new(),
            ears_of: HashMap::new(),
            ear_numbers: HashMap::new(),
            dropped_blocks: 0,
            frames_decoded: 0,
            frames_encoded: 0,
        }
    }

    pub fn clear(&mut self) {
        self.mouths.clear();
        self.mouth_numbers.clear();
        self.ears.clear();
        self.ears_of.clear();
        self.ear_numbers.clear();
    }

    /// When something that begins now ticks first: a tick later, on the grid.
    fn first_tick(&self, now: Instant) -> Instant {
        let since = now.saturating_duration_since(self.epoch) + TICK;
        let to_next = (GRID.as_micros() - since.as_micros() % GRID.as_micros()) % GRID.as_micros();
        now + TICK + Duration::from_micros(to_next as u64)
    }

    pub fn dropped_blocks(&self) -> u64 {
        self.dropped_blocks
    }

    pub fn frames_decoded(&self) -> u64 {
        self.frames_decoded
    }

    pub fn frames_encoded(&self) -> u64 {
        self.frames_encoded
    }

    pub fn rest_ears_of(&mut self, publication: &PublicationId) {
        for number in self.ears_of(publication) {
            if let Some(ear) = self.ears.get_mut(&number) {
                ear.ticking = false;
            }
        }
    }

    pub fn hear_packet(&mut self, now: Instant, publication: &PublicationId, routed: &RoutedPacket<'_>) {
        let Some(codec) = routed.codec.audio() else { return };
        let packet = routed.packet;
        for number in self.ears_of.get(publication).into_iter().flatten() {
            let Some(ear) = self.ears.get_mut(number) else { continue };
            let arrival = Arrival {
                codec,
                ssrc: routed.source.stream(),
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                payload: packet.payload.clone(),
            };
            let now = ear.samples(now);
            ear.jitter.insert(now, arrival);
        }
    }

    fn ears_of(&self, publication: &PublicationId) -> Vec<u64> {
        self.ears_of.get(publication).cloned().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn mouth(&mut self, speaker: &SpeakerId) -> Option<&mut Mouth> {
        self.mouths.get_mut(self.mouth_numbers.get(speaker)?)
    }

    fn ear(&mut self, listener: &ListenerId) -> Option<&mut Ear> {
        self.ears.get_mut(self.ear_numbers.get(listener)?)
    }

    fn close_ear(&mut self, listener: &ListenerId) -> bool {
        let Some(number) = self.ear_numbers.remove(listener) else { return false };
        let Some(ear) = self.ears.remove(&number) else { return false };
        if let Some(others) = self.ears_of.get_mut(&ear.publication) {
            others.retain(|other| *other != number);
            if others.is_empty() {
                self.ears_of.remove(&ear.publication);
            }
        }
        true
    }
}

impl Shard {
    /// Carry out a command about ears and mouths; false if it concerns something that is not there.
    pub(super) fn media_command(&mut self, now: Instant, command: Command) -> bool {
        match command {
            Command::OpenListener(id, publication, options) => {
                self.open_ear(now, id, publication, options);
                true
            }
            Command::RestListener(id) => self.media.ear(&id).map(|ear| ear.listener.rest()).is_some(),
            Command::GatherSound(id, gathering) => {
                self.media.ear(&id).map(|ear| ear.listener.gather(gathering)).is_some()
            }
            Command::HeardFetched(id, samples) => {
                if let Some(ear) = self.media.ear(&id) {
                    ear.listener.fetched(samples);
                }
                true
            }
            Command::CloseListener(id) => self.media.close_ear(&id),
            Command::OpenSpeaker(id, publication) => {
                self.close_mouth(&id);
                self.open_mouth(now, id, publication);
                true
            }
            Command::PushSpeech(id, item, pcm) => {
                let samples = pcm.len() as u64;
                let done = self.speech(&id, |speaker, events| speaker.playout().push(&item, pcm, events));
                if !done {
                    self.events.push(Event::SpeechDropped(id, samples));
                }
                done
            }
            Command::EndSpeech(id, item) => self.speech(&id, |speaker, events| speaker.playout().end(&item, events)),
            Command::FlushSpeech(id, item) => {
                self.speech(&id, |speaker, events| speaker.playout().flush(&item, events))
            }
            Command::CloseSpeaker(id) => self.close_mouth(&id),
            _ => false,
        }
    }

    fn speech(&mut self, id: &SpeakerId, act: impl FnOnce(&mut Speaker, &mut Vec<PlayoutEvent>)) -> bool {
        let Some(mouth) = self.media.mouth(id) else { return false };
        let mut told = Vec::new();
        act(&mut mouth.speaker, &mut told);
        self.events.extend(told.into_iter().map(|event| Event::Speech(id.clone(), event)));
        true
    }

    fn open_ear(&mut self, now: Instant, id: ListenerId, publication: PublicationId, options: ListenerOptions) {
        self.media.close_ear(&id);
        let number = self.media.number();
        self.media.ear_numbers.insert(id.clone(), number);
        let ear = Ear {
            id,
            publication: publication.clone(),
            listener: Listener::new(options),
            jitter: JitterBuffer::default(),
            epoch: now,
            ticking: false,
        };
        self.media.ears.insert(number, ear);
        self.media.ears_of.entry(publication.clone()).or_default().push(number);
        self.wake_ears(now, &publication);
    }

    /// The publication is there: its ears tick. Those of mouths tick with the mouth.
    pub(super) fn wake_ears(&mut self, now: Instant, publication: &PublicationId) {
        if !matches!(self.router.origin(publication), Some(Origin::Peer(..) | Origin::Slot(..))) {
            return;
        }
        for number in self.media.ears_of(publication) {
            let ear = self.media.ears.get_mut(&number);
            if ear.is_some_and(|ear| !std::mem::replace(&mut ear.ticking, true)) {
                self.arm(self.media.first_tick(now), Timer::Ear(number));
            }
        }
    }

    pub(super) fn tick_ear(&mut self, due: Instant, number: u64) {
        let Some(ear) = self.media.ears.get_mut(&number).filter(|ear| ear.ticking) else { return };
        let quiet = ear.listener.is_quiet();
        let decoded = ear.jitter.counters().decoded;
        let frame = ear.jitter.take(ear.samples(due), quiet);
        self.media.frames_decoded += ear.jitter.counters().decoded - decoded;
        self.tell_ear(due, number, frame.as_ref());
        self.arm(due + TICK, Timer::Ear(number));
    }

    fn tell_ear(&mut self, due: Instant, number: u64, frame: Option<&Frame>) {
        let Some(ear) = self.media.ears.get_mut(&number) else { return };
        let at_ms = due.saturating_duration_since(self.media.epoch).as_millis() as u64;
        let dropped = ear.listener.dropped_blocks();
        let (id, blocks) = (ear.id.clone(), ear.listener.hear(frame));
        self.media.dropped_blocks += ear.listener.dropped_blocks() - dropped;
        self.events.extend(blocks.into_iter().map(|block| Event::AudioHeard(id.clone(), block, at_ms)));
    }

    fn open_mouth(&mut self, now: Instant, id: SpeakerId, publication: PublicationId) {
        let number = self.media.number();
        self.router.publish(&publication, Origin::Speaker(id.clone()));
        self.media.mouth_numbers.insert(id.clone(), number);
        self.media.mouths.insert(number, Mouth { id, publication, speaker: Speaker::default() });
        self.arm(self.media.first_tick(now), Timer::Speaker(number));
    }

    fn close_mouth(&mut self, id: &SpeakerId) -> bool {
        let Some(mouth) = self.media.mouth_numbers.remove(id).and_then(|number| self.media.mouths.remove(&number))
        else {
            return false;
        };
        if self.router.origin(&mouth.publication) == Some(&Origin::Speaker(id.clone())) {
            self.unpublish(&mouth.publication);
        }
        true
    }

    pub(super) fn tick_speaker(&mut self, now: Instant, due: Instant, number: u64) {
        let Some(mouth) = self.media.mouths.get_mut(&number) else { return };
        let mut due = due;
        while now.saturating_duration_since(due) > CATCH_UP {
            mouth.speaker.skip_tick();
            due += TICK;
        }
        if mouth.speaker.ticks().is_multiple_of(LOSS_EVERY_TICKS) {
            let receivers = self.router.receivers(&mouth.publication);
            let losses = receivers.filter_map(|(key, mid)| self.peers.get(&key)?.peer.reported(mid).loss);
            mouth.speaker.expect_loss((losses.fold(0.0, f32::max) * 100.0) as u8);
        }
        let codecs = self.router.codecs_needed(&mouth.publication);
        let mut told = Vec::new();
        let spoken = mouth.speaker.tick(&codecs, &mut told);
        let (id, publication) = (mouth.id.clone(), mouth.publication.clone());
        self.events.extend(told.into_iter().map(|event| Event::Speech(id.clone(), event)));
        self.media.frames_encoded += spoken.encoded.len() as u64;
        let level = dbov_of(spoken.frame.as_ref().map_or(&[], |frame| &frame[..]));
        for frame in spoken.encoded {
            let (name, channels) = match frame.codec {
                AudioCodec::Opus => ("opus", 2),
                AudioCodec::Pcmu => ("PCMU", 1),
                AudioCodec::Pcma => ("PCMA", 1),
            };
            let codec = Codec::plain(0, name, frame.codec.clock_hz(), channels);
            let mut packet = OutgoingPacket::unrouted(frame.sequence, frame.timestamp, frame.marker, frame.payload);
            packet.extensions.audio_level = Some(level);
            packet.extensions.voice_activity = Some(spoken.frame.is_some());
            let (source, rid) = (SourceKey::mouth(number), None);
            let routed = RoutedPacket { source, codec: &codec, rid, spoken: true, packet: &packet };
            self.route(now, &publication, routed);
        }
        for ear in self.media.ears_of(&publication) {
            self.tell_ear(due, ear, spoken.frame.as_ref());
        }
        self.arm(due + TICK, Timer::Speaker(number));
    }
}
