//! Random requests, made from the syntax in the commands' own rows.
//!
//! A command that somebody adds is played from the next run on. Only whole groups are let in, so that what
//! would end the server, replace its data or make replies uncountable (SHUTDOWN, REPLICAOF, SUBSCRIBE)
//! stays out; lists, blocking and expiry are drawn more often than their share.

use ruddle::base::random::Random;
use ruddle::server::registry::Registry;
use ruddle::server::syntax::{self, Argument, ArgumentType};

use super::{chance, pick};

/// A request's words.
pub type Words = Vec<Vec<u8>>;

struct Shape {
    name: String,
    group: &'static str,
    arguments: Vec<Argument>,
}

/// The commands that may be drawn, each as often as it is listed.
pub struct Grammar {
    shapes: Vec<Shape>,
    drawn: Vec<usize>,
}

/// Groups that are played, and how much more than others.
const GROUPS: &[(&str, usize)] = &[
    ("list", 4),
    ("generic", 2),
    ("string", 2),
    ("hash", 2),
    ("set", 1),
    ("sorted-set", 2),
    ("stream", 2),
    ("geo", 1),
    ("hyperloglog", 1),
    ("bitmap", 1),
    ("transactions", 3),
];

/// Single commands of other groups.
const ALSO: &[&str] = &[
    "ping",
    "echo",
    "select",
    "reset",
    "client|getname",
    "client|setname",
    "client|id",
    "client|unpause",
    "dbsize",
    "time",
    "swapdb",
    "publish",
];

/// Commands of played groups that are not: they reach other servers.
const NEVER: &[&str] = &["migrate"];

/// What the keys of a group are called, so that most commands meet a value of their type.
fn prefix(group: &str) -> &'static str {
    match group {
        "list" => "l",
        "hash" => "h",
        "set" => "s",
        "sorted-set" => "z",
        "stream" => "x",
        "geo" => "g",
        "hyperloglog" => "p",
        "bitmap" => "b",
        _ => "k",
    }
}

impl Grammar {
    /// The grammar of all commands there are.
    pub fn new(registry: &Registry) -> Grammar {
        let (mut shapes, mut drawn) = (Vec::new(), Vec::new());
        for (_, command) in registry.iter() {
            let name = command.full_name.clone();
            let weight = GROUPS.iter().find(|(group, _)| *group == command.row.group).map_or(0, |(_, weight)| *weight);
            let weight = if ALSO.contains(&name.as_str()) { 1 } else { weight };
            if weight == 0 || NEVER.contains(&name.as_str()) || !command.children.is_empty() {
                continue;
            }
            let waits =
                name.starts_with('b') || name.contains("expire") || ["multi", "exec", "xread", "xreadgroup"].contains(&name.as_str());
            let arguments = syntax::arguments(command.row).expect("a unit test parses every row");
            drawn.extend(std::iter::repeat_n(shapes.len(), weight * if waits { 4 } else { 1 }));
            shapes.push(Shape { name, group: command.row.group, arguments });
        }
        Grammar { shapes, drawn }
    }

    /// A request; now and then one with a word too few or too many.
    pub fn request(&self, random: &mut Random, now_ms: i64) -> Words {
        let shape = &self.shapes[pick(random, &self.drawn)];
        let mut words: Words = shape.name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        let mut speaker = Speaker { random, group: shape.group, command: &shape.name, now_ms, words: &mut words };
        speaker.all(&shape.arguments);
        if chance(random, 2) {
            words.truncate(1 + random.index(words.len()));
        } else if chance(random, 1) {
            words.push(b"extra".to_vec());
        }
        words
    }
}

struct Speaker<'a> {
    random: &'a mut Random,
    group: &'static str,
    command: &'a str,
    now_ms: i64,
    words: &'a mut Words,
}

