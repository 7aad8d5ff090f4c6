//! What PFSELFTEST does: the dense registers against plain ones, then the estimates against the truth.
//!
//! The estimate's standard error is 1.04 / √16,384 (0.8 %); at each power of ten it may be off by six of
//! them. A hash or a packing that is wrong by a bit fails here at once. A hundred thousand elements take some
//! milliseconds, so the command does not hold the server up.

use super::hash::{GREATEST_VALUE, Observation};
use super::{Encoding, Error, REGISTERS, SketchMut, dense, empty};
use crate::base::random::Random;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTestFailure {
    /// A dense register does not hold what was put there.
    Register {
        /// Its index.
        register: usize,
        /// What was put there.
        expected: u8,
        /// What it holds.
        found: u8,
    },
    /// The sparse form counts other than the dense one.
    Encodings {
        /// How many elements were added.
        elements: u64,
    },
    /// An estimate is too far from the truth.
    Estimate {
        /// How many elements were added.
        elements: u64,
        /// How many were counted.
        estimate: u64,
    },
}

impl std::fmt::Display for SelfTestFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SelfTestFailure::Register { register, expected, found } => {
                write!(f, "TESTFAILED register {register} should be {expected} but is {found}")
            }
            SelfTestFailure::Encodings { elements } => {
                write!(f, "TESTFAILED sparse and dense differ after {elements} elements")
            }
            SelfTestFailure::Estimate { elements, estimate } => {
                write!(f, "TESTFAILED {elements} elements are counted as {estimate}")
            }
        }
    }
}

/// Runs the test with elements made from `random`.
///
/// # Errors
/// What is wrong.
pub fn self_test(random: &mut Random) -> Result<(), SelfTestFailure> {
    test_registers(random)?;
    test_estimates(random.next_u64())
}

fn test_registers(random: &mut Random) -> Result<(), SelfTestFailure> {
    const ROUNDS: usize = 10;
    let mut packed = vec![0; dense::LENGTH];
    let mut plain = vec![0; REGISTERS];
    for _ in 0..ROUNDS {
        for (register, old) in plain.iter_mut().enumerate() {
            let value = u8::try_from(random.below(u64::from(GREATEST_VALUE) + 1)).expect("below 64");
            dense::raise(&mut packed, Observation { register, value });
            *old = value.max(*old);
        }
        let mut found = Vec::with_capacity(REGISTERS);
        dense::unpack(&packed, |values| found.extend_from_slice(&values));
        let mut pairs = plain.iter().zip(&found).enumerate();
        if let Some((register, (expected, found))) = pairs.find(|(_, (a, b))| a != b) {
            return Err(SelfTestFailure::Register { register, expected: *expected, found: *found });
        }
        packed.fill(0);
        plain.fill(0);
    }
    Ok(())
}

fn test_estimates(seed: u64) -> Result<(), SelfTestFailure> {
    const ELEMENTS: u64 = 100_000;
    const SPARSE_LIMIT: usize = 3000;
    let (mut sparse, mut dense) = (empty(), empty());
    let mut sparse = SketchMut::open(&mut sparse).expect("it is a HyperLogLog");
    let mut dense = SketchMut::open(&mut dense).expect("it is a HyperLogLog");
    let sound = "what was made here is sound";
    dense.make_dense().expect(sound);
    let mut checkpoint = 1;
    for elements in 1..=ELEMENTS {
        let element = (elements ^ seed).to_ne_bytes();
        dense.add(&element, SPARSE_LIMIT).expect(sound);
        if sparse.as_sketch().encoding() == Encoding::Sparse {
            sparse.add(&element, SPARSE_LIMIT).expect(sound);
            if elements == checkpoint && counts_differ(&sparse, &dense).expect(sound) {
                return Err(SelfTestFailure::Encodings { elements });
            }
        }
        if elements == checkpoint {
            let estimate = dense.as_sketch().count().expect(sound);
            if estimate.abs_diff(elements) > allowed_error(elements) {
                return Err(SelfTestFailure::Estimate { elements, estimate });
            }
            checkpoint *= 10;
        }
    }
    Ok(())
}

fn counts_differ(one: &SketchMut<'_>, other: &SketchMut<'_>) -> Result<bool, Error> {
    Ok(one.as_sketch().count()? != other.as_sketch().count()?)
}

/// Six standard errors, rounded up. With ten elements a collision of two is allowed for.
fn allowed_error(elements: u64) -> u64 {
    const STANDARD_ERRORS: u64 = 6;
    // 1.04 / 128 is 13 / 1600.
    let error = (elements * STANDARD_ERRORS * 13).div_ceil(1600);
    if elements == 10 { error.max(2) } else { error }
}
