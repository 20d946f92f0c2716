//! The data directory: the server's lock, the development secret, the addresses in use.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Secret;
use crate::failure::{Failure, Outcome};
use crate::listening::Listening;

/// A directory that exists. It holds personal data and secrets: only its owner may look in.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Held while a server serves the directory; the operating system lets go of it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// Makes the directory if need be.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the data directory {}", path.display()))
            .map_err(Failure::Unavailable)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Claims the directory for one server.
    pub(crate) fn lock(&self) -> Outcome<Lock> {
        let path = self.path.join("lock");
        let unavailable = |error: io::Error| {
            Failure::Unavailable(anyhow::Error::new(error).context(format!("cannot lock {}", path.display())))
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                return Err(Failure::unavailable(format!(
                    "another server (process {}) serves the data directory {}",
                    holder.trim(),
                    self.path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(unavailable)?;
        Ok(Lock { _file: file })
    }

    /// The development secret, if it was made already. Looks only: the directory need not exist.
    pub(crate) fn existing_jwt_secret(path: &Path) -> Outcome<Option<Secret>> {
        let path = path.join("jwt-secret");
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Err(Failure::usage(format!(
                "{} is empty: remove it, and the next start makes it",
                path.display()
            ))),
            Ok(text) => Ok(Some(Secret::new(text.trim()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::Unavailable(
                anyhow::Error::new(error).context(format!("cannot read {}", path.display())),
            )),
        }
    }

    /// The development secret, made at the first call by whichever command is first.
    pub(crate) fn jwt_secret(&self) -> Outcome<Secret> {
        if let Some(secret) = Self::existing_jwt_secret(&self.path)? {
            return Ok(secret);
        }
        let path = self.path.join("jwt-secret");
        let written = self.write_beside("jwt-secret", random_hex()?.as_bytes())?;
        // A link fails where the file exists, so that two commands at once agree on one secret, and appears
        // with its whole content.
        let linked = fs::hard_link(&written, &path);
        fs::remove_file(&written)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let context = format!("cannot write {}", path.display());
                Err(Failure::Unavailable(anyhow::Error::new(error).context(context)))
            }
            _ => Self::existing_jwt_secret(&self.path)?
                .ok_or_else(|| Failure::unavailable(format!("{} vanished", path.display()))),
        }
    }

    /// Writes `listeners.json`, all of it at once.
    pub(crate) fn write_listeners(&self, listening: &Listening) -> Outcome {
        let mut text = serde_json::to_vec(listening).context("cannot print the listeners")?;
        text.push(b'\n');
        let written = self.write_beside("listeners.json", &text)?;
        fs::rename(written, self.path.join("listeners.json"))?;
        Ok(())
    }

    /// Removes `listeners.json`: while no server listens, it would lie.
    pub(crate) fn remove_listeners(&self) -> Outcome {
        match fs::remove_file(self.path.join("listeners.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn write_beside(&self, name: &str, content: &[u8]) -> Outcome<PathBuf> {
        let path = self.path.join(format!(".{name}.{}", random_hex()?));
        let write = || {
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(content)?;
            file.sync_all()
        };
        write()
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::Unavailable)?;
        Ok(path)
    }
}

/// 32 random bytes in hexadecimal.
fn random_hex() -> Outcome<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_server_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("a/b")).unwrap();
        let lock = data_dir.lock().unwrap();
        let Err(Failure::Unavailable(error)) = data_dir.lock() else {
            panic!("locked twice")
        };
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(lock);
        data_dir.lock().unwrap();
    }

    #[test]
    fn the_secret_is_made_once_and_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        assert_eq!(DataDir::existing_jwt_secret(directory.path()).unwrap(), None);
        let secrets: Vec<Secret> = std::thread::scope(|scope| {
            let commands: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| data_dir.jwt_secret().unwrap()))
                .collect();
            commands
                .into_iter()
                .map(|command| command.join().unwrap())
                .collect()
        });
        assert_eq!(secrets[0].expose().len(), 64);
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        let mode = fs::metadata(directory.path().join("jwt-secret"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn listeners_are_written_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        let mut listening = Listening::default();
        listening.add("flow", "127.0.0.1:41234".parse().unwrap());
        listening.add("flow", "[::1]:41234".parse().unwrap());
        listening.add("tasks", "127.0.0.1:41235".parse().unwrap());
        data_dir.write_listeners(&listening).unwrap();
        let text = fs::read_to_string(directory.path().join("listeners.json")).unwrap();
        assert_eq!(
            text,
            "{\"flow\":[\"127.0.0.1:41234\",\"[::1]:41234\"],\"tasks\":[\"127.0.0.1:41235\"],\"workflows\":[],\"operators\":[]}\n"
        );
        data_dir.remove_listeners().unwrap();
        data_dir.remove_listeners().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
