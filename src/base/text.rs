//! Text that people write and read: quoted strings, command lines, memory sizes.
//!
//! All of it is bytes in ASCII; bytes above 0x7F pass unchanged or are written as `\xHH`, never
//! taken for characters. Names of commands and options are compared with
//! [`eq_ignore_ascii_case`](slice::eq_ignore_ascii_case) of the standard library, which is what
//! Redis's comparison comes to.
//!
//! Two quoting rules meet here. [`write_quoted`] prints any bytes for MONITOR, the slow log and the
//! log; [`split_arguments`] reads inline commands and lines of the configuration file. What the
//! first prints, the second reads back. The reader knows more than the printer: single quotes, in
//! which only `\'` is special.

use std::io::Write;

use super::number::is_space;

/// What of `bytes` C takes for a string, as Redis does where it puts a client's word into an error.
pub fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The error's text as C's `strerror` has it, without Rust's number in brackets.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_string()
}

/// A quote was opened and not closed, or closed in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Appends `bytes` in double quotes, with everything unprintable escaped.
pub fn write_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        let letter = match byte {
            b'\\' | b'"' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x07 => b'a',
            0x08 => b'b',
            b' '..=b'~' => {
                out.push(byte);
                continue;
            }
            _ => {
                write!(out, "\\x{byte:02x}").expect("a vector takes all");
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out.push(b'"');
}

/// Splits a line into arguments.
///
/// Spaces separate. In double quotes the escapes of [`write_quoted`] hold, and a backslash before
/// any other byte stands for that byte; in single quotes only `\'` is an escape. A quote may open
/// within a word (`a"b c"` is one argument), but a closing quote must end it. The line ends with
/// its bytes or at the first zero byte.
///
/// # Errors
/// [`UnbalancedQuotes`].
pub fn split_arguments(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut rest = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut arguments = Vec::new();
    loop {
        rest = skip_spaces(rest);
        if rest.is_empty() {
            return Ok(arguments);
        }
        let mut argument = Vec::new();
        rest = take_argument(rest, &mut argument)?;
        arguments.push(argument);
    }
}

fn skip_spaces(line: &[u8]) -> &[u8] {
    let spaces = line.iter().take_while(|&&byte| is_space(byte)).count();
    &line[spaces..]
}

/// Reads one argument that starts here and returns what follows it.
fn take_argument<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match *rest {
            // Vertical tab and form feed separate arguments but do not end one.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', ref quoted @ ..] => return take_double_quoted(quoted, argument),
            [b'\'', ref quoted @ ..] => return take_single_quoted(quoted, argument),
            [byte, ref after @ ..] => {
                argument.push(byte);
                rest = after;
            }
        }
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        let (byte, after) = match *rest {
            [b'\\', b'x', high, low, ref after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex_value(high) << 4 | hex_value(low), after)
            }
            [b'\\', letter, ref after @ ..] => (unescape(letter), after),
            [b'"', ref after @ ..] => return end_of_argument(after),
            [byte, ref after @ ..] => (byte, after),
            [] => return Err(UnbalancedQuotes),
        };
        argument.push(byte);
        rest = after;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        let (byte, after) = match *rest {
            [b'\\', b'\'', ref after @ ..] => (b'\'', after),
            [b'\'', ref after @ ..] => return end_of_argument(after),
            [byte, ref after @ ..] => (byte, after),
            [] => return Err(UnbalancedQuotes),
        };
        argument.push(byte);
        rest = after;
    }
}

fn end_of_argument(after: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match after.first() {
        Some(&byte) if !is_space(byte) => Err(UnbalancedQuotes),
        _ => Ok(after),
    }
}

fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// Reads a number of bytes: digits and one of the units `b`, `k` (1000), `kb` (1024), `m`, `mb`,
/// `g`, `gb` in either case.
///
/// As in Redis, no digits are zero, digits beyond 64 bits are the greatest number, and the unit's
/// multiplication wraps around.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    const MAX_DIGITS: usize = 127;
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(count);
    let unit: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if count > MAX_DIGITS {
        return None;
    }
    let number = digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.wrapping_mul(unit))
}

