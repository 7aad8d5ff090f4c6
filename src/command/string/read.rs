//! GET, GETRANGE (and SUBSTR, its old name) and STRLEN.

use std::ops::Range;

use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};

pub(super) fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match ctx.db.read_string(args.at(1))? {
        Some(value) => ctx.reply.string(value),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn strlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let length = ctx.db.read_string(args.at(1))?.map_or(0, |value| value.len());
    ctx.reply.count(length);
    DONE
}

pub(super) fn getrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (integer(args.at(2))?, integer(args.at(3))?);
    match ctx.db.read_text(args.at(1))? {
        Some(text) => ctx.reply.bulk(&text[range(start, end, text.len())]),
        None => ctx.reply.bulk(b""),
    }
    DONE
}

/// The bytes from `start` to `end`, both included, of a text of `length` bytes. Negative positions count
/// from the end; those outside are moved to the nearest byte, so a range before the text is its first byte.
fn range(start: i64, end: i64, length: usize) -> Range<usize> {
    if length == 0 || start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let place = |position: i64| {
        let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
        if position < 0 { length.saturating_sub(distance) } else { distance }
    };
    let (first, last) = (place(start), place(end).min(length - 1));
    if first > last { 0..0 } else { first..last + 1 }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn positions_outside_are_moved_in() {
        for (start, end, bytes) in [
            (0, 3, 0..4),
            (0, -1, 0..11),
            (-4, -1, 7..11),
            (5, 3, 0..0),
            (5, 5000, 5..11),
            (-5000, 10000, 0..11),
            (0, -100, 0..1),
            (1, -100, 0..0),
            (-1, -100, 0..0),
            (-100, -99, 0..1),
            (-100, -101, 0..0),
            (11, 20, 0..0),
            (i64::MIN, i64::MAX, 0..11),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(range(start, end, 11), bytes, "{start} to {end}");
        }
        assert_eq!(range(0, -1, 0), 0..0);
    }
}
