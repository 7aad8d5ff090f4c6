//! The sparse form: runs of equal registers, in order, together exactly all of them.
//!
//! | bytes | run |
//! |---|---|
//! | `00llllll` | `l + 1` zeros (1–64) |
//! | `01llllll llllllll` | `l + 1` zeros (1–16,384), high bits first |
//! | `1vvvvvll` | `l + 1` registers (1–4) of value `v + 1` (1–32) |
//!
//! One set of registers can be written in several ways, and GET shows which was taken. So a register is
//! raised as Redis does it: the run that has it is cut into up to three, and then, from the run before on,
//! equal neighbours are joined within a fixed number of steps, which does not always join all.
//!
//! Bytes may be foreign. [`find`] and [`runs`] never believe a length; a run cut off at the end of the
//! bytes reads as if a zero byte followed.

use super::hash::Observation;
use super::{Error, HEADER, REGISTERS};
use crate::base::number;

/// The greatest value that a run can have.
const GREATEST_VALUE: u8 = 32;
const LONGEST_VALUES: usize = 4;
const LONGEST_SHORT_ZEROS: usize = 64;

/// Equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Index of the first register.
    pub(super) first: usize,
    pub(super) length: usize,
    pub(super) value: u8,
}

/// A run's code as it stands in the bytes.
#[derive(Clone, Copy)]
struct Code {
    length: usize,
    value: u8,
    width: usize,
}

impl Code {
    /// The code at `at`, which is within the bytes.
    #[inline]
    fn read(body: &[u8], at: usize) -> Code {
        let byte = body[at];
        let low = usize::from(byte & 0x3F);
        match byte {
            0x80.. => Code { length: usize::from(byte & 3) + 1, value: (byte >> 2 & 0x1F) + 1, width: 1 },
            0x40.. => Code { length: (low << 8 | usize::from(body.get(at + 1).copied().unwrap_or(0))) + 1, value: 0, width: 2 },
            _ => Code { length: low + 1, value: 0, width: 1 },
        }
    }
}

/// Up to three runs' codes, to be written in place of one.
#[derive(Default)]
struct Codes {
    bytes: [u8; 5],
    length: usize,
}

