//! Random requests, made from the syntax in the commands' own rows.
//!
//! A command that somebody adds is played from the next run on, with every option of its row, as far as the
//! other server documents them too ([`Documented`]). [`EXCLUDED`] names what cannot be compared and why; [`WEIGHTS`] says what
//! is drawn more or less often than its share, so that values live long enough to grow.

use std::collections::HashSet;

use ruddle::base::random::Random;
use ruddle::server::registry::Registry;
use ruddle::server::syntax::{self, Argument, ArgumentType};

use super::link::Words;
use super::servers::Documented;
use super::story::Unit;
use super::words::{Speaker, Taste, chance, pick};

/// A command.
struct Shape {
    name: String,
    group: &'static str,
    arguments: Vec<Argument>,
    blocks: bool,
}

/// Groups that are played.
const GROUPS: &[&str] = &["string", "generic", "list", "hash", "set", "sorted-set", "stream", "geo", "bitmap", "hyperloglog"];

/// Commands of other groups that are played.
const ALSO: &[&str] = &[
    "ping",
    "echo",
    "select",
    "dbsize",
    "swapdb",
    "flushdb",
    "flushall",
    "client|setname",
    "client|getname",
    "publish",
    "watch",
    "unwatch",
];

/// Commands of played groups that are not, and why.
pub const EXCLUDED: &[(&str, &str)] = &[
    ("wait", "holds the connection until replicas answer"),
    ("waitaof", "holds the connection until files are synced"),
    ("migrate", "reaches other servers"),
    ("dump", "its bytes carry the version of the format; every value is dumped and restored across at a story's end"),
    ("restore", "every value is dumped and restored across at a story's end"),
    ("object|help", "help texts are our own words"),
    ("xinfo|help", "help texts are our own words"),
    ("xgroup|help", "help texts are our own words"),
    ("object|freq", "counts by chance"),
    ("pfdebug", "shows how registers are laid out in memory"),
    ("pfselftest", "takes seconds"),
];

/// Commands that are drawn more or less often than ten times.
const WEIGHTS: &[(&str, usize)] = &[
    ("flushall", 1),
    ("flushdb", 1),
    ("swapdb", 1),
    ("select", 2),
    ("del", 3),
    ("unlink", 3),
    ("move", 3),
    ("rename", 3),
    ("renamenx", 3),
    ("getdel", 3),
    ("spop", 2),
    ("ltrim", 3),
    ("zremrangebyscore", 3),
    ("zremrangebylex", 3),
    ("zremrangebyrank", 3),
    ("lcs", 3),
    ("keys", 3),
    ("hset", 40),
    ("hsetex", 20),
    ("hdel", 15),
    ("sadd", 60),
    ("srem", 20),
    ("zadd", 60),
    ("zincrby", 20),
    ("rpush", 40),
    ("lpush", 40),
    ("linsert", 20),
    ("lset", 20),
    ("xadd", 90),
    ("xreadgroup", 40),
    ("xgroup|create", 30),
    ("xgroup|destroy", 3),
    ("geoadd", 40),
    ("pfadd", 60),
    ("set", 30),
    ("bitfield", 20),
];

