//! One subscription's numbers: what a subscriber sees is one unbroken stream, whatever it is fed from.
//!
//! A new source continues where the last one stopped: the sequence by one, the time stamp by the time that passed. The
//! first sequence number lies below 65 536, or a receiver that starts with a roll-over count of 0 could not decrypt.
//! No number goes out twice: under one key that would tell an eavesdropper both packets.

use std::time::Instant;

/// Where numbering starts; leaves room for packets that were overtaken by the first.
const FIRST_SEQUENCE: u64 = 1_000;
/// A new key begins below this, so that the roll-over does not fall on the first packets, of which some may be lost.
const LAST_START: u64 = 65_000;

/// What a stream was made of: numbers of one source belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceKey {
    owner: u64,
    generation: u32,
    ssrc: u32,
}

impl SourceKey {
    /// A peer's stream; `generation` counts its handshakes, each of which begins numbering anew.
    pub fn peer(peer: u64, generation: u32, ssrc: u32) -> Self {
        Self { owner: peer, generation, ssrc }
    }

    /// A mouth's stream.
    pub fn mouth(number: u64) -> Self {
        Self { owner: number, generation: u32::MAX, ssrc: 0 }
    }

    /// Tells the streams of one listener apart.
    pub fn stream(self) -> u32 {
        let mixed = self.owner.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        self.ssrc ^ mixed as u32 ^ self.generation
    }

    /// The same stream as another shard names it.
    #[must_use]
    pub fn from_shard(self, shard: u16) -> Self {
        Self { owner: self.owner | (u64::from(shard) + 1) << 48, ..self }
    }
}

#[derive(Debug, Clone, Copy)]
struct Running {
    source: SourceKey,
    sequence_shift: i128,
    timestamp_shift: u32,
    /// Numbers below are another source's.
    floor: u64,
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
                    floor: if before.is_some() { next } else { 0 },
                    sequence: next,
                    timestamp: stamp,
                    at: now,
                }
            }
        };
        let out = u64::try_from(i128::from(sequence) + running.sequence_shift).ok()?;
        if out < running.floor {
            return None;
        }
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

    /// What comes next is another stretch, also of the same source: what was not sent in between was not lost.
    pub fn begin_stretch(&mut self) {
        if let Some(running) = &mut self.running {
            running.source = SourceKey { owner: u64::MAX, generation: 0, ssrc: 0 };
        }
    }

    /// The receiver has a new key and counts roll-overs from 0 again. What it sees of the numbers goes on.
    pub fn begin_key(&mut self) {
        if let Some(running) = &mut self.running {
            let low = running.sequence & 0xFFFF;
            // Close to the end a small step forward is the lesser evil.
            let begin = if low < LAST_START { low } else { 0 };
            running.sequence_shift -= i128::from(running.sequence) - i128::from(begin);
            running.sequence = begin;
            running.floor = begin;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn source(ssrc: u32) -> SourceKey {
        SourceKey::peer(1, 0, ssrc)
    }

    #[test]
    fn a_stream_keeps_its_gaps_and_order() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        let numbers = [(70_000, 5_000), (70_001, 5_960), (70_005, 9_800), (70_004, 8_840)];
        let out: Vec<_> =
            numbers.iter().map(|(s, t)| rewriter.rewrite(now, source(1), *s, *t, 48_000).unwrap()).collect();
        assert_eq!(out, [(1_000, 5_000), (1_001, 5_960), (1_005, 9_800), (1_004, 8_840)]);
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_stopped() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.rewrite(now, source(1), 500, u32::MAX - 10, 48_000).unwrap();
        let later = now + Duration::from_millis(100);
        let (sequence, stamp) = rewriter.rewrite(later, source(2), 9, 77, 48_000).unwrap();
        assert_eq!((sequence, stamp), (1_001, (u32::MAX - 10).wrapping_add(4_800)));
        assert_eq!(rewriter.rewrite(later, source(2), 10, 77 + 960, 48_000).unwrap(), (1_002, stamp + 960));
    }

    #[test]
    fn what_lies_before_the_beginning_is_dropped() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.rewrite(now, source(1), 100_000, 0, 8_000).unwrap();
        assert!(rewriter.rewrite(now, source(1), 98_000, 0, 8_000).is_none());
        assert_eq!(rewriter.rewrite(now, source(1), 99_999, 0, 8_000).unwrap().0, 999);
    }

    #[test]
    fn no_number_goes_out_twice() {
        let (mut rewriter, mut now) = (Rewriter::default(), Instant::now());
        let mut seen = std::collections::HashSet::new();
        for round in 0..40_u64 {
            now += Duration::from_millis(20);
            let which = source((round % 3) as u32);
            // Each source goes on by itself; a packet of the time before the change comes late.
            for sequence in [round * 10 + 5, round * 10 + 4, round * 10 + 6, round * 10] {
                if let Some((out, _)) = rewriter.rewrite(now, which, sequence, 0, 8_000) {
                    assert!(seen.insert(out), "{out} again in round {round}");
                }
            }
        }
        assert!(seen.len() >= 80);
    }

    #[test]
    fn a_new_stretch_of_the_same_source_leaves_no_gap() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.begin_stretch();
        rewriter.rewrite(now, source(1), 10, 960, 48_000).unwrap();
        rewriter.begin_stretch();
        let later = now + Duration::from_secs(1);
        assert_eq!(rewriter.rewrite(later, source(1), 60, 48_960, 48_000).unwrap(), (1_001, 48_960));
        assert!(rewriter.rewrite(later, source(1), 59, 48_000, 48_000).is_none());
    }

    #[test]
    fn a_new_key_begins_without_a_roll_over() {
        let (mut rewriter, now) = (Rewriter::default(), Instant::now());
        rewriter.begin_key();
        rewriter.rewrite(now, source(1), 1, 0, 8_000).unwrap();
        rewriter.rewrite(now, source(1), 70_000, 0, 8_000).unwrap();
        rewriter.begin_key();
        assert_eq!(rewriter.rewrite(now, source(1), 70_001, 0, 8_000).unwrap().0, (1_000 + 70_000) & 0xFFFF);
        assert!(rewriter.rewrite(now, source(1), 69_999, 0, 8_000).is_none(), "of the old key");
        rewriter.rewrite(now, source(1), 130_000, 0, 8_000).unwrap();
        rewriter.begin_key();
        assert_eq!(rewriter.rewrite(now, source(1), 130_001, 0, 8_000).unwrap().0, 1);
    }
}
