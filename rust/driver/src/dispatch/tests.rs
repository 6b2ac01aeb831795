//! Who goes where, and what happens when things end while commands are under way.

use super::*;
use parley_media::channels::Message;
use parley_media::listener::ListenerOptions;
use parley_media::spec::{Fingerprint, IceCredentials, PeerSpec, Protocol, SctpSpec, Slot, StreamIds, TrackKind};

const OPEN: ListenerOptions = ListenerOptions { detect_speech: false, only_speech: false, pre_roll_ms: 0 };

fn add(peer: &str, ufrag: &str) -> Command {
    let ice = |name: &str| IceCredentials { ufrag: name.into(), password: "p".repeat(22) };
    let slot = Slot {
        mid: "0".into(),
        kind: TrackKind::Audio,
        codecs: vec![],
        publication: Some(format!("{peer}/mic").as_str().into()),
        receive: vec![StreamIds::default()],
        send: None,
    };
    Command::AddPeer(Box::new(PeerSpec {
        peer: peer.into(),
        local_ice: ice(ufrag),
        remote_ice: ice("them"),
        remote_fingerprint: Fingerprint { algorithm: "sha-256".into(), digest: vec![0; 32] },
        dtls_active: true,
        slots: vec![slot],
        extensions: vec![],
        sctp: Some(SctpSpec { mid: "1".into(), port: 5_000, max_message_bytes: 3 }),
        ice_lite: true,
        remote_candidates: vec![],
        estimate_bandwidth: false,
    }))
}

struct Desk {
    dispatch: Dispatch,
    routes: Routes,
}

impl Desk {
    fn new() -> Self {
        Self { dispatch: Dispatch::new(2), routes: Routes::default() }
    }

    fn submit(&mut self, chosen: usize, command: &Command) -> (Target, Followers) {
        let target = self.dispatch.target(command, chosen, &self.routes).unwrap();
        (target, self.dispatch.note(command, target, &mut self.routes))
    }

    fn goes(&mut self, command: &Command) -> Target {
        self.submit(0, command).0
    }
}

#[test]
fn commands_follow_what_they_name() {
    let mut desk = Desk::new();
    assert_eq!(desk.submit(1, &add("ann", "aaaa")).0, Target::Shard(1));
    assert_eq!(desk.submit(0, &add("bob", "bbbb")).0, Target::Shard(0));
    assert_eq!(desk.goes(&Command::CloseChannel("ann".into(), 1)), Target::Shard(1));
    assert_eq!(desk.goes(&Command::OpenListener("ear".into(), "ann/mic".into(), OPEN)), Target::Shard(1));
    assert_eq!(desk.goes(&Command::RestListener("ear".into())), Target::Shard(1));
    assert_eq!(desk.submit(1, &Command::OpenSpeaker("voice".into(), "ai".into())).0, Target::Shard(1));
    assert_eq!(desk.goes(&Command::EndSpeech("voice".into(), "a".into())), Target::Shard(1));
    assert_eq!(desk.goes(&Command::EndSpeech("other".into(), "a".into())), Target::Nobody);
    assert_eq!(desk.goes(&Command::CloseListener("ear".into())), Target::Shard(1));
    assert_eq!(desk.goes(&Command::CloseListener("ear".into())), Target::Nobody);
    assert_eq!(desk.dispatch.ignored(), 2);
}

#[test]
fn a_listener_waits_for_its_publication() {
    let mut desk = Desk::new();
    let open = Command::OpenListener("ear".into(), "ann/mic".into(), OPEN);
    assert_eq!(desk.goes(&open), Target::Later);
    assert_eq!(desk.goes(&Command::OpenListener("late".into(), "ann/mic".into(), OPEN)), Target::Later);
    assert_eq!(desk.goes(&Command::CloseListener("late".into())), Target::Later);
    let (_, followers) = desk.submit(1, &add("ann", "aaaa"));
    assert!(matches!(&followers.here[..], [Command::OpenListener(id, ..)] if id.as_ref() == "ear"));
    assert_eq!(desk.goes(&Command::CloseListener("ear".into())), Target::Shard(1));
    assert_eq!(desk.dispatch.ignored(), 0);
}

