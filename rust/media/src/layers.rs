//! Which simulcast layer goes to whom: a decision over what is sent, what is wished and what the network carries.
//!
//! A viewer's *ladder* is what it may be given, best first. All viewers of one peer share what its network carries: each
//! gets its lowest rung, then they climb in turn while there is room. Down at once; up only after the room was there
//! for a while, which grows each time a climb turned out too high.
//!
//! The words of the Calls API (§ Simulcast): `preferredRid` heads the ladder, `priorityOrdering` says how it goes on,
//! `ridNotAvailable` what stands in for a preferred layer that is not sent. Pure: `router` feeds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// How to go on from a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// To the next lower bit rate.
    #[default]
    Measured,
    /// Not at all.
    Never,
    /// From a to z; a is best.
    Asciibetical,
}

/// What a subscriber asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayerWish {
    /// Nothing better than this; the best there is where none.
    pub preferred: Option<Arc<str>>,
    /// Where the network does not carry it.
    pub under_pressure: Fallback,
    /// Where it is not sent.
    pub when_missing: Fallback,
}

/// A layer that is being sent. Its name is empty where there is only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSeen {
    /// Restriction id.
    pub rid: Arc<str>,
    /// Measured lately.
    pub bits_per_second: u64,
}

/// Stay while nine tenths of the rate are there: rates vary.
const STAY: (u64, u64) = (9, 10);
/// Climb where there is a fifth to spare.
const CLIMB: (u64, u64) = (12, 10);
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(16);
/// A fall so soon after a climb shows that the climb was wrong.
const REGRET_WITHIN: Duration = Duration::from_secs(8);

/// What a viewer remembers between decisions.
#[derive(Debug, Clone, Default)]
pub struct Climb {
    room_since: Option<Instant>,
    climbed_at: Option<Instant>,
    patience: Option<Duration>,
}

impl Climb {
    fn patience(&self) -> Duration {
        self.patience.unwrap_or(FIRST_PATIENCE)
    }

    fn may(&mut self, now: Instant) -> bool {
        let since = *self.room_since.get_or_insert(now);
        now.saturating_duration_since(since) >= self.patience()
    }

    fn climbed(&mut self, now: Instant) {
        self.room_since = None;
        self.climbed_at = Some(now);
    }

    fn stayed(&mut self, now: Instant) {
        self.room_since = None;
        if self.climbed_at.is_some_and(|then| now >= then + 2 * REGRET_WITHIN) {
            self.patience = None;
        }
    }

    fn fell(&mut self, now: Instant) {
        self.room_since = None;
        if self.climbed_at.take().is_some_and(|then| now < then + REGRET_WITHIN) {
            self.patience = Some((self.patience() * 2).min(LONGEST_PATIENCE));
        }
    }
}

/// One slot of one peer.
#[derive(Debug)]
pub struct Viewer<'a> {
    /// Asked for.
    pub wish: &'a LayerWish,
    /// Being sent.
    pub layers: &'a [LayerSeen],
    /// Given now.
    pub current: Option<&'a str>,
    /// Its memory.
    pub climb: &'a mut Climb,
}

/// What one viewer is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Nothing where the wish leaves nothing.
    pub rid: Option<Arc<str>>,
    /// Rate of the best that the wish allows.
    pub wished_bits_per_second: u64,
    /// There is a better one.
    pub waits: bool,
    /// There is a lower one.
    pub falls: bool,
}

/// What a viewer may be given, best first.
pub fn ladder<'a>(wish: &LayerWish, layers: &'a [LayerSeen]) -> Vec<&'a LayerSeen> {
    let mut order: Vec<&LayerSeen> = layers.iter().collect();
    let named = wish.under_pressure == Fallback::Asciibetical;
    let by_name = |a: &&LayerSeen, b: &&LayerSeen| a.rid.cmp(&b.rid);
    order.sort_by(|a, b| {
        let by_rate = b.bits_per_second.cmp(&a.bits_per_second);
        if named { by_name(a, b) } else { by_rate.then(by_name(a, b)) }
    });
    if let Some(preferred) = &wish.preferred {
        match (order.iter().position(|layer| layer.rid == *preferred), wish.when_missing) {
            (Some(at), _) => drop(order.drain(..at)),
            (None, Fallback::Never) => order.clear(),
            (None, Fallback::Asciibetical) => {
                order.retain(|layer| layer.rid > *preferred);
                order.sort_by(by_name);
            }
            (None, Fallback::Measured) => {}
        }
    }
    if wish.under_pressure == Fallback::Never {
        order.truncate(1);
    }
    order
}

/// Share `budget`, unlimited where none, among the viewers of one peer.
pub fn allocate(now: Instant, budget: Option<u64>, viewers: &mut [Viewer<'_>]) -> Vec<Given> {
    let ladders: Vec<Vec<&LayerSeen>> = viewers.iter().map(|viewer| ladder(viewer.wish, viewer.layers)).collect();
    let mut rungs: Vec<usize> = ladders.iter().map(|ladder| ladder.len().saturating_sub(1)).collect();
    let places: Vec<Option<usize>> = viewers
        .iter()
        .zip(&ladders)
        .map(|(viewer, ladder)| ladder.iter().position(|layer| Some(&*layer.rid) == viewer.current))
        .collect();
    let needs = |viewer: usize, rung: usize| {
        let rate = ladders[viewer].get(rung).map_or(0, |layer| layer.bits_per_second);
        match places[viewer] {
            Some(place) if rung >= place => rate * STAY.0 / STAY.1,
            Some(_) => rate * CLIMB.0 / CLIMB.1,
            None => rate,
        }
    };
    let mut used: u64 = rungs.iter().enumerate().map(|(viewer, rung)| needs(viewer, *rung)).sum();
    let mut moved = true;
    while std::mem::take(&mut moved) {
        for (viewer, rung) in rungs.iter_mut().enumerate().filter(|(_, rung)| **rung > 0) {
            let better = used - needs(viewer, *rung) + needs(viewer, *rung - 1);
            if budget.is_none_or(|budget| better <= budget) {
                (*rung, used, moved) = (*rung - 1, better, true);
            }
        }
    }
    let mut given = Vec::with_capacity(viewers.len());
    for (viewer, viewed) in viewers.iter_mut().enumerate() {
        let rung = steady(now, places[viewer], rungs[viewer], viewed.climb);
        let rate = |rung: usize| ladders[viewer].get(rung).map(|layer| layer.bits_per_second);
        given.push(Given {
            rid: ladders[viewer].get(rung).map(|layer| layer.rid.clone()),
            wished_bits_per_second: rate(0).unwrap_or(0),
            waits: rung > 0,
            falls: rung + 1 < ladders[viewer].len(),
        });
    }
    given
}

/// Down at once, up with patience.
fn steady(now: Instant, place: Option<usize>, rung: usize, climb: &mut Climb) -> usize {
    match place {
        Some(place) if rung < place => {
            if climb.may(now) {
                climb.climbed(now);
                rung
            } else {
                place
            }
        }
        Some(place) if rung > place => {
            climb.fell(now);
            rung
        }
        Some(_) => {
            climb.stayed(now);
            rung
        }
        None => rung,
    }
}

#[cfg(test)]
mod tests;
