//! Sound between peers and peers without a connection; levels; what passed.

use super::camera::extensions;
use super::*;
use crate::spec::{InternalSlot, PublicationId};

fn hears(world: &mut World, shard: usize, peer: &str, publication: &str) {
    let (peer, mid, publication) = (peer.into(), "0".into(), publication.into());
    world.command_on(shard, Command::Subscribe { peer, mid, publication, wish: LayerWish::default() });
}

fn internal(world: &mut World, shard: usize, peer: &str) {
    let slot = InternalSlot { mid: "0".into(), heard_as: format!("{peer}/hears").as_str().into() };
    world.command_on(shard, Command::AddInternal(peer.into(), vec![slot]));
}

#[test]
fn a_peer_without_a_connection_hears_whoever_is_sent_to_it_and_changes_without_a_break() {
    let mut world = World::new(4);
    for name in ["ann", "bob"] {
        world.add(name);
    }
    internal(&mut world, 0, "ai");
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(id) if id.as_ref() == "ai")), 1, "at once");
    world.run(1_000);
    world.command(Command::OpenListener("ear".into(), "ai/hears".into(), OPEN));
    world.run(1_000);
    assert_eq!(voice_level(&world.heard("ear")).1, 0);
    let before = world.heard("ear").len() / 480;
    assert!((49..=50).contains(&before), "{before}: the lane runs before anybody speaks");
    for name in ["ann", "bob"] {
        hears(&mut world, 0, "ai", &format!("{name}/mic"));
        world.client_mut(name).speak(opus_packets(&tone(24_000)));
        world.run(2_000);
    }
    let heard = world.heard("ear");
    let (_, loud) = voice_level(&heard);
    assert!((46_000..51_500).contains(&loud), "a second of each: {loud}");
    assert_eq!(heard.len() / 480, before + 4_000 / 20);
    world.command(Command::Unsubscribe("ai".into(), "0".into()));
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(1_500);
    assert_eq!(voice_level(&world.heard("ear")).1, loud, "nobody is sent to it now");
    world.command(Command::RemovePeer("ai".into()));
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(id, CloseReason::Removed) if id.as_ref() == "ai")), 1);
    assert_eq!(world.shard.peers(), 2);
}

#[test]
fn an_ai_without_a_connection_is_heard_and_hears_across_shards_and_another_ai_too() {
    let mut world = World::new(4);
    world.add_on(1, "ann", |_| {});
    world.run(1_000);
    internal(&mut world, 0, "ai");
    internal(&mut world, 1, "al");
    world.command(Command::OpenSpeaker("voice".into(), "ai/voice".into()));
    world.command(Command::OpenListener("ear".into(), "ai/hears".into(), OPEN));
    world.command_on(1, Command::OpenListener("al's".into(), "al/hears".into(), OPEN));
    hears(&mut world, 1, "ann", "ai/voice");
    hears(&mut world, 1, "al", "ai/voice");
    hears(&mut world, 0, "ai", "ann/mic");
    world.command(Command::PushSpeech("voice".into(), "a".into(), tone(24_000)));
    world.command(Command::EndSpeech("voice".into(), "a".into()));
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(2_000);
    for ear in ["ear", "al's"] {
        let (_, loud) = voice_level(&world.heard(ear));
        assert!((22_500..26_500).contains(&loud), "{ear}: {loud}");
    }
    assert_eq!(world.client("ann").packets.len(), 51);
    assert_eq!(world.shard.codecs_of(&"ai/voice".into()), [crate::spec::AudioCodec::Opus], "spoken once for both");
    let counters = world.shard.counters();
    assert_eq!((counters.frames_encoded, counters.frames_decoded), (51, 50), "one pass of the codec each way");
}

fn speakers(world: &World, peer: &str) -> Vec<String> {
    let told = |event: &Event| match event {
        Event::ActiveSpeaker(id, who) if id.as_ref() == peer => {
            Some(who.as_ref().map_or("-", AsRef::as_ref).to_owned())
        }
        _ => None,
    };
    world.events.iter().filter_map(told).collect()
}

