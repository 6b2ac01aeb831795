//! Where a peer is sent to: where ICE says, or where it plainly is now.
//!
//! ICE moves to a new address when the peer nominates one. A NAT that gives the peer another port says nothing: the peer
//! goes on checking its old pair, which comes from a new source, and the answers go nowhere. So when proven checks
//! come from another source and none has come from the nominated one for a while, everything but ICE itself follows.

use std::time::{Duration, Instant};

use crate::demux::Source;
use crate::peer::Transmit;

/// Longer than the pause between two checks of any browser.
const DESERTED_AFTER: Duration = Duration::from_secs(4);

/// One peer's way out.
#[derive(Debug, Default)]
pub(crate) struct Path {
    nominated: Option<Source>,
    nominated_checked_at: Option<Instant>,
    detour: Option<Source>,
}

impl Path {
    /// A check from `source` proved its integrity.
    pub fn checked(&mut self, now: Instant, source: Source) {
        if self.nominated == Some(source) || self.nominated.is_none() {
            self.nominated_checked_at = Some(now);
            self.detour = None;
        } else if self.nominated_checked_at.is_none_or(|then| now >= then + DESERTED_AFTER) {
            self.detour = Some(source);
        }
    }

    /// Send a datagram where the peer is.
    pub fn redirect(&mut self, mut transmit: Transmit) -> Transmit {
        if transmit.contents.first().is_none_or(|first| *first < 20) {
            return transmit;
        }
        let wanted = (transmit.protocol, transmit.destination);
        if self.nominated != Some(wanted) {
            self.nominated = Some(wanted);
            self.detour = None;
        }
        if let Some((protocol, destination)) = self.detour.filter(|(protocol, _)| *protocol == transmit.protocol) {
            (transmit.protocol, transmit.destination) = (protocol, destination);
        }
        transmit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Protocol;

    fn source(port: u16) -> Source {
        (Protocol::Udp, std::net::SocketAddr::from(([192, 0, 2, 1], port)))
    }

    fn goes_to(path: &mut Path, contents: &[u8]) -> u16 {
        let (protocol, destination) = source(1);
        path.redirect(Transmit { protocol, source: source(9).1, destination, contents: contents.into() })
            .destination
            .port()
    }

    #[test]
    fn media_follows_a_peer_whose_old_address_is_deserted_and_comes_back() {
        let (mut path, mut now) = (Path::default(), Instant::now());
        path.checked(now, source(1));
        assert_eq!(goes_to(&mut path, &[128]), 1);
        now += Duration::from_secs(3);
        path.checked(now, source(2));
        assert_eq!(goes_to(&mut path, &[128]), 1, "the old one may still be there");
        now += Duration::from_secs(2);
        path.checked(now, source(2));
        assert_eq!(goes_to(&mut path, &[128]), 2);
        assert_eq!(goes_to(&mut path, &[1]), 1, "answers to checks go where they came from");
        path.checked(now, source(1));
        assert_eq!(goes_to(&mut path, &[128]), 1);
    }
}
