//! How many bits a second passed lately: a window of three seconds in tenths.
//!
//! Long enough that one key frame does not look like a new bit rate.

use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_millis(100);
const SLICES: u64 = 30;
/// Packets rarer than this are no stream any more.
const FLOWS_FOR: Duration = Duration::from_secs(3);

/// Counts one stream.
#[derive(Debug, Clone)]
pub struct Rate {
    epoch: Option<Instant>,
    bytes: [u32; SLICES as usize],
    newest: u64,
    sum: u64,
    last_at: Option<Instant>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { epoch: None, bytes: [0; SLICES as usize], newest: 0, sum: 0, last_at: None }
    }
}

impl Rate {
    /// Count a packet.
    pub fn add(&mut self, now: Instant, bytes: usize) {
        self.forward(now);
        let counted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let slice = &mut self.bytes[(self.newest % SLICES) as usize];
        *slice = slice.saturating_add(counted);
        self.sum += u64::from(counted);
        self.last_at = Some(now);
    }

    /// Bits a second until `now`; a stream younger than the window is measured over its life.
    pub fn bits_per_second(&mut self, now: Instant) -> u64 {
        self.forward(now);
        let slices = (self.newest + 1).min(SLICES);
        self.sum * 8 * 1_000 / (slices * SLICE.as_millis() as u64)
    }

    /// Whether packets came lately.
    pub fn flows(&self, now: Instant) -> bool {
        self.last_at.is_some_and(|then| now.saturating_duration_since(then) < FLOWS_FOR)
    }

    fn forward(&mut self, now: Instant) {
        let epoch = *self.epoch.get_or_insert(now);
        let slice = (now.saturating_duration_since(epoch).as_millis() / SLICE.as_millis()) as u64;
        let steps = slice.saturating_sub(self.newest);
        for step in 1..=steps.min(SLICES) {
            let place = ((self.newest + step) % SLICES) as usize;
            if steps <= SLICES {
                self.sum -= u64::from(self.bytes[place]);
            }
            self.bytes[place] = 0;
        }
        if steps > SLICES {
            self.sum = 0;
            self.bytes = [0; SLICES as usize];
        }
        self.newest = self.newest.max(slice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_from_the_first_second_on_and_forgotten_after_three() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        for n in 0..500 {
            rate.add(start + Duration::from_millis(n * 20), 1_000);
            if n >= 50 {
                let measured = rate.bits_per_second(start + Duration::from_millis(n * 20));
                assert!((360_000..=430_000).contains(&measured), "{n}: {measured}");
            }
        }
        assert!(rate.flows(start + Duration::from_secs(12)));
        assert!(!rate.flows(start + Duration::from_secs(13)));
        assert_eq!(rate.bits_per_second(start + Duration::from_millis(13_200)), 0);
        assert_eq!(rate.bits_per_second(start + Duration::from_secs(60)), 0);
        rate.add(start + Duration::from_secs(61), 300);
        assert_eq!(rate.bits_per_second(start + Duration::from_secs(61)), 800);
    }
}