/// What a phase is about: groups, each as often as it is listed.
pub struct Focus(Vec<&'static str>);

impl Focus {
    /// All families alike, or a few of them.
    pub fn new(random: &mut Random) -> Focus {
        let mut groups = GROUPS.to_vec();
        if chance(random, 70) {
            for _ in 0..1 + random.index(2) {
                let group = pick(random, GROUPS);
                groups.extend(std::iter::repeat_n(group, 25));
            }
        }
        Focus(groups)
    }
}

/// The commands that may be drawn.
pub struct Grammar {
    shapes: Vec<Shape>,
    /// For each of [`GROUPS`] the shapes, each as often as its weight.
    drawn: Vec<Vec<usize>>,
}

impl Grammar {
    /// The grammar of what both servers have.
    pub fn new(registry: &Registry, documented: &Documented) -> Grammar {
        let mut grammar = Grammar { shapes: Vec::new(), drawn: vec![Vec::new(); GROUPS.len()] };
        for (_, command) in registry.iter() {
            let name = command.full_name.as_str();
            let group = if ALSO.contains(&name) { "generic" } else { command.row.group };
            let (Some(group), Some(tokens)) = (GROUPS.iter().position(|known| *known == group), documented.get(name)) else { continue };
            if EXCLUDED.iter().any(|(excluded, _)| *excluded == name) || !command.children.is_empty() {
                continue;
            }
            let arguments = shared(syntax::arguments(command.row).expect("a unit test parses every row"), tokens);
            let weight = WEIGHTS.iter().find(|(known, _)| *known == name).map_or(10, |(_, weight)| *weight);
            grammar.drawn[group].extend(std::iter::repeat_n(grammar.shapes.len(), weight));
            let blocks = name.starts_with('b') && arguments.iter().any(|argument| argument.name == "timeout");
            grammar.shapes.push(Shape { name: name.to_string(), group: GROUPS[group], arguments, blocks });
        }
        grammar
    }

    /// How many commands.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// A request, or a transaction.
    pub fn unit(&self, random: &mut Random, taste: &Taste, focus: &Focus) -> Unit {
        match random.below(100) {
            0 => self.transaction(random, taste, focus),
            1 => {
                let asked = pick(random, &["GETKEYS", "GETKEYSANDFLAGS"]);
                let mut words = vec![b"COMMAND".to_vec(), asked.as_bytes().to_vec()];
                words.extend(self.request(random, taste, focus, true));
                Unit::one(words)
            }
            2 if chance(random, 10) => Unit::one(vec![pick(random, &["EXEC", "DISCARD", "UNWATCH"]).as_bytes().to_vec()]),
            _ => sort_unit(self.request(random, taste, focus, false)),
        }
    }

    /// Commands that wait are played in transactions only, where they do not.
    fn transaction(&self, random: &mut Random, taste: &Taste, focus: &Focus) -> Unit {
        let mut requests = Vec::new();
        if chance(random, 30) {
            requests.push(vec![b"WATCH".to_vec(), taste.key(random, "generic")]);
            requests.push(self.request(random, taste, focus, false));
        }
        requests.push(vec![b"MULTI".to_vec()]);
        (0..random.index(8)).for_each(|_| requests.push(self.request(random, taste, focus, true)));
        requests.push(vec![if chance(random, 90) { b"EXEC".to_vec() } else { b"DISCARD".to_vec() }]);
        Unit::of(requests)
    }

    fn request(&self, random: &mut Random, taste: &Taste, focus: &Focus, may_block: bool) -> Words {
        loop {
            let group = pick(random, &focus.0);
            let group = GROUPS.iter().position(|known| *known == group).expect("it comes from there");
            if self.drawn[group].is_empty() {
                continue;
            }
            let shape = &self.shapes[pick(random, &self.drawn[group])];
            // SORT may need a word before it, see `sort_unit`
            if shape.blocks && !may_block || shape.name == "sort" && may_block {
                continue;
            }
            let mut words: Words = shape.name.split('|').map(|word| word.as_bytes().to_vec()).collect();
            let named = words.len();
            Speaker::new(random, taste, &shape.name, shape.group, &mut words, may_block).all(&shape.arguments);
            spoil(random, &shape.name, named, &mut words);
            return words;
        }
    }
}

/// Redis's SORT takes an overflow that an earlier command met while reading a number for its own: the
/// variable in which C tells of errors is not reset. INCRBYFLOAT resets it.
fn sort_unit(words: Words) -> Unit {
    let reset = ["INCRBYFLOAT", "e", "0"].map(|word| word.as_bytes().to_vec()).to_vec();
    match words[0].eq_ignore_ascii_case(b"sort") {
        true => Unit::of(vec![reset, words]),
        false => Unit::one(words),
    }
}

/// Makes a request wrong, now and then.
fn spoil(random: &mut Random, name: &str, named: usize, words: &mut Words) {
    // what draws by chance must not be left without the count that makes it draw all
    // and what makes IDs of the clock must not be told to
    if name == "spop" || name == "xadd" {
        return;
    }
    match random.below(150) {
        0 => words.truncate(named + random.index(words.len() - named + 1)),
        1 => words.push(b"extra".to_vec()),
        2 if words.len() > named => {
            let again = words[named + random.index(words.len() - named)].clone();
            words.push(again);
        }
        3 if words.len() > named => {
            let at = named + random.index(words.len() - named);
            words[at] = pick(random, &["", "x", "nan", "-", "*", "(", "COUNT", "0"]).as_bytes().to_vec();
        }
        4 => words[0] = words[0].to_ascii_uppercase(),
        _ => {}
    }
}

/// The arguments without the tokens that the other server does not have.
fn shared(arguments: Vec<Argument>, tokens: &HashSet<String>) -> Vec<Argument> {
    let known = |argument: &Argument| argument.token.is_none_or(|token| token.is_empty() || tokens.contains(&token.to_ascii_uppercase()));
    let kept = arguments.into_iter().filter(known).map(|mut argument| {
        argument.arguments = shared(argument.arguments, tokens);
        argument
    });
    kept.filter(|argument| !matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block) || !argument.arguments.is_empty()).collect()
}
