use super::*;
use crate::g711::Law;
use crate::opus::{Effort, Encoder};

const MS: i64 = SAMPLES_PER_MS;

fn level_of(n: u64) -> i16 {
    1_000 + 600 * (n % 24) as i16
}

/// Packet `n` of a G.711 stream, whose level tells its number modulo 24.
fn pcmu(n: u64) -> Arrival {
    Arrival {
        codec: AudioCodec::Pcmu,
        ssrc: 7,
        sequence: 5_000 + n,
        timestamp: 90_000 + n as u32 * 160,
        payload: Law::Mu.encode(&[level_of(n); 160]).into(),
    }
}

fn number(frame: &Frame) -> u64 {
    let level = i64::from(frame[300]);
    ((level - 1_000 + 300) / 600).max(0) as u64
}

/// Run packets through a buffer on a 20 ms clock: give what was played at each tick.
fn play(buffer: &mut JitterBuffer, mut arrivals: Vec<(i64, Arrival)>, ticks: i64, quiet: bool) -> Vec<Option<Frame>> {
    arrivals.sort_by_key(|(at, _)| *at);
    let mut arrivals = arrivals.into_iter().peekable();
    (1..=ticks)
        .map(|tick| {
            while let Some((at, arrival)) = arrivals.next_if(|(at, _)| *at <= tick * FRAME) {
                buffer.insert(at, arrival);
            }
            buffer.take(tick * FRAME, quiet)
        })
        .collect()
}

fn numbers(frames: &[Option<Frame>]) -> Vec<u64> {
    frames.iter().flatten().map(number).collect()
}

fn in_order(count: u64) -> Vec<u64> {
    (0..count).map(|n| n % 24).collect()
}

#[test]
fn a_calm_stream_is_heard_whole_40_ms_late() {
    let arrivals = (0..20).map(|n| (n as i64 * FRAME + 5 * MS, pcmu(n))).collect();
    let frames = play(&mut JitterBuffer::default(), arrivals, 26, false);
    assert!(frames[..2].iter().all(Option::is_none) && frames[2].is_some());
    assert_eq!(numbers(&frames)[..20], in_order(20));
}

#[test]
fn order_and_duplicates_do_not_matter() {
    let mut arrivals: Vec<_> =
        (0..60).map(|n| (n as i64 * FRAME + 5 * MS + if n % 3 == 1 { 30 * MS } else { 0 }, pcmu(n))).collect();
    arrivals.extend((0..60).map(|n| (n as i64 * FRAME + 12 * MS, pcmu(n))));
    let frames = play(&mut JitterBuffer::default(), arrivals, 62, false);
    assert_eq!(numbers(&frames)[..58], in_order(58));
}

#[test]
fn a_late_burst_is_heard_whole_and_the_delay_grows_at_once() {
    let mut buffer = JitterBuffer::default();
    let late = |n: i64| if (50..58).contains(&n) { 58 * FRAME } else { n * FRAME };
    let arrivals = (0..100).map(|n| (late(n as i64) + MS, pcmu(n))).collect();
    let frames = play(&mut buffer, arrivals, 115, false);
    let mut heard = numbers(&frames);
    heard.dedup();
    for n in 0..95_u64 {
        assert!(heard.contains(&(n % 24)), "packet {n}");
    }
    let ordered: Vec<u64> = heard.iter().copied().filter(|n| *n > 0).take(90).collect();
    assert!(
        ordered.windows(2).filter(|pair| pair[1] < pair[0]).count() <= 6,
        "order was kept but for the wrap: {ordered:?}"
    );
    assert_eq!(buffer.counters().late, 0);
    assert!(buffer.target_samples() > 40 * MS, "{}", buffer.target_samples() / MS);
}

#[test]
fn the_delay_shrinks_only_where_it_is_quiet() {
    let arrivals = |from: u64, to: u64, late: i64| -> Vec<(i64, Arrival)> {
        (from..to).map(|n| (n as i64 * FRAME + if n == 20 { late } else { MS }, pcmu(n))).collect()
    };
    for quiet in [false, true] {
        let mut buffer = JitterBuffer::default();
        play(&mut buffer, arrivals(0, 400, 100 * MS), 400, quiet);
        if quiet {
            assert!((1..6).contains(&buffer.counters().skipped), "{:?}", buffer.counters());
        } else {
            assert_eq!(buffer.counters().skipped, 0);
        }
    }
}

#[test]
fn a_pause_of_the_sender_is_silence_of_that_length() {
    let mut buffer = JitterBuffer::default();
    let mut arrivals: Vec<_> = (0..10).map(|n| (n as i64 * FRAME + MS, pcmu(n))).collect();
    // Time went on for 12 frames, the sequence did not.
    arrivals.extend((10..20).map(|n| {
        let mut arrival = pcmu(n);
        arrival.timestamp += 12 * 160;
        ((n as i64 + 12) * FRAME + MS, arrival)
    }));
    let frames = play(&mut buffer, arrivals, 36, false);
    let first = frames.iter().position(Option::is_some).unwrap();
    let again = frames.iter().rposition(|frame| frame.as_ref().is_some_and(|f| number(f) == 10)).unwrap();
    assert_eq!(again - first, 22);
    assert!(frames[first + 17..again].iter().all(|frame| frame.as_ref().is_none_or(|f| f[300].abs() < 300)));
}

