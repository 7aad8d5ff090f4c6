//! When two replies count as the same: equal bytes, or equal by a rule that says why bytes cannot be equal.
//!
//! [`LENIENT`] holds what depends on chance, on the moment or on the order of a hash table, in any two servers;
//! [`DELIBERATE`] what this server does otherwise on purpose. Everything else is a difference. The rules are tried only
//! on replies whose bytes differ, so they cost nothing where they are not needed.

use std::collections::HashSet;
use std::fmt;
use std::io;

use ruddle::base::text;
use ruddle::resp::reader::Reply;

use super::link::{Words, decode};
use super::scripts;

/// What became of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal bytes.
    Equal,
    /// Equal by a rule of [`LENIENT`].
    Lenient,
    /// Different on purpose: the command of the rule.
    Deliberate(&'static str),
    /// Different.
    Different,
}

/// How replies are compared whose bytes may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The same elements.
    AnyOrder,
    /// The same pairs.
    AnyOrderOfPairs,
    /// The same elements if both came around at once, else only the form.
    Scan,
    /// The same type and number of elements.
    Shape,
    /// Numbers no further apart than this.
    Within(i64),
    /// The same elements at every depth.
    AnyOrderWithin,
    /// Moments and waiting times no further apart than a story may take; all else equal.
    Clock,
}

impl Rule {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Rule::AnyOrder => "in any order".to_string(),
            Rule::AnyOrderOfPairs => "pairs in any order".to_string(),
            Rule::AnyOrderWithin => "in any order, at every depth".to_string(),
            Rule::Scan => "in any order if one call returned all, else by form".to_string(),
            Rule::Shape => "by type and length".to_string(),
            Rule::Within(distance) => format!("within {distance}"),
            Rule::Clock => "moments within a minute".to_string(),
        }
    }
}

/// Commands whose replies cannot be equal to the byte.
pub struct Leniency {
    /// Names; of a container with the subcommand.
    pub commands: &'static [&'static str],
    /// What must hold.
    pub rule: Rule,
    /// Why.
    pub reason: &'static str,
    /// The requests that it is for.
    when: fn(&Words) -> bool,
}

fn always(_: &Words) -> bool {
    true
}

/// SORT that leaves the order, or part of it, to how the value is stored.
fn leaves_order_open(words: &Words) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(b"by"))
}

/// Commands that answer with places.
const GEO: &[&str] = &["georadius", "georadius_ro", "georadiusbymember", "georadiusbymember_ro", "geosearch"];

/// The rules.
pub const LENIENT: &[Leniency] = &[
    Leniency {
        commands: &["smembers", "sinter", "sunion", "sdiff", "hkeys", "hvals", "keys", "spop", "pubsub channels"],
        rule: Rule::AnyOrder,
        reason: "hash tables have no order",
        when: always,
    },
    Leniency { commands: &["hgetall", "config get"], rule: Rule::AnyOrderOfPairs, reason: "hash tables have no order", when: always },
    Leniency {
        commands: &["sort", "sort_ro"],
        rule: Rule::AnyOrder,
        reason: "elements that BY makes equal, or does not sort at all, come in the order in which they are stored",
        when: leaves_order_open,
    },
    Leniency {
        commands: &["sort", "sort_ro"],
        rule: Rule::Shape,
        reason: "which of elements that BY makes equal are within LIMIT is as open as their order",
        when: |words| leaves_order_open(words) && words.iter().any(|word| word.eq_ignore_ascii_case(b"limit")),
    },
    Leniency {
        commands: &["object encoding"],
        rule: Rule::Shape,
        reason: "of a set that SUNIONSTORE and its like made: whether its fifth integer or its first text came first out of a hash table decides between `listpack` and `hashtable`",
        // the judge knows which keys those are
        when: |_| false,
    },
    Leniency {
        commands: GEO,
        rule: Rule::AnyOrder,
        reason: "COUNT sorts by distance, and members at one distance come in any order",
        when: always,
    },
    Leniency {
        commands: GEO,
        rule: Rule::Shape,
        reason: "which of the members at one distance COUNT leaves is as open as their order",
        when: |words| words.iter().any(|word| word.eq_ignore_ascii_case(b"count")),
    },
    Leniency {
        commands: &["scan", "sscan", "hscan", "zscan"],
        rule: Rule::Scan,
        reason: "a cursor is a place in a server's own hash table",
        when: always,
    },
    Leniency {
        commands: &["randomkey", "srandmember", "hrandfield", "zrandmember"],
        rule: Rule::Shape,
        reason: "drawn by chance",
        when: always,
    },
    Leniency {
        commands: &["dump"],
        rule: Rule::Shape,
        reason: "the bytes carry the version of the format; every value is restored across at a story's end",
        when: always,
    },
    Leniency { commands: &["memory usage"], rule: Rule::Shape, reason: "a value takes other memory here", when: always },
    Leniency { commands: &["function list"], rule: Rule::AnyOrderWithin, reason: "hash tables have no order", when: always },
    Leniency {
        commands: &["ttl", "httl", "expiretime", "hexpiretime", "object idletime"],
        rule: Rule::Within(60),
        reason: "counted from when the server handled an earlier request",
        when: always,
    },
    Leniency {
        commands: &["pttl", "hpttl", "pexpiretime", "hpexpiretime"],
        rule: Rule::Within(60_000),
        reason: "counted from when the server handled an earlier request",
        when: always,
    },
    Leniency {
        commands: &["xpending", "xinfo stream", "xinfo consumers"],
        rule: Rule::Clock,
        reason: "they tell when consumers were seen and entries delivered",
        when: always,
    },
];

