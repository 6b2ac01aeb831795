//! How long the jitter buffer should hold packets: the 95th percentile of arrival deviation over the last 3 seconds.
//!
//! Everything is counted in samples of 24 kHz. A packet's *transit* is its arrival minus its time stamp; only
//! differences of transits mean anything. The smallest of the window is the network at its best, the *base*.

use std::collections::VecDeque;

/// Samples of a millisecond.
pub const SAMPLES_PER_MS: i64 = 24;

const WINDOW: i64 = 3_000 * SAMPLES_PER_MS;
/// Packets of 10 ms in the window; a sender of shorter ones shortens it.
const MOST: usize = 300;
const START: i64 = 40 * SAMPLES_PER_MS;
const LEAST: i64 = 20 * SAMPLES_PER_MS;
const LONGEST: i64 = 200 * SAMPLES_PER_MS;
/// Packets after which the starting value gives way to what was measured.
const ENOUGH: usize = 25;

/// The last arrivals and what follows from them.
#[derive(Debug)]
pub struct DelayEstimate {
    /// Arrival and transit.
    arrivals: VecDeque<(i64, i64)>,
    base: i64,
    target: i64,
}

impl Default for DelayEstimate {
    fn default() -> Self {
        Self { arrivals: VecDeque::new(), base: 0, target: START }
    }
}

impl DelayEstimate {
    /// Count an arrival at `now` of a packet stamped `at`.
    pub fn observe(&mut self, now: i64, at: i64) {
        self.arrivals.push_back((now, now - at));
        while self.arrivals.len() > MOST || self.arrivals.front().is_some_and(|(then, _)| now - then > WINDOW) {
            self.arrivals.pop_front();
        }
        let mut transits: Vec<i64> = self.arrivals.iter().map(|(_, transit)| *transit).collect();
        self.base = transits.iter().copied().min().unwrap_or(0);
        let rank = (transits.len() * 95).div_ceil(100).saturating_sub(1);
        let (_, percentile, _) = transits.select_nth_unstable(rank);
        let measured = (*percentile - self.base).clamp(LEAST, LONGEST);
        self.target = if self.arrivals.len() < ENOUGH { measured.max(START) } else { measured };
    }

    /// How much later than its time stamp a packet should be played: base and target together.
    pub fn offset(&self) -> i64 {
        self.base + self.target
    }

    /// How long the fastest packets should be held.
    pub fn target(&self) -> i64 {
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(estimate: &mut DelayEstimate, from: i64, late_ms: impl Fn(i64) -> i64) {
        for n in from..from + 200 {
            estimate.observe((n * 20 + 5_000 + late_ms(n)) * SAMPLES_PER_MS, n * 20 * SAMPLES_PER_MS);
        }
    }

    #[test]
    fn it_starts_at_40_ms_and_falls_to_20_on_a_calm_network() {
        let mut estimate = DelayEstimate::default();
        assert_eq!(estimate.target(), 40 * SAMPLES_PER_MS);
        feed(&mut estimate, 0, |_| 0);
        assert_eq!(estimate.target(), 20 * SAMPLES_PER_MS);
        assert_eq!(estimate.offset(), 5_020 * SAMPLES_PER_MS);
    }

    #[test]
    fn it_covers_the_deviation_of_19_packets_of_20() {
        let mut estimate = DelayEstimate::default();
        feed(&mut estimate, 0, |n| if n % 10 == 0 { 90 } else { n % 7 });
        assert_eq!(estimate.target(), 90 * SAMPLES_PER_MS);
        feed(&mut estimate, 200, |n| if n % 50 == 0 { 90 } else { n % 7 });
        assert_eq!(estimate.target(), 20 * SAMPLES_PER_MS, "2 % are left to concealment");
        feed(&mut estimate, 400, |n| if n % 5 == 0 { 900 } else { 0 });
        assert_eq!(estimate.target(), 200 * SAMPLES_PER_MS);
    }

    #[test]
    fn old_trouble_is_forgotten_after_3_seconds() {
        let mut estimate = DelayEstimate::default();
        feed(&mut estimate, 0, |n| (n % 2) * 150);
        assert_eq!(estimate.target(), 150 * SAMPLES_PER_MS);
        feed(&mut estimate, 200, |_| 0);
        assert_eq!(estimate.target(), 20 * SAMPLES_PER_MS);
    }
}
