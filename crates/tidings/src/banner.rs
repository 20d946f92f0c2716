//! What a starting server tells: where it is, who may try it, and two lines to paste.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::cli::version::VERSION;
use crate::config::Mode;
use crate::demo::DEMO_KEYS;
use crate::listening::Listening;
use crate::logging::Style;

/// Tells it once everything listens: in lines on a terminal, otherwise in one log line.
pub(crate) fn show(style: Style, mode: Mode, data_dir: &Path, listening: &Listening) {
    match style {
        Style::Human if mode == Mode::Development => {
            // Nobody may be reading; that is no reason not to serve.
            let _ = io::Write::write_all(&mut io::stderr().lock(), banner(data_dir, listening).as_bytes());
        }
        _ => {
            let data_dir = data_dir.display();
            let version = VERSION;
            let (demo_keys, try_it) = match mode {
                Mode::Development => (
                    Some(DEMO_KEYS.map(|(_, key)| key).join(" ")),
                    listening.first("tasks").map(|tasks| paste(tasks).join("; ")),
                ),
                Mode::Production => (None, None),
            };
            tracing::info!(version, mode = mode.as_str(), %data_dir, demo_keys, try_it, "ready");
        }
    }
}

fn banner(data_dir: &Path, listening: &Listening) -> String {
    // Writing to a String cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, "\nTidings {}, data in {}", VERSION, data_dir.display());
    for (gateway, addresses) in listening.by_gateway() {
        let Some(address) = addresses.first() else {
            continue;
        };
        let urls = urls(gateway, *address);
        let urls = if listening.is_secure(gateway) {
            urls.replace("http://", "https://").replace("ws://", "wss://")
        } else {
            urls
        };
        let _ = writeln!(text, "  {gateway:<10} {urls}");
    }
    let keys = DEMO_KEYS
        .map(|(tenant, key)| format!("{key} ({tenant})"))
        .join(", ");
    let _ = writeln!(text, "  demo keys  {keys}");
    let _ = writeln!(text, "development mode: this machine only, do not expose");
    if listening.first("workflows").is_some() {
        let _ = writeln!(
            text,
            "See it all on one page: tidings --data-dir {} demo",
            data_dir.display()
        );
    }
    // The lines to paste trust no certificate of one's own.
    if let Some(tasks) = listening.first("tasks").filter(|_| !listening.is_secure("tasks")) {
        let [listen, publish] = paste(tasks);
        let _ = writeln!(
            text,
            "See an event arrive; in one shell, then in another:\n  {listen}\n  {publish}"
        );
    }
    text.push('\n');
    text
}

fn urls(gateway: &str, address: SocketAddr) -> String {
    match gateway {
        "flow" => format!("http://{address}/socket.io/ (namespace /events)  http://{address}/leads"),
        "tasks" => format!("ws://{address}/ws"),
        "workflows" => format!("ws://{address}/api/v1/ws"),
        "operators" => format!("http://{address}/api/v1/publish  http://{address}/metrics"),
        _ => format!("http://{address}"),
    }
}

/// A client (the flag is for Node 20; later ones have a WebSocket without it) and an event for it.
fn paste(tasks: SocketAddr) -> [String; 2] {
    [
        format!(
            "node --experimental-websocket -e 'new WebSocket(\"ws://{tasks}/ws?user_id=me\").onmessage = m => console.log(m.data)'"
        ),
        format!(
            "curl http://{tasks}/task-updates -H 'content-type: application/json' -d '{{\"user_id\":\"me\",\"event_type\":\"task.created\",\"title\":\"Hello\"}}'"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_has_what_one_needs_to_try_it() {
        let mut listening = Listening::default();
        listening.add("flow", "127.0.0.1:4000".parse().unwrap());
        listening.add("tasks", "127.0.0.1:8004".parse().unwrap());
        let text = banner(Path::new("data"), &listening);
        for part in [
            VERSION,
            "data in data",
            "http://127.0.0.1:4000/socket.io/",
            "ws://127.0.0.1:8004/ws",
            "demo-tenant-key-1 (demo1), demo-tenant-key-2 (demo2)",
            "-d '{\"user_id\":\"me\",",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(
            !text.contains("workflows") && !text.contains("one page"),
            "what is off is not shown:\n{text}"
        );
        listening.add("workflows", "127.0.0.1:8000".parse().unwrap());
        let text = banner(Path::new("data"), &listening);
        assert!(
            text.contains("See it all on one page: tidings --data-dir data demo\n"),
            "{text}"
        );
    }
}
