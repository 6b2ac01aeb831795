//! Which shard a command is for, and which shard a datagram is for.
//!
//! The caller chooses a shard where it adds a peer or opens a speaker; everything else follows what it names. A listener
//! lives where its publication does, so that sound never crosses a border encoded; one that is opened before its
//! publication waits for it here.
//!
//! A peer can end by itself while commands about it are on their way, also a command that adds it anew. So a peer is
//! forgotten only when its shard says that it is gone and no such command is under way.

use std::collections::HashMap;

use parley_media::demux::{Source, SourceChange, ufrag};
use parley_media::plane::Command;
use parley_media::spec::{ListenerId, PeerId, PublicationId, SpeakerId};
use thiserror::Error;

/// Why a command cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DispatchError {
    /// There are not so many shards.
    #[error("shard: {0} is beyond the last, {1}")]
    NoSuchShard(usize, usize),
    /// Checks are told apart by it.
    #[error("local_ice: the ufrag is that of another peer; choose a fresh one for each")]
    UfragInUse,
    /// The peer said how much it takes.
    #[error("a message of {0} bytes is above the peer's {1}; split it")]
    MessageTooLong(usize, usize),
}

/// Where a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To this shard.
    Shard(usize),
    /// To every shard.
    All,
    /// It waits for its publication.
    Later,
    /// What it names is not there.
    Nobody,
}

#[derive(Debug)]
struct Known {
    shard: usize,
    ufrag: String,
    publications: Vec<PublicationId>,
    max_message_bytes: Option<usize>,
}

/// What is where.
#[derive(Debug, Default)]
pub struct Dispatch {
    shards: usize,
    peers: HashMap<PeerId, Known>,
    /// Commands that add a peer and were not carried out yet.
    pending: HashMap<PeerId, usize>,
    publications: HashMap<PublicationId, usize>,
    speakers: HashMap<SpeakerId, (usize, PublicationId)>,
    listeners: HashMap<ListenerId, usize>,
    waiting: Vec<(PublicationId, Command)>,
    ignored: u64,
}

impl Dispatch {
    /// Nothing is anywhere.
    pub fn new(shards: usize) -> Self {
        Self { shards, ..Self::default() }
    }

    /// Commands about something that was not there.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Find where a command goes; `chosen` is the caller's shard for what is new. Changes nothing.
    pub fn target(&self, command: &Command, chosen: usize, routes: &Routes) -> Result<Target, DispatchError> {
        let found = match command {
            Command::AddPeer(spec) => {
                routes.check(&spec.local_ice.ufrag, &spec.peer)?;
                match self.peers.get(&spec.peer) {
                    Some(known) => Some(known.shard),
                    None => Some(self.chosen(chosen)?),
                }
            }
            Command::AddInternal(peer, _) => match self.peers.get(peer) {
                Some(known) => Some(known.shard),
                None => Some(self.chosen(chosen)?),
            },
            Command::TellStatistics(_) => return Ok(Target::All),
            Command::OpenSpeaker(..) => Some(self.chosen(chosen)?),
            Command::SendMessage(peer, _, message) => {
                let known = self.peers.get(peer);
                let (size, most) = (message.data.len(), known.and_then(|known| known.max_message_bytes));
                if let Some(most) = most.filter(|most| size > *most) {
                    return Err(DispatchError::MessageTooLong(size, most));
                }
                known.map(|known| known.shard)
            }
            Command::RemovePeer(peer)
            | Command::Subscribe { peer, .. }
            | Command::Unsubscribe(peer, _)
            | Command::OpenChannel(peer, ..)
            | Command::CloseChannel(peer, _)
            | Command::WatchSpeakers(peer, _)
            | Command::WatchCamera(peer, _)
            | Command::MessagesFetched(peer, _) => self.peers.get(peer).map(|known| known.shard),
            Command::OpenListener(_, publication, _) => match self.publications.get(publication) {
                Some(shard) => Some(*shard),
                None => return Ok(Target::Later),
            },
            Command::RestListener(listener)
            | Command::GatherSound(listener, _)
            | Command::HeardFetched(listener, _) => self.listeners.get(listener).copied(),
            Command::CloseListener(listener) => match self.listeners.get(listener) {
                Some(shard) => Some(*shard),
                None if self.is_waiting(listener) => return Ok(Target::Later),
                None => None,
            },
            Command::PushSpeech(speaker, ..)
            | Command::EndSpeech(speaker, _)
            | Command::FlushSpeech(speaker, _)
            | Command::CloseSpeaker(speaker) => self.speakers.get(speaker).map(|(shard, _)| *shard),
        };
        Ok(found.map_or(Target::Nobody, Target::Shard))
    }

