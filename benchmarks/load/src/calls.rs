//! Calls: each client posts an offer, connects, talks a share of the time, and may ask for answers a share of the time.
//!
//! Prints `connected` when all are, waits for a line on standard input (none: it ends), talks, prints `talking` when every
//! client has talked for a while, goes on for so many seconds, and tells what came in these.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use parley_media::identity::Identity;
use parley_media::opus::{Effort, Encoder};

use crate::client::{Client, Ears};
use crate::figures::{percentile, print};
use crate::http;
use crate::lines::Lines;
use crate::options::Options;
use crate::sdp::{Kind, Line, Speaker};
use crate::source::{Contents, FRAME, Source};
use crate::swarm::Swarm;

const PATIENCE: Duration = Duration::from_secs(30);
const RATE: f64 = 24_000.0;
/// Voice detection, its turns and their recognition are at work; answers are asked for, so that every session costs the
/// same.
const SETTINGS: &str = concat!(
    r#"{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":"#,
    r#"{"type":"server_vad","create_response":false,"interrupt_response":false}}}}}"#
);
const ASK: &str = r#"{"type":"response.create"}"#;
const STOP: &str = r#"{"type":"output_audio_buffer.clear"}"#;
/// An answer and the pause after it.
const PERIOD: Duration = Duration::from_secs(10);
/// Until then every client has begun, and the first answer with it.
const SETTLED: Duration = Duration::from_secs(3);

/// Do all of it.
pub fn run(options: &Options) {
    let server: SocketAddr = options.text("server").parse().expect("--server is an address and port");
    let (sessions, seconds): (usize, f64) = (options.get("sessions", 1), options.get("seconds", 10.0));
    let local: SocketAddr = options.get("bind", SocketAddr::from(([127, 0, 0, 1], 0)));
    let ask_percent: u64 = options.get("ask", 0);
    let path: String = options.get("path", "/v1/realtime/calls".to_owned());
    let voice = Contents::Loop { packets: speech(), talking_percent: options.get("talking-percent", 100) };
    let identity = Identity::generate(&[]).expect("random numbers");
    let mut swarm = Swarm::new().expect("a poll");
    let lines = [Line::new("0", Kind::Audio, true, true), Line::new("1", Kind::Channels, false, false)];
    let mut walls = Vec::new();
    for number in 0..sessions {
        let begun = Instant::now();
        let socket = UdpSocket::bind(local).expect("a socket");
        let addr = socket.local_addr().expect("an address");
        let speaker = Speaker { number, addr, fingerprint: &identity.fingerprint().digest };
        let answer = http::post(server, &path, &speaker.offer(&lines)).expect("an answer");
        let spec = speaker.answered(&lines, &answer).expect("an answer with ICE, DTLS and audio");
        let mut client = Client::on(socket, &identity, Instant::now(), spec).expect("a client");
        client.open_channel("oai-events");
        client.ears = Ears::Decrypt;
        let number = swarm.add(client).expect("a place in the poll");
        swarm.run(Instant::now() + PATIENCE, |swarm| swarm.clients[number].connected_at.is_some()).expect("a network");
        let connected = swarm.clients[number].connected_at.expect("a connection");
        walls.push((connected - begun).as_secs_f64() * 1_000.0);
    }
    let lines = Lines::read(&swarm);
    println!("connected");
    if lines.next(&mut swarm).is_none() {
        return;
    }
    let sent = talk(&mut swarm, &voice, Duration::from_secs_f64(seconds), ask_percent);
    let received: u64 = swarm.clients.iter().map(|client| client.received).sum();
    let mut jitter = pacing(&swarm);
    print(&[
        ("connected", walls.len() as f64),
        ("connect_p50_ms", percentile(&mut walls, 50)),
        ("connect_p99_ms", percentile(&mut walls, 99)),
        ("seconds", sent),
        ("received", received as f64),
        ("pacing_p50_ms", percentile(&mut jitter, 50)),
        ("pacing_p99_ms", percentile(&mut jitter, 99)),
        ("closed", swarm.clients.iter().filter(|client| client.closed).count() as f64),
    ]);
}

