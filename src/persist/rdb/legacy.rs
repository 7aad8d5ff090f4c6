//! Packed forms that Redis wrote before version 10 of the format: the ziplist and the zipmap.
//!
//! ```text
//! ziplist  total u32 le | offset of the last entry u32 le | count u16 le | entry .. | 0xFF
//! entry    size of the entry before (1 byte, or 254 and u32 le) | form | contents
//! form     00 + 6 bits, 01 + 14 bits be, 0x80 + 32 bits be: length of a text
//!          0xC0, 0xD0, 0xE0, 0xF0, 0xFE: an integer of 2, 4, 8, 3, 1 bytes le; 0xF1..0xFD: 0..12
//! zipmap   count u8 | (length field length free value free bytes) .. | 0xFF
//! length   1 byte below 254, or 254 and u32 le
//! ```
//!
//! Both are taken apart once, into elements that go into a container of ours; none is kept.

use super::LoadError;
use crate::ds::packed::Element;

const END: u8 = 0xFF;
const WIDE: u8 = 254;

/// The words are those that Redis logs.
fn bad() -> LoadError {
    LoadError::corrupt("Ziplist integrity check failed")
}

fn bad_zipmap() -> LoadError {
    LoadError::corrupt("Zipmap integrity check failed")
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], LoadError> {
    let (head, tail) = rest.split_at_checked(count).ok_or_else(bad)?;
    *rest = tail;
    Ok(head)
}

fn word<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], LoadError> {
    Ok(take(rest, N)?.try_into().expect("as many as were taken"))
}

/// Calls `visit` with each element of the ziplist of a value of that kind.
pub fn each_of_ziplist(kind: &str, bytes: &[u8], visit: impl FnMut(Element<'_>) -> Result<(), LoadError>) -> Result<(), LoadError> {
    walk_ziplist(bytes, visit).map_err(|error| match error {
        error if error == bad() => LoadError::corrupt(format!("{kind} ziplist integrity check failed")),
        LoadError::Corrupt(why) => LoadError::corrupt(format!("{kind} ziplist integrity check failed: {why}")),
        other => other,
    })
}

fn walk_ziplist(bytes: &[u8], mut visit: impl FnMut(Element<'_>) -> Result<(), LoadError>) -> Result<(), LoadError> {
    let mut rest = bytes;
    let total = u32::from_le_bytes(word(&mut rest)?) as usize;
    let last = u32::from_le_bytes(word(&mut rest)?) as usize;
    let claimed = u16::from_le_bytes(word(&mut rest)?);
    let (mut count, mut size_before, mut last_at) = (0usize, 0, 10);
    while rest.first() != Some(&END) {
        last_at = bytes.len() - rest.len();
        let before = match word::<1>(&mut rest)? {
            [WIDE] => u32::from_le_bytes(word(&mut rest)?) as usize,
            [size] => usize::from(size),
        };
        if before != size_before {
            return Err(bad());
        }
        visit(ziplist_element(&mut rest)?)?;
        count += 1;
        size_before = bytes.len() - rest.len() - last_at;
    }
    let sound = total == bytes.len() && rest.len() == 1 && last == last_at && (claimed == u16::MAX || usize::from(claimed) == count);
    if sound { Ok(()) } else { Err(bad()) }
}

fn ziplist_element<'a>(rest: &mut &'a [u8]) -> Result<Element<'a>, LoadError> {
    let [form] = word(rest)?;
    let length = match (form >> 6, form) {
        (0, _) => usize::from(form),
        (1, _) => {
            let [low] = word(rest)?;
            usize::from(u16::from_be_bytes([form & 0x3f, low]))
        }
        (_, 0x80) => u32::from_be_bytes(word(rest)?) as usize,
        (_, 0xC0) => return Ok(Element::Int(i64::from(i16::from_le_bytes(word(rest)?)))),
        (_, 0xD0) => return Ok(Element::Int(i64::from(i32::from_le_bytes(word(rest)?)))),
        (_, 0xE0) => return Ok(Element::Int(i64::from_le_bytes(word(rest)?))),
        (_, 0xF0) => {
            let [a, b, c] = word(rest)?;
            return Ok(Element::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)));
        }
        (_, 0xFE) => return Ok(Element::Int(i64::from(i8::from_le_bytes(word(rest)?)))),
        (_, 0xF1..=0xFD) => return Ok(Element::Int(i64::from(form) - 0xF1)),
        _ => return Err(bad()),
    };
    // a text that reads as an integer is one of ours as well
    Ok(Element::from_text(take(rest, length)?))
}

