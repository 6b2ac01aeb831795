//! Voice activity: one probability for every 16 ms of a 24 kHz stream.
//!
//! The detector is earshot, a small recurrent network over mel bands of 16 kHz audio. This module feeds it and scales
//! its score; who is *speaking* (threshold, hysteresis, silence windows) is decided by the conversation's state machine.
//!
//! Windows are exact: window `k` covers samples `[384 k, 384 (k + 1))` of what was pushed and is answered with the block
//! that completes it. The audio that the network sees is 1.5 ms late, the delay of the causal 24 to 16 kHz filter.
//!
//! Nothing at all, as from a muted microphone, is not judged again and again: after 2 s the last answer stands.

use crate::resample::{Resampler, to_pcm16};

/// Rate of the input, in Hz.
pub const RATE_HZ: u32 = 24_000;
/// Input samples to a window of 16 ms.
pub const WINDOW_SAMPLES: usize = 384;

const DETECTOR_HZ: u32 = 16_000;
const DETECTOR_SAMPLES: usize = 256;
/// Windows of digital silence in a row after which the network has nothing more to say about it: 2 s.
const SETTLED_WINDOWS: u32 = 125;

/// The map from earshot's score to the probability that thresholds of the wire protocol are compared with.
///
/// Speech starts best at a score of 0.65 and ends best at 0.50, where the protocol's defaults say 0.5 and,
/// by the usual hysteresis of 0.15, 0.35. Straight lines join these points and the ends, so the map is monotone.
const KNOTS: [(f32, f32); 4] = [(0.0, 0.0), (0.50, 0.35), (0.65, 0.5), (1.0, 1.0)];

/// Scale a raw score in `0..=1` to a probability in `0..=1`.
pub fn scale(score: f32) -> f32 {
    let score = score.clamp(0.0, 1.0);
    for pair in KNOTS.windows(2) {
        let ((low, low_value), (high, high_value)) = (pair[0], pair[1]);
        if score <= high {
            return low_value + (score - low) * (high_value - low_value) / (high - low);
        }
    }
    1.0
}

/// Listens to one mono stream at 24 kHz.
pub struct VoiceActivity {
    resampler: Resampler,
    detector: Box<earshot::Detector>,
    window: Vec<f32>,
    /// Input samples of the window that has not ended yet.
    begun: usize,
    /// Windows of digital silence in a row.
    nothing: u32,
    last: f32,
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self::new()
    }
}

impl VoiceActivity {
    /// Make a detector that has heard nothing yet.
    ///
    /// # Panics
    /// Never: both rates are constants inside the resampler's range.
    pub fn new() -> Self {
        Self {
            resampler: Resampler::causal(RATE_HZ, DETECTOR_HZ).expect("constant rates are in range"),
            detector: earshot::Detector::default_boxed(),
            window: Vec::with_capacity(2 * DETECTOR_SAMPLES),
            begun: 0,
            nothing: 0,
            last: 0.0,
        }
    }

    /// Listen to a block of any size; append a probability for each window that ends in it.
    pub fn push(&mut self, pcm: &[i16], speech: &mut Vec<f32>) {
        self.resampler.push(pcm.iter().map(|&sample| f32::from(sample)), &mut self.window);
        let mut frame = [0_i16; DETECTOR_SAMPLES];
        let ended = (self.begun + pcm.len()) / WINDOW_SAMPLES;
        self.begun = (self.begun + pcm.len()) % WINDOW_SAMPLES;
        for chunk in self.window.chunks_exact(DETECTOR_SAMPLES).take(ended) {
            for (to, from) in frame.iter_mut().zip(chunk) {
                *to = to_pcm16(*from);
            }
            self.nothing = if frame.iter().all(|sample| *sample == 0) { self.nothing.saturating_add(1) } else { 0 };
            if self.nothing <= SETTLED_WINDOWS {
                self.last = scale(self.detector.predict_i16(&frame));
            }
            speech.push(self.last);
        }
        self.window.drain(..ended * DETECTOR_SAMPLES);
    }

