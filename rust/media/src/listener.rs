//! An AI's ear: 20 ms after 20 ms of a lane, with a probability of speech for each 16 ms, from the moment it was opened.
//!
//! The lane runs on time: where there is nothing to hear it advances as silence. A resting ear posts nothing until a
//! voice is noticed, then everything from some time before, in one block. An ear that was told to gather posts larger
//! blocks for as long as the voice goes on. What nobody fetches is dropped after 5 s and told as a gap.
//!
//! Neighbours: `jitter` turns packets into frames; `shard` calls every 20 ms.

use std::collections::VecDeque;

use crate::playout::{FRAME_SAMPLES, Frame, RATE_HZ};
use crate::vad::{VoiceActivity, WINDOW_SAMPLES};

/// Samples that may be posted and not fetched.
pub const MAX_UNDRAINED_SAMPLES: u64 = 5 * RATE_HZ as u64;
/// Where a resting ear wakes: below every sensible threshold of turn detection, so that it never decides a turn.
const ONSET_PROBABILITY: f32 = 0.35;
/// Below this level, about -50 dBFS, sound may be skipped where no voice detection says otherwise.
const QUIET_LEVEL: u16 = 100;
/// A gap is told in pieces of at most this many samples.
const GAP_SAMPLES: usize = RATE_HZ as usize;
const SILENCE: Frame = [0; FRAME_SAMPLES];

/// A piece of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardBlock {
    /// On the lane's time line, in samples of 24 kHz.
    pub start_sample: u64,
    /// The sound; silence in a gap.
    pub pcm: Vec<i16>,
    /// One probability for each window that ended here; none without detection.
    pub speech: Vec<f32>,
    /// Where the first of these windows began.
    pub speech_start_sample: u64,
    /// This time was lost on our side.
    pub gap: bool,
}

/// How long an ear may hold sound back to post it in one block.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gathering {
    /// The longest block; 0 posts every 20 ms at once.
    pub up_to_ms: u32,
    /// A window with a probability below this ends a block at once.
    pub above: f32,
}

impl Gathering {
    fn samples(self) -> usize {
        self.up_to_ms as usize * RATE_HZ as usize / 1_000
    }
}

/// How an ear listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Tell probabilities of speech.
    pub detect_speech: bool,
    /// Rest between turns.
    pub only_speech: bool,
    /// What of the time before a voice is posted.
    pub pre_roll_ms: u32,
}

/// 20 ms that a resting ear keeps.
struct Kept {
    /// None for silence: most of what a resting ear hears.
    frame: Option<Box<Frame>>,
    start_sample: u64,
    speech: Vec<f32>,
    speech_start_sample: u64,
}

/// One ear.
pub struct Listener {
    vad: Option<VoiceActivity>,
    gated: bool,
    resting: bool,
    gathering: Gathering,
    /// What was heard and may be followed by more in the same block.
    gathered: Option<HeardBlock>,
    pre_roll: VecDeque<Kept>,
    pre_roll_samples: usize,
    next_sample: u64,
    window_start: u64,
    unread: u64,
    missed: usize,
    dropped_blocks: u64,
    quiet: bool,
}

impl Listener {
    /// Open an ear.
    pub fn new(options: ListenerOptions) -> Self {
        let gated = options.only_speech && options.detect_speech;
        Self {
            vad: options.detect_speech.then(VoiceActivity::new),
            gated,
            resting: gated,
            gathering: Gathering::default(),
            gathered: None,
            pre_roll: VecDeque::new(),
            pre_roll_samples: options.pre_roll_ms as usize * RATE_HZ as usize / 1_000,
            next_sample: 0,
            window_start: 0,
            unread: 0,
            missed: 0,
            dropped_blocks: 0,
            quiet: true,
        }
    }

    /// Blocks that were dropped because nobody fetched.
    pub fn dropped_blocks(&self) -> u64 {
        self.dropped_blocks
    }

    /// Whether the last 20 ms may be followed by a cut.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Close the gate until the next voice, if there is a gate.
    pub fn rest(&mut self) {
        self.resting = self.gated;
    }

