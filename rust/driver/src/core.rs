//! The handle on a running media core: commands in, events out, the end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parley_media::identity::Identity;
use parley_media::plane::{Command, Counters, Event};
use parley_media::spec::{Candidate, ListenerId, PeerId, Protocol, SpecError};
use thiserror::Error;

use crate::dispatch::{Dispatch, DispatchError, Routes, Target};
use crate::inbox::{Inbox, MAX_COMMANDS};
use crate::receiver::{Gate, Receiver, SocketWire};
use crate::ring::Ring;
use crate::sockets;
use crate::virtual_network::VirtualNetwork;
use crate::worker::{Shared, Worker};
use crate::{lock, read, write};

/// Shards that one core may have.
pub const MAX_SHARDS: usize = 256;
/// Addresses that one core may announce.
pub const MAX_ANNOUNCED: usize = 3;

/// How a core is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to listen on; `::` hears IPv4 as well.
    pub bind: IpAddr,
    /// UDP and TCP; 0 is any that is free for both.
    pub port: u16,
    /// Addresses at which peers reach us, at most [`MAX_ANNOUNCED`].
    pub announced: Vec<IpAddr>,
    /// Threads that serve peers.
    pub shards: usize,
    /// What the caller's monotonic clock shows now; `AudioHeard` counts from its 0.
    pub clock: Duration,
}

/// Why a core cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// 1..=256.
    #[error("{0} media threads; choose 1 to {MAX_SHARDS}")]
    Shards(usize),
    /// 1..=3.
    #[error("{0} announced addresses; choose 1 to {MAX_ANNOUNCED}")]
    Announced(usize),
    /// Most often a port in use.
    #[error("cannot listen on {0} (UDP and TCP): {1}; choose another media port or address")]
    Listen(SocketAddr, io::Error),
    /// Descriptors or threads.
    #[error("cannot start the media core: {0}")]
    Start(#[from] io::Error),
    /// No randomness.
    #[error("cannot make a certificate: the system gives no random numbers")]
    Certificate,
}

/// Why a command was not taken. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// A shard is too far behind.
    #[error("{MAX_COMMANDS} commands wait already; go on after the next event")]
    Busy,
    /// Closed.
    #[error("the media plane is closed; open a new one")]
    Closed,
    /// Threads do not survive a fork.
    #[error("the media plane belongs to the process that opened it; open a new one after a fork")]
    Forked,
    /// The caller's mistake.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The caller's mistake.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

struct Threads {
    gate: Arc<Gate>,
    workers: Vec<JoinHandle<()>>,
    receiver: Option<JoinHandle<()>>,
}

enum Engine {
    Threads(Mutex<Option<Threads>>, Arc<Gate>),
    Virtual(VirtualNetwork, usize),
}

/// A media core.
pub struct Core {
    shared: Arc<Shared>,
    engine: Engine,
    process: u32,
    closed: AtomicBool,
}

