//! Pictures: layers, changes of source, repair, and what the network carries.

use super::camera::{Camera, Layer, decode, extensions, slot};
use super::world::seed_of;
use super::*;
use crate::statistics::PeerStatistics;

const F: u32 = 7_000;
const H: u32 = 7_010;
const Q: u32 = 7_020;

fn layers() -> Vec<Layer> {
    vec![Layer::new(Some("f"), F, 800), Layer::new(Some("h"), H, 300), Layer::new(Some("q"), Q, 90)]
}

fn sees(name: &str) -> u32 {
    seed_of(name) + 5
}

/// Someone with a camera in three layers.
fn publisher(world: &mut World, name: &str) {
    let publication = format!("{name}/camera");
    world.add_with(name, |spec| {
        spec.extensions = extensions();
        spec.slots.push(slot("2", Some(&publication), &["f", "h", "q"], None));
    });
}

/// Someone who is given pictures on slot 2.
fn viewer(world: &mut World, shard: usize, name: &str) {
    world.add_on(shard, name, |spec| {
        spec.extensions = extensions();
        spec.slots.push(slot("2", None, &[], Some(sees(name))));
    });
}

fn watch(world: &mut World, shard: usize, name: &str, publication: &str, wish: LayerWish) {
    let (peer, mid, publication) = (name.into(), "2".into(), publication.into());
    world.command_on(shard, Command::Subscribe { peer, mid, publication, wish });
}

fn seen(world: &World, name: &str) -> camera::Seen {
    decode(&world.client(name).packets, sees(name))
}

fn stage(viewers: &[&str]) -> World {
    let mut world = World::new(11);
    publisher(&mut world, "pam");
    for name in viewers {
        viewer(&mut world, 0, name);
    }
    world.run(1_000);
    let camera = Camera::new(world.now, "2", layers());
    world.client_mut("pam").film(camera);
    for name in viewers {
        watch(&mut world, 0, name, "pam/camera", LayerWish::default());
    }
    world
}

/// Someone whose picture has one layer, and a viewer of it.
fn plain_stage(seed: u64, kbits: u64) -> World {
    let mut world = World::new(seed);
    publisher(&mut world, "pam");
    viewer(&mut world, 0, "ann");
    world.run(1_000);
    let camera = Camera::new(world.now, "2", vec![Layer::new(Some("f"), F, kbits)]);
    world.client_mut("pam").film(camera);
    watch(&mut world, 0, "ann", "pam/camera", LayerWish::default());
    world.run(2_000);
    world
}

/// Let time pass; ask for a key frame when nothing can be shown, as decoders do.
fn look(world: &mut World, name: &str, ms: u64) {
    for _ in 0..ms / 500 {
        let shown = seen(world, name).pictures.len();
        world.run(500);
        if seen(world, name).pictures.len() == shown {
            ask(world, name);
        }
    }
}

/// Let time pass until this layer is shown, 30 s at most.
fn until(world: &mut World, name: &str, layer: Option<u32>) {
    for _ in 0..30 {
        look(world, name, 1_000);
        if seen(world, name).layer_at(world.now) == layer {
            break;
        }
    }
}

fn ask(world: &mut World, name: &str) {
    let mut api = world.client_mut(name).peer.library().direct_api();
    let stream = api.stream_rx(&sees(name).into()).unwrap();
    stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
}

#[test]
fn a_viewer_whose_network_gets_narrow_steps_down_and_up_again_and_nobody_else_does() {
    // The network changes while the estimator is at different points of its own.
    for (calm_ms, narrow_ms) in [(12_000, 10_000), (12_500, 14_000), (13_300, 10_000), (19_000, 14_000)] {
        narrows_and_widens(calm_ms, narrow_ms);
    }
}

