//! Two machines and a pretend wire whose clock the test owns: nothing here waits, and every run is the same.

mod camera;
mod channels;
mod codecs;
mod crowd;
mod eyes;
mod hearing;
mod hostile;
mod pictures;
mod world;

use std::time::Duration;

use world::{Client, World, client_spec, opus_packets, server_spec, tone, voice_level};

use super::*;
use crate::channels::{ChannelOptions, Message};
use crate::layers::LayerWish;
use crate::listener::ListenerOptions;
use crate::opus::Decoder;
use crate::playout::PlayoutEvent;
use crate::spec::{ItemId, ListenerId, SpeakerId};

const OPEN: ListenerOptions = ListenerOptions { detect_speech: true, only_speech: false, pre_roll_ms: 500 };

fn options(label: &str) -> ChannelOptions {
    ChannelOptions {
        label: label.into(),
        ordered: true,
        max_retransmits: None,
        max_lifetime_ms: None,
        negotiated: false,
    }
}

fn text(data: &str) -> Message {
    Message { binary: false, data: data.into() }
}

fn connected() -> World {
    let mut world = World::new(1);
    world.add("ann");
    world.run(1_000);
    assert!(world.told(|e| matches!(e, Event::PeerConnected(_))) == 1, "{:?}", world.events);
    assert!(world.client("ann").connected);
    world
}

fn listen(world: &mut World) {
    world.command(Command::OpenListener(ListenerId::from("ear"), "ann/mic".into(), OPEN));
}

fn speak_from_ai(world: &mut World, samples: usize) {
    speak_to(world, "ann", samples);
}

fn speak_to(world: &mut World, name: &str, samples: usize) {
    world.command(Command::OpenSpeaker("voice".into(), "ai".into()));
    world.command(Command::Subscribe {
        peer: name.into(),
        mid: "0".into(),
        publication: "ai".into(),
        wish: LayerWish::default(),
    });
    world.command(Command::PushSpeech("voice".into(), "a".into(), tone(samples)));
}

fn heard_by_client(world: &World) -> Vec<i16> {
    let mut decoder = Decoder::new(24_000).unwrap();
    let mut packets: Vec<_> = world.client("ann").packets.clone();
    packets.sort_by_key(|(_, packet)| packet.sequence);
    packets.iter().flat_map(|(_, packet)| decoder.decode(&packet.payload).unwrap()).collect()
}

fn speech(world: &World) -> Vec<PlayoutEvent> {
    let event = |e: &Event| if let Event::Speech(_, event) = e { Some(event.clone()) } else { None };
    world.events.iter().filter_map(event).filter(|event| !matches!(event, PlayoutEvent::Released(_))).collect()
}

#[test]
fn a_peer_connects_in_either_role_and_is_removed_with_a_goodbye() {
    for active in [false, true] {
        let mut world = World::new(3);
        world.add_with("ann", |spec| spec.dtls_active = active);
        world.run(1_000);
        assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 1);
        world.command(Command::RemovePeer("ann".into()));
        assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Removed))), 1);
        assert_eq!(world.shard.peers(), 0);
        world.run(500);
        assert_eq!(world.client("ann").closed, Some(CloseReason::Remote));
        world.command(Command::RemovePeer("ann".into()));
        assert_eq!(world.shard.counters().commands_ignored, 1);
    }
}

#[test]
fn the_end_of_streams_is_told_before_the_end_of_encryption() {
    let mut world = connected();
    let (now, mut transmits) = (world.now, Vec::new());
    world.client_mut("ann").peer.goodbye(now, &mut transmits);
    let first = |which: &dyn Fn(&[u8]) -> bool| transmits.iter().position(|transmit| which(&transmit.contents));
    let (bye, dtls) =
        (first(&|data| matches!(data, [128..=191, 203, ..])), first(&|data| matches!(data, [20..=63, ..])));
    assert!(bye.is_some() && dtls.is_some() && bye < dtls, "{bye:?}, {dtls:?}");
}

