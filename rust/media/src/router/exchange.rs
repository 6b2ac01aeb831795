//! The router's side of the border between shards.

use std::time::Instant;

use super::{Delivery, Origin, Router};
use crate::border::{BorderMessage, BorderPacket, ShardIndex, To};
use crate::spec::PublicationId;

impl BorderMessage {
    pub(super) fn packet(publication: &PublicationId, routed: &super::RoutedPacket<'_>) -> Self {
        Self::Packet(publication.clone(), Box::new(BorderPacket::copy(routed)))
    }
}

impl Router {
    /// Take what other shards are told.
    pub fn take_border(&mut self) -> Vec<(To, BorderMessage)> {
        std::mem::take(&mut self.outbox)
    }

    /// Another shard tells something other than a packet. True if a publication came or went here.
    pub fn on_border(&mut self, now: Instant, from: ShardIndex, message: BorderMessage) -> Option<PublicationId> {
        match message {
            BorderMessage::Hello => self.greet(from),
            BorderMessage::Want(publication, codecs) => {
                let known = self.publications.entry(publication.clone()).or_default();
                known.wanters.insert(from, codecs);
                if known.is_local() {
                    self.outbox.push((To::Shard(from), BorderMessage::Published(publication)));
                }
            }
            BorderMessage::Unwant(publication) => {
                if let Some(known) = self.publications.get_mut(&publication) {
                    known.wanters.remove(&from);
                    self.drop_empty();
                }
            }
            BorderMessage::Published(publication) => {
                let known = self.publications.get_mut(&publication).filter(|known| !known.is_local())?;
                known.origin = Some(Origin::Shard(from));
                return Some(publication);
            }
            BorderMessage::Unpublished(publication) => {
                let theirs = Some(Origin::Shard(from));
                let known = self.publications.get_mut(&publication).filter(|known| known.origin == theirs)?;
                known.origin = None;
                known.layers.clear();
                return Some(publication);
            }
            BorderMessage::Keyframe(publication, rid) => self.ask_keyframe(now, &publication, rid.as_ref()),
            BorderMessage::Packet(..) => {}
        }
        None
    }

    /// Hand out a packet from another shard.
    pub fn route_border<'a>(
        &mut self,
        now: Instant,
        from: ShardIndex,
        publication: &PublicationId,
        packet: &'a BorderPacket,
        deliver: impl FnMut(Delivery<'a>),
    ) {
        // What nobody wants any more may still be on its way.
        if self.publications.get(publication).is_some_and(|known| known.is_wanted) {
            self.route(now, publication, packet.routed(from), deliver);
        }
    }

    /// Whether another shard wants this publication.
    #[cfg(test)]
    pub fn is_wanted(&self, publication: &PublicationId) -> bool {
        self.publications.get(publication).is_some_and(|known| !known.wanters.is_empty())
    }

    /// A shard began anew: it forgot what we want and wants nothing itself.
    fn greet(&mut self, from: ShardIndex) {
        for known in self.publications.values_mut() {
            known.wanters.remove(&from);
            if known.origin == Some(Origin::Shard(from)) {
                known.origin = None;
                known.layers.clear();
            }
        }
        let wanted = self.publications.iter().filter(|(_, known)| known.is_wanted);
        let wants = wanted.map(|(name, known)| BorderMessage::Want(name.clone(), known.wanted.clone()));
        self.outbox.extend(wants.map(|want| (To::Shard(from), want)));
        self.drop_empty();
    }

    pub(super) fn tell_wanters(&mut self, publication: &PublicationId, say: impl Fn(PublicationId) -> BorderMessage) {
        let Some(known) = self.publications.get(publication) else { return };
        self.outbox.extend(known.wanters.keys().map(|shard| (To::Shard(*shard), say(publication.clone()))));
    }

    /// Ask other shards for what is needed here and is not here; leave off asking for what is.
    pub(super) fn update_want(&mut self, publication: &PublicationId) {
        let Some(known) = self.publications.get_mut(publication) else { return };
        let want = !known.is_local() && !known.subscriptions.is_empty();
        let codecs = if want { known.needed() } else { Vec::new() };
        let changed = want != known.is_wanted || codecs != known.wanted;
        (known.is_wanted, known.wanted) = (want, codecs.clone());
        if !changed {
            return;
        }
        let message = if want {
            BorderMessage::Want(publication.clone(), codecs)
        } else {
            if matches!(known.origin, Some(Origin::Shard(_))) {
                known.origin = None;
            }
            BorderMessage::Unwant(publication.clone())
        };
        self.outbox.push((To::Others, message));
    }
}

impl super::Publication {
    pub(super) fn is_local(&self) -> bool {
        matches!(self.origin, Some(Origin::Peer(..) | Origin::Speaker(_) | Origin::Slot(..)))
    }
}
