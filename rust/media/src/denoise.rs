//! Noise reduction at 24 kHz: `RNNoise`'s recurrent network, as `nnnoiseless` carries it.
//!
//! The network works on frames of 10 ms at 48 kHz and gives each a gain per band, learned from speech in noise that
//! fills its whole band. An empty upper half, as a clean resampler leaves it, makes it take white noise for a voice, so
//! each sample is simply held for two: the upper half mirrors the lower one, and the way down filters it out again. The
//! stream is never held back: `n` samples in are `n` samples out, [`Denoiser::delay_samples`] late, so that a lane's
//! time line stays what it is.
//!
//! Near and far microphones differ in what is left of the noise. Near the mouth the voice is far above it, and a little
//! of the original, mixed back in, keeps the voice natural. Across a room, noise and echo are nearly as loud as the
//! voice: nothing of them is mixed back, and what the network does not take for a voice is turned down further.

use std::collections::VecDeque;

use nnnoiseless::DenoiseState;

use crate::resample::{Resampler, to_pcm16};

/// Where the microphone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// At the mouth: headsets, telephones.
    Near,
    /// Across the room: laptops, conference rooms.
    Far,
}

const RATE_HZ: u32 = 24_000;
const INNER_HZ: u32 = 48_000;
/// Samples at 48 kHz for each at 24 kHz.
const PER: usize = (INNER_HZ / RATE_HZ) as usize;
/// 10 ms at 48 kHz.
const FRAME: usize = DenoiseState::FRAME_SIZE;
/// Share of the original that is left near the microphone.
const NEAR_REST: f32 = 0.06;
/// What frames without a voice are turned down to, far from the microphone.
const FAR_FLOOR: f32 = 0.3;
/// How far that gain falls with each frame; it rises at once.
const FALL: f32 = 0.1;
/// Chance of a voice above which a frame is left alone.
const VOICE: f32 = 0.5;

/// Reduces the noise of one mono stream at 24 kHz.
pub struct Denoiser {
    field: Field,
    strength: f32,
    down: Resampler,
    network: Box<DenoiseState<'static>>,
    /// Samples at 48 kHz that do not fill a frame yet.
    waiting: Vec<f32>,
    /// Clean samples at 48 kHz that may go out.
    clean: VecDeque<f32>,
    /// The original at 24 kHz, held back until its clean samples go out.
    original: VecDeque<f32>,
    gain: f32,
}

impl Denoiser {
    /// Make one. `strength` from 0 (the original) to 1 (all that can be done).
    ///
    /// # Panics
    /// Never: the rates are constants inside the resampler's range.
    pub fn new(field: Field, strength: f32) -> Self {
        let mut made = Self {
            field,
            strength: strength.clamp(0.0, 1.0),
            down: Resampler::causal(INNER_HZ, RATE_HZ).expect("constant rates are in range"),
            network: DenoiseState::new(),
            waiting: Vec::new(),
            clean: VecDeque::new(),
            original: VecDeque::new(),
            gain: 1.0,
        };
        made.reset();
        made
    }

    /// How late the output is, in samples at 24 kHz: a frame to fill, one in the network, and the filter.
    pub fn delay_samples(&self) -> usize {
        (2 * FRAME + self.down.delay_samples()) / PER
    }

    /// Change the setting for what comes next; the stream goes on.
    pub fn set(&mut self, field: Field, strength: f32) {
        self.field = field;
        self.strength = strength.clamp(0.0, 1.0);
    }

    /// Forget everything heard so far.
    pub fn reset(&mut self) {
        self.down.reset();
        self.network = DenoiseState::new();
        self.waiting.clear();
        self.clean.clear();
        self.clean.resize(FRAME, 0.0);
        self.original.clear();
        self.original.resize(self.delay_samples(), 0.0);
        self.gain = 1.0;
    }

    /// Take a block and give one of the same length.
    pub fn push_pcm16(&mut self, input: &[i16]) -> Vec<i16> {
        self.original.extend(input.iter().map(|sample| f32::from(*sample)));
        self.waiting.extend(input.iter().flat_map(|sample| [f32::from(*sample); PER]));
        self.reduce();
        let mut clean = Vec::with_capacity(input.len());
        self.down.push(self.clean.drain(..PER * input.len()), &mut clean);
        let original = match self.field {
            Field::Near => 1.0 - self.strength * (1.0 - NEAR_REST),
            Field::Far => 1.0 - self.strength,
        };
        let mixed = clean.iter().zip(self.original.drain(..input.len()));
        mixed.map(|(clean, before)| to_pcm16(before * original + clean * (1.0 - original))).collect()
    }

