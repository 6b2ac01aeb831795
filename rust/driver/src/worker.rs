//! One shard's turns: take what waits, let the machine work, send, tell, and know when to come back.
//!
//! A panic that no peer contains costs this shard its peers, each told as failed, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use parley_media::border::{ShardIndex, To};
use parley_media::identity::Identity;
use parley_media::peer::{CloseReason, Transmit};
use parley_media::plane::{Command, Counters, Event};
use parley_media::shard::Shard;
use parley_media::spec::PeerId;

use crate::dispatch::{Dispatch, Routes};
use crate::inbox::{Inbox, Taken};
use crate::ring::Ring;
use crate::{lock, write};

/// The way out for datagrams.
pub(crate) trait Wire {
    /// Send all; what cannot be sent is lost, as on any network.
    fn send(&mut self, transmits: &[Transmit]);
}

/// What all threads of one core share.
pub(crate) struct Shared {
    pub identity: Identity,
    /// Where the caller's clock was 0.
    pub epoch: Instant,
    pub ring: Ring,
    pub dispatch: Mutex<Dispatch>,
    pub routes: RwLock<Routes>,
    pub inboxes: Vec<Arc<Inbox>>,
    pub counters: Vec<Mutex<Counters>>,
}

/// One shard and its ends.
pub(crate) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    shard: Shard,
    taken: Taken,
    /// When the reader of events should be woken.
    wake_at: Option<Instant>,
    /// Of shards that broke.
    past: Counters,
    done: bool,
}

impl Worker {
    pub fn new(index: usize, shared: Arc<Shared>) -> Self {
        Self {
            index,
            inbox: shared.inboxes[index].clone(),
            shard: Shard::new(shared.identity.clone(), shared.epoch),
            shared,
            taken: Taken::default(),
            wake_at: None,
            past: Counters::default(),
            done: false,
        }
    }

    /// Serve until the inbox says to end.
    pub fn run(mut self, wire: &mut dyn Wire) {
        while !self.done {
            let until = self.deadline();
            self.inbox.wait(until, &mut self.taken);
            self.turn(Instant::now(), wire);
        }
    }

    /// One turn without waiting.
    pub fn step(&mut self, now: Instant, wire: &mut dyn Wire) {
        if !self.done {
            self.inbox.take(&mut self.taken);
            self.turn(now, wire);
        }
    }

    /// When to take the next turn at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.shard.deadline().into_iter().chain(self.wake_at).min()
    }

    fn turn(&mut self, now: Instant, wire: &mut dyn Wire) {
        let mut added = Vec::new();
        let commands = std::mem::take(&mut self.taken.commands);
        let border = std::mem::take(&mut self.taken.border);
        let worked = catch_unwind(AssertUnwindSafe(|| {
            for command in commands {
                match &command {
                    Command::AddPeer(spec) => added.push(spec.peer.clone()),
                    Command::AddInternal(peer, _) => added.push(peer.clone()),
                    _ => {}
                }
                self.shard.command(now, command);
            }
            for (from, message) in border {
                self.shard.border(now, from, message);
            }
            for datagram in self.taken.datagrams.iter() {
                self.shard.receive(now, datagram);
            }
            if self.taken.closing {
                self.shard.close(now);
            }
            self.shard.advance(now);
        }));
        let mut events = self.shard.take_events();
        if worked.is_err() {
            events.extend(self.start_over());
        }
        self.taken.datagrams.clear();
        let changes = self.shard.take_source_changes();
        if !changes.is_empty() {
            write(&self.shared.routes).learn(self.index, &changes);
        }
        wire.send(&self.shard.take_transmits());
        self.tell_others();
        self.count();
        self.tell(now, &added, events);
        self.done = self.taken.closing;
    }

    /// Carry what this shard tells others.
    fn tell_others(&mut self) {
        let told = self.shard.take_border();
        if told.is_empty() || self.shared.inboxes.len() == 1 {
            return;
        }
        let from = self.index as ShardIndex;
        for (index, inbox) in self.shared.inboxes.iter().enumerate().filter(|(index, _)| *index != self.index) {
            let theirs = |to: &To| *to == To::Others || *to == To::Shard(index as ShardIndex);
            let mut messages = told.iter().filter(|(to, _)| theirs(to)).map(|(_, message)| message.clone()).peekable();
            if messages.peek().is_some() {
                inbox.border(from, messages);
            }
        }
    }

    /// Whether other shards told something that was not taken yet.
    pub fn has_border(&self) -> bool {
        !self.done && self.inbox.has_border()
    }

    /// Post events, after the books say who is gone.
    fn tell(&mut self, now: Instant, added: &[PeerId], events: Vec<Event>) {
        let gone = |event: &Event| matches!(event, Event::PeerClosed(..));
        if !added.is_empty() || events.iter().any(gone) {
            let mut dispatch = lock(&self.shared.dispatch);
            let mut routes = write(&self.shared.routes);
            for peer in added {
                dispatch.added(peer);
            }
            for event in &events {
                if let Event::PeerClosed(peer, _) = event
                    && !self.shard.has_peer(peer)
                {
                    dispatch.closed(peer, self.index, &mut routes);
                }
            }
        }
        if !events.is_empty() {
            self.wake_at = self.shared.ring.post(now, events).or(self.wake_at);
        }
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = None;
            self.shared.ring.wake(now);
        }
    }

    fn start_over(&mut self) -> Vec<Event> {
        let lost: Vec<Event> =
            self.shard.peer_ids().map(|peer| Event::PeerClosed(peer.clone(), CloseReason::Failed)).collect();
        let broken = self.shard.counters();
        self.past.audio_blocks_dropped += broken.audio_blocks_dropped;
        self.past.commands_ignored += broken.commands_ignored;
        self.past.datagrams_dropped += broken.datagrams_dropped;
        self.past.peers_broken += broken.peers_broken + lost.len() as u64;
        self.past.frames_decoded += broken.frames_decoded;
        self.past.frames_encoded += broken.frames_encoded;
        let identity = self.shared.identity.clone();
        self.shard = Shard::new(identity, self.shared.epoch);
        lost
    }

    fn count(&self) {
        let (now, past) = (self.shard.counters(), self.past);
        *lock(&self.shared.counters[self.index]) = Counters {
            audio_blocks_dropped: now.audio_blocks_dropped + past.audio_blocks_dropped,
            commands_ignored: now.commands_ignored + past.commands_ignored,
            datagrams_dropped: now.datagrams_dropped + past.datagrams_dropped,
            peers_broken: now.peers_broken + past.peers_broken,
            frames_decoded: now.frames_decoded + past.frames_decoded,
            frames_encoded: now.frames_encoded + past.frames_encoded,
        };
    }
}
