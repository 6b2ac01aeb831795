//! Events as Python gets them: tuples whose first member says what they are.

use parley_media::channels::Message;
use parley_media::listener::HeardBlock;
use parley_media::peer::CloseReason;
use parley_media::plane::Event;
use parley_media::playout::PlayoutEvent;
use parley_media::statistics::{PeerStatistics, PublicationStatistics, SubscriptionStatistics};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::pcm::to_bytes;

/// Give an event as a tuple.
pub(crate) fn to_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::PeerConnected(peer) => ("peer_connected", peer.as_ref()).into_pyobject(py),
        Event::PeerClosed(peer, reason) => ("peer_closed", peer.as_ref(), reason_name(reason)).into_pyobject(py),
        Event::ChannelOpened(peer, number, options) => {
            let (retransmits, lifetime_ms) = (options.max_retransmits, options.max_lifetime_ms);
            ("channel_opened", peer.as_ref(), number, options.label, options.ordered, retransmits, lifetime_ms)
                .into_pyobject(py)
        }
        Event::MessageReceived(peer, number, message) => {
            ("message_received", peer.as_ref(), number, contents(py, message)).into_pyobject(py)
        }
        Event::ChannelDrained(peer, number, bytes) => {
            ("channel_drained", peer.as_ref(), number, bytes).into_pyobject(py)
        }
        Event::ChannelClosed(peer, number) => ("channel_closed", peer.as_ref(), number).into_pyobject(py),
        Event::MessageDropped(peer, number, bytes) => {
            ("message_dropped", peer.as_ref(), number, bytes).into_pyobject(py)
        }
        Event::SpeechDropped(speaker, samples) => ("speech_dropped", speaker.as_ref(), samples).into_pyobject(py),
        Event::Speech(speaker, event) => speech(py, speaker.as_ref(), event),
        Event::AudioHeard(listener, block, at_ms) => heard(py, listener.as_ref(), block, at_ms),
        Event::ActiveSpeaker(peer, publication) => {
            ("active_speaker", peer.as_ref(), publication.as_ref().map(AsRef::as_ref)).into_pyobject(py)
        }
        Event::LevelsHeard(levels) => {
            let levels = levels.iter().map(|(publication, level)| (publication.as_ref(), *level));
            ("levels_heard", PyTuple::new(py, levels.collect::<Vec<_>>())?).into_pyobject(py)
        }
        Event::StillSeen(peer, still) => {
            let webp = PyBytes::new(py, &still.webp);
            ("still_seen", peer.as_ref(), webp, still.width, still.height).into_pyobject(py)
        }
        Event::Statistics(query, peers) => {
            let peers: PyResult<Vec<_>> = peers.into_iter().map(|peer| peer_statistics(py, peer)).collect();
            ("statistics_told", query, PyTuple::new(py, peers?)?).into_pyobject(py)
        }
    }
}

fn speech<'py>(py: Python<'py>, speaker: &str, event: PlayoutEvent) -> PyResult<Bound<'py, PyTuple>> {
    match event {
        PlayoutEvent::Started(item) => ("speech_started", speaker, item.as_ref()).into_pyobject(py),
        PlayoutEvent::Drained(item, samples) => ("speech_drained", speaker, item.as_ref(), samples).into_pyobject(py),
        PlayoutEvent::Flushed(item, samples) => ("speech_flushed", speaker, item.as_ref(), samples).into_pyobject(py),
        PlayoutEvent::Released(samples) => ("speaker_progress", speaker, samples).into_pyobject(py),
    }
}

fn heard<'py>(py: Python<'py>, listener: &str, block: HeardBlock, at_ms: u64) -> PyResult<Bound<'py, PyTuple>> {
    let speech = PyTuple::new(py, block.speech)?;
    let pcm = to_bytes(py, &block.pcm)?;
    ("audio_heard", listener, block.start_sample, pcm, speech, block.speech_start_sample, block.gap, at_ms)
        .into_pyobject(py)
}

fn peer_statistics(py: Python<'_>, one: PeerStatistics) -> PyResult<Bound<'_, PyTuple>> {
    let published: PyResult<Vec<_>> = one.publications.into_iter().map(|one| publication(py, one)).collect();
    let subscribed: PyResult<Vec<_>> = one.subscriptions.into_iter().map(|one| subscription(py, one)).collect();
    let (published, subscribed) = (PyTuple::new(py, published?)?, PyTuple::new(py, subscribed?)?);
    (one.peer.as_ref(), one.estimate, one.round_trip_ms, published, subscribed).into_pyobject(py)
}

fn publication(py: Python<'_>, one: PublicationStatistics) -> PyResult<Bound<'_, PyTuple>> {
    let layers = one
        .layers
        .into_iter()
        .map(|layer| (layer.rid, layer.packets, layer.bytes, layer.lost, layer.jitter_ms, layer.bits_per_second));
    let layers = PyTuple::new(py, layers.collect::<Vec<_>>())?;
    (one.mid, one.publication.as_ref().map(AsRef::as_ref), one.subscribers, one.keyframes_asked, layers)
        .into_pyobject(py)
}

fn subscription(py: Python<'_>, one: SubscriptionStatistics) -> PyResult<Bound<'_, PyTuple>> {
    let sent = (one.packets, one.bytes, one.bits_per_second, one.switches);
    let reported = (one.loss, one.jitter_ms, one.nacks, one.keyframes_wanted);
    (one.mid, one.publication.as_ref().map(AsRef::as_ref), one.rid, sent, reported).into_pyobject(py)
}

fn contents(py: Python<'_>, message: Message) -> Bound<'_, PyAny> {
    match String::from_utf8(message.data) {
        Ok(text) if !message.binary => PyString::new(py, &text).into_any(),
        Ok(text) => PyBytes::new(py, text.as_bytes()).into_any(),
        Err(bytes) => PyBytes::new(py, bytes.as_bytes()).into_any(),
    }
}

fn reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Removed => "removed",
        CloseReason::Remote => "remote",
        CloseReason::Timeout => "timeout",
        CloseReason::Failed => "failed",
        CloseReason::Overflow => "overflow",
        CloseReason::Closed => "closed",
    }
}