/// Appends a number of bytes for people: `512B`, `1.50K`, `2.00G`.
pub fn write_memory(out: &mut Vec<u8>, bytes: u64) {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    // The highest set bit's group of ten tells the unit.
    let unit = bytes.checked_ilog2().map_or(0, |log| log / 10);
    let written = match usize::try_from(unit).ok().and_then(|unit| unit.checked_sub(1)) {
        Some(index) if index < UNITS.len() => {
            // Divided as doubles, as the last digit shows.
            let scaled = bytes as f64 / (1u64 << (unit * 10)) as f64;
            write!(out, "{scaled:.2}{}", UNITS[index])
        }
        _ => write!(out, "{bytes}B"),
    };
    written.expect("a vector takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn quoted(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_quoted(&mut out, bytes);
        String::from_utf8(out).expect("quoting leaves ASCII")
    }

    /// The arguments, quoted, with spaces between them; or `unbalanced`.
    fn check_split(line: &[u8], expected: &str) {
        let shown = match split_arguments(line) {
            Ok(arguments) => {
                let quoted: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
                quoted.join(" ")
            }
            Err(UnbalancedQuotes) => "unbalanced".to_owned(),
        };
        assert_eq!(shown, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn unprintable_bytes_are_escaped() {
        assert_eq!(quoted(b"plain ~"), r#""plain ~""#);
        assert_eq!(quoted(b"\\\"\n\r\t\x07\x08"), r#""\\\"\n\r\t\a\b""#);
        assert_eq!(quoted(b"\0\x0b\x1b\x7f\xff'"), r#""\x00\x0b\x1b\x7f\xff'""#);
    }

    #[test]
    fn lines_split_as_inline_commands_of_a_live_server_do() {
        check_split(b"", "");
        check_split(b"  \t ", "");
        check_split(b"set key value\r\n", r#""set" "key" "value""#);
        check_split(br#"echo "a\x41\n\q\"""#, r#""echo" "aA\nq\"""#);
        check_split(br"echo 'a\'b\n'", r#""echo" "a'b\\n""#);
        check_split(br#"echo a"b""#, r#""echo" "ab""#);
        check_split(br"a'b c'", r#""ab c""#);
        check_split(b"\x0b\x0ca \x0b b", r#""a" "b""#);
        check_split(b"a\x0bb", r#""a\x0bb""#);
        check_split(b"\"a\"\x0bb", r#""a" "b""#);
        check_split(br#""" ''"#, r#""" """#);
        check_split(br#""\x4" "\xzz" \x41"#, r#""x4" "xzz" "\\x41""#);
        check_split(br#"a\"b c""#, r#""a\\b c""#);
        check_split(br#""\XAA\b\a\t\r""#, r#""XAA\b\a\t\r""#);
        check_split(b"\"\xff\" \xfe", r#""\xff" "\xfe""#);
        check_split(b"a\0b", r#""a""#);
    }

    #[test]
    fn quotes_must_close_and_end_the_argument() {
        let lines: [&[u8]; 9] = [b"\"a", b"'a", b"\"a\\", b"\"\\", b"\"a\"b", b"'a'b", b"'\\\\'x", b"\"a\"\"b\"", b"a \""];
        for line in lines {
            check_split(line, "unbalanced");
        }
    }

    #[test]
    fn what_is_quoted_splits_back() {
        let mut random = Random::from_seed(17);
        for _ in 0..500 {
            let mut bytes = vec![0; random.index(20)];
            random.fill(&mut bytes);
            let line = quoted(&bytes);
            assert_eq!(split_arguments(line.as_bytes()), Ok(vec![bytes]));
        }
    }

    #[test]
    fn any_line_splits_or_is_refused() {
        let mut random = Random::from_seed(19);
        for _ in 0..20_000 {
            let line: Vec<u8> = (0..random.index(12)).map(|_| b"ab \"'\\x4n\t\0\xff"[random.index(12)]).collect();
            let _ = split_arguments(&line);
        }
    }

    #[test]
    fn memory_sizes_read_as_in_a_live_config_set() {
        let zeros = "0".repeat(126);
        let seven = format!("{zeros}7");
        let accepted = [
            ("0", 0),
            ("100", 100),
            ("1k", 1000),
            ("1Kb", 1024),
            ("1M", 1_000_000),
            ("1mb", 1 << 20),
            ("1g", 1_000_000_000),
            ("1GB", 1 << 30),
            ("1B", 1),
            ("", 0),
            ("gb", 0),
            ("18446744073709551615", u64::MAX),
            ("99999999999999999999", u64::MAX),
            ("99999999999gb", 15_140_462_030_378_500_096),
            (&seven, 7),
        ];
        for (text, bytes) in accepted {
            assert_eq!(parse_memory(text.as_bytes()), Some(bytes), "{text}");
        }
        let long = format!("0{seven}");
        for text in ["-1", "+1", " 1", "1 ", "1t", "1tb", "1kk", "0x10", "1.5gb", "5%", &long] {
            assert_eq!(parse_memory(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn memory_sizes_print_for_people() {
        let sizes = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1536, "1.50K"),
            (1_048_575, "1024.00K"),
            (1 << 20, "1.00M"),
            (1_234_567, "1.18M"),
            (1 << 30, "1.00G"),
            ((1 << 40) - 1, "1024.00G"),
            (1 << 40, "1.00T"),
            (1 << 50, "1.00P"),
            ((1 << 60) - 1, "1024.00P"),
            (1 << 60, "1152921504606846976B"),
            (u64::MAX, "18446744073709551615B"),
        ];
        for (bytes, expected) in sizes {
            let mut out = Vec::new();
            write_memory(&mut out, bytes);
            assert_eq!(out, expected.as_bytes(), "{bytes}");
        }
    }
}