#[test]
fn the_ai_hears_what_the_peer_says() {
    let mut world = connected();
    listen(&mut world);
    world.run(500);
    world.client_mut("ann").speak(opus_packets(&tone(48_000)));
    world.run(3_000);
    let heard = world.heard("ear");
    assert_eq!(heard.len() / 480, 3_500 / 20);
    let (start, loud) = voice_level(&heard);
    assert!((12_000..14_400).contains(&start), "{start}");
    assert!((47_000..51_500).contains(&loud), "{loud}");
    assert_eq!(world.shard.counters().audio_blocks_dropped, 0);
}

#[test]
fn a_lane_without_packets_is_silence_on_time() {
    let mut world = connected();
    listen(&mut world);
    world.run(1_990);
    assert_eq!(world.heard("ear"), vec![0; 99 * 480]);
}

#[test]
fn the_peer_hears_what_the_ai_says_frame_by_frame() {
    let mut world = connected();
    speak_from_ai(&mut world, 24_000);
    world.command(Command::EndSpeech("voice".into(), "a".into()));
    world.run(1_500);
    let packets = &world.client("ann").packets;
    assert_eq!(packets.len(), 51, "a second and the encoder's tail");
    assert!(packets[0].1.marker && packets[1..].iter().all(|(_, packet)| !packet.marker));
    for pair in packets.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, Duration::from_millis(20), "paced");
        assert_eq!(pair[1].1.sequence - pair[0].1.sequence, 1);
        assert_eq!(pair[1].1.timestamp - pair[0].1.timestamp, 960);
    }
    let (_, loud) = voice_level(&heard_by_client(&world));
    assert!((23_500..24_500).contains(&loud), "{loud}");
    assert_eq!(speech(&world), [PlayoutEvent::Started("a".into()), PlayoutEvent::Drained("a".into(), 24_000)]);
}

#[test]
fn a_flush_is_exact_and_silent_within_a_tick() {
    let mut world = connected();
    speak_from_ai(&mut world, 240_000);
    world.run(1_013);
    let before = world.client("ann").packets.len();
    let flushed_at = world.now;
    world.command(Command::FlushSpeech("voice".into(), "a".into()));
    world.run(1_000);
    let events = speech(&world);
    let Some(PlayoutEvent::Flushed(_, samples)) = events.last() else { panic!("{events:?}") };
    let packets = &world.client("ann").packets;
    let last = packets.last().unwrap().0 - flushed_at;
    // The fade leaves with the next tick and the encoder's tail of silence with the one after; the wire takes 10 ms.
    assert!(last <= Duration::from_millis(50), "{last:?}");
    let sounding = (packets.len() - 1) as u64;
    assert_eq!(*samples, (sounding - 1) * 480 + 120);
    assert!(packets.len() - before <= 3);
}

#[test]
fn two_peers_hear_each_other_and_not_themselves() {
    let mut world = connected();
    world.add("bob");
    world.run(1_000);
    for (listener, source) in [("ann", "bob/mic"), ("bob", "ann/mic")] {
        world.command(Command::Subscribe {
            peer: listener.into(),
            mid: "0".into(),
            publication: source.into(),
            wish: LayerWish::default(),
        });
    }
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(1_500);
    assert_eq!(world.client("bob").packets.len(), 50);
    assert!(world.client("ann").packets.is_empty());
    world.command(Command::Unsubscribe("bob".into(), "0".into()));
    world.client_mut("ann").speak(opus_packets(&tone(4_800)));
    world.run(500);
    assert_eq!(world.client("bob").packets.len(), 50);
    world.command(Command::Subscribe {
        peer: "bob".into(),
        mid: "0".into(),
        publication: "ann/mic".into(),
        wish: LayerWish::default(),
    });
    world.client_mut("ann").speak(opus_packets(&tone(4_800)));
    world.run(500);
    let sequences: Vec<_> = world.client("bob").packets.iter().map(|(_, packet)| packet.sequence).collect();
    assert_eq!(sequences.len(), 60);
    assert!(sequences[50] > sequences[49] && sequences[50] - sequences[49] < 20, "{sequences:?}");
}