fn narrows_and_widens(calm_ms: u64, narrow_ms: u64) {
    let mut world = stage(&["ann", "bob"]);
    world.run(calm_ms);
    let before = world.now;
    assert_eq!(seen(&world, "ann").layer_at(before), Some(F), "{:?}", seen(&world, "ann").changes());
    assert_eq!(seen(&world, "bob").layer_at(before), Some(F));
    world.client_mut("ann").downlink.bits_per_second = Some(150_000);
    look(&mut world, "ann", narrow_ms);
    let narrow = world.now;
    assert_eq!(seen(&world, "ann").layer_at(narrow), Some(Q), "{:?}", seen(&world, "ann").changes());
    world.client_mut("ann").downlink.bits_per_second = None;
    look(&mut world, "ann", 30_000);
    let (ann, bob) = (seen(&world, "ann"), seen(&world, "bob"));
    assert_eq!(ann.layer_at(world.now), Some(F), "{:?}", ann.changes());
    let (down, up) = (
        ann.changes().iter().find(|(at, ssrc)| *at > before && *ssrc == Q).unwrap().0 - before,
        ann.changes().iter().find(|(at, ssrc)| *at > narrow && *ssrc == F).unwrap().0 - narrow,
    );
    assert!(down < Duration::from_secs(7), "{down:?}");
    assert!(up < Duration::from_secs(15), "{up:?}");
    let none_between = |from, to| !ann.changes().iter().any(|(at, _)| *at > from && *at <= to);
    assert!(none_between(before + down, narrow), "looking for more changes nothing: {:?}", ann.changes());
    assert!(none_between(narrow + up, world.now), "{:?}", ann.changes());
    assert!(bob.changes().iter().all(|(at, _)| *at < before), "{:?}", bob.changes());
    assert_eq!(bob.errors, [""; 0]);
}

/// What passed, told by the shard.
fn statistics(world: &mut World, shard: usize) -> Vec<PeerStatistics> {
    world.command_on(shard, Command::TellStatistics(1));
    let told = world.events.iter().rev().find_map(|event| match event {
        Event::Statistics(1, peers) => Some(peers.clone()),
        _ => None,
    });
    told.unwrap()
}

#[test]
fn the_first_picture_is_a_key_frame_asked_for_once_for_all_who_come_together() {
    let viewers: Vec<String> = (0..10).map(|n| format!("v{n}")).collect();
    let names: Vec<&str> = viewers.iter().map(String::as_str).collect();
    let mut world = World::new(3);
    publisher(&mut world, "pam");
    for name in &names {
        viewer(&mut world, 0, name);
    }
    world.run(1_000);
    let camera = Camera::new(world.now, "2", vec![Layer::new(Some("f"), F, 200)]);
    world.client_mut("pam").film(camera);
    world.run(5_000);
    assert!(world.client("pam").asked.is_empty(), "nobody looks");
    let begin = world.now;
    for name in &names {
        watch(&mut world, 0, name, "pam/camera", LayerWish::default());
        world.run(10);
    }
    world.run(3_000);
    for name in names {
        let seen = seen(&world, name);
        assert_eq!(seen.errors, [""; 0], "{name}");
        assert!(seen.pictures.len() >= 30, "{name} {}", seen.pictures.len());
        assert!(seen.pictures[0].0 - begin < Duration::from_millis(900), "{name}");
    }
    assert!(world.client("pam").asked.len() <= 2, "{:?}", world.client("pam").asked.len());
}

#[test]
fn a_publisher_is_asked_for_a_key_frame_twice_a_second_at_most() {
    let mut world = stage(&["ann", "bob"]);
    world.client_mut("pam").camera().layers.truncate(1);
    world.run(2_000);
    let before = world.client("pam").asked.len();
    for _ in 0..100 {
        ask(&mut world, "ann");
        ask(&mut world, "bob");
        world.run(50);
    }
    world.run(1_000);
    let asked = &world.client("pam").asked[before..];
    assert!((9..=13).contains(&asked.len()), "{}", asked.len());
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(480)), "{pauses:?}");
}

#[test]
fn another_source_goes_on_in_the_same_stream_without_a_gap() {
    let mut world = stage(&["ann"]);
    publisher(&mut world, "pat");
    world.run(1_000);
    let camera = Camera::new(world.now, "2", vec![Layer::new(Some("x"), 9_000, 250), Layer::new(None, 9_100, 1)]);
    let mut camera = camera;
    camera.layers[1].running = false;
    camera.layers[0].rid = Some("q");
    world.client_mut("pat").film(camera);
    world.run(4_000);
    for round in 0..6 {
        let source = if round % 2 == 0 { "pat/camera" } else { "pam/camera" };
        watch(&mut world, 0, "ann", source, LayerWish::default());
        world.run(2_000);
    }
    let seen = seen(&world, "ann");
    assert_eq!(seen.errors, [""; 0]);
    let came_from_pat = seen.pictures.iter().filter(|(_, ssrc)| *ssrc == 9_000).count();
    assert!((60..=100).contains(&came_from_pat), "{came_from_pat}");
    let numbers: Vec<u64> = world
        .client("ann")
        .packets
        .iter()
        .filter(|(_, packet)| packet.ssrc == sees("ann"))
        .map(|(_, packet)| packet.sequence)
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "one unbroken sequence");
}