impl Codes {
    /// Adds a run, if it has any registers. Non-zero values are from 1 to 32, of at most 4 registers.
    fn push(&mut self, value: u8, length: usize) {
        let Some(less_one) = length.checked_sub(1) else {
            return;
        };
        let [high, low] = u16::try_from(less_one).expect("no more than all registers").to_be_bytes();
        if value > 0 {
            self.push_byte(0x80 | (value - 1) << 2 | low);
        } else if length > LONGEST_SHORT_ZEROS {
            self.push_byte(0x40 | high);
            self.push_byte(low);
        } else {
            self.push_byte(low);
        }
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Appends the runs of no elements: one.
pub(super) fn write_empty(out: &mut Vec<u8>) {
    let mut codes = Codes::default();
    codes.push(0, REGISTERS);
    out.extend_from_slice(codes.as_slice());
}

/// The runs in order; an error in place of one that leaves the registers, or at the end if some
/// registers had none.
pub(super) fn runs(body: &[u8]) -> impl Iterator<Item = Result<Run, Error>> {
    let (mut at, mut first, mut failed) = (0, 0, false);
    std::iter::from_fn(move || {
        if failed || at >= body.len() && first == REGISTERS {
            return None;
        }
        let code = if at < body.len() { Some(Code::read(body, at)) } else { None };
        match code.filter(|code| code.length <= REGISTERS - first) {
            Some(Code { length, value, width }) => {
                let run = Run { first, length, value };
                at += width;
                first += length;
                Some(Ok(run))
            }
            None => {
                failed = true;
                Some(Err(Error::Corrupted))
            }
        }
    })
}

/// Appends each code with its length, and value if it is not zero: `Z:16,384 z:3 v:2,1`, without the
/// comma in thousands. Lengths are not checked.
pub(super) fn write_decoded(out: &mut Vec<u8>, body: &[u8]) {
    let mut at = 0;
    while at < body.len() {
        let code = Code::read(body, at);
        if at > 0 {
            out.push(b' ');
        }
        match code {
            Code { value: 0, width: 1, .. } => out.extend_from_slice(b"z:"),
            Code { value: 0, .. } => out.extend_from_slice(b"Z:"),
            Code { value, .. } => {
                out.extend_from_slice(b"v:");
                number::write_u64(out, u64::from(value));
                out.push(b',');
            }
        }
        number::write_u64(out, u64::try_from(code.length).expect("at most 16,384"));
        at += code.width;
    }
}

/// Where the run with a register stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Where the run before it stands, if there is one.
    previous: Option<usize>,
    at: usize,
    /// The index of the run's first register.
    first: usize,
}

/// Finds the run that has a register.
pub(super) fn find(body: &[u8], register: usize) -> Result<Place, Error> {
    find_from(body, Place::default(), register, |_| ())
}

/// Goes on from `place` to the run that has a register, telling of the runs passed by.
#[inline]
fn find_from(body: &[u8], mut place: Place, register: usize, mut pass: impl FnMut(Place)) -> Result<Place, Error> {
    while place.at < body.len() {
        let code = Code::read(body, place.at);
        if register < place.first + code.length {
            // A code of two bytes that is cut off cannot be replaced.
            let whole = place.at + code.width <= body.len();
            return if whole { Ok(place) } else { Err(Error::Corrupted) };
        }
        pass(place);
        place = Place { previous: Some(place.at), at: place.at + code.width, first: place.first + code.length };
    }
    Err(Error::Corrupted)
}

/// The runs passed by on the way to ever later registers, so that each search begins where the last one
/// ended. To raise a register changes no run before the previous one and leaves that where it begins, so
/// all runs on the trail remain true.
#[derive(Default)]
pub(super) struct Trail {
    passed: Vec<Place>,
}

impl Trail {
    /// As [`find`], for a register behind the last one asked for.
    pub(super) fn find(&mut self, body: &[u8], register: usize) -> Result<Place, Error> {
        let start = self.passed.pop().unwrap_or_default();
        find_from(body, start, register, |place| self.passed.push(place))
    }
}

/// What became of an attempt to raise a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its value was as large already.
    Unchanged,
    /// It has the value now.
    Changed,
    /// Nothing changed: the value, or all runs together, would be too large for the sparse form.
    TooLarge,
}

/// Raises a register of the string `bytes`, whose run is at `place`. The string may grow to `limit` bytes,
/// its header included.
pub(super) fn raise(bytes: &mut Vec<u8>, place: Place, observation: Observation, limit: usize) -> Outcome {
    let Observation { register, value } = observation;
    if value > GREATEST_VALUE {
        return Outcome::TooLarge;
    }
    let old = Code::read(&bytes[HEADER..], place.at);
    if old.value >= value {
        return Outcome::Unchanged;
    }
    let before = register - place.first;
    let mut codes = Codes::default();
    codes.push(old.value, before);
    codes.push(value, 1);
    codes.push(old.value, old.length - before - 1);
    let new_length = bytes.len() - old.width + codes.length;
    if codes.length > old.width && new_length > limit {
        return Outcome::TooLarge;
    }
    let at = HEADER + place.at;
    bytes.splice(at..at + old.width, codes.as_slice().iter().copied());
    join_neighbours(bytes, HEADER + place.previous.unwrap_or(0));
    Outcome::Changed
}

/// Joins equal neighbours, looking at five codes from `at` on.
fn join_neighbours(bytes: &mut Vec<u8>, mut at: usize) {
    const STEPS: usize = 5;
    for _ in 0..STEPS {
        if at >= bytes.len() {
            return;
        }
        let code = Code::read(bytes, at);
        match joined(bytes, at, code) {
            Some(both) => {
                bytes[at] = both;
                bytes.remove(at + 1);
            }
            None => at += code.width,
        }
    }
}

/// The code of the run at `at` and the next one together, if both have the same value that is not zero.
fn joined(bytes: &[u8], at: usize, code: Code) -> Option<u8> {
    let next = Some(at + 1).filter(|next| *next < bytes.len())?;
    let next = Code::read(bytes, next);
    let length = code.length + next.length;
    if code.value == 0 || code.value != next.value || length > LONGEST_VALUES {
        return None;
    }
    let mut both = Codes::default();
    both.push(code.value, length);
    Some(both.bytes[0])
}