    /// Forget everything heard so far; the next sample begins a window.
    pub fn reset(&mut self) {
        self.resampler.reset();
        self.detector.reset();
        self.window.clear();
        self.begun = 0;
        self.nothing = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice-like sound: pulses through two gliding resonances, in syllables of 180 ms.
    fn babble(samples: usize) -> Vec<i16> {
        let (mut a, mut b) = ([0.0_f64; 2], [0.0_f64; 2]);
        let mut clock = 0.0;
        (0..samples)
            .map(|n| {
                let t = n as f64 / f64::from(RATE_HZ);
                clock += (118.0 + 14.0 * (t * 2.3).sin()) / f64::from(RATE_HZ);
                let pulse = if clock >= 1.0 { 1.0 } else { 0.0 };
                clock %= 1.0;
                let syllable = (std::f64::consts::PI * (t % 0.18) / 0.18).sin().powi(2);
                let mut sound = 0.0;
                for (state, hz) in
                    [(&mut a, 550.0 + 180.0 * (t * 9.0).sin()), (&mut b, 1_700.0 + 400.0 * (t * 7.0).cos())]
                {
                    let (radius, angle) = (0.985, std::f64::consts::TAU * hz / f64::from(RATE_HZ));
                    let next = pulse + 2.0 * radius * angle.cos() * state[0] - radius * radius * state[1];
                    *state = [next, state[0]];
                    sound += next;
                }
                to_pcm16((sound * syllable * 1_400.0) as f32)
            })
            .collect()
    }

    fn listen(vad: &mut VoiceActivity, pcm: &[i16]) -> Vec<f32> {
        let mut speech = Vec::new();
        vad.push(pcm, &mut speech);
        speech
    }

    #[test]
    fn the_map_hits_its_anchors_and_never_falls() {
        assert!((scale(0.65) - 0.5).abs() < 1e-6);
        assert!((scale(0.50) - 0.35).abs() < 1e-6);
        assert!(scale(0.0).abs() < 1e-6 && (scale(1.0) - 1.0).abs() < 1e-6);
        assert!(scale(-1.0).abs() < 1e-6 && (scale(2.0) - 1.0).abs() < 1e-6);
        let steps: Vec<f32> = (0..=1_000_u16).map(|n| scale(f32::from(n) / 1_000.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_window_is_answered_by_the_block_that_ends_it() {
        let mut vad = VoiceActivity::new();
        assert!(listen(&mut vad, &[0; 383]).is_empty());
        assert_eq!(listen(&mut vad, &[0; 1]).len(), 1);
        assert_eq!(listen(&mut vad, &[0; 480]).len(), 1);
        assert_eq!(listen(&mut vad, &[0; 287]).len(), 0);
        assert_eq!(listen(&mut vad, &[0; 1]).len(), 1);
        assert_eq!(listen(&mut vad, &[0; 3_840]).len(), 10);
    }

    #[test]
    fn block_size_does_not_matter() {
        let sound = babble(24_000);
        let whole = listen(&mut VoiceActivity::new(), &sound);
        let mut vad = VoiceActivity::new();
        let mut pieces = Vec::new();
        for block in sound.chunks(53) {
            vad.push(block, &mut pieces);
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.len(), 24_000 / WINDOW_SAMPLES);
    }

    #[test]
    fn a_voice_stands_out_from_silence_and_hiss() {
        let loudest = |speech: &[f32]| speech.iter().copied().fold(0.0_f32, f32::max);
        let silence = listen(&mut VoiceActivity::new(), &vec![0; 48_000]);
        assert!(loudest(&silence) < 0.3, "silence: {silence:?}");
        let mut seed = 1_u32;
        let hiss: Vec<i16> = (0..48_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i16) / 40
            })
            .collect();
        let hiss = listen(&mut VoiceActivity::new(), &hiss);
        assert!(loudest(&hiss) < 0.5, "hiss: {}", loudest(&hiss));
        let voice = listen(&mut VoiceActivity::new(), &babble(48_000));
        let voiced = voice.iter().filter(|p| **p >= 0.5).count();
        assert!(voiced * 2 > voice.len(), "{voiced} of {} windows", voice.len());
    }

    #[test]
    fn a_voice_is_heard_as_well_after_long_silence() {
        let sound = babble(24_000);
        let voiced = |before: usize| {
            let mut vad = VoiceActivity::new();
            listen(&mut vad, &vec![0; before]);
            listen(&mut vad, &sound).iter().filter(|p| **p >= 0.5).count()
        };
        let (settled, resting) = (voiced(48_000), voiced(480_000));
        assert!(settled * 2 > sound.len() / WINDOW_SAMPLES, "{settled}");
        assert!(settled.abs_diff(resting) <= 1, "{settled} and {resting}");
        let silence = listen(&mut VoiceActivity::new(), &vec![0; 480_000]);
        assert_eq!(silence.len(), 480_000 / WINDOW_SAMPLES);
        assert!(silence[1_000..].iter().all(|p| (*p - silence[999]).abs() < f32::EPSILON && *p < 0.3));
    }

    #[test]
    fn reset_makes_it_new() {
        let sound = babble(9_600);
        let mut vad = VoiceActivity::new();
        let first = listen(&mut vad, &sound);
        listen(&mut vad, &sound[..100]);
        vad.reset();
        assert_eq!(listen(&mut vad, &sound), first);
    }
}
