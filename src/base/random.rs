//! Chance, from one seed.
//!
//! Whatever the server decides by chance (the member SPOP takes, the keys eviction samples, its run
//! id) comes from a [`Random`] that was handed to it, so the same seed and the same input give the
//! same run: that is what the simulator rests on. The crate has no other source. The operating
//! system is asked once, at start, by [`entropy_seed`], and once for the key of the keyed hash.
//!
//! The generator is xoshiro256++ (Blackman and Vigna 2019), seeded through SplitMix64 so that
//! neighbouring seeds do not give neighbouring streams. It is fast and statistically sound and not
//! meant for secrets: what an attacker must not guess takes its bytes from [`entropy`].

use std::fs::File;
use std::io::{self, Read};

/// A seeded stream of random numbers. Cloning it forks the stream: both go on alike.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream that belongs to `seed`; every seed gives a good one, zero too.
    pub fn from_seed(seed: u64) -> Self {
        let mut walk = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut walk)) }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound`, each equally likely.
    ///
    /// By Lemire's multiplication (2019): the high half of a 128-bit product is the answer, and the
    /// few low halves that would favour some answers are drawn again.
    ///
    /// # Panics
    /// When `bound` is zero: there is no such number, and to ask is our bug.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a random number below zero was asked for");
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let (high, low) = halves(product);
            // `low < bound` rarely holds, so the division is rarely paid.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return high;
            }
        }
    }

    /// An index into something with `length` elements.
    ///
    /// # Panics
    /// When `length` is zero, as [`below`](Self::below) does.
    pub fn index(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("a length in memory fits 64 bits");
        usize::try_from(self.below(bound)).expect("less than a usize")
    }

    /// A number in `0.0..1.0`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// Forty lower-case hexadecimal digits: a run id, a replication id, a node id.
    pub fn hex_id(&mut self) -> [u8; 40] {
        let mut bytes = [0; 20];
        self.fill(&mut bytes);
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        std::array::from_fn(|position| {
            let byte = bytes[position / 2];
            digit(if position % 2 == 0 { byte >> 4 } else { byte & 15 })
        })
    }
}

/// A seed from the operating system, for the one [`Random`] of a real server.
///
/// # Errors
/// Those of reading the system's random device.
pub fn entropy_seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    entropy(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Fills `bytes` with unpredictable bytes from the operating system.
///
/// # Errors
/// Those of reading the system's random device.
pub fn entropy(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

fn halves(product: u128) -> (u64, u64) {
    let low_mask = u128::from(u64::MAX);
    let half = |value: u128| u64::try_from(value).expect("masked to 64 bits");
    (half(product >> 64), half(product & low_mask))
}

fn split_mix(walk: &mut u64) -> u64 {
    *walk = walk.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*walk ^ (*walk >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream() {
        let mut first = Random::from_seed(42);
        let mut second = Random::from_seed(42);
        let mut other = Random::from_seed(43);
        let drawn: Vec<u64> = (0..100).map(|_| first.next_u64()).collect();
        assert!(drawn.iter().all(|&number| number == second.next_u64()));
        assert!(drawn.iter().all(|&number| number != other.next_u64()));
    }

    #[test]
    fn the_stream_is_xoshiro() {
        // From the state 1, 2, 3, 4 the published algorithm starts with these.
        let mut random = Random { state: [1, 2, 3, 4] };
        let expected = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn bounds_hold_and_all_is_reached() {
        let mut random = Random::from_seed(0);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[random.index(10)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!(random.below(1), 0);
        let large = u64::MAX / 3 * 2;
        let upper = (0..3000).filter(|_| random.below(large) >= large / 2).count();
        assert!((1300..1700).contains(&upper), "{upper}");
        assert!((0..1000).map(|_| random.unit()).all(|unit| (0.0..1.0).contains(&unit)));
    }

    #[test]
    fn ids_are_forty_hexadecimal_digits() {
        let mut random = Random::from_seed(7);
        let id = random.hex_id();
        assert!(id.iter().all(|byte| b"0123456789abcdef".contains(byte)));
        assert_ne!(id, random.hex_id());
    }

    #[test]
    fn filling_leaves_no_tail() {
        let mut random = Random::from_seed(7);
        let mut bytes = [0; 13];
        random.fill(&mut bytes);
        assert!(bytes[8..].iter().any(|&byte| byte != 0));
    }

    #[test]
    fn the_system_has_entropy() {
        let first = entropy_seed().expect("every system here has the device");
        let second = entropy_seed().expect("every system here has the device");
        assert_ne!(first, second);
    }
}