#[test]
fn lost_packets_are_repaired_on_both_ways() {
    let mut world = stage(&["ann"]);
    world.run(3_000);
    world.loss_percent = 3;
    look(&mut world, "ann", 20_000);
    world.loss_percent = 0;
    world.run(3_000);
    let seen = seen(&world, "ann");
    assert!(seen.pictures.len() >= 340, "{} of 390", seen.pictures.len());
    let all = statistics(&mut world, 0);
    let ann = all.iter().find(|one| one.peer.as_ref() == "ann").unwrap();
    assert!(ann.subscriptions[0].nacks > 20, "{ann:?}");
    let pam = all.iter().find(|one| one.peer.as_ref() == "pam").unwrap();
    let lost: u64 = pam.publications.iter().flat_map(|one| &one.layers).map(|layer| layer.lost).sum();
    assert!(lost <= 3, "repaired before it was told: {pam:?}");
}

/// How late packets come at the most between two instants, beyond the first; their time stamps say when they were sent.
fn latest(world: &World, name: &str, from: Instant, until: Instant) -> f64 {
    let packets = world
        .client(name)
        .packets
        .iter()
        .filter(|(at, packet)| packet.ssrc == sees(name) && (from..until).contains(at));
    let mut first = None;
    let late = packets.map(|(at, packet)| {
        let (begun, stamp) = *first.get_or_insert((*at, packet.timestamp));
        (*at - begun).as_secs_f64() - f64::from(packet.timestamp.wrapping_sub(stamp).cast_signed()) / 90_000.0
    });
    late.fold(0.0, f64::max)
}

#[test]
fn a_picture_without_layers_is_not_held_back_where_little_is_thought_of_the_network() {
    let mut world = plain_stage(11, 900);
    world.client_mut("ann").downlink.bits_per_second = Some(600_000);
    look(&mut world, "ann", 4_000);
    world.client_mut("ann").downlink.bits_per_second = None;
    world.run(500);
    let all = statistics(&mut world, 0);
    let estimate = all.iter().find(|one| one.peer.as_ref() == "ann").unwrap().estimate;
    assert!(estimate.unwrap() < 800_000, "less than the pictures take: {estimate:?}");
    let from = world.now;
    look(&mut world, "ann", 3_000);
    let late = latest(&world, "ann", from, world.now);
    assert!(late < 0.3, "{late} s: no queue");
}

#[test]
fn pictures_are_repaired_where_much_is_lost() {
    for seed in 1..=5 {
        let mut world = plain_stage(seed, 400);
        (world.loss_percent, world.jitter_ms) = (8, 30);
        let from = world.now;
        look(&mut world, "ann", 20_000);
        let shown = seen(&world, "ann").pictures.iter().filter(|(at, _)| *at > from).count();
        assert!(shown >= 285, "seed {seed}: {shown} of 300");
        let late = latest(&world, "ann", from, world.now);
        assert!(late < 0.5, "seed {seed}: {late} s");
    }
}

#[test]
fn publishers_are_told_how_every_packet_arrived() {
    let mut world = stage(&["ann"]);
    world.client_mut("pam").peer.look_for(3_000_000);
    world.run(10_000);
    let estimate = world.client("pam").peer.estimate().unwrap();
    assert!(estimate > 2_000_000, "{estimate}: without reports it would stay at the first guess");
}

