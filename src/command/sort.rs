//! SORT and SORT_RO: the elements of a list, set or sorted set, ordered by themselves or by other keys.
//!
//! The elements are copied out, given a weight each, sorted, and written as a reply or a new list. The
//! copy cannot be avoided: what BY and GET look up are other keys of the same database, and a lookup may
//! remove a key.
//!
//! Text is compared by bytes, where Redis asks the locale of its process: the order of a stored list
//! must not depend on the machine's settings. Sorting turns a small sorted set into a large one, because it
//! does so in Redis and shows: in the encoding, in the digits of ZSCAN, in what a negative offset leaves.

use std::cmp::Ordering;
use std::ops::Range;

use crate::ds::deque::{Deque, Fill};
use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::{BeginSearch, Command, FindKeys, Flags, KeySpec, OW_UPDATE, RO_ACCESS};
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::zset::Zset;
use crate::types::{Stored, Type};

const LOOKED_UP: KeySpec = KeySpec {
    flags: RO_ACCESS,
    notes: "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
};
const STORED: KeySpec = KeySpec {
    flags: OW_UPDATE,
    notes: "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
};
const COMPLEXITY: &str =
    "O(N+M*log(N)), N being the number of elements and M the number of elements returned; O(N) if they are not sorted.";
const ACL: &[&str] = &["set", "sortedset", "list", "dangerous"];

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sort",
        summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
        complexity: COMPLEXITY,
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        acl: ACL,
        keys: &[KeySpec::one(1, RO_ACCESS), LOOKED_UP, STORED],
        find_keys: Some(sorted_and_stored),
        syntax: "key [BY by-pattern:pattern/pattern#1] [LIMIT {limit: offset:integer count:integer}] [GET get-pattern:pattern/pattern#1...+GET] [order: ASC | DESC] [sorting=ALPHA] [STORE destination:key#2]",
        handler: sort,
        ..Command::BASE
    },
    Command {
        name: "sort_ro",
        summary: "Returns the sorted elements of a list, a set, or a sorted set.",
        since: "7.0.0",
        complexity: COMPLEXITY,
        arity: -2,
        flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
        acl: ACL,
        keys: &[KeySpec::one(1, RO_ACCESS), LOOKED_UP],
        find_keys: Some(|_| vec![(1, RO_ACCESS)]),
        syntax: "key [BY by-pattern:pattern/pattern#1] [LIMIT {limit: offset:integer count:integer}] [GET get-pattern:pattern/pattern#1...+GET] [order: ASC | DESC] [sorting=ALPHA]",
        handler: sort_ro,
        ..Command::BASE
    },
];

/// The key that is sorted, and the last one that STORE names.
fn sorted_and_stored(args: Args<'_>) -> Vec<(usize, &'static [&'static str])> {
    let (mut stored, mut at) = (None, 2);
    while at < args.len() {
        let values = match args.at(at).to_ascii_uppercase().as_slice() {
            b"LIMIT" => 2,
            b"GET" | b"BY" => 1,
            b"STORE" => {
                stored = Some(at + 1).filter(|&key| key < args.len()).or(stored);
                1
            }
            _ => 0,
        };
        at += 1 + values;
    }
    std::iter::once((1, RO_ACCESS)).chain(stored.map(|key| (key, OW_UPDATE))).collect()
}

/// What was asked for.
struct Request<'a> {
    key: &'a [u8],
    /// The weights' pattern; without it the elements weigh themselves.
    by: Option<Pattern<'a>>,
    /// Whether the elements stay in the order they have.
    unsorted: bool,
    alpha: bool,
    descending: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
    get: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
}