#[test]
fn conversations_survive_loss_and_jitter() {
    for (loss, jitter_ms) in [(0, 60), (5, 30), (10, 60)] {
        let mut world = connected();
        (world.loss_percent, world.jitter_ms) = (loss, jitter_ms);
        listen(&mut world);
        world.client_mut("ann").speak(opus_packets(&tone(120_000)));
        speak_from_ai(&mut world, 120_000);
        world.command(Command::EndSpeech("voice".into(), "a".into()));
        world.run(7_000);
        let (_, loud) = voice_level(&world.heard("ear"));
        let lost = 100_u64.saturating_sub(loud * 100 / 120_000);
        assert!(lost <= 3 + loss, "loss {loss} %, jitter {jitter_ms} ms: {lost} % unheard");
        let came = world.client("ann").packets.len() as u64;
        assert!(came >= 250 * (97 - loss) / 100, "{came}");
        assert!(speech(&world).contains(&PlayoutEvent::Drained("a".into(), 120_000)));
    }
}

#[test]
fn the_ai_repeats_itself_to_those_who_lose_packets_and_to_nobody_else() {
    let repeats = |packets: &[(Instant, crate::peer::ReceivedPacket)]| {
        let recovered = |payload: &[u8]| Decoder::new(24_000).unwrap().recover(payload, 480).unwrap();
        let carries = |payload: &[u8]| recovered(payload).iter().any(|sample| sample.unsigned_abs() > 500);
        packets.iter().filter(|(_, packet)| carries(&packet.payload)).count()
    };
    for loss in [0, 15] {
        let mut world = connected();
        world.loss_percent = loss;
        speak_from_ai(&mut world, 480);
        // A siren: what is steady is not repeated.
        let pitch = |t: f64| 300.0 * t + 20.0 * (t * 6.0).sin();
        let siren = (0..24_000 * 30).map(|n| (pitch(f64::from(n) / 24_000.0) * std::f64::consts::TAU).sin());
        let siren = siren.map(|sample| (sample * 9_000.0) as i16).collect();
        world.command(Command::PushSpeech("voice".into(), "a".into(), siren));
        world.run(25_000);
        let packets = &world.client("ann").packets;
        let late = &packets[packets.len() - 200..];
        let with_copy = repeats(late);
        assert!(if loss == 0 { with_copy == 0 } else { with_copy > 50 }, "{loss} %: {with_copy} of 200");
    }
}

#[test]
fn a_peer_that_hangs_up_is_gone() {
    let mut world = connected();
    listen(&mut world);
    world.hang_up("ann");
    world.run(1_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Remote))), 1);
    assert!(world.heard("ear").len() <= 20 * 480, "the lane stopped with its publication");
    let blocks = world.heard("ear").len();
    world.run(1_000);
    assert_eq!(world.heard("ear").len(), blocks);
}

#[test]
fn a_peer_that_is_lost_for_30_seconds_goes_on() {
    let mut world = connected();
    world.loss_percent = 100;
    world.run(30_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
    world.loss_percent = 0;
    // The library drops a pair that fails, where a browser goes on checking it or restarts.
    let server = str0m::Candidate::host("192.0.2.1:3478".parse().unwrap(), str0m::net::Protocol::Udp).unwrap();
    world.client_mut("ann").peer.library().add_remote_candidate(server);
    world.run(1_000);
    listen(&mut world);
    world.client_mut("ann").speak(opus_packets(&tone(120_000)));
    world.run(7_000);
    assert!(voice_level(&world.heard("ear")).1 > 90_000);
    world.run(30_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
}

#[test]
fn a_peer_that_falls_silent_is_gone_after_33_seconds() {
    let mut world = connected();
    world.loss_percent = 100;
    world.run(30_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
    world.run(4_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Timeout))), 1);
}

#[test]
fn a_handshake_that_never_comes_fails_after_30_seconds() {
    let mut world = World::new(5);
    world.loss_percent = 100;
    world.add("ann");
    world.run(29_000);
    assert!(world.events.is_empty(), "{:?}", world.events);
    world.run(2_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Failed))), 1);
}

#[test]
fn a_peer_that_comes_late_is_connected_at_once() {
    let mut world = World::new(5);
    world.loss_percent = 100;
    world.add("ann");
    world.run(12_000);
    let mut spec = world.client("ann").peer.spec().clone();
    spec.remote_candidates[0].addr = "192.0.2.1:3478".parse().unwrap();
    let fresh = Client::new(spec, "192.0.2.10:40000".parse().unwrap(), world.now);
    world.replace("ann", fresh);
    world.loss_percent = 0;
    world.run(400);
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 1);
}