#[test]
fn who_speaks_is_told_to_those_who_watch() {
    let mut world = World::new(4);
    let with_levels = |spec: &mut PeerSpec| {
        spec.extensions = extensions();
        let second = Slot { mid: "3".into(), publication: None, receive: vec![], ..spec.slots[0].clone() };
        let send = Some(super::world::stream(super::world::seed_of(spec.peer.as_ref()) + 3));
        spec.slots.push(Slot { send, ..second });
    };
    for name in ["ann", "bob"] {
        world.add_with(name, with_levels);
    }
    world.add_on(1, "eve", with_levels);
    world.run(1_000);
    for (mid, publication) in [("0", "ann/mic"), ("3", "bob/mic")] {
        let (peer, mid, publication) = ("eve".into(), mid.into(), publication.into());
        world.command_on(1, Command::Subscribe { peer, mid, publication, wish: LayerWish::default() });
    }
    world.command_on(1, Command::WatchSpeakers("eve".into(), true));
    for (name, other) in [("ann", "bob"), ("bob", "ann")] {
        world.client_mut(name).speak_at(Some(-20), opus_packets(&tone(48_000)));
        world.client_mut(other).speak_at(Some(-70), opus_packets(&vec![0; 48_000]));
        world.run(3_000);
    }
    assert_eq!(speakers(&world, "eve"), ["ann/mic", "bob/mic"]);
    let loudest = |name: &str| {
        let levels = world.events.iter().filter_map(|e| if let Event::LevelsHeard(all) = e { Some(all) } else { None });
        let of: Vec<i8> = levels.flatten().filter(|(who, _)| who.as_ref() == name).map(|(_, level)| *level).collect();
        (of.iter().max().copied(), of.last().copied())
    };
    assert_eq!((loudest("ann/mic"), loudest("bob/mic")), ((Some(-20), Some(-127)), (Some(-20), Some(-127))));
    let level = world.client("eve").packets.iter().map(|(_, packet)| packet.extensions.audio_level).max().flatten();
    assert_eq!(level, Some(-20), "levels are passed on");
    world.command_on(1, Command::WatchSpeakers("eve".into(), false));
    let told = world.told(|e| matches!(e, Event::LevelsHeard(_)));
    world.client_mut("ann").speak_at(Some(-20), opus_packets(&tone(48_000)));
    world.run(3_000);
    assert_eq!(world.told(|e| matches!(e, Event::LevelsHeard(_))), told);
    world.command(Command::RemovePeer("bob".into()));
    assert_eq!(speakers(&world, "eve").len(), 2);
}

#[test]
fn the_ai_s_own_voice_counts_as_a_speaker() {
    let mut world = connected();
    speak_from_ai(&mut world, 48_000);
    world.command(Command::WatchSpeakers("ann".into(), true));
    world.run(1_500);
    assert_eq!(speakers(&world, "ann"), ["ai"]);
    world.command(Command::CloseSpeaker("voice".into()));
    world.run(500);
    assert_eq!(speakers(&world, "ann"), ["ai", "-"]);
}

#[test]
fn what_passed_is_told_by_peer_and_track() {
    let mut world = connected();
    world.add("bob");
    world.run(1_000);
    hears(&mut world, 0, "bob", "ann/mic");
    world.client_mut("ann").speak(opus_packets(&tone(48_000)));
    world.run(3_000);
    world.command(Command::TellStatistics(7));
    let Some(Event::Statistics(7, peers)) = world.events.last().cloned() else { panic!("{:?}", world.events.last()) };
    let names: Vec<&str> = peers.iter().map(|one| one.peer.as_ref()).collect();
    assert_eq!(names, ["ann", "bob"]);
    let given = &peers[0].publications[0];
    assert_eq!((given.mid.as_str(), given.publication.as_ref().unwrap().as_ref()), ("0", "ann/mic"));
    assert_eq!((given.subscribers, given.layers.len(), given.layers[0].packets, given.layers[0].lost), (1, 1, 100, 0));
    let got = &peers[1].subscriptions[0];
    assert_eq!((got.packets, got.bytes, got.switches), (100, given.layers[0].bytes, 0));
    assert_eq!(got.publication, Some(PublicationId::from("ann/mic")));
}

#[test]
fn a_peer_without_a_connection_is_no_peer_with_one() {
    let mut world = connected();
    internal(&mut world, 0, "ann");
    assert_eq!(world.shard.counters().commands_ignored, 1);
    internal(&mut world, 0, "ai");
    world.command(Command::AddInternal("ai".into(), vec![]));
    hears(&mut world, 0, "ai", "ann/mic");
    assert_eq!(world.shard.counters().commands_ignored, 2, "its slot is gone");
    world.close();
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Closed))), 2);
}
