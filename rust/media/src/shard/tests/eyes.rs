//! An AI that sees: stills of a real stream, encrypted and lossy, and what the camera is asked for.

use super::camera::{Camera, Layer, extensions, slot};
use super::*;
use crate::eye::Still;

const SSRC: u32 = 7_000;

/// Someone with a camera that films from now on, watched or not.
fn stage(watched: bool) -> World {
    let mut world = World::new(5);
    world.add_with("ann", |spec| {
        spec.extensions = extensions();
        spec.slots.push(slot("2", Some("ann/camera"), &["f"], None));
    });
    world.run(1_000);
    let mut camera = Camera::new(world.now, "2", vec![Layer::new(Some("f"), SSRC, 400)]);
    camera.real = true;
    world.client_mut("ann").film(camera);
    if watched {
        world.command(Command::WatchCamera("ann".into(), Some("2".into())));
    }
    world
}

fn stills(world: &World) -> Vec<&Still> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StillSeen(peer, still) if *peer == "ann".into() => Some(still),
            _ => None,
        })
        .collect()
}

#[test]
fn a_camera_is_asked_once_a_second_and_gives_a_still_each_time() {
    let mut world = stage(true);
    world.run(5_500);
    let asked = &world.client("ann").asked;
    assert!((4..=5).contains(&asked.len()), "{}", asked.len());
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)));
    let stills = stills(&world);
    assert_eq!(stills.len(), asked.len() + 1, "the first one came by itself");
    assert!(stills.iter().all(|still| (still.width, still.height) == (320, 240)));
    let whole = 400_000 / 8 / 15 * 3;
    assert!(stills.iter().all(|still| still.webp.len() > whole * 9 / 10), "of several packets each");
}

#[test]
fn stills_come_through_loss() {
    let mut world = stage(true);
    (world.loss_percent, world.jitter_ms) = (5, 30);
    world.run(20_000);
    let seen = stills(&world).len();
    assert!((4..=20).contains(&seen), "{seen}");
    assert!(world.client("ann").asked.len() >= 12);
}

#[test]
fn a_camera_that_nobody_watches_is_not_asked() {
    let mut world = stage(false);
    world.run(3_000);
    assert!(world.client("ann").asked.is_empty() && stills(&world).is_empty());
    world.command(Command::WatchCamera("ann".into(), Some("2".into())));
    world.run(2_500);
    assert!(!stills(&world).is_empty(), "also where it films already");
    world.command(Command::WatchCamera("ann".into(), None));
    let (seen, asked) = (stills(&world).len(), world.client("ann").asked.len());
    world.run(3_000);
    assert_eq!((stills(&world).len(), world.client("ann").asked.len()), (seen, asked));
}

#[test]
fn a_camera_that_is_switched_off_is_not_asked() {
    let mut world = stage(true);
    world.run(2_500);
    drop(world.client_mut("ann").take_camera());
    world.run(200);
    let (seen, asked) = (stills(&world).len(), world.client("ann").asked.len());
    world.run(5_000);
    assert_eq!((stills(&world).len(), world.client("ann").asked.len()), (seen, asked));
}

#[test]
fn only_peers_with_a_connection_have_cameras() {
    let mut world = stage(true);
    for (name, mid) in [("nobody", Some("2".into())), ("nobody", None)] {
        let before = world.shard.counters().commands_ignored;
        world.command(Command::WatchCamera(name.into(), mid));
        assert_eq!(world.shard.counters().commands_ignored, before + 1);
    }
    world.command(Command::WatchCamera("ann".into(), Some("0".into())));
    world.client_mut("ann").speak(opus_packets(&tone(24_000)));
    world.run(1_500);
    assert!(stills(&world).is_empty(), "sound is no picture");
    world.command(Command::RemovePeer("ann".into()));
    world.run(500);
}
