//! Packed against Redis's own bytes, against a vector of byte strings, and against damaged bytes.

use super::check::check;
use super::*;

/// A stream of random numbers (Steele, Lea and Flood's SplitMix64).
pub(in crate::ds) fn splitmix(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// A number below `bound`, which is not 0.
pub(in crate::ds) fn below(random: &mut impl FnMut() -> u64, bound: usize) -> usize {
    (random() % bound as u64) as usize
}

/// A text: an integer of any width, nearly an integer, or bytes up to `longest`.
pub(in crate::ds) fn some_text(random: &mut impl FnMut() -> u64, longest: usize) -> Vec<u8> {
    let raw = random();
    match raw % 8 {
        0..=2 => ((raw as i64) >> ((raw >> 8) % 64)).to_string().into_bytes(),
        3 => format!("0{}", raw >> 50).into_bytes(),
        4 => format!("member:{:04}", raw >> 54).into_bytes(),
        5 => vec![b'x'; below(random, longest + 1)],
        _ => vec![b'a' + (raw >> 20) as u8 % 3; below(random, 6)],
    }
}

fn packed_of(texts: &[&[u8]]) -> Packed {
    let mut packed = Packed::new();
    for text in texts {
        packed.push_back(text);
    }
    packed
}

/// The value part of `DUMP h` in Redis 8.0 after `HSET h a 0 b 127 ...`: each integer width at its
/// bounds, texts that are nearly integers, and 64 `x`, here left out together with what follows.
const FROM_REDIS: &str = "ff0000002c0081610200018162027f01816302c08002816402dfff02816502cfff02816602d00002816702f100\
1003816802f1ffef03816902f1ff7f03816a02f2ff7fff04816b02f2ffff7f04816c02f3ffff7fff05816d02f3\
ffffff7f05816e02f4ffffff7fffffffff09816f02f4ffffffffffffff7f09817002f400000000000000800981\
7102933932323333373230333638353437373538303814817202822d3003817302823031038174028001817502\
822b3103817602e040";

#[test]
fn bytes_are_those_of_redis() {
    let long = [b'x'; 64];
    let texts: [&[u8]; 44] = [
        b"a",
        b"0",
        b"b",
        b"127",
        b"c",
        b"128",
        b"d",
        b"-1",
        b"e",
        b"4095",
        b"f",
        b"-4096",
        b"g",
        b"4096",
        b"h",
        b"-4097",
        b"i",
        b"32767",
        b"j",
        b"-32769",
        b"k",
        b"8388607",
        b"l",
        b"-8388609",
        b"m",
        b"2147483647",
        b"n",
        b"-2147483649",
        b"o",
        b"9223372036854775807",
        b"p",
        b"-9223372036854775808",
        b"q",
        b"9223372036854775808",
        b"r",
        b"-0",
        b"s",
        b"01",
        b"t",
        b"",
        b"u",
        b"+1",
        b"v",
        &long,
    ];
    let packed = packed_of(&texts);
    let hex: String = packed.to_listpack().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, format!("{FROM_REDIS}{}42ff", "78".repeat(64)));
    let mut buffer = [0; 21];
    for (element, text) in packed.iter().zip(texts) {
        assert_eq!(element.text(&mut buffer), text);
        assert_eq!(element.len_text(), text.len());
        assert!(element.eq_bytes(text));
    }
}

#[test]
fn widths_of_length_and_back_length_are_those_of_redis() {
    // Text length, the first bytes of its entry, the last: as DUMP of Redis 8.0 has them.
    let cases: [(usize, &[u8], &[u8]); 8] = [
        (125, b"\xe0\x7d", b"\x7f"),
        (126, b"\xe0\x7e", b"\x01\x80"),
        (127, b"\xe0\x7f", b"\x01\x81"),
        (4095, b"\xef\xff", b"\x20\x81"),
        (4096, b"\xf0\x00\x10\x00\x00", b"\x20\x85"),
        (16377, b"\xf0\xf9\x3f\x00\x00", b"\x7f\xfe"),
        (16378, b"\xf0\xfa\x3f\x00\x00", b"\x00\xff\xff"),
        (16379, b"\xf0\xfb\x3f\x00\x00", b"\x01\x80\x80"),
    ];
    for (len, first, last) in cases {
        let text = vec![b'x'; len];
        let packed = packed_of(&[&text]);
        let entry = packed.entries();
        assert!(entry.starts_with(first) && entry.ends_with(last), "{len}");
        assert_eq!(entry.len(), first.len() + len + last.len());
        assert!(packed.iter_back().eq([Element::Bytes(&text)]));
    }
}

