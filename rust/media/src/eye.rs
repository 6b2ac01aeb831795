//! An AI's eye: whole stills out of a camera's VP8, without a decoder.
//!
//! A key frame of VP8 is a picture by itself, and a WebP file is one in a box. So the eye puts the packets of a key frame
//! together and passes all others by. It asks for one where none came for a second. A frame of which a packet is lost or
//! comes too late is let go, as is one that is too large; the next key frame will do.
//!
//! Sources: RFC 7741 §4.2 (packets), RFC 6386 §9.1 (key frames), RFC 9649 §2.5 (WebP).
//! Neighbours: `shard` shows it packets, `router` carries what it asks for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a camera is asked, and stills are taken.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The largest still.
pub const MAX_STILL_BYTES: usize = 512 * 1024;
const MAX_PIECES: usize = 2_048;
/// What lies further back, in the 90 kHz of pictures, is no late packet but a clock that began anew.
const BEHIND: i32 = 10 * 90_000;

/// A picture as a WebP file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// The file.
    pub webp: Vec<u8>,
}

/// One packet, as the eye needs it.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// Distinguishes streams.
    pub ssrc: u32,
    /// Extended beyond 16 bits.
    pub sequence: u64,
    /// The same for all packets of a frame.
    pub timestamp: u32,
    /// The last packet of a frame has it.
    pub marker: bool,
    /// Without RTP header.
    pub payload: &'a [u8],
}

/// What is known of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its first packet has not come.
    Unknown,
    /// A key frame that begins with this packet.
    Key(u64),
    /// Predicted from others, seen already, or too large.
    Spent,
}

/// One frame in the making.
#[derive(Debug)]
struct Frame {
    timestamp: u32,
    kind: Kind,
    last: Option<u64>,
    pieces: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

impl Frame {
    fn new(timestamp: u32) -> Self {
        Self { timestamp, kind: Kind::Unknown, last: None, pieces: BTreeMap::new(), bytes: 0 }
    }

    /// Take a packet; give the whole frame once all are here.
    fn add(&mut self, glimpse: &Glimpse<'_>, begins: bool, body: &[u8]) -> Option<Vec<u8>> {
        if self.kind == Kind::Spent {
            return None;
        }
        if begins {
            if body[0] & 1 != 0 {
                self.spend();
                return None;
            }
            self.kind = Kind::Key(glimpse.sequence);
        }
        if glimpse.marker {
            self.last = Some(glimpse.sequence);
        }
        if self.pieces.insert(glimpse.sequence, body.to_vec()).is_none() {
            self.bytes += body.len();
        }
        if self.bytes > MAX_STILL_BYTES || self.pieces.len() > MAX_PIECES {
            self.spend();
            return None;
        }
        let (Kind::Key(first), Some(last)) = (self.kind, self.last) else { return None };
        let whole = last >= first && self.pieces.range(first..=last).count() as u64 == last - first + 1;
        whole.then(|| {
            let frame = self.pieces.range(first..=last).flat_map(|(_, piece)| piece.iter().copied()).collect();
            self.spend();
            frame
        })
    }

    fn spend(&mut self) {
        self.kind = Kind::Spent;
        self.pieces = BTreeMap::new();
    }

    fn is_open_key(&self) -> bool {
        matches!(self.kind, Kind::Key(_))
    }
}

/// One eye.
#[derive(Debug, Default)]
pub struct Eye {
    ssrc: Option<u32>,
    newest: Option<Frame>,
    /// A key frame that later ones have overtaken: what is missing may still come.
    late: Option<Frame>,
    taken_at: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Eye {
    /// Take a packet; give a still if it completes one and it is time for one.
    pub fn see(&mut self, now: Instant, glimpse: &Glimpse<'_>) -> Option<Still> {
        if self.ssrc.replace(glimpse.ssrc) != Some(glimpse.ssrc) {
            (self.newest, self.late) = (None, None);
            // A stream begins with a key frame.
            self.asked_at = Some(now);
        }
        let (begins, body) = body_of(glimpse.payload)?;
        let frame = self.frame(glimpse.timestamp)?.add(glimpse, begins, body)?;
        self.late = None;
        if self.taken_at.is_some_and(|then| now < then + LOOK_EVERY) {
            return None;
        }
        let still = still_of(&frame)?;
        self.taken_at = Some(now);
        Some(still)
    }

    /// Whether the camera should be asked for a key frame; then it counts as asked.
    pub fn asks(&mut self, now: Instant) -> bool {
        let due = [self.taken_at, self.asked_at].into_iter().flatten().max().map(|then| then + LOOK_EVERY);
        let asks = due.is_some_and(|due| now >= due);
        if asks {
            self.asked_at = Some(now);
        }
        asks
    }

    /// The frame of this time stamp; none if it is too old.
    fn frame(&mut self, timestamp: u32) -> Option<&mut Frame> {
        let ahead = self.newest.as_ref().map_or(1, |newest| timestamp.wrapping_sub(newest.timestamp) as i32);
        if (-BEHIND..0).contains(&ahead) {
            return self.late.as_mut().filter(|late| late.timestamp == timestamp);
        }
        if ahead != 0 {
            let overtaken = self.newest.replace(Frame::new(timestamp));
            if let Some(frame) = overtaken.filter(Frame::is_open_key) {
                self.late = Some(frame);
            }
        }
        self.newest.as_mut()
    }
}

/// Take the payload descriptor off: whether a frame begins here, and what is behind, which is not empty.
fn body_of(payload: &[u8]) -> Option<(bool, &[u8])> {
    let first = *payload.first()?;
    let mut at = 1;
    if first & 0x80 != 0 {
        let extension = *payload.get(1)?;
        at += 1;
        if extension & 0x80 != 0 {
            at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        at += usize::from(extension & 0x40 != 0);
        at += usize::from(extension & 0x30 != 0);
    }
    let body = payload.get(at..).filter(|body| !body.is_empty())?;
    // The start of the first partition.
    Some((first & 0x17 == 0x10, body))
}

/// Put a key frame into a WebP file; none if it is no picture to be shown.
fn still_of(frame: &[u8]) -> Option<Still> {
    let (header, rest) = frame.split_first_chunk::<10>()?;
    let tag = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let (key, version, shown, partition) = (tag & 1 == 0, tag >> 1 & 7, tag >> 4 & 1 != 0, (tag >> 5) as usize);
    // Above the 14 bits of each length are hints for scaling, which no WebP reader follows.
    let side = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]) & 0x3FFF;
    let (width, height) = (side(6), side(8));
    let sound = key && version <= 3 && shown && header[3..6] == [0x9D, 0x01, 0x2A] && partition <= rest.len();
    if !sound || width == 0 || height == 0 {
        return None;
    }
    let padded = frame.len() + frame.len() % 2;
    let mut webp = Vec::with_capacity(padded + 20);
    webp.extend(b"RIFF");
    webp.extend((padded as u32 + 12).to_le_bytes());
    webp.extend(b"WEBPVP8 ");
    webp.extend((frame.len() as u32).to_le_bytes());
    webp.extend(frame);
    webp.resize(padded + 20, 0);
    Some(Still { width, height, webp })
}

#[cfg(test)]
mod tests;
