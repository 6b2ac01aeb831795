//! What all shards have told and nobody has fetched, and the one descriptor that says so.
//!
//! Nothing but levels and old stills is lost here: the shards themselves bound what one peer or one ear may leave
//! unread. The descriptor becomes readable once, and not again before the next [`Ring::drain`]; for sound alone at most once in 5 ms.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use parley_media::plane::Event;

use crate::lock;

const SOUND_EVERY: Duration = Duration::from_millis(5);
/// Levels and speakers are news: where so many events wait nobody reads them any more.
const MAX_BEHIND_NEWS: usize = 4_096;

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    woken: bool,
    woken_at: Option<Instant>,
}

/// Events on their way out.
#[derive(Debug)]
pub struct Ring {
    state: Mutex<State>,
    reader: UnixStream,
    writer: UnixStream,
}

impl Ring {
    /// Make an empty ring.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { state: Mutex::default(), reader, writer })
    }

    /// Readable while events wait that nobody was woken for.
    pub fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Add events. Gives when to call [`Ring::wake`] if nobody was woken for them yet.
    pub fn post(&self, now: Instant, events: Vec<Event>) -> Option<Instant> {
        if events.is_empty() {
            return None;
        }
        let urgent = events.iter().any(|event| !matches!(event, Event::AudioHeard(..) | Event::LevelsHeard(_)));
        let mut state = lock(&self.state);
        for event in events {
            if let Event::StillSeen(peer, _) = &event {
                state.events.retain(|older| !matches!(older, Event::StillSeen(same, _) if same == peer));
            }
            let news = matches!(event, Event::LevelsHeard(_) | Event::ActiveSpeaker(..));
            if !(news && state.events.len() >= MAX_BEHIND_NEWS) {
                state.events.push(event);
            }
        }
        let due = state.woken_at.map(|then| then + SOUND_EVERY).filter(|due| !urgent && *due > now);
        if state.woken || due.is_some() {
            return due.filter(|_| !state.woken);
        }
        self.knock(&mut state, now);
        None
    }

    /// Wake the reader if something waits.
    pub fn wake(&self, now: Instant) {
        let mut state = lock(&self.state);
        if !state.woken && !state.events.is_empty() {
            self.knock(&mut state, now);
        }
    }

    /// Take everything, oldest first; the next event wakes again.
    pub fn drain(&self) -> Vec<Event> {
        let mut state = lock(&self.state);
        self.quiet();
        state.woken = false;
        std::mem::take(&mut state.events)
    }

    /// Make the descriptor unreadable again without taking anything.
    pub fn quiet(&self) {
        while matches!((&self.reader).read(&mut [0; 16]), Ok(1..)) {}
    }

    /// Whether something waits.
    pub fn has_events(&self) -> bool {
        !lock(&self.state).events.is_empty()
    }

    fn knock(&self, state: &mut State, now: Instant) {
        // A pipe that is full wakes just as well.
        let _ = (&self.writer).write(&[1]);
        state.woken = true;
        state.woken_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_media::eye::Still;
    use parley_media::listener::HeardBlock;
    use parley_media::peer::CloseReason;

    fn sound() -> Event {
        let block = HeardBlock { start_sample: 0, pcm: vec![], speech: vec![], speech_start_sample: 0, gap: false };
        Event::AudioHeard("ear".into(), block, 0)
    }

    fn readable(ring: &Ring) -> bool {
        let mut poll = libc::pollfd { fd: ring.descriptor(), events: libc::POLLIN, revents: 0 };
        #[allow(unsafe_code)]
        let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
        ready == 1
    }

    #[test]
    fn one_wake_up_for_many_events() {
        let (ring, now) = (Ring::new().unwrap(), Instant::now());
        assert!(!readable(&ring));
        for _ in 0..3 {
            assert_eq!(ring.post(now, vec![Event::PeerClosed("a".into(), CloseReason::Failed)]), None);
        }
        assert!(readable(&ring));
        ring.quiet();
        ring.post(now, vec![Event::PeerClosed("a".into(), CloseReason::Failed)]);
        assert!(!readable(&ring), "not before the next drain");
        assert_eq!(ring.drain().len(), 4);
        ring.post(now, vec![Event::PeerClosed("a".into(), CloseReason::Failed)]);
        assert!(readable(&ring));
    }

    #[test]
    fn levels_are_dropped_where_nobody_reads() {
        let (ring, now) = (Ring::new().unwrap(), Instant::now());
        for _ in 0..MAX_BEHIND_NEWS + 10 {
            ring.post(now, vec![Event::LevelsHeard(vec![])]);
        }
        ring.post(now, vec![Event::PeerConnected("a".into())]);
        assert_eq!(ring.drain().len(), MAX_BEHIND_NEWS + 1);
    }

    #[test]
    fn of_the_stills_of_a_camera_the_newest_waits() {
        let (ring, now) = (Ring::new().unwrap(), Instant::now());
        let still = |peer: &str, width| Event::StillSeen(peer.into(), Still { width, height: 9, webp: vec![0; 100] });
        for width in 1..=20 {
            ring.post(now, vec![still("a", width), still("b", width + 100)]);
        }
        ring.post(now, vec![Event::PeerConnected("c".into())]);
        let widths = |event: Event| if let Event::StillSeen(_, still) = event { still.width } else { 0 };
        assert_eq!(ring.drain().into_iter().map(widths).collect::<Vec<_>>(), [20, 120, 0]);
    }

    #[test]
    fn sound_alone_wakes_every_5_ms_at_most() {
        let (ring, now) = (Ring::new().unwrap(), Instant::now());
        assert_eq!(ring.post(now, vec![sound()]), None);
        ring.drain();
        let due = ring.post(now + Duration::from_millis(1), vec![sound()]).unwrap();
        assert_eq!(due, now + Duration::from_millis(5));
        assert!(!readable(&ring));
        ring.wake(due);
        assert!(readable(&ring));
        ring.drain();
        ring.post(due, vec![sound()]);
        assert!(!readable(&ring));
        ring.post(due, vec![Event::PeerConnected("a".into())]);
        assert!(readable(&ring), "other events do not wait");
    }
}
