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

/// What came of those sent on a channel, by their first bytes.
fn came(world: &World, beginning: &str) -> usize {
    world.client("ann").messages.iter().filter(|message| message.data.starts_with(beginning.as_bytes())).count()
}

/// Two channels to ann: `cursor`, whose messages live 200 ms, has number 6, and `chat` number 8.
fn with_a_lifetime() -> World {
    let mut world = connected();
    let cursor = ChannelOptions { ordered: false, max_lifetime_ms: Some(200), ..options("cursor") };
    world.command(Command::OpenChannel("ann".into(), 6, cursor));
    world.command(Command::OpenChannel("ann".into(), 8, options("chat")));
    world.run(500);
    world
}

fn drained(world: &World, channel: u16) -> u64 {
    let bytes = |event: &Event| match event {
        Event::ChannelDrained(_, number, bytes) if *number == channel => *bytes,
        _ => 0,
    };
    world.events.iter().map(bytes).sum()
}

#[test]
fn what_is_lost_for_longer_than_it_may_live_never_comes() {
    let mut world = with_a_lifetime();
    world.loss_percent = 100;
    for number in [6, 8] {
        world.command(Command::SendMessage("ann".into(), number, text(&format!("{number} old"))));
    }
    world.run(1_500);
    world.loss_percent = 0;
    for number in [6, 8] {
        world.command(Command::SendMessage("ann".into(), number, text(&format!("{number} new"))));
    }
    world.run(6_000);
    assert_eq!(["6 old", "8 old", "6 new", "8 new"].map(|word| came(&world, word)), [0, 1, 1, 1]);
    assert_eq!((drained(&world, 6), drained(&world, 8)), (10, 10));
}

#[test]
fn a_message_has_the_time_that_it_was_given_and_no_less() {
    let mut world = with_a_lifetime();
    let theirs = ChannelOptions { max_lifetime_ms: Some(750), ..options("theirs") };
    world.client_mut("ann").peer.open_channel(20, theirs);
    world.run(500);
    let told = world.told(|event| {
        matches!(event, Event::ChannelOpened(_, _, o) if (o.max_lifetime_ms, o.max_retransmits) == (Some(750), None))
    });
    assert_eq!(told, 1, "{:?}", world.events);
    for number in [6, 8] {
        world.command(Command::SendMessage("ann".into(), number, text(&format!("{number} soon"))));
    }
    world.run(100);
    assert_eq!(["6 soon", "8 soon"].map(|word| came(&world, word)), [1, 1]);
}

#[test]
fn what_waits_in_line_for_longer_than_it_may_live_is_dropped_and_counted() {
    let mut world = with_a_lifetime();
    world.client_mut("ann").downlink.bits_per_second = Some(400_000);
    let filler = "x".repeat(16_000);
    for _ in 0..64 {
        world.command(Command::SendMessage("ann".into(), 6, text(&format!("6 old {filler}"))));
    }
    // A megabyte would be under way for 20 s.
    world.run(3_000);
    assert_eq!(drained(&world, 6), 64 * 16_006);
    assert!((1..20).contains(&came(&world, "6 old")), "{}", came(&world, "6 old"));
    world.command(Command::SendMessage("ann".into(), 6, text("6 new")));
    world.run(1_000);
    assert_eq!(came(&world, "6 new"), 1);
}
