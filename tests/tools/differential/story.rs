//! A story: what one seed decides, from the settings of both servers to the last request.

use ruddle::base::random::Random;

use super::grammar::{Focus, Grammar};
use super::link::Words;
use super::scripts;
use super::words::{KEYS, Numbers, Taste, chance, pick};

/// Requests that belong together: one, or a transaction whole.
#[derive(Clone, Debug)]
pub struct Unit(Vec<Words>);

impl Unit {
    /// A request by itself.
    pub fn one(words: Words) -> Unit {
        Unit(vec![words])
    }

    /// Several, in order.
    pub fn of(requests: Vec<Words>) -> Unit {
        Unit(requests)
    }

    /// Its requests.
    pub fn requests(&self) -> std::slice::Iter<'_, Words> {
        self.0.iter()
    }

    /// How many requests.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Leaves one out.
    pub fn remove(&mut self, at: usize) {
        self.0.remove(at);
    }
}

/// A story.
pub struct Story {
    /// What it was made from.
    pub seed: u64,
    /// Which protocol it speaks.
    pub resp3: bool,
    /// Requests sent before it begins, whose replies do not matter.
    pub settings: Vec<Words>,
    /// Requests that are sent before their replies are read.
    pub pipeline: usize,
    /// The requests.
    pub units: Vec<Unit>,
}

/// Directives that decide encodings and layouts, each with the values that stories choose from.
const DIRECTIVES: &[(&str, &[&str])] = &[
    ("hash-max-listpack-entries", &["4", "16", "128", "512"]),
    ("hash-max-listpack-value", &["8", "64"]),
    ("list-max-listpack-size", &["-2", "-1", "4", "16", "128"]),
    ("list-compress-depth", &["0", "0", "1"]),
    ("set-max-intset-entries", &["4", "16", "512"]),
    ("set-max-listpack-entries", &["4", "16", "128"]),
    ("set-max-listpack-value", &["8", "64"]),
    ("zset-max-listpack-entries", &["4", "16", "128"]),
    ("zset-max-listpack-value", &["8", "64"]),
    ("hll-sparse-max-bytes", &["40", "300", "3000"]),
    ("stream-node-max-entries", &["3", "10", "100"]),
    ("stream-node-max-bytes", &["100", "4096"]),
];

/// Requests between two digests of all data.
const DIGEST_EVERY: usize = 400;

fn request(text: &str) -> Words {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

impl Story {
    /// The story of a seed.
    pub fn new(seed: u64, steps: usize, resp3: bool, grammar: &Grammar, numbers: Numbers) -> Story {
        let mut random = Random::from_seed(seed);
        let mut settings = vec![request("FLUSHALL")];
        settings.extend(scripts::settings());
        for (name, values) in DIRECTIVES {
            settings.push(request(&format!("CONFIG SET {name} {}", pick(&mut random, values))));
        }
        let pipeline = pick(&mut random, &[1, 10, 50, 200, 200, 500]);
        let mut units = Vec::new();
        let (mut said, mut digest_at) = (0, DIGEST_EVERY);
        while said < steps {
            let end = said + 500 + random.index(4_000);
            let (taste, focus) = (Taste::new(&mut random, numbers), Focus::new(&mut random));
            while said < end.min(steps) {
                let unit = grammar.unit(&mut random, &taste, &focus);
                said += unit.len();
                units.push(unit);
                if said >= digest_at {
                    units.push(Unit::one(request("DEBUG DIGEST")));
                    digest_at = said + DIGEST_EVERY;
                }
            }
            units.push(Unit::one(request("DEBUG DIGEST")));
            look_at_every_key(&mut random, &taste, &mut units);
        }
        Story { seed, resp3, settings, pipeline, units }
    }

    /// The directives it was given, on a line.
    pub fn directives(&self) -> String {
        let set = self.settings.iter().filter(|words| words[0] == b"CONFIG");
        set.map(|words| words[2..].iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What a digest does not show: encodings, and of streams the groups.
fn look_at_every_key(random: &mut Random, taste: &Taste, units: &mut Vec<Unit>) {
    for key in KEYS.iter().flat_map(|prefix| (0..taste.keys).map(move |index| format!("{prefix}{index}"))) {
        units.push(Unit::one(request(&format!("OBJECT ENCODING {key}"))));
        units.push(Unit::one(request(&format!("DEBUG DIGEST-VALUE {key}"))));
        units.push(Unit::one(request(&format!("PEXPIRETIME {key}"))));
        if key.starts_with('x') {
            units.push(Unit::one(request(&format!("XINFO STREAM {key} FULL COUNT 0"))));
        } else if chance(random, 10) {
            units.push(Unit::one(request(&format!("TYPE {key}"))));
        }
    }
}
