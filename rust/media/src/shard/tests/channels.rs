//! Data channels: sizes, labels, credits and bounds.

use super::*;

#[test]
fn messages_of_256_kib_pass_both_ways() {
    let mut world = connected();
    world.client_mut("ann").peer.open_channel(0, options("oai-events"));
    world.run(500);
    let Some(Event::ChannelOpened(_, number, opened)) =
        world.events.iter().find(|e| matches!(e, Event::ChannelOpened(..))).cloned()
    else {
        panic!("{:?}", world.events)
    };
    assert_eq!((opened.label.as_str(), opened.ordered), ("oai-events", true));
    let big = "ü".repeat(131_072);
    for n in 0..8 {
        world.command(Command::SendMessage("ann".into(), number, text(&format!("{n}{}", &big[..262_142]))));
        world.client_mut("ann").peer.send_message(0, text(&big));
        world.run(300);
        world.command(Command::MessagesFetched("ann".into(), 262_144));
    }
    world.run(5_000);
    let messages = &world.client("ann").messages;
    assert_eq!(messages.len(), 8);
    assert!(messages.iter().enumerate().all(|(n, m)| m.data.len() == 262_143 && m.data[0] == b'0' + n as u8));
    let came = world.told(|e| matches!(e, Event::MessageReceived(_, _, m) if *m == text(&big)));
    assert_eq!(came, 8);
    let drained: u64 =
        world.events.iter().map(|e| if let Event::ChannelDrained(_, _, bytes) = e { *bytes } else { 0 }).sum();
    assert_eq!(drained, 8 * 262_143);
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(..))), 0);
}

#[test]
fn channels_have_any_label_close_from_either_end_and_may_be_negotiated() {
    let mut world = connected();
    world.command(Command::OpenChannel("ann".into(), 7, ChannelOptions { negotiated: true, ..options("") }));
    world.client_mut("ann").peer.open_channel(7, ChannelOptions { negotiated: true, ..options("") });
    world
        .client_mut("ann")
        .peer
        .open_channel(0, ChannelOptions { max_retransmits: Some(0), ordered: false, ..options("ünï code") });
    world.run(500);
    assert_eq!(world.told(|e| matches!(e, Event::ChannelOpened(_, 7, _))), 1);
    let lossy = world.told(|e| {
        matches!(e, Event::ChannelOpened(_, _, o) if o.label == "ünï code" && !o.ordered && o.max_retransmits == Some(0))
    });
    assert_eq!(lossy, 1);
    world.command(Command::SendMessage("ann".into(), 7, Message { binary: true, data: vec![] }));
    world.command(Command::SendMessage("ann".into(), 7, Message { binary: true, data: vec![0, 255] }));
    world.command(Command::CloseChannel("ann".into(), 7));
    world.run(500);
    assert_eq!(world.client("ann").messages.last(), Some(&Message { binary: true, data: vec![0, 255] }));
    assert_eq!(world.told(|e| matches!(e, Event::ChannelClosed(_, 7))), 1);
    world.command(Command::SendMessage("ann".into(), 7, text("too late")));
    assert_eq!(world.shard.counters().commands_ignored, 1);
    world.client_mut("ann").peer.close_channel(0);
    world.run(500);
    assert_eq!(world.told(|e| matches!(e, Event::ChannelClosed(..))), 2);
}

#[test]
fn unread_messages_close_only_their_peer() {
    let mut world = connected();
    world.add("bob");
    world.run(500);
    world.client_mut("ann").peer.open_channel(0, options("x"));
    world.run(500);
    for _ in 0..5 {
        world.client_mut("ann").peer.send_message(0, text(&"x".repeat(250_000)));
        world.run(300);
    }
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Overflow))), 1);
    assert_eq!(world.told(|e| matches!(e, Event::MessageReceived(..))), 4);
    assert_eq!(world.shard.peers(), 1);
}

#[test]
fn a_flood_of_tiny_messages_is_a_flood() {
    let mut world = connected();
    world.client_mut("ann").peer.open_channel(0, options("x"));
    world.run(500);
    for _ in 0..50 {
        for _ in 0..100 {
            world.client_mut("ann").peer.send_message(0, text("x"));
        }
        world.run(100);
    }
    assert_eq!(world.told(|e| matches!(e, Event::PeerClosed(_, CloseReason::Overflow))), 1);
    let told = world.told(|e| matches!(e, Event::MessageReceived(..)));
    assert!((4_000..4_100).contains(&told), "{told}");
}
