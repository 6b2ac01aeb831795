//! One subscription's numbers: what a subscriber sees is one unbroken stream, whatever it is fed from.
//!
//! A new source continues where the last one stopped: the sequence by one, the time stamp by the time that passed. The
//! first sequence number lies below 65 536, or a receiver that starts with a roll-over count of 0 could not decrypt.

use std::time::Instant;

/// Where numbering starts; leaves room for packets that were overtaken by the first.
const FIRST_SEQUENCE: u64 = 1_000;

/// What a stream was made of.
pub type SourceKey = u64;

#[derive(Debug, Clone, Copy)]
struct Running {
    source: SourceKey,
    sequence_shift: i128,
    timestamp_shift: u32,
    sequence: u64,
    timestamp: u32,
    at: Instant,
}

/// The numbers of one outgoing stream.
#[derive(Debug, Default)]
pub struct Rewriter {
    running: Option<Running>,
}

impl Rewriter {
    /// Give the outgoing sequence number and time stamp; none for a packet from before the beginning.
    pub fn rewrite(
        &mut self,
        now: Instant,
        source: SourceKey,
        sequence: u64,
        timestamp: u32,
        clock_hz: u32,
    ) -> Option<(u64, u32)> {
        let running = match self.running {
            Some(running) if running.source == source => running,
            before => {
                let (next, stamp) = before.map_or((FIRST_SEQUENCE, timestamp), |last| {
                    let passed = now.saturating_duration_since(last.at).as_micros() * u128::from(clock_hz) / 1_000_000;
                    (last.sequence + 1, last.timestamp.wrapping_add((passed as u32).max(1)))
                });
                Running {
                    source,
                    sequence_shift: i128::from(next) - i128::from(sequence),
                    timestamp_shift: stamp.wrapping_sub(timestamp),
                    sequence: next,
                    timestamp: stamp,
                    at: now,
                }
            }
        };
        let out = u64::try_from(i128::from(sequence) + running.sequence_shift).ok()?;
        let stamp = timestamp.wrapping_add(running.timestamp_shift);
        let newest = out >= running.sequence;
        self.running = Some(Running {
            sequence: out.max(running.sequence),
            timestamp: if newest { stamp } else { running.timestamp },
            at: if newest { now } else { running.at },
            ..running
        });
        Some((out, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stream_keeps_its_gaps_and_order() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        let numbers = [(70_000, 5_000), (70_001, 5_960), (70_005, 9_800), (70_004, 8_840)];
        let out: Vec<_> = numbers.iter().map(|(s, t)| rewriter.rewrite(now, 1, *s, *t, 48_000).unwrap()).collect();
        assert_eq!(out, [(1_000, 5_000), (1_001, 5_960), (1_005, 9_800), (1_004, 8_840)]);
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_stopped() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.rewrite(now, 1, 500, u32::MAX - 10, 48_000).unwrap();
        let later = now + Duration::from_millis(100);
        let (sequence, stamp) = rewriter.rewrite(later, 2, 9, 77, 48_000).unwrap();
        assert_eq!((sequence, stamp), (1_001, (u32::MAX - 10).wrapping_add(4_800)));
        assert_eq!(rewriter.rewrite(later, 2, 10, 77 + 960, 48_000).unwrap(), (1_002, stamp + 960));
    }

    #[test]
    fn what_lies_before_the_beginning_is_dropped() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.rewrite(now, 1, 100_000, 0, 8_000).unwrap();
        assert!(rewriter.rewrite(now, 1, 98_000, 0, 8_000).is_none());
        assert_eq!(rewriter.rewrite(now, 1, 99_999, 0, 8_000).unwrap().0, 999);
    }
}