#[test]
fn only_canonical_integers_are_integers() {
    for text in ["0", "7", "-1", "10", "9223372036854775807", "-9223372036854775808"] {
        let value = parse_int(text.as_bytes()).expect(text);
        assert_eq!(value.to_string(), text);
    }
    let others = [
        "",
        "-",
        "-0",
        "00",
        "01",
        "-01",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "a",
        "1a",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "100000000000000000000000",
    ];
    for text in others {
        assert_eq!(parse_int(text.as_bytes()), None, "{text}");
    }
}

/// Everything that can be asked, against the model.
fn compare(packed: &Packed, model: &[Vec<u8>]) {
    assert_eq!(check(&packed.to_listpack()), Ok(model.len()));
    assert_eq!(packed.len(), model.len());
    assert_eq!(packed.is_empty(), model.is_empty());
    assert!(packed.iter().map(|e| e.to_vec()).eq(model.iter().cloned()));
    assert!(packed.iter_back().map(|e| e.to_vec()).eq(model.iter().rev().cloned()));
    let len = model.len() as isize;
    for index in -len - 1..=len {
        let expected = if index < 0 { index + len } else { index };
        let expected = usize::try_from(expected).ok().and_then(|i| model.get(i));
        assert_eq!(packed.get(index).map(|e| e.to_vec()).as_ref(), expected);
    }
    let mut place = packed.first();
    for text in model {
        let here = place.expect("as many places as elements");
        assert!(packed.at(here).eq_bytes(text));
        place = packed.next(here);
        if let Some(next) = place {
            assert_eq!(packed.prev(next), Some(here));
        } else {
            assert_eq!(packed.last(), Some(here));
        }
    }
    assert_eq!(place, None);
}

fn change(packed: &mut Packed, model: &mut Vec<Vec<u8>>, random: &mut impl FnMut() -> u64) {
    let longest = if random().is_multiple_of(50) { 20000 } else { 200 };
    let text = some_text(random, longest);
    let kind = below(random, 10);
    if kind < 2 || model.is_empty() {
        packed.push_back(&text);
        return model.push(text);
    }
    let index = below(random, model.len());
    let place = packed.seek(index as isize).expect("below the length");
    match kind {
        2 => {
            packed.push_front(&text);
            model.insert(0, text);
        }
        3 => {
            let new = packed.insert_elements_before(place, &[Element::from_text(&text)]);
            assert!(packed.at(new).eq_bytes(&text));
            model.insert(index, text);
        }
        4..=6 => {
            packed.replace(place, &text);
            model[index] = text;
        }
        7 => {
            let pair = [Element::from_text(&text), Element::Int(7)];
            packed.insert_elements_before(place, &pair);
            model.splice(index..index, [text, b"7".to_vec()]);
        }
        8 => {
            let count = 1 + below(random, 3);
            let next = packed.remove(place, count);
            model.drain(index..(index + count).min(model.len()));
            assert_eq!(next.is_some(), index < model.len());
        }
        _ => {
            let count = below(random, 6);
            let removed = packed.delete_range(index as isize - model.len() as isize, count);
            let end = (index + count).min(model.len());
            assert_eq!(removed, end - index);
            model.drain(index..end);
        }
    }
}

#[test]
fn behaves_as_a_vector() {
    for seed in 1..=8 {
        let mut random = splitmix(seed);
        let mut packed = Packed::new();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for step in 0..1500 {
            change(&mut packed, &mut model, &mut random);
            assert_eq!(check(&packed.to_listpack()), Ok(model.len()));
            if step % 16 == 0 {
                compare(&packed, &model);
                compare(&packed.clone(), &model);
            }
            if model.len() > 60 {
                packed.delete_range(0, 40);
                model.drain(..40);
            }
        }
    }
}

#[test]
fn find_looks_at_every_so_many_elements() {
    for seed in 1..=4 {
        let mut random = splitmix(seed);
        let texts: Vec<Vec<u8>> = (0..200).map(|_| some_text(&mut random, 5000)).collect();
        let mut builder = Builder::new();
        texts.iter().for_each(|text| builder.push(text));
        assert_eq!(builder.len(), 200);
        let size = builder.bytes();
        let packed = builder.finish();
        assert_eq!(packed.bytes(), size);
        compare(&packed, &texts);
        for _ in 0..600 {
            let needle = match random() % 3 {
                0 => some_text(&mut random, 100),
                _ => texts[below(&mut random, 200)].clone(),
            };
            let (start, skip) = (below(&mut random, 200), below(&mut random, 4));
            let place = packed.seek(start as isize).expect("below the length");
            let expected = (start..200).step_by(skip + 1).find(|&i| texts[i] == needle);
            let expected = expected.and_then(|i| packed.seek(i as isize));
            assert_eq!(packed.find(&needle, place, skip), expected);
        }
    }
}