/// A difference on purpose.
pub struct Deliberate {
    /// The command.
    pub command: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Whether it is this difference: the request, our reply, the other's.
    matches: fn(&Words, &Reply, &Reply) -> bool,
}

const COUNTS: &str =
    "a number of keys that is no plain integer is an error, as it is when the command runs; Redis reads as much of it as looks like one";

fn strange_count(words: &Words, ours: &Reply, theirs: &Reply) -> bool {
    let strange = |word: &Vec<u8>| {
        let number = ruddle::base::number::parse_i64(word);
        number.is_none_or(|number| number > i64::from(i32::MAX)) && word.iter().any(u8::is_ascii_digit)
    };
    let refused = Reply::Error(b"ERR Invalid arguments specified for command".to_vec());
    *ours == refused && *theirs != refused && words.iter().skip(3).any(strange)
}

const ZERO: &str = "ALPHA compares whole words; the C library that Redis asks stops at a zero byte, and words that are equal up to there come in any order";

fn strange_word(words: &Words, ours: &Reply, theirs: &Reply) -> bool {
    let said = |token: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(token));
    let rule = if said(b"limit") { Rule::Shape } else { Rule::AnyOrder };
    said(b"alpha") && holds(rule, words, ours, theirs) && [ours, theirs].iter().any(|reply| reply.to_string().contains("\\x00"))
}

/// What this server does otherwise on purpose.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        command: "sort_ro",
        reason: "Redis fails after another command has met a number that is too large: the variable in which C tells of errors is not reset",
        matches: |_, _, theirs| *theirs == Reply::Error(b"ERR One or more scores can't be converted into double".to_vec()),
    },
    Deliberate {
        command: "object idletime",
        reason: "values are not shared; Redis's shared small integers have been idle for longer than the server runs",
        matches: |_, ours, theirs| matches!((ours, theirs), (Reply::Integer(0..=60), Reply::Integer(61..))),
    },
    Deliberate { command: "sort", reason: ZERO, matches: strange_word },
    Deliberate { command: "sort_ro", reason: ZERO, matches: strange_word },
    Deliberate { command: "command getkeys", reason: COUNTS, matches: strange_count },
    Deliberate { command: "command getkeysandflags", reason: COUNTS, matches: strange_count },
    Deliberate {
        command: "object refcount",
        reason: "values are not shared; a small integer says 2147483647 as Redis's shared ones do, also where COPY has made Redis a value of its own, and others say 1, also where in Redis the words of a transaction share them",
        matches: |_, ours, theirs| {
            let pair = (ours.to_string(), theirs.to_string());
            [(":2147483647", ":1"), (":1", ":2")].contains(&(pair.0.as_str(), pair.1.as_str()))
        },
    },
];

/// Compares the replies of one connection, in order.
pub struct Judge {
    /// The commands that a transaction has queued.
    queued: Option<Vec<Words>>,
    /// Keys that a set was stored at which was made of others.
    combined: HashSet<Vec<u8>>,
}