#[test]
fn what_moves_is_closed_where_it_was() {
    let mut desk = Desk::new();
    desk.submit(0, &Command::OpenSpeaker("voice".into(), "ai".into()));
    desk.submit(1, &add("ann", "aaaa"));
    desk.goes(&Command::OpenListener("ear".into(), "ai".into(), OPEN));
    let (target, followers) = desk.submit(0, &Command::OpenListener("ear".into(), "ann/mic".into(), OPEN));
    assert_eq!(target, Target::Shard(1));
    assert!(matches!(followers.elsewhere, Some((0, Command::CloseListener(_)))));
    let (_, followers) = desk.submit(1, &Command::OpenSpeaker("voice".into(), "ai".into()));
    assert!(matches!(followers.elsewhere, Some((0, Command::CloseSpeaker(_)))));
    assert_eq!(desk.goes(&Command::OpenListener("ear".into(), "ai".into(), OPEN)), Target::Shard(1));
}

#[test]
fn a_peer_that_is_added_again_while_it_ends_stays_known() {
    let mut desk = Desk::new();
    desk.submit(1, &add("ann", "aaaa"));
    desk.dispatch.added(&"ann".into());
    desk.goes(&Command::RemovePeer("ann".into()));
    desk.submit(1, &add("ann", "aaaa"));
    desk.dispatch.closed(&"ann".into(), 1, &mut desk.routes);
    assert_eq!(desk.goes(&Command::Unsubscribe("ann".into(), "0".into())), Target::Shard(1));
    desk.dispatch.added(&"ann".into());
    desk.dispatch.closed(&"ann".into(), 0, &mut desk.routes);
    assert_eq!(desk.goes(&Command::Unsubscribe("ann".into(), "0".into())), Target::Shard(1), "another's news");
    desk.dispatch.closed(&"ann".into(), 1, &mut desk.routes);
    assert_eq!(desk.goes(&Command::Unsubscribe("ann".into(), "0".into())), Target::Nobody);
    assert!(desk.routes.ufrags.is_empty() && desk.dispatch.publications.is_empty());
    assert!(desk.dispatch.pending.is_empty());
}

#[test]
fn two_peers_never_share_a_ufrag_and_shards_are_counted() {
    let mut desk = Desk::new();
    desk.submit(1, &add("ann", "aaaa"));
    let refused = desk.dispatch.target(&add("bob", "aaaa"), 0, &desk.routes);
    assert_eq!(refused, Err(DispatchError::UfragInUse));
    assert_eq!(desk.dispatch.target(&add("bob", "b"), 2, &desk.routes), Err(DispatchError::NoSuchShard(2, 1)));
    desk.submit(0, &add("ann", "cccc"));
    assert!(desk.dispatch.target(&add("bob", "aaaa"), 0, &desk.routes).is_ok(), "a restart of ICE frees the old one");
}

#[test]
fn a_source_belongs_to_the_shard_that_learned_it_last() {
    let mut routes = Routes::default();
    let source = (Protocol::Udp, "192.0.2.1:5".parse().unwrap());
    routes.learn(0, &[SourceChange::Learned(source)]);
    routes.learn(1, &[SourceChange::Learned(source)]);
    routes.learn(0, &[SourceChange::Forgotten(source)]);
    assert_eq!(routes.find(source, &[128, 0]), Some(1));
    routes.learn(1, &[SourceChange::Forgotten(source)]);
    assert_eq!(routes.find(source, &[128, 0]), None);
}

#[test]
fn a_message_above_the_peers_limit_is_refused() {
    let mut desk = Desk::new();
    desk.submit(1, &add("ann", "aaaa"));
    let send = |data: &str| Command::SendMessage("ann".into(), 1, Message { binary: false, data: data.into() });
    assert_eq!(desk.goes(&send("abc")), Target::Shard(1));
    let refused = desk.dispatch.target(&send("abcd"), 0, &desk.routes).unwrap_err();
    assert_eq!(refused.to_string(), "a message of 4 bytes is above the peer's 3; split it");
}
