//! WebM/Opus: the first Opus track of a Matroska file, as browsers record it.
//!
//! A reader of our own, over slices: it allocates nothing by a stated size, and it reads recordings that were never
//! finished, whose segment and clusters have no size. Elements that it does not know are skipped.
//! Source: RFC 8794 (EBML), RFC 9559 (Matroska).

use super::opus_track::OpusTrack;
use super::sink::Sink;
use super::{DecodeError, Outcome};

const FORMAT: &str = "webm";

mod id {
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const CODEC_ID: u32 = 0x86;
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    pub const CONTENT_ENCODINGS: u32 = 0x6D80;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const BLOCK_GROUP: u32 = 0xA0;
    pub const BLOCK: u32 = 0xA1;
    pub const DISCARD_PADDING: u32 = 0x75A2;
}

/// An element's id, its content, and what follows it. An element of unknown size holds everything that is left.
struct Element<'a> {
    id: u32,
    body: &'a [u8],
    after: &'a [u8],
    unknown_size: bool,
    /// The file ends inside it.
    cut_short: bool,
}

/// Read a variable-length integer; with `keep_marker` the length bits stay in, as in ids.
fn variable(bytes: &[u8], keep_marker: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 || bytes.len() < length {
        return None;
    }
    let marker = if keep_marker { 0 } else { 0x80_u8 >> (length - 1) };
    let value = bytes[1..length].iter().fold(u64::from(first & !marker), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Read the next element; None at the end, or where a cut-off recording ends in the middle of a head.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (id, id_length) = variable(bytes, true)?;
    let id = u32::try_from(id).ok()?;
    let (size, size_length) = variable(&bytes[id_length..], false)?;
    let rest = &bytes[id_length + size_length..];
    let unknown_size = size == (1 << (7 * size_length)) - 1;
    let stated = if unknown_size { rest.len() } else { usize::try_from(size).unwrap_or(usize::MAX) };
    let (body, after) = rest.split_at(stated.min(rest.len()));
    Some(Element { id, body, after, unknown_size, cut_short: stated > rest.len() })
}

fn unsigned(body: &[u8]) -> u64 {
    body.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn children(body: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let next = element(rest)?;
        rest = next.after;
        Some(next)
    })
}

struct Reader<'s> {
    sink: &'s mut Sink,
    track: Option<(u64, OpusTrack)>,
    tracks_seen: bool,
}

pub(super) fn read(bytes: &[u8], sink: &mut Sink) -> Outcome {
    let mut reader = Reader { sink, track: None, tracks_seen: false };
    reader.walk(bytes)?;
    if reader.tracks_seen {
        return Ok(());
    }
    Err(DecodeError::corrupt(FORMAT, "there is no track in it"))
}