impl Judge {
    /// For a new connection.
    pub fn new() -> Judge {
        Judge { queued: None, combined: HashSet::new() }
    }

    /// Compares the replies to a request.
    pub fn judge(&mut self, words: &Words, ours: &[u8], theirs: &[u8]) -> io::Result<Verdict> {
        let name = words[0].to_ascii_lowercase();
        let queued = match (name.as_slice(), ours) {
            (b"multi", b"+OK\r\n") => self.queued.replace(Vec::new()),
            (_, b"+QUEUED\r\n") => {
                if let Some(queued) = &mut self.queued {
                    queued.push(words.clone());
                }
                None
            }
            (b"exec" | b"discard" | b"reset", _) => self.queued.take(),
            _ => None,
        };
        let carried = scripts::carried(words);
        let inner = carried.as_ref().unwrap_or(words);
        if let (b"sunionstore" | b"sdiffstore" | b"sinterstore", Some(key)) = (inner[0].to_ascii_lowercase().as_slice(), inner.get(1)) {
            self.combined.insert(key.clone());
        }
        if ours == theirs {
            return Ok(Verdict::Equal);
        }
        let (ours, theirs) = (decode(ours)?, decode(theirs)?);
        Ok(match (queued, &ours, &theirs) {
            (Some(queued), Reply::Array(ours), Reply::Array(theirs)) if ours.len() == theirs.len() && ours.len() == queued.len() => {
                let verdicts = queued.iter().zip(ours.iter().zip(theirs)).map(|(words, (ours, theirs))| self.compare(words, ours, theirs));
                verdicts.max_by_key(|verdict| rank(*verdict)).unwrap_or(Verdict::Equal)
            }
            _ => self.compare(words, &ours, &theirs),
        })
    }

    fn compare(&self, words: &Words, ours: &Reply, theirs: &Reply) -> Verdict {
        if ours == theirs {
            return Verdict::Equal;
        }
        if let Some(carried) = scripts::carried(words) {
            return match self.compare(&carried, ours, theirs) {
                Verdict::Different if scripts::unordered(words) && holds(Rule::AnyOrderWithin, words, ours, theirs) => Verdict::Lenient,
                // a rule of the command's own, once the pairs of Lua's tables are in one order
                Verdict::Different if scripts::unordered(words) => match self.compare(&carried, &in_order(ours), &in_order(theirs)) {
                    Verdict::Equal => Verdict::Lenient,
                    verdict => verdict,
                },
                verdict => verdict,
            };
        }
        let name = name_of(words);
        for leniency in LENIENT.iter().filter(|leniency| leniency.commands.contains(&name.as_str()) && (leniency.when)(words)) {
            if holds(leniency.rule, words, ours, theirs) {
                return Verdict::Lenient;
            }
        }
        let packed_or_not = [ours, theirs].iter().all(|reply| ["\"listpack\"", "\"hashtable\""].contains(&reply.to_string().as_str()));
        if name == "object encoding" && packed_or_not && words.get(2).is_some_and(|key| self.combined.contains(key)) {
            return Verdict::Lenient;
        }
        let deliberate = DELIBERATE.iter().find(|rule| rule.command == name && (rule.matches)(words, ours, theirs));
        deliberate.map_or(Verdict::Different, |rule| Verdict::Deliberate(rule.command))
    }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Equal => 0,
        Verdict::Lenient => 1,
        Verdict::Deliberate(_) => 2,
        Verdict::Different => 3,
    }
}

/// The command that words call, with the subcommand of a container.
pub fn name_of(words: &Words) -> String {
    let lower = |word: &Vec<u8>| String::from_utf8_lossy(word).to_ascii_lowercase();
    let name = lower(&words[0]);
    match (name.as_str(), words.get(1)) {
        (
            "object" | "xinfo" | "xgroup" | "config" | "pubsub" | "client" | "command" | "debug" | "function" | "memory" | "acl" | "script",
            Some(second),
        ) => {
            format!("{name} {}", lower(second))
        }
        _ => name,
    }
}

fn sorted(mut elements: Vec<String>) -> Vec<String> {
    elements.sort();
    elements
}