#[test]
fn a_wish_is_followed_and_what_leaves_nothing_sends_nothing() {
    use crate::layers::Fallback;
    let mut world = stage(&["ann"]);
    world.run(10_000);
    let wish = |preferred: &str, when_missing| LayerWish {
        preferred: Some(preferred.into()),
        when_missing,
        ..LayerWish::default()
    };
    for (preferred, when_missing, expected) in [
        ("h", Fallback::Measured, Some(H)),
        ("q", Fallback::Measured, Some(Q)),
        ("zz", Fallback::Measured, Some(F)),
        ("zz", Fallback::Never, None),
        ("g", Fallback::Asciibetical, Some(H)),
    ] {
        watch(&mut world, 0, "ann", "pam/camera", wish(preferred, when_missing));
        until(&mut world, "ann", expected);
        let came = world.client("ann").packets.len();
        world.run(2_000);
        let got = (world.client("ann").packets.len() > came).then(|| seen(&world, "ann").layer_at(world.now).unwrap());
        assert_eq!(got, expected, "{preferred} {when_missing:?}");
    }
    assert_eq!(seen(&world, "ann").errors, [""; 0]);
}

#[test]
fn a_layer_that_the_publisher_stops_sending_is_replaced() {
    let mut world = stage(&["ann"]);
    world.run(10_000);
    world.client_mut("pam").camera().layers[0].running = false;
    until(&mut world, "ann", Some(H));
    assert_eq!(seen(&world, "ann").layer_at(world.now), Some(H));
    world.client_mut("pam").camera().layers[0].running = true;
    until(&mut world, "ann", Some(F));
    assert_eq!(seen(&world, "ann").layer_at(world.now), Some(F));
    assert_eq!(seen(&world, "ann").errors, [""; 0]);
}

#[test]
fn a_publication_on_another_shard_is_seen_as_well() {
    let mut world = World::new(5);
    publisher(&mut world, "pam");
    viewer(&mut world, 1, "ann");
    viewer(&mut world, 2, "bob");
    world.run(1_000);
    for (shard, name) in [(1, "ann"), (2, "bob")] {
        watch(&mut world, shard, name, "pam/camera", LayerWish::default());
    }
    world.run(500);
    let camera = Camera::new(world.now, "2", layers());
    world.client_mut("pam").film(camera);
    world.run(12_000);
    for name in ["ann", "bob"] {
        let seen = seen(&world, name);
        assert_eq!(seen.errors, [""; 0], "{name}");
        assert_eq!(seen.layer_at(world.now), Some(F), "{name}");
    }
    let (peer, mid) = ("ann".into(), "2".into());
    world.command_on(1, Command::Unsubscribe(peer, mid));
    let before = [world.client("ann").packets.len(), seen(&world, "bob").pictures.len()];
    world.run(2_000);
    let after = [world.client("ann").packets.len(), seen(&world, "bob").pictures.len()];
    assert!(after[0] <= before[0] + 60 && after[1] >= before[1] + 28, "{before:?} {after:?}");
    world.command(Command::RemovePeer("pam".into()));
    world.run(500);
    publisher(&mut world, "pia");
    let told = world.shard.take_border();
    assert!(told.is_empty(), "nobody wants what pia has: {told:?}");
}

#[test]
fn a_shard_that_begins_anew_learns_what_others_want() {
    let mut world = World::new(5);
    world.add_on(1, "ann", |spec| spec.slots.push(slot("2", None, &[], Some(sees("ann")))));
    world.run(1_000);
    watch(&mut world, 1, "ann", "pam/camera", LayerWish::default());
    world.shard = Shard::new(super::world::identity("192.0.2.1:3478"), world.now);
    world.run(100);
    world.command(Command::OpenSpeaker("voice".into(), "pam/camera".into()));
    assert!(world.shard.router.is_wanted(&"pam/camera".into()));
}

#[test]
fn pictures_go_on_after_a_second_handshake_of_either_end() {
    let mut world = stage(&["ann"]);
    world.run(3_000);
    for (name, port) in [("ann", 7_001), ("pam", 7_002), ("ann", 7_003)] {
        let camera = world.client_mut(name).take_camera();
        world.hang_up(name);
        let spec = world.client(name).peer.spec().clone();
        let addr = format!("192.0.2.99:{port}").parse().unwrap();
        let again = Client::new(spec, addr, world.now);
        world.replace(name, again);
        let came = world.client("ann").packets.len();
        world.run(1_000);
        if let Some(camera) = camera {
            world.client_mut(name).film(camera);
        }
        look(&mut world, "ann", 8_000);
        let fresh = &world.client("ann").packets[came..];
        let shown = decode(fresh, sees("ann")).pictures.len();
        assert!(shown >= 75, "{name}: {shown} of 120");
    }
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
}

