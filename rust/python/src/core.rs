//! The media core and the virtual network as Python objects. One method for each command.

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use parley_driver::core::{Core, Options};
use parley_driver::virtual_network::{Conditions, VirtualNetwork as Network};
use parley_media::channels::{ChannelOptions, Message};
use parley_media::layers::LayerWish;
use parley_media::listener::{Gathering, ListenerOptions};
use parley_media::plane::Command;
use parley_media::spec::{InternalSlot, Protocol};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::errors::{IntoPy, MediaCoreError};
use crate::events::to_tuple;
use crate::pcm::{Octets, Pcm};
use crate::spec::{Peer, fallback};

fn address(text: &str, what: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| {
        MediaCoreError::new_err(format!("{what} {text:?} is no IP address; give one such as 192.0.2.7 or 2001:db8::7"))
    })
}

/// Sockets, threads and peers of one process; `parley.media.native` is its user.
#[pyclass(frozen, module = "parley._media")]
pub(crate) struct MediaCore(Core);

impl MediaCore {
    fn submit(&self, command: Command) -> PyResult<()> {
        self.submit_to(0, command)
    }

    fn submit_to(&self, shard: usize, command: Command) -> PyResult<()> {
        self.0.submit(shard, command).map_err(IntoPy::into_py)
    }
}

#[pymethods]
impl MediaCore {
    /// Listen on UDP and TCP `port` of `bind` and serve peers from `shards` threads. `clock_us` is what the caller's
    /// monotonic clock shows now; `at_ms` of what is heard counts from its 0.
    #[new]
    #[pyo3(signature = (*, bind, port, announced, shards, clock_us))]
    fn new(
        py: Python<'_>,
        bind: &str,
        port: u16,
        announced: Vec<String>,
        shards: usize,
        clock_us: u64,
    ) -> PyResult<Self> {
        let announced: PyResult<Vec<IpAddr>> =
            announced.iter().map(|host| address(host, "the announced address")).collect();
        let options = Options {
            bind: address(bind, "the address to listen on")?,
            port,
            announced: announced?,
            shards,
            clock: Duration::from_micros(clock_us),
        };
        py.detach(|| Core::open(&options)).map(Self).map_err(IntoPy::into_py)
    }