    /// Note what a command that goes to `target` will change. Gives the commands that follow it to the same shard, and
    /// for an open speaker or listener elsewhere the command that closes it there.
    pub fn note(&mut self, command: &Command, target: Target, routes: &mut Routes) -> Followers {
        let mut followers = Followers::default();
        let Target::Shard(shard) = target else {
            match command {
                Command::OpenListener(listener, publication, _) => {
                    followers.elsewhere = self.leave(listener, usize::MAX);
                    self.waiting.push((publication.clone(), command.clone()));
                }
                Command::CloseListener(listener) if target == Target::Later => self.stop_waiting(listener),
                Command::RestListener(listener) | Command::GatherSound(listener, _) if self.is_waiting(listener) => {}
                _ if target == Target::All => {}
                _ => self.ignored += 1,
            }
            return followers;
        };
        match command {
            Command::AddPeer(spec) => {
                let wanted = spec.slots.iter().filter_map(|slot| slot.publication.clone());
                let known = Known {
                    shard,
                    ufrag: spec.local_ice.ufrag.clone(),
                    publications: wanted.collect(),
                    max_message_bytes: spec.sctp.as_ref().map(|sctp| sctp.max_message_bytes as usize),
                };
                self.forget(&spec.peer, routes);
                routes.ufrags.insert(known.ufrag.clone(), (spec.peer.clone(), shard));
                followers.here = self.add(&spec.peer, known);
            }
            Command::AddInternal(peer, slots) => {
                let publications = slots.iter().map(|slot| slot.heard_as.clone()).collect();
                let known = Known { shard, ufrag: String::new(), publications, max_message_bytes: None };
                self.forget(peer, routes);
                followers.here = self.add(peer, known);
            }
            Command::RemovePeer(peer) => self.forget(peer, routes),
            Command::OpenSpeaker(speaker, publication) => {
                followers.elsewhere = self.end_speaker(speaker, shard);
                followers.here = self.published(publication, shard);
                self.speakers.insert(speaker.clone(), (shard, publication.clone()));
            }
            Command::CloseSpeaker(speaker) => {
                self.end_speaker(speaker, shard);
            }
            Command::OpenListener(listener, ..) => {
                followers.elsewhere = self.leave(listener, shard);
                self.listeners.insert(listener.clone(), shard);
            }
            Command::CloseListener(listener) => {
                self.listeners.remove(listener);
            }
            _ => {}
        }
        followers
    }

