//! All registers unpacked, one a byte: what a union is made in.
//!
//! A byte each costs 16 KiB for the time of one command, and makes the maximum of two sets of registers a
//! loop that the compiler turns into vector code.

use super::estimate::Histogram;
use super::hash::Observation;
use super::{Encoding, Error, REGISTERS, Sketch, dense, sparse};

/// The registers of a union. They begin as those of nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    values: Box<[[u8; 8]]>,
}

impl Default for Registers {
    fn default() -> Self {
        Registers { values: vec![[0; 8]; REGISTERS / 8].into_boxed_slice() }
    }
}

impl Registers {
    /// Adds what `sketch` has seen.
    ///
    /// # Errors
    /// [`Error::Corrupted`]; then some of it may have been added.
    pub fn merge(&mut self, sketch: Sketch<'_>) -> Result<(), Error> {
        match sketch.encoding() {
            Encoding::Dense => {
                let mut eights = self.values.iter_mut();
                dense::unpack(sketch.body(), |values| {
                    let eight = eights.next().expect("both are all registers");
                    for (value, other) in eight.iter_mut().zip(values) {
                        *value = other.max(*value);
                    }
                });
            }
            Encoding::Sparse => {
                let values = self.values.as_flattened_mut();
                for run in sparse::runs(sketch.body()) {
                    let run = run?;
                    for value in &mut values[run.first..run.first + run.length] {
                        *value = run.value.max(*value);
                    }
                }
            }
        }
        Ok(())
    }

    /// The cardinality of the union.
    pub fn count(&self) -> u64 {
        let mut histogram = Histogram::default();
        for eight in &self.values {
            histogram.add_each(*eight);
        }
        histogram.cardinality()
    }

    /// The values of all registers in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        self.values.as_flattened().iter().copied()
    }

    /// The registers that are not zero.
    pub(super) fn observations(&self) -> impl Iterator<Item = Observation> {
        self.iter().enumerate().filter(|(_, value)| *value != 0).map(|(register, value)| Observation { register, value })
    }

    pub(super) fn eights(&self) -> impl Iterator<Item = &[u8; 8]> {
        self.values.iter()
    }
}