    /// SHA-256 of our certificate: upper-case hex pairs between colons.
    #[getter]
    fn fingerprint(&self) -> String {
        let digest = &self.0.identity().fingerprint().digest;
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Where peers reach us: host, port, `udp` or `tcp`.
    #[getter]
    fn candidates(&self) -> Vec<(String, u16, &'static str)> {
        let name = |protocol| if protocol == Protocol::Udp { "udp" } else { "tcp" };
        let candidates = self.0.identity().candidates().iter();
        candidates.map(|c| (c.addr.ip().to_string(), c.addr.port(), name(c.protocol))).collect()
    }

    /// Threads that serve peers.
    #[getter]
    fn shards(&self) -> usize {
        self.0.shards()
    }

    /// What was lost: audio blocks, commands about nothing, datagrams, peers that broke. Then frames decoded and encoded.
    #[getter]
    fn counters(&self) -> (u64, u64, u64, u64, u64, u64) {
        let all = self.0.counters();
        let lost = (all.audio_blocks_dropped, all.commands_ignored, all.datagrams_dropped, all.peers_broken);
        (lost.0, lost.1, lost.2, lost.3, all.frames_decoded, all.frames_encoded)
    }

    #[pyo3(signature = (spec, /))]
    fn add_peer(&self, spec: Peer) -> PyResult<()> {
        self.submit_to(spec.shard, Command::AddPeer(Box::new(spec.into_core()?)))
    }

    #[pyo3(signature = (peer, /))]
    fn remove_peer(&self, peer: &str) -> PyResult<()> {
        self.submit(Command::RemovePeer(peer.into()))
    }

    /// `slots` are mids, each with what is sent to it as a publication.
    #[pyo3(signature = (peer, shard, slots, /))]
    fn add_internal(&self, peer: &str, shard: usize, slots: Vec<(String, String)>) -> PyResult<()> {
        let slot = |(mid, heard_as): (String, String)| InternalSlot { mid, heard_as: heard_as.as_str().into() };
        self.submit_to(shard, Command::AddInternal(peer.into(), slots.into_iter().map(slot).collect()))
    }

    #[pyo3(signature = (peer, mid, publication, preferred_rid, under_pressure, when_missing, /))]
    fn subscribe(
        &self,
        peer: &str,
        mid: String,
        publication: &str,
        preferred_rid: Option<&str>,
        under_pressure: &str,
        when_missing: &str,
    ) -> PyResult<()> {
        let (peer, publication) = (peer.into(), publication.into());
        let (under_pressure, when_missing) = (fallback(under_pressure), fallback(when_missing));
        let wish = LayerWish { preferred: preferred_rid.map(Into::into), under_pressure, when_missing };
        self.submit(Command::Subscribe { peer, mid, publication, wish })
    }

    #[pyo3(signature = (peer, on, /))]
    fn watch_speakers(&self, peer: &str, on: bool) -> PyResult<()> {
        self.submit(Command::WatchSpeakers(peer.into(), on))
    }

    /// Stills of one slot of a peer, or of none.
    #[pyo3(signature = (peer, mid, /))]
    fn watch_camera(&self, peer: &str, mid: Option<String>) -> PyResult<()> {
        self.submit(Command::WatchCamera(peer.into(), mid))
    }

    /// Answered by one event for each shard.
    #[pyo3(signature = (query, /))]
    fn tell_statistics(&self, query: u64) -> PyResult<()> {
        self.submit(Command::TellStatistics(query))
    }

    #[pyo3(signature = (peer, mid, /))]
    fn unsubscribe(&self, peer: &str, mid: String) -> PyResult<()> {
        self.submit(Command::Unsubscribe(peer.into(), mid))
    }

    #[pyo3(signature = (listener, publication, detect_speech, only_speech, pre_roll_ms, /))]
    fn open_listener(
        &self,
        listener: &str,
        publication: &str,
        detect_speech: bool,
        only_speech: bool,
        pre_roll_ms: u32,
    ) -> PyResult<()> {
        let options = ListenerOptions { detect_speech, only_speech, pre_roll_ms };
        self.submit(Command::OpenListener(listener.into(), publication.into(), options))
    }

    #[pyo3(signature = (listener, /))]
    fn rest_listener(&self, listener: &str) -> PyResult<()> {
        self.submit(Command::RestListener(listener.into()))
    }

    #[pyo3(signature = (listener, up_to_ms, above, /))]
    fn gather_sound(&self, listener: &str, up_to_ms: u32, above: f32) -> PyResult<()> {
        self.submit(Command::GatherSound(listener.into(), Gathering { up_to_ms, above }))
    }

    #[pyo3(signature = (listener, /))]
    fn close_listener(&self, listener: &str) -> PyResult<()> {
        self.submit(Command::CloseListener(listener.into()))
    }

    #[pyo3(signature = (speaker, publication, shard, /))]
    fn open_speaker(&self, speaker: &str, publication: &str, shard: usize) -> PyResult<()> {
        self.submit_to(shard, Command::OpenSpeaker(speaker.into(), publication.into()))
    }

    #[pyo3(signature = (speaker, item, pcm, /))]
    fn push_speech(&self, speaker: &str, item: &str, pcm: Pcm) -> PyResult<()> {
        self.submit(Command::PushSpeech(speaker.into(), item.into(), pcm.0))
    }

    #[pyo3(signature = (speaker, item, /))]
    fn end_speech(&self, speaker: &str, item: &str) -> PyResult<()> {
        self.submit(Command::EndSpeech(speaker.into(), item.into()))
    }

    #[pyo3(signature = (speaker, item, /))]
    fn flush_speech(&self, speaker: &str, item: &str) -> PyResult<()> {
        self.submit(Command::FlushSpeech(speaker.into(), item.into()))
    }

    #[pyo3(signature = (speaker, /))]
    fn close_speaker(&self, speaker: &str) -> PyResult<()> {
        self.submit(Command::CloseSpeaker(speaker.into()))
    }

    /// `delivery`: whether in order, how often a message is sent again, for how many milliseconds.
    #[pyo3(signature = (peer, channel, label, delivery, negotiated, /))]
    fn open_channel(
        &self,
        peer: &str,
        channel: u16,
        label: String,
        delivery: (bool, Option<u16>, Option<u16>),
        negotiated: bool,
    ) -> PyResult<()> {
        let (ordered, max_retransmits, max_lifetime_ms) = delivery;
        let options = ChannelOptions { label, ordered, max_retransmits, max_lifetime_ms, negotiated };
        self.submit(Command::OpenChannel(peer.into(), channel, options))
    }

    #[pyo3(signature = (peer, channel, data, /))]
    fn send_message(&self, peer: &str, channel: u16, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = match data.cast::<PyString>() {
            Ok(text) => Message { binary: false, data: text.to_str()?.into() },
            Err(_) => Message { binary: true, data: data.extract::<Octets>()?.0 },
        };
        self.submit(Command::SendMessage(peer.into(), channel, message))
    }

    #[pyo3(signature = (peer, channel, /))]
    fn close_channel(&self, peer: &str, channel: u16) -> PyResult<()> {
        self.submit(Command::CloseChannel(peer.into(), channel))
    }

    /// Take all events, oldest first.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let events = py.detach(|| self.0.drain());
        events.into_iter().map(|event| to_tuple(py, event)).collect()
    }

