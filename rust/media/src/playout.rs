//! A speaker's queue: speech comes faster than real time, leaves in frames of 20 ms, and every sample is counted.
//!
//! Pure: a tick is a call. Items play in the order of their pushes. What went out of each item is counted exactly,
//! because the conversation cuts an interrupted answer at that number. Nothing is encoded before its tick, so a flush
//! drops whatever has not left and fades out over 5 ms.
//!
//! Neighbours: `speaker` encodes the frames and keeps the schedule.

use std::collections::{HashMap, VecDeque};

use crate::spec::ItemId;

/// Rate of all PCM here, in Hz.
pub const RATE_HZ: u32 = 24_000;
/// Samples of a frame: 20 ms.
pub const FRAME_SAMPLES: usize = 480;
/// Samples over which a flush fades out: 5 ms.
pub const FADE_SAMPLES: usize = 120;
/// Frames between two reports of released samples.
const PROGRESS_FRAMES: u64 = 25;
/// Ended items that stay known: a flush may come late.
const REMEMBERED_ITEMS: usize = 256;

/// One frame of sound.
pub type Frame = [i16; FRAME_SAMPLES];

/// What is told about a speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayoutEvent {
    /// The first samples of an item went out.
    Started(ItemId),
    /// An item was ended and all of it went out.
    Drained(ItemId, u64),
    /// An item is silent; so many samples went out.
    Flushed(ItemId, u64),
    /// So many samples left the queue, sent or dropped, since the last report.
    Released(u64),
}

#[derive(Debug, Default)]
struct Item {
    queued: u64,
    sent: u64,
    ended: bool,
    /// Drained or flushed: nothing more is taken or reported.
    closed: bool,
}

#[derive(Debug)]
struct Piece {
    item: ItemId,
    pcm: Vec<i16>,
    from: usize,
}

impl Piece {
    fn rest(&self) -> &[i16] {
        &self.pcm[self.from..]
    }
}

#[derive(Debug)]
struct Fade {
    item: ItemId,
    pcm: Vec<i16>,
    answers: usize,
}

/// One speaker's queue. Events are appended to what the caller gives.
#[derive(Debug, Default)]
pub struct Playout {
    pieces: VecDeque<Piece>,
    items: HashMap<ItemId, Item>,
    /// Items in the order in which they became known.
    known: VecDeque<ItemId>,
    sounding: Option<ItemId>,
    fade: Option<Fade>,
    queued: u64,
    released: u64,
    frames: u64,
}

impl Playout {
    /// Samples that wait.
    pub fn queued_samples(&self) -> u64 {
        self.queued
    }

    /// Queue speech; of a closed or ended item it is dropped.
    pub fn push(&mut self, item: &ItemId, pcm: Vec<i16>, events: &mut Vec<PlayoutEvent>) {
        let samples = pcm.len() as u64;
        let state = self.item(item);
        if state.closed || state.ended {
            self.released += samples;
            self.report_released(events);
        } else if samples > 0 {
            state.queued += samples;
            self.queued += samples;
            self.pieces.push_back(Piece { item: item.clone(), pcm, from: 0 });
        }
    }

    /// Mark the end of an item; one that has gone out already is drained now.
    pub fn end(&mut self, item: &ItemId, events: &mut Vec<PlayoutEvent>) {
        self.item(item).ended = true;
        self.report_drained(item, events);
    }

    /// Drop what is queued of an item. Answered now, or with the frame that fades it out.
    pub fn flush(&mut self, item: &ItemId, events: &mut Vec<PlayoutEvent>) {
        if let Some(fade) = self.fade.as_mut().filter(|fade| fade.item == *item) {
            fade.answers += 1;
            return;
        }
        let state = self.item(item);
        state.closed = true;
        let (dropped, sent) = (std::mem::take(&mut state.queued), state.sent);
        let ahead: Vec<i16> = self
            .pieces
            .iter()
            .filter(|piece| piece.item == *item)
            .flat_map(|piece| piece.rest().iter().copied())
            .take(FADE_SAMPLES)
            .collect();
        self.pieces.retain(|piece| piece.item != *item);
        self.released += dropped;
        self.queued -= dropped;
        if self.sounding.as_ref() == Some(item) && !ahead.is_empty() {
            self.fade = Some(Fade { item: item.clone(), pcm: faded(ahead), answers: 1 });
        } else {
            events.push(PlayoutEvent::Flushed(item.clone(), sent));
        }
        self.report_released(events);
    }

