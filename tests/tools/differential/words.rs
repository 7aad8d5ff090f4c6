//! The words of random requests: keys, members, numbers, each in the taste of a phase.
//!
//! Words are drawn so that commands meet: few keys, members from one pool, and a leaning to the edges where
//! mistakes live. What would make a server allocate or reply without end (a random draw of two thousand million members) is
//! not said; everything else is, however wrong.

use ruddle::base::random::Random;
use ruddle::server::syntax::{Argument, ArgumentType};

use super::link::Words;

/// How keys are called, by the type that most of their commands are for.
pub const KEYS: &[&str] = &["k", "l", "h", "s", "z", "x", "g", "p", "b"];

/// Sorted sets whose members all have one score: what a lexicographic range of others is, nobody says.
/// They are called `y`, and only ZADD with that score writes to them.
const LEX: &str = "lex";

/// The key of a string, or of nothing.
const NO_ZSET: &str = "no sorted set";

/// One of several.
pub fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.index(choices.len())]
}

/// True `percent` times of a hundred.
pub fn chance(random: &mut Random, percent: u64) -> bool {
    random.below(100) < percent
}

/// Which numbers with a fraction are said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// All.
    All,
    /// Those that every server reads, and writes with the same digits: 7.0 writes a score with 17 of them, so that even digests
    /// of data differ; Valkey reads no number in base sixteen.
    Plain,
}

/// What a phase is like.
pub struct Taste {
    /// Keys of each type.
    pub keys: u64,
    /// Members, fields and values that there are.
    pool: u64,
    /// What members look like.
    look: Look,
    /// Most times that an argument is repeated.
    repeat: usize,
    /// Percentage of numbers at an edge.
    edges: u64,
    numbers: Numbers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Integers,
    Texts,
    Long,
    Mixed,
}

impl Taste {
    /// A taste by chance.
    pub fn new(random: &mut Random, numbers: Numbers) -> Taste {
        Taste {
            keys: 1 + random.below(4),
            pool: pick(random, &[3, 10, 10, 40, 200, 700]),
            look: pick(random, &[Look::Integers, Look::Texts, Look::Mixed, Look::Mixed, Look::Mixed, Look::Long]),
            repeat: pick(random, &[2, 3, 3, 20, 60]),
            edges: pick(random, &[0, 2, 5, 12]),
            numbers,
        }
    }

    /// Whether only what servers of all versions can stand is said.
    pub fn is_plain(&self) -> bool {
        self.numbers == Numbers::Plain
    }

    /// A key, mostly one of the group's type.
    pub fn key(&self, random: &mut Random, group: &str) -> Vec<u8> {
        let own = match group {
            "list" => "l",
            "hash" => "h",
            "set" => "s",
            "sorted-set" => "z",
            "stream" => "x",
            "geo" => "g",
            "hyperloglog" => "p",
            "bitmap" => pick(random, &["b", "b", "b", "k"]),
            "string" => pick(random, &["k", "k", "k", "k", "b", "p"]),
            NO_ZSET => return pick(random, &["e", "none"]).as_bytes().to_vec(),
            LEX => return format!("y{}", random.below(self.keys)).into_bytes(),
            _ => "",
        };
        let prefix = if own.is_empty() || chance(random, 3) { pick(random, KEYS) } else { own };
        match random.below(400) {
            0 => Vec::new(),
            1 => b"\x00key\r\n\xff".to_vec(),
            _ => format!("{prefix}{}", random.below(self.keys)).into_bytes(),
        }
    }

    /// A member, field, element or value.
    pub fn member(&self, random: &mut Random) -> Vec<u8> {
        let index = random.below(self.pool);
        let look = match self.look {
            Look::Mixed => pick(random, &[Look::Integers, Look::Integers, Look::Texts, Look::Texts, Look::Long, Look::Mixed]),
            look => look,
        };
        match look {
            Look::Integers => integer_member(index),
            Look::Texts => format!("m{index}").into_bytes(),
            Look::Long => format!("{index}{}", "long".repeat(usize::try_from(2 + index % 17).expect("few"))).into_bytes(),
            Look::Mixed => odd_member(index),
        }
    }

    /// A number, now and then one at an edge.
    pub fn number(&self, random: &mut Random) -> Vec<u8> {
        if chance(random, self.edges) { self.edge(random).into() } else { self.ordinary(random).into_bytes() }
    }

