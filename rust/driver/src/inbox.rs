//! What waits for one shard: commands, datagrams, the wish to end. Bounded; nobody waits to put something in.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use parley_media::border::{BorderMessage, ShardIndex};
use parley_media::peer::Datagram;
use parley_media::plane::Command;
use parley_media::spec::Protocol;

use crate::lock;

/// Commands that may wait.
pub const MAX_COMMANDS: usize = 1_024;
/// Datagrams that may wait, in bytes and number.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_DATAGRAMS: usize = 16_384;
/// Packets from other shards that may wait.
const MAX_BORDER_PACKETS: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Envelope {
    protocol: Protocol,
    source: SocketAddr,
    destination: SocketAddr,
    end: usize,
}

/// Datagrams in one piece of memory.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    envelopes: Vec<Envelope>,
}

impl Batch {
    /// Copy a datagram in.
    pub fn push(&mut self, datagram: Datagram<'_>) {
        self.bytes.extend_from_slice(datagram.contents);
        self.envelopes.push(Envelope {
            protocol: datagram.protocol,
            source: datagram.source,
            destination: datagram.destination,
            end: self.bytes.len(),
        });
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        let mut start = 0;
        self.envelopes.iter().map(move |envelope| {
            let contents = &self.bytes[std::mem::replace(&mut start, envelope.end)..envelope.end];
            let Envelope { protocol, source, destination, .. } = *envelope;
            Datagram { protocol, source, destination, contents }
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// Drop all, keep the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.envelopes.clear();
    }

    fn has_room_for(&self, more: &Self) -> bool {
        self.bytes.len() + more.bytes.len() <= MAX_BYTES && self.len() + more.len() <= MAX_DATAGRAMS
    }
}

/// What a shard takes out at once.
#[derive(Debug, Default)]
pub struct Taken {
    /// In order.
    pub commands: Vec<Command>,
    /// In order.
    pub datagrams: Batch,
    /// What other shards tell, in order.
    pub border: Vec<(ShardIndex, BorderMessage)>,
    /// Say goodbye and end.
    pub closing: bool,
}

#[derive(Debug, Default)]
struct State {
    waiting: Taken,
    /// Commands that count against the bound.
    asked: usize,
    asleep: bool,
    dropped: u64,
}

/// One shard's queue.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
    ready: Condvar,
}

impl Inbox {
    /// Whether no more commands are taken for now.
    pub fn is_full(&self) -> bool {
        lock(&self.state).asked >= MAX_COMMANDS
    }

    /// Put a command in.
    pub fn command(&self, command: Command) {
        let mut state = lock(&self.state);
        state.asked += 1;
        state.waiting.commands.push(command);
        self.wake(&mut state);
    }

    /// Put in what is only for the books: beyond the bound, and in no hurry.
    pub fn note(&self, commands: impl IntoIterator<Item = Command>) {
        lock(&self.state).waiting.commands.extend(commands);
    }

    /// Put datagrams in; `batch` is empty afterwards. A shard that is too late loses all of them.
    pub fn datagrams(&self, batch: &mut Batch) {
        let mut state = lock(&self.state);
        if state.waiting.datagrams.is_empty() {
            std::mem::swap(&mut state.waiting.datagrams, batch);
        } else if state.waiting.datagrams.has_room_for(batch) {
            for datagram in batch.iter() {
                state.waiting.datagrams.push(datagram);
            }
        } else {
            state.dropped += batch.len() as u64;
        }
        batch.clear();
        self.wake(&mut state);
    }

    /// Put in what another shard tells. Packets are lost where too many wait; nothing else is.
    pub fn border(&self, from: ShardIndex, messages: impl IntoIterator<Item = BorderMessage>) {
        let mut state = lock(&self.state);
        for message in messages {
            if message.is_lossy() && state.waiting.border.len() >= MAX_BORDER_PACKETS {
                state.dropped += 1;
            } else {
                state.waiting.border.push((from, message));
            }
        }
        self.wake(&mut state);
    }

    /// Whether another shard told something that was not taken.
    pub fn has_border(&self) -> bool {
        !lock(&self.state).waiting.border.is_empty()
    }

    /// Ask the shard to end.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        state.waiting.closing = true;
        self.wake(&mut state);
    }

