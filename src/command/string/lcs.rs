//! LCS: the longest common subsequence of two strings, by dynamic programming.
//!
//! The table has a cell for every pair of prefixes: the length of their longest common subsequence. A walk
//! from the last cell back to the first reads off one subsequence of that length; where both ways are as
//! good it drops a byte of the second string, as Redis does, so that the same one of several is found.
//! The table's size is limited by `proto-max-bulk-len`, like that of any string.

use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Type;

#[derive(Default)]
struct Options {
    length: bool,
    matches: bool,
    match_lengths: bool,
    least: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while at < args.len() {
            match args.at(at).to_ascii_uppercase().as_slice() {
                b"IDX" => options.matches = true,
                b"LEN" => options.length = true,
                b"WITHMATCHLEN" => options.match_lengths = true,
                b"MINMATCHLEN" if at + 1 < args.len() => {
                    at += 1;
                    options.least = usize::try_from(integer(args.at(at))?).unwrap_or(0);
                }
                _ => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        if options.length && options.matches {
            return Err(Error::fixed("ERR If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }
}

pub(super) fn lcs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (a, b) = (text(ctx, args.at(1))?, text(ctx, args.at(2))?);
    if [&a, &b].into_iter().any(|t| t.kind.is_some_and(|kind| kind != Type::String)) {
        return Err(Error::fixed("ERR The specified keys must contain string values"));
    }
    let options = Options::parse(args)?;
    let table = Table::new(&a.bytes, &b.bytes, ctx.state.config.proto_max_bulk_len)?;
    if options.length {
        ctx.reply.count(table.length());
    } else if options.matches {
        reply_matches(&mut ctx.reply, &table, &options);
    } else {
        ctx.reply.bulk(&table.subsequence());
    }
    DONE
}

struct Operand {
    kind: Option<Type>,
    bytes: Vec<u8>,
}

fn text(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Operand, Error> {
    let Some(entry) = ctx.db.entry(key) else { return Ok(Operand { kind: None, bytes: Vec::new() }) };
    let bytes = entry.string().map_or(Vec::new(), |text| text.text().into_owned());
    Ok(Operand { kind: Some(entry.kind().type_of()), bytes })
}

fn reply_matches(reply: &mut Reply<'_>, table: &Table<'_>, options: &Options) {
    reply.map(2);
    reply.text("matches");
    let (mark, mut count) = (reply.mark(), 0);
    table.for_each_match(|a, b, length| {
        if length < options.least {
            return;
        }
        count += 1;
        reply.array(if options.match_lengths { 3 } else { 2 });
        for start in [a, b] {
            reply.array(2);
            reply.count(start);
            reply.count(start + length - 1);
        }
        if options.match_lengths {
            reply.count(length);
        }
    });
    reply.wrap_array(mark, count);
    reply.text("len");
    reply.count(table.length());
}

/// The lengths for all pairs of prefixes of `a` and `b`.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    cells: Vec<u32>,
}

impl<'a> Table<'a> {
    fn new(a: &'a [u8], b: &'a [u8], most_bytes: u64) -> Result<Table<'a>, Error> {
        let longest = usize::try_from(u32::MAX - 1).unwrap_or(usize::MAX);
        if a.len() >= longest || b.len() >= longest {
            return Err(Error::fixed("ERR String too long for LCS"));
        }
        let count = (a.len() as u64 + 1).checked_mul(b.len() as u64 + 1);
        let fits = count.and_then(|count| count.checked_mul(4)).is_some_and(|bytes| bytes <= most_bytes);
        let count = count.and_then(|count| usize::try_from(count).ok()).filter(|_| fits);
        let count = count.ok_or(Error::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"))?;
        let mut table = Table { a, b, cells: vec![0; count] };
        table.fill();
        Ok(table)
    }

    fn fill(&mut self) {
        let width = self.b.len() + 1;
        for (row, &byte) in self.a.iter().enumerate() {
            let (above, below) = self.cells[row * width..(row + 2) * width].split_at_mut(width);
            for (column, &other) in self.b.iter().enumerate() {
                below[column + 1] = if byte == other { above[column] + 1 } else { below[column].max(above[column + 1]) };
            }
        }
    }

    fn cell(&self, a: usize, b: usize) -> u32 {
        self.cells[a * (self.b.len() + 1) + b]
    }

    fn length(&self) -> usize {
        self.cell(self.a.len(), self.b.len()) as usize
    }

    /// Calls `visit` with the indices of each pair of bytes of the subsequence, last first.
    fn walk(&self, mut visit: impl FnMut(usize, usize)) {
        let (mut a, mut b) = (self.a.len(), self.b.len());
        while a > 0 && b > 0 {
            if self.a[a - 1] == self.b[b - 1] {
                (a, b) = (a - 1, b - 1);
                visit(a, b);
            } else if self.cell(a - 1, b) > self.cell(a, b - 1) {
                a -= 1;
            } else {
                b -= 1;
            }
        }
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length());
        self.walk(|a, _| bytes.push(self.a[a]));
        bytes.reverse();
        bytes
    }

    /// Calls `visit` with where in `a` and `b` each run of adjacent pairs starts and its length, last first.
    fn for_each_match(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let mut run: Option<(usize, usize, usize)> = None;
        self.walk(|a, b| {
            run = match run {
                Some((next_a, next_b, length)) if next_a == a + 1 && next_b == b + 1 => Some((a, b, length + 1)),
                ended => {
                    if let Some((a, b, length)) = ended {
                        visit(a, b, length);
                    }
                    Some((a, b, 1))
                }
            };
        });
        if let Some((a, b, length)) = run {
            visit(a, b, length);
        }
    }
}
