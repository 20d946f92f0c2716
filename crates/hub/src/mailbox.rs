//! What a shard has been told to do and has not done yet.

use crate::command::Command;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A shard's queue of commands, in order. Events are bounded by admission and commands that come once per
/// connection by the number of connections; the others wait for room.
pub(crate) struct Mailbox {
    commands: Mutex<Vec<Command>>,
    commands_max: usize,
    /// Rung when something is there to do.
    pub(crate) bell: Notify,
    space: Notify,
}

impl Mailbox {
    pub(crate) fn new(commands_max: usize) -> Mailbox {
        Mailbox {
            commands: Mutex::default(),
            commands_max,
            bell: Notify::new(),
            space: Notify::new(),
        }
    }

    /// Appends a command that is bounded elsewhere. Never blocks.
    pub(crate) fn push(&self, command: Command) {
        let was_empty = {
            let mut commands = self.commands.lock();
            commands.push(command);
            commands.len() == 1
        };
        if was_empty {
            self.bell.notify_one();
        }
    }

    /// Appends a command if there is room, and gives it back otherwise.
    pub(crate) fn try_push(&self, command: Command) -> Result<(), Command> {
        let was_empty = {
            let mut commands = self.commands.lock();
            if commands.len() >= self.commands_max {
                return Err(command);
            }
            commands.push(command);
            commands.len() == 1
        };
        if was_empty {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Appends a command as soon as there is room.
    pub(crate) async fn push_when_room(&self, mut command: Command) {
        loop {
            let space = self.space.notified();
            match self.try_push(command) {
                Ok(()) => return,
                Err(back) => command = back,
            }
            space.await;
        }
    }

    /// Swaps everything that waits into `batch`, which must be empty.
    pub(crate) fn take(&self, batch: &mut Vec<Command>) {
        {
            let mut commands = self.commands.lock();
            std::mem::swap(&mut *commands, batch);
        }
        if batch.len() >= self.commands_max {
            self.space.notify_waiters();
        }
    }
}