fn talk(swarm: &mut Swarm, voice: &Contents, time: Duration, ask_percent: u64) -> f64 {
    let start = Instant::now();
    let count = swarm.clients.len() as u32;
    let mut answers: Vec<Answer> = Vec::new();
    for number in 0..swarm.clients.len() {
        let client = &mut swarm.clients[number];
        if ask_percent > 0 {
            client.send(SETTINGS);
        }
        let phase = FRAME * number as u32 / count;
        client.sources.push(Source::new(0, voice.clone(), start + phase));
        answers.push(Answer { asked_at: None, next_at: start + PERIOD * number as u32 / count / 4 });
        swarm.touch(number);
    }
    let talking = PERIOD * ask_percent as u32 / 100;
    let mut ask = |swarm: &mut Swarm| {
        let now = Instant::now();
        for (number, answer) in answers.iter_mut().enumerate() {
            let client = &mut swarm.clients[number];
            client.messages.clear();
            if ask_percent == 0 || !answer.turn(now, talking) {
                continue;
            }
            client.send(if answer.asked_at.is_some() { ASK } else { STOP });
            swarm.touch(number);
        }
        false
    };
    swarm.run(start + SETTLED, &mut ask).expect("a network");
    for client in &mut swarm.clients {
        client.received = 0;
        client.arrivals.clear();
    }
    println!("talking");
    let measured = Instant::now();
    swarm.run(measured + time, &mut ask).expect("a network");
    measured.elapsed().as_secs_f64()
}

/// When a client asks for an answer and when it stops it, so that exactly a share of the time is spoken.
struct Answer {
    asked_at: Option<Instant>,
    next_at: Instant,
}

impl Answer {
    /// Whether it is time to ask or to stop.
    fn turn(&mut self, now: Instant, talking: Duration) -> bool {
        if now < self.next_at {
            return false;
        }
        let asks = self.asked_at.is_none();
        self.asked_at = asks.then_some(now);
        self.next_at += if asks { talking } else { PERIOD.saturating_sub(talking) };
        true
    }
}

/// How far the time between two packets of one utterance is from 20 ms.
fn pacing(swarm: &Swarm) -> Vec<f64> {
    let between = |pair: &[Instant]| (pair[1] - pair[0]).as_secs_f64() * 1_000.0;
    let steps = swarm.clients.iter().flat_map(|client| client.arrivals.windows(2).map(between));
    steps.filter(|ms| *ms < 100.0).map(|ms| (ms - 20.0).abs()).collect()
}

/// Five seconds that voice detection takes for speech, as packets.
fn speech() -> Arc<[Vec<u8>]> {
    let (mut states, mut clock) = ([[0.0_f64; 2]; 2], 0.0);
    let samples: Vec<i16> = (0..120_000)
        .map(|n| {
            let t = f64::from(n) / RATE;
            clock += (118.0 + 14.0 * (t * 2.3).sin()) / RATE;
            let pulse = if clock >= 1.0 { 1.0 } else { 0.0 };
            clock %= 1.0;
            let glide = [550.0 + 180.0 * (t * 9.0).sin(), 1_700.0 + 400.0 * (t * 7.0).cos()];
            let mut sound = 0.0;
            for (state, hz) in states.iter_mut().zip(glide) {
                let angle = std::f64::consts::TAU * hz / RATE;
                let next = pulse + 2.0 * 0.985 * angle.cos() * state[0] - 0.985_f64.powi(2) * state[1];
                *state = [next, state[0]];
                sound += next;
            }
            (sound * (std::f64::consts::PI * (t % 0.18) / 0.18).sin().powi(2) * 1_400.0) as i16
        })
        .collect();
    let mut encoder = Encoder::new(32_000, Effort::Thorough).expect("an encoder");
    samples.chunks_exact(480).map(|frame| encoder.encode(frame).expect("a packet")).collect()
}
