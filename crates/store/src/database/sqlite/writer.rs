//! Writers of `SQLite`: one after the other on one connection, and one commit for all that came together.
//!
//! A commit waits for the disk, and that is what a write costs. So a writer that is done does not commit at once: it
//! goes to the end of the queue, behind those who wait already. They write into the same transaction, each behind a
//! savepoint, and then one commit stands for all of them. A writer that is alone waits for nobody.
//!
//! Invariant: nobody is told that his work is done before the commit that holds it is.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::StoreError;

/// Those who write into one transaction; more would make the first of them wait for long.
const GROUP_MAX: usize = 256;

/// The writers of a database, in the order in which they came.
#[derive(Clone)]
pub(crate) struct WriterQueue {
    state: Arc<Mutex<State>>,
    /// How long one waits for the connection. Longer than for another process, so that the error tells which of the two it
    /// was.
    patience: Duration,
}

struct State {
    /// `None` once closed.
    connection: Option<SqliteConnection>,
    group: Option<Group>,
    /// Groups that were committed.
    commits: u64,
}

/// The transaction that is open, and who wait for its commit.
struct Group {
    members: usize,
    done: watch::Sender<Option<Committed>>,
}

/// How a commit went.
type Committed = Result<(), Arc<str>>;

/// The connection, held.
pub(crate) struct Link(OwnedMutexGuard<State>);

/// A writer at work.
pub(crate) struct Writer {
    queue: WriterQueue,
    /// `None` once the work was handed in.
    link: Option<Link>,
}

impl WriterQueue {
    pub(super) fn new(connection: SqliteConnection, patience: Duration) -> WriterQueue {
        let state = State {
            connection: Some(connection),
            group: None,
            commits: 0,
        };
        WriterQueue {
            state: Arc::new(Mutex::new(state)),
            patience,
        }
    }

    pub(super) async fn link(&self) -> Result<Link, StoreError> {
        let lock = tokio::time::timeout(self.patience, self.state.clone().lock_owned()).await;
        let mut link =
            Link(lock.map_err(|_| StoreError::Unavailable("no turn to write for too long".into()))?);
        link.connection()?;
        Ok(link)
    }

    /// Begins to write. The write lock is taken at once: a transaction that reads first and asks for the lock later
    /// fails when another process has written in between.
    pub(super) async fn begin(&self) -> Result<Writer, StoreError> {
        let link = self.link().await?;
        // From here on, a caller that goes away has what it began undone.
        let mut writer = Writer {
            queue: self.clone(),
            link: Some(link),
        };
        let state = writer.state()?;
        if state.group.is_none() {
            state.run("BEGIN IMMEDIATE").await?;
            state.group = Some(Group {
                members: 0,
                done: watch::Sender::new(None),
            });
        }
        state.run("SAVEPOINT writer").await?;
        Ok(writer)
    }

    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.commit().await;
        if let Some(connection) = state.connection.take() {
            // Nothing is left to write; what the closing runs into helps nobody.
            let _ = connection.close().await;
        }
    }
}

impl Link {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.0
            .connection
            .as_mut()
            .ok_or_else(|| StoreError::Unavailable("store is closed".into()))
    }
}

impl Writer {
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.link.as_mut().ok_or_else(handed_in)?.connection()
    }

    fn state(&mut self) -> Result<&mut State, StoreError> {
        Ok(&mut self.link.as_mut().ok_or_else(handed_in)?.0)
    }

    /// Hands the work in and waits for the commit that holds it.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        // On a task of its own: a caller that goes away in the middle must not leave the others without their commit.
        match tokio::spawn(self.hand_in()).await {
            Ok(committed) => committed,
            Err(panic) => Err(StoreError::Unavailable(panic.into())),
        }
    }

    async fn hand_in(mut self) -> Result<(), StoreError> {
        let state = self.state()?;
        state.run("RELEASE writer").await?;
        let group = state.group.as_mut().ok_or_else(handed_in)?;
        group.members += 1;
        let (members, mut done) = (group.members, group.done.subscribe());
        if members >= GROUP_MAX {
            state.commit().await;
        }
        self.link = None;
        if members == 1 {
            let mut state = self.queue.state.lock().await;
            // A large group has been committed by its last member, and the next one's first member is on his way.
            if done.borrow().is_none() {
                state.commit().await;
            }
        }
        match done.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(why))) => Err(StoreError::Unavailable(why.to_string().into())),
            Ok(None) | Err(_) => Err(StoreError::Unavailable("the commit was given up".into())),
        }
    }
}

