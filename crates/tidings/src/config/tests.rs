//! Loading, refusing and printing configurations.

mod access;
mod issuers;
mod modes;
mod routing;

use std::collections::BTreeMap;
use std::io::Write;

use super::error::ConfigErrors;
use super::*;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn from_variables(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    load(&Sources {
        variables: variables(pairs),
        ..Sources::default()
    })
}

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from_file(text: &str) -> Result<Loaded, String> {
    let file = written(text);
    let path = file.path().to_owned();
    load(&Sources {
        file: Some(path.clone()),
        ..Sources::default()
    })
    .map_err(|errors| errors.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn the_limits_of_the_modes_are_those_of_the_wire_page() {
    let development = from_variables(&[]).unwrap().config;
    let production = from_variables(&[("TIDINGS__SERVER__MODE", "production")])
        .unwrap()
        .config;
    for (limits, expected) in [
        (&development.limits, (1_000, 19_000, 19_000, 19_000)),
        (&production.limits, (100, 1_000, 100, 10_000)),
    ] {
        let found = (
            limits.messages_per_second,
            limits.connections_per_address_max,
            limits.connections_per_user_max,
            limits.connections_per_tenant_max,
        );
        assert_eq!(found, expected);
        assert_eq!(
            (limits.message_bytes_max, limits.rooms_per_connection_max),
            (1 << 20, 128)
        );
        let outbox = (
            limits.outbox_bytes_max,
            limits.outbox_frames_max,
            limits.outbox_age_ms_max,
        );
        assert_eq!(outbox, (1 << 20, 1_024, 30_000));
    }
    assert_eq!(production.limits.messages_burst, 200);
    assert_eq!(development.limits.handshakes_per_second, 5_000);
    assert_eq!(
        (
            development.heartbeat.ping_interval_ms,
            development.heartbeat.ping_timeout_ms
        ),
        (25_000, 20_000)
    );
}

#[test]
fn a_later_source_wins() {
    let file = written(
        "[flow]\nlisten = \"localhost:1\"\n[tasks]\nlisten = \"localhost:1\"\n[server]\ndata_dir = \"file\"\n",
    );
    let loaded = load(&Sources {
        file: Some(file.path().to_owned()),
        variables: variables(&[
            ("TIDINGS__TASKS__LISTEN", "127.0.0.1:2"),
            ("TIDINGS__SERVER__DATA_DIR", "variable"),
        ]),
        flags: vec![Flag {
            name: "--data-dir",
            path: "server.data_dir",
            value: "flag".into(),
        }],
    })
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.workflows.listen, Listen::Localhost(8_000), "the default");
    assert_eq!(
        config.flow.listen,
        Listen::Localhost(1),
        "the file over the default"
    );
    assert_eq!(
        config.tasks.listen,
        Listen::Address("127.0.0.1:2".parse().unwrap()),
        "a variable over the file"
    );
    assert_eq!(config.server.data_dir, PathBuf::from("flag"), "the flag over all");
    assert_eq!(
        config.store.url.expose(),
        "sqlite://flag/tidings.db",
        "defaults follow the data directory that won"
    );
    let printed = effective(&loaded);
    assert!(
        printed.contains(&format!("listen = \"localhost:1\" # {}:2", file.path().display())),
        "{printed}"
    );
    assert!(
        printed.contains("listen = \"127.0.0.1:2\" # TIDINGS__TASKS__LISTEN"),
        "{printed}"
    );
    assert!(printed.contains("data_dir = \"flag\" # --data-dir"), "{printed}");
}

#[test]
fn faults_in_a_file_name_line_key_and_remedy() {
    for (text, expected) in [
        (
            "[limits]\n\nmesage_bytes_max = 1",
            "FILE:3: unknown key `limits.mesage_bytes_max`, did you mean `limits.message_bytes_max`?",
        ),
        (
            "[limit]\nmessages_burst = 1",
            "FILE:1: unknown key `limit`, did you mean `limits`?",
        ),
        (
            "[flow]\nping_interval_ms = 1",
            "FILE:2: unknown key `flow.ping_interval_ms`, did you mean `heartbeat.ping_interval_ms`?",
        ),
        (
            "listen = \"off\"",
            "FILE:1: unknown key `listen`, did you mean `flow.listen`?",
        ),
        ("[zebra.crossing]\nx = 1", "FILE:1: unknown key `zebra`"),
        ("flow = 3", "FILE:1: `flow`: expected a table, found 3"),
        (
            "[flow.listen]\nport = 3",
            "FILE:1: `flow.listen`: expected `address:port`, `localhost:port` or `off`, found a table",
        ),
        (
            "flow.listen = \"localhost\"",
            "FILE:1: `flow.listen`: expected `address:port`, `localhost:port` or `off`, found \"localhost\"",
        ),
        (
            "flow.listen = 4000",
            "FILE:1: `flow.listen`: expected `address:port`, `localhost:port` or `off`, found 4000",
        ),
        (
            "[limits]\nmessages_burst = \"many\"",
            "FILE:2: `limits.messages_burst`: expected a whole number from 1 to 1000000, found \"many\"",
        ),
        (
            "[limits]\nmessages_burst = 0",
            "FILE:2: `limits.messages_burst`: expected a whole number from 1 to 1000000, found 0",
        ),
        (
            "[limits]\nmessages_burst = -1",
            "FILE:2: `limits.messages_burst`: expected a whole number from 1 to 1000000, found -1",
        ),
        (
            "[limits]\nmessages_burst = 1.5",
            "FILE:2: `limits.messages_burst`: expected a whole number from 1 to 1000000, found a fraction",
        ),
        (
            "[tasks.dapr]\nbulk_subscribe = \"yes\"",
            "FILE:2: `tasks.dapr.bulk_subscribe`: expected true or false, found \"yes\"",
        ),
        (
            "[server]\nmode = \"prod\"",
            "FILE:2: `server.mode`: expected `development` or `production`, found \"prod\"",
        ),
        (
            "[origins]\nallowed = [\"https://a.example/\"]",
            "FILE:2: `origins.allowed`: expected a list, each item `scheme://host` or `scheme://host:port` without a path, or `*`, found a list",
        ),
        (
            "[auth.jwt]\nsecret = 7",
            "FILE:2: `auth.jwt.secret`: expected text, found [redacted]",
        ),
        (
            "[auth.jwt]\nsecret_file = \"/nonexistent\"",
            "FILE:2: `auth.jwt.secret_file`: cannot read /nonexistent: No such file or directory (os error 2)",
        ),
        (
            "[auth.jwt]\nsecret = \"a\"\nsecret_file = \"b\"",
            "FILE:3: `auth.jwt.secret_file` and the key it stands for are both set",
        ),
        (
            "[slow_consumers]\nlatest = [\"\"]",
            "FILE:2: `slow_consumers.latest`: expected a list, each item the beginning of room names: 1 to 256 bytes without control characters, found a list",
        ),
        (
            "[slow_consumers]\nlatest = [\"a:\", \"b:\"]\ndrop_oldest = [\"c:\", \"b:\"]",
            "FILE:3: `slow_consumers.drop_oldest`: the prefix \"b:\" stands for two classes",
        ),
        (
            "[bus]\nurl = \"redis://x\"",
            "FILE:2: `bus.url`: expected `memory://`, found \"redis://x\"",
        ),
    ] {
        let found = from_file(text).unwrap_err();
        assert_eq!(found.lines().next(), Some(expected), "{text}\n{found}");
    }
    let found = from_file("[flow]\nlisten = \n").unwrap_err();
    assert!(found.starts_with("FILE:2: "), "{found}");
    let found = load(&Sources {
        file: Some("/nonexistent/tidings.toml".into()),
        ..Sources::default()
    })
    .unwrap_err();
    assert_eq!(
        found.to_string(),
        "/nonexistent/tidings.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let found = from_file("[flow]\nlisten = 1\n[tasks]\nlisten = 2").unwrap_err();
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn faults_in_variables_name_the_variable() {
    for (name, value, expected) in [
        (
            "TIDINGS__FLOW__LISTN",
            "off",
            "TIDINGS__FLOW__LISTN: unknown key `flow.listn`, did you mean `TIDINGS__FLOW__LISTEN`?",
        ),
        (
            "TIDINGS__AUTH__JTW__SECRET",
            "x",
            "TIDINGS__AUTH__JTW__SECRET: unknown key `auth.jtw.secret`, did you mean `TIDINGS__AUTH__JWT__SECRET`?",
        ),
        (
            "TIDINGS__LIMITS__MESSAGES_BURST",
            "1e3",
            "TIDINGS__LIMITS__MESSAGES_BURST: `limits.messages_burst`: expected a whole number from 1 to 1000000, found \"1e3\"",
        ),
        (
            "TIDINGS__FLOW__LISTEN_FILE",
            "x",
            "TIDINGS__FLOW__LISTEN_FILE: unknown key `flow.listen_file`, did you mean `TIDINGS__FLOW__LISTEN`?",
        ),
        (
            "TIDINGS__FLOW",
            "x",
            "TIDINGS__FLOW: `flow`: expected a table, found \"x\"",
        ),
    ] {
        assert_eq!(
            from_variables(&[(name, value)]).unwrap_err().to_string(),
            expected
        );
    }
}

#[test]
fn variables_reach_nested_keys_lists_and_optional_keys() {
    let config = from_variables(&[
        ("TIDINGS__TASKS__DAPR__TOPIC", "other"),
        (
            "TIDINGS__ORIGINS__ALLOWED",
            "https://A.example, http://b.example:8080",
        ),
        ("TIDINGS__TASKS__INGEST_LISTEN", "[::1]:0"),
        ("TIDINGS__AUTH__JWT__ISSUER", ""),
        ("TIDINGS__TASKS__TOKEN_REQUIRED", "true"),
        ("TIDINGS__LIMITS__MESSAGES_BURST", "7"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.tasks_dapr.topic, "other");
    let allowed: Vec<&str> = config
        .origins
        .allowed
        .iter()
        .map(super::origins::Origin::as_str)
        .collect();
    assert_eq!(allowed, ["https://a.example", "http://b.example:8080"]);
    assert_eq!(
        config.tasks.ingest_listen,
        Some(Listen::Address("[::1]:0".parse().unwrap()))
    );
    assert_eq!(config.auth_jwt.issuer, None);
    assert!(config.tasks.token_required);
    assert_eq!(config.limits.messages_burst, 7);
}

#[test]
fn secrets_come_from_files_and_are_never_printed() {
    let file = written("a secret of many different bytes, 0123456789\n");
    let loaded = from_variables(&[(
        "TIDINGS__AUTH__JWT__SECRET_FILE",
        &file.path().display().to_string(),
    )])
    .unwrap();
    let secret = loaded.config.auth_jwt.secret.clone().unwrap();
    assert_eq!(secret.expose(), "a secret of many different bytes, 0123456789");
    for printed in [effective(&loaded), format!("{loaded:?}"), secret.to_string()] {
        assert!(
            printed.contains("[redacted]") && !printed.contains("a secret of"),
            "{printed}"
        );
    }
}

#[test]
fn an_empty_file_unsets_no_secret() {
    for text in ["", "\n", "\r\n\n"] {
        let file = written(text);
        let name = file.path().display().to_string();
        for (variable, path) in [
            ("TIDINGS__AUTH__JWT__SECRET_FILE", "auth.jwt.secret_file"),
            (
                "TIDINGS__TASKS__DAPR__API_TOKEN_FILE",
                "tasks.dapr.api_token_file",
            ),
        ] {
            assert_eq!(
                from_variables(&[(variable, &name)]).unwrap_err().to_string(),
                format!("{variable}: `{path}`: {name} is empty")
            );
        }
    }
}

#[test]
fn listen_values() {
    for (text, addresses) in [
        ("off", vec![]),
        ("localhost:80", vec!["127.0.0.1:80", "[::1]:80"]),
        ("0.0.0.0:0", vec!["0.0.0.0:0"]),
        ("[::]:8000", vec!["[::]:8000"]),
    ] {
        let listen: Listen = text.parse().unwrap();
        let found: Vec<String> = listen.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(found, addresses, "{text}");
        assert_eq!(listen.to_string(), text);
    }
    for text in [
        "",
        "on",
        "localhost",
        "localhost:",
        "localhost:65536",
        ":80",
        "example.com:80",
        "1.2.3.4",
    ] {
        assert!(text.parse::<Listen>().is_err(), "{text}");
    }
    let shares = |one: &str, other: &str| one.parse::<Listen>().unwrap().shares_with(other.parse().unwrap());
    assert!(shares("localhost:80", "localhost:80"));
    assert!(
        !shares("localhost:0", "localhost:0"),
        "port 0 asks for a free port each time"
    );
    assert!(!shares("off", "off"));
}

#[test]
fn the_effective_configuration_is_a_configuration() {
    let first = effective(&from_variables(&[("TIDINGS__FLOW__LISTEN", "off")]).unwrap());
    let again = from_file(&first).unwrap();
    assert_eq!(again.config.flow.listen, Listen::Off);
    assert_eq!(again.config.limits.message_bytes_max, 1 << 20);
}

#[test]
fn the_reference_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/config.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        committed,
        reference(),
        "run: cargo run -- config doc > docs/reference/config.md"
    );
    for path in Config::defaults(&Base {
        mode: Mode::Development,
        data_dir: "data".into(),
    })
    .paths()
    {
        let is_listed =
            committed.contains(&format!("`{path}`")) || committed.contains(&format!("## {path}\n"));
        assert!(is_listed || path.ends_with("_file"), "{path} is missing");
    }
}
