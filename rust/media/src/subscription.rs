//! One subscription: what a peer's slot gets of a publication, in the slot's own numbers.
//!
//! Pictures change layer or source on a key frame only: until it comes, what was forwarded goes on; a slot that was given
//! nothing yet waits. Then sequence, time stamp and picture numbers go on without a gap. Sound changes at once.
//!
//! Neighbours: `layers` chooses the target, `router` holds all subscriptions and asks for key frames.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::demux::PeerKey;
use crate::keyframe::starts_keyframe;
use crate::layers::{Climb, LayerWish};
use crate::pictures::Pictures;
use crate::rate::Rate;
use crate::rewrite::{Rewriter, SourceKey};
use crate::router::RoutedPacket;
use crate::sender::OutgoingPacket;
use crate::spec::{AudioCodec, Codec, PublicationId, TrackKind, VideoCodec};

/// Numbers that outlive a subscription: what the slot sees must not begin again.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub rewriter: Rewriter,
    pictures: Pictures,
}

/// Which layer a subscription should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing was decided yet: whatever comes.
    Any,
    /// The wish leaves nothing.
    Nothing,
    /// This one; none where there are no layers.
    Layer(Option<Arc<str>>),
}

/// Where packets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Out, under this SSRC.
    Stream(u32),
    /// To whoever hears this publication, in process.
    Heard(PublicationId),
}

/// What became of a packet.
pub(crate) enum Forward {
    /// It goes out.
    Send(OutgoingPacket),
    /// It is heard in process, as it is.
    Hear(PublicationId),
    /// A key frame of its layer must come first.
    AwaitsKeyframe,
    /// It is not for this slot.
    Drop,
}

/// What is held back is out by then, however little the network is thought to carry.
const DRAINED_AFTER: Duration = Duration::from_secs(3);

/// Whether pictures are held back to what the network is thought to carry.
///
/// That makes sense while there is a lower layer, which takes their place soon: their delay is bounded, and the network
/// is not flooded meanwhile. Without one they would come up to two seconds late, and no fewer; their sender has spread
/// them already, so they go out as they come.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    held: bool,
    lowest_since: Option<Instant>,
}

impl Pace {
    /// Tell whether to hold back; `falls`: there is a lower layer.
    pub fn review(&mut self, now: Instant, falls: bool) -> bool {
        if falls {
            *self = Self { held: true, lowest_since: None };
        } else if self.held {
            let since = *self.lowest_since.get_or_insert(now);
            self.held = now.saturating_duration_since(since) < DRAINED_AFTER;
        }
        self.held
    }
}

/// Counts of what was forwarded.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub packets: u64,
    pub bytes: u64,
    pub switches: u64,
    pub rate: Rate,
}

/// What packets of one codec become here. To find out means to compare texts, which is too much for every packet.
#[derive(Debug)]
struct Accepted {
    codec: Codec,
    spoken: bool,
    /// Payload type and clock; none if the slot cannot take it.
    becomes: Option<(u8, u32)>,
}

/// A slot that is fed.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub peer: PeerKey,
    pub mid: String,
    pub kind: TrackKind,
    codecs: Vec<Codec>,
    pub sink: Sink,
    pub wish: LayerWish,
    pub target: Target,
    pub climb: Climb,
    pub pace: Pace,
    pub sent: Sent,
    pub numbers: Numbers,
    current: Option<(SourceKey, Option<Arc<str>>)>,
    accepted: Option<Accepted>,
}

impl Subscription {
    pub fn new(peer: PeerKey, mid: String, kind: TrackKind, codecs: Vec<Codec>, sink: Sink, wish: LayerWish) -> Self {
        Self {
            peer,
            mid,
            kind,
            codecs,
            sink,
            wish,
            target: Target::Any,
            climb: Climb::default(),
            pace: Pace::default(),
            sent: Sent::default(),
            numbers: Numbers::default(),
            current: None,
            accepted: None,
        }
    }

    /// What is forwarded and its layer, where it has layers.
    pub fn current(&self) -> Option<&(SourceKey, Option<Arc<str>>)> {
        self.current.as_ref()
    }

    /// What a mouth must speak for it.
    pub fn spoken(&self) -> Option<AudioCodec> {
        self.codecs.iter().find_map(Codec::audio)
    }

    /// The receiver has a new key and saw nothing yet.
    pub fn begin_key(&mut self) {
        self.numbers.rewriter.begin_key();
        if self.kind == TrackKind::Video {
            self.current = None;
        }
    }