/// The elements of an aggregate, or the pairs of a map.
fn elements(reply: &Reply, together: usize) -> Option<Vec<String>> {
    match reply {
        Reply::Array(inner) | Reply::Set(inner) => {
            Some(sorted(inner.chunks(together).map(|chunk| chunk.iter().map(Reply::to_string).collect::<Vec<_>>().join(" ")).collect()))
        }
        Reply::Map(pairs) => Some(sorted(pairs.iter().map(|(name, value)| format!("{name} {value}")).collect())),
        _ => None,
    }
}

/// The pairs of a map, sorted.
pub fn orderless_pairs(reply: &Reply) -> String {
    elements(reply, 2).map_or_else(|| reply.to_string(), |pairs| pairs.join(", "))
}

/// A reply with the elements of every aggregate sorted.
fn orderless(reply: &Reply) -> String {
    match reply {
        Reply::Array(inner) | Reply::Set(inner) => format!("({})", sorted(inner.iter().map(orderless).collect()).join(" ")),
        Reply::Map(pairs) => {
            format!("({})", sorted(pairs.iter().map(|(name, value)| format!("{name} {}", orderless(value))).collect()).join(" "))
        }
        _ => reply.to_string(),
    }
}

/// A reply whose maps are in the order of their names, and so are arrays that look like maps.
fn in_order(reply: &Reply) -> Reply {
    let by_name = |mut pairs: Vec<(Reply, Reply)>| {
        pairs.sort_by_key(|(name, _)| name.to_string());
        pairs
    };
    match reply {
        Reply::Map(pairs) => Reply::Map(by_name(pairs.iter().map(|(name, value)| (in_order(name), in_order(value))).collect())),
        Reply::Array(inner) if inner.len() % 2 == 0 && inner.iter().step_by(2).all(|name| matches!(name, Reply::Bulk(_))) => {
            let pairs = by_name(inner.chunks(2).map(|pair| (in_order(&pair[0]), in_order(&pair[1]))).collect());
            Reply::Array(pairs.into_iter().flat_map(|(name, value)| [name, value]).collect())
        }
        Reply::Array(inner) => Reply::Array(inner.iter().map(in_order).collect()),
        other => other.clone(),
    }
}

fn holds(rule: Rule, words: &Words, ours: &Reply, theirs: &Reply) -> bool {
    let same_type = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
    let same_elements =
        |together| same_type && elements(ours, together).is_some() && elements(ours, together) == elements(theirs, together);
    match rule {
        Rule::AnyOrder => same_elements(1),
        Rule::AnyOrderOfPairs => same_elements(2),
        Rule::Shape => {
            same_type
                && !matches!(ours, Reply::Error(_))
                && elements(ours, 1).map(|all| all.len()) == elements(theirs, 1).map(|all| all.len())
        }
        Rule::AnyOrderWithin => orderless(ours) == orderless(theirs),
        Rule::Within(distance) => within(ours, theirs, distance),
        Rule::Clock => same_but_clock(words, ours, theirs),
        Rule::Scan => match (ours, theirs) {
            (Reply::Array(ours), Reply::Array(theirs)) if ours.len() == 2 && theirs.len() == 2 => {
                let around = |reply: &Reply| *reply == Reply::Bulk(b"0".to_vec());
                let from_start = words.iter().skip(1).take(2).any(|word| word == b"0");
                !(from_start && around(&ours[0]) && around(&theirs[0])) || elements(&ours[1], 1) == elements(&theirs[1], 1)
            }
            _ => false,
        },
    }
}

fn within(ours: &Reply, theirs: &Reply, distance: i64) -> bool {
    match (ours, theirs) {
        // below zero are answers, not times
        (Reply::Integer(a), Reply::Integer(b)) => a == b || *a >= 0 && *b >= 0 && a.abs_diff(*b) <= distance.unsigned_abs(),
        (Reply::Array(a), Reply::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| within(a, b, distance)),
        _ => ours == theirs,
    }
}

/// Milliseconds that a story may take.
const STORY_MS: i64 = 60_000;
/// Integers above this are moments in milliseconds.
const MOMENT: i64 = 1_000_000_000_000;