#[test]
fn payload_types_extensions_and_channels_may_come_after_the_first_spec() {
    let mut world = World::new(8);
    let bare = |spec: &mut PeerSpec| {
        spec.extensions = extensions();
        spec.extensions.truncate(4);
        spec.sctp = None;
    };
    world.add_with("pam", bare);
    world.add_with("ann", |spec| {
        bare(spec);
        spec.estimate_bandwidth = true;
    });
    world.run(1_000);
    // Sound only until now: pictures under new payload types, layers under new extension ids, and data channels.
    for name in ["pam", "ann"] {
        let mut spec = server_spec(name, &world.client(name).identity);
        spec.extensions = extensions();
        spec.estimate_bandwidth = name == "ann";
        spec.slots.push(if name == "pam" {
            slot("2", Some("pam/camera"), &["f", "h", "q"], None)
        } else {
            slot("2", None, &[], Some(sees("ann")))
        });
        world.renegotiate(name, spec);
    }
    world.client_mut("ann").peer.open_channel(0, options("late"));
    let camera = Camera::new(world.now, "2", layers());
    world.client_mut("pam").film(camera);
    watch(&mut world, 0, "ann", "pam/camera", LayerWish::default());
    world.run(12_000);
    let seen = seen(&world, "ann");
    assert_eq!(seen.errors, [""; 0]);
    assert_eq!(seen.layer_at(world.now), Some(F), "{:?}", seen.changes());
    assert_eq!(world.told(|e| matches!(e, Event::ChannelOpened(..))), 1);
    let all = statistics(&mut world, 0);
    let ann = all.iter().find(|one| one.peer.as_ref() == "ann").unwrap();
    assert!(ann.estimate.unwrap() > 800_000, "{ann:?}");
}

#[test]
fn a_mid_is_used_again_for_another_kind() {
    let mut world = stage(&["ann"]);
    world.run(4_000);
    world.command(Command::Unsubscribe("ann".into(), "2".into()));
    world.run(300);
    let mut spec = world.server_spec_of("ann");
    let spoken = Slot { send: Some(super::world::stream(sees("ann") + 100)), ..spec.slots[0].clone() };
    spec.slots[1] = Slot { mid: "2".into(), publication: None, receive: vec![], ..spoken };
    world.renegotiate("ann", spec);
    let pictures = seen(&world, "ann").pictures.len();
    world.command(Command::OpenSpeaker("voice".into(), "ai".into()));
    watch(&mut world, 0, "ann", "ai", LayerWish::default());
    world.command(Command::PushSpeech("voice".into(), "a".into(), tone(24_000)));
    world.run(2_000);
    let heard = world.client("ann").packets.iter().filter(|(_, packet)| packet.ssrc == sees("ann") + 100).count();
    assert!((49..=51).contains(&heard), "{heard}");
    assert!(seen(&world, "ann").pictures.len() <= pictures + 2);
    // And back, under a fresh SSRC.
    let mut spec = world.server_spec_of("ann");
    spec.slots[1] = slot("2", None, &[], Some(sees("ann") + 200));
    world.renegotiate("ann", spec);
    watch(&mut world, 0, "ann", "pam/camera", LayerWish::default());
    world.run(4_000);
    let again = decode(&world.client("ann").packets, sees("ann") + 200);
    assert!(again.errors.is_empty() && again.pictures.len() > 40, "{again:?}");
}

#[test]
fn a_stream_that_comes_back_goes_on_with_its_numbers() {
    let mut world = stage(&["ann"]);
    world.run(4_000);
    let whole = world.server_spec_of("ann");
    let mut without = whole.clone();
    without.slots[1].send = None;
    world.command(Command::AddPeer(Box::new(without)));
    world.run(1_000);
    world.command(Command::AddPeer(Box::new(whole)));
    watch(&mut world, 0, "ann", "pam/camera", LayerWish::default());
    world.run(4_000);
    let seen = seen(&world, "ann");
    assert_eq!(seen.errors, [""; 0]);
    assert!(seen.pictures.len() > 90, "{}", seen.pictures.len());
}
