//! Laws of playout and of the jitter buffer that hold on every network: random speech, flushes and pauses over random
//! loss, delay, disorder and duplication, both ways, on two shards.

mod pair;

use std::collections::HashMap;
use std::time::Duration;

use pair::{Pair, Random, heard, rounds, tone, voice_samples};
use parley_driver::virtual_network::Conditions;
use parley_media::listener::ListenerOptions;
use parley_media::plane::{Command, Event};
use parley_media::playout::PlayoutEvent;
use parley_media::spec::{ItemId, Protocol};

const EAR: ListenerOptions = ListenerOptions { detect_speech: true, only_speech: false, pre_roll_ms: 0 };
const FRAME: u64 = 480;

fn network(random: &mut Random) -> Conditions {
    Conditions {
        latency: Duration::from_millis(random.below(150)),
        jitter: Duration::from_millis(random.below(80)),
        loss: random.below(12) as f64 / 100.0,
        duplication: random.below(15) as f64 / 100.0,
    }
}

/// The lane of an ear is one unbroken line of 20 ms, whatever comes.
fn lane_is_whole(seed: u64, events: &[Event], ear: &str) {
    let (mut next, mut at) = (0, None);
    for event in events {
        if let Event::AudioHeard(id, block, at_ms) = event
            && id.as_ref() == ear
        {
            assert_eq!((block.start_sample, block.gap), (next, false), "seed {seed}, {ear}");
            next += block.pcm.len() as u64;
            assert!(at.is_none_or(|before| *at_ms == before + 20), "seed {seed}, {ear}: not on time");
            at = Some(*at_ms);
            assert!(block.speech.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
    assert!(next > 0, "seed {seed}, {ear}: heard nothing");
}

/// What became of every item, and the counts agree.
fn finals(seed: u64, events: &[Event], pushed: &HashMap<ItemId, u64>, flushes: usize) -> u64 {
    let mut ends: HashMap<ItemId, u64> = HashMap::new();
    let (mut answers, mut released) = (0, 0);
    for event in events {
        let Event::Speech(_, event) = event else { continue };
        match event {
            PlayoutEvent::Drained(item, samples) => {
                assert!(ends.insert(item.clone(), *samples).is_none(), "seed {seed}: ended twice");
                assert_eq!(Some(samples), pushed.get(item), "seed {seed}: drained is all of it");
            }
            PlayoutEvent::Flushed(item, samples) => {
                answers += 1;
                assert!(*samples <= pushed.get(item).copied().unwrap_or(0), "seed {seed}: sent more than was pushed");
                ends.insert(item.clone(), *samples);
            }
            PlayoutEvent::Released(samples) => released += samples,
            PlayoutEvent::Started(_) => {}
        }
    }
    assert_eq!(answers, flushes, "seed {seed}: one answer for each flush");
    assert_eq!(released, pushed.values().sum::<u64>(), "seed {seed}: all credits came back");
    ends.values().sum()
}

#[test]
fn what_was_sent_is_told_and_heard_on_every_network() {
    for seed in 0..rounds(10) {
        let mut random = Random::new(seed + 1);
        let mut pair = Pair::virtually(seed, 2);
        let conditions = network(&mut random);
        pair.conditions(conditions);
        pair.connect("ann", 1, Protocol::Udp);
        pair.server.submit(0, Command::OpenListener("ear".into(), "ann/mic".into(), EAR)).unwrap();
        pair.open_speakers("ann");
        pair.speak_to_server("ann", tone(72_000));
        let (mut pushed, mut flushes, mut sounded) = (HashMap::new(), 0, 0_u64);
        for n in 0..4 {
            let (item, samples) = (ItemId::from(format!("item{n}").as_str()), 2_400 + random.below(60_000));
            pair.push_to_client("ann", &item, tone(samples as usize));
            pushed.insert(item.clone(), samples);
            pair.pass(Duration::from_millis(random.below(3_000)));
            if random.below(2) == 0 {
                pair.server.submit(0, Command::FlushSpeech("ann/voice".into(), item)).unwrap();
                flushes += 1;
            }
        }
        pair.pass(Duration::from_secs(14));
        sounded += finals(seed, &pair.told.server, &pushed, flushes);
        lane_is_whole(seed, &pair.told.server, "ear");
        lane_is_whole(seed, &pair.told.client, "ann/their-ear");
        let theirs = voice_samples(&heard(&pair.told.client, "ann/their-ear")) as u64;
        let ours = voice_samples(&heard(&pair.told.server, "ear")) as u64;
        for (said, came) in [(sounded, theirs), (72_000, ours)] {
            // Concealment adds up to 5 frames at each end of speech; what is lost beyond it, and what comes too late for
            // a jitter buffer of 200 ms at most, is missing. Doubled datagrams add nothing.
            let (most, lost) = (said + 4 * 10 * FRAME, said * 3 / 20 + 4 * 4 * FRAME);
            assert!(came <= most && came + lost >= said, "seed {seed}, {conditions:?}: {came} of {said} were heard");
        }
        let counters = pair.server.counters();
        assert_eq!((counters.audio_blocks_dropped, counters.peers_broken), (0, 0), "seed {seed}");
    }
}

#[test]
fn after_a_flush_nothing_more_is_heard_on_any_network() {
    for seed in 0..rounds(10) {
        let mut random = Random::new(seed + 77);
        let mut pair = Pair::virtually(seed, 2);
        pair.conditions(network(&mut random));
        pair.connect("ann", (seed % 2) as usize, Protocol::Udp);
        pair.open_speakers("ann");
        pair.push_to_client("ann", &"long".into(), tone(24_000 * 30));
        pair.pass(Duration::from_millis(1_000 + random.below(1_500)));
        pair.server.submit(0, Command::FlushSpeech("ann/voice".into(), "long".into())).unwrap();
        // The longest way, the longest jitter buffer, a tick, the tail, and the concealment of five frames.
        pair.pass(Duration::from_millis(150 + 80 + 200 + 40 + 100));
        let before = voice_samples(&heard(&pair.told.client, "ann/their-ear"));
        pair.pass(Duration::from_secs(3));
        let after = voice_samples(&heard(&pair.told.client, "ann/their-ear"));
        assert_eq!(before, after, "seed {seed}");
        assert!(before > 12_000, "seed {seed}: {before}");
    }
}
