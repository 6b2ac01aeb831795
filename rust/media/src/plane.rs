//! What a shard is asked and what it tells: two closed unions of plain data, the Python contract's in Rust.

use crate::channels::{ChannelOptions, Message};
use crate::eye::Still;
use crate::layers::LayerWish;
use crate::listener::{Gathering, HeardBlock, ListenerOptions};
use crate::peer::CloseReason;
use crate::playout::PlayoutEvent;
use crate::spec::{InternalSlot, ItemId, ListenerId, PeerId, PeerSpec, PublicationId, SpeakerId};
use crate::statistics::PeerStatistics;

/// Carried out in order. What concerns something that is not there is ignored and counted.
#[derive(Debug, Clone)]
pub enum Command {
    /// Add a peer, or change the one with this id.
    AddPeer(Box<PeerSpec>),
    /// Add a peer without a connection, or change the slots of the one with this id.
    AddInternal(PeerId, Vec<InternalSlot>),
    /// Say goodbye and forget.
    RemovePeer(PeerId),
    /// Feed a slot.
    Subscribe {
        /// Whose slot.
        peer: PeerId,
        /// Which slot.
        mid: String,
        /// With what.
        publication: PublicationId,
        /// Which simulcast layer.
        wish: LayerWish,
    },
    /// Feed a slot with nothing.
    Unsubscribe(PeerId, String),
    /// Hear a publication.
    OpenListener(ListenerId, PublicationId, ListenerOptions),
    /// The turn is closed.
    RestListener(ListenerId),
    /// Larger blocks may be posted.
    GatherSound(ListenerId, Gathering),
    /// Stop hearing.
    CloseListener(ListenerId),
    /// So many samples were fetched.
    HeardFetched(ListenerId, u64),
    /// Make a publication out of PCM.
    OpenSpeaker(SpeakerId, PublicationId),
    /// Queue PCM of 24 kHz.
    PushSpeech(SpeakerId, ItemId, Vec<i16>),
    /// Nothing more will be pushed.
    EndSpeech(SpeakerId, ItemId),
    /// Be silent.
    FlushSpeech(SpeakerId, ItemId),
    /// End the publication.
    CloseSpeaker(SpeakerId),
    /// Open a data channel.
    OpenChannel(PeerId, u16, ChannelOptions),
    /// Send a message.
    SendMessage(PeerId, u16, Message),
    /// Close a data channel.
    CloseChannel(PeerId, u16),
    /// So many bytes of what this peer made were fetched, as `Event::unread` counts them.
    MessagesFetched(PeerId, u64),
    /// Tell who of those that this peer hears speaks, or do not any more.
    WatchSpeakers(PeerId, bool),
    /// Take stills of what this peer sends on the slot with this mid, or take none any more.
    WatchCamera(PeerId, Option<String>),
    /// Tell what passed, under this number.
    TellStatistics(u64),
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Media and channels flow.
    PeerConnected(PeerId),
    /// The last event about it.
    PeerClosed(PeerId, CloseReason),
    /// A channel is open.
    ChannelOpened(PeerId, u16, ChannelOptions),
    /// A whole message.
    MessageReceived(PeerId, u16, Message),
    /// So many bytes have left.
    ChannelDrained(PeerId, u16, u64),
    /// A channel is closed.
    ChannelClosed(PeerId, u16),
    /// A message of so many bytes had nowhere to go: they are free again.
    MessageDropped(PeerId, u16, u64),
    /// So many samples were for a speaker that is not there: they are free again.
    SpeechDropped(SpeakerId, u64),
    /// About a speaker.
    Speech(SpeakerId, PlayoutEvent),
    /// An ear's next block, and when its end came, in milliseconds since the shard's epoch.
    AudioHeard(ListenerId, HeardBlock, u64),
    /// Of those that this peer hears another is the active speaker now, or none. May be lost.
    ActiveSpeaker(PeerId, Option<PublicationId>),
    /// How loud those are that anyone watches, in dBov. May be lost.
    LevelsHeard(Vec<(PublicationId, i8)>),
    /// What this peer's camera shows. An older one that nobody fetched is lost.
    StillSeen(PeerId, Still),
    /// What passed on this shard.
    Statistics(u64, Vec<PeerStatistics>),
}

/// What an event takes of its peer's share of unread bytes, beside its contents: a flood of small things is a flood.
const EVENT_BYTES: u64 = 256;

impl Event {
    /// Whose share of what is unread it takes, and how many bytes of it: of everything that a peer can make without end.
    pub fn unread(&self) -> Option<(&PeerId, u64)> {
        match self {
            Self::MessageReceived(peer, _, message) => Some((peer, message.data.len() as u64 + EVENT_BYTES)),
            Self::ChannelOpened(peer, _, options) => Some((peer, options.label.len() as u64 + EVENT_BYTES)),
            Self::ChannelClosed(peer, _) => Some((peer, EVENT_BYTES)),
            _ => None,
        }
    }
}

/// What was lost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks of ears that nobody fetched in time.
    pub audio_blocks_dropped: u64,
    /// Commands about something that was not there.
    pub commands_ignored: u64,
    /// Datagrams of nobody.
    pub datagrams_dropped: u64,
    /// Peers that were ended because something inside them broke.
    pub peers_broken: u64,
    /// Frames of 20 ms and more that ears decoded.
    pub frames_decoded: u64,
    /// Frames of 20 ms that mouths sent, once for each codec that somebody needs.
    pub frames_encoded: u64,
}
