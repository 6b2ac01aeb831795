//! Somebody on the path who adds damaged datagrams: STUN, DTLS, SRTP and SRTCP of both sides, before, during and after the
//! handshake. Without the keys they must change nothing once two peers are connected, and break nothing ever.

mod pair;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pair::{Pair, Random, heard, message, opened, rounds, tone, voice_samples};
use parley_driver::virtual_network::Meddler;
use parley_media::listener::ListenerOptions;
use parley_media::plane::{Command, Event};
use parley_media::spec::Protocol;

const EAR: ListenerOptions = ListenerOptions { detect_speech: false, only_speech: false, pre_roll_ms: 0 };

/// One damaged copy of a datagram, or a mixture of it and an older one.
fn damaged(random: &mut Random, contents: &[u8], older: &[u8]) -> Vec<u8> {
    let mut copy = contents.to_vec();
    match random.below(7) {
        0 => copy.truncate(random.below(copy.len() as u64) as usize),
        1 => copy.extend((0..random.below(1_400)).map(|n| n as u8)),
        2 => {
            let at = random.below(copy.len() as u64) as usize;
            copy.truncate(at);
            copy.extend_from_slice(&older[at.min(older.len())..]);
        }
        3 if !copy.is_empty() => copy[0] = random.below(256) as u8,
        // Lengths and types lie within the first bytes.
        4 => {
            for _ in 0..3 {
                let at = random.below(copy.len().min(20) as u64) as usize;
                if let Some(byte) = copy.get_mut(at) {
                    *byte = [0, 1, 0x7F, 0x80, 0xFF][random.below(5) as usize];
                }
            }
        }
        _ => {
            for _ in 0..=random.below(8) {
                let at = random.below(copy.len() as u64) as usize;
                if let Some(byte) = copy.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    // What is whole again is no damage.
    if copy == contents { Vec::new() } else { copy }
}

/// Counts in `reports` the RTCP packets that it has sent damaged copies of; their headers are plain (RFC 5761 §4).
fn meddler(seed: u64, percent: u64, reports: &Arc<AtomicU64>) -> Meddler {
    let reports = reports.clone();
    let mut random = Random::new(seed);
    let mut older = vec![0; 12];
    Box::new(move |transmit| {
        if random.below(100) >= percent {
            return Vec::new();
        }
        if matches!(transmit.contents[..], [128..=191, 200..=207, ..]) {
            reports.fetch_add(1, Ordering::Relaxed);
        }
        let copies = (0..=random.below(3)).map(|_| damaged(&mut random, &transmit.contents, &older)).collect();
        older.clone_from(&transmit.contents);
        copies
    })
}

#[test]
fn damaged_copies_change_nothing_for_connected_peers() {
    let reports = Arc::default();
    for seed in 0..rounds(6) {
        let mut pair = Pair::virtually(seed, 2);
        pair.connect("ann", 1, Protocol::Udp);
        pair.meddle(Some(meddler(seed, 60, &reports)));
        let open = Command::OpenListener("ear".into(), "ann/mic".into(), EAR);
        pair.server.submit(0, open).unwrap();
        pair.open_channel("ann", 1, "x");
        pair.until("the channel is open", |told| opened(&told.server, "ann") && opened(&told.client, "ann"));
        pair.open_speakers("ann");
        pair.speak_to_client("ann", tone(48_000));
        pair.speak_to_server("ann", tone(48_000));
        for n in 0..20 {
            let text = message(&"words ".repeat(1 + n * 50));
            pair.server.submit(0, Command::SendMessage("ann".into(), 1, text.clone())).unwrap();
            pair.client("ann").submit(0, Command::SendMessage("ann".into(), 1, text)).unwrap();
            pair.pass(Duration::from_millis(100));
        }
        pair.pass(Duration::from_secs(10)); // reports come every few seconds
        let (ours, theirs) = (heard(&pair.told.server, "ear"), heard(&pair.told.client, "ann/their-ear"));
        for pcm in [ours, theirs] {
            let loud = voice_samples(&pcm);
            assert!((47_000..=51_500).contains(&loud), "seed {seed}: {loud}");
        }
        let came = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::MessageReceived(..))).count();
        assert_eq!((came(&pair.told.server), came(&pair.told.client)), (20, 20), "seed {seed}");
        let closed = |events: &[Event]| events.iter().any(|e| matches!(e, Event::PeerClosed(..)));
        assert!(!closed(&pair.told.server) && !closed(&pair.told.client), "seed {seed}");
        assert_eq!(pair.server.counters().peers_broken + pair.client("ann").counters().peers_broken, 0);
    }
    assert!(reports.load(Ordering::Relaxed) > 0, "no report was damaged");
}

/// A handshake can be disturbed by anyone who can add to it; it must then fail or succeed, and break nothing.
#[test]
fn damaged_handshakes_end_one_way_or_the_other() {
    let (mut connected, all) = (0, rounds(12));
    for seed in 0..all {
        let mut pair = Pair::virtually(seed, 2);
        pair.meddle(Some(meddler(seed, 30, &Arc::default())));
        pair.begin("ann", (seed % 2) as usize, Protocol::Udp);
        pair.until("an end", |told| {
            told.server.iter().any(|e| matches!(e, Event::PeerConnected(_) | Event::PeerClosed(..)))
        });
        connected += u64::from(pair.told.server.iter().any(|e| matches!(e, Event::PeerConnected(_))));
        assert_eq!(pair.server.counters().peers_broken + pair.client("ann").counters().peers_broken, 0, "seed {seed}");
        pair.meddle(None);
        pair.connect("bob", 0, Protocol::Udp);
    }
    assert!(connected * 2 > all, "only {connected} of {all} connected");
}