    /// A command that adds this peer was carried out.
    pub fn added(&mut self, peer: &PeerId) {
        if let Some(count) = self.pending.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                self.pending.remove(peer);
            }
        }
    }

    /// A shard told that this peer is gone.
    pub fn closed(&mut self, peer: &PeerId, shard: usize, routes: &mut Routes) {
        let same = self.peers.get(peer).is_some_and(|known| known.shard == shard);
        if same && !self.pending.contains_key(peer) {
            self.forget(peer, routes);
        }
    }

    fn add(&mut self, peer: &PeerId, known: Known) -> Vec<Command> {
        *self.pending.entry(peer.clone()).or_default() += 1;
        let mut due = Vec::new();
        for publication in &known.publications {
            due.extend(self.published(publication, known.shard));
        }
        self.peers.insert(peer.clone(), known);
        due
    }

    fn chosen(&self, shard: usize) -> Result<usize, DispatchError> {
        if shard < self.shards { Ok(shard) } else { Err(DispatchError::NoSuchShard(shard, self.shards - 1)) }
    }

    fn is_waiting(&self, listener: &ListenerId) -> bool {
        self.waiting.iter().any(|(_, command)| opens(command, listener))
    }

    fn stop_waiting(&mut self, listener: &ListenerId) {
        self.waiting.retain(|(_, command)| !opens(command, listener));
    }

    /// The listener will be elsewhere: what closes it where it is.
    fn leave(&mut self, listener: &ListenerId, shard: usize) -> Option<(usize, Command)> {
        self.stop_waiting(listener);
        let old = self.listeners.remove(listener).filter(|old| *old != shard)?;
        Some((old, Command::CloseListener(listener.clone())))
    }

    fn end_speaker(&mut self, speaker: &SpeakerId, shard: usize) -> Option<(usize, Command)> {
        let (old, publication) = self.speakers.remove(speaker)?;
        self.unpublished(&publication, old);
        (old != shard).then(|| (old, Command::CloseSpeaker(speaker.clone())))
    }

    fn published(&mut self, publication: &PublicationId, shard: usize) -> Vec<Command> {
        self.publications.insert(publication.clone(), shard);
        let (due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(name, _)| name == publication);
        self.waiting = waiting;
        let due: Vec<(PublicationId, Command)> = due;
        let due: Vec<Command> = due.into_iter().map(|(_, command)| command).collect();
        for command in &due {
            if let Command::OpenListener(listener, ..) = command {
                self.listeners.insert(listener.clone(), shard);
            }
        }
        due
    }

    fn unpublished(&mut self, publication: &PublicationId, shard: usize) {
        if self.publications.get(publication) == Some(&shard) {
            self.publications.remove(publication);
        }
    }

    fn forget(&mut self, peer: &PeerId, routes: &mut Routes) {
        let Some(known) = self.peers.remove(peer) else { return };
        for publication in &known.publications {
            self.unpublished(publication, known.shard);
        }
        if routes.ufrags.get(&known.ufrag).is_some_and(|(owner, _)| owner == peer) {
            routes.ufrags.remove(&known.ufrag);
        }
    }
}

fn opens(command: &Command, wanted: &ListenerId) -> bool {
    matches!(command, Command::OpenListener(listener, ..) if listener == wanted)
}

/// Commands that come with another.
#[derive(Debug, Default)]
pub struct Followers {
    /// After it, to the same shard.
    pub here: Vec<Command>,
    /// To another shard.
    pub elsewhere: Option<(usize, Command)>,
}

/// Which shard gets a datagram.
#[derive(Debug, Default)]
pub struct Routes {
    ufrags: HashMap<String, (PeerId, usize)>,
    sources: HashMap<Source, usize>,
}

impl Routes {
    /// Find the shard of a datagram: by its ufrag if it is a check that has one, else by its source.
    pub fn find(&self, source: Source, contents: &[u8]) -> Option<usize> {
        if contents.first().is_some_and(|first| *first < 4)
            && let Some(name) = ufrag(contents)
        {
            return self.ufrags.get(&name).map(|(_, shard)| *shard);
        }
        self.sources.get(&source).copied()
    }

    /// A shard learned where its peers are.
    pub fn learn(&mut self, shard: usize, changes: &[SourceChange]) {
        for change in changes {
            match change {
                SourceChange::Learned(source) => {
                    self.sources.insert(*source, shard);
                }
                // Another shard may have learned it since.
                SourceChange::Forgotten(source) if self.sources.get(source) == Some(&shard) => {
                    self.sources.remove(source);
                }
                SourceChange::Forgotten(_) => {}
            }
        }
    }

    fn check(&self, ufrag: &str, peer: &PeerId) -> Result<(), DispatchError> {
        match self.ufrags.get(ufrag) {
            Some((owner, _)) if owner != peer => Err(DispatchError::UfragInUse),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