/// Calls `visit` with each field and value of a zipmap.
pub fn each_of_zipmap(bytes: &[u8], visit: impl FnMut(&[u8], &[u8]) -> Result<(), LoadError>) -> Result<(), LoadError> {
    walk_zipmap(bytes, visit).map_err(|error| if error == bad() { bad_zipmap() } else { error })
}

fn walk_zipmap(bytes: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), LoadError>) -> Result<(), LoadError> {
    let mut rest = bytes;
    let [claimed] = word(&mut rest)?;
    let mut count = 0usize;
    while rest.first() != Some(&END) {
        let length = zipmap_length(&mut rest)?;
        let field = take(&mut rest, length)?;
        let length = zipmap_length(&mut rest)?;
        let [free] = word(&mut rest)?;
        let value = take(&mut rest, length)?;
        take(&mut rest, usize::from(free))?;
        visit(field, value)?;
        count += 1;
    }
    let whole = rest.len() == 1 && (claimed >= WIDE || usize::from(claimed) == count) && count > 0;
    if whole { Ok(()) } else { Err(bad_zipmap()) }
}

fn zipmap_length(rest: &mut &[u8]) -> Result<usize, LoadError> {
    match word(rest)? {
        [WIDE] => Ok(u32::from_le_bytes(word(rest)?) as usize),
        [END] => Err(bad_zipmap()),
        [length] => Ok(usize::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn elements(bytes: &[u8]) -> Result<Vec<String>, LoadError> {
        let mut all = Vec::new();
        each_of_ziplist("List", bytes, |element| {
            all.push(String::from_utf8_lossy(&element.to_vec()).into_owned());
            Ok(())
        })?;
        Ok(all)
    }

    const ZIPLIST: &[u8] = &[
        0x26,
        0,
        0,
        0,
        0x20,
        0,
        0,
        0,
        7,
        0, // frame
        0,
        2,
        b'a',
        b'b', // "ab"
        4,
        0xF1,
        2,
        0xFD, // 0, 12
        2,
        0xFE,
        0x80, // -128
        3,
        0xC0,
        0x10,
        0x27, // 10000
        4,
        0xF0,
        0xFF,
        0xFF,
        0xFF, // -1
        5,
        0xFF - 0x3F,
        0,
        0x80, // -32768
    ];

    #[test]
    fn a_ziplist_reads_as_it_was_written() {
        let mut bytes = ZIPLIST.to_vec();
        bytes.push(END);
        let total = bytes.len();
        bytes[0] = u8::try_from(total).expect("small");
        bytes[4] = u8::try_from(total - 5).expect("small");
        assert_eq!(elements(&bytes).expect("sound"), ["ab", "0", "12", "-128", "10000", "-1", "-32768"]);
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                // an error or other elements, but no panic
                let _ = elements(&damaged);
            }
            assert!(elements(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn a_zipmap_reads_as_it_was_written() {
        let bytes = [2, 1, b'a', 2, 0, b'1', b'2', 1, b'b', 1, 2, b'3', 9, 9, END];
        let read = |bytes: &[u8]| {
            let mut all = Vec::new();
            each_of_zipmap(bytes, |field, value| {
                all.push([field, b"=", value].concat());
                Ok(())
            })
            .map(|()| all)
        };
        assert_eq!(read(&bytes), Ok(vec![b"a=12".to_vec(), b"b=3".to_vec()]));
        let mut random = Random::from_seed(3);
        for _ in 0..10_000 {
            let mut damaged = bytes;
            damaged[random.index(bytes.len())] = random.next_u64().to_le_bytes()[0];
            let _ = read(&damaged);
        }
        (0..bytes.len()).for_each(|at| assert!(read(&bytes[..at]).is_err()));
    }
}
