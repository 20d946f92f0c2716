//! The load generator against the floor, and against a server that delivers wrongly.
#![expect(clippy::unwrap_used, reason = "a test, its helper functions too")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use serde_json::Value;
use tidings_bench::{frames, http};

const UPGRADE: &str =
    "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Floor {
    process: Child,
    address: String,
}

impl Floor {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_floor"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the floor starts");
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            process,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn loadgen(address: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["--server", "floor", "--url", &format!("ws://{address}/")])
        .args([
            "--settle-seconds",
            "0",
            "--warm-up-seconds",
            "0",
            "--seconds",
            "1",
        ])
        .args(arguments)
        .output()
        .expect("the load generator starts")
}

fn report(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn paced_messages_are_all_delivered_and_measured() {
    let floor = Floor::start(&[]);
    let pid = floor.process.id().to_string();
    let metrics = format!("http://{}/metrics", floor.address);
    let arguments = [
        "--connections",
        "20",
        "--rate",
        "50",
        "--pid",
        &pid,
        "--metrics-url",
        &metrics,
    ];
    let report = report(&loadgen(&floor.address, &arguments));
    assert_eq!(report["deliveries"], 1000);
    assert_eq!(report["frames_per_write"], 1.0);
    for key in ["p50_ms", "p99_ms", "server_cpu_us_per_delivery", "per_second"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}: {report}");
    }
    assert!(report["rss_kb_before"].as_u64().unwrap() > 0);
}

#[test]
fn saturated_runs_are_coalesced_and_end() {
    for by in ["slowest", "mean"] {
        let floor = Floor::start(&["--coalesce", "8", "--window", "8"]);
        let metrics = format!("http://{}/metrics", floor.address);
        let arguments = [
            "--connections",
            "50",
            "--mode",
            "saturated",
            "--in-flight-by",
            by,
            "--metrics-url",
            &metrics,
        ];
        let report = report(&loadgen(&floor.address, &arguments));
        assert!(report["deliveries"].as_u64().unwrap() > 400, "{report}");
        assert!(report["frames_per_write"].as_f64().unwrap() > 4.0, "{report}");
    }
}

#[test]
fn the_deaf_are_cut_and_do_not_count() {
    let floor = Floor::start(&[]);
    // 5,000 messages of 16,000 bytes are beyond the kernel's largest send buffer and the floor's backlog together.
    let arguments = [
        ["--connections", "4"],
        ["--deaf", "2"],
        ["--deaf-receive-buffer-bytes", "4096"],
        ["--rate", "5000"],
        ["--bytes", "16000"],
    ];
    let report = report(&loadgen(&floor.address, arguments.as_flattened()));
    assert_eq!(
        (&report["deaf"], &report["deaf_cut"]),
        (&Value::from(2), &Value::from(2))
    );
    assert_eq!(report["deliveries"], 10_000);
}

#[test]
fn idle_reports_memory_alone() {
    let floor = Floor::start(&[]);
    let pid = floor.process.id().to_string();
    let report = report(&loadgen(
        &floor.address,
        &["--connections", "20", "--mode", "idle", "--pid", &pid],
    ));
    assert!(report["rss_kb_idle_per_connection"].is_number());
    assert_eq!(report["p99_ms"], Value::Null);
}

#[test]
fn a_wrong_delivery_is_an_error() {
    for (copies, complaint) in [(2, "message 0 instead of 1"), (0, "deliveries and 0 answers")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = wrong_server(listener, copies);
        let arguments = ["--connections", "1", "--rate", "1", "--drain-seconds", "1"];
        let output = loadgen(&address, &arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(complaint), "{told}");
        server.join().unwrap();
    }
}

