//! How loud a publication is, and who of several speaks: from the levels that packets carry (RFC 6464).
//!
//! Loudness is 0 to 1 above a floor, smoothed over a third of a second. Someone becomes the active speaker by being
//! clearly louder than the active one for a while, and stays it through silence: a picture should not jump at a cough.

use std::time::{Duration, Instant};

use crate::spec::PublicationId;

/// Below this level, in dBov, nothing counts as speech.
const FLOOR_DBOV: f32 = -50.0;
/// Share of a packet of 20 ms in the smoothed loudness.
const SHARE: f32 = 0.065;
/// Without packets for so long, as in discontinuous transmission, it is silent.
const SILENT_AFTER: Duration = Duration::from_millis(300);
/// Loud enough to be called speaking.
const SPEAKS: f32 = 0.12;
/// How much louder than the active speaker a challenger must be,
const LOUDER: f32 = 1.4;
/// and for how long.
const CHALLENGE_FOR: Duration = Duration::from_millis(500);
/// The least level there is.
const SILENCE_DBOV: i8 = -127;

/// One publication's loudness.
#[derive(Debug, Clone, Copy, Default)]
pub struct Level {
    loudness: f32,
    dbov: i8,
    at: Option<Instant>,
}

impl Level {
    /// Hear a packet of level `dbov`; `voice` as the sender judges, where it does.
    pub fn hear(&mut self, now: Instant, dbov: i8, voice: Option<bool>) {
        if !self.is_current(now) {
            self.loudness = 0.0;
        }
        let loud = ((f32::from(dbov) - FLOOR_DBOV) / -FLOOR_DBOV).clamp(0.0, 1.0);
        let loud = if voice == Some(false) { loud / 2.0 } else { loud };
        self.loudness += (loud - self.loudness) * SHARE;
        (self.dbov, self.at) = (dbov, Some(now));
    }

    /// 0 to 1.
    pub fn loudness(&self, now: Instant) -> f32 {
        if self.is_current(now) { self.loudness } else { 0.0 }
    }

    /// Of the last packet, in dBov.
    pub fn dbov(&self, now: Instant) -> i8 {
        if self.is_current(now) { self.dbov } else { SILENCE_DBOV }
    }

    fn is_current(&self, now: Instant) -> bool {
        self.at.is_some_and(|then| now.saturating_duration_since(then) < SILENT_AFTER)
    }
}

/// Level of 20 ms of sound, in dBov.
pub fn dbov_of(pcm: &[i16]) -> i8 {
    let power: f64 = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64;
    let level = 10.0 * (power / f64::from(i16::MAX).powi(2)).max(1e-13).log10();
    level.clamp(f64::from(SILENCE_DBOV), 0.0) as i8
}

/// Who of one audience's speakers is the active one.
#[derive(Debug, Clone, Default)]
pub struct Dominance {
    active: Option<PublicationId>,
    challenger: Option<(PublicationId, Instant)>,
}

impl Dominance {
    /// The active speaker.
    pub fn active(&self) -> Option<&PublicationId> {
        self.active.as_ref()
    }

