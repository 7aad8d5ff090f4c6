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
use super::payloads::{self, Payload};
use super::scripts;
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
const GROUPS: &[&str] = &["string", "generic", "list", "hash", "set", "sorted-set", "stream", "geo", "bitmap", "hyperloglog", OTHERS];

/// The last of the groups: commands of further ones, as they are listed in [`ALSO`].
const OTHERS: &str = "others";

/// Commands of other groups that are played.
const ALSO: &[&str] = &[
    "ping",
    "echo",
    "select",
    "dbsize",
    "swapdb",
    "flushdb",
    "flushall",
    "role",
    "client|setname",
    "client|getname",
    "client|setinfo",
    "client|getredir",
    "client|trackinginfo",
    "client|caching",
    "client|no-evict",
    "client|no-touch",
    "publish",
    "spublish",
    "pubsub|channels",
    "pubsub|numpat",
    "pubsub|numsub",
    "pubsub|shardchannels",
    "pubsub|shardnumsub",
    "unwatch",
    "memory|usage",
    "asking",
    "readonly",
    "readwrite",
    "acl|dryrun",
    "acl|getuser",
    "acl|list",
    "acl|users",
    "acl|whoami",
];

/// Commands that are not drawn from their rows but made elsewhere: transactions here, scripts in [`scripts`],
/// dumps in [`payloads`], digests in [`story`](super::story).
const MADE: &[&str] = &[
    "watch",
    "multi",
    "exec",
    "discard",
    "command|getkeys",
    "command|getkeysandflags",
    "restore",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
    "script|load",
    "script|exists",
    "script|flush",
    "script|kill",
    "function|load",
    "function|delete",
    "function|list",
    "function|stats",
    "function|kill",
];

/// What is not played, and why. `name|*` are all subcommands.
pub const EXCLUDED: &[(&[&str], &str)] = &[
    (&["wait", "waitaof"], "they hold the connection until other servers, or files, have followed"),
    (&["migrate", "failover", "replicaof", "slaveof", "sync", "psync", "replconf"], "they reach other servers"),
    (
        &[
            "subscribe",
            "unsubscribe",
            "psubscribe",
            "punsubscribe",
            "ssubscribe",
            "sunsubscribe",
            "monitor",
            "client|tracking",
            "client|reply",
        ],
        "what they change is what arrives unasked, or whether anything does; `tests/it` and `tests/sim` have connections for that",
    ),
    (
        &["hello", "reset", "quit", "auth", "client|kill", "client|pause", "client|unpause", "client|unblock", "shutdown"],
        "they end the connection, or the story's protocol or user",
    ),
    (
        &["client|id", "client|info", "client|list", "info", "time", "lastsave", "lolwut", "config|get", "acl|genpass", "acl|log"],
        "they tell of a server's own numbers, moments, addresses and version",
    ),
    (
        &[
            "latency|*",
            "slowlog|*",
            "commandlog|*",
            "hotkeys|*",
            "top|*",
            "memory|doctor",
            "memory|malloc-stats",
            "memory|purge",
            "memory|stats",
        ],
        "they tell how long, or how large, something was in a server of its own kind",
    ),
    (
        &["config|set", "config|resetstat", "config|rewrite", "bgsave", "save", "bgrewriteaof", "acl|load", "acl|save"],
        "settings decide a story, files are no replies: `tests/it` and the suite of Redis play them",
    ),
    (
        &["command", "command|count", "command|docs", "command|info", "command|list", "acl|cat"],
        "they tell of all commands, of which servers have different ones; `make compatibility` compares them row by row",
    ),
    (&["cluster|*"], "a cluster wants several servers; `tests/it` plays them"),
    (&["module|*"], "there are no modules; Redis 8 lists one that it brings"),
    (&["acl|setuser", "acl|deluser"], "what users may do, `tests/it` plays"),
    (&["function|dump", "function|restore", "function|flush", "restore-asking"], "`tests/it` plays them"),
    (&["script|show"], "Valkey's alone; `tests/it` plays it"),
    (
        &[
            "object|help",
            "xinfo|help",
            "xgroup|help",
            "acl|help",
            "client|help",
            "command|help",
            "config|help",
            "function|help",
            "memory|help",
            "pubsub|help",
            "script|help",
        ],
        "help texts are our own words",
    ),
    (&["script|debug"], "what follows are the words of a debugger, and the connection ends with it: tests/it/debugger.rs"),
    (&["pfdebug"], "shows how registers are laid out in memory"),
    (&["pfselftest"], "takes seconds"),
    (&["debug"], "but for its digests, which stand among the requests"),
];

/// Whether a command is among the [`EXCLUDED`].
fn is_excluded(name: &str) -> bool {
    let within = |pattern: &str| pattern == name || pattern.strip_suffix('*').is_some_and(|container| name.starts_with(container));
    EXCLUDED.iter().any(|(names, _)| names.iter().any(|pattern| within(pattern)))
}

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
    ("dump", 2),
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
    payloads: Vec<Payload>,
}

