//! What shards tell each other, so that a publication on one is heard and seen on another.
//!
//! A shard that has subscribers for a publication which it does not have says so to all others, once. Whoever has it, now
//! or later, sends its packets there, once for all subscribers: a packet is decrypted once, its payload copied at the
//! border, and rewritten and encrypted where its subscribers are. Key frames are asked for the other way.
//!
//! Neighbours: `router` makes and takes these messages; whoever drives shards carries them, in order.

use std::sync::Arc;

use crate::rewrite::SourceKey;
use crate::router::RoutedPacket;
use crate::sender::OutgoingPacket;
use crate::spec::{AudioCodec, Codec, PublicationId};

/// A shard's number.
pub type ShardIndex = u16;

/// For whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// All other shards.
    Others,
    /// This one.
    Shard(ShardIndex),
}

/// A message.
#[derive(Debug, Clone)]
pub enum BorderMessage {
    /// This shard is new and knows nothing.
    Hello,
    /// Send me this publication; of what a mouth says, in these codecs.
    Want(PublicationId, Vec<AudioCodec>),
    /// Do not any more.
    Unwant(PublicationId),
    /// I have it.
    Published(PublicationId),
    /// I have it no longer.
    Unpublished(PublicationId),
    /// A packet of it.
    Packet(PublicationId, Box<BorderPacket>),
    /// A decoder here waits for a key frame of this layer.
    Keyframe(PublicationId, Option<Arc<str>>),
}

impl BorderMessage {
    /// Whether it may be dropped where too much waits.
    pub fn is_lossy(&self) -> bool {
        matches!(self, Self::Packet(..))
    }
}

/// A packet on its way to another shard.
#[derive(Debug, Clone)]
pub struct BorderPacket {
    source: SourceKey,
    codec: Codec,
    rid: Option<Arc<str>>,
    spoken: bool,
    packet: OutgoingPacket,
}

impl BorderPacket {
    /// Copy a packet for another shard.
    pub fn copy(routed: &RoutedPacket<'_>) -> Self {
        let packet = OutgoingPacket { payload: routed.packet.payload[..].into(), ..routed.packet.clone() };
        Self {
            source: routed.source,
            codec: routed.codec.clone(),
            rid: routed.rid.cloned(),
            spoken: routed.spoken,
            packet,
        }
    }

    /// As it is routed on the shard that it came to.
    pub fn routed(&self, from: ShardIndex) -> RoutedPacket<'_> {
        RoutedPacket {
            source: self.source.from_shard(from),
            codec: &self.codec,
            rid: self.rid.as_ref(),
            spoken: self.spoken,
            packet: &self.packet,
        }
    }
}
