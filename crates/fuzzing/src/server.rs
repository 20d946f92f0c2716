//! The connection state machine: a server on a real socket, and clients that do anything to it.
//!
//! When a script is over, its clients are gone or silent. Then everything must end: tasks, connections, memberships,
//! sockets of the applications. A task that panics is seen by whoever runs this (libFuzzer aborts).

mod application;
mod client;
mod script;
mod start;

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary as _, Unstructured};
use tidings_hub::Gateway;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use script::Script;
use start::Server;

/// The longest life of something the clients have let go of: the hub keeps a closed polling session for five seconds,
/// so that its client can hear of it, and looks for such every second.
const END_TIME: Duration = Duration::from_secs(15);
/// How often it is looked whether all has ended.
const TURN_TIME: Duration = Duration::from_millis(2);
/// What a turn counts for at most. A machine that stands still, or has no time for this process, uses up nothing of
/// [`END_TIME`]: within each turn every shard has answered, so whatever waits to be done had its chance.
const TURN_TIME_MAX: Duration = Duration::from_millis(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
});

static SERVER: LazyLock<Server> = LazyLock::new(|| RUNTIME.block_on(async { Server::start() }));

pub(crate) fn run(input: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(input)) else {
        return;
    };
    let server = &*SERVER;
    RUNTIME.block_on(async {
        // The clients that are still there are read from until all has ended.
        let _clients = script.play(server).await;
        expect_end(server).await;
    });
}

async fn expect_end(server: &Server) {
    let mut waited = Duration::ZERO;
    loop {
        let turn = Instant::now();
        let left = left(server).await;
        if left.is_empty() {
            return;
        }
        assert!(waited < END_TIME, "still there: {left}");
        tokio::time::sleep(TURN_TIME).await;
        waited += turn.elapsed().min(TURN_TIME_MAX);
    }
}

/// What has not ended yet, in words.
async fn left(server: &Server) -> String {
    let mut left = Vec::new();
    let mut note = |what: &str, count: usize| {
        if count > 0 {
            left.push(format!("{count} {what}"));
        }
    };
    note("tasks", server.tracker.len() - server.tasks_at_rest);
    note("connections", server.transport.hub().connections());
    note("protocols", server.protocols.len());
    for open in server.transport.counters().figures().open {
        note(
            "counted as open",
            usize::try_from(open.count).unwrap_or(usize::MAX),
        );
    }
    for gateway in Gateway::ALL {
        for room in server.transport.hub().rooms(gateway).await {
            note("members of a room", room.members.max(1));
        }
    }
    left.join(", ")
}
