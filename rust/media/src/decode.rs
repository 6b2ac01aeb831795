//! One stream's decoder, whatever its codec: packets in, 24 kHz mono out, and sound for what was lost.
//!
//! Opus decodes to 24 kHz by itself and knows how to conceal. G.711 is brought up from 8 kHz and conceals by repeating
//! its last 20 ms, fading.

use crate::g711::Law;
use crate::opus::{self, OpusError};
use crate::playout::{FRAME_SAMPLES, RATE_HZ};
use crate::resample::Resampler;
use crate::spec::AudioCodec;

/// Share of the level that is left with each repeated frame, in 1/256.
const REPEAT_GAIN: i32 = 160;
/// Longest packet of G.711 that is taken: 120 ms.
const MAX_G711_BYTES: usize = 960;

/// A decoder for one codec.
pub enum StreamDecoder {
    /// Opus.
    Opus(opus::Decoder),
    /// G.711.
    G711 {
        /// Which of the two.
        law: Law,
        /// From 8 kHz, without delay in time but in phase.
        up: Box<Resampler>,
        /// The last 20 ms.
        last: Vec<i16>,
    },
}

impl StreamDecoder {
    /// Make a decoder.
    ///
    /// # Panics
    /// Never: the rates are constants that the resampler takes.
    pub fn new(codec: AudioCodec) -> Result<Self, OpusError> {
        let g711 = |law| Self::G711 {
            law,
            up: Box::new(Resampler::causal(8_000, RATE_HZ).expect("constant rates are in range")),
            last: vec![0; FRAME_SAMPLES],
        };
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(opus::Decoder::new(RATE_HZ)?),
            AudioCodec::Pcmu => g711(Law::Mu),
            AudioCodec::Pcma => g711(Law::A),
        })
    }

    /// Decode a packet.
    pub fn decode(&mut self, packet: &[u8]) -> Result<Vec<i16>, OpusError> {
        match self {
            Self::Opus(decoder) => decoder.decode(packet),
            Self::G711 { law, up, last } => {
                if packet.is_empty() || packet.len() > MAX_G711_BYTES {
                    return Err(OpusError::Packet);
                }
                let pcm = up.push_pcm16(&law.decode(packet));
                last.extend_from_slice(&pcm);
                last.drain(..last.len() - FRAME_SAMPLES);
                Ok(pcm)
            }
        }
    }

    /// Decode `samples` that `next` carries of what was lost just before it.
    pub fn recover(&mut self, next: &[u8], samples: usize) -> Vec<i16> {
        match self {
            Self::Opus(decoder) => decoder.recover(next, samples).unwrap_or_else(|_| vec![0; samples]),
            Self::G711 { .. } => self.conceal(samples),
        }
    }

    /// Make up `samples`.
    pub fn conceal(&mut self, samples: usize) -> Vec<i16> {
        match self {
            // A loss of no multiple of 2.5 ms comes from a confused sender; silence serves it.
            Self::Opus(decoder) => decoder.conceal(samples).unwrap_or_else(|_| vec![0; samples]),
            Self::G711 { last, .. } => {
                for sample in last.iter_mut() {
                    *sample = (i32::from(*sample) * REPEAT_GAIN / 256) as i16;
                }
                last.iter().copied().cycle().take(samples).collect()
            }
        }
    }

    /// Whether `next` may hold a copy of what came before it.
    pub fn can_recover(&self) -> bool {
        matches!(self, Self::Opus(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(pcm: &[i16]) -> i32 {
        pcm.iter().map(|s| i32::from(*s).abs()).max().unwrap_or(0)
    }

    #[test]
    fn g711_gives_three_samples_for_each_and_fades_when_it_must_invent() {
        let tone: Vec<i16> = (0..160).map(|n| ((f64::from(n) * 0.3).sin() * 8_000.0) as i16).collect();
        for (codec, law) in [(AudioCodec::Pcmu, Law::Mu), (AudioCodec::Pcma, Law::A)] {
            let mut decoder = StreamDecoder::new(codec).unwrap();
            for _ in 0..3 {
                assert_eq!(decoder.decode(&law.encode(&tone)).unwrap().len(), 480);
            }
            let levels: Vec<i32> = (0..5).map(|_| level(&decoder.conceal(480))).collect();
            assert!(levels[0] > 3_000 && levels[4] < 1_000, "{levels:?}");
            assert!(levels.windows(2).all(|pair| pair[1] < pair[0]));
        }
    }

    #[test]
    fn nonsense_is_refused_and_harms_nothing() {
        let mut decoder = StreamDecoder::new(AudioCodec::Pcmu).unwrap();
        assert!(decoder.decode(&[]).is_err());
        assert!(decoder.decode(&[0; 2_000]).is_err());
        let mut decoder = StreamDecoder::new(AudioCodec::Opus).unwrap();
        assert!(decoder.decode(&[0xFF]).is_err());
        assert_eq!(decoder.recover(&[0xFF], 480).len(), 480);
        assert_eq!(decoder.conceal(481).len(), 481);
    }
}