#[test]
fn handshakes_survive_loss() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.loss_percent = 20;
        world.add("ann");
        world.run(15_000);
        assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 1, "seed {seed}");
    }
}

#[test]
fn a_peer_moves_to_another_address_and_goes_on_talking() {
    let mut world = connected();
    listen(&mut world);
    speak_from_ai(&mut world, 24_000 * 20);
    world.run(1_000);
    world.client_mut("ann").seen_as = Some("203.0.113.77:4444".parse().unwrap());
    world.run(6_000);
    let came = world.client("ann").packets.len();
    world.client_mut("ann").speak(opus_packets(&tone(48_000)));
    let heard = world.heard("ear").len();
    world.run(2_500);
    assert!(world.client("ann").packets.len() - came >= 120, "the answer follows the peer");
    let (_, loud) = voice_level(&world.heard("ear")[heard..]);
    assert!(loud > 47_000, "{loud}");
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
}

#[test]
fn nobody_takes_over_a_peer_without_its_password() {
    let mut world = connected();
    world.forge("ann", |spec| spec.remote_ice.password = "x".repeat(24));
    speak_from_ai(&mut world, 48_000);
    world.run(2_500);
    assert_eq!(world.client("ann").packets.len(), 101);
    assert!(world.strays.is_empty(), "nothing was sent to the forger");
}

#[test]
fn garbage_changes_nothing() {
    let mut world = connected();
    listen(&mut world);
    world.client_mut("ann").speak(opus_packets(&tone(48_000)));
    for round in 0..200 {
        for first in [0_u8, 1, 3, 20, 22, 23, 63, 128, 144, 191, 192, 255] {
            let contents = world.noise(first, 1 + (round * 37) % 1_400);
            world.inject("ann", &contents);
            world.inject_from("198.51.100.9:9".parse().unwrap(), &contents);
        }
        // True datagrams, damaged.
        if let Some(mut contents) = world.last_from_client.clone() {
            let at = (round * 13) % contents.len();
            contents[at] ^= 1 << (round % 8);
            world.inject("ann", &contents);
            world.inject("ann", &contents[..at]);
        }
        world.run(12);
    }
    let (_, loud) = voice_level(&world.heard("ear"));
    assert!(loud > 46_000, "{loud}");
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
    assert!(world.shard.counters().datagrams_dropped >= 2_000);
    assert_eq!(world.shard.counters().peers_broken, 0);
}

#[test]
fn a_second_handshake_happens_in_place_and_keeps_the_channel() {
    let mut world = connected();
    world.client_mut("ann").peer.open_channel(0, options("oai-events"));
    speak_from_ai(&mut world, 24_000 * 30);
    listen(&mut world);
    world.run(1_000);
    assert_eq!(world.told(|e| matches!(e, Event::ChannelOpened(_, 1, _))), 1);
    world.hang_up("ann");
    let spec = world.client("ann").peer.spec().clone();
    let again = Client::new(spec, "192.0.2.99:7777".parse().unwrap(), world.now);
    world.replace("ann", again);
    world.client_mut("ann").peer.open_channel(1, ChannelOptions { negotiated: true, ..options("oai-events") });
    world.run(3_000);
    assert!(world.client("ann").connected);
    assert!(world.client("ann").packets.len() > 80, "{}", world.client("ann").packets.len());
    world.command(Command::SendMessage("ann".into(), 1, text("still here")));
    world.client_mut("ann").peer.send_message(1, text("me too"));
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(2_000);
    assert_eq!(world.client("ann").messages, [text("still here")]);
    assert_eq!(world.told(|e| matches!(e, Event::MessageReceived(_, 1, m) if *m == text("me too"))), 1);
    let (_, loud) = voice_level(&world.heard("ear"));
    assert!(loud > 22_000, "{loud}");
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 1);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..) | Event::ChannelClosed(..))), 0);
}

#[test]
fn a_device_without_ssrc_lines_mid_or_channels_is_heard() {
    let mut world = World::new(9);
    world.add_with("ann", |spec| {
        spec.sctp = None;
        spec.extensions.clear();
        spec.slots[0].receive[0].ssrc = None;
    });
    world.run(1_000);
    listen(&mut world);
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(1_500);
    let (_, loud) = voice_level(&world.heard("ear"));
    assert!(loud > 22_000, "{loud}");
}

