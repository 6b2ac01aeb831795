//! A peer's data channels: what is queued, what has left, and which stream number is whose.
//!
//! The WebRTC library takes messages as long as its own buffer has room; the rest waits here. A channel's number is its
//! SCTP stream where the peer or the negotiation chose it, and the caller's own choice where we open it in band.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

use crate::peer::PeerEvent;

/// Bytes that leave between two reports while more wait.
const REPORT_BYTES: u64 = 64 * 1024;

/// A message: text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Not text.
    pub binary: bool,
    /// UTF-8 if it is text.
    pub data: Vec<u8>,
}

/// How a channel is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Any text, none at all included.
    pub label: String,
    /// Messages arrive in the order of sending.
    pub ordered: bool,
    /// How often a message is sent again. Without this and the next, until it has arrived.
    pub max_retransmits: Option<u16>,
    /// How long a message is sent again, in milliseconds since it was queued. Only one of the two can be agreed on
    /// (RFC 8832 §5.1): this one counts where the other is none.
    pub max_lifetime_ms: Option<u16>,
    /// The peer knows the number already.
    pub negotiated: bool,
}

#[derive(Debug)]
struct Queued {
    message: Message,
    /// When it was first seen here.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Channel {
    library_id: ChannelId,
    options: ChannelOptions,
    open: bool,
    closing: bool,
    queue: VecDeque<Queued>,
    written: u64,
    drained: u64,
}

/// All channels of one peer.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    channels: BTreeMap<u16, Channel>,
}

fn config(number: u16, options: &ChannelOptions, negotiated: bool) -> ChannelConfig {
    ChannelConfig {
        label: options.label.clone(),
        ordered: options.ordered,
        reliability: match (options.max_retransmits, options.max_lifetime_ms) {
            (Some(retransmits), _) => Reliability::MaxRetransmits { retransmits },
            (None, Some(lifetime)) => Reliability::MaxPacketLifetime { lifetime },
            (None, None) => Reliability::Reliable,
        },
        negotiated: negotiated.then_some(number),
        protocol: String::new(),
    }
}

/// The options of a channel that the peer opened.
fn options_of(config: ChannelConfig) -> ChannelOptions {
    let (max_retransmits, max_lifetime_ms) = match config.reliability {
        Reliability::Reliable => (None, None),
        Reliability::MaxRetransmits { retransmits } => (Some(retransmits), None),
        Reliability::MaxPacketLifetime { lifetime } => (None, Some(lifetime)),
    };
    ChannelOptions { label: config.label, ordered: config.ordered, max_retransmits, max_lifetime_ms, negotiated: false }
}

impl Channel {
    /// Count bytes as gone that will never leave, or their credits would be lost.
    fn drop_bytes(&mut self, number: u16, bytes: usize, events: &mut Vec<PeerEvent>) {
        self.written += bytes as u64;
        self.drained += bytes as u64;
        events.push(PeerEvent::Drained(number, bytes as u64));
    }

    /// Drop what has waited for longer than it may live: the library counts only from when it has it.
    fn expire(&mut self, number: u16, now: Instant, events: &mut Vec<PeerEvent>) {
        let (None, Some(ms)) = (self.options.max_retransmits, self.options.max_lifetime_ms) else { return };
        self.queue.iter_mut().rev().take_while(|queued| queued.since.is_none()).for_each(|queued| {
            queued.since = Some(now);
        });
        let lifetime = Duration::from_millis(ms.into());
        while self.queue.front().and_then(|queued| queued.since).is_some_and(|since| now > since + lifetime) {
            let bytes = self.queue.pop_front().map_or(0, |queued| queued.message.data.len());
            self.drop_bytes(number, bytes, events);
        }
    }
}

impl Channels {
    /// Open one of ours; false if the number is in use.
    pub fn open(&mut self, rtc: &mut Rtc, number: u16, options: ChannelOptions) -> bool {
        if self.channels.contains_key(&number) {
            return false;
        }
        let library_id = rtc.direct_api().create_data_channel(config(number, &options, options.negotiated));
        self.add(number, library_id, options, false);
        true
    }

    /// Declare all of them anew on a fresh `rtc`. Both ends remember the numbers of those that were open. What the old
    /// one had not sent is lost, and told as drained once the channel is open again.
    pub fn declare_again(&mut self, rtc: &mut Rtc) {
        for (number, channel) in &mut self.channels {
            let negotiated = channel.open || channel.options.negotiated;
            channel.library_id = rtc.direct_api().create_data_channel(config(*number, &channel.options, negotiated));
        }
    }

