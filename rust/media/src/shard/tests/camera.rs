//! A pretend camera that sends VP8 in layers, and a pretend decoder that notices everything a real one would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::rtp::{ExtensionValues, RtpWrite, Vp8Descriptor};

use crate::peer::{Peer, ReceivedPacket};
use crate::spec::*;

pub const VP8: u8 = 96;
pub const VP8_AGAIN: u8 = 97;
const PACKET_BYTES: usize = 1_000;
const FRAME_EVERY: Duration = Duration::from_nanos(1_000_000_000 / 15);

/// One layer: name, SSRC, bit rate.
pub struct Layer {
    pub rid: Option<&'static str>,
    pub ssrc: u32,
    pub bits_per_second: u64,
    pub running: bool,
    sequence: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
}

impl Layer {
    pub fn new(rid: Option<&'static str>, ssrc: u32, kbits: u64) -> Self {
        // Every layer counts from somewhere else.
        let seed = ssrc.wrapping_mul(2_654_435_761);
        Self {
            rid,
            ssrc,
            bits_per_second: kbits * 1_000,
            running: true,
            sequence: u64::from(seed % 60_000),
            timestamp: seed,
            picture: (seed >> 7) as u16 & 0x7FFF,
            base: seed as u8,
        }
    }

    fn frame(&mut self, now: Instant, mid: &str, peer: &mut Peer, key: bool, real: bool) {
        let bytes = (self.bits_per_second / 8 / 15) as usize * if key { 3 } else { 1 };
        let packets = bytes.div_ceil(PACKET_BYTES).max(1);
        self.picture = (self.picture + 1) & 0x7FFF;
        self.base = self.base.wrapping_add(1);
        for n in 0..packets {
            let [high, low] = (0x8000 | self.picture).to_be_bytes();
            let begins = if n == 0 { 0x10 } else { 0 };
            let mut payload = vec![0x80 | begins, 0xE0, high, low, self.base, 0x20, u8::from(!key)];
            if real && n == 0 {
                // To be shown, 320 x 240.
                payload[6] |= 0x10;
                payload.extend([0, 0, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00]);
            }
            payload.extend(self.ssrc.to_be_bytes());
            payload.resize((bytes / packets).max(20), 0xAA);
            let values =
                ExtensionValues { mid: Some(mid.into()), rid: self.rid.map(Into::into), ..ExtensionValues::default() };
            let write = RtpWrite::new(VP8.into(), self.sequence.into(), self.timestamp, now, payload)
                .marker(n + 1 == packets)
                .nackable(true)
                .ext_vals(values);
            self.sequence += 1;
            peer.library().direct_api().stream_tx(&self.ssrc.into()).unwrap().write_rtp(write);
        }
        self.timestamp = self.timestamp.wrapping_add(6_000);
    }
}

/// A camera at 15 frames a second.
pub struct Camera {
    pub mid: &'static str,
    pub layers: Vec<Layer>,
    /// Key frames have a header, and are no good for `decode`.
    pub real: bool,
    due: Instant,
    key_due: bool,
    /// Frames between key frames that nobody asked for.
    every: Option<u64>,
    filmed: u64,
}

impl Camera {
    pub fn new(now: Instant, mid: &'static str, layers: Vec<Layer>) -> Self {
        Self { mid, layers, real: false, due: now, key_due: true, every: None, filmed: 0 }
    }

