//! The jitter buffer of one received stream: packets in whenever they come, 20 ms of sound out whenever asked.
//!
//! Positions are samples of 24 kHz on the stream's own time line, unrolled from its RTP time stamps. `now` is on the
//! listener's: the difference between the two is the *offset*, and all that this module does is keep the offset near
//! what [`DelayEstimate`] wants:
//!
//! * too small: hold, sound is made up until the offset fits (grown at once, for otherwise words are lost);
//! * too large: skip, but only where it is quiet;
//! * a packet is missing and later ones are here: the next packet's forward error correction, else concealment up to
//!   5 frames, then silence;
//! * a gap in time stamps but not in sequence numbers: discontinuous transmission, silence;
//! * nothing is here: concealment up to 5 frames, then silence; the position stands still, so that a late burst is
//!   heard whole.
//!
//! Neighbours: `decode` knows codecs, `listener` has the lane's time line and decides what is quiet.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::StreamDecoder;
use crate::delay::{DelayEstimate, SAMPLES_PER_MS};
use crate::playout::{FRAME_SAMPLES, Frame, RATE_HZ};
use crate::spec::AudioCodec;

const FRAME: i64 = FRAME_SAMPLES as i64;
const MOST_CONCEALED: u32 = 5;
/// Made-up frames in a row after which the stream counts as stopped.
const STOPPED_AFTER: u32 = 10;
/// Packets that wait at most.
const MOST_PACKETS: usize = 250;
/// A jump of time stamps that begins a new time line.
const NEW_TIME_LINE: i64 = 5_000 * SAMPLES_PER_MS;
/// The offset may be this much too large before speech is cut to catch up.
const MOST_LAG: i64 = 200 * SAMPLES_PER_MS;
/// The offset may be this much too small before sound is made up.
const HOLD_FROM: i64 = FRAME / 2;

/// A received packet.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What it is coded with.
    pub codec: AudioCodec,
    /// Of its stream; another one begins a new time line.
    pub ssrc: u32,
    /// Extended beyond 16 bits.
    pub sequence: u64,
    /// As on the wire.
    pub timestamp: u32,
    /// Without header and padding.
    pub payload: Arc<[u8]>,
}

/// What happened so far, in packets or frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Frames that came and were decoded.
    pub decoded: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Frames that forward error correction gave back.
    pub recovered: u64,
    /// Frames that were made up.
    pub concealed: u64,
    /// Frames by which the offset shrank.
    pub skipped: u64,
}

struct Waiting {
    sequence: u64,
    codec: AudioCodec,
    payload: Arc<[u8]>,
}

/// One stream's buffer. Time is given in samples of 24 kHz since the listener began.
#[derive(Default)]
pub struct JitterBuffer {
    ssrc: Option<u32>,
    /// The newest time stamp, as it was and unrolled.
    newest: Option<(u32, i64)>,
    waiting: BTreeMap<i64, Waiting>,
    delay: DelayEstimate,
    decoder: Option<(AudioCodec, StreamDecoder)>,
    /// Where the next decoded sample belongs; none while the stream has not begun or has stopped.
    decoded_to: Option<i64>,
    ready: Vec<i16>,
    last_sequence: Option<u64>,
    made_up: u32,
    starved: u32,
    counters: JitterCounters,
}

impl JitterBuffer {
    /// What happened so far.
    pub fn counters(&self) -> JitterCounters {
        self.counters
    }

    /// How long the fastest packets are held, in samples.
    pub fn target_samples(&self) -> i64 {
        self.delay.target()
    }

    /// Take a packet that arrived at `now`.
    pub fn insert(&mut self, now: i64, arrival: Arrival) {
        let at = self.position(&arrival);
        self.delay.observe(now, at);
        if self.decoded_to.is_some_and(|decoded| at < decoded) {
            self.counters.late += 1;
            return;
        }
        let waiting = Waiting { sequence: arrival.sequence, codec: arrival.codec, payload: arrival.payload };
        self.waiting.entry(at).or_insert(waiting);
        if self.waiting.len() > MOST_PACKETS {
            self.waiting.pop_first();
        }
    }

    /// Give the 20 ms that are played at `now`, none if the stream is silent. `quiet` allows to skip.
    pub fn take(&mut self, now: i64, quiet: bool) -> Option<Frame> {
        let wanted = self.delay.offset();
        let Some(decoded) = self.decoded_to else {
            let (&first, _) = self.waiting.first_key_value()?;
            if now - first < wanted {
                return None;
            }
            self.decoded_to = Some(first);
            return Some(self.frame());
        };
        let offset = now - (decoded - self.ready.len() as i64);
        if self.waiting.is_empty() && self.ready.len() < FRAME_SAMPLES {
            return self.starve();
        }
        if self.starved > 0 {
            self.resume(now - wanted);
        } else if wanted - offset >= HOLD_FROM {
            return Some(self.hold());
        } else if offset - wanted >= if quiet { FRAME } else { MOST_LAG } {
            self.frame();
            self.counters.skipped += 1;
        }
        Some(self.frame())
    }

