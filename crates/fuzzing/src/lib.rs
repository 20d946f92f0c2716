//! What the fuzz targets do with their input; `fuzz/` hands these functions to libFuzzer, and an ordinary test replays
//! the corpus through them. They panic where a decoder breaks a promise; an input that is refused is no finding.
#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how every function here reports a finding"
)]

mod access;
mod bodies;
mod cloudevents;
mod dapr;
mod deflate;
mod engineio;
mod extensions;
mod files;
mod forwarding;
mod json;
mod members;
mod messages;
mod names;
mod pieces;
mod proxy_protocol;
mod publish;
mod requests;
mod server;
mod socketio;
mod sse;
mod time;
mod websocket;

/// A fuzz target: its name, the name of its corpus, and what it does with an input.
pub struct Target {
    /// As in `cargo fuzz run NAME`.
    pub name: &'static str,
    /// Takes any input.
    pub run: fn(&[u8]),
}

/// All there are, the ones that strangers reach first in front.
pub const TARGETS: [Target; 19] = [
    Target {
        name: "server",
        run: server::run,
    },
    Target {
        name: "deflate",
        run: deflate::run,
    },
    Target {
        name: "websocket",
        run: websocket::run,
    },
    Target {
        name: "socketio",
        run: socketio::run,
    },
    Target {
        name: "engineio",
        run: engineio::run,
    },
    Target {
        name: "sse",
        run: sse::run,
    },
    Target {
        name: "extensions",
        run: extensions::run,
    },
    Target {
        name: "proxy_protocol",
        run: proxy_protocol::run,
    },
    Target {
        name: "forwarding",
        run: forwarding::run,
    },
    Target {
        name: "messages",
        run: messages::run,
    },
    Target {
        name: "requests",
        run: requests::run,
    },
    Target {
        name: "bodies",
        run: bodies::run,
    },
    Target {
        name: "dapr",
        run: dapr::run,
    },
    Target {
        name: "cloudevents",
        run: cloudevents::run,
    },
    Target {
        name: "files",
        run: files::run,
    },
    Target {
        name: "json",
        run: json::run,
    },
    Target {
        name: "tokens",
        run: access::run,
    },
    Target {
        name: "names",
        run: names::run,
    },
    Target {
        name: "time",
        run: time::run,
    },
];

/// Runs one target by its name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("Invariant: a target is called by a name of the table");
    (target.run)(input);
}