impl Grammar {
    /// The grammar of what both servers have.
    pub fn new(registry: &Registry, documented: &Documented, payloads: Vec<Payload>) -> Grammar {
        let mut grammar = Grammar { shapes: Vec::new(), drawn: vec![Vec::new(); GROUPS.len()], payloads };
        for (_, command) in registry.iter() {
            let name = command.full_name.as_str();
            let group = if ALSO.contains(&name) { OTHERS } else { command.row.group };
            let (Some(group), Some(tokens)) = (GROUPS.iter().position(|known| *known == group), documented.get(name)) else { continue };
            if is_excluded(name) || MADE.contains(&name) || !command.children.is_empty() {
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
            3 => Unit::one(self.script(random, taste, focus)),
            4 if chance(random, 40) => Unit::one(payloads::restore(random, taste, &self.payloads)),
            _ => sort_unit(self.request(random, taste, focus, false)),
        }
    }

    /// A script: one that carries a request, or a program about keys of the groups in focus.
    fn script(&self, random: &mut Random, taste: &Taste, focus: &Focus) -> Words {
        match chance(random, 60) {
            true => {
                let carried = self.request(random, taste, focus, true);
                scripts::carry(random, &carried)
            }
            false => {
                let group = pick(random, &focus.0);
                scripts::program(random, taste, group)
            }
        }
    }

    /// Commands that wait are played in transactions only, where they do not.
    fn transaction(&self, random: &mut Random, taste: &Taste, focus: &Focus) -> Unit {
        let mut requests = Vec::new();
        if chance(random, 30) {
            let mut watch = vec![b"WATCH".to_vec()];
            for _ in 0..1 + random.index(3) {
                let group = pick(random, &focus.0);
                watch.push(taste.key(random, group));
            }
            let write = self.request(random, taste, focus, false);
            // BITFIELD that makes or lengthens a key and then fails to write: Redis tells no watcher (nor replica)
            let silent = write.iter().any(|word| word.eq_ignore_ascii_case(b"fail"));
            requests.extend([watch].into_iter().chain((!silent).then_some(write)));
        }
        requests.push(vec![b"MULTI".to_vec()]);
        for _ in 0..random.index(8) {
            requests.push(match random.below(15) {
                0 => self.script(random, taste, focus),
                _ => self.request(random, taste, focus, true),
            });
        }
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;
    use crate::scripts;
    use crate::words::Numbers;

    fn tokens(arguments: &[Argument], found: &mut HashSet<String>) {
        for argument in arguments {
            found.extend(argument.token.map(str::to_ascii_uppercase));
            tokens(&argument.arguments, found);
        }
    }

    /// As if the other server had all that we have.
    fn everything(registry: &Registry) -> Documented {
        let documented = registry.iter().map(|(_, command)| {
            let mut found = HashSet::new();
            tokens(&syntax::arguments(command.row).expect("a unit test parses every row"), &mut found);
            (command.full_name.clone(), found)
        });
        documented.collect()
    }

    /// Every request of some phases, and what scripts carry, by the command's full name.
    fn said(registry: &Registry, grammar: &Grammar) -> HashMap<String, HashSet<String>> {
        let mut random = Random::from_seed(1);
        let mut said: HashMap<String, HashSet<String>> = HashMap::new();
        let mut note = |words: &Words| {
            let second = words.get(1).map(Vec::as_slice);
            if let Some(id) = registry.resolve(&words[0], second) {
                let upper = words.iter().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
                said.entry(registry.get(id).full_name.clone()).or_default().extend(upper);
            }
        };
        for _ in 0..60 {
            let (taste, focus) = (Taste::new(&mut random, Numbers::All), Focus::new(&mut random));
            for _ in 0..2_500 {
                for words in grammar.unit(&mut random, &taste, &focus).requests() {
                    note(words);
                    scripts::carried(words).iter().for_each(&mut note);
                }
            }
        }
        said
    }

    #[test]
    fn every_row_is_said_with_all_its_options_or_has_a_reason_not_to_be() {
        let registry = ruddle::command::registry();
        let documented = everything(&registry);
        let payload = Payload::new("string", b"a dump");
        let said = said(&registry, &Grammar::new(&registry, &documented, vec![payload]));
        let mut wrong = BTreeSet::new();
        for (_, command) in registry.iter() {
            let name = &command.full_name;
            match (said.get(name), is_excluded(name), command.children.is_empty()) {
                (None, false, true) => drop(wrong.insert(format!("{name} is never said, and `EXCLUDED` does not say why"))),
                (Some(_), true, _) => drop(wrong.insert(format!("{name} is said, though `EXCLUDED` says that it is not"))),
                (Some(words), false, _) if !MADE.contains(&name.as_str()) => {
                    let mut never: Vec<_> = documented[name].iter().filter(|token| !words.contains(*token)).collect();
                    never.retain(|token| !token.is_empty() && !NEVER.contains(&(name.as_str(), token.as_str())));
                    if !never.is_empty() {
                        wrong.insert(format!("{name} is never said with {never:?}"));
                    }
                }
                _ => {}
            }
        }
        for (names, _) in EXCLUDED {
            for name in names.iter().filter(|name| !name.ends_with('*') && !documented.contains_key(**name)) {
                wrong.insert(format!("{name} is excluded, but there is no such command"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Options that are not said, and why.
    const NEVER: &[(&str, &str)] = &[
        // the clock would make the ID
        ("xadd", "*"),
        // which of the places within reach COUNT ANY leaves, nobody says, and here they are stored
        ("geosearchstore", "ANY"),
    ];
}