impl Speaker<'_> {
    fn all(&mut self, arguments: &[Argument]) {
        let mut at = 0;
        while at < arguments.len() {
            let argument = &arguments[at];
            // a number of keys and the keys belong together
            if argument.name == "numkeys" && arguments.get(at + 1).is_some_and(|next| next.kind == ArgumentType::Key) {
                let count = 1 + self.random.index(2);
                let said = if chance(self.random, 3) { 0 } else { count };
                self.say(&said.to_string());
                (0..count).for_each(|_| self.value(&arguments[at + 1]));
                at += 2;
                continue;
            }
            self.argument(argument);
            at += 1;
        }
    }

    fn say(&mut self, word: &str) {
        self.words.push(word.as_bytes().to_vec());
    }

    fn argument(&mut self, argument: &Argument) {
        let always = ["BLOCK", "COUNT"].iter().any(|token| argument.token == Some(token)) && chance(self.random, 50);
        if argument.occurrence.optional && !always && chance(self.random, 70) {
            return;
        }
        let times = if argument.occurrence.multiple { 1 + self.random.index(3) } else { 1 };
        for time in 0..times {
            if let Some(token) = argument.token.filter(|_| time == 0 || argument.occurrence.multiple_token) {
                self.say(token);
            }
            match argument.kind {
                ArgumentType::PureToken => {}
                ArgumentType::OneOf => {
                    let choice = self.random.index(argument.arguments.len());
                    self.argument(&argument.arguments[choice]);
                }
                ArgumentType::Block => self.all(&argument.arguments),
                _ => self.value(argument),
            }
        }
    }

    fn value(&mut self, argument: &Argument) {
        let word = match argument.kind {
            ArgumentType::Key => self.key(),
            ArgumentType::Integer => self.integer(&argument.name),
            ArgumentType::Double => self.double(&argument.name),
            ArgumentType::Pattern => pick(self.random, &["*", "l*", "[a-k]?", "nothing"]).to_string(),
            ArgumentType::UnixTime => self.unix_time(&argument.name),
            _ => self.text(&argument.name),
        };
        self.say(&word);
    }

    fn key(&mut self) -> String {
        let prefix = match chance(self.random, 88) && self.group != "generic" {
            true => prefix(self.group),
            false => pick(self.random, &["k", "l", "h", "s", "z", "x", "g", "p", "b"]),
        };
        format!("{prefix}{}", self.random.below(4))
    }

    fn integer(&mut self, name: &str) -> String {
        if chance(self.random, 3) {
            return pick(self.random, &["-1", "9223372036854775807", "-9223372036854775808", "x"]).to_string();
        }
        match name {
            "seconds" => self.random.below(3).to_string(),
            "milliseconds" => self.random.below(900).to_string(),
            "index" | "destination-db" | "index1" | "index2" => self.random.below(3).to_string(),
            "offset" if self.command == "setbit" || self.command == "setrange" => self.random.below(3000).to_string(),
            "start" | "stop" | "end" => (self.random.below(14) as i64 - 7).to_string(),
            "value" => self.random.below(2).to_string(),
            "numreplicas" | "numlocal" => "0".to_string(),
            _ => self.random.below(12).to_string(),
        }
    }

    fn double(&mut self, name: &str) -> String {
        let choices: &[&str] = match name {
            "timeout" => &["0", "0.01", "0.1", "0.5", "1", "2", "-1", "x"],
            "longitude" | "latitude" => &["2.3522", "48.8566", "13.405", "52.52", "-0.1", "400"],
            _ => &["0", "1", "2", "-1.5", "3.25", "inf", "-inf", "1e300", "x"],
        };
        pick(self.random, choices).to_string()
    }

    fn unix_time(&mut self, name: &str) -> String {
        let at = self.now_ms + self.random.below(3000) as i64 - 300;
        if name.contains("milliseconds") { at.to_string() } else { (at / 1000).to_string() }
    }

    fn text(&mut self, name: &str) -> String {
        match name {
            "id" | "start" | "end" | "lastid" | "last-id" | "auto-id" | "min-id" if self.group == "stream" => {
                let made = format!("{}-{}", self.random.below(9), self.random.below(4));
                pick(self.random, &["0", "$", "*", ">", "-", "+", "5", made.as_str()]).to_string()
            }
            "min" | "max" => pick(self.random, &["-inf", "+inf", "0", "(1", "[a", "-", "+"]).to_string(),
            "encoding" => pick(self.random, &["u8", "i5", "i64", "u99"]).to_string(),
            "serialized-value" => "not a dump".to_string(),
            _ if chance(self.random, 3) => "v".repeat(self.random.index(700)),
            _ => pick(self.random, &["a", "b", "c", "7", "12", "3.5", "", "member", "a b"]).to_string(),
        }
    }
}