    fn edge(&self, random: &mut Random) -> &'static str {
        pick(random, if self.numbers == Numbers::All { DOUBLE_EDGES } else { PLAIN_EDGES })
    }

    fn ordinary(&self, random: &mut Random) -> String {
        match self.numbers {
            Numbers::All => number(random),
            Numbers::Plain => (random.below(4_000) as f64 / 4.0 - 100.0).to_string(),
        }
    }
}

/// A number that is no edge.
fn number(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("{}.{}", random.below(10), random.below(100)),
        1 => format!("-{}", random.below(30)),
        2 => format!("{}e{}", random.below(100), random.below(20)),
        3 => (random.unit() * 1000.0).to_string(),
        _ => random.below(12).to_string(),
    }
}

/// Integers of all widths; most are small.
fn integer_member(index: u64) -> Vec<u8> {
    let small = i64::try_from(index).expect("a small pool");
    let value = match index % 23 {
        17 => small * 1_000,
        18 => -small,
        19 => small * 10_000_000,
        20 => small.wrapping_mul(1_000_000_007_000),
        21 => i64::MAX - small,
        22 => i64::MIN + small,
        _ => small,
    };
    value.to_string().into_bytes()
}

/// What is nearly a number, not text, or nothing.
fn odd_member(index: u64) -> Vec<u8> {
    let byte = u8::try_from(index % 256).expect("reduced");
    match index % 9 {
        0 => Vec::new(),
        1 => vec![byte, 0, 255, b'\r', b'\n', byte],
        2 => format!("0{index}").into_bytes(),
        3 => format!("{index}.5").into_bytes(),
        4 => format!("-{index}").into_bytes(),
        5 => format!(" {index}").into_bytes(),
        6 => vec![byte; usize::from(byte) / 2],
        7 => format!("{index}e3").into_bytes(),
        _ => b"9223372036854775808".to_vec(),
    }
}

const INTEGER_EDGES: &[&str] = &[
    "0",
    "-1",
    "1",
    "-2",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "4294967296",
    "2147483648",
    "-2147483649",
    "4611686018427387904",
    "9223372036854775806",
    "-9223372036854775807",
    "1e3",
    "1.0",
    " 1",
    "+1",
    "01",
    "-0",
    "",
    "x",
    "nan",
];
/// Not `1`: nothing may expire while a story is played.
const DEADLINE_EDGES: &[&str] = &["0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", "1.0", "01"];
const DOUBLE_EDGES: &[&str] = &[
    "inf",
    "-inf",
    "nan",
    "+inf",
    "Infinity",
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "5e-324",
    "1e-320",
    "0x10",
    "-0.0",
    "-0",
    "3.0000000000000004",
    "0.1",
    "1e400",
    "",
    " 1",
    "1 ",
    "x",
    "9007199254740993",
    "1e17",
    "123456789012345678",
    "1e21",
    "0.30000000000000004",
];
const PATTERNS: &[&str] = &["*", "*", "k*", "?0", "[a-h]*", "m1*", "*1*", "h[^0]", "\\*", "", "[", "nothing", "**1"];
/// Of [`Numbers::Plain`].
const PLAIN_EDGES: &[&str] = &["inf", "-inf", "nan", "+inf", "-0.5", "0", "", " 1", "1 ", "x", "4503599627370496", "1e3"];
const LOOKUPS: &[&str] = &["k*", "b*", "h*->m1", "h*->1", "h*->", "nosort", "#", "*", "k0", "l*"];

/// Says the words of one request.
pub struct Speaker<'a> {
    random: &'a mut Random,
    taste: &'a Taste,
    command: &'a str,
    group: &'a str,
    words: &'a mut Words,
    may_block: bool,
    /// Keys that were announced by the last number of keys.
    announced: usize,
    /// By what a range of a sorted set is meant: index, score or lexicographically.
    range: Range,
    /// Whether the sorted set is one whose members have one score.
    lex: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Range {
    Index,
    Score,
    Lex,
}

