//! What the caller says, line by line, while the swarm goes on.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::swarm::Swarm;

const AN_HOUR: Duration = Duration::from_secs(3_600);

/// Lines of standard input.
pub struct Lines(Receiver<String>);

impl Lines {
    /// Read on a thread of its own; each line wakes the swarm.
    pub fn read(swarm: &Swarm) -> Self {
        let (sender, receiver) = channel();
        let waker = swarm.waker().expect("a waker");
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
                let _ = waker.wake();
            }
            drop(sender);
            let _ = waker.wake();
        });
        Self(receiver)
    }

    /// Serve the swarm until there is a line; none at the end of input.
    pub fn next(&self, swarm: &mut Swarm) -> Option<String> {
        let mut line = self.0.try_recv();
        while matches!(line, Err(TryRecvError::Empty)) {
            let waits = |_: &mut Swarm| {
                line = self.0.try_recv();
                !matches!(line, Err(TryRecvError::Empty))
            };
            swarm.run(Instant::now() + AN_HOUR, waits).expect("a network");
        }
        line.ok()
    }
}
