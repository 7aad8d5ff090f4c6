//! Glob patterns, matched the way Redis matches them, oddities included.
//!
//! The grammar: `*` any run, `?` any one byte, `[...]` a class (`^` first negates it, `a-z` is a
//! range whose ends may come in either order), `\` takes the next byte literally. What the manual
//! does not say and clients nevertheless see:
//!
//! - an unterminated class ends where the pattern ends;
//! - `[a-]` is an unterminated class holding the range from `a` to `]`;
//! - bytes are compared as signed in ranges, so 0x80 sorts before `a`;
//! - an escaped byte within a class keeps its case even when case is ignored;
//! - an empty text is matched by the empty pattern only, not by `*`;
//! - a pattern with more than [`MAX_STARS`] inner stars matches nothing it cannot decide earlier.
//!
//! Invariant: every pattern element other than `*` eats exactly one byte of text. So when a
//! segment between two stars has found its leftmost place, an earlier star never has to be tried
//! again: only the last star is remembered, nothing recurses, and the time is bounded by pattern
//! length times text length. The road not taken is one call for each star, which needs a depth
//! limit to protect the stack and a flag threaded through all calls to avoid exponential time.

/// Whether upper and lower case ASCII letters are the same letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Bytes must be equal: keys, members, channels.
    Sensitive,
    /// ASCII letters match in either case: names of directives and commands.
    Ignored,
}

/// The number of stars that may be followed by something else in one pattern.
pub const MAX_STARS: usize = 1000;

/// Does the whole of `text` match `pattern`?
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let mut rest_pattern = pattern;
    let mut rest_text = text;
    // What follows the last star, and the text from where that was last tried.
    let mut last_star: Option<(&[u8], &[u8])> = None;
    let mut stars = 0;

    while let Some(&byte) = rest_text.first() {
        if rest_pattern.first() == Some(&b'*') {
            rest_pattern = skip_stars(rest_pattern);
            if rest_pattern.is_empty() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            last_star = Some((rest_pattern, rest_text));
            continue;
        }
        match match_one(rest_pattern, byte, case) {
            Some(after) => {
                rest_pattern = after;
                rest_text = &rest_text[1..];
            }
            None => {
                let Some((after_star, tried)) = last_star else {
                    return false;
                };
                rest_pattern = after_star;
                rest_text = &tried[1..];
                last_star = Some((after_star, rest_text));
            }
        }
    }
    // Stars may be left over at the end of a text, but an empty text has never met one.
    rest_pattern.is_empty() || !text.is_empty() && skip_stars(rest_pattern).is_empty()
}

/// Is `pattern` free of anything special, so that it can only match itself?
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

fn skip_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    &pattern[stars..]
}

/// Matches the first element of `pattern`, which is no star, against one byte of text.
/// Returns the pattern after that element, or `None` when the byte does not match.
fn match_one(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    match *pattern {
        [] => None,
        [b'?', ref after @ ..] => Some(after),
        [b'[', ref inside @ ..] => match_class(inside, byte, case),
        [b'\\', escaped, ref after @ ..] => equal(escaped, byte, case).then_some(after),
        [literal, ref after @ ..] => equal(literal, byte, case).then_some(after),
    }
}

/// Matches the class whose inside (after `[`) starts at `inside`.
fn match_class(inside: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (negated, mut rest) = match inside {
        [b'^', after @ ..] => (true, after),
        _ => (false, inside),
    };
    let mut found = false;
    let after = loop {
        match *rest {
            [] => break rest,
            [b'\\', escaped, ref after @ ..] => {
                found |= escaped == byte;
                rest = after;
            }
            [b']', ref after @ ..] => break after,
            [start, b'-', end, ref after @ ..] => {
                found |= in_range(start, end, byte, case);
                rest = after;
            }
            [member, ref after @ ..] => {
                found |= equal(member, byte, case);
                rest = after;
            }
        }
    };
    (found != negated).then_some(after)
}

/// The ends are put in order before their case is folded, as Redis does it.
fn in_range(start: u8, end: u8, byte: u8, case: Case) -> bool {
    let signed = |byte: u8| i8::from_ne_bytes([byte]);
    let (low, high) = if signed(start) <= signed(end) { (start, end) } else { (end, start) };
    let (low, high, byte) = (fold(low, case), fold(high, case), fold(byte, case));
    (signed(low)..=signed(high)).contains(&signed(byte))
}

fn equal(left: u8, right: u8, case: Case) -> bool {
    fold(left, case) == fold(right, case)
}

