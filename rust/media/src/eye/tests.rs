//! Frames cut into packets, and everything that a network or a stranger may do to these.

use super::*;

const STEP: u32 = 3_000;

/// A key frame of 640 x 480 with a body of `bytes`.
fn key_frame(bytes: usize) -> Vec<u8> {
    let tag = 0x10 | 7 << 5;
    let mut frame = vec![tag, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x42, 0xE0, 0x01];
    frame.extend((0..bytes).map(|n| n as u8));
    frame
}

fn predicted_frame(bytes: usize) -> Vec<u8> {
    let mut frame = key_frame(bytes);
    frame[0] |= 1;
    frame
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    sequence: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Cut a frame into packets of `bytes`, with a picture number of 15 bits.
fn packets(first: u64, timestamp: u32, frame: &[u8], bytes: usize) -> Vec<Packet> {
    let count = frame.len().div_ceil(bytes);
    let packet = |(n, piece): (usize, &[u8])| {
        let mut payload = vec![if n == 0 { 0x90 } else { 0x80 }, 0x80, 0x81, 0x05];
        payload.extend(piece);
        Packet { sequence: first + n as u64, timestamp, marker: n + 1 == count, payload }
    };
    frame.chunks(bytes).enumerate().map(packet).collect()
}

fn show<'a>(eye: &mut Eye, now: Instant, packets: impl IntoIterator<Item = &'a Packet>) -> Vec<Still> {
    let glimpse = |packet: &'a Packet| Glimpse {
        ssrc: 1,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        marker: packet.marker,
        payload: &packet.payload,
    };
    packets.into_iter().filter_map(|packet| eye.see(now, &glimpse(packet))).collect()
}

