//! Meetings on any server: whoever runs this does the signalling, and has the clients here offer, answer, talk and listen.
//!
//! One request a line, one reply a line; lines of session descriptions are joined by tabs. `N` is a client.
//!
//! | request | reply |
//! |---|---|
//! | `offer send:audio recv:video channels …` | `N`, tab, the offer of a new client |
//! | `accept N`, tab, their answer | `ok` |
//! | `answer`, tab, their offer | `N`, tab, the answer of a new client |
//! | `again N`, tab, their next offer | the answer |
//! | `connect SECONDS` | how many of all are connected, and how long each took |
//! | `talk N SLOT sound`, or `pictures`, or `tone:HZ` | `ok`; the client sends from now on |
//! | `hush` | `ok`; nobody sends until the next measurement |
//! | `measure SECONDS` | what was sent and came meanwhile; all sources pause before and afterwards |
//! | `decode HZ` | what each listening client heard of the last measurement, decoded in turn |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use parley_media::identity::Identity;

use crate::client::{Client, Ears};
use crate::decode::Heard;
use crate::delays::delays;
use crate::figures::{line, percentile};
use crate::lines::Lines;
use crate::options::Options;
use crate::sdp::{Kind, Line, Speaker};
use crate::source::{Contents, FRAME, Source, tone};
use crate::swarm::Swarm;

/// Where nothing came for so long, nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(300);
/// How often to look for it.
const MOST_WAITS: usize = 30;

struct Meeting {
    swarm: Swarm,
    identity: Identity,
    local: SocketAddr,
    /// Of so many clients that receive one decrypts.
    listens_every: usize,
    /// Offers without an answer.
    offered: BTreeMap<usize, (UdpSocket, SocketAddr, Vec<Line>)>,
    /// Where clients are in the swarm.
    places: BTreeMap<usize, usize>,
    /// Of the swarm, those that receive.
    receivers: BTreeSet<usize>,
    sources: u32,
}

/// Do what is said, until nothing more is.
pub fn run(options: &Options) {
    let swarm = Swarm::new().expect("a poll");
    let lines = Lines::read(&swarm);
    let mut meeting = Meeting {
        swarm,
        identity: Identity::generate(&[]).expect("random numbers"),
        local: options.get("bind", SocketAddr::from(([127, 0, 0, 1], 0))),
        listens_every: options.get("listens-every", 1),
        offered: BTreeMap::new(),
        places: BTreeMap::new(),
        receivers: BTreeSet::new(),
        sources: 0,
    };
    while let Some(request) = lines.next(&mut meeting.swarm) {
        let reply = meeting.reply(&request).unwrap_or_else(|| {
            let verb = request.split([' ', '\t']).next().unwrap_or_default();
            panic!("{verb:?} cannot be done: see benchmarks/load/src/meet.rs")
        });
        println!("{reply}");
    }
}

impl Meeting {
    fn reply(&mut self, request: &str) -> Option<String> {
        let (head, text) = request.split_once('\t').unwrap_or((request, ""));
        let text = text.replace('\t', "\r\n");
        let words: Vec<&str> = head.split(' ').collect();
        match words[..] {
            ["offer", ..] => self.offer(&words[1..]),
            ["accept", number] => self.accept(number.parse().ok()?, &text),
            ["answer"] => self.answer(&text),
            ["again", number] => self.again(number.parse().ok()?, &text),
            ["connect", seconds] => self.connect(seconds.parse().ok()?),
            ["talk", number, slot, what] => self.talk(number.parse().ok()?, slot.parse().ok()?, what),
            ["hush"] => self.pause(true).map(|()| "ok".to_owned()),
            ["measure", seconds] => self.measure(seconds.parse().ok()?),
            ["decode", hz] => Some(self.decode(hz.parse().ok()?)),
            _ => None,
        }
    }

