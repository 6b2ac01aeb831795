//! Where decoded sound goes: mixed to mono, brought to 24 kHz, counted against the bound.

use super::{DecodeError, Outcome, RATE_HZ};
use crate::resample::{RATES_HZ, Resampler, to_pcm16};

/// Full scale of 16-bit samples, which is the scale of everything here.
pub(super) const FULL_SCALE: f32 = 32_768.0;

/// Collects one file's sound.
pub(super) struct Sink {
    format: &'static str,
    max_seconds: u32,
    resampler: Option<Resampler>,
    taken_frames: u64,
    mono: Vec<f32>,
    converted: Vec<f32>,
    pcm: Vec<i16>,
}

impl Sink {
    pub(super) fn new(format: &'static str, max_seconds: u32) -> Self {
        Self {
            format,
            max_seconds,
            resampler: None,
            taken_frames: 0,
            mono: Vec::new(),
            converted: Vec::new(),
            pcm: Vec::new(),
        }
    }

    /// Say at which rate the sound comes, before the first of it.
    pub(super) fn start(&mut self, rate_hz: u32) -> Outcome {
        let resampler = Resampler::new(rate_hz, RATE_HZ).map_err(|_| {
            let (lowest, highest) = (RATES_HZ.start(), RATES_HZ.end());
            DecodeError::unsupported(format!("a sample rate of {rate_hz} Hz (outside {lowest} to {highest})"))
        })?;
        self.resampler = Some(resampler);
        Ok(())
    }

    /// Take frames of `channels` samples each, in the scale of 16 bits.
    pub(super) fn push(&mut self, interleaved: impl IntoIterator<Item = f32>, channels: usize) -> Outcome {
        self.mono.clear();
        let mut samples = interleaved.into_iter();
        while let Some(first) = samples.next() {
            let sum: f32 = first + samples.by_ref().take(channels - 1).sum::<f32>();
            let mean = sum / channels as f32;
            self.mono.push(if mean.is_finite() { mean } else { 0.0 });
        }
        let Some(resampler) = &mut self.resampler else {
            return Err(DecodeError::corrupt(self.format, "sound comes before its description"));
        };
        self.taken_frames += self.mono.len() as u64;
        if self.taken_frames > u64::from(self.max_seconds) * u64::from(resampler.from_hz()) {
            return Err(DecodeError::TooLong(self.max_seconds));
        }
        if resampler.from_hz() == RATE_HZ {
            self.pcm.extend(self.mono.iter().copied().map(to_pcm16));
            return Ok(());
        }
        self.converted.clear();
        resampler.push(self.mono.iter().copied(), &mut self.converted);
        self.pcm.extend(self.converted.iter().copied().map(to_pcm16));
        Ok(())
    }

    /// Take 24 kHz mono samples as they are.
    pub(super) fn push_pcm16(&mut self, samples: &[i16]) -> Outcome {
        self.pcm.extend_from_slice(samples);
        if self.pcm.len() as u64 > u64::from(self.max_seconds) * u64::from(RATE_HZ) {
            return Err(DecodeError::TooLong(self.max_seconds));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Vec<i16> {
        if let Some(resampler) = &mut self.resampler {
            self.converted.clear();
            resampler.flush(&mut self.converted);
            self.pcm.extend(self.converted.iter().copied().map(to_pcm16));
        }
        self.pcm
    }
}