#[test]
fn a_lost_packet_comes_back_from_its_successor() {
    let mut encoder = Encoder::new(32_000, Effort::Live).unwrap();
    encoder.expect_loss(20).unwrap();
    let sound: Vec<i16> = (0..48_000).map(|n| ((f64::from(n) * 0.1).sin() * 9_000.0) as i16).collect();
    let arrivals = sound.chunks_exact(480).enumerate().map(|(n, frame)| {
        let payload = encoder.encode(frame).unwrap().into();
        let arrival =
            Arrival { codec: AudioCodec::Opus, ssrc: 1, sequence: n as u64, timestamp: n as u32 * 960, payload };
        (n as i64 * FRAME + MS, arrival)
    });
    let arrivals = arrivals.enumerate().filter(|(n, _)| n % 10 != 9).map(|(_, arrival)| arrival).collect();
    let mut buffer = JitterBuffer::default();
    let frames = play(&mut buffer, arrivals, 98, false);
    assert!(buffer.counters().recovered >= 7, "{:?}", buffer.counters());
    assert!(frames[4..98].iter().all(Option::is_some));
}

#[test]
fn a_long_loss_is_concealed_for_100_ms_and_then_silent() {
    let arrivals = (0..60).filter(|n| !(20..45).contains(n)).map(|n| (n as i64 * FRAME + MS, pcmu(n))).collect();
    let mut buffer = JitterBuffer::default();
    let frames = play(&mut buffer, arrivals, 60, false);
    let silent = frames[3..].iter().position(|frame| frame.as_ref().is_none_or(|f| f.iter().all(|s| *s == 0))).unwrap();
    assert!((25..=27).contains(&(silent + 3)), "{silent}");
    let last = numbers(&frames);
    assert_eq!(last[last.len() - 5..], in_order(60)[53..58]);
}

#[test]
fn a_new_source_and_a_new_time_line_are_heard() {
    let mut buffer = JitterBuffer::default();
    let mut arrivals: Vec<_> = (0..20).map(|n| (n as i64 * FRAME + MS, pcmu(n))).collect();
    arrivals.extend((0..20).map(|n| {
        let mut arrival = pcmu(n);
        arrival.ssrc = 8;
        arrival.timestamp = arrival.timestamp.wrapping_sub(3_000_000_000);
        ((n as i64 + 20) * FRAME + MS, arrival)
    }));
    arrivals.extend((0..20).map(|n| {
        let mut arrival = pcmu(n);
        (arrival.ssrc, arrival.timestamp) = (8, arrival.timestamp.wrapping_add(500_000_000));
        ((n as i64 + 40) * FRAME + MS, arrival)
    }));
    let heard = numbers(&play(&mut buffer, arrivals, 64, false));
    let beginnings = heard.windows(3).filter(|w| w == &[0, 1, 2]).count();
    assert_eq!(beginnings, 3, "{heard:?}");
}

#[test]
fn time_stamps_wrap() {
    let arrivals = (0..40).map(|n| {
        let mut arrival = pcmu(n);
        arrival.timestamp = (u32::MAX - 1_600).wrapping_add(n as u32 * 160);
        (n as i64 * FRAME + MS, arrival)
    });
    let frames = play(&mut JitterBuffer::default(), arrivals.collect(), 44, false);
    assert_eq!(numbers(&frames)[..40], in_order(40));
}

/// Any network: nothing is played twice or out of order, and what came in time is played.
#[test]
fn random_networks_keep_the_order() {
    for seed in 0..60_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (loss, jitter) = (random(11), random(70));
        let mut arrivals = Vec::new();
        for n in 0..500_u64 {
            if random(100) >= loss {
                let copies = 1 + u64::from(random(20) == 0);
                for _ in 0..copies {
                    arrivals.push((n as i64 * FRAME + (random(jitter + 1) as i64) * MS, pcmu(n)));
                }
            }
        }
        let mut buffer = JitterBuffer::default();
        let frames = play(&mut buffer, arrivals, 520, false);
        let counters = buffer.counters();
        assert!(counters.late < 60, "seed {seed}, loss {loss} %, jitter {jitter} ms: {counters:?}");
        // Made-up sound repeats or fades a level, so only real steps forward by one are counted.
        let heard = numbers(&frames);
        let steps = heard.windows(2).filter(|pair| pair[1] == (pair[0] + 1) % 24).count();
        assert!(steps > 330, "seed {seed}, loss {loss} %, jitter {jitter} ms: {steps} {counters:?}");
    }
}

#[test]
fn hostile_packets_are_bounded_and_harmless() {
    let mut state = 3_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let mut buffer = JitterBuffer::default();
    for tick in 0..5_000 {
        for _ in 0..random(6) {
            let arrival = Arrival {
                codec: [AudioCodec::Opus, AudioCodec::Pcmu, AudioCodec::Pcma][random(3) as usize],
                ssrc: 1 + u32::from(random(200) == 0),
                sequence: random(70_000),
                timestamp: if random(50) == 0 {
                    random(u64::from(u32::MAX)) as u32
                } else {
                    (tick * 960 + random(20_000)) as u32
                },
                payload: (0..random(300)).map(|_| random(256) as u8).collect(),
            };
            buffer.insert(tick as i64 * FRAME, arrival);
        }
        assert!(buffer.waiting.len() <= MOST_PACKETS);
        assert!(buffer.ready.len() <= 6 * FRAME_SAMPLES);
        buffer.take(tick as i64 * FRAME, random(2) == 0);
    }
}