    /// Hold sound back so far from now on. What is held already goes out with the next 20 ms at the latest.
    pub fn gather(&mut self, gathering: Gathering) {
        self.gathering = gathering;
    }

    /// Count samples as fetched.
    pub fn fetched(&mut self, samples: u64) {
        self.unread = self.unread.saturating_sub(samples);
    }

    /// Take the next 20 ms, silence if there are none, and give the blocks to post.
    pub fn hear(&mut self, frame: Option<&Frame>) -> Vec<HeardBlock> {
        if !self.resting && self.unread >= MAX_UNDRAINED_SAMPLES {
            self.missed += FRAME_SAMPLES;
            self.dropped_blocks += 1;
            return Vec::new();
        }
        let mut blocks = self.gap();
        let (start_sample, speech_start_sample) = (self.next_sample, self.window_start);
        let speech = self.listen(frame.unwrap_or(&SILENCE));
        self.quiet = match speech.iter().copied().reduce(f32::max) {
            Some(speech) => speech < ONSET_PROBABILITY,
            // No window ended here: what the last one said stands.
            None if self.vad.is_some() => self.quiet,
            None => frame.is_none_or(|frame| frame.iter().all(|sample| sample.unsigned_abs() < QUIET_LEVEL)),
        };
        if self.resting {
            blocks.extend(self.gathered.take());
            let frame = frame.map(|frame| Box::new(*frame));
            blocks.extend(self.woken(Kept { frame, start_sample, speech, speech_start_sample }));
        } else {
            blocks.extend(self.gathered_with(frame.unwrap_or(&SILENCE), start_sample, &speech, speech_start_sample));
        }
        self.unread += blocks.iter().map(|block| block.pcm.len() as u64).sum::<u64>();
        blocks
    }

    /// What was missed; nothing is held then, since missing begins with a block that was posted.
    fn gap(&mut self) -> Vec<HeardBlock> {
        let mut blocks = Vec::new();
        while self.missed > 0 {
            let pcm = vec![0; self.missed.min(GAP_SAMPLES)];
            self.missed -= pcm.len();
            let (start_sample, speech_start_sample) = (self.next_sample, self.window_start);
            let speech = self.listen(&pcm);
            blocks.push(HeardBlock { start_sample, pcm, speech, speech_start_sample, gap: true });
        }
        blocks
    }

    /// Advance the lane; give a probability for each window that ended.
    fn listen(&mut self, pcm: &[i16]) -> Vec<f32> {
        let mut speech = Vec::new();
        if let Some(vad) = &mut self.vad {
            vad.push(pcm, &mut speech);
        }
        self.next_sample += pcm.len() as u64;
        self.window_start += (speech.len() * WINDOW_SAMPLES) as u64;
        speech
    }

    /// Add 20 ms to what is held; give the block if it goes out now.
    fn gathered_with(
        &mut self,
        frame: &Frame,
        start_sample: u64,
        speech: &[f32],
        speech_start_sample: u64,
    ) -> Option<HeardBlock> {
        let most = self.gathering.samples();
        let block = self.gathered.get_or_insert_with(|| HeardBlock {
            start_sample,
            pcm: Vec::with_capacity(most.max(FRAME_SAMPLES)),
            speech: Vec::new(),
            speech_start_sample,
            gap: false,
        });
        block.pcm.extend_from_slice(frame);
        block.speech.extend_from_slice(speech);
        let full = block.pcm.len() + FRAME_SAMPLES > most;
        if full || speech.iter().any(|p| *p < self.gathering.above) { self.gathered.take() } else { None }
    }

    fn woken(&mut self, kept: Kept) -> Option<HeardBlock> {
        let onset = kept.speech.iter().any(|p| *p >= ONSET_PROBABILITY);
        self.pre_roll.push_back(kept);
        if onset {
            self.resting = false;
            return self.whole_pre_roll();
        }
        while (self.pre_roll.len() - 1) * FRAME_SAMPLES >= self.pre_roll_samples {
            self.pre_roll.pop_front();
        }
        None
    }