#[test]
fn a_key_frame_in_pieces_becomes_a_webp_file() {
    for bytes in [40, 41] {
        let frame = key_frame(bytes);
        let stills = show(&mut Eye::default(), Instant::now(), &packets(10, 5, &frame, 17));
        assert_eq!(stills.len(), 1);
        let Still { width, height, webp } = &stills[0];
        assert_eq!((*width, *height), (640, 480), "without the hints for scaling");
        assert_eq!(&webp[..4], b"RIFF");
        assert_eq!(u32::from_le_bytes(webp[4..8].try_into().unwrap()) as usize, webp.len() - 8);
        assert_eq!(&webp[8..16], b"WEBPVP8 ");
        assert_eq!(u32::from_le_bytes(webp[16..20].try_into().unwrap()) as usize, frame.len());
        assert_eq!(&webp[20..20 + frame.len()], frame);
        assert!(webp.len().is_multiple_of(2));
        assert!(webp[20 + frame.len()..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let pieces = packets(u64::from(u16::MAX) - 1, u32::MAX, &key_frame(60), 15);
    for turn in 0..pieces.len() {
        let mut shuffled = pieces.clone();
        shuffled.rotate_left(turn);
        shuffled.swap(0, 2);
        assert_eq!(show(&mut Eye::default(), Instant::now(), &shuffled).len(), 1, "{turn}");
    }
}

#[test]
fn what_was_overtaken_by_the_next_frame_still_counts() {
    let (mut eye, now) = (Eye::default(), Instant::now());
    let key = packets(10, u32::MAX - 5, &key_frame(60), 15);
    let next = packets(15, STEP - 6, &predicted_frame(30), 15);
    let mut arrived = [&key[..2], &key[3..], &next[..1]].concat();
    arrived.push(key[2].clone());
    assert_eq!(show(&mut eye, now, &arrived).len(), 1);
    assert!(show(&mut eye, now, &key).is_empty(), "once is enough");
}

#[test]
fn a_frame_with_a_hole_is_let_go_and_asked_for_again() {
    let (mut eye, now) = (Eye::default(), Instant::now());
    let mut broken = packets(10, 0, &key_frame(60), 15);
    broken.remove(2);
    assert!(show(&mut eye, now, &broken).is_empty());
    assert!(!eye.asks(now), "a stream begins with a key frame");
    let later = now + LOOK_EVERY;
    assert!(show(&mut eye, later, &packets(20, STEP, &predicted_frame(60), 15)).is_empty());
    assert!(eye.asks(later));
    assert!(!eye.asks(later + LOOK_EVERY / 2), "not more often than it should be asked");
    assert_eq!(show(&mut eye, later, &packets(30, 2 * STEP, &key_frame(60), 15)).len(), 1);
    assert!(!eye.asks(later + LOOK_EVERY / 2), "that was it");
    assert!(eye.asks(later + LOOK_EVERY));
}

#[test]
fn stills_are_taken_once_a_second_however_many_key_frames_come() {
    let (mut eye, start) = (Eye::default(), Instant::now());
    let frame = |n: u32| packets(u64::from(n) * 10, n * STEP, &key_frame(60), 15);
    let taken: Vec<u32> =
        (0..31).filter(|n| !show(&mut eye, start + Duration::from_millis(100) * *n, &frame(*n)).is_empty()).collect();
    assert_eq!(taken, [0, 10, 20, 30]);
}

#[test]
fn another_stream_begins_anew() {
    let (mut eye, now) = (Eye::default(), Instant::now());
    let key = packets(10, 90_000, &key_frame(60), 15);
    assert!(show(&mut eye, now, &key[..2]).is_empty());
    let other = packets(4_000, 7, &key_frame(60), 15);
    let stills: Vec<_> = other
        .iter()
        .filter_map(|packet| {
            let Packet { sequence, timestamp, marker, ref payload } = *packet;
            eye.see(now, &Glimpse { ssrc: 2, sequence, timestamp, marker, payload })
        })
        .collect();
    assert_eq!(stills.len(), 1, "although its time stamp lies before");
}

#[test]
fn a_clock_that_began_anew_is_followed() {
    let (mut eye, now) = (Eye::default(), Instant::now());
    assert_eq!(show(&mut eye, now, &packets(10, 5_000_000, &key_frame(60), 15)).len(), 1);
    let late = packets(20, 5_000_000 - STEP, &key_frame(60), 15);
    assert!(show(&mut eye, now + LOOK_EVERY, &late).is_empty(), "older than what was seen");
    assert_eq!(show(&mut eye, now + LOOK_EVERY, &packets(30, 7, &key_frame(60), 15)).len(), 1);
}

#[test]
fn nothing_grows_beyond_the_largest_still() {
    let (mut eye, now) = (Eye::default(), Instant::now());
    let endless =
        Packet { sequence: 0, timestamp: 9, marker: false, payload: [&[0x10][..], &key_frame(1_190)].concat() };
    for sequence in 0..2_000 {
        let payload = if sequence == 0 { endless.payload.clone() } else { vec![0; 1_201] };
        assert!(show(&mut eye, now, &[Packet { sequence, payload, ..endless.clone() }]).is_empty());
        let held: usize =
            eye.newest.iter().chain(&eye.late).flat_map(|frame| frame.pieces.values()).map(Vec::len).sum();
        assert!(held <= MAX_STILL_BYTES);
    }
    assert_eq!(eye.newest.as_ref().unwrap().kind, Kind::Spent);
    let small = |sequence| Packet { sequence, timestamp: 10, marker: false, payload: vec![0, 1] };
    assert!(show(&mut eye, now, &(0..10_000).map(small).collect::<Vec<_>>()).is_empty());
    assert!(eye.newest.as_ref().unwrap().pieces.len() <= MAX_PIECES);
}

#[test]
fn descriptors_of_all_shapes_are_taken_off() {
    for (payload, expected) in [
        (&[0x10, 7][..], Some((true, &[7][..]))),
        (&[0x00, 7], Some((false, &[7]))),
        (&[0x11, 7], Some((false, &[7]))),
        (&[0x30, 7], Some((true, &[7]))),
        (&[0x90, 0x00, 7], Some((true, &[7]))),
        (&[0x90, 0x80, 0x05, 7], Some((true, &[7]))),
        (&[0x90, 0x80, 0x85, 0x05, 7], Some((true, &[7]))),
        (&[0x90, 0xF0, 0x85, 0x05, 1, 2, 7], Some((true, &[7]))),
        (&[0x90, 0x20, 2, 7], Some((true, &[7]))),
        (&[0x90, 0x10, 2, 7], Some((true, &[7]))),
        (&[0x90, 0x40, 2, 7], Some((true, &[7]))),
        (&[0x90, 0xF0, 0x85, 0x05, 1, 2], None),
        (&[0x90, 0x80], None),
        (&[0x90], None),
        (&[0x10], None),
        (&[], None),
    ] {
        assert_eq!(body_of(payload), expected, "{payload:?}");
    }
}

#[test]
fn what_is_no_picture_becomes_no_still() {
    assert!(still_of(&key_frame(60)).is_some());
    for (at, byte, why) in [
        (0, 0xF1, "predicted"),
        (0, 0xE0, "not to be shown"),
        (0, 0xFE, "of a version that nobody knows"),
        (1, 0xFF, "its first partition is longer than it"),
        (3, 0, "without the start code"),
    ] {
        let mut frame = key_frame(60);
        frame[at] = byte;
        assert_eq!(still_of(&frame), None, "{why}");
    }
    for (at, why) in [(6, "no width"), (8, "no height")] {
        let mut frame = key_frame(60);
        frame[at..at + 2].fill(0);
        assert_eq!(still_of(&frame), None, "{why}");
    }
    assert_eq!(still_of(&key_frame(60)[..9]), None);
}

#[test]
fn no_packet_of_a_stranger_breaks_it() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut eye, start) = (Eye::default(), Instant::now());
    let key = packets(0, 0, &key_frame(90), 20);
    for round in 0..200_000_u64 {
        let mut payload = key[(next() % 5) as usize].payload.clone();
        payload.truncate((next() % 30) as usize);
        if next().is_multiple_of(2)
            && let Some(byte) = payload.get_mut((next() % 12) as usize)
        {
            *byte = next() as u8;
        }
        let far = next().is_multiple_of(50);
        let glimpse = Glimpse {
            ssrc: (next() % 500 / 499) as u32,
            sequence: if far { next() } else { next() % 8 },
            timestamp: if far { next() as u32 } else { (next() % 4) as u32 },
            marker: next().is_multiple_of(3),
            payload: &payload,
        };
        let now = start + Duration::from_millis(round);
        if let Some(still) = eye.see(now, &glimpse) {
            assert!(still.width > 0 && still.webp.len() <= MAX_STILL_BYTES + 22);
        }
        eye.asks(now);
    }
}
