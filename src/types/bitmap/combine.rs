//! BITOP: several bitmaps become one.
//!
//! The result is as long as the longest source; shorter ones go on with zeros. It is made block by
//! block, each block from all sources before the next one begins, so that the part of the result under
//! work stays in the first-level cache however many sources there are. Within a block every loop runs
//! over two slices without a branch, which the compiler turns into vector code.

/// How bits are combined; the sources are `x` and then any number of `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Ones in all sources.
    And,
    /// Ones in any source.
    Or,
    /// Ones in an odd number of sources.
    Xor,
    /// Zeros of the only source, within its bytes.
    Not,
    /// Ones in `x` and in no `y`.
    Diff,
    /// Ones in any `y` and not in `x`.
    Diff1,
    /// Ones in `x` and in any `y`.
    AndOr,
    /// Ones in exactly one source.
    One,
}

/// How many sources an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceCount {
    /// Exactly one.
    One,
    /// One or more.
    Any,
    /// `x` and at least one `y`.
    TwoOrMore,
}

impl Operation {
    const NAMES: [(&'static str, Operation); 8] = [
        ("and", Operation::And),
        ("or", Operation::Or),
        ("xor", Operation::Xor),
        ("not", Operation::Not),
        ("diff", Operation::Diff),
        ("diff1", Operation::Diff1),
        ("andor", Operation::AndOr),
        ("one", Operation::One),
    ];

    /// The operation of that name, in either case.
    pub fn from_name(name: &[u8]) -> Option<Operation> {
        Self::NAMES.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, operation)| operation)
    }

    /// How many sources it takes.
    pub fn source_count(self) -> SourceCount {
        match self {
            Operation::Not => SourceCount::One,
            Operation::And | Operation::Or | Operation::Xor | Operation::One => SourceCount::Any,
            Operation::Diff | Operation::Diff1 | Operation::AndOr => SourceCount::TwoOrMore,
        }
    }
}

const BLOCK: usize = 8192;

/// Combines `sources`; a key that does not exist is an empty source.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = vec![0; length];
    let Some((x, others)) = sources.split_first() else {
        return result;
    };
    for (number, block) in result.chunks_mut(BLOCK).enumerate() {
        let (start, length) = (number * BLOCK, block.len());
        let ys = others.iter().map(|y| part(y, start, length));
        combine_block(operation, block, part(x, start, length), ys);
    }
    result
}

/// What a source has of the block at `start`.
fn part(source: &[u8], start: usize, length: usize) -> &[u8] {
    let rest = source.get(start..).unwrap_or_default();
    &rest[..length.min(rest.len())]
}

/// Fills `block`, which is all zeros.
fn combine_block<'a>(operation: Operation, block: &mut [u8], x: &[u8], ys: impl Iterator<Item = &'a [u8]>) {
    match operation {
        Operation::And => {
            apply(block, x, |_, x| x);
            ys.for_each(|y| apply_and_clear(block, y, |sum, y| sum & y));
        }
        Operation::Or => {
            apply(block, x, |_, x| x);
            ys.for_each(|y| apply(block, y, |sum, y| sum | y));
        }
        Operation::Xor => {
            apply(block, x, |_, x| x);
            ys.for_each(|y| apply(block, y, |sum, y| sum ^ y));
        }
        Operation::Not => apply(block, x, |_, x| !x),
        Operation::Diff => {
            ys.for_each(|y| apply(block, y, |sum, y| sum | y));
            apply_and_clear(block, x, |sum, x| x & !sum);
        }
        Operation::Diff1 => {
            ys.for_each(|y| apply(block, y, |sum, y| sum | y));
            apply(block, x, |sum, x| sum & !x);
        }
        Operation::AndOr => {
            ys.for_each(|y| apply(block, y, |sum, y| sum | y));
            apply_and_clear(block, x, |sum, x| sum & x);
        }
        Operation::One => only_once(block, x, ys),
    }
}

/// Leaves in `block` what is set in exactly one source, remembering what was met a second time.
fn only_once<'a>(block: &mut [u8], x: &[u8], ys: impl Iterator<Item = &'a [u8]>) {
    apply(block, x, |_, x| x);
    let mut repeated = [0; BLOCK];
    for y in ys {
        for ((sum, repeat), y) in block.iter_mut().zip(&mut repeated).zip(y) {
            *repeat |= *sum & y;
            *sum |= y;
        }
    }
    apply(block, &repeated, |sum, repeat| sum & !repeat);
}

/// Combines each byte with that of a source, as far as the source reaches.
fn apply(block: &mut [u8], source: &[u8], combine: impl Fn(u8, u8) -> u8) {
    for (byte, other) in block.iter_mut().zip(source) {
        *byte = combine(*byte, *other);
    }
}

/// The same, where a source's missing bytes make zeros.
fn apply_and_clear(block: &mut [u8], source: &[u8], combine: impl Fn(u8, u8) -> u8) {
    apply(block, source, combine);
    block[source.len()..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// The operation on one bit of each source, the first one first.
    fn on_bits(operation: Operation, bits: &[bool]) -> bool {
        let (x, any_y) = (bits[0], bits[1..].contains(&true));
        let ones = bits.iter().filter(|bit| **bit).count();
        match operation {
            Operation::And => ones == bits.len(),
            Operation::Or => ones > 0,
            Operation::Xor => ones % 2 == 1,
            Operation::Not => !x,
            Operation::Diff => x && !any_y,
            Operation::Diff1 => !x && any_y,
            Operation::AndOr => x && any_y,
            Operation::One => ones == 1,
        }
    }

    #[test]
    fn every_operation_agrees_with_its_definition() {
        let mut random = Random::from_seed(23);
        for round in 0..200 {
            let longest = if round % 20 == 0 { 3 * BLOCK } else { 70 };
            let count = 1 + random.index(5);
            let sources: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let mut source = vec![0; random.index(longest)];
                    random.fill(&mut source);
                    source
                })
                .collect();
            for (_, operation) in Operation::NAMES {
                let slices: Vec<&[u8]> = match operation.source_count() {
                    SourceCount::One => vec![&sources[0]],
                    _ => sources.iter().map(Vec::as_slice).collect(),
                };
                let length = slices.iter().map(|slice| slice.len()).max();
                let result = combine(operation, &slices);
                assert_eq!(Some(result.len()), length);
                for (at, byte) in result.iter().enumerate() {
                    let bytes = slices.iter().map(|slice| slice.get(at).copied().unwrap_or(0));
                    let bytes: Vec<u8> = bytes.collect();
                    for place in 0..8 {
                        let bits: Vec<bool> = bytes.iter().map(|byte| byte >> place & 1 == 1).collect();
                        assert_eq!(byte >> place & 1 == 1, on_bits(operation, &bits));
                    }
                }
            }
        }
    }

    #[test]
    fn names_are_read_in_either_case() {
        assert_eq!(Operation::from_name(b"AndOr"), Some(Operation::AndOr));
        assert_eq!(Operation::from_name(b"nand"), None);
        assert!(combine(Operation::Or, &[]).is_empty());
    }
}