impl Core {
    /// Bind, start all threads, and listen.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        check(options.shards, &options.announced)?;
        let failed = |error| OpenError::Listen(SocketAddr::new(options.bind, options.port), error);
        let (udp, listener) = sockets::bind(options.bind, options.port).map_err(failed)?;
        let here = udp.local_addr()?;
        let udp = Arc::new(udp);
        let epoch = Instant::now().checked_sub(options.clock).unwrap_or_else(Instant::now);
        let shared = shared(&options.announced, here.port(), options.shards, epoch)?;
        let receiver = Receiver::new(udp.clone(), listener, shared.clone())?;
        let gate = receiver.gate();
        let mut threads = Threads { gate: gate.clone(), workers: Vec::new(), receiver: None };
        for index in 0..options.shards {
            let worker = Worker::new(index, shared.clone());
            let mut wire = SocketWire { udp: udp.clone(), gate: gate.clone(), over_v6: here.is_ipv6() };
            let started =
                std::thread::Builder::new().name(format!("parley-media-{index}")).spawn(move || worker.run(&mut wire));
            match started {
                Ok(thread) => threads.workers.push(thread),
                Err(error) => {
                    threads.end(&shared);
                    return Err(error.into());
                }
            }
        }
        match std::thread::Builder::new().name("parley-receive".into()).spawn(move || receiver.run()) {
            Ok(thread) => threads.receiver = Some(thread),
            Err(error) => {
                threads.end(&shared);
                return Err(error.into());
            }
        }
        Ok(Self::of(shared, Engine::Threads(Mutex::new(Some(threads)), gate)))
    }

    pub(crate) fn virtual_at(shared: Arc<Shared>, network: VirtualNetwork, node: usize) -> Self {
        Self::of(shared, Engine::Virtual(network, node))
    }

    fn of(shared: Arc<Shared>, engine: Engine) -> Self {
        Self { shared, engine, process: std::process::id(), closed: AtomicBool::new(false) }
    }

    /// Who we are, and where.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Threads that serve peers.
    pub fn shards(&self) -> usize {
        self.shared.inboxes.len()
    }

    /// Readable while events wait that nobody was woken for.
    pub fn descriptor(&self) -> RawFd {
        self.shared.ring.descriptor()
    }

    /// Take a command; `shard` matters where a peer is added or a speaker opened.
    pub fn submit(&self, shard: usize, command: Command) -> Result<(), SubmitError> {
        if self.process != std::process::id() {
            return Err(SubmitError::Forked);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(SubmitError::Closed);
        }
        if let Command::AddPeer(spec) = &command {
            spec.check()?;
        }
        let mut dispatch = lock(&self.shared.dispatch);
        let mut routes = write(&self.shared.routes);
        let target = dispatch.target(&command, shard, &routes)?;
        let inbox = if let Target::Shard(shard) = target { Some(&self.shared.inboxes[shard]) } else { None };
        if inbox.is_some_and(|inbox| inbox.is_full()) {
            return Err(SubmitError::Busy);
        }
        if target == Target::All && self.shared.inboxes.iter().any(|inbox| inbox.is_full()) {
            return Err(SubmitError::Busy);
        }
        let followers = dispatch.note(&command, target, &mut routes);
        if let Some((elsewhere, closing)) = followers.elsewhere {
            self.shared.inboxes[elsewhere].command(closing);
        }
        match (inbox, target) {
            (Some(inbox), _) => inbox.command(command),
            (None, Target::All) => self.shared.inboxes.iter().for_each(|inbox| inbox.command(command.clone())),
            (None, Target::Nobody) => drop(self.shared.ring.post(Instant::now(), refunds(command))),
            (None, _) => {}
        }
        if let Some(inbox) = inbox {
            followers.here.into_iter().for_each(|command| inbox.command(command));
        }
        Ok(())
    }

    /// Take all events, oldest first.
    pub fn drain(&self) -> Vec<Event> {
        let events = self.shared.ring.drain();
        let mut heard: HashMap<ListenerId, u64> = HashMap::new();
        let mut messages: HashMap<PeerId, u64> = HashMap::new();
        for event in &events {
            match event {
                Event::AudioHeard(listener, block, _) => {
                    *heard.entry(listener.clone()).or_default() += block.pcm.len() as u64;
                }
                other => {
                    if let Some((peer, bytes)) = other.unread() {
                        *messages.entry(peer.clone()).or_default() += bytes;
                    }
                }
            }
        }
        let fetched = heard.into_iter().map(|(listener, samples)| Command::HeardFetched(listener, samples));
        let fetched = fetched.chain(messages.into_iter().map(|(peer, bytes)| Command::MessagesFetched(peer, bytes)));
        let mut notes: Vec<Vec<Command>> = vec![Vec::new(); self.shards()];
        let (dispatch, routes) = (lock(&self.shared.dispatch), read(&self.shared.routes));
        for command in fetched {
            if let Ok(Target::Shard(shard)) = dispatch.target(&command, 0, &routes) {
                notes[shard].push(command);
            }
        }
        for (notes, inbox) in notes.into_iter().zip(&self.shared.inboxes) {
            if !notes.is_empty() {
                inbox.note(notes);
            }
        }
        events
    }

    /// Whether events wait.
    pub fn has_events(&self) -> bool {
        self.shared.ring.has_events()
    }

    /// Make the descriptor unreadable again without taking anything.
    pub fn quiet(&self) {
        self.shared.ring.quiet();
    }

    /// What was lost and worked so far.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters { commands_ignored: lock(&self.shared.dispatch).ignored(), ..Counters::default() };
        for counters in &self.shared.counters {
            let one = *lock(counters);
            sum.audio_blocks_dropped += one.audio_blocks_dropped;
            sum.commands_ignored += one.commands_ignored;
            sum.datagrams_dropped += one.datagrams_dropped;
            sum.peers_broken += one.peers_broken;
            sum.frames_decoded += one.frames_decoded;
            sum.frames_encoded += one.frames_encoded;
        }
        sum.datagrams_dropped += self.shared.inboxes.iter().map(|inbox| inbox.dropped()).sum::<u64>();
        if let Engine::Threads(_, gate) = &self.engine {
            sum.datagrams_dropped += gate.unrouted.load(Ordering::Relaxed) + gate.unsent.load(Ordering::Relaxed);
        }
        sum
    }

    /// Say goodbye to every peer and stop; the last events can still be drained. Nothing in a forked child, whose
    /// parent goes on.
    pub fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) || self.process != std::process::id() {
            return;
        }
        match &self.engine {
            Engine::Threads(threads, _) => {
                if let Some(threads) = lock(threads).take() {
                    threads.end(&self.shared);
                }
            }
            Engine::Virtual(network, node) => network.close(*node),
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.close();
    }
}