fn same_but_clock(words: &Words, ours: &Reply, theirs: &Reply) -> bool {
    let waiting = |name: &Reply| matches!(name, Reply::Bulk(name) if [&b"idle"[..], b"inactive"].contains(&name.as_slice()));
    match (ours, theirs) {
        (Reply::Integer(a), Reply::Integer(b)) => a == b || *a > MOMENT && *b > MOMENT && within(ours, theirs, STORY_MS),
        (Reply::Array(a), Reply::Array(b)) => {
            let pending = words[0].eq_ignore_ascii_case(b"xpending") && a.len() == 4;
            a.len() == b.len()
                && (0..a.len()).all(|at| match at > 0 && waiting(&a[at - 1]) || pending && at == 2 {
                    true => within(&a[at], &b[at], STORY_MS),
                    false => same_but_clock(words, &a[at], &b[at]),
                })
        }
        (Reply::Map(a), Reply::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((name, a), (other, b))| {
                    name == other && if waiting(name) { within(a, b, STORY_MS) } else { same_but_clock(words, a, b) }
                })
        }
        _ => ours == theirs,
    }
}

/// Two replies that should have been one.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which request of the story.
    pub step: usize,
    /// The request.
    pub words: Words,
    /// Our reply's bytes.
    pub ours: Vec<u8>,
    /// The real server's.
    pub theirs: Vec<u8>,
}

impl Difference {
    /// The command and the kinds of replies: what is probably one cause.
    pub fn kind(&self) -> String {
        self.kind_with(usize::MAX)
    }

    /// As [`kind`](Self::kind), with only the beginning of errors.
    pub fn rough_kind(&self) -> String {
        self.kind_with(14)
    }

    fn kind_with(&self, characters: usize) -> String {
        let class = |bytes: &[u8]| match bytes.first() {
            Some(b'-') => String::from_utf8_lossy(bytes).trim_end().chars().take(characters).collect::<String>().escape_debug().to_string(),
            Some(kind) => char::from(*kind).to_string(),
            None => "nothing".to_string(),
        };
        format!("{}: {} where the other says {}", name_of(&self.words), class(&self.ours), class(&self.theirs))
    }
}

/// Characters of a reply that are shown, from shortly before where it differs.
const SHOWN: usize = 700;

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |bytes: &[u8]| decode(bytes).map_or_else(|error| error.to_string(), |reply| reply.to_string());
        let (ours, theirs) = (show(&self.ours), show(&self.theirs));
        let same = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b).count().saturating_sub(80);
        let cut = |text: &str| text.chars().skip(same).take(SHOWN).collect::<String>();
        writeln!(out, "  {}", typed(&self.words))?;
        writeln!(out, "    ours:   {}", cut(&ours))?;
        write!(out, "    theirs: {}", cut(&theirs))
    }
}

/// A request as one would type it into redis-cli.
pub fn typed(words: &Words) -> String {
    let plain = |word: &[u8]| !word.is_empty() && word.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
    let shown = words.iter().map(|word| match plain(word) {
        true => String::from_utf8_lossy(word).into_owned(),
        false => {
            let mut quoted = Vec::new();
            text::write_quoted(&mut quoted, word);
            String::from_utf8_lossy(&quoted).into_owned()
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_went_through_lua_may_differ_in_its_order_and_in_its_moments_and_in_nothing_else() {
        let words = |line: &str| {
            ["EVAL", "redis.setresp(3) return redis.call(unpack(ARGV))", "0"]
                .map(str::to_string)
                .into_iter()
                .chain(line.split(' ').map(str::to_string))
                .map(String::into_bytes)
                .collect::<Words>()
        };
        let info = words("xinfo stream x FULL");
        let map = |seen: i64, pending: i64, turned: bool| {
            let mut bytes = format!("$9\r\nseen-time\r\n:{seen}\r\n").into_bytes();
            let rest = format!("$7\r\npending\r\n:{pending}\r\n").into_bytes();
            if turned {
                bytes.splice(0..0, rest);
            } else {
                bytes.extend(rest);
            }
            [&b"*4\r\n"[..], &bytes].concat()
        };
        let verdict = |theirs: &[u8]| Judge::new().judge(&info, &map(1_795_396_669_753, 1, false), theirs).expect("replies");
        assert_eq!(verdict(&map(1_795_396_669_753, 1, false)), Verdict::Equal);
        assert_eq!(verdict(&map(1_795_396_669_754, 1, true)), Verdict::Lenient);
        assert_eq!(verdict(&map(1_795_396_669_754, 2, true)), Verdict::Different);
        assert_eq!(verdict(&map(1_795_396_799_754, 1, true)), Verdict::Different);
    }
}
