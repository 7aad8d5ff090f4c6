//! MULTI's queue.

use super::registry::CommandId;
use crate::resp::request::OwnedRequest;

/// The commands that a client has queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    /// Each command with its arguments.
    pub queue: Vec<(CommandId, OwnedRequest)>,
}

impl Transaction {
    /// Memory of the queue.
    pub fn bytes(&self) -> usize {
        self.queue.iter().map(|(_, request)| request.bytes() + 56).sum()
    }
}