#[test]
fn integers_and_several_elements_are_added_at_the_end() {
    let mut packed = packed_of(&[b"a", b"1"]);
    packed.push_elements(&[Element::Int(i64::MIN)]);
    packed.push_elements(&[Element::Bytes(b"z"), Element::Int(0)]);
    let expected: [&[u8]; 5] = [b"a", b"1", b"-9223372036854775808", b"z", b"0"];
    compare(&packed, &expected.map(<[u8]>::to_vec));
}

#[test]
fn the_count_is_unknown_from_65535_on_and_known_again_below() {
    let mut packed = Packed::new();
    for i in 0..65534 {
        packed.push_elements(&[Element::Int(i % 100)]);
    }
    assert_eq!(packed.stored_count(), 65534);
    packed.push_back(b"1");
    packed.push_back(b"2");
    assert_eq!(packed.stored_count(), COUNT_UNKNOWN);
    assert_eq!(packed.len(), 65536);
    assert_eq!(check(&packed.to_listpack()), Ok(65536));
    assert_eq!(packed.delete_range(10, 2), 2);
    assert_eq!(packed.stored_count(), 65534);
    assert_eq!(packed.len(), 65534);
}

#[test]
fn room_is_bounded() {
    let packed = packed_of(&[b"a"]);
    assert!(packed.has_room_for(2, 1000));
    assert!(!packed.has_room_for(1, MAX_BYTES));
    assert!(!packed.has_room_for(usize::MAX, 1));
    assert!(!packed.has_room_for(1, usize::MAX));
}

/// Walks what was taken for sound in every way: no panic, and both directions agree.
fn walk(bytes: &[u8]) {
    if let Ok(packed) = Packed::from_bytes(bytes) {
        let forward: Vec<_> = packed.iter().collect();
        let mut backward: Vec<_> = packed.iter_back().collect();
        backward.reverse();
        assert_eq!(forward, backward);
        assert_eq!(forward.len(), packed.len());
        if let Some(first) = packed.first() {
            packed.find(b"nothing", first, 1);
            packed.find(b"12345", first, 0);
        }
    }
}

#[test]
fn damaged_bytes_are_refused_or_harmless() {
    let long = vec![b'y'; 5000];
    let middle = vec![b'z'; 100];
    let packed = packed_of(&[b"a", b"1", b"-3000", b"40000", b"-70000", b"5000000000", b"17179869184", &middle, &long, b"", b"end"]);
    let sound = &packed.to_listpack()[..];
    assert_eq!(Packed::from_bytes(sound).expect("sound").to_listpack(), sound);
    for cut in 0..sound.len() {
        assert!(Packed::from_bytes(&sound[..cut]).is_err());
    }
    for bit in 0..sound.len() * 8 {
        let mut bytes = sound.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        walk(&bytes);
    }
    let mut random = splitmix(99);
    for _ in 0..20000 {
        // Random entries behind a header that is right about the length.
        let len = 7 + below(&mut random, 24);
        let mut bytes: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        bytes[4..6].copy_from_slice(&[0xFF; 2]);
        bytes[len - 1] = END;
        walk(&bytes);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let cases: [(&[u8], Error); 8] = [
        (b"", Error::Length),
        (b"\x07\0\0\0\0\0", Error::Length),
        (b"\x08\0\0\0\0\0\xff", Error::Length),
        (b"\x07\0\0\0\0\0\0", Error::End),
        (b"\x07\0\0\0\x01\0\xff", Error::Count),
        (b"\x08\0\0\0\x01\0\x05\xff", Error::Entry),
        (b"\x09\0\0\0\x01\0\xf5\x01\xff", Error::Entry),
        (b"\x09\0\0\0\x01\0\x05\x02\xff", Error::Entry),
    ];
    for (bytes, error) in cases {
        assert_eq!(Packed::from_bytes(bytes).err(), Some(error));
    }
}

#[test]
fn nothing_beyond_the_size_class_is_held() {
    let mut packed = Packed::new();
    assert_eq!(packed.allocated(), 8);
    for i in 0..100 {
        packed.push_elements(&[Element::Int(i)]);
        // the end mark is made when somebody wants to see it
        assert_eq!(packed.allocated(), class_size(packed.bytes() - 1));
    }
    packed.delete_range(0, 100);
    assert_eq!((packed.bytes(), packed.allocated()), (7, 8));
}
