//! Sample-rate conversion by a polyphase FIR of our own: streaming, any rational ratio, mono `f32` inside.
//!
//! Every rate pair that Parley speaks (8, 16, 24, 48 kHz) and the usual file rates get one exact filter per output
//! phase. A pair whose ratio needs more phases than `MAX_EXACT_PHASES` (say 44 101 Hz to 24 000 Hz) interpolates
//! linearly between the phases of a finer table.
//!
//! The filter is a Kaiser-windowed sinc with `ZERO_CROSSINGS` zero crossings on each side at the lower of both rates.
//! Its pass band is flat to 0.78 of the lower Nyquist frequency and its stop band begins at 1.06 of it. [`Resampler::new`]
//! compensates the filter's delay: output sample `k` belongs to the instant `k / to_hz` of the input, output lags behind
//! input by [`Resampler::delay_samples`] and [`Resampler::flush`] gives the rest. [`Resampler::causal`] lets the delay
//! stand instead and answers every input sample at once: voice activity needs exact windows more than exact phase.
//!
//! Neighbours: `vad` listens at 16 kHz, `file` brings uploads to 24 kHz. Opus needs none of this, its decoder gives any rate.

use thiserror::Error;

/// Lowest and highest rate accepted, in Hz.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;

const ZERO_CROSSINGS: usize = 24;
/// Middle of the transition band, as a share of the lower Nyquist frequency.
const CUTOFF: f64 = 0.92;
/// Kaiser's shape for a stop band at -100 dB.
const KAISER_BETA: f64 = 10.06;
const MAX_EXACT_PHASES: usize = 640;
const INTERPOLATED_PHASES: usize = 1024;
/// Consumed history is dropped once it is this long, so that dropping costs little per sample.
const COMPACT_AT: usize = 512;
const LANES: usize = 8;

/// Why a [`Resampler`] cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResampleError {
    /// A rate outside [`RATES_HZ`].
    #[error("sample rate {0} Hz is outside 4000..=384000 Hz; convert the audio to a usual rate first")]
    Rate(u32),
}

/// The filter's coefficients, one row of `taps` for each phase.
#[derive(Debug, Clone)]
struct Bank {
    rows: Vec<f32>,
    taps: usize,
    /// Rows lie at `phase / up` exactly, or `up` is too fine and two rows are mixed.
    interpolated: bool,
}

impl Bank {
    fn new(up: usize, down: usize) -> Self {
        let scale = (up as f64 / down as f64).min(1.0);
        let half = half_taps(up, down);
        let taps = 2 * half;
        let interpolated = up > MAX_EXACT_PHASES;
        let phases = if interpolated { INTERPOLATED_PHASES } else { up };
        // One row more when interpolating: the last phase mixes with the first row of the next sample.
        let count = phases + usize::from(interpolated);
        let mut rows = Vec::with_capacity(count * taps);
        let mut row = vec![0.0_f64; taps];
        for phase in 0..count {
            let shift = phase as f64 / phases as f64;
            for (tap, weight) in row.iter_mut().enumerate() {
                let at = tap as f64 - (half as f64 - 1.0) - shift;
                *weight = sinc(at * scale * CUTOFF) * kaiser(at / half as f64);
            }
            // Unit gain at 0 Hz for every phase: a constant stays that constant.
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|weight| (weight / sum) as f32));
        }
        Self { rows, taps, interpolated }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.taps..(index + 1) * self.taps]
    }

    fn convolve(&self, window: &[f32], phase: usize, up: usize) -> f32 {
        if !self.interpolated {
            return dot(self.row(phase), window);
        }
        let at = phase as f64 / up as f64 * INTERPOLATED_PHASES as f64;
        let below = at as usize;
        let mix = (at - below as f64) as f32;
        let low = dot(self.row(below), window);
        low + (dot(self.row(below + 1), window) - low) * mix
    }
}

fn half_taps(up: usize, down: usize) -> usize {
    let needed = if up >= down { ZERO_CROSSINGS } else { (ZERO_CROSSINGS * down).div_ceil(up) };
    needed.next_multiple_of(LANES / 2)
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    let angle = std::f64::consts::PI * x;
    angle.sin() / angle
}