impl Reader<'_> {
    /// Go through the elements in order. What a segment or cluster holds is read in line with what follows it, which
    /// makes sizes unnecessary.
    fn walk(&mut self, bytes: &[u8]) -> Outcome {
        let mut rest = bytes;
        while let Some(next) = element(rest) {
            rest = next.after;
            match next.id {
                id::SEGMENT | id::CLUSTER => {
                    // Step inside: the content begins where the head ends.
                    let inside = next.body.len() + next.after.len();
                    rest = &bytes[bytes.len() - inside..];
                }
                // A recording that broke off plays up to there.
                _ if next.cut_short => break,
                id::TRACKS => self.choose_track(next.body)?,
                id::SIMPLE_BLOCK => self.play_block(next.body, 0)?,
                id::BLOCK_GROUP => self.play_group(next.body)?,
                _ if next.unknown_size => {
                    return Err(DecodeError::corrupt(FORMAT, "an element has no size"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn choose_track(&mut self, body: &[u8]) -> Outcome {
        self.tracks_seen = true;
        let mut found = Vec::new();
        for entry in children(body).filter(|child| child.id == id::TRACK_ENTRY) {
            let (mut number, mut codec, mut head, mut encoded) = (0, String::new(), None, false);
            for field in children(entry.body) {
                match field.id {
                    id::TRACK_NUMBER => number = unsigned(field.body),
                    id::CODEC_ID => codec = String::from_utf8_lossy(field.body).replace('\0', ""),
                    id::CODEC_PRIVATE => head = Some(field.body),
                    id::CONTENT_ENCODINGS => encoded = true,
                    _ => {}
                }
            }
            if codec == "A_OPUS" && !encoded && self.track.is_none() {
                let track = head.map_or_else(|| OpusTrack::bare(FORMAT), |head| OpusTrack::open(FORMAT, head))?;
                self.track = Some((number, track));
            }
            found.push(codec);
        }
        if self.track.is_some() {
            return Ok(());
        }
        let plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
        let mut names: String = found.join(" and ").chars().filter(plain).take(60).collect();
        if names.is_empty() {
            names.push_str("no track");
        }
        Err(DecodeError::unsupported(format!("WebM with {names} instead of Opus")))
    }

    fn play_group(&mut self, body: &[u8]) -> Outcome {
        let (mut block, mut discard_ns) = (None, 0_i64);
        for field in children(body) {
            match field.id {
                id::BLOCK => block = Some(field.body),
                id::DISCARD_PADDING => {
                    let bits = 8 * field.body.len().min(8) as u32;
                    discard_ns = (unsigned(field.body) as i64) << (64 - bits.max(1)) >> (64 - bits.max(1));
                }
                _ => {}
            }
        }
        let cut = discard_ns.max(0) as u64 * 6 / 125_000;
        block.map_or(Ok(()), |block| self.play_block(block, cut))
    }

    /// Decode a block's packets; `cut` samples of 48 kHz fall off the last.
    fn play_block(&mut self, block: &[u8], cut: u64) -> Outcome {
        let damaged = |reason: &str| DecodeError::corrupt(FORMAT, reason);
        let Some((number, length)) = variable(block, false) else {
            return Ok(());
        };
        let Some((_, track)) = self.track.as_mut().filter(|(chosen, _)| *chosen == number) else {
            return Ok(());
        };
        // A time of two bytes, then the flags.
        let Some(flags) = block.get(length + 2) else {
            return Ok(());
        };
        let payload = &block[length + 3..];
        let packets = match flags >> 1 & 3 {
            0 => vec![payload],
            lacing => unlace(lacing, payload).ok_or_else(|| damaged("a block's packets do not fit into it"))?,
        };
        let last = packets.len() - 1;
        for (at, packet) in packets.into_iter().enumerate() {
            track.push(packet, if at == last { cut } else { 0 }, self.sink)?;
        }
        Ok(())
    }
}

/// Split a laced block into its packets: lacing 1 is Xiph's, 2 fixed, 3 EBML.
pub(super) fn unlace(lacing: u8, payload: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = payload.split_first()?;
    let count = usize::from(*count) + 1;
    let mut sizes = Vec::with_capacity(count);
    match lacing {
        1 => {
            for _ in 1..count {
                let ends = rest.iter().position(|byte| *byte != 255)?;
                sizes.push(ends * 255 + usize::from(rest[ends]));
                rest = &rest[ends + 1..];
            }
        }
        2 => sizes.resize(count - 1, rest.len() / count),
        _ => {
            let mut size = 0_i64;
            for at in 1..count {
                let (value, length) = variable(rest, false)?;
                rest = &rest[length..];
                // Differences are stored with a bias, so that they can be negative.
                let bias = if at == 1 { 0 } else { (1_i64 << (7 * length - 1)) - 1 };
                size += value as i64 - bias;
                sizes.push(usize::try_from(size).ok()?);
            }
        }
    }
    let mut packets = Vec::with_capacity(count);
    for size in sizes {
        let (packet, later) = rest.split_at_checked(size)?;
        packets.push(packet);
        rest = later;
    }
    packets.push(rest);
    Some(packets)
}