/// What BY and GET look up for an element.
enum Pattern<'a> {
    /// `#`: the element.
    Itself,
    /// A pattern without `*`: nothing.
    Nothing,
    /// A key whose name contains the element, or a field of it.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Pattern::Itself;
        }
        let Some(star) = text.iter().position(|&b| b == b'*') else { return Pattern::Nothing };
        let (before, after) = (&text[..star], &text[star + 1..]);
        match after.windows(2).position(|arrow| arrow == b"->") {
            Some(arrow) if arrow + 2 < after.len() => Pattern::Key { before, after: &after[..arrow], field: Some(&after[arrow + 2..]) },
            _ => Pattern::Key { before, after, field: None },
        }
    }

    /// What there is for an element.
    fn look_up(&self, ctx: &mut Ctx<'_>, element: &[u8]) -> Option<Vec<u8>> {
        match *self {
            Pattern::Itself => Some(element.to_vec()),
            Pattern::Nothing => None,
            Pattern::Key { before, after, field } => {
                let key = [before, element, after].concat();
                let Some(field) = field else { return ctx.db.read_text(&key).ok()?.map(|text| text.into_owned()) };
                let horizon = ctx.db.horizon();
                let hash = ctx.db.read::<Hash>(&key).ok()??;
                hash.get(field, horizon).map(|value| value.text().into_owned())
            }
        }
    }
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, may_store: bool, sees_all: bool) -> Result<Self, Error> {
        let mut request = Request {
            key: args.at(1),
            by: None,
            unsorted: false,
            alpha: false,
            descending: false,
            offset: 0,
            count: -1,
            get: Vec::new(),
            store: None,
        };
        let mut at = 2;
        while at < args.len() {
            let next = args.get(at + 1);
            if args.is(at, "asc") {
                request.descending = false;
            } else if args.is(at, "desc") {
                request.descending = true;
            } else if args.is(at, "alpha") {
                request.alpha = true;
            } else if args.is(at, "limit") && at + 2 < args.len() {
                request.offset = integer(args.at(at + 1))?;
                request.count = integer(args.at(at + 2))?;
                at += 2;
            } else if let (true, true, Some(key)) = (may_store, args.is(at, "store"), next) {
                request.store = Some(key);
                at += 1;
            } else if let (true, Some(pattern)) = (args.is(at, "by"), next) {
                if pattern.contains(&b'*') && !sees_all {
                    return Err(Error::fixed("ERR BY option of SORT denied due to insufficient ACL permissions."));
                }
                request.unsorted |= !pattern.contains(&b'*');
                request.by = Some(Pattern::parse(pattern));
                at += 1;
            } else if let (true, Some(pattern)) = (args.is(at, "get"), next) {
                if !sees_all {
                    return Err(Error::fixed("ERR GET option of SORT denied due to insufficient ACL permissions."));
                }
                request.get.push(Pattern::parse(pattern));
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(request)
    }

    /// The part of `len` elements that LIMIT leaves.
    fn limits(&self, len: usize) -> Range<usize> {
        let clamp = |value: i64| usize::try_from(value).unwrap_or(0).min(len);
        let start = clamp(self.offset);
        let count = if self.count < 0 { len } else { clamp(self.count) };
        start..start.saturating_add(count).min(len)
    }
}

/// Whether the user may read whatever BY and GET look up: which keys these are nobody knows beforehand.
fn sees_all(ctx: &Ctx<'_>, args: Args<'_>) -> bool {
    ctx.state.may_read_all_keys(ctx.client, ctx.command, args)
}

fn sort(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(args, true, sees_all(ctx, args))?;
    run(ctx, request)
}

fn sort_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(args, false, sees_all(ctx, args))?;
    run(ctx, request)
}

fn run(ctx: &mut Ctx<'_>, mut request: Request<'_>) -> Outcome {
    let found = ctx.db.type_of(request.key);
    // the order of a set means nothing, but one that is stored, or that a script goes by, is to be the same everywhere
    if request.unsorted && found == Some(Type::Set) && (request.store.is_some() || ctx.state.scripts.running) {
        request.unsorted = false;
        request.alpha = true;
        request.by = None;
    }
    let mut elements = load(ctx, &request)?;
    if !request.unsorted {
        elements = sorted(ctx, &request, elements)?;
    }
    match request.store {
        None => reply(ctx, &request, elements),
        Some(target) => store(ctx, &request, elements, target),
    }
    DONE
}

/// The elements, those alone that LIMIT leaves if they are not to be sorted.
fn load(ctx: &mut Ctx<'_>, request: &Request<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if ctx.db.type_of(request.key) == Some(Type::Zset) {
        let hasher = ctx.db.space().hasher();
        ctx.db.write::<Zset>(request.key)?.expect("its type was just seen").enlarge(hasher);
    }
    let Some(entry) = ctx.db.entry(request.key) else { return Ok(Vec::new()) };
    let wanted = |len: usize| if request.unsorted { request.limits(len) } else { 0..len };
    let backwards = request.unsorted && request.descending;
    if let Some(list) = entry.view::<List>() {
        let range = wanted(list.len());
        return Ok(if backwards {
            list.iter_back().skip(range.start).take(range.len()).map(|element| element.to_vec()).collect()
        } else {
            list.iter_from(range.start).take(range.len()).map(|element| element.to_vec()).collect()
        });
    }
    if let Some(set) = entry.view::<Set>() {
        let range = wanted(set.len());
        return Ok(set.iter().skip(range.start).take(range.len()).map(|member| member.to_vec()).collect());
    }
    if let Some(zset) = entry.view::<Zset>() {
        let range = wanted(zset.len());
        let walk = if backwards { zset.range_back(zset.len() - range.end..zset.len() - range.start) } else { zset.range(range) };
        return Ok(walk.map(|(element, _)| element.to_vec()).collect());
    }
    Err(Error::WRONG_TYPE)
}