    /// Datagrams that were dropped.
    pub fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    /// Swap what waits with `taken`, which the caller has emptied.
    pub fn take(&self, taken: &mut Taken) {
        Self::swap(&mut lock(&self.state), taken);
    }

    /// Wait until something is there or time is up, then `take`.
    pub fn wait(&self, until: Option<Instant>, taken: &mut Taken) {
        let mut state = lock(&self.state);
        let waiting = &state.waiting;
        let idle = waiting.commands.is_empty() && waiting.datagrams.is_empty() && waiting.border.is_empty();
        if idle && !waiting.closing {
            state.asleep = true;
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => state,
                Some(left) => {
                    let waited = self.ready.wait_timeout(state, left);
                    waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
                None => self.ready.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner),
            };
            state.asleep = false;
        }
        Self::swap(&mut state, taken);
    }

    fn swap(state: &mut State, taken: &mut Taken) {
        std::mem::swap(&mut state.waiting, taken);
        state.asked = 0;
    }

    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.asleep) {
            self.ready.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(contents: &[u8]) -> Datagram<'_> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 9));
        Datagram { protocol: Protocol::Udp, source: anywhere, destination: anywhere, contents }
    }

    #[test]
    fn datagrams_come_out_as_they_went_in() {
        let (inbox, mut batch, mut taken) = (Inbox::default(), Batch::default(), Taken::default());
        for piece in [&b"one"[..], b"", b"three"] {
            batch.push(datagram(piece));
        }
        inbox.datagrams(&mut batch);
        batch.push(datagram(b"four"));
        inbox.datagrams(&mut batch);
        inbox.take(&mut taken);
        let contents: Vec<_> = taken.datagrams.iter().map(|datagram| datagram.contents).collect();
        assert_eq!(contents, [&b"one"[..], b"", b"three", b"four"]);
    }

    #[test]
    fn a_late_shard_loses_datagrams_and_no_more() {
        let (inbox, mut batch) = (Inbox::default(), Batch::default());
        let big = vec![0; 64 * 1024];
        for _ in 0..129 {
            batch.push(datagram(&big));
            inbox.datagrams(&mut batch);
        }
        assert_eq!(inbox.dropped(), 1);
        inbox.command(Command::CloseSpeaker("x".into()));
        let mut taken = Taken::default();
        inbox.take(&mut taken);
        assert_eq!((taken.commands.len(), taken.datagrams.len()), (1, 128));
    }

    #[test]
    fn a_late_shard_loses_packets_of_others_but_nothing_that_they_say() {
        use parley_media::border::BorderPacket;
        use parley_media::rewrite::SourceKey;
        use parley_media::router::RoutedPacket;
        use parley_media::sender::OutgoingPacket;
        use parley_media::spec::Codec;
        let (inbox, codec) = (Inbox::default(), Codec::plain(111, "opus", 48_000, 2));
        let packet = OutgoingPacket::unrouted(1, 2, false, [3_u8][..].into());
        let source = SourceKey::peer(1, 0, 9);
        let routed = RoutedPacket { source, codec: &codec, rid: None, spoken: false, packet: &packet };
        let message = BorderMessage::Packet("mic".into(), Box::new(BorderPacket::copy(&routed)));
        inbox.border(1, std::iter::repeat_n(message, MAX_BORDER_PACKETS + 5));
        inbox.border(2, [BorderMessage::Unwant("mic".into())]);
        assert_eq!(inbox.dropped(), 5);
        let mut taken = Taken::default();
        inbox.take(&mut taken);
        assert_eq!(taken.border.len(), MAX_BORDER_PACKETS + 1);
        assert!(matches!(taken.border.last(), Some((2, BorderMessage::Unwant(_)))));
    }

    #[test]
    fn only_what_was_asked_counts_against_the_bound() {
        let inbox = Inbox::default();
        inbox.note((0..2_000).map(|_| Command::HeardFetched("ear".into(), 480)));
        assert!(!inbox.is_full());
        for _ in 0..MAX_COMMANDS {
            inbox.command(Command::CloseSpeaker("x".into()));
        }
        assert!(inbox.is_full());
        inbox.take(&mut Taken::default());
        assert!(!inbox.is_full());
    }
}