fn fold(byte: u8, case: Case) -> u8 {
    match case {
        Case::Sensitive => byte,
        Case::Ignored => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
        assert_eq!(found, expected, "{pattern:?} against {text:?}");
    }

    fn check_ignoring_case(pattern: &str, text: &str, expected: bool) {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Ignored);
        assert_eq!(found, expected, "{pattern:?} against {text:?}");
    }

    #[test]
    fn plain_bytes_match_themselves() {
        check("", "", true);
        check("", "a", false);
        check("a", "", false);
        check("abc", "abc", true);
        check("abc", "abd", false);
        check("abc", "abcd", false);
        check("abcd", "abc", false);
        check("a\\*c", "a*c", true);
        check("a\\*c", "abc", false);
        check("ab\\", "ab\\", true);
        check("]", "]", true);
    }

    #[test]
    fn stars_and_question_marks() {
        check("h?llo", "hello", true);
        check("h?llo", "hllo", false);
        check("h*llo", "hllo", true);
        check("h*llo", "heeeello", true);
        check("*", "a", true);
        check("*", "", false);
        check("**", "", false);
        check("a**", "a", true);
        check("a*?", "a", false);
        check("a**b***", "aXb", true);
        check("*a*b*c*", "xxaxxbxxcxx", true);
        check("*a*b*c*", "xxaxxcxxbxx", false);
        check("*abc", "ababc", true);
        check("*aab", "aaaab", true);
        check("*\\*", "a*", true);
    }

    #[test]
    fn classes() {
        check("[abc]", "b", true);
        check("[abc]", "d", false);
        check("[^abc]", "d", true);
        check("[^abc]", "a", false);
        check("[a^]", "^", true);
        check("[a-c]x", "bx", true);
        check("[c-a]x", "bx", true);
        check("[a-c]", "d", false);
        check("[\\]]", "]", true);
        check("[\\a-c]", "-", true);
        check("[]", "a", false);
        check("[]a]", "a", false);
        check("[^]", "a", true);
        check("h[^e]llo", "hallo", true);
    }

    #[test]
    fn a_class_without_an_end_ends_with_the_pattern() {
        check("[", "a", false);
        check("[ab", "b", true);
        check("[ab", "bb", false);
        check("[^", "a", true);
        check("[^a", "a", false);
        check("[\\", "\\", true);
        check("[a-", "-", true);
        // A range from `a` to `]`, in which `^` lies.
        check("[a-]", "^", true);
        check("[a-]", "-", false);
        check("[a-]b", "b", true);
    }

    #[test]
    fn ranges_compare_signed_bytes() {
        assert!(matches(b"[\x80-a]", b"\x00", Case::Sensitive));
        assert!(matches(b"[a-\x80]", b"\xff", Case::Sensitive));
        assert!(!matches(b"[a-\x80]", b"b", Case::Sensitive));
    }

    #[test]
    fn case_can_be_ignored() {
        check_ignoring_case("MAX*", "maxmemory", true);
        check_ignoring_case("m[A-B]x", "max", true);
        check_ignoring_case("[Z-a]", "b", false);
        check_ignoring_case("\\MAX", "max", true);
        // An escaped byte within a class keeps its case.
        check_ignoring_case("[\\M]ax", "max", false);
        check_ignoring_case("[M]ax", "max", true);
        check("MAX", "max", false);
    }

    #[test]
    fn abusive_patterns_are_quick_and_end_at_the_limit() {
        let text = vec![b'a'; 5000];
        let stars = |count: usize, end: &str| [b"*a".repeat(count), end.as_bytes().to_vec()].concat();
        assert!(matches(&stars(MAX_STARS, ""), &text, Case::Sensitive));
        assert!(matches(&stars(MAX_STARS, "*"), &text, Case::Sensitive));
        assert!(!matches(&stars(MAX_STARS + 1, ""), &text, Case::Sensitive));
        assert!(!matches(&stars(500_000, ""), &text, Case::Sensitive));
        assert!(!matches(&stars(30, "b"), &text, Case::Sensitive));
        assert!(!matches(&b"*?".repeat(500_000), &text, Case::Sensitive));
        assert!(matches(&[b'*'; 1_000_000], &text, Case::Sensitive));
        assert!(!matches(&[b'['; 1_000_000], &text, Case::Sensitive));
    }

    #[test]
    fn literal_patterns_are_known() {
        assert!(is_literal(b"user:1]-^"));
        for pattern in ["a*", "a?", "[a", "a\\"] {
            assert!(!is_literal(pattern.as_bytes()));
        }
    }
}