    fn whole_pre_roll(&mut self) -> Option<HeardBlock> {
        let first = self.pre_roll.front()?;
        let mut block = HeardBlock {
            start_sample: first.start_sample,
            pcm: Vec::with_capacity(self.pre_roll.len() * FRAME_SAMPLES),
            speech: Vec::new(),
            speech_start_sample: first.speech_start_sample,
            gap: false,
        };
        for kept in self.pre_roll.drain(..) {
            block.pcm.extend_from_slice(kept.frame.as_deref().unwrap_or(&SILENCE));
            block.speech.extend(kept.speech);
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: ListenerOptions = ListenerOptions { detect_speech: true, only_speech: false, pre_roll_ms: 300 };
    const GATED: ListenerOptions = ListenerOptions { only_speech: true, ..OPEN };

    /// A voice-like sound: pulses through two gliding resonances, in syllables of 180 ms.
    fn voice(frames: usize) -> Vec<Frame> {
        let mut states = [[0.0_f64; 2]; 2];
        let mut clock = 0.0;
        let samples: Vec<i16> = (0..frames * FRAME_SAMPLES)
            .map(|n| {
                let t = n as f64 / 24_000.0;
                clock += (118.0 + 14.0 * (t * 2.3).sin()) / 24_000.0;
                let pulse = if clock >= 1.0 { 1.0 } else { 0.0 };
                clock %= 1.0;
                let mut sound = 0.0;
                for (state, hz) in
                    states.iter_mut().zip([550.0 + 180.0 * (t * 9.0).sin(), 1_700.0 + 400.0 * (t * 7.0).cos()])
                {
                    let angle = std::f64::consts::TAU * hz / 24_000.0;
                    let next = pulse + 2.0 * 0.985 * angle.cos() * state[0] - 0.985_f64.powi(2) * state[1];
                    *state = [next, state[0]];
                    sound += next;
                }
                (sound * (std::f64::consts::PI * (t % 0.18) / 0.18).sin().powi(2) * 1_400.0) as i16
            })
            .collect();
        samples.as_chunks::<FRAME_SAMPLES>().0.to_vec()
    }

    fn silence(listener: &mut Listener, frames: usize) -> Vec<HeardBlock> {
        (0..frames).flat_map(|_| listener.hear(None)).collect()
    }

    #[test]
    fn the_lane_runs_on_time_with_a_probability_for_each_window() {
        let mut listener = Listener::new(OPEN);
        let mut blocks: Vec<_> = voice(25).iter().flat_map(|frame| listener.hear(Some(frame))).collect();
        blocks.extend(silence(&mut listener, 25));
        let mut sample = 0;
        for block in &blocks {
            assert_eq!(block.start_sample, sample);
            sample += block.pcm.len() as u64;
        }
        assert_eq!(sample, 24_000);
        assert_eq!(blocks.iter().map(|block| block.speech.len()).sum::<usize>(), 24_000 / WINDOW_SAMPLES);
        assert!(blocks.iter().all(|block| block.speech_start_sample.is_multiple_of(WINDOW_SAMPLES as u64)));
        assert_eq!(blocks[0].pcm, voice(1)[0]);
    }

    #[test]
    fn a_resting_ear_posts_from_before_the_voice_until_it_rests_again() {
        let mut listener = Listener::new(GATED);
        assert!(silence(&mut listener, 100).is_empty());
        let sound = voice(50);
        let heard: Vec<_> = sound.iter().flat_map(|frame| listener.hear(Some(frame))).collect();
        let first = &heard[0];
        assert!(first.speech.iter().any(|p| *p >= ONSET_PROBABILITY));
        assert!(first.pcm.len() >= 300 * 24 && first.start_sample + first.pcm.len() as u64 > 48_000);
        assert_eq!(first.speech_start_sample.div_ceil(480), first.start_sample.div_ceil(480));
        let said: Vec<i16> = heard.iter().flat_map(|block| block.pcm.iter().copied()).collect();
        let before = (48_000 - first.start_sample) as usize;
        assert!(said[..before].iter().all(|sample| *sample == 0));
        assert_eq!(said[before..], sound.as_flattened()[..]);
        assert_eq!(silence(&mut listener, 20).len(), 20);
        listener.rest();
        assert!(silence(&mut listener, 200).is_empty());
    }

    #[test]
    fn blocks_are_gathered_while_the_voice_goes_on_and_no_longer() {
        let (mut plain, mut gathering) = (Listener::new(OPEN), Listener::new(OPEN));
        gathering.gather(Gathering { up_to_ms: 60, above: 0.5 });
        let mut sound = voice(60);
        sound.resize(100, SILENCE);
        let (mut all, mut fewer) = (Vec::new(), Vec::new());
        for (at, frame) in sound.iter().enumerate() {
            all.extend(plain.hear(Some(frame)));
            fewer.extend(gathering.hear(Some(frame)));
            let held = (at + 1) * FRAME_SAMPLES - fewer.iter().map(|block| block.pcm.len()).sum::<usize>();
            assert!(held < 3 * FRAME_SAMPLES);
            assert!(held == 0 || all.last().unwrap().speech.iter().all(|p| *p >= 0.5), "silence is told at once");
        }
        assert!(fewer.len() + 20 < all.len(), "{} and {} blocks", fewer.len(), all.len());
        assert!(fewer.iter().any(|block| block.pcm.len() == 3 * FRAME_SAMPLES));
        let samples = |blocks: &[HeardBlock]| blocks.iter().flat_map(|block| block.pcm.clone()).collect::<Vec<_>>();
        let speech = |blocks: &[HeardBlock]| blocks.iter().flat_map(|block| block.speech.clone()).collect::<Vec<_>>();
        assert_eq!((samples(&fewer), speech(&fewer)), (samples(&all), speech(&all)));
        let mut at = (0, 0);
        for block in &fewer {
            assert_eq!((block.start_sample, block.speech_start_sample), at);
            at = (at.0 + block.pcm.len() as u64, at.1 + (block.speech.len() * WINDOW_SAMPLES) as u64);
        }
        gathering.gather(Gathering { up_to_ms: 60, above: 0.0 });
        assert_eq!(silence(&mut gathering, 30).len(), 10);
        assert!(silence(&mut gathering, 2).is_empty());
        gathering.gather(Gathering::default());
        assert_eq!(silence(&mut gathering, 2).iter().map(|block| block.pcm.len()).collect::<Vec<_>>(), [1_440, 480]);
    }

    #[test]
    fn a_gap_follows_what_was_gathered() {
        let mut listener = Listener::new(OPEN);
        listener.gather(Gathering { up_to_ms: 60, above: 0.0 });
        let posted = silence(&mut listener, 292);
        assert_eq!(posted.iter().map(|block| block.pcm.len() as u64).sum::<u64>(), MAX_UNDRAINED_SAMPLES + 960);
        listener.fetched(MAX_UNDRAINED_SAMPLES + 960);
        let later = silence(&mut listener, 3);
        let mut sample = posted.last().map_or(0, |block| block.start_sample + block.pcm.len() as u64);
        for block in &later {
            assert_eq!(block.start_sample, sample);
            sample += block.pcm.len() as u64;
        }
        assert_eq!(sample, 295 * 480);
        assert!(later.iter().any(|block| block.gap));
    }

    #[test]
    fn what_nobody_fetches_becomes_a_gap() {
        let mut listener = Listener::new(OPEN);
        let kept = silence(&mut listener, 400);
        assert_eq!((kept.len(), listener.dropped_blocks()), (250, 150));
        listener.fetched(kept.len() as u64 * 480);
        let later = silence(&mut listener, 1);
        let gaps: Vec<_> = later.iter().filter(|block| block.gap).collect();
        assert_eq!(gaps.iter().map(|block| block.pcm.len()).sum::<usize>(), 150 * 480);
        assert_eq!(gaps[0].start_sample, 250 * 480);
        assert_eq!(later.last().unwrap().start_sample, 400 * 480);
    }

    #[test]
    fn without_detection_there_are_no_probabilities_and_no_rest() {
        let mut listener = Listener::new(ListenerOptions { detect_speech: false, ..GATED });
        let blocks = silence(&mut listener, 5);
        assert_eq!(blocks.len(), 5);
        assert!(blocks.iter().all(|block| block.speech.is_empty()));
        assert!(listener.is_quiet());
        listener.hear(Some(&[1_000; FRAME_SAMPLES]));
        assert!(!listener.is_quiet());
    }
}
