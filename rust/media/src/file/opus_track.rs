//! One Opus track of a file: its header, what is skipped at its start, and its packets.

use super::sink::Sink;
use super::{DecodeError, Outcome, RATE_HZ};
use crate::opus::{Decoder, OpusError};

/// Headers count samples of 48 kHz.
const GRANULES_PER_SAMPLE: u64 = 48_000 / RATE_HZ as u64;

/// Decodes a track's packets into the sink.
pub(super) struct OpusTrack {
    format: &'static str,
    decoder: Decoder,
    /// Samples still to be left out at the start.
    skip: usize,
}

impl OpusTrack {
    /// Begin by an `OpusHead` (RFC 7845 §5.1).
    pub(super) fn open(format: &'static str, head: &[u8]) -> Result<Self, DecodeError> {
        let short = || DecodeError::corrupt(format, "its Opus header is cut short");
        let fields = head.strip_prefix(b"OpusHead").and_then(|rest| rest.first_chunk::<11>()).ok_or_else(short)?;
        let [version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, mapping] = *fields;
        if version & 0xF0 != 0 {
            return Err(DecodeError::unsupported(format!("Opus header version {version}")));
        }
        if mapping != 0 || channels == 0 || channels > 2 {
            return Err(DecodeError::unsupported(format!("Opus with {channels} channels")));
        }
        let broken = |error: OpusError| DecodeError::corrupt(format, error);
        let mut decoder = Decoder::new(RATE_HZ).map_err(broken)?;
        decoder.set_gain(i16::from_le_bytes([gain_low, gain_high])).map_err(broken)?;
        let pre_skip = u64::from(u16::from_le_bytes([skip_low, skip_high]));
        Ok(Self { format, decoder, skip: (pre_skip / GRANULES_PER_SAMPLE) as usize })
    }

    /// Begin as an encoder that says nothing about itself.
    pub(super) fn bare(format: &'static str) -> Result<Self, DecodeError> {
        Self::open(format, b"OpusHead\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
    }

    /// Decode one packet, leaving out its last `cut` samples of 48 kHz.
    pub(super) fn push(&mut self, packet: &[u8], cut: u64, sink: &mut Sink) -> Outcome {
        let samples = self.decoder.decode(packet).map_err(|error| DecodeError::corrupt(self.format, error))?;
        let kept = samples.len().saturating_sub((cut / GRANULES_PER_SAMPLE) as usize);
        let begin = self.skip.min(kept);
        self.skip -= begin;
        sink.push_pcm16(&samples[begin..kept])
    }
}

/// Length of a packet in samples of 48 kHz, without decoding it.
pub(super) fn packet_granules(packet: &[u8]) -> u64 {
    ::opus::packet::get_nb_samples(packet, 48_000).unwrap_or(0) as u64
}
