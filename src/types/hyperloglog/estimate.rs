//! From the registers' histogram to the cardinality.
//!
//! The estimator is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (arXiv:1702.01284), algorithm 6. It needs no tables and no switch between small and large
//! counts. Sums run in the order of Redis's, so that the integers are the same.

use super::{REGISTER_BITS, REGISTERS};

/// How many registers have each value; values that no element can have count for nothing.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// Four tables, for four neighbouring registers: so an addition need not wait for the last one to
    /// reach memory when values repeat.
    tables: [[u32; VALUES]; 4],
}

const VALUES: usize = 64;

impl Default for Histogram {
    fn default() -> Self {
        Histogram { tables: [[0; VALUES]; 4] }
    }
}

impl Histogram {
    /// Counts eight registers; only the six lowest bits of each are looked at.
    #[inline]
    pub(super) fn add_each(&mut self, values: [u8; 8]) {
        for (place, value) in values.into_iter().enumerate() {
            self.tables[place % 4][usize::from(value) % VALUES] += 1;
        }
    }

    /// Counts `length` registers of one value.
    pub(super) fn add(&mut self, value: u8, length: usize) {
        let length = u32::try_from(length).expect("no more than all registers");
        self.tables[0][usize::from(value) % VALUES] += length;
    }

    fn share(&self, value: usize) -> f64 {
        let count: u32 = self.tables.iter().map(|table| table[value]).sum();
        f64::from(count)
    }

    /// The estimate, rounded.
    pub(super) fn cardinality(&self) -> u64 {
        /// The rank of a register whose element's remaining bits were all zeros but the last.
        const LAST: usize = (64 - REGISTER_BITS) as usize;
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        const REGISTERS_AS_FLOAT: f64 = REGISTERS as f64;
        let m = REGISTERS_AS_FLOAT;
        let mut sum = m * tau((m - self.share(LAST + 1)) / m);
        for value in (1..=LAST).rev() {
            sum += self.share(value);
            sum *= 0.5;
        }
        sum += m * sigma(self.share(0) / m);
        let estimate = (ALPHA * m * m / sum).round();
        if estimate.is_finite() {
            // Cannot lose anything: the least finite sum leaves far less than 2^63.
            estimate as u64
        } else {
            TOO_LARGE
        }
    }
}

/// The cardinality of registers that no elements could have produced: C's `llround` of infinity. In
/// a header it reads as out of date.
const TOO_LARGE: u64 = 1 << 63;

/// What the registers at the greatest value add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let mut weight = 1.0;
    let mut sum = 1.0 - x;
    loop {
        x = x.sqrt();
        weight *= 0.5;
        let previous = sum;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == previous {
            return sum / 3.0;
        }
    }
}

/// What the registers at zero add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let mut weight = 1.0;
    let mut sum = x;
    loop {
        x *= x;
        let previous = sum;
        sum += x * weight;
        weight += weight;
        if sum == previous {
            return sum;
        }
    }
}