    pub fn declare(&self, peer: &mut Peer) {
        for layer in &self.layers {
            let (ssrc, again) = (layer.ssrc.into(), Some((layer.ssrc + 1).into()));
            let mut api = peer.library().direct_api();
            let stream = api.declare_stream_tx(ssrc, again, self.mid.into(), layer.rid.map(Into::into));
            // Browsers send again whatever they are asked for.
            stream.set_rtx_cache(2_000, Duration::from_secs(3), None);
        }
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    pub fn ask(&mut self) {
        self.key_due = true;
    }

    pub fn film(&mut self, now: Instant, peer: &mut Peer) {
        while self.due <= now {
            self.due += FRAME_EVERY;
            self.filmed += 1;
            let key = std::mem::take(&mut self.key_due) || self.every.is_some_and(|n| self.filmed.is_multiple_of(n));
            for layer in self.layers.iter_mut().filter(|layer| layer.running) {
                layer.frame(now, self.mid, peer, key, self.real);
            }
        }
    }
}

/// A slot for pictures. The client sends under `ssrc` and, as retransmissions, the next.
pub fn slot(mid: &str, publication: Option<&str>, rids: &[&str], send: Option<u32>) -> Slot {
    let codec = Codec { rtx_payload_type: Some(VP8_AGAIN), ..Codec::plain(VP8, "VP8", 90_000, 1) };
    let layer = |rid: &&str| StreamIds { rid: Some((*rid).into()), ..StreamIds::default() };
    Slot {
        mid: mid.into(),
        kind: TrackKind::Video,
        codecs: vec![codec],
        publication: publication.map(Into::into),
        receive: rids.iter().map(layer).collect(),
        send: send.map(|ssrc| StreamIds { ssrc: Some(ssrc), rtx_ssrc: Some(ssrc + 1), rid: None }),
    }
}

/// What Chromium offers.
pub fn extensions() -> Vec<HeaderExtension> {
    let known = [
        (1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
        (2, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
        (3, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"),
        (4, "urn:ietf:params:rtp-hdrext:sdes:mid"),
        (10, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"),
        (11, "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"),
    ];
    known.map(|(id, uri)| HeaderExtension { id, uri: uri.into() }).into()
}

/// What a decoder made of a stream.
#[derive(Debug, Default)]
pub struct Seen {
    /// When each picture was complete, and the layer's SSRC that it came from.
    pub pictures: Vec<(Instant, u32)>,
    /// Everything that a decoder would have complained of.
    pub errors: Vec<String>,
}

impl Seen {
    /// Changes of layer, with their times.
    pub fn changes(&self) -> Vec<(Instant, u32)> {
        let mut last = None;
        let changed = |(_, ssrc): &&(Instant, u32)| last.replace(*ssrc) != Some(*ssrc);
        self.pictures.iter().filter(changed).copied().collect()
    }

    pub fn layer_at(&self, when: Instant) -> Option<u32> {
        self.pictures.iter().rev().find(|(at, _)| *at <= when).map(|(_, ssrc)| *ssrc)
    }
}

/// Decode what came under `ssrc`.
pub fn decode(packets: &[(Instant, ReceivedPacket)], ssrc: u32) -> Seen {
    let mut seen = Seen::default();
    let mut by_number: BTreeMap<u64, &(Instant, ReceivedPacket)> = BTreeMap::new();
    for packet in packets.iter().filter(|(_, packet)| packet.ssrc == ssrc && packet.payload_type == VP8) {
        if by_number.insert(packet.1.sequence, packet).is_some() {
            seen.errors.push(format!("{} came twice", packet.1.sequence));
        }
    }
    let (mut last_picture, mut last_layer, mut last_stamp): (Option<u16>, u32, Option<u32>) = (None, 0, None);
    let mut frame: Option<(u64, u16, u32, bool)> = None;
    for (number, (at, packet)) in by_number {
        let payload = &packet.payload[..];
        let descriptor = Vp8Descriptor::parse(payload).unwrap();
        let picture = descriptor.picture_id().unwrap();
        let layer = u32::from_be_bytes(payload[7..11].try_into().unwrap());
        if payload[0] & 0x10 != 0 {
            if last_stamp.is_some_and(|last| packet.timestamp.wrapping_sub(last) as i32 <= 0) {
                seen.errors.push(format!("time went back at {number}"));
            }
            last_stamp = Some(packet.timestamp);
            frame = Some((number, picture, layer, payload[6] == 0));
        } else {
            let goes_on = frame.is_some_and(|(last, p, l, _)| (last + 1, p, l) == (number, picture, layer));
            frame = frame.filter(|_| goes_on).map(|(_, p, l, key)| (number, p, l, key));
        }
        let Some((_, _, _, key)) = frame.filter(|_| packet.marker) else { continue };
        let follows = last_picture.map(|last| (last + 1) & 0x7FFF) == Some(picture);
        let needed = if key { None } else { Some(layer) };
        if needed.is_some_and(|layer| !follows || last_layer != layer) {
            seen.errors.push(format!("picture {picture} of {layer} needs one that is missing"));
            continue;
        }
        // The picture before may have been cut off by the change; more must not be missing.
        let missing = last_picture.map_or(0, |last| picture.wrapping_sub(last + 1) & 0x7FFF);
        if key && missing > 1 {
            seen.errors.push(format!("picture {picture} leaves a gap"));
        }
        (last_picture, last_layer) = (Some(picture), layer);
        seen.pictures.push((*at, layer));
    }
    seen
}