    /// Whether events wait.
    fn has_events(&self) -> bool {
        self.0.has_events()
    }

    /// The descriptor that becomes readable once when events wait, and not again before the next `drain`.
    fn fileno(&self) -> RawFd {
        self.0.descriptor()
    }

    /// Make the descriptor unreadable again without taking anything.
    fn quiet(&self) {
        self.0.quiet();
    }

    /// Say goodbye to every peer and stop all threads. Idempotent; does nothing in a forked child.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// Cores in virtual time over a pretend wire. Time moves in `advance` only, and a seed decides what the wire does.
#[pyclass(frozen, module = "parley._media")]
pub(crate) struct VirtualNetwork(Network);

#[pymethods]
impl VirtualNetwork {
    #[new]
    #[pyo3(signature = (seed = 1))]
    fn new(seed: u64) -> Self {
        Self(Network::new(seed))
    }

    /// Open a core at an address of this network that no other has.
    #[pyo3(signature = (host, port, /, *, shards = 1))]
    fn open(&self, host: &str, port: u16, shards: usize) -> PyResult<MediaCore> {
        self.0.open(address(host, "the address")?, port, shards).map(MediaCore).map_err(IntoPy::into_py)
    }

    /// Say what happens to datagrams from now on: each is `latency_ms` under way and up to `jitter_ms` more, and is lost or
    /// doubled with these probabilities.
    #[pyo3(signature = (*, latency_ms = 0, jitter_ms = 0, loss = 0.0, duplication = 0.0))]
    fn set_conditions(&self, latency_ms: u64, jitter_ms: u64, loss: f64, duplication: f64) {
        self.0.set_conditions(Conditions {
            latency: Duration::from_millis(latency_ms),
            jitter: Duration::from_millis(jitter_ms),
            loss,
            duplication,
        });
    }

    /// Cut a host off, or join it again.
    #[pyo3(signature = (host, reachable, /))]
    fn set_reachable(&self, host: &str, reachable: bool) -> PyResult<()> {
        self.0.set_reachable(address(host, "the address")?, reachable);
        Ok(())
    }

    /// Milliseconds since the network was made.
    #[getter]
    fn now_ms(&self) -> u64 {
        self.0.now().as_millis() as u64
    }

    /// Carry out what was asked, then let time pass.
    #[pyo3(signature = (ms, /))]
    fn advance(&self, py: Python<'_>, ms: u64) {
        py.detach(|| self.0.advance(Duration::from_millis(ms)));
    }
}