impl State {
    async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or_else(handed_in)?;
        connection.execute(statement).await?;
        Ok(())
    }

    /// Commits what the group has written, and tells its members.
    async fn commit(&mut self) {
        let Some(group) = self.group.take() else { return };
        let committed = self.run("COMMIT").await;
        self.commits += u64::from(committed.is_ok());
        if committed.is_err() {
            // A commit that failed, as on a full disk, may leave the transaction open.
            let _ = self.run("ROLLBACK").await;
        }
        group
            .done
            .send_replace(Some(committed.map_err(|error| message(&error).into())));
    }

    /// Undoes what one writer has begun. If the database has undone the whole transaction, the others' work with it is
    /// gone too, and they are told.
    async fn undo(&mut self) {
        let undone = self.run("ROLLBACK TO writer").await.is_ok() && self.run("RELEASE writer").await.is_ok();
        let is_alone = self.group.as_ref().is_none_or(|group| group.members == 0);
        if undone && !is_alone {
            return;
        }
        let rolled_back = self.run("ROLLBACK").await;
        if let Some(group) = self.group.take() {
            let why = "the database has undone the transaction";
            tracing::debug!(
                ?rolled_back,
                members = group.members,
                "a group of writes was undone"
            );
            group.done.send_replace(Some(Err(why.into())));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        // Without a runtime the process ends, and the database undoes what was not committed.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { link.0.undo().await });
        }
    }
}

fn handed_in() -> StoreError {
    StoreError::Unavailable("the transaction has ended".into())
}

/// With its causes, since the members cannot be given the error itself.
fn message(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    async fn queue(path: &std::path::Path) -> WriterQueue {
        use sqlx::ConnectOptions;
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .connect()
            .await
            .unwrap();
        connection
            .execute("CREATE TABLE t (n INTEGER UNIQUE, padding BLOB)")
            .await
            .unwrap();
        WriterQueue::new(connection, Duration::from_mins(1))
    }

    async fn insert(queue: &WriterQueue, number: i64) -> Result<(), StoreError> {
        let mut writer = queue.begin().await?;
        sqlx::query("INSERT INTO t (n, padding) VALUES ($1, zeroblob(1000))")
            .bind(number)
            .execute(writer.connection()?)
            .await?;
        writer.commit().await
    }

    async fn number(queue: &WriterQueue, query: &'static str) -> i64 {
        let mut link = queue.link().await.unwrap();
        sqlx::query_scalar(query)
            .fetch_one(link.connection().unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn those_who_wait_share_a_commit_and_one_who_fails_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder.path().join("t.db")).await;
        let held = queue.link().await.unwrap();
        let writers = (0..100).map(|number| {
            let queue = queue.clone();
            // The last two are there already.
            tokio::spawn(async move { insert(&queue, number % 98).await })
        });
        let writers: Vec<_> = writers.collect();
        tokio::task::yield_now().await;
        drop(held);
        let outcomes: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 98);
        assert_eq!(number(&queue, "SELECT count(*) FROM t").await, 98);
        let state = queue.state.lock().await;
        assert!(state.group.is_none());
        assert!(
            state.commits <= 2,
            "{} commits for 98 writers who came at once",
            state.commits
        );
    }

    #[tokio::test]
    async fn a_group_that_the_disk_has_no_room_for_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let queue = queue(&path).await;
        let held = queue.link().await.unwrap();
        let writers: Vec<_> = (0..200)
            .map(|number| {
                let queue = queue.clone();
                tokio::spawn(async move { insert(&queue, number).await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        // About 30 rows find room.
        number(&queue, "PRAGMA max_page_count = 10").await;
        let outcomes: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let mut connection = queue.state.lock().await.connection.take().unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(acknowledged.to_string(), kept.to_string());
        assert!(acknowledged < 200);
        assert!(
            matches!(insert(&queue, 500).await, Err(StoreError::Unavailable(_))),
            "closed"
        );
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = queue(&folder.path().join("t.db")).await;
        queue.patience = Duration::from_millis(50);
        let held = queue.link().await.unwrap();
        assert!(matches!(insert(&queue, 1).await, Err(StoreError::Unavailable(_))));
        drop(held);
        queue.patience = Duration::from_mins(1);
        insert(&queue, 2).await.unwrap();
        assert_eq!(number(&queue, "SELECT count(*) FROM t").await, 1);
    }

    #[tokio::test]
    async fn a_writer_who_goes_away_is_undone_and_the_next_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder.path().join("t.db")).await;
        let mut writer = queue.begin().await.unwrap();
        writer
            .connection()
            .unwrap()
            .execute("INSERT INTO t (n) VALUES (1)")
            .await
            .unwrap();
        drop(writer);
        insert(&queue, 2).await.unwrap();
        assert_eq!(number(&queue, "SELECT sum(n) FROM t").await, 2);
    }
}
