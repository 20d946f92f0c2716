//! The binary as scripts use it: exit codes, what goes to which stream, what several commands share.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its fixture"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Commands {
    directory: tempfile::TempDir,
}

impl Commands {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .args(words.split_whitespace())
            .current_dir(&self.directory);
        // The variables of whoever runs the tests are none of ours.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDINGS_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command that must succeed, and gives its standard output.
    fn line(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words}: {}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, words: &str) -> (i32, String) {
        let output = self.run(words);
        assert!(output.stdout.is_empty(), "{words}");
        (output.status.code().unwrap(), error(&output))
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn version() {
    let commands = Commands::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(commands.line("version"), format!("tidings {version}\n"));
    assert_eq!(commands.line("--version"), format!("tidings {version}\n"));
    let json: Value = serde_json::from_str(&commands.line("version --json")).unwrap();
    assert_eq!(
        (&json["name"], &json["version"]),
        (&"tidings".into(), &version.into())
    );
}

#[test]
fn what_is_wrong_with_the_command_line_or_configuration_is_exit_code_64() {
    let commands = Commands::new();
    fs::write(
        commands.directory.path().join("bad.toml"),
        "[flow]\nlisen = \"off\"\n",
    )
    .unwrap();
    for (words, told) in [
        ("bogus", "unrecognized subcommand 'bogus'"),
        ("token create", "--user"),
        (
            "check-config --config bad.toml",
            "bad.toml:2: unknown key `flow.lisen`, did you mean `flow.listen`?",
        ),
        ("serve --config bad.toml", "bad.toml:2: unknown key `flow.lisen`"),
        ("check-config --config none.toml", "none.toml: No such file"),
        (
            "check-config --mode staging",
            "--mode: `server.mode`: expected `development` or `production`",
        ),
        (
            "check-config --mode production",
            "export TIDINGS__AUTH__JWT__SECRET_FILE",
        ),
        ("serve --mode production", "origins.allowed"),
        (
            "token create --user 1 --mode production",
            "auth.jwt.secret is not set",
        ),
        ("key list --tenant nobody", "there is no tenant nobody"),
        (
            "key rotate key_0192f0c1-7a7b-7c7d-8e8f-909192939495",
            "key not found",
        ),
        ("tenant suspend nobody", "there is no tenant nobody"),
        ("tenant resume nobody", "there is no tenant nobody"),
        ("tenant delete nobody", "there is no tenant nobody"),
        ("tenant delete nobody --yes", "there is no tenant nobody"),
        ("tenant create a.b", "letters, digits, _ or -"),
        (
            "demo --mode production",
            "the demo is for a server in development mode",
        ),
    ] {
        let (code, text) = commands.fails(words);
        assert_eq!(code, 64, "{words}: {text}");
        assert!(text.contains(told), "{words}: {text}");
    }
    let output = commands
        .command("check-config")
        .env("TIDINGS__FLOW__LISTN", "off")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(error(&output).contains("did you mean `TIDINGS__FLOW__LISTEN`?"));
}

#[test]
fn a_demo_without_a_server_makes_nothing() {
    let commands = Commands::new();
    let (code, text) = commands.fails("demo");
    assert_eq!(code, 69, "{text}");
    assert!(
        text.starts_with("tidings: no server has data/listeners.json: "),
        "{text}"
    );
    assert!(
        text.ends_with("; start one first: tidings --data-dir data\n"),
        "{text}"
    );
    assert_eq!(names(commands.directory.path()), [""; 0]);
}

#[test]
fn checking_a_configuration_makes_nothing() {
    let commands = Commands::new();
    assert_eq!(commands.line("check-config"), "the configuration is good\n");
    let printed = commands.line("check-config --print-effective");
    assert!(
        printed.contains("[flow]\nlisten = \"localhost:4000\" # default\n"),
        "{printed}"
    );
    assert_eq!(names(commands.directory.path()), [""; 0]);
}

#[test]
fn tokens_of_one_data_directory_have_one_secret() {
    let commands = Commands::new();
    let quiet = commands.run("token create --user 42 --claim team=red --ttl 1h --quiet");
    assert!(quiet.status.success() && quiet.stderr.is_empty());
    let token = String::from_utf8(quiet.stdout).unwrap();
    assert_eq!(token.trim_end().split('.').count(), 3, "{token}");
    let secret = fs::read_to_string(commands.data_dir().join("jwt-secret")).unwrap();
    commands.line("token create --operator --quiet");
    commands.line("token create --service --quiet");
    assert_eq!(
        fs::read_to_string(commands.data_dir().join("jwt-secret")).unwrap(),
        secret
    );
}

#[test]
fn keys_are_shown_once_listed_and_revoked() {
    let commands = Commands::new();
    let key = commands.line("key create --tenant demo1 --permission leads:read --quiet");
    assert!(key.starts_with("tk_") && key.lines().count() == 1, "{key}");
    let list = commands.line("key list --tenant demo1");
    assert!(
        list.starts_with("key_") && list.contains(" good leads:read "),
        "{list}"
    );
    assert!(!list.contains(key.trim()), "{list}");
    let id = list.split(' ').next().unwrap();
    commands.line(&format!("key revoke {id}"));
    assert!(
        commands
            .line("key list --tenant demo1")
            .contains(" revoked leads:read ")
    );
    let (code, text) = commands.fails("key create --tenant demo1");
    assert_eq!(code, 64, "{text}");
}

#[test]
fn keys_are_rotated() {
    let commands = Commands::new();
    let first = commands.line("key create --tenant acme --permission leads:read --expires 30d --quiet");
    let list = commands.line("key list --tenant acme");
    let id = list.split(' ').next().unwrap();
    let rotation = commands.run(&format!("key rotate {id} --grace 1h"));
    let second = String::from_utf8(rotation.stdout.clone()).unwrap();
    assert!(
        second.starts_with("tk_") && second.lines().count() == 1 && second != first,
        "{second}"
    );
    let told = error(&rotation);
    assert!(told.contains(" for tenant acme: leads:read until "), "{told}");
    assert!(told.contains(&format!("\n{id} works until ")), "{told}");
    assert!(!told.contains(second.trim()), "{told}");

    let rows: Vec<Value> = commands
        .line("key list --tenant acme --json")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["id"], id);
    assert!(
        rows[0]["expiresAt"].as_str() < rows[1]["expiresAt"].as_str(),
        "{rows:?}"
    );
    for row in &rows {
        assert_eq!(
            (&row["standing"], &row["tenantId"], &row["lastUsedAt"]),
            (&"good".into(), &"acme".into(), &Value::Null)
        );
    }

    let id = rows[1]["id"].as_str().unwrap();
    let rotation = commands.run(&format!("key rotate {id} --grace 0s"));
    assert!(
        error(&rotation).ends_with(&format!("\n{id} is revoked\n")),
        "{}",
        error(&rotation)
    );
    let (code, text) = commands.fails(&format!("key rotate {id}"));
    assert_eq!((code, text.as_str()), (64, "tidings: key is revoked\n"));
}