    /// Compare all that can be heard now; true if the active speaker is another.
    pub fn review(&mut self, now: Instant, heard: &[(PublicationId, f32)]) -> bool {
        let of = |who: &PublicationId| heard.iter().find(|(name, _)| name == who).map(|(_, loudness)| *loudness);
        let gone = self.active.as_ref().is_some_and(|active| of(active).is_none());
        if gone {
            (self.active, self.challenger) = (None, None);
        }
        let active_loudness = self.active.as_ref().and_then(of).unwrap_or(0.0);
        let loudest = heard
            .iter()
            .filter(|(name, _)| Some(name) != self.active.as_ref())
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .filter(|(_, loudness)| *loudness >= SPEAKS && *loudness >= active_loudness * LOUDER);
        let Some((name, _)) = loudest else {
            self.challenger = None;
            return gone;
        };
        let since = match &self.challenger {
            Some((challenger, since)) if challenger == name => *since,
            _ => now,
        };
        self.challenger = Some((name.clone(), since));
        // Where nobody speaks there is nothing to hold on to.
        let patience = if self.active.is_none() { Duration::ZERO } else { CHALLENGE_FOR };
        if now.saturating_duration_since(since) < patience {
            return gone;
        }
        (self.active, self.challenger) = (Some(name.clone()), None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 200;

    struct Room {
        levels: Vec<(PublicationId, Level)>,
        dominance: Dominance,
        start: Instant,
        now: Instant,
    }

    impl Room {
        fn new(names: &[&str]) -> Self {
            let start = Instant::now();
            let levels = names.iter().map(|name| (PublicationId::from(*name), Level::default())).collect();
            Self { levels, dominance: Dominance::default(), start, now: start }
        }

        /// Let everyone send at a level for a while; tell each change and its time.
        fn run(&mut self, ms: u64, levels: &[i8]) -> Vec<(u64, String)> {
            let mut changes = Vec::new();
            for step in 1..=ms / 20 {
                self.now += Duration::from_millis(20);
                for ((_, level), dbov) in self.levels.iter_mut().zip(levels) {
                    level.hear(self.now, *dbov, None);
                }
                if (step * 20).is_multiple_of(TICK) {
                    let heard: Vec<_> =
                        self.levels.iter().map(|(name, level)| (name.clone(), level.loudness(self.now))).collect();
                    if self.dominance.review(self.now, &heard) {
                        let name = self.dominance.active().map_or("-", AsRef::as_ref).to_owned();
                        changes.push(((self.now - self.start).as_millis() as u64, name));
                    }
                }
            }
            changes
        }
    }

    #[test]
    fn the_first_who_speaks_is_active_at_once_and_another_after_a_while() {
        let mut room = Room::new(&["ann", "bob"]);
        assert_eq!(room.run(1_000, &[-90, -127]), []);
        let first = room.run(1_000, &[-20, -60]);
        assert!(matches!(&first[..], [(at, name)] if name == "ann" && *at <= 1_400), "{first:?}");
        assert_eq!(room.run(3_000, &[-70, -65]), [], "silence changes nothing");
        let second = room.run(2_000, &[-70, -20]);
        assert!(matches!(&second[..], [(at, name)] if name == "bob" && (5_500..6_200).contains(at)), "{second:?}");
    }

    #[test]
    fn a_cough_and_equal_voices_change_nothing() {
        let mut room = Room::new(&["ann", "bob"]);
        room.run(1_000, &[-20, -127]);
        assert_eq!(room.run(200, &[-25, -5]), []);
        assert_eq!(room.run(2_000, &[-25, -60]), []);
        for round in 0..20 {
            let levels = if round % 2 == 0 { [-22, -18] } else { [-18, -22] };
            assert_eq!(room.run(600, &levels), []);
        }
    }

    #[test]
    fn who_leaves_is_no_longer_active() {
        let mut room = Room::new(&["ann", "bob"]);
        room.run(1_000, &[-20, -127]);
        room.levels.remove(0);
        assert_eq!(room.run(200, &[-127]), [(1_200, "-".into())]);
        assert_eq!(room.run(400, &[-20]).len(), 1);
    }

    #[test]
    fn without_packets_it_is_silent() {
        let (mut level, now) = (Level::default(), Instant::now());
        for n in 0..50 {
            level.hear(now + Duration::from_millis(n * 20), -10, Some(true));
        }
        let end = now + Duration::from_secs(1);
        assert!(level.loudness(end) > 0.5 && level.dbov(end) == -10);
        assert!(level.loudness(end + Duration::from_millis(400)) < f32::EPSILON);
        assert_eq!(level.dbov(end + Duration::from_millis(400)), -127);
    }

    #[test]
    fn sound_is_measured_in_dbov() {
        assert_eq!(dbov_of(&[0; 480]), -127);
        assert_eq!(dbov_of(&[i16::MAX; 480]), 0);
        assert_eq!(dbov_of(&[328; 480]), -39);
        assert_eq!(dbov_of(&[]), -127);
    }
}
