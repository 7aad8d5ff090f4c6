//! Several connections to each server, some of which wait: who is woken by what, and with which reply?
//!
//! A story is a row of steps: one of the connections sends one request, to both servers. A step is over when its
//! connection has its reply or waits, as CLIENT LIST tells an observer, and when every other connection that does not
//! wait any more has been read. So the order is the same on both sides, and what is compared is, step by step, who got
//! which bytes. No timeout ever passes: nobody waits for less than for ever, and CLIENT UNBLOCK stands for the clock.

use std::io;

use ruddle::base::random::Random;
use ruddle::resp::reader::Reply;

use super::compare;
use super::link::{Link, Words, encode};
use super::servers::Peer;
use super::words::{chance, pick};

/// One request of one connection.
#[derive(Clone)]
pub struct Step {
    by: usize,
    words: Words,
}

/// What connections were told in a step, and who waits after it.
#[derive(PartialEq, Eq)]
struct Heard {
    replies: Vec<(usize, Vec<u8>)>,
    waiting: Vec<bool>,
}

/// The connections to one server.
struct Crowd {
    links: Vec<Link>,
    ids: Vec<String>,
    waiting: Vec<bool>,
    observer: Link,
}

impl Crowd {
    fn new(peer: &Peer, size: usize, resp3: bool) -> io::Result<Crowd> {
        let mut observer = peer.link(false)?;
        observer.ask(&["FLUSHALL"])?;
        let mut links = (0..size).map(|_| peer.link(resp3)).collect::<io::Result<Vec<_>>>()?;
        let ids = links.iter_mut().map(|link| Ok(link.ask(&["CLIENT", "ID"])?.to_string()[1..].to_string())).collect::<io::Result<_>>()?;
        Ok(Crowd { links, ids, waiting: vec![false; size], observer })
    }

    /// Who waits now, by what an observer is told.
    fn who_waits(&mut self) -> io::Result<Vec<bool>> {
        let mut request = vec!["CLIENT", "LIST", "ID"];
        request.extend(self.ids.iter().map(String::as_str));
        let Reply::Bulk(list) = self.observer.ask(&request)? else { return Err(io::Error::other("no list of clients")) };
        let list = String::from_utf8_lossy(&list).into_owned();
        let waits = |id: &String| {
            let line = list.lines().find(|line| line.starts_with(&format!("id={id} ")));
            line.and_then(|line| line.split(" flags=").nth(1)).is_some_and(|rest| rest.split(' ').next().unwrap_or("").contains('b'))
        };
        Ok(self.ids.iter().map(waits).collect())
    }

    fn play(&mut self, step: &Step) -> io::Result<Heard> {
        let named = |word: &Vec<u8>| match word.strip_prefix(b"@") {
            Some([digit]) => self.ids[usize::from(digit - b'0')].clone().into_bytes(),
            _ => word.clone(),
        };
        let words: Words = step.words.iter().map(named).collect();
        let mut bytes = Vec::new();
        encode(&mut bytes, &words);
        self.links[step.by].send(&bytes)?;
        let mut replies = Vec::new();
        while !self.waiting[step.by] {
            if let Some(reply) = self.links[step.by].receive_soon()? {
                replies.push((step.by, reply));
                break;
            }
            self.waiting[step.by] = self.who_waits()?[step.by];
        }
        for (at, waits) in self.who_waits()?.into_iter().enumerate() {
            if self.waiting[at] && !waits {
                replies.push((at, self.links[at].receive()?));
            }
            self.waiting[at] = waits;
        }
        Ok(Heard { replies, waiting: self.waiting.clone() })
    }
}

/// What came of a story.
pub struct Outcome {
    /// Replies that were compared.
    pub compared: u64,
    /// Those among them that came to somebody who had waited.
    pub woken: u64,
    /// The step at which replies differed, and both sides of it.
    pub difference: Option<(usize, String)>,
}

/// Plays a story to both servers. Steps of whom the story has made wait are left out.
pub fn play(ours: &Peer, theirs: &Peer, size: usize, resp3: bool, steps: &[Step]) -> io::Result<Outcome> {
    let (mut here, mut there) = (Crowd::new(ours, size, resp3)?, Crowd::new(theirs, size, resp3)?);
    let mut outcome = Outcome { compared: 0, woken: 0, difference: None };
    for (at, step) in steps.iter().enumerate() {
        let alone = here.waiting.iter().filter(|waits| !**waits).count() == 1;
        if here.waiting[step.by] || alone && may_wait(&step.words) {
            continue;
        }
        let (ours, theirs) = (here.play(step)?, there.play(step)?);
        outcome.compared += ours.replies.len() as u64;
        outcome.woken += ours.replies.iter().filter(|(by, _)| *by != step.by).count() as u64;
        if ours != theirs {
            outcome.difference = Some((at, format!("    ours:   {}\n    theirs: {}", shown(&ours), shown(&theirs))));
            return Ok(outcome);
        }
    }
    let digests = (here.observer.ask(&["DEBUG", "DIGEST"])?, there.observer.ask(&["DEBUG", "DIGEST"])?);
    if digests.0 != digests.1 {
        outcome.difference = Some((steps.len(), format!("    ours:   {}\n    theirs: {}", digests.0, digests.1)));
    }
    Ok(outcome)
}

fn shown(heard: &Heard) -> String {
    let replies = heard.replies.iter().map(|(by, bytes)| format!("{by} hears {}", bytes.escape_ascii()));
    format!("{}; waiting: {:?}", replies.collect::<Vec<_>>().join(", "), heard.waiting)
}