#[test]
fn a_g711_device_hears_and_is_heard() {
    let mut world = World::new(11);
    world.add_with("ann", |spec| spec.slots[0].codecs.retain(|codec| codec.name == "PCMU"));
    world.run(1_000);
    listen(&mut world);
    speak_from_ai(&mut world, 24_000);
    world.command(Command::EndSpeech("voice".into(), "a".into()));
    let mut down = crate::resample::Resampler::causal(24_000, 8_000).unwrap();
    let packets = tone(24_000).chunks(480).map(|c| crate::g711::Law::Mu.encode(&down.push_pcm16(c))).collect();
    world.client_mut("ann").speak_as(0, 160, packets);
    world.run(1_500);
    let (_, loud) = voice_level(&world.heard("ear"));
    assert!((23_000..27_500).contains(&loud), "{loud}");
    let packets = &world.client("ann").packets;
    assert_eq!(packets.len(), 51);
    assert!(packets.iter().all(|(_, packet)| packet.payload.len() == 160 && packet.payload_type == 0));
}

#[test]
fn a_new_spec_changes_the_peer_in_place() {
    let mut world = connected();
    listen(&mut world);
    speak_from_ai(&mut world, 240_000);
    world.run(200);
    let before = world.heard("ear").len();
    assert!(before > 0);
    let mut spec = server_spec("ann", &world.client("ann").identity);
    spec.slots[0].publication = None;
    spec.slots[0].receive.clear();
    world.command(Command::AddPeer(Box::new(spec)));
    world.run(1_000);
    assert_eq!(world.heard("ear").len(), before, "the microphone is no longer published");
    assert!(world.client("ann").packets.len() >= 55, "the AI is heard as before");
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 1);
}

#[test]
fn a_ufrag_belongs_to_one_peer() {
    let mut world = connected();
    let mut spec = server_spec("bob", &world.client("ann").identity);
    spec.local_ice = world.client("ann").peer.spec().remote_ice.clone();
    world.command(Command::AddPeer(Box::new(spec)));
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(id, CloseReason::Failed) if id.as_ref() == "bob")), 1);
    world.run(500);
    assert_eq!(world.shard.peers(), 1);
}

#[test]
fn a_late_mouth_skips_and_a_late_ear_catches_up() {
    let mut world = connected();
    listen(&mut world);
    speak_from_ai(&mut world, 240_000);
    world.run(400);
    let (came, heard) = (world.client("ann").packets.len(), world.heard("ear").len());
    world.stall(500);
    world.run(15);
    let caught_up = world.client("ann").packets.len() - came;
    assert!((2..=5).contains(&caught_up), "{caught_up}");
    assert!((25 * 480..27 * 480).contains(&(world.heard("ear").len() - heard)));
    world.run(200);
    let stamps: Vec<u32> = world.client("ann").packets.iter().map(|(_, packet)| packet.timestamp).collect();
    assert!(stamps.windows(2).any(|pair| pair[1] - pair[0] > 20 * 960), "time stamps went on");
}

#[test]
fn an_ear_hears_a_mouth_without_any_peer() {
    let mut world = World::new(2);
    world.command(Command::OpenSpeaker("voice".into(), "ai".into()));
    world.command(Command::OpenListener("ear".into(), "ai".into(), OPEN));
    world.command(Command::PushSpeech("voice".into(), "a".into(), tone(960)));
    world.run(199);
    let heard = world.heard("ear");
    assert_eq!(heard[..960], tone(960));
    assert_eq!(heard.len(), 9 * 480);
}

#[test]
fn closing_says_goodbye_to_everyone() {
    let mut world = connected();
    world.add("bob");
    world.run(1_000);
    world.close();
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Closed))), 2);
    world.run(500);
    assert!(["ann", "bob"].iter().all(|name| world.client(name).closed == Some(CloseReason::Remote)));
    assert_eq!(world.shard.deadline(), None);
}

#[test]
fn ids_mirror_their_text() {
    assert_eq!(ItemId::from("a").as_ref(), "a");
    assert_eq!(SpeakerId::from("voice").as_ref(), "voice");
    assert_ne!(client_spec("a", "127.0.0.1:1".parse().unwrap(), &world::identity("127.0.0.1:2")).peer.as_ref(), "");
}
