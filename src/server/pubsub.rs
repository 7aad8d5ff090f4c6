//! Channels, patterns and shard channels, and who subscribes to them.

/// One client's subscriptions.
#[derive(Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: Vec<Box<[u8]>>,
    /// Patterns.
    pub patterns: Vec<Box<[u8]>>,
    /// Shard channels.
    pub shards: Vec<Box<[u8]>>,
}

impl Subscriptions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// Memory of the names.
    pub fn bytes(&self) -> usize {
        [&self.channels, &self.patterns, &self.shards].iter().flat_map(|names| names.iter()).map(|name| name.len() + 16).sum()
    }
}
