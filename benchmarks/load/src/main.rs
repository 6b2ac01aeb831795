//! Load for benchmarks: many WebRTC clients in one thread, so that the server's cost is what is measured.
//!
//! `parley-load forward …` drives a media plane whose peers the caller has added: one talks, the others count.
//! `parley-load calls …` opens calls by HTTP and SDP at any server that takes a raw offer: Parley, or an echo.
//! `parley-load meet …` is told by its caller, who signals, whom to offer to and what to answer, to any server.
//! `parley-load floor …` encrypts and sends in a bare loop: what no forwarder can beat.
//!
//! All speak in lines on standard output: a JSON object of figures at the end, and before it what the caller must know. The
//! caller pins both sides and reads the server's CPU. Nothing here knows what is measured.

mod calls;
mod client;
mod decode;
mod delays;
mod figures;
mod floor;
mod forward;
mod http;
mod lines;
mod meet;
mod options;
mod sdp;
mod source;
mod swarm;

use options::Options;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let options = Options::parse(arguments);
    match verb.as_str() {
        "forward" => forward::run(&options),
        "floor" => floor::run(&options),
        "meet" => meet::run(&options),
        "calls" => calls::run(&options),
        _ => {
            eprintln!("parley-load forward|calls|meet|floor --name value …: see benchmarks/load/src");
            std::process::exit(2);
        }
    }
}