fn kaiser(x: f64) -> f64 {
    let inside = 1.0 - x * x;
    if inside <= 0.0 { 0.0 } else { bessel_i0(KAISER_BETA * inside.sqrt()) / bessel_i0(KAISER_BETA) }
}

fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-16 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// Sum of products in eight independent lanes, which the compiler turns into vector code; `taps` is a multiple of eight.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (x, y) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    for half in [4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

/// Round to the nearest 16-bit value; what does not fit is clipped.
pub fn to_pcm16(sample: f32) -> i16 {
    (sample + 0.5_f32.copysign(sample)) as i16
}

/// Converts one mono stream from one rate to another.
///
/// Units: samples of mono audio; the scale of `f32` samples is the caller's and stays as it is.
#[derive(Debug, Clone)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    up: usize,
    down: usize,
    bank: Bank,
    /// Zeros that stand before the first sample.
    lead: usize,
    history: Vec<f32>,
    /// Where the next output's window begins in `history`, and which phase it has.
    at: usize,
    phase: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// Make a converter whose output is in phase with its input.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        Self::with_lead(from_hz, to_hz, |half| half - 1)
    }

    /// Make a converter that holds nothing back: its output is late by [`Resampler::delay_samples`] instead.
    pub fn causal(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        Self::with_lead(from_hz, to_hz, |half| 2 * half - 1)
    }

    fn with_lead(from_hz: u32, to_hz: u32, lead: impl Fn(usize) -> usize) -> Result<Self, ResampleError> {
        for rate in [from_hz, to_hz] {
            if !RATES_HZ.contains(&rate) {
                return Err(ResampleError::Rate(rate));
            }
        }
        let common = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / common) as usize, (from_hz / common) as usize);
        let same = from_hz == to_hz;
        let bank = if same { Bank { rows: Vec::new(), taps: 0, interpolated: false } } else { Bank::new(up, down) };
        let lead = if same { 0 } else { lead(bank.taps / 2) };
        let mut made =
            Self { from_hz, to_hz, up, down, bank, lead, history: Vec::new(), at: 0, phase: 0, taken: 0, given: 0 };
        made.reset();
        Ok(made)
    }

    /// Forget everything heard so far.
    pub fn reset(&mut self) {
        self.history.clear();
        self.history.resize(self.lead, 0.0);
        (self.at, self.phase, self.taken, self.given) = (0, 0, 0, 0);
    }

    /// Input rate in Hz.
    pub fn from_hz(&self) -> u32 {
        self.from_hz
    }

    /// Output rate in Hz.
    pub fn to_hz(&self) -> u32 {
        self.to_hz
    }

    /// How far output lags behind input, in input samples.
    pub fn delay_samples(&self) -> usize {
        self.bank.taps / 2
    }

    /// Convert `input` and append what became known to `output`.
    pub fn push(&mut self, input: impl IntoIterator<Item = f32>, output: &mut Vec<f32>) {
        if self.is_identity() {
            output.extend(input);
            return;
        }
        let before = self.history.len();
        self.history.extend(input);
        self.taken += (self.history.len() - before) as u64;
        self.drain(u64::MAX, output);
    }

    /// [`Resampler::push`] for 16-bit samples.
    pub fn push_pcm16(&mut self, input: &[i16]) -> Vec<i16> {
        if self.is_identity() {
            return input.to_vec();
        }
        let mut output = Vec::with_capacity(self.expected(input.len() as u64) as usize + 1);
        self.push(input.iter().map(|&sample| f32::from(sample)), &mut output);
        output.into_iter().map(to_pcm16).collect()
    }

    /// End the stream: append what the filter still held back, and be as new.
    ///
    /// In-phase conversion of `n` samples gives `ceil(n * to_hz / from_hz)` in all.
    pub fn flush(&mut self, output: &mut Vec<f32>) {
        if self.is_identity() {
            return;
        }
        let late = (self.lead + 1 - self.bank.taps / 2) as u64;
        let total = self.expected(self.taken + late);
        self.history.resize(self.history.len() + self.bank.taps + 1, 0.0);
        self.drain(total, output);
        self.reset();
    }

    /// [`Resampler::flush`] for 16-bit samples.
    pub fn flush_pcm16(&mut self) -> Vec<i16> {
        let mut output = Vec::new();
        self.flush(&mut output);
        output.into_iter().map(to_pcm16).collect()
    }

    fn is_identity(&self) -> bool {
        self.up == self.down
    }

    fn expected(&self, taken: u64) -> u64 {
        (taken * self.up as u64).div_ceil(self.down as u64)
    }

    fn drain(&mut self, limit: u64, output: &mut Vec<f32>) {
        while self.given < limit && self.at + self.bank.taps <= self.history.len() {
            let window = &self.history[self.at..self.at + self.bank.taps];
            output.push(self.bank.convolve(window, self.phase, self.up));
            self.given += 1;
            self.phase += self.down;
            self.at += self.phase / self.up;
            self.phase %= self.up;
        }
        if self.at >= COMPACT_AT {
            let used = self.at.min(self.history.len());
            self.history.drain(..used);
            self.at -= used;
        }
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(u32, u32); 16] = [
        (8_000, 16_000),
        (8_000, 24_000),
        (8_000, 48_000),
        (16_000, 8_000),
        (16_000, 24_000),
        (16_000, 48_000),
        (24_000, 8_000),
        (24_000, 16_000),
        (24_000, 48_000),
        (48_000, 8_000),
        (48_000, 16_000),
        (48_000, 24_000),
        (44_100, 24_000),
        (22_050, 24_000),
        (11_025, 24_000),
        (44_101, 24_000),
    ];

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    fn convert(resampler: &mut Resampler, input: &[f32]) -> Vec<f32> {
        let mut output = Vec::new();
        resampler.push(input.iter().copied(), &mut output);
        resampler.flush(&mut output);
        output
    }

    fn decibels(power: f64) -> f64 {
        10.0 * power.log10()
    }

    /// Signal to everything-else, in dB, against the ideal tone at the output rate, edges left out.
    fn tone_snr(from: u32, to: u32, hz: f64) -> f64 {
        let seconds = 0.5;
        let input = tone(hz, from, (f64::from(from) * seconds) as usize);
        let output = convert(&mut Resampler::new(from, to).unwrap(), &input);
        let ideal = tone(hz, to, output.len());
        let edge = output.len() / 10;
        let (mut signal, mut noise) = (0.0, 0.0);
        for (got, want) in output.iter().zip(&ideal).skip(edge).take(output.len() - 2 * edge) {
            signal += f64::from(*want).powi(2);
            noise += (f64::from(*got) - f64::from(*want)).powi(2);
        }
        decibels(signal / noise)
    }

    #[test]
    fn pass_band_is_true_to_95_db() {
        for (from, to) in PAIRS {
            let nyquist = f64::from(from.min(to)) / 2.0;
            for share in [0.05, 0.25, 0.5, 0.7] {
                let snr = tone_snr(from, to, nyquist * share);
                assert!(snr >= 95.0, "{from}->{to} at {share} of Nyquist: {snr:.1} dB");
            }
        }
    }

    #[test]
    fn stop_band_is_down_by_95_db() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            let nyquist = f64::from(to) / 2.0;
            for share in [1.06, 1.2, 1.5, 1.8] {
                let hz = nyquist * share;
                if hz >= f64::from(from) / 2.0 {
                    continue;
                }
                let output = convert(&mut Resampler::new(from, to).unwrap(), &tone(hz, from, from as usize / 2));
                let edge = output.len() / 10;
                let middle = &output[edge..output.len() - edge];
                let power = middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
                let level = decibels(power / 0.5);
                assert!(level <= -95.0, "{from}->{to} at {share} of Nyquist: {level:.1} dB");
            }
        }
    }

    #[test]
    fn pcm16_keeps_92_db_at_full_scale() {
        let input: Vec<i16> = tone(997.0, 16_000, 16_000).iter().map(|s| to_pcm16(s * 32_000.0)).collect();
        let mut resampler = Resampler::new(16_000, 24_000).unwrap();
        let mut output = resampler.push_pcm16(&input);
        output.extend(resampler.flush_pcm16());
        let ideal = tone(997.0, 24_000, output.len());
        let (mut signal, mut noise) = (0.0, 0.0);
        for (got, want) in output.iter().zip(&ideal).skip(1_000).take(22_000) {
            let want = f64::from(*want) * 32_000.0;
            signal += want.powi(2);
            noise += (f64::from(*got) - want).powi(2);
        }
        let snr = decibels(signal / noise);
        assert!(snr >= 92.0, "{snr:.1} dB");
    }

    #[test]
    fn length_is_the_ceiling_of_the_ratio() {
        for (from, to) in PAIRS {
            for samples in [0_usize, 1, 2, 7, 479, 480, 4_801] {
                let output = convert(&mut Resampler::new(from, to).unwrap(), &vec![0.25; samples]);
                let expected = (samples as u64 * u64::from(to)).div_ceil(u64::from(from));
                assert_eq!(output.len() as u64, expected, "{from}->{to}, {samples} samples");
            }
        }
    }

    #[test]
    fn blocks_of_any_size_give_the_same_stream() {
        for (from, to) in PAIRS {
            let input = tone(440.0, from, 9_001);
            let whole = convert(&mut Resampler::new(from, to).unwrap(), &input);
            let mut resampler = Resampler::new(from, to).unwrap();
            let (mut pieces, mut rest, mut size) = (Vec::new(), input.as_slice(), 1);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(size.min(rest.len()));
                resampler.push(now.iter().copied(), &mut pieces);
                rest = later;
                size = size * 7 % 1_009 + 1;
            }
            resampler.flush(&mut pieces);
            assert_eq!(pieces, whole, "{from}->{to}");
        }
    }

    #[test]
    fn lag_is_what_is_reported() {
        for (from, to) in PAIRS {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut output = Vec::new();
            resampler.push(vec![0.0; from as usize], &mut output);
            let behind = f64::from(from) - output.len() as f64 * f64::from(from) / f64::from(to);
            let delay = resampler.delay_samples() as f64;
            let step = f64::from(from) / f64::from(to) + 1.0;
            assert!((behind - delay).abs() <= step, "{from}->{to}: {behind} behind, {delay} reported");
        }
    }

    #[test]
    fn causal_conversion_answers_every_sample_at_once() {
        let mut resampler = Resampler::causal(24_000, 16_000).unwrap();
        for block in 1..=50_usize {
            let mut output = Vec::new();
            resampler.push(vec![0.5; 384], &mut output);
            assert_eq!(output.len(), 256, "block {block}");
        }
    }

    #[test]
    fn causal_conversion_is_late_by_its_delay() {
        let mut click = vec![0.0; 4_800];
        click[2_400] = 1.0;
        let mut resampler = Resampler::causal(24_000, 16_000).unwrap();
        let mut output = Vec::new();
        resampler.push(click, &mut output);
        let loudest = (0..output.len()).max_by(|a, b| output[*a].total_cmp(&output[*b])).unwrap();
        assert_eq!(loudest, (2_400 + resampler.delay_samples()) * 2 / 3);
    }

    #[test]
    fn same_rate_is_the_identity() {
        let mut resampler = Resampler::new(24_000, 24_000).unwrap();
        assert_eq!(resampler.push_pcm16(&[1, -2, i16::MIN, i16::MAX]), [1, -2, i16::MIN, i16::MAX]);
        assert!(resampler.flush_pcm16().is_empty());
        assert_eq!(convert(&mut resampler, &[0.5, -0.25]), [0.5, -0.25]);
    }

    #[test]
    fn loud_edges_clip_and_never_wrap() {
        let square: Vec<i16> = (0..2_000).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let mut resampler = Resampler::new(8_000, 24_000).unwrap();
        let output = resampler.push_pcm16(&square);
        assert!(output.windows(2).all(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs() < 50_000));
        assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN));
    }

    #[test]
    fn rates_outside_the_range_are_refused() {
        assert_eq!(Resampler::new(0, 24_000).unwrap_err(), ResampleError::Rate(0));
        assert_eq!(Resampler::new(24_000, 400_000).unwrap_err(), ResampleError::Rate(400_000));
    }
}