    fn add(&mut self, number: u16, library_id: ChannelId, options: ChannelOptions, open: bool) {
        let channel =
            Channel { library_id, options, open, closing: false, queue: VecDeque::new(), written: 0, drained: 0 };
        self.channels.insert(number, channel);
    }

    fn number_of(&self, library_id: ChannelId) -> Option<u16> {
        self.channels.iter().find(|(_, channel)| channel.library_id == library_id).map(|(number, _)| *number)
    }

    /// The library says that a channel is open.
    pub fn opened(&mut self, rtc: &mut Rtc, library_id: ChannelId, label: String) -> Option<PeerEvent> {
        let known = self.number_of(library_id);
        let number = known.or_else(|| rtc.direct_api().sctp_stream_id_by_channel_id(library_id))?;
        if known.is_none() {
            if self.channels.contains_key(&number) {
                rtc.direct_api().close_data_channel(library_id);
                return None;
            }
            let config = rtc.channel(library_id).and_then(|channel| channel.config().cloned());
            let config = config.unwrap_or_else(|| ChannelConfig { label, ..ChannelConfig::default() });
            self.add(number, library_id, options_of(config), false);
        }
        let channel = self.channels.get_mut(&number)?;
        // A channel that outlived a second handshake was told before.
        let told = std::mem::replace(&mut channel.open, true);
        (!told).then(|| PeerEvent::ChannelOpened(number, channel.options.clone()))
    }

    /// The library says that a channel is closed.
    pub fn closed(&mut self, library_id: ChannelId) -> Option<PeerEvent> {
        let number = self.number_of(library_id)?;
        self.channels.remove(&number);
        Some(PeerEvent::ChannelClosed(number))
    }

    /// A message came.
    pub fn received(&self, library_id: ChannelId, binary: bool, data: Vec<u8>) -> Option<PeerEvent> {
        let data = if binary { data } else { String::from_utf8_lossy(&data).into_owned().into_bytes() };
        Some(PeerEvent::Message(self.number_of(library_id)?, Message { binary, data }))
    }

    /// Queue a message; false if there is no such channel. An empty one is not sent: the library would give it a number
    /// and no chunk, and everything after it would wait for ever.
    pub fn send(&mut self, number: u16, message: Message) -> bool {
        let channel = self.channels.get_mut(&number).filter(|channel| !channel.closing);
        let Some(channel) = channel else { return false };
        if !message.data.is_empty() {
            channel.queue.push_back(Queued { message, since: None });
        }
        true
    }

    /// Close a channel once everything has left; false if there is none.
    pub fn close(&mut self, number: u16) -> bool {
        self.channels.get_mut(&number).map(|channel| channel.closing = true).is_some()
    }

    /// Hand over what fits and tell what has left. True if the library has something new to send.
    pub fn pump(&mut self, now: Instant, rtc: &mut Rtc, events: &mut Vec<PeerEvent>) -> bool {
        let mut progress = false;
        let mut gone = Vec::new();
        for (number, channel) in &mut self.channels {
            channel.expire(*number, now, events);
            let Some(mut link) = rtc.channel(channel.library_id) else { continue };
            while let Some(Queued { message, .. }) = channel.queue.front() {
                match link.write(message.binary, &message.data) {
                    Ok(true) => {
                        channel.written += message.data.len() as u64;
                        progress = true;
                    }
                    Ok(false) => break,
                    Err(_) => {
                        let bytes = message.data.len();
                        channel.drop_bytes(*number, bytes, events);
                    }
                }
                channel.queue.pop_front();
            }
            if channel.written > channel.drained {
                let left = channel.written.saturating_sub(link.buffered_amount() as u64);
                if left == channel.written || left >= channel.drained + REPORT_BYTES {
                    events.push(PeerEvent::Drained(*number, left - channel.drained));
                    channel.drained = left;
                }
            }
            if channel.closing && channel.queue.is_empty() && channel.written == channel.drained {
                gone.push(*number);
            }
        }
        for number in gone {
            if let Some(channel) = self.channels.remove(&number) {
                rtc.direct_api().close_data_channel(channel.library_id);
                events.push(PeerEvent::ChannelClosed(number));
                progress = true;
            }
        }
        progress
    }
}