    /// Unroll the time stamp; a new source or a jump begins anew.
    fn position(&mut self, arrival: &Arrival) -> i64 {
        let clock = i64::from(arrival.codec.clock_hz());
        let in_samples = |units: i64| units * i64::from(RATE_HZ) / clock;
        if self.ssrc != Some(arrival.ssrc) {
            self.restart(arrival.ssrc);
        }
        let Some((stamp, position)) = self.newest else {
            let position = in_samples(i64::from(arrival.timestamp));
            self.newest = Some((arrival.timestamp, position));
            return position;
        };
        let step = in_samples(i64::from(arrival.timestamp.wrapping_sub(stamp) as i32));
        if step.abs() > NEW_TIME_LINE {
            self.restart(arrival.ssrc);
        }
        let position = position + step;
        if step > 0 || self.newest.is_none() {
            self.newest = Some((arrival.timestamp, position));
        }
        position
    }

    fn restart(&mut self, ssrc: u32) {
        let counters = self.counters;
        *self = Self { ssrc: Some(ssrc), counters, ..Self::default() };
    }

    /// Nothing is here to play.
    fn starve(&mut self) -> Option<Frame> {
        self.starved += 1;
        if self.starved >= STOPPED_AFTER {
            self.decoded_to = None;
            // What comes next has nothing to do with what was heard last: its end may be lost, and would ring on.
            self.decoder = None;
            self.ready.clear();
            self.starved = 0;
            self.made_up = 0;
            return None;
        }
        Some(self.hold())
    }

    /// Packets are here again after `starve`: go on where it stopped if nothing is missing, else where the clock is.
    fn resume(&mut self, due: i64) {
        self.starved = 0;
        let (Some(decoded), Some((&next, _))) = (self.decoded_to, self.waiting.first_key_value()) else { return };
        if self.ready.is_empty() {
            self.decoded_to = Some(due.clamp(decoded, next));
        }
    }

    /// Play something without getting on.
    fn hold(&mut self) -> Frame {
        let mut frame = [0; FRAME_SAMPLES];
        let have = self.ready.len().min(FRAME_SAMPLES);
        frame[..have].copy_from_slice(&self.ready[..have]);
        // What was ready is played now; its place stays where it is, so the offset grows by the made-up rest.
        self.ready.drain(..have);
        let made_up = self.make_up(FRAME_SAMPLES - have);
        frame[have..].copy_from_slice(&made_up);
        frame
    }

    /// The next 20 ms, from packets as far as there are any.
    fn frame(&mut self) -> Frame {
        while self.ready.len() < FRAME_SAMPLES {
            let more = self.more();
            self.decoded_to = self.decoded_to.map(|to| to + more.len() as i64);
            self.ready.extend_from_slice(&more);
        }
        let mut frame = [0; FRAME_SAMPLES];
        frame.copy_from_slice(&self.ready[..FRAME_SAMPLES]);
        self.ready.drain(..FRAME_SAMPLES);
        frame
    }

    /// Some samples from where decoding stands; never none.
    fn more(&mut self) -> Vec<i16> {
        let at = self.decoded_to.unwrap_or(0);
        while self.waiting.first_key_value().is_some_and(|(&first, _)| first < at) {
            self.waiting.pop_first();
            self.counters.late += 1;
        }
        let Some((&next, waiting)) = self.waiting.first_key_value() else {
            return self.make_up(FRAME_SAMPLES - self.ready.len());
        };
        let missing = usize::try_from(next - at).unwrap_or(0);
        let sequence = waiting.sequence;
        if missing == 0 {
            return self.decode_next();
        }
        let part = missing.min(FRAME_SAMPLES);
        match self.last_sequence {
            Some(last) if sequence > last + 1 => {
                let only_one = sequence == last + 2 && missing <= 6 * FRAME_SAMPLES;
                let payload = waiting.payload.clone();
                match &mut self.decoder {
                    Some((_, decoder)) if only_one && decoder.can_recover() => {
                        self.counters.recovered += 1;
                        decoder.recover(&payload, missing)
                    }
                    _ => self.make_up(part),
                }
            }
            _ => vec![0; part],
        }
    }

    fn decode_next(&mut self) -> Vec<i16> {
        let Some((_, waiting)) = self.waiting.pop_first() else { return vec![0; FRAME_SAMPLES] };
        self.last_sequence = Some(waiting.sequence);
        if self.decoder.as_ref().is_none_or(|(codec, _)| *codec != waiting.codec) {
            self.decoder = StreamDecoder::new(waiting.codec).ok().map(|decoder| (waiting.codec, decoder));
        }
        let decoded = self.decoder.as_mut().and_then(|(_, decoder)| decoder.decode(&waiting.payload).ok());
        match decoded {
            Some(pcm) if !pcm.is_empty() => {
                self.made_up = 0;
                self.counters.decoded += 1;
                pcm
            }
            _ => self.make_up(FRAME_SAMPLES),
        }
    }

    /// Conceal, or be silent once that has gone on for long.
    fn make_up(&mut self, samples: usize) -> Vec<i16> {
        if samples == 0 {
            return Vec::new();
        }
        self.made_up += 1;
        match &mut self.decoder {
            Some((_, decoder)) if self.made_up <= MOST_CONCEALED => {
                self.counters.concealed += 1;
                decoder.conceal(samples)
            }
            _ => vec![0; samples],
        }
    }
}

#[cfg(test)]
mod tests;