    /// Let the network have every full frame.
    fn reduce(&mut self) {
        let mut output = [0.0; FRAME];
        let frames = self.waiting.chunks_exact(FRAME);
        let rest = frames.remainder().to_vec();
        for frame in frames {
            let voice = self.network.process_frame(&mut output, frame);
            let wanted =
                if self.field == Field::Near || voice >= VOICE { 1.0 } else { (self.gain - FALL).max(FAR_FLOOR) };
            for (at, sample) in output.iter().enumerate() {
                let gain = self.gain + (wanted - self.gain) * (at + 1) as f32 / FRAME as f32;
                self.clean.push_back(sample * gain);
            }
            self.gain = wanted;
        }
        self.waiting = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like a voice: a pulse train with formants, in syllables.
    fn voice(samples: usize) -> Vec<f32> {
        let mut low = [0.0_f32; 2];
        (0..samples)
            .map(|at| {
                let seconds = at as f32 / RATE_HZ as f32;
                let pitch = 120.0 + 20.0 * (seconds * 3.0).sin();
                let pulse = if (seconds * pitch).fract() < pitch / RATE_HZ as f32 { 1.0 } else { 0.0 };
                let resonance = 2.0 * 0.97 * (std::f32::consts::TAU * 600.0 / RATE_HZ as f32).cos();
                let next = pulse * 9_000.0 + resonance * low[0] - 0.97 * 0.97 * low[1];
                low = [next, low[0]];
                next * (0.5 + 0.5 * (seconds * std::f32::consts::TAU * 3.0).sin()).powi(2)
            })
            .collect()
    }

    fn noise(samples: usize, level: f32) -> Vec<f32> {
        let mut seed = 12_345_u32;
        (0..samples)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
            })
            .collect()
    }

    fn pcm(samples: &[f32]) -> Vec<i16> {
        samples.iter().map(|sample| to_pcm16(*sample)).collect()
    }

    fn power(samples: &[i16]) -> f32 {
        samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / samples.len() as f32
    }

    fn reduced(field: Field, strength: f32, input: &[i16], block: usize) -> Vec<i16> {
        let mut denoiser = Denoiser::new(field, strength);
        input.chunks(block).flat_map(|piece| denoiser.push_pcm16(piece)).collect()
    }

    #[test]
    fn as_much_comes_out_as_goes_in_whatever_the_blocks() {
        let input = pcm(&noise(10_007, 3_000.0));
        let whole = reduced(Field::Far, 1.0, &input, input.len());
        assert_eq!(whole.len(), input.len());
        for block in [1, 7, 240, 384, 2_400] {
            assert_eq!(reduced(Field::Far, 1.0, &input, block), whole);
        }
    }

    #[test]
    fn noise_is_turned_down_more_far_from_the_microphone() {
        let input = pcm(&noise(72_000, 2_000.0));
        let later = 24_000..;
        let before = power(&input[later.clone()]);
        let near = power(&reduced(Field::Near, 1.0, &input, 480)[later.clone()]);
        let far = power(&reduced(Field::Far, 1.0, &input, 480)[later]);
        assert!(near < before / 10.0, "near: {before} became {near}");
        assert!(far < near / 4.0, "far: {near} against {far}");
    }

    #[test]
    fn without_strength_it_is_the_original_late() {
        let input = pcm(&voice(24_000));
        let output = reduced(Field::Near, 0.0, &input, 480);
        let late = Denoiser::new(Field::Near, 0.0).delay_samples();
        assert_eq!(output[late..], input[..input.len() - late]);
        assert!(late < 30 * 24, "{late} samples");
    }

    #[test]
    fn clean_and_original_are_mixed_in_step() {
        let input = pcm(&voice(48_000));
        let full = reduced(Field::Far, 1.0, &input, 480);
        let late = Denoiser::new(Field::Far, 1.0).delay_samples();
        let score = |shift: usize| -> f32 {
            (24_000..40_000).map(|at| f32::from(full[at]) / 1e3 * f32::from(input[at - shift]) / 1e3).sum()
        };
        let best = (late - 60..late + 60).max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap();
        assert!(best.abs_diff(late) <= 3, "lags {best} against {late}");
    }

    #[test]
    fn a_voice_in_noise_stands_out_more() {
        let (speech, hiss) = (voice(96_000), noise(96_000, 900.0));
        let pause: Vec<f32> =
            hiss.iter().zip(&speech).enumerate().map(|(at, (n, s))| if at < 48_000 { *n } else { n + s }).collect();
        let input = pcm(&pause);
        let output = reduced(Field::Near, 1.0, &input, 480);
        let ratio = |samples: &[i16]| power(&samples[60_000..96_000]) / power(&samples[24_000..47_000]);
        assert!(ratio(&output) > 10.0 * ratio(&input), "{} against {}", ratio(&output), ratio(&input));
    }
}
