//! Client-side caching.

/// One client's tracking.
#[derive(Default)]
pub struct Tracking {
    /// Prefixes of BCAST mode.
    pub prefixes: Vec<Box<[u8]>>,
}

impl Tracking {
    /// Memory of the prefixes.
    pub fn bytes(&self) -> usize {
        self.prefixes.iter().map(|prefix| prefix.len() + 16).sum()
    }
}
