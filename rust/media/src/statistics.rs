//! What passed, told on demand: plain numbers by peer, publication and subscription.
//!
//! Everything is counted where it passes anyway. Rates are of the last seconds, counts since the beginning.

use std::time::Instant;

use crate::rate::Rate;
use crate::spec::{PeerId, PublicationId};

/// One layer of a publication, or all of it where there is only one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerStatistics {
    /// Restriction id.
    pub rid: Option<String>,
    /// Received.
    pub packets: u64,
    /// Of payload.
    pub bytes: u64,
    /// Never came, retransmissions counted as coming.
    pub lost: u64,
    /// RFC 3550 §6.4.1.
    pub jitter_ms: f32,
    /// Lately.
    pub bits_per_second: u64,
}

/// What a peer or a mouth gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublicationStatistics {
    /// Where.
    pub mid: String,
    /// Its name.
    pub publication: Option<PublicationId>,
    /// Slots that are fed with it, on this shard.
    pub subscribers: u64,
    /// Asked of the peer.
    pub keyframes_asked: u64,
    /// In no order.
    pub layers: Vec<LayerStatistics>,
}

/// What a peer gets on one slot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionStatistics {
    /// Where.
    pub mid: String,
    /// With what it is fed.
    pub publication: Option<PublicationId>,
    /// The layer that is forwarded now.
    pub rid: Option<String>,
    /// Forwarded, without retransmissions.
    pub packets: u64,
    /// Of payload.
    pub bytes: u64,
    /// Lately.
    pub bits_per_second: u64,
    /// Changes of layer or source.
    pub switches: u64,
    /// As the peer reports, 0 to 1.
    pub loss: Option<f32>,
    /// As the peer reports.
    pub jitter_ms: Option<f32>,
    /// Asked by the peer.
    pub nacks: u64,
    /// Asked by the peer.
    pub keyframes_wanted: u64,
}

/// One peer.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatistics {
    /// Whose.
    pub peer: PeerId,
    /// What its network carries from us, in bits a second, where it is estimated.
    pub estimate: Option<u64>,
    /// There and back.
    pub round_trip_ms: Option<f32>,
    /// What it gives.
    pub publications: Vec<PublicationStatistics>,
    /// What it gets.
    pub subscriptions: Vec<SubscriptionStatistics>,
}

/// Counts one received stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamCount {
    pub packets: u64,
    pub bytes: u64,
    pub rate: Rate,
    first: Option<u64>,
    newest: u64,
    stream_packets: u64,
    /// Of streams that this one replaced.
    past_lost: u64,
    epoch: Option<Instant>,
    transit: Option<i64>,
    jitter: f64,
}

impl StreamCount {
    /// Count a packet of so many bytes; `fresh` is the first of a new stream.
    pub fn add(&mut self, now: Instant, fresh: bool, (sequence, timestamp): (u64, u32), bytes: usize, clock_hz: u32) {
        if fresh {
            self.past_lost = self.lost();
            (self.first, self.transit, self.stream_packets) = (None, None, 0);
        }
        let first = self.first.get_or_insert(sequence);
        // What was overtaken by the first belongs to the stream as well.
        *first = (*first).min(sequence);
        self.newest = if fresh { sequence } else { self.newest.max(sequence) };
        self.packets += 1;
        self.bytes += bytes as u64;
        self.rate.add(now, bytes);
        self.stream_packets += 1;
        let epoch = *self.epoch.get_or_insert(now);
        let arrival = now.saturating_duration_since(epoch).as_micros() * u128::from(clock_hz) / 1_000_000;
        let transit = i64::from((arrival as u32).wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit.replace(transit) {
            let moved = i64::from(transit.wrapping_sub(before) as i32).unsigned_abs() as f64;
            // A picture's packets share a time stamp, a new source jumps: neither is jitter.
            if moved < f64::from(clock_hz) {
                self.jitter += (moved - self.jitter) / 16.0;
            }
        }
    }

    pub fn lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.newest - first + 1);
        self.past_lost + expected.saturating_sub(self.stream_packets)
    }

    pub fn jitter_ms(&self, clock_hz: u32) -> f32 {
        (self.jitter * 1_000.0 / f64::from(clock_hz.max(1))) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn loss_and_jitter_are_those_of_the_standard() {
        let (mut count, start) = (StreamCount::default(), Instant::now());
        for n in 0..500_u64 {
            if n % 10 == 3 {
                continue;
            }
            let late = if n % 2 == 0 { 0 } else { 8 };
            let now = start + Duration::from_millis(n * 20 + late);
            count.add(now, n == 0, (70_000 + n, (n * 960) as u32), 100, 48_000);
        }
        assert_eq!((count.packets, count.bytes, count.lost()), (450, 45_000, 50));
        assert!((5.5..8.0).contains(&count.jitter_ms(48_000)), "{}", count.jitter_ms(48_000));
        let now = start + Duration::from_secs(11);
        count.add(now, true, (9, 5), 100, 48_000);
        count.add(now, false, (8, 5), 100, 48_000);
        assert_eq!((count.packets, count.lost()), (452, 50), "another stream begins");
    }
}