#[test]
fn accepting_opens_welcomes_closes_and_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/ws?token={{token}}", listener.local_addr().unwrap());
    let (told, tokens) = channel();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let told = told.clone();
            std::thread::spawn(move || {
                let head = read_head(&mut client);
                let token = head.split("token=").nth(1).unwrap();
                told.send(token.split(' ').next().unwrap().to_owned()).unwrap();
                client.write_all(UPGRADE.as_bytes()).unwrap();
                client.write_all(&frames::text(b"welcome")).unwrap();
                let mut close = [0; 8];
                client.read_exact(&mut close).unwrap();
                assert_eq!(close, [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
                client.write_all(&[0x88, 2, 0x03, 0xe8]).unwrap();
            });
        }
    });
    let pid = std::process::id().to_string();
    let arguments = [
        ["--url", &url],
        ["--mode", "accept"],
        ["--in-flight", "4"],
        ["--jwt-secret", "secret"],
        ["--pid", &pid],
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args([
            "--server",
            "tidings",
            "--welcome",
            "--warm-up-seconds",
            "0",
            "--seconds",
            "1",
        ])
        .args(arguments.as_flattened())
        .output()
        .unwrap();
    let report = report(&output);
    let tokens: Vec<String> = tokens.try_iter().collect();
    let handshakes = report["handshakes"].as_u64().unwrap();
    assert!(handshakes > 4, "{report}");
    assert!(handshakes <= tokens.len() as u64, "{report}");
    let distinct: HashSet<&String> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len());
    assert!(
        report["server_cpu_us_per_handshake"].as_f64().unwrap() > 0.0,
        "{report}"
    );
}

#[test]
fn a_polling_session_connects_answers_pings_and_keeps_one_request_held() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/socket.io/?EIO=4&transport=polling",
        listener.local_addr().unwrap()
    );
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let session = "/socket.io/?EIO=4&transport=polling&sid=abc";
        let expected = [
            (
                "GET /socket.io/?EIO=4&transport=polling HTTP".to_owned(),
                "",
                r#"0{"sid":"abc","upgrades":[]}"#,
            ),
            (format!("POST {session} HTTP"), "40/events,", "ok"),
            (
                format!("GET {session} HTTP"),
                "",
                "40/events,{\"sid\":\"x\"}\u{1e}2",
            ),
            (format!("POST {session} HTTP"), "3", "ok"),
        ];
        for (line, body, answer) in &expected {
            let head = read_head(&mut client);
            assert!(head.starts_with(line), "{head}");
            assert!(head.contains("\r\nx-tenant-key: k\r\n"), "{head}");
            let mut sent = vec![0; http::content_length(&head).unwrap().unwrap_or(0)];
            client.read_exact(&mut sent).unwrap();
            assert_eq!(sent, body.as_bytes());
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
            client.write_all((head + answer).as_bytes()).unwrap();
        }
        let held = read_head(&mut client);
        assert!(held.starts_with(&format!("GET {session} HTTP")), "{held}");
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "nothing until the end");
    });
    let arguments = [
        ["--server", "peer"],
        ["--url", &url],
        ["--protocol", "engineio-polling"],
        ["--namespace", "/events"],
        ["--header", "x-tenant-key: k"],
        ["--connections", "1"],
        ["--mode", "idle"],
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments.as_flattened())
        .output()
        .unwrap();
    assert_eq!(report(&output)["protocol"], "engineio-polling");
    server.join().unwrap();
}

/// Serves one client and one publish, which it delivers `copies` times; ends when the load generator does.
fn wrong_server(listener: TcpListener, copies: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        read_head(&mut client);
        client.write_all(UPGRADE.as_bytes()).unwrap();
        let (mut publisher, _) = listener.accept().unwrap();
        let head = read_head(&mut publisher);
        let mut body = vec![0; http::content_length(&head).unwrap().unwrap()];
        publisher.read_exact(&mut body).unwrap();
        publisher
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        client.write_all(&frames::text(&body).repeat(copies)).unwrap();
        // The end, or a reset with the rest unread: either is the load generator's leaving.
        let _ = client.read(&mut [0; 1]);
    })
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while http::head_length(&head).is_none() {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