    fn socket(&self) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(self.local).expect("a socket");
        let addr = socket.local_addr().expect("an address");
        (socket, addr)
    }

    fn next_number(&self) -> usize {
        self.offered.len() + self.places.len()
    }

    fn speaker(number: usize, addr: SocketAddr, fingerprint: &[u8]) -> Speaker<'_> {
        Speaker { number, addr, fingerprint }
    }

    fn offer(&mut self, wishes: &[&str]) -> Option<String> {
        let mut lines = Vec::new();
        for (mid, wish) in wishes.iter().enumerate() {
            let mid = mid.to_string();
            lines.push(match *wish {
                "send:audio" => Line::new(&mid, Kind::Audio, true, false),
                "send:video" => Line::new(&mid, Kind::Video, true, false),
                "recv:audio" => Line::new(&mid, Kind::Audio, false, true),
                "recv:video" => Line::new(&mid, Kind::Video, false, true),
                "channels" => Line::new(&mid, Kind::Channels, false, false),
                _ => return None,
            });
        }
        let ((socket, addr), number) = (self.socket(), self.next_number());
        let offer = Self::speaker(number, addr, &self.identity.fingerprint().digest).offer(&lines);
        self.offered.insert(number, (socket, addr, lines));
        Some(format!("{number}\t{}", joined(&offer)))
    }

    fn accept(&mut self, number: usize, answer: &str) -> Option<String> {
        let (socket, addr, lines) = self.offered.remove(&number)?;
        let spec = Self::speaker(number, addr, &self.identity.fingerprint().digest).answered(&lines, answer)?;
        self.add(number, Client::on(socket, &self.identity, Instant::now(), spec).ok()?);
        Some("ok".to_owned())
    }

    fn answer(&mut self, offer: &str) -> Option<String> {
        let ((socket, addr), number) = (self.socket(), self.next_number());
        let (answer, spec) = Self::speaker(number, addr, &self.identity.fingerprint().digest).answer(offer, &[])?;
        self.add(number, Client::on(socket, &self.identity, Instant::now(), spec).ok()?);
        Some(format!("{number}\t{}", joined(&answer)))
    }

    fn again(&mut self, number: usize, offer: &str) -> Option<String> {
        let place = *self.places.get(&number)?;
        let client = &mut self.swarm.clients[place];
        let slots = client.peer.spec().slots.iter();
        let sending: Vec<String> = slots.filter(|slot| slot.send.is_some()).map(|slot| slot.mid.clone()).collect();
        let speaker = Self::speaker(number, client.addr, &self.identity.fingerprint().digest);
        let (answer, spec) = speaker.answer(offer, &sending)?;
        client.peer.change(spec);
        self.swarm.touch(place);
        self.listen(place);
        Some(joined(&answer))
    }

    fn add(&mut self, number: usize, client: Client) {
        let place = self.swarm.add(client).expect("a place in the poll");
        self.places.insert(number, place);
        self.listen(place);
    }

    /// Let those that receive since now count or decrypt.
    fn listen(&mut self, place: usize) {
        if !self.receivers.contains(&place) && receives(&self.swarm.clients[place]) {
            let listens = self.receivers.len().is_multiple_of(self.listens_every);
            self.swarm.clients[place].ears = if listens { Ears::Decrypt } else { Ears::Count };
            self.receivers.insert(place);
        }
    }

    fn connect(&mut self, seconds: f64) -> Option<String> {
        let all = |swarm: &mut Swarm| swarm.clients.iter().all(|client| client.connected_at.is_some());
        self.swarm.run(Instant::now() + Duration::from_secs_f64(seconds), all).ok()?;
        let took = |client: &Client| Some((client.connected_at? - client.begun_at).as_secs_f64() * 1_000.0);
        let mut walls: Vec<f64> = self.swarm.clients.iter().filter_map(took).collect();
        Some(line(&[
            ("clients", self.swarm.clients.len() as f64),
            ("connected", walls.len() as f64),
            ("p50_ms", percentile(&mut walls, 50)),
            ("p99_ms", percentile(&mut walls, 99)),
        ]))
    }

    fn talk(&mut self, number: usize, slot: usize, what: &str) -> Option<String> {
        let source = self.sources;
        let contents = match what.split_once(':') {
            None if what == "sound" => Contents::Sound { source },
            None if what == "pictures" => Contents::Pictures { source },
            Some(("tone", hz)) => tone(hz.parse().ok()?),
            _ => return None,
        };
        self.sources += 1;
        let place = *self.places.get(&number)?;
        self.swarm.clients[place].sources.push(Source::new(slot, contents, Instant::now()));
        self.swarm.touch(place);
        Some("ok".to_owned())
    }

    fn measure(&mut self, seconds: f64) -> Option<String> {
        self.pause(true)?;
        let said = self.said();
        for client in &mut self.swarm.clients {
            client.ears = if client.ears == Ears::Count { Ears::Count } else { Ears::Keep };
            client.received = 0;
            client.arrivals.clear();
            client.packets.clear();
        }
        self.pause(false)?;
        self.swarm.run(Instant::now() + Duration::from_secs_f64(seconds), |_| false).ok()?;
        self.pause(true)?;
        let mut counts: Vec<f64> = self.receiving().map(|client| client.received as f64).collect();
        let mut delays = delays(&self.swarm);
        let closed = self.swarm.clients.iter().filter(|client| client.closed).count();
        let figures = line(&[
            ("sent", (self.said() - said) as f64),
            ("received", self.received() as f64),
            ("least", percentile(&mut counts, 0)),
            ("most", percentile(&mut counts, 100)),
            ("delay_p50_ms", percentile(&mut delays, 50)),
            ("delay_p95_ms", percentile(&mut delays, 95)),
            ("delay_p99_ms", percentile(&mut delays, 99)),
            ("delays", delays.len() as f64),
            ("closed", closed as f64),
        ]);
        // What was measured stays for `decode`; servers that watch their publishers must not find them gone.
        for client in &mut self.swarm.clients {
            client.ears = if client.ears == Ears::Count { Ears::Count } else { Ears::Decrypt };
        }
        self.pause(false)?;
        Some(figures)
    }

    fn receiving(&self) -> impl Iterator<Item = &Client> {
        self.receivers.iter().map(|place| &self.swarm.clients[*place])
    }

    fn received(&self) -> u64 {
        self.receiving().map(|client| client.received).sum()
    }

    fn said(&self) -> u64 {
        self.swarm.clients.iter().flat_map(|client| &client.sources).map(Source::said).sum()
    }

    /// Stop all sources and wait until what they sent has come; or let them go on, evenly over a frame.
    fn pause(&mut self, hushed: bool) -> Option<()> {
        let (now, count) = (Instant::now(), self.sources.max(1));
        let mut phase = 0;
        for number in 0..self.swarm.clients.len() {
            let client = &mut self.swarm.clients[number];
            for source in &mut client.sources {
                source.go_on((!hushed).then(|| now + FRAME * phase / count));
                phase += 1;
            }
            self.swarm.touch(number);
        }
        let mut came = self.received();
        for _ in 0..if hushed { MOST_WAITS } else { 0 } {
            self.swarm.run(Instant::now() + QUIET, |_| false).ok()?;
            if std::mem::replace(&mut came, self.received()) == came {
                break;
            }
        }
        Some(())
    }

    fn decode(&self, hz: f64) -> String {
        let mut text = "[".to_owned();
        for client in self.receiving().filter(|client| client.ears != Ears::Count) {
            let heard = Heard::by(client, hz);
            let comma = if text.len() > 1 { ", " } else { "" };
            let fields = [
                ("packets", heard.packets as f64),
                ("amiss", heard.amiss as f64),
                ("decoded_ms", heard.decoded_ms as f64),
                ("silent_ms", heard.silent_ms as f64),
                ("tone_ms", heard.tone_ms as f64),
            ];
            let _ = write!(text, "{comma}{}", line(&fields));
        }
        text.push(']');
        text
    }
}

fn receives(client: &Client) -> bool {
    client.peer.spec().slots.iter().any(|slot| !slot.receive.is_empty())
}

fn joined(description: &str) -> String {
    description.trim_end().replace("\r\n", "\t")
}
