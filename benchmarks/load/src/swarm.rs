//! All clients, on one thread: wait for any socket or the next deadline, then do what is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, Waker};

use crate::client::Client;

const KNOCK: Token = Token(usize::MAX);

/// Clients and what wakes them.
pub struct Swarm {
    pub clients: Vec<Client>,
    poll: Poll,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    armed: Vec<Option<Instant>>,
}

impl Swarm {
    /// Nobody yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self { clients: Vec::new(), poll: Poll::new()?, timers: BinaryHeap::new(), armed: Vec::new() })
    }

    /// What ends a wait from another thread. One of it.
    pub fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), KNOCK)
    }

    /// Add a client; gives its number.
    pub fn add(&mut self, mut client: Client) -> io::Result<usize> {
        let number = self.clients.len();
        self.poll.registry().register(&mut client.socket, Token(number), Interest::READABLE)?;
        self.clients.push(client);
        self.armed.push(None);
        self.touch(number);
        Ok(number)
    }

    /// A client was told to do something: look at it soon.
    pub fn touch(&mut self, number: usize) {
        let now = Instant::now();
        self.armed[number] = Some(now);
        self.timers.push(Reverse((now, number)));
    }

    /// Serve until `until`, or earlier where `done` says so after a round.
    pub fn run(&mut self, until: Instant, mut done: impl FnMut(&mut Self) -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            let next = self.timers.peek().map_or(until, |Reverse((at, _))| *at).min(until);
            let wait = next.saturating_duration_since(now);
            // epoll counts in milliseconds and rounds up; to spin for the rest would take the server's memory bandwidth.
            self.poll.poll(&mut events, Some(wait))?;
            let now = Instant::now();
            for event in events.iter().filter(|event| event.token() != KNOCK) {
                let number = event.token().0;
                self.clients[number].read(now);
                self.arm(number);
            }
            while let Some(Reverse((at, number))) = self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now) {
                self.timers.pop();
                if self.armed[number] == Some(at) {
                    self.armed[number] = None;
                    self.clients[number].advance(now);
                    self.arm(number);
                }
            }
            if done(self) {
                return Ok(());
            }
        }
    }

    fn arm(&mut self, number: usize) {
        if let Some(at) = self.clients[number].deadline()
            && self.armed[number].is_none_or(|armed| at < armed)
        {
            self.armed[number] = Some(at);
            self.timers.push(Reverse((at, number)));
        }
    }
}
