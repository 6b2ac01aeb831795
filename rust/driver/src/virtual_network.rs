//! Cores in virtual time over a pretend wire, for tests: nothing waits. The wire is seeded, but cores draw their keys and
//! certificates anew, so runs of one seed are alike, not equal.
//!
//! Time moves only in [`VirtualNetwork::advance`]. The wire carries UDP between the addresses of its cores, late, lost,
//! doubled and out of order as its [`Conditions`] and a seed say.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use parley_media::peer::{Datagram, Transmit};
use parley_media::spec::Protocol;

use crate::core::{Core, OpenError, check, shared};
use crate::inbox::Batch;
use crate::worker::{Shared, Wire, Worker};
use crate::{lock, read};

/// Rounds without time passing after which two cores must be talking in circles.
const MAX_ROUNDS: usize = 10_000;

/// What the wire does to datagrams, from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Conditions {
    /// How long each is under way at least.
    pub latency: Duration,
    /// How much longer at most; more than the pause between two brings them out of order.
    pub jitter: Duration,
    /// 0..=1.
    pub loss: f64,
    /// 0..=1.
    pub duplication: f64,
}

/// Sees each datagram that is put on the wire and may add others, which arrive beside it.
pub type Meddler = Box<dyn FnMut(&Transmit) -> Vec<Vec<u8>> + Send>;

struct Node {
    host: IpAddr,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    sent: Vec<Transmit>,
}

struct Flight {
    source: SocketAddr,
    destination: SocketAddr,
    contents: Vec<u8>,
}

struct Network {
    start: Instant,
    now: Instant,
    conditions: Conditions,
    unreachable: HashSet<IpAddr>,
    meddler: Option<Meddler>,
    nodes: Vec<Option<Node>>,
    wire: BTreeMap<(Instant, u64), Flight>,
    flights: u64,
    random: u64,
}

/// A wire and its clock. Cheap to clone: all clones are the same network.
#[derive(Clone)]
pub struct VirtualNetwork(Arc<Mutex<Network>>);

impl Wire for Vec<Transmit> {
    fn send(&mut self, transmits: &[Transmit]) {
        self.extend_from_slice(transmits);
    }
}

impl VirtualNetwork {
    /// A perfect wire; `seed` decides what later conditions do.
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Network {
            start: now,
            now,
            conditions: Conditions::default(),
            unreachable: HashSet::new(),
            meddler: None,
            nodes: Vec::new(),
            wire: BTreeMap::new(),
            flights: 0,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        })))
    }

    /// Change what happens to datagrams from now on.
    pub fn set_conditions(&self, conditions: Conditions) {
        lock(&self.0).conditions = conditions;
    }

    /// Cut a host off, or join it again. What is under way arrives.
    pub fn set_reachable(&self, host: IpAddr, reachable: bool) {
        let mut network = lock(&self.0);
        if reachable {
            network.unreachable.remove(&host);
        } else {
            network.unreachable.insert(host);
        }
    }

    /// Let somebody on the path add datagrams, from and to the addresses of those that pass.
    pub fn set_meddler(&self, meddler: Option<Meddler>) {
        lock(&self.0).meddler = meddler;
    }

    /// Open a core at an address that no other has.
    pub fn open(&self, host: IpAddr, port: u16, shards: usize) -> Result<Core, OpenError> {
        check(shards, &[host])?;
        let mut network = lock(&self.0);
        let shared = shared(&[host], port, shards, network.start)?;
        let workers = (0..shards).map(|index| Worker::new(index, shared.clone())).collect();
        network.nodes.push(Some(Node { host, shared: shared.clone(), workers, sent: Vec::new() }));
        let node = network.nodes.len() - 1;
        drop(network);
        Ok(Core::virtual_at(shared, self.clone(), node))
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        let network = lock(&self.0);
        network.now - network.start
    }

    /// Carry out what was asked, then let time pass.
    pub fn advance(&self, time: Duration) {
        lock(&self.0).advance(time);
    }

    pub(crate) fn close(&self, node: usize) {
        lock(&self.0).close(node);
    }
}

impl Network {
    fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.settle();
            let deadlines =
                self.nodes.iter().flatten().flat_map(|node| &node.workers).filter_map(Worker::deadline).min();
            let next = deadlines.into_iter().chain(self.wire.keys().next().map(|(at, _)| *at)).min();
            match next.filter(|at| *at <= until) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
        }
        self.now = until;
    }

    /// Let everyone do what is due now.
    fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let delivered = self.deliver();
            for index in 0..self.nodes.len() {
                self.step(index);
            }
            let more = self.wire.keys().next().is_some_and(|(at, _)| *at <= self.now);
            let due = |worker: &Worker| worker.has_border() || worker.deadline().is_some_and(|at| at <= self.now);
            if !more && !delivered && !self.nodes.iter().flatten().flat_map(|node| &node.workers).any(due) {
                break;
            }
        }
    }

    fn step(&mut self, index: usize) {
        let Some(node) = &mut self.nodes[index] else { return };
        for worker in &mut node.workers {
            worker.step(self.now, &mut node.sent);
        }
        for transmit in std::mem::take(&mut node.sent) {
            // No connections here: who wants TCP has no way.
            if transmit.protocol == Protocol::Udp {
                self.put(transmit);
            }
        }
    }

    fn put(&mut self, transmit: Transmit) {
        let cut = |addr: SocketAddr| self.unreachable.contains(&addr.ip());
        if cut(transmit.source) || cut(transmit.destination) {
            return;
        }
        let added = self.meddler.as_mut().map(|meddler| meddler(&transmit)).unwrap_or_default();
        let Conditions { loss, duplication, .. } = self.conditions;
        let copies = if self.chance(loss) { 0 } else { 1 + usize::from(self.chance(duplication)) };
        for contents in std::iter::repeat_n(transmit.contents, copies).chain(added) {
            self.fly(Flight { source: transmit.source, destination: transmit.destination, contents });
        }
    }

    fn fly(&mut self, flight: Flight) {
        let Conditions { latency, jitter, .. } = self.conditions;
        let late = jitter.mul_f64(self.roll());
        self.flights += 1;
        self.wire.insert((self.now + latency + late, self.flights), flight);
    }

    fn deliver(&mut self) -> bool {
        let mut any = false;
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let flight = entry.remove();
            any = true;
            let here = flight.destination;
            let at = |node: &&Node| {
                node.shared.identity.candidates().iter().any(|c| c.addr == here) || node.host == here.ip()
            };
            let Some(node) = self.nodes.iter().flatten().find(at) else { continue };
            let source = (Protocol::Udp, flight.source);
            let Some(shard) = read(&node.shared.routes).find(source, &flight.contents) else { continue };
            let mut batch = Batch::default();
            batch.push(Datagram {
                protocol: Protocol::Udp,
                source: flight.source,
                destination: here,
                contents: &flight.contents,
            });
            node.shared.inboxes[shard].datagrams(&mut batch);
        }
        any
    }

    fn close(&mut self, index: usize) {
        if let Some(node) = &self.nodes[index] {
            node.shared.inboxes.iter().for_each(|inbox| inbox.close());
        }
        self.step(index);
        self.nodes[index] = None;
    }

    fn chance(&mut self, of: f64) -> bool {
        of > 0.0 && self.roll() < of
    }

    /// A number in 0..1.
    fn roll(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}
