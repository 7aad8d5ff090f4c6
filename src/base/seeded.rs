//! A keyed hash for the standard maps whose seed is passed in.
//!
//! The standard library's own state draws its key from the system, so the order of a map differs from
//! run to run, and with it the order of replies and deliveries. Seeded from the server's chance, a map is
//! as safe against chosen keys and the same in every run of one seed.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

use super::random::Random;

/// The key of a map's hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seeded(u64, u64);

impl Seeded {
    /// A key drawn from `random`.
    pub fn new(random: &mut Random) -> Self {
        Seeded(random.next_u64(), random.next_u64())
    }
}

impl BuildHasher for Seeded {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}
