//! What a client sends on one of its slots: packets on a fixed schedule.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parley_media::opus::{ENCODER_HZ, Effort, Encoder, FRAME_SAMPLES};
use parley_media::sender::OutgoingPacket;

/// Between two packets of sound.
pub const FRAME: Duration = Duration::from_millis(20);
const PICTURE: Duration = Duration::from_millis(40);
const SOUND_BYTES: usize = 160;
const PICTURE_PACKETS: u64 = 5;
const PICTURE_PACKET_BYTES: usize = 1_100;
/// A picture that needs none before it comes so often.
const KEY_PICTURE_EVERY: u64 = 25;
const NUMBER_BYTES: usize = 8;

/// What is sent.
#[derive(Clone)]
pub enum Contents {
    /// These over and over, a share of the time.
    Loop { packets: Arc<[Vec<u8>]>, talking_percent: u64 },
    /// Packets as long as those of sound, which end with their source and number.
    Sound { source: u32 },
    /// Packets of VP8, which end with their source and number. 25 pictures and 1.1 Mbit a second.
    Pictures { source: u32 },
}

/// Source and number at the end of a numbered packet.
pub fn number_of(payload: &[u8]) -> Option<(u32, u32)> {
    let (source, number) = payload.last_chunk::<NUMBER_BYTES>()?.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*source), u32::from_be_bytes(number.try_into().ok()?)))
}

/// A tone of so many hertz, for a second.
pub fn tone(hz: f64) -> Contents {
    let step = std::f64::consts::TAU * hz / f64::from(ENCODER_HZ);
    let samples: Vec<i16> = (0..ENCODER_HZ).map(|n| ((f64::from(n) * step).sin() * 8_000.0) as i16).collect();
    let mut encoder = Encoder::new(32_000, Effort::Thorough).expect("an encoder");
    let packets = samples.chunks_exact(FRAME_SAMPLES).map(|frame| encoder.encode(frame).expect("a packet")).collect();
    Contents::Loop { packets, talking_percent: 100 }
}

/// One slot's packets.
pub struct Source {
    pub slot: usize,
    contents: Contents,
    /// None while it is silent.
    next_at: Option<Instant>,
    said: u64,
    key_wanted: bool,
    /// When each numbered packet left.
    pub left_at: Vec<Instant>,
}

impl Source {
    /// Begin at `start`.
    pub fn new(slot: usize, contents: Contents, start: Instant) -> Self {
        Self { slot, contents, next_at: Some(start), said: 0, key_wanted: false, left_at: Vec::new() }
    }

    /// By what its packets can be told, where they are numbered.
    pub fn number(&self) -> Option<u32> {
        match self.contents {
            Contents::Sound { source } | Contents::Pictures { source } => Some(source),
            Contents::Loop { .. } => None,
        }
    }

    /// When it has something to send.
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Go on at that time, or be silent.
    pub fn go_on(&mut self, at: Option<Instant>) {
        self.next_at = at;
    }

    /// Make the next picture one that needs none before it.
    pub fn want_key_picture(&mut self) {
        self.key_wanted = true;
    }

    /// Packets that were sent, those of silence left out.
    pub fn said(&self) -> u64 {
        self.said
    }

    /// What is due at `now`, without SSRC and payload type.
    pub fn due(&mut self, now: Instant) -> Vec<OutgoingPacket> {
        let mut due = Vec::new();
        while let Some(at) = self.next_at.filter(|at| *at <= now) {
            match &self.contents {
                Contents::Loop { packets, talking_percent } => {
                    let place = self.said % packets.len() as u64;
                    // Fifty seconds make a cycle of talking and silence of a hundred half seconds.
                    if (self.said / 25) % 100 * 37 % 100 < *talking_percent {
                        due.push(packet(self.said, self.said * 960, false, packets[place as usize].clone()));
                    }
                    self.said += 1;
                    self.next_at = Some(at + FRAME);
                }
                Contents::Sound { source } => {
                    let contents = numbered(vec![0; SOUND_BYTES], *source, self.said);
                    due.push(packet(self.said, self.said * 960, false, contents));
                    self.said += 1;
                    self.next_at = Some(at + FRAME);
                }
                Contents::Pictures { source } => {
                    let picture = self.said / PICTURE_PACKETS;
                    let key = std::mem::take(&mut self.key_wanted) || picture.is_multiple_of(KEY_PICTURE_EVERY);
                    for part in 0..PICTURE_PACKETS {
                        let contents = numbered(vp8(picture, part, key), *source, self.said);
                        due.push(packet(self.said, picture * 3_600, part + 1 == PICTURE_PACKETS, contents));
                        self.said += 1;
                    }
                    self.next_at = Some(at + PICTURE);
                }
            }
        }
        self.left_at.resize(self.said as usize, now);
        due
    }
}

fn packet(number: u64, timestamp: u64, marker: bool, contents: Vec<u8>) -> OutgoingPacket {
    OutgoingPacket::unrouted(1_000 + number, timestamp as u32, marker, contents.into())
}

fn numbered(mut contents: Vec<u8>, source: u32, number: u64) -> Vec<u8> {
    let at = contents.len() - NUMBER_BYTES;
    contents[at..at + 4].copy_from_slice(&source.to_be_bytes());
    contents[at + 4..].copy_from_slice(&(number as u32).to_be_bytes());
    contents
}

/// A packet with descriptor (RFC 7741 §4.2) and, at the beginning of a picture, its header (RFC 6386 §9.1).
fn vp8(picture: u64, part: u64, key: bool) -> Vec<u8> {
    let mut contents = vec![0; PICTURE_PACKET_BYTES];
    let id = (picture & 0x7FFF) as u16 | 0x8000;
    contents[0] = if part == 0 { 0x90 } else { 0x80 };
    contents[1] = 0x80;
    contents[2..4].copy_from_slice(&id.to_be_bytes());
    if part == 0 {
        contents[4] = if key { 0x10 } else { 0x11 };
        if key {
            contents[7..14].copy_from_slice(&[0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]);
        }
    }
    contents
}
