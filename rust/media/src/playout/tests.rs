use super::*;
use PlayoutEvent::{Drained, Flushed, Released, Started};

fn id(name: &str) -> ItemId {
    name.into()
}

fn sound(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (n % 7_000) as i16 + 1).collect()
}

/// A queue, every frame that left it, and what it told.
#[derive(Default)]
struct Bench {
    playout: Playout,
    frames: Vec<Option<Frame>>,
    events: Vec<PlayoutEvent>,
}

impl Bench {
    fn push(&mut self, item: &str, pcm: Vec<i16>) {
        self.playout.push(&id(item), pcm, &mut self.events);
    }

    fn end(&mut self, item: &str) {
        self.playout.end(&id(item), &mut self.events);
    }

    fn flush(&mut self, item: &str) {
        self.playout.flush(&id(item), &mut self.events);
    }

    fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            let frame = self.playout.tick(&mut self.events);
            self.frames.push(frame);
        }
    }

    /// What left, without the silence that fills frames.
    fn heard(&self) -> Vec<i16> {
        self.frames.iter().flatten().flatten().copied().filter(|s| *s != 0).collect()
    }

    fn released(&self) -> u64 {
        self.events.iter().map(|event| if let Released(samples) = event { *samples } else { 0 }).sum()
    }

    fn told(&self) -> Vec<&PlayoutEvent> {
        self.events.iter().filter(|event| !matches!(event, Released(_))).collect()
    }
}

#[test]
fn speech_leaves_whole_and_is_told() {
    let mut bench = Bench::default();
    bench.push("a", sound(1_000));
    bench.push("a", sound(441));
    bench.end("a");
    bench.ticks(5);
    assert_eq!(bench.heard(), [sound(1_000), sound(441)].concat());
    assert!(bench.frames[..4].iter().all(Option::is_some) && bench.frames[4].is_none());
    assert_eq!(bench.told(), [&Started(id("a")), &Drained(id("a"), 1_441)]);
    assert_eq!(bench.released(), 1_441);
    assert_eq!(bench.playout.queued_samples(), 0);
}

#[test]
fn an_unfinished_frame_waits_for_more_or_for_the_end() {
    let mut bench = Bench::default();
    bench.push("a", sound(500));
    bench.ticks(3);
    assert_eq!(bench.heard().len(), 480);
    bench.push("a", sound(100));
    bench.ticks(1);
    assert_eq!(bench.heard().len(), 480);
    bench.end("a");
    bench.ticks(1);
    assert_eq!(bench.heard().len(), 600);
    assert!(bench.told().contains(&&Drained(id("a"), 600)));
}

#[test]
fn a_flush_fades_and_counts_exactly() {
    let mut bench = Bench::default();
    bench.push("a", vec![6_000; 24_000]);
    bench.ticks(10);
    bench.flush("a");
    bench.flush("a");
    assert!(!bench.events.iter().any(|event| matches!(event, Flushed(..))), "the fade has not left yet");
    bench.ticks(20);
    let heard = bench.heard();
    assert_eq!(heard.len(), 4_800 + FADE_SAMPLES);
    assert!(heard[4_800..].windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(heard[heard.len() - 1] < 100);
    let flushed = bench.events.iter().filter(|event| **event == Flushed(id("a"), heard.len() as u64)).count();
    assert_eq!(flushed, 2, "one answer for each flush");
    assert_eq!(bench.released(), 24_000);
    assert!(bench.frames[11..].iter().all(Option::is_none));
}

#[test]
fn what_was_flushed_never_sounds_again() {
    let mut bench = Bench::default();
    bench.push("a", sound(960));
    bench.ticks(1);
    bench.flush("a");
    bench.push("a", sound(2_400));
    bench.end("a");
    bench.ticks(10);
    assert_eq!(bench.heard().len(), 480 + FADE_SAMPLES);
    assert!(!bench.told().iter().any(|event| matches!(event, Drained(..))));
    assert_eq!(bench.released(), 960 + 2_400);
}

#[test]
fn a_flush_of_what_does_not_sound_is_answered_at_once() {
    let mut bench = Bench::default();
    bench.push("a", sound(960));
    bench.ticks(3);
    bench.push("b", sound(960));
    for item in ["a", "b", "never heard of"] {
        bench.flush(item);
    }
    assert_eq!(bench.told()[1..], [&Flushed(id("a"), 960), &Flushed(id("b"), 0), &Flushed(id("never heard of"), 0)]);
}

#[test]
fn other_items_play_on_and_join_within_a_frame() {
    let mut bench = Bench::default();
    bench.push("a", vec![100; 700]);
    bench.end("a");
    bench.push("b", vec![200; 700]);
    bench.end("b");
    bench.push("c", vec![300; 480]);
    bench.end("c");
    bench.flush("b");
    bench.ticks(4);
    let heard = bench.heard();
    assert_eq!(heard, [vec![100; 700], vec![300; 480]].concat());
    assert!(bench.told().contains(&&Drained(id("a"), 700)));
}

#[test]
fn an_item_without_sound_is_drained_at_once() {
    let mut bench = Bench::default();
    bench.end("a");
    assert_eq!(bench.events, [Drained(id("a"), 0)]);
}

#[test]
fn memory_of_items_is_bounded_and_spares_those_that_wait() {
    let mut bench = Bench::default();
    bench.push("first", sound(10));
    for n in 0..2_000 {
        bench.end(&format!("item {n}"));
    }
    assert!(bench.playout.items.len() <= REMEMBERED_ITEMS);
    bench.end("first");
    bench.ticks(1);
    assert!(bench.told().contains(&&Drained(id("first"), 10)));
}

/// Whatever is pushed, ended and flushed in whatever order: every sample is released once, and what the events say went
/// out is what went out.
#[test]
fn random_use_keeps_the_books() {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200 {
        let mut bench = Bench::default();
        let mut pushed = 0;
        for _ in 0..60 {
            let item = ["a", "b", "c"][random(3) as usize];
            match random(6) {
                0..=2 => {
                    let samples = random(1_500) as usize;
                    pushed += samples as u64;
                    bench.push(item, vec![9_000; samples]);
                }
                3 => bench.end(item),
                4 => bench.flush(item),
                _ => bench.ticks(random(4) as usize),
            }
        }
        for item in ["a", "b", "c"] {
            bench.end(item);
        }
        bench.ticks(400);
        assert_eq!(bench.released(), pushed);
        let mut finished = HashMap::new();
        for event in &bench.events {
            if let Drained(item, samples) | Flushed(item, samples) = event {
                finished.insert(item.clone(), *samples);
            }
        }
        let told: u64 = finished.values().sum();
        // The end of a fade may round to zero; nothing else is silent.
        let left = bench.frames.iter().flatten().flatten().filter(|s| **s != 0).count() as u64;
        assert_eq!(told, left);
    }
}