impl<'a> Speaker<'a> {
    /// For a request that begins with the words there are.
    pub fn new(
        random: &'a mut Random,
        taste: &'a Taste,
        command: &'a str,
        group: &'a str,
        words: &'a mut Words,
        may_block: bool,
    ) -> Speaker<'a> {
        let range = match command {
            "zrange" | "zrangestore" => pick(random, &[Range::Index, Range::Score, Range::Lex]),
            name if name.contains("bylex") || name == "zlexcount" => Range::Lex,
            name if name.contains("byscore") || name == "zcount" => Range::Score,
            _ => Range::Index,
        };
        let often = match command {
            "zadd" => 15,
            "zrem" | "zcard" | "zscore" | "zpopmin" | "zpopmax" | "zremrangebyrank" | "zscan" | "zrank" | "zrange" => 6,
            _ => 0,
        };
        let lex = range == Range::Lex || chance(random, often);
        Speaker { random, taste, command, group, words, may_block, announced: 1, range, lex }
    }

    fn say(&mut self, word: impl AsRef<[u8]>) {
        self.words.push(word.as_ref().to_vec());
    }

    /// Whether a token has been said, in capitals or not.
    fn said(&self, token: &str) -> bool {
        self.words.iter().any(|word| word.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Says all of the arguments, options sometimes in another order.
    pub fn all(&mut self, arguments: &[Argument]) {
        let mut order: Vec<&Argument> = arguments.iter().collect();
        let option =
            |argument: &&Argument| argument.occurrence.optional && !matches!(argument.kind, ArgumentType::String | ArgumentType::Key);
        let first = order.iter().position(option).unwrap_or(order.len());
        let count = order[first..].iter().take_while(|argument| option(argument)).count();
        if count > 1 && chance(self.random, 20) {
            let (a, b) = (self.random.index(count), self.random.index(count));
            order.swap(first + a, first + b);
        }
        let mut at = 0;
        while at < order.len() {
            let next = order.get(at + 1).filter(|next| next.occurrence.multiple);
            match (order[at].name.as_str(), next) {
                ("numkeys" | "numids" | "numfields", Some(list)) => {
                    self.counted(list);
                    at += 2;
                }
                ("key", Some(ids)) if ids.name == "id" && order[at].occurrence.multiple => {
                    self.keys_and_ids(order[at], ids);
                    at += 2;
                }
                _ => {
                    self.argument(order[at]);
                    at += 1;
                }
            }
        }
    }

    /// A number and as many of what it counts.
    fn counted(&mut self, list: &Argument) {
        let most = if list.kind == ArgumentType::Key { 4 } else { self.taste.repeat };
        let count = 1 + self.random.index(most);
        let said = match self.random.below(60) {
            0 => self.integer_edge(),
            1 => (count + 1).to_string(),
            _ => count.to_string(),
        };
        self.say(said);
        self.announced = count;
        (0..count).for_each(|_| self.once(list));
    }

    fn keys_and_ids(&mut self, keys: &Argument, ids: &Argument) {
        let count = 1 + self.random.index(2);
        (0..count).for_each(|_| self.once(keys));
        (0..count).for_each(|_| self.once(ids));
    }

    fn wants(&mut self, argument: &Argument) -> bool {
        let token = argument.token.unwrap_or_default();
        match token {
            "BLOCK" if !self.may_block => false,
            "COUNT" if self.command == "spop" => true,
            _ if self.command == "spop" => true,
            _ if argument.name == "sortby" => {
                let meant = self.range != Range::Index;
                if self.lex || chance(self.random, 95) { meant } else { !meant }
            }
            _ if argument.name == "range" || argument.name == "options" => chance(self.random, 70),
            _ => chance(self.random, 35),
        }
    }

    fn argument(&mut self, argument: &Argument) {
        if argument.occurrence.optional && !self.wants(argument) {
            return;
        }
        // BY makes elements equal, and in which order they are then stored is each server's own affair
        if self.command == "sort" && argument.token == Some("STORE") && self.said("BY") {
            return;
        }
        // nor does anyone say which of the places at one distance COUNT leaves
        let (storing, counting) = (["STORE", "STOREDIST"], self.said("COUNT"));
        if self.command == "geosearchstore" && argument.name == "count-block"
            || counting && self.group == "geo" && argument.name == "store"
            || self.group == "geo" && argument.name == "count-block" && storing.iter().any(|token| self.said(token))
        {
            return;
        }
        let times = match (argument.occurrence.multiple, argument.name.as_str()) {
            (false, _) => 1,
            (true, "weight") if chance(self.random, 95) => self.announced,
            (true, _) if argument.kind == ArgumentType::Key => 1 + self.random.index(3),
            (true, "get-pattern") => 1 + self.random.index(2),
            (true, _) => 1 + self.random.index(self.taste.repeat),
        };
        for time in 0..times {
            if let Some(token) = argument.token.filter(|_| time == 0 || argument.occurrence.multiple_token) {
                if chance(self.random, 4) { self.say(token.to_ascii_lowercase()) } else { self.say(token) }
            }
            self.once(argument);
        }
    }

    fn once(&mut self, argument: &Argument) {
        match argument.kind {
            ArgumentType::PureToken => {}
            ArgumentType::OneOf if argument.name == "sortby" => {
                let meant = usize::from(self.range == Range::Lex);
                self.argument(&argument.arguments[meant]);
            }
            ArgumentType::OneOf => {
                // an ID of the server's own making is a moment
                let choices: Vec<&Argument> = argument.arguments.iter().filter(|choice| choice.name != "auto-id").collect();
                let choice = self.random.index(choices.len());
                self.argument(choices[choice]);
            }
            ArgumentType::Block => self.all(&argument.arguments),
            ArgumentType::Key => {
                let group = self.key_group();
                let key = self.taste.key(self.random, group);
                self.say(key);
            }
            ArgumentType::Pattern => {
                let patterns = if self.command.starts_with("sort") { LOOKUPS } else { PATTERNS };
                let pattern = pick(self.random, patterns);
                self.say(pattern);
            }
            ArgumentType::Integer => {
                let word = self.integer(&argument.name);
                self.say(word);
            }
            ArgumentType::Double => {
                let word = self.double(&argument.name);
                self.say(word);
            }
            ArgumentType::UnixTime => {
                let word = self.unix_time(&argument.name);
                self.say(word);
            }
            ArgumentType::String => {
                let word = self.text(&argument.name);
                self.say(word);
            }
        }
    }

    /// SORT takes what has elements; sets join in where sorted sets are combined.
    fn key_group(&mut self) -> &'static str {
        match self.command {
            "zrangestore" if self.lex && self.words.len() > 1 => LEX,
            "zrangestore" => "sorted-set",
            _ if self.lex && chance(self.random, 97) => LEX,
            _ if self.lex => NO_ZSET,
            "sort" | "sort_ro" => match self.random.below(3) {
                _ if self.said("STORE") => "generic",
                0 => "sorted-set",
                1 => "list",
                _ => "set",
            },
            "zunion" | "zinter" | "zdiff" | "zunionstore" | "zinterstore" | "zdiffstore" | "zintercard" if chance(self.random, 20) => "set",
            _ => match self.group {
                "list" => "list",
                "hash" => "hash",
                "set" => "set",
                "sorted-set" => "sorted-set",
                "stream" => "stream",
                "geo" => "geo",
                "hyperloglog" => "hyperloglog",
                "bitmap" => "bitmap",
                "string" => "string",
                _ => "generic",
            },
        }
    }

    fn integer_edge(&mut self) -> String {
        pick(self.random, INTEGER_EDGES).to_string()
    }

    fn integer(&mut self, name: &str) -> String {
        if let Some(word) = self.bounded_integer(name) {
            return word;
        }
        let relative = ["seconds", "milliseconds"].contains(&name) && !self.command.starts_with("xread");
        if chance(self.random, self.taste.edges) {
            return if relative { pick(self.random, DEADLINE_EDGES).to_string() } else { self.integer_edge() };
        }
        let signed = |random: &mut Random, most: u64| (random.below(2 * most + 1) as i64 - most as i64).to_string();
        match name {
            // far away and hardly ever twice the same, so that no comparison of deadlines hangs on a millisecond
            _ if relative => match self.random.below(20) {
                0 => pick(self.random, &["0", "-1"]).to_string(),
                _ => (1_000_000 + 1_000 * self.random.below(8_000_000)).to_string(),
            },
            "index" | "destination-db" | "db" | "index1" | "index2" => pick(self.random, &["0", "0", "0", "1"]).to_string(),
            "offset" if self.group == "bitmap" || self.group == "string" => self.random.below(2_500).to_string(),
            "start" | "stop" | "end" if self.group == "bitmap" => signed(self.random, 300),
            "start" | "stop" | "end" | "index/n" => signed(self.random, 2 + self.taste.pool / 4),
            "bit" => self.random.below(2).to_string(),
            "value" | "increment" | "decrement" if self.group == "bitmap" => match self.random.below(4) {
                0 => signed(self.random, 1 << 40),
                1 => self.random.below(2).to_string(),
                _ => signed(self.random, 300),
            },
            "value" => self.random.below(2).to_string(),
            "rank" => signed(self.random, 4),
            "limit" => self.random.below(12).to_string(),
            _ => match self.random.below(4) {
                0 => signed(self.random, 10),
                1 => self.random.below(1_000).to_string(),
                _ => self.random.below(12).to_string(),
            },
        }
    }

    /// Numbers that must not be anything: replies would have no end, or the clock would decide.
    fn bounded_integer(&mut self, name: &str) -> Option<String> {
        let words: &[&str] = match (self.command, name) {
            // the other server takes the index for one of 32 bits
            ("lset", "index") => {
                &["0", "0", "1", "2", "5", "-1", "-2", "-7", "100", "2147483647", "-2147483648", "x", "9223372036854775808"]
            }
            ("spop", _) => &["1000000", "1000000", "0", "-1", "x", "9223372036854775807"],
            ("srandmember" | "hrandfield" | "zrandmember", _) => {
                &["0", "1", "3", "10", "1000000", "-1", "-3", "-20", "-9223372036854775808", "9223372036854775807", "x"]
            }
            ("scan" | "sscan" | "hscan" | "zscan", "cursor") => &["0", "0", "0", "0", "0", "0", "5", "-1", "x", "18446744073709551615"],
            ("scan" | "sscan" | "hscan" | "zscan", _) => &["1", "10", "1000000", "1000000", "1000000", "0", "-1", "x"],
            // counters of entries stop at their end, where the other server's start again below zero
            (_, "entriesread" | "entries-added") => &["0", "1", "5", "30", "-1", "-2", "x", "9223372036854775808"],
            ("xautoclaim", "count") => &["1", "2", "10", "100", "0", "-1", "x", "9223372036854775807"],
            ("xclaim" | "xautoclaim" | "xpending", "min-idle-time" | "ms") => &["0", "0", "0", "100000000", "-1", "x", "4000000000000"],
            _ => return None,
        };
        Some(pick(self.random, words).to_string())
    }

    fn double(&mut self, name: &str) -> String {
        if !self.lex && chance(self.random, self.taste.edges) {
            return self.taste.edge(self.random).to_string();
        }
        let place = |random: &mut Random, from: i64, to: i64| {
            format!("{}.{}", from + random.below((to - from).unsigned_abs()) as i64, random.below(1_000_000))
        };
        match name {
            "timeout" => pick(self.random, &["0", "0.01", "1", "-1", "x"]).to_string(),
            "longitude" if chance(self.random, 95) => match chance(self.random, 50) {
                true => place(self.random, 10, 16),
                false => place(self.random, -179, 179),
            },
            "latitude" if chance(self.random, 95) => match chance(self.random, 50) {
                true => place(self.random, 45, 50),
                false => place(self.random, -85, 85),
            },
            "longitude" | "latitude" => pick(self.random, &["180", "-180", "85.05112878", "-85.05112878", "90", "0", "400"]).to_string(),
            "radius" | "width" | "height" => {
                pick(self.random, &["0", "1", "200", "500.5", "3000", "100000", "10000000", "30000000", "-1"]).to_string()
            }
            "min" | "max" => self.score_bound(),
            _ if self.lex => "0".to_string(),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> String {
        self.taste.ordinary(self.random)
    }

    fn score_bound(&mut self) -> String {
        let number = match self.random.below(4) {
            0 => pick(self.random, &["-inf", "+inf", "inf"]).to_string(),
            _ => self.number(),
        };
        if chance(self.random, 25) { format!("({number}") } else { number }
    }

    fn lex_bound(&mut self) -> Vec<u8> {
        match self.random.below(10) {
            0 | 1 => b"-".to_vec(),
            2 | 3 => b"+".to_vec(),
            4 => pick(self.random, &["", "x", "[", "(", "-inf"]).as_bytes().to_vec(),
            _ => [pick(self.random, &["[", "("]).as_bytes(), &self.taste.member(self.random)].concat(),
        }
    }

    /// Absolute deadlines: far enough that nothing expires while a story lasts, now and then long past.
    fn unix_time(&mut self, name: &str) -> String {
        // SET with a deadline long past leaves the key to be found expired, here at once and there later
        let past = self.command != "set" && self.command != "msetex";
        if past && chance(self.random, self.taste.edges) {
            return self.integer_edge();
        }
        let at_ms = match self.random.below(15) {
            0 if past => 1_000_000,
            _ => 4_000_000_000_000 + self.random.below(100_000_000_000),
        };
        if name.contains("milliseconds") { at_ms.to_string() } else { (at_ms / 1000).to_string() }
    }

    fn stream_id(&mut self) -> String {
        match self.random.below(24) {
            0 => "-".to_string(),
            1 => "+".to_string(),
            2 => "$".to_string(),
            3 => ">".to_string(),
            4 => pick(
                self.random,
                &["18446744073709551615-18446744073709551615", "18446744073709551615", "0-0", "1-18446744073709551615", "-1", "1-x", ""],
            )
            .to_string(),
            5 => self.random.below(200).to_string(),
            6 => format!("{}-*", self.random.below(200)),
            7 => format!("({}-{}", self.random.below(200), self.random.below(3)),
            _ => format!("{}-{}", self.random.below(200), self.random.below(4)),
        }
    }

    fn text(&mut self, name: &str) -> Vec<u8> {
        match (self.group, name) {
            ("stream", "id" | "start" | "end" | "lastid" | "last-id" | "min-id" | "max-deleted-id") => self.id(name).into_bytes(),
            ("stream", "threshold") => match chance(self.random, 50) {
                true => self.random.below(60).to_string().into_bytes(),
                false => self.stream_id().into_bytes(),
            },
            ("stream", "group") => format!("g{}", self.random.below(3)).into_bytes(),
            ("stream", "consumer") => format!("c{}", self.random.below(3)).into_bytes(),
            ("stream", "min-idle-time") => pick(self.random, &["0", "0", "0", "100000000", "-1", "x"]).as_bytes().to_vec(),
            ("sorted-set", "min" | "max" | "start" | "stop") => match self.range {
                Range::Lex => self.lex_bound(),
                Range::Score => self.score_bound().into_bytes(),
                Range::Index => self.integer("start").into_bytes(),
            },
            // a name with a zero byte is checked up to there only
            (_, "connection-name") => pick(self.random, &["name", "other", "a b", "", "a\nb", "\u{e9}"]).as_bytes().to_vec(),
            (_, "username") => pick(self.random, &["default", "default", "nobody", ""]).as_bytes().to_vec(),
            (_, "command") => {
                pick(self.random, &["get", "set", "GET", "config|set", "hset", "flushall", "nosuch", "acl"]).as_bytes().to_vec()
            }
            (_, "channel" | "shardchannel") => pick(self.random, &["news", "k0", ""]).as_bytes().to_vec(),
            (_, "libname" | "libver") => pick(self.random, &["lib", "1.2.3", "a b", "", "x\ny"]).as_bytes().to_vec(),
            (_, "encoding") => self.bit_type().into_bytes(),
            ("bitmap", "offset") => self.integer("offset").into_bytes(),
            (_, "type") => pick(self.random, &["string", "list", "set", "zset", "hash", "stream", "x"]).as_bytes().to_vec(),
            ("string", "value") if chance(self.random, 50) => self.number().into_bytes(),
            _ => self.taste.member(self.random),
        }
    }

    /// An ID; of an entry to add one that mostly is in order.
    fn id(&mut self, name: &str) -> String {
        match (self.command, name) {
            ("xadd", "id") if chance(self.random, 70) => format!("{}-*", self.random.below(20) * self.random.below(20)),
            ("xreadgroup", "id") if chance(self.random, 70) => ">".to_string(),
            ("xgroup|create" | "xgroup|setid", _) if chance(self.random, 60) => pick(self.random, &["0", "$"]).to_string(),
            ("xrange" | "xpending", "start") | ("xrevrange", "end" | "start") | ("xrange" | "xpending", "end")
                if chance(self.random, 40) =>
            {
                pick(self.random, &["-", "+"]).to_string()
            }
            _ => self.stream_id(),
        }
    }

    fn bit_type(&mut self) -> String {
        match self.random.below(12) {
            0 => pick(self.random, &["u64", "i65", "u0", "i0", "x8", "u", "u-1"]).to_string(),
            _ => format!("{}{}", pick(self.random, &["u", "i"]), 1 + self.random.below(63)),
        }
    }
}