impl Threads {
    fn end(self, shared: &Shared) {
        shared.inboxes.iter().for_each(|inbox| inbox.close());
        for worker in self.workers {
            let _ = worker.join();
        }
        self.gate.close();
        if let Some(receiver) = self.receiver {
            let _ = receiver.join();
        }
    }
}

/// What a command that nobody can carry out had taken of the caller's credits.
fn refunds(command: Command) -> Vec<Event> {
    match command {
        Command::PushSpeech(speaker, _, pcm) => vec![Event::SpeechDropped(speaker, pcm.len() as u64)],
        Command::SendMessage(peer, channel, message) => {
            vec![Event::MessageDropped(peer, channel, message.data.len() as u64)]
        }
        _ => Vec::new(),
    }
}

pub(crate) fn check(shards: usize, announced: &[IpAddr]) -> Result<(), OpenError> {
    if !(1..=MAX_SHARDS).contains(&shards) {
        return Err(OpenError::Shards(shards));
    }
    if !(1..=MAX_ANNOUNCED).contains(&announced.len()) {
        return Err(OpenError::Announced(announced.len()));
    }
    Ok(())
}

pub(crate) fn shared(announced: &[IpAddr], port: u16, shards: usize, epoch: Instant) -> Result<Arc<Shared>, OpenError> {
    let candidates: Vec<Candidate> = [Protocol::Udp, Protocol::Tcp]
        .into_iter()
        .flat_map(|protocol| announced.iter().map(move |ip| Candidate { addr: SocketAddr::new(*ip, port), protocol }))
        .collect();
    Ok(Arc::new(Shared {
        identity: Identity::generate(&candidates).ok_or(OpenError::Certificate)?,
        epoch,
        ring: Ring::new()?,
        dispatch: Mutex::new(Dispatch::new(shards)),
        routes: RwLock::new(Routes::default()),
        inboxes: (0..shards).map(|_| Arc::new(Inbox::default())).collect(),
        counters: (0..shards).map(|_| Mutex::default()).collect(),
    }))
}