    /// Give the frame that leaves now, or none for silence.
    pub fn tick(&mut self, events: &mut Vec<PlayoutEvent>) -> Option<Frame> {
        if let Some(fade) = self.fade.take() {
            return Some(self.fade_out(fade, events));
        }
        let mut due = self.pieces_due();
        if due == 0 {
            self.sounding = None;
            self.report_released(events);
            return None;
        }
        let mut frame = [0; FRAME_SAMPLES];
        let mut filled = 0;
        let mut touched: Vec<ItemId> = Vec::new();
        while due > 0 && filled < FRAME_SAMPLES {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            due -= 1;
            let taken = piece.rest().len().min(FRAME_SAMPLES - filled);
            frame[filled..filled + taken].copy_from_slice(&piece.rest()[..taken]);
            filled += taken;
            self.count_sent(&piece.item, taken as u64, events);
            if touched.last() != Some(&piece.item) {
                touched.push(piece.item.clone());
            }
            piece.from += taken;
            if !piece.rest().is_empty() {
                self.pieces.push_front(piece);
            }
        }
        self.sounding = touched.last().cloned();
        for item in &touched {
            self.report_drained(item, events);
        }
        self.frames += 1;
        if self.frames.is_multiple_of(PROGRESS_FRAMES) || self.pieces.is_empty() {
            self.report_released(events);
        }
        Some(frame)
    }

    /// Count the pieces at the front that may leave now: all for a full frame, else those up to an item's end.
    fn pieces_due(&self) -> usize {
        if self.queued >= FRAME_SAMPLES as u64 {
            return self.pieces.len();
        }
        let ended = |piece: &Piece| self.items.get(&piece.item).is_some_and(|item| item.ended);
        self.pieces.iter().rposition(ended).map_or(0, |at| at + 1)
    }

    fn fade_out(&mut self, fade: Fade, events: &mut Vec<PlayoutEvent>) -> Frame {
        let state = self.item(&fade.item);
        state.sent += fade.pcm.len() as u64;
        let sent = state.sent;
        self.sounding = None;
        events.extend((0..fade.answers).map(|_| PlayoutEvent::Flushed(fade.item.clone(), sent)));
        let mut frame = [0; FRAME_SAMPLES];
        frame[..fade.pcm.len()].copy_from_slice(&fade.pcm);
        frame
    }

    fn count_sent(&mut self, item: &ItemId, samples: u64, events: &mut Vec<PlayoutEvent>) {
        let state = self.item(item);
        if state.sent == 0 {
            events.push(PlayoutEvent::Started(item.clone()));
        }
        state.sent += samples;
        state.queued -= samples;
        self.queued -= samples;
        self.released += samples;
    }

    fn report_drained(&mut self, item: &ItemId, events: &mut Vec<PlayoutEvent>) {
        let state = self.item(item);
        if !state.closed && state.ended && state.queued == 0 {
            state.closed = true;
            events.push(PlayoutEvent::Drained(item.clone(), state.sent));
        }
    }

    fn report_released(&mut self, events: &mut Vec<PlayoutEvent>) {
        let released = std::mem::take(&mut self.released);
        if released > 0 {
            events.push(PlayoutEvent::Released(released));
        }
    }

    fn item(&mut self, item: &ItemId) -> &mut Item {
        if !self.items.contains_key(item) {
            self.forget_one();
            self.known.push_back(item.clone());
        }
        self.items.entry(item.clone()).or_default()
    }

    fn forget_one(&mut self) {
        if self.known.len() < REMEMBERED_ITEMS {
            return;
        }
        let fading = self.fade.as_ref().map(|fade| &fade.item);
        let idle = |item: &ItemId| fading != Some(item) && self.items.get(item).is_none_or(|state| state.queued == 0);
        if let Some(at) = self.known.iter().position(idle)
            && let Some(item) = self.known.remove(at)
        {
            self.items.remove(&item);
        }
    }
}

/// Ramp down to silence, linearly.
fn faded(mut pcm: Vec<i16>) -> Vec<i16> {
    let count = pcm.len() as i32;
    for (at, sample) in pcm.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * (count - at as i32) / (count + 1)) as i16;
    }
    pcm
}

#[cfg(test)]
mod tests;
