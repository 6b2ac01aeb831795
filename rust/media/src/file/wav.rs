//! WAV: PCM of 8, 16, 24 or 32 bits, float of 32 or 64, G.711. A stream of unknown length reads to its end.

use super::sink::{FULL_SCALE, Sink};
use super::{DecodeError, Outcome};
use crate::g711::Law;

const FORMAT: &str = "wav";
const MAX_CHANNELS: usize = 64;
const BLOCK_FRAMES: usize = 4_096;

#[derive(Clone, Copy)]
enum Coding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    Law(Law),
}

impl Coding {
    fn sample_bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Law(_) => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    fn samples(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Unsigned8 => bytes.iter().map(|b| (f32::from(*b) - 128.0) * 256.0).collect(),
            Self::Signed16 => words(bytes, |w: [u8; 2]| f32::from(i16::from_le_bytes(w))),
            Self::Signed24 => words(bytes, |[a, b, c]| i32::from_le_bytes([0, a, b, c]) as f32 / 65_536.0),
            Self::Signed32 => words(bytes, |w| i32::from_le_bytes(w) as f32 / 65_536.0),
            Self::Float32 => words(bytes, |w| f32::from_le_bytes(w) * FULL_SCALE),
            Self::Float64 => words(bytes, |w| f64::from_le_bytes(w) as f32 * FULL_SCALE),
            Self::Law(law) => law.decode(bytes).into_iter().map(f32::from).collect(),
        }
    }
}

fn words<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|word| read(*word)).collect()
}

struct Description {
    coding: Coding,
    channels: usize,
    rate_hz: u32,
}

pub(super) fn read(bytes: &[u8], sink: &mut Sink) -> Outcome {
    let mut description = None;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((id, size, after)) = chunk_head(rest) {
        let body = &after[..size.min(after.len())];
        match id {
            b"fmt " => description = Some(describe(body)?),
            b"data" => {
                let Some(description) = description else {
                    return Err(DecodeError::corrupt(FORMAT, "its sound comes before its description"));
                };
                return sound(&description, body, sink);
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = after.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    Err(DecodeError::corrupt(FORMAT, "there is no sound in it"))
}

fn chunk_head(bytes: &[u8]) -> Option<(&[u8; 4], usize, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<4>()?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    Some((id, u32::from_le_bytes(*size) as usize, rest))
}

fn describe(body: &[u8]) -> Result<Description, DecodeError> {
    let word = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let (Some(tag), Some(channels), Some(rate), Some(frame_bytes), Some(bits)) =
        (word(0), word(2), body.get(4..8), word(12), word(14))
    else {
        return Err(DecodeError::corrupt(FORMAT, "its description is cut short"));
    };
    // An extensible description says the kind again, in the first word of a long identifier.
    let tag = if tag == 0xFFFE { word(24).unwrap_or(tag) } else { tag };
    let coding = match (tag, bits) {
        (1, 8) => Coding::Unsigned8,
        (1, 16) => Coding::Signed16,
        (1, 24) => Coding::Signed24,
        (1, 32) => Coding::Signed32,
        (3, 32) => Coding::Float32,
        (3, 64) => Coding::Float64,
        (6, 8) => Coding::Law(Law::A),
        (7, 8) => Coding::Law(Law::Mu),
        _ => return Err(DecodeError::unsupported(format!("WAV of kind {tag} with {bits} bits"))),
    };
    let channels = usize::from(channels);
    if channels == 0 || channels > MAX_CHANNELS {
        return Err(DecodeError::corrupt(FORMAT, format!("it claims {channels} channels")));
    }
    if usize::from(frame_bytes) != channels * coding.sample_bytes() {
        return Err(DecodeError::corrupt(FORMAT, format!("frames of {frame_bytes} bytes do not fit its description")));
    }
    let rate_hz = u32::from_le_bytes([rate[0], rate[1], rate[2], rate[3]]);
    Ok(Description { coding, channels, rate_hz })
}

fn sound(description: &Description, body: &[u8], sink: &mut Sink) -> Outcome {
    sink.start(description.rate_hz)?;
    let frame_bytes = description.channels * description.coding.sample_bytes();
    let whole = body.len() - body.len() % frame_bytes;
    for block in body[..whole].chunks(BLOCK_FRAMES * frame_bytes) {
        sink.push(description.coding.samples(block), description.channels)?;
    }
    Ok(())
}