    /// Take a packet of the publication.
    pub fn forward(&mut self, now: Instant, routed: &RoutedPacket<'_>, first_of_frame: bool) -> Forward {
        let Some((payload_type, clock_hz)) = self.becomes(routed) else { return Forward::Drop };
        let video = routed.codec.video().filter(|_| self.kind == TrackKind::Video);
        if self.current.as_ref().is_none_or(|(source, _)| *source != routed.source) {
            if !self.wants(routed.rid) {
                return Forward::Drop;
            }
            if video.is_some_and(|codec| !starts_keyframe(codec, &routed.packet.payload, first_of_frame)) {
                return Forward::AwaitsKeyframe;
            }
            self.sent.switches += u64::from(self.current.is_some());
            self.current = Some((routed.source, routed.rid.cloned()));
            self.numbers.rewriter.begin_stretch();
            self.numbers.pictures.begin_stretch();
        }
        let packet = routed.packet;
        let ssrc = match &self.sink {
            Sink::Stream(ssrc) => *ssrc,
            Sink::Heard(publication) => {
                let heard_as = publication.clone();
                self.count(now, packet);
                return Forward::Hear(heard_as);
            }
        };
        let (number, stamp) = (packet.sequence, packet.timestamp);
        let Some((sequence, timestamp)) = self.numbers.rewriter.rewrite(now, routed.source, number, stamp, clock_hz)
        else {
            return Forward::Drop;
        };
        let patch = match video {
            Some(VideoCodec::Vp8) => self.numbers.pictures.renumber(routed.source, &packet.payload),
            _ => None,
        };
        self.count(now, packet);
        let repairable = self.kind == TrackKind::Video;
        Forward::Send(OutgoingPacket { ssrc, payload_type, sequence, timestamp, repairable, patch, ..packet.clone() })
    }

    /// Send nothing more of what is forwarded now.
    pub fn pause(&mut self) {
        self.target = Target::Nothing;
        self.current = None;
    }

    fn becomes(&mut self, routed: &RoutedPacket<'_>) -> Option<(u8, u32)> {
        let known = self.accepted.as_ref();
        if let Some(same) = known.filter(|known| known.spoken == routed.spoken && known.codec == *routed.codec) {
            return same.becomes;
        }
        // A mouth speaks each codec; a slot takes the one that it prefers.
        let accepted = if routed.spoken {
            self.codecs.iter().find(|codec| codec.audio().is_some()).filter(|codec| codec.carries(routed.codec))
        } else {
            Codec::best_for(&self.codecs, routed.codec)
        };
        let becomes = accepted.map(|codec| (codec.payload_type, codec.clock_rate_hz));
        self.accepted = Some(Accepted { codec: routed.codec.clone(), spoken: routed.spoken, becomes });
        becomes
    }

    fn wants(&self, rid: Option<&Arc<str>>) -> bool {
        match &self.target {
            Target::Any => match &self.current {
                Some((_, current)) => current.as_ref() == rid,
                None => rid.is_none() || self.wish.preferred.is_none() || self.wish.preferred.as_ref() == rid,
            },
            Target::Nothing => false,
            Target::Layer(layer) => layer.as_ref() == rid,
        }
    }

    fn count(&mut self, now: Instant, packet: &OutgoingPacket) {
        self.sent.packets += 1;
        self.sent.bytes += packet.payload.len() as u64;
        self.sent.rate.add(now, packet.payload.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_of_a_source_becomes_the_payload_type_that_the_slot_has_for_it() {
        let codecs = vec![Codec::plain(111, "opus", 48_000, 2), Codec::plain(0, "PCMU", 8_000, 1)];
        let (sink, wish) = (Sink::Stream(7), LayerWish::default());
        let mut one = Subscription::new(1, "0".into(), TrackKind::Audio, codecs, sink, wish);
        let packet = OutgoingPacket::unrouted(1, 1, false, [1_u8][..].into());
        let (opus, pcmu, g722) =
            (Codec::plain(96, "OPUS", 48_000, 2), Codec::plain(8, "pcmu", 8_000, 1), Codec::plain(9, "G722", 8_000, 1));
        let mut sent = |codec: &Codec, spoken: bool| {
            let source = SourceKey::peer(1, 0, u32::from(codec.payload_type));
            let routed = RoutedPacket { source, codec, rid: None, spoken, packet: &packet };
            match one.forward(Instant::now(), &routed, true) {
                Forward::Send(packet) => Some(packet.payload_type),
                _ => None,
            }
        };
        let came: Vec<_> = [&opus, &opus, &pcmu, &g722, &opus].map(|codec| sent(codec, false)).into();
        assert_eq!(came, [Some(111), Some(111), Some(0), None, Some(111)]);
        assert_eq!((sent(&pcmu, true), sent(&opus, true)), (None, Some(111)), "a mouth speaks what is preferred");
    }
}