/// Leaves out steps for as long as a difference remains. Gives the rest as text, with that difference.
pub fn smallest(ours: &Peer, theirs: &Peer, size: usize, resp3: bool, steps: &[Step], found: (usize, String)) -> io::Result<String> {
    let (mut steps, mut found) = (steps[..steps.len().min(found.0 + 1)].to_vec(), found);
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut attempt = steps.clone();
            attempt.drain(at..(at + piece).min(attempt.len()));
            match play(ours, theirs, size, resp3, &attempt)?.difference {
                Some(other) => {
                    attempt.truncate(other.0 + 1);
                    (steps, found) = (attempt, other);
                }
                None => at += piece,
            }
        }
        piece /= 2;
    }
    let lines = steps.iter().map(|step| format!("  {}: {}\n", step.by, compare::typed(&step.words)));
    Ok(lines.collect::<String>() + &found.1)
}

fn may_wait(words: &Words) -> bool {
    words[0].starts_with(b"B") || words.iter().any(|word| word == b"BLOCK")
}

/// The steps of a seed.
pub fn steps(seed: u64, count: usize, size: usize) -> Vec<Step> {
    let mut random = Random::from_seed(seed);
    let mut steps = Vec::new();
    while steps.len() < count {
        let by = random.index(size);
        let number = steps.len();
        if chance(&mut random, 12) {
            // nobody else speaks between: what is woken is woken by all of it
            steps.push(Step { by, words: vec![b"MULTI".to_vec()] });
            (0..1 + random.index(4)).for_each(|_| steps.push(Step { by, words: request(&mut random, number, size) }));
            steps.push(Step { by, words: vec![b"EXEC".to_vec()] });
        } else {
            steps.push(Step { by, words: request(&mut random, number, size) });
        }
    }
    steps
}

/// What requests are made of: `L`, `Z` and `X` are keys, `ID` is one in order, `N` a small number, `W` a word.
const REQUESTS: &[&str] = &[
    "BLPOP L 0",
    "BLPOP L L L 0",
    "BRPOP L L 0",
    "BLMOVE L L LEFT RIGHT 0",
    "BLMOVE L L RIGHT RIGHT 0",
    "BRPOPLPUSH L L 0",
    "BLMPOP 0 2 L L LEFT COUNT N",
    "BZPOPMIN Z Z 0",
    "BZPOPMAX Z 0",
    "BZMPOP 0 2 Z Z MIN COUNT N",
    "XREAD BLOCK 0 STREAMS X $",
    "XREAD COUNT N BLOCK 0 STREAMS X X $ ID",
    "XREADGROUP GROUP g c1 BLOCK 0 STREAMS X >",
    "XREADGROUP GROUP g c2 COUNT N BLOCK 0 NOACK STREAMS X X > >",
    "RPUSH L W",
    "RPUSH L W W W",
    "LPUSH L W W",
    "LPUSHX L W",
    "LINSERT L BEFORE W W",
    "ZADD Z N W",
    "ZADD Z N W N W",
    "ZINCRBY Z N W",
    "ZADD Z INCR N W",
    "XADD X ID f W",
    "XADD X ID f W",
    "XADD X NOMKSTREAM ID f W",
    "XGROUP CREATE X g $ MKSTREAM",
    "XGROUP CREATE X g 0",
    "XGROUP DESTROY X g",
    "XGROUP SETID X g 0",
    "XGROUP DELCONSUMER X g c1",
    "XDEL X ID",
    "XTRIM X MAXLEN N",
    "XACK X g ID",
    "LPOP L",
    "RPOP L N",
    "LMOVE L L LEFT LEFT",
    "RPOPLPUSH L L",
    "LMPOP 2 L L RIGHT",
    "LREM L 1 W",
    "LTRIM L 1 N",
    "ZPOPMIN Z",
    "ZUNIONSTORE Z 2 Z Z",
    "ZRANGESTORE Z Z 0 N",
    "SORT L ALPHA STORE L",
    "DEL L",
    "DEL X Z",
    "SET L W",
    "SET X W",
    "RENAME L L",
    "RENAME Z Z",
    "RENAME X X",
    "RENAME L Z",
    "COPY L L REPLACE",
    "COPY X X REPLACE",
    "MOVE L 1",
    "SWAPDB 0 1",
    // without the word, 8.0 has a thread do it, and the client waits for that
    "FLUSHDB ASYNC",
    "CLIENT UNBLOCK @",
    "CLIENT UNBLOCK @ TIMEOUT",
    "CLIENT UNBLOCK @ ERROR",
    "EVAL POP 2 L L W",
    "EVAL PUSH 2 L Z W N",
    "LRANGE L 0 -1",
    "EXISTS L Z X",
];

/// A script that wakes whoever waits for either of two keys.
const PUSH: &str = "redis.call('RPUSH', KEYS[1], ARGV[1], 'second') return redis.pcall('ZADD', KEYS[2], ARGV[2], ARGV[1])";
/// A script that takes back what it gave: nobody is woken by it.
const POP: &str = "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('LPOP', KEYS[1]) return redis.pcall('RPUSH', KEYS[2], ARGV[1])";

fn request(random: &mut Random, number: usize, size: usize) -> Words {
    let word = |random: &mut Random, word: &str| match word {
        "L" | "Z" | "X" if chance(random, 2) => format!("{}0", pick(random, &["L", "Z", "X"])),
        "L" | "Z" | "X" => format!("{word}{}", random.below(3)),
        "ID" => format!("{}-{}", 1 + number, random.below(2)),
        "N" => (1 + random.below(3)).to_string(),
        "W" => format!("w{}", random.below(6)),
        "@" => format!("@{}", random.index(size)),
        "PUSH" => PUSH.to_string(),
        "POP" => POP.to_string(),
        other => other.to_string(),
    };
    pick(random, REQUESTS).split(' ').map(|part| word(random, part).into_bytes()).collect()
}