/// An element on its way through the sort.
struct Weighed {
    element: Vec<u8>,
    number: f64,
    text: Option<Vec<u8>>,
}

/// Sorts the elements and leaves those that LIMIT leaves.
fn sorted(ctx: &mut Ctx<'_>, request: &Request<'_>, elements: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Error> {
    const NO_NUMBER: Error = Error::fixed("ERR One or more scores can't be converted into double");
    let mut all_numbers = true;
    let mut weigh = |element: Vec<u8>| {
        let (mut number, mut text) = (0.0, None);
        if let Some(by) = &request.by {
            text = by.look_up(ctx, &element);
        }
        if !request.alpha {
            let weight = if request.by.is_some() { text.as_deref() } else { Some(element.as_slice()) };
            match weight.map_or(Some(0.0), parse_weight) {
                Some(value) => number = value,
                None => all_numbers = false,
            }
            text = None;
        }
        Weighed { element, number, text }
    };
    let mut weighed: Vec<Weighed> = elements.into_iter().map(&mut weigh).collect();
    if !all_numbers {
        return Err(NO_NUMBER);
    }
    weighed.sort_by(|a, b| {
        let order = match (request.alpha, &request.by) {
            (false, _) => a.number.partial_cmp(&b.number).unwrap_or(Ordering::Equal).then_with(|| a.element.cmp(&b.element)),
            (true, None) => a.element.cmp(&b.element),
            (true, Some(_)) => a.text.cmp(&b.text),
        };
        if request.descending { order.reverse() } else { order }
    });
    let range = request.limits(weighed.len());
    Ok(weighed.drain(range).map(|weighed| weighed.element).collect())
}

/// A weight as a number. As in Redis an empty one is 0, and what follows a zero byte does not count.
fn parse_weight(text: &[u8]) -> Option<f64> {
    let text = text.split(|&b| b == 0).next().unwrap_or(text);
    if text.is_empty() {
        return Some(0.0);
    }
    str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| !value.is_nan())
}

/// Shows `visit` everything the result consists of, in order; `None` for what GET did not find.
fn produce(ctx: &mut Ctx<'_>, request: &Request<'_>, elements: Vec<Vec<u8>>, mut visit: impl FnMut(&mut Ctx<'_>, Option<&[u8]>)) {
    for element in elements {
        if request.get.is_empty() {
            visit(ctx, Some(&element));
        }
        for pattern in &request.get {
            let value = pattern.look_up(ctx, &element);
            visit(ctx, value.as_deref());
        }
    }
}

fn reply(ctx: &mut Ctx<'_>, request: &Request<'_>, elements: Vec<Vec<u8>>) {
    ctx.reply.array(elements.len() * request.get.len().max(1));
    produce(ctx, request, elements, |ctx, value| ctx.reply.bulk_or_null(value));
}

/// Stores the result as a list; what GET did not find is an empty string there.
fn store(ctx: &mut Ctx<'_>, request: &Request<'_>, elements: Vec<Vec<u8>>, target: &[u8]) {
    let fill = Fill::from_directive(i64::from(ctx.state.config.list_max_listpack_size));
    // as in Redis, which shows in the encoding
    let mut list = Deque::new_large();
    produce(ctx, request, elements, |_, value| list.push_back(value.unwrap_or_default(), fill));
    list.settle_after_load(fill);
    let len = list.len();
    if len > 0 {
        ctx.db.set_value(target, List::from(list), Ttl::Clear, &[Event::list("sortstore")]);
        // the store itself counted one change
        ctx.db.space().dirty += len as u64 - 1;
    } else {
        ctx.db.remove(target, Event::generic("del"));
    }
    ctx.reply.count(len);
}