#[test]
fn tenants_are_made_listed_suspended_and_deleted() {
    let commands = Commands::new();
    assert_eq!(commands.line("tenant list"), "");
    assert_eq!(
        commands.line("tenant create acme --name Acme --slug nick"),
        "created tenant acme\n"
    );
    for taken in ["acme", "nick", "other --slug acme"] {
        let (code, text) = commands.fails(&format!("tenant create {taken}"));
        assert_eq!(
            (code, text.as_str()),
            (64, "tidings: tenant id or slug is taken\n")
        );
    }
    commands.line("key create --tenant acme --permission admin --quiet");
    assert_eq!(commands.line("tenant suspend acme"), "suspended tenant acme\n");
    let list = commands.line("tenant list");
    assert!(
        list.starts_with("acme suspended slug nick created ") && list.ends_with(" name \"Acme\"\n"),
        "{list}"
    );
    assert!(
        commands
            .line("key list --tenant acme")
            .contains(" suspended admin ")
    );
    assert_eq!(commands.line("tenant resume acme"), "resumed tenant acme\n");
    let row: Value = serde_json::from_str(&commands.line("tenant list --json")).unwrap();
    assert_eq!((&row["id"], &row["suspended"]), (&"acme".into(), &false.into()));

    let (code, text) = commands.fails("tenant delete acme");
    assert_eq!(code, 64);
    assert_eq!(
        text,
        "tidings: this would delete tenant acme (leads: 0, keys: 1) with all that is its own, and cannot be undone; \
         say --yes to do it\n"
    );
    assert_eq!(
        commands.line("tenant delete acme --yes"),
        "deleted tenant acme with 0 leads\n"
    );
    assert_eq!(commands.line("tenant list --json"), "");
}
