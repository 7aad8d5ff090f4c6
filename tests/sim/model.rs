//! The second story: few commands, and a model that knows every reply and every order.
//!
//! The model is what the manual says, in the plainest words: a map of values with deadlines, a queue of
//! waiting clients, commands one after the other. It follows the server turn by turn. What the manual
//! leaves open (which of two unblocked clients goes on first) it takes from the server.

use std::collections::{BTreeMap, VecDeque};

use ruddle::base::random::Random;
use ruddle::server::client::ClientKey;

use super::world::{Network, START_MS, wire};
use super::{chance, pick, trace};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    List(VecDeque<String>),
}

#[derive(Clone, Debug)]
struct Held {
    value: Value,
    deadline: Option<i64>,
}

/// A parked command: since when (as a ticket), whose, its words, when it gives up.
#[derive(Clone, Debug)]
struct Waiting {
    client: ClientKey,
    words: Vec<String>,
    deadline: Option<i64>,
}

/// What a command came to.
enum Result {
    Reply(String),
    Wait { timeout: String },
}

#[derive(Default)]
struct Model {
    data: BTreeMap<String, Held>,
    now: i64,
    /// In the order in which they began to wait.
    waiting: Vec<Waiting>,
    ready: VecDeque<String>,
    queued: BTreeMap<ClientKey, Vec<Vec<String>>>,
    expected: BTreeMap<ClientKey, Vec<String>>,
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

impl Model {
    fn find(&mut self, key: &str) -> Option<&mut Held> {
        let now = self.now;
        if self.data.get(key).is_some_and(|held| held.deadline.is_some_and(|deadline| deadline <= now)) {
            self.data.remove(key);
        }
        self.data.get_mut(key)
    }

    fn is_parked(&self, client: ClientKey) -> bool {
        self.waiting.iter().any(|waiting| waiting.client == client)
    }

    fn reply(&mut self, client: ClientKey, reply: String) {
        self.expected.entry(client).or_default().push(reply);
    }

    /// A client's request, and all that follows from it.
    fn request(&mut self, client: ClientKey, words: &[String]) {
        match (words[0].as_str(), self.queued.remove(&client)) {
            ("MULTI", None) => {
                self.queued.insert(client, Vec::new());
                self.reply(client, "+OK".into());
            }
            ("EXEC", None) => self.reply(client, "-ERR EXEC without MULTI".into()),
            ("MULTI", Some(queue)) => {
                self.queued.insert(client, queue);
                self.reply(client, "-ERR MULTI calls can not be nested".into());
            }
            ("EXEC", Some(queue)) => {
                let replies: Vec<String> = queue.iter().map(|words| self.at_once(words)).collect();
                self.reply(client, array(replies.into_iter()));
            }
            (_, Some(mut queue)) => {
                queue.push(words.to_vec());
                self.queued.insert(client, queue);
                self.reply(client, "+QUEUED".into());
            }
            (_, None) => match self.run(words) {
                Result::Reply(reply) => self.reply(client, reply),
                Result::Wait { timeout } => {
                    let ms = (timeout.parse::<f64>().expect("a timeout that we made") * 1000.0) as i64;
                    let deadline = (ms > 0).then_some(self.now + ms);
                    self.waiting.push(Waiting { client, words: words.to_vec(), deadline });
                }
            },
        }
        self.serve();
    }

    /// Within a transaction nothing waits.
    fn at_once(&mut self, words: &[String]) -> String {
        match self.run(words) {
            Result::Reply(reply) => reply,
            Result::Wait { .. } if words[0] == "BLMOVE" => "(nil)".into(),
            Result::Wait { .. } => "(nil array)".into(),
        }
    }

    /// The keys that a blocking command waits for.
    fn awaited(words: &[String]) -> &[String] {
        if words[0] == "BLMOVE" { &words[1..2] } else { &words[1..words.len() - 1] }
    }

    /// Serves the clients of each ready list, first come first served.
    fn serve(&mut self) {
        while let Some(key) = self.ready.pop_front() {
            for waiting in self.waiting.clone() {
                let holds_list = matches!(self.find(&key), Some(Held { value: Value::List(_), .. }));
                if !Model::awaited(&waiting.words).contains(&key) || !holds_list {
                    continue;
                }
                if let Result::Reply(reply) = self.run(&waiting.words) {
                    self.waiting.retain(|other| other.client != waiting.client);
                    self.reply(waiting.client, reply);
                }
            }
        }
    }

    /// The clock has moved: keys go, waits end.
    fn tick(&mut self) {
        let now = self.now;
        self.data.retain(|_, held| held.deadline.is_none_or(|deadline| deadline > now));
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.deadline.is_none_or(|deadline| deadline > now) {
                self.waiting.push(waiting);
            } else {
                self.reply(waiting.client, "(nil array)".into());
            }
        }
    }

    fn gone(&mut self, client: ClientKey) {
        self.waiting.retain(|waiting| waiting.client != client);
        self.queued.remove(&client);
        self.expected.remove(&client);
    }

    fn run(&mut self, words: &[String]) -> Result {
        let key = words[1].as_str();
        Result::Reply(match words[0].as_str() {
            "SET" => {
                let deadline = words.get(4).map(|ms| self.now + ms.parse::<i64>().expect("ours"));
                // nobody waits for a text
                self.data.insert(key.into(), Held { value: Value::Text(words[2].clone()), deadline });
                "+OK".into()
            }
            "GET" => match self.find(key) {
                None => "(nil)".into(),
                Some(Held { value: Value::Text(text), .. }) => quoted(text),
                Some(_) => WRONG_TYPE.into(),
            },
            "DEL" => {
                let found = words[1..].iter().filter(|key| self.find(key).is_some() && self.data.remove(*key).is_some()).count();
                format!(":{found}")
            }
            "PEXPIRE" => {
                let deadline = self.now + words[2].parse::<i64>().expect("ours");
                match self.find(key) {
                    None => ":0".into(),
                    Some(held) => {
                        held.deadline = Some(deadline);
                        ":1".into()
                    }
                }
            }
            "PERSIST" => format!(":{}", u8::from(self.find(key).is_some_and(|held| held.deadline.take().is_some()))),
            "PEXPIRETIME" => match self.find(key).map(|held| held.deadline) {
                None => ":-2".into(),
                Some(deadline) => format!(":{}", deadline.unwrap_or(-1)),
            },
            "RENAME" => match self.find(key).is_some().then(|| self.data.remove(key)).flatten() {
                None => "-ERR no such key".into(),
                Some(held) => {
                    if matches!(held.value, Value::List(_)) {
                        self.ready.push_back(words[2].clone());
                    }
                    self.data.insert(words[2].clone(), held);
                    "+OK".into()
                }
            },
            _ => return self.run_list(words),
        })
    }

    fn run_list(&mut self, words: &[String]) -> Result {
        let key = words[1].as_str();
        Result::Reply(match words[0].as_str() {
            "LPUSH" | "RPUSH" => self.push(key, words[0] == "LPUSH", &words[2..]),
            "LPOP" | "RPOP" => {
                self.pop(key, words[0] == "LPOP").map_or_else(|error| error, |item| item.map_or("(nil)".into(), |item| quoted(&item)))
            }
            "LLEN" => match self.find(key) {
                None => ":0".into(),
                Some(Held { value: Value::List(list), .. }) => format!(":{}", list.len()),
                Some(_) => WRONG_TYPE.into(),
            },
            "LRANGE" => match self.find(key) {
                None => "[]".into(),
                Some(Held { value: Value::List(list), .. }) => array(list.iter().map(|item| quoted(item))),
                Some(_) => WRONG_TYPE.into(),
            },
            "BLPOP" | "BRPOP" => return self.blocking_pop(words),
            "LMOVE" | "BLMOVE" => return self.shift(words),
            other => unreachable!("{other} is not in the model's script"),
        })
    }

    fn push(&mut self, key: &str, left: bool, items: &[String]) -> String {
        if self.find(key).is_none() {
            self.data.insert(key.into(), Held { value: Value::List(VecDeque::new()), deadline: None });
        }
        let Some(Held { value: Value::List(list), .. }) = self.data.get_mut(key) else { return WRONG_TYPE.into() };
        for item in items {
            if left { list.push_front(item.clone()) } else { list.push_back(item.clone()) }
        }
        let len = list.len();
        self.ready.push_back(key.into());
        format!(":{len}")
    }

    fn pop(&mut self, key: &str, left: bool) -> std::result::Result<Option<String>, String> {
        let list = match self.find(key) {
            None => return Ok(None),
            Some(Held { value: Value::List(list), .. }) => list,
            Some(_) => return Err(WRONG_TYPE.into()),
        };
        let item = if left { list.pop_front() } else { list.pop_back() };
        if list.is_empty() {
            self.data.remove(key);
        }
        Ok(item)
    }

    fn blocking_pop(&mut self, words: &[String]) -> Result {
        for key in Model::awaited(words) {
            match self.pop(key, words[0] == "BLPOP") {
                Err(error) => return Result::Reply(error),
                Ok(Some(item)) => return Result::Reply(array([quoted(key), quoted(&item)].into_iter())),
                Ok(None) => {}
            }
        }
        Result::Wait { timeout: words[words.len() - 1].clone() }
    }

    fn shift(&mut self, words: &[String]) -> Result {
        let (from, to) = (words[1].as_str(), words[2].as_str());
        match self.find(from) {
            None if words[0] == "BLMOVE" => return Result::Wait { timeout: words[5].clone() },
            None => return Result::Reply("(nil)".into()),
            Some(Held { value: Value::Text(_), .. }) => return Result::Reply(WRONG_TYPE.into()),
            Some(_) => {}
        }
        if matches!(self.find(to), Some(Held { value: Value::Text(_), .. })) {
            return Result::Reply(WRONG_TYPE.into());
        }
        // a list of one item that is turned round stays what it is, deadline and all
        let alone = matches!(&self.data[from].value, Value::List(list) if list.len() == 1);
        let kept = (from == to && alone).then(|| self.data[from].deadline);
        let item = self.pop(from, words[3] == "LEFT").ok().flatten().expect("a list has an item");
        self.push(to, words[4] == "LEFT", std::slice::from_ref(&item));
        if let (Some(deadline), Some(held)) = (kept, self.data.get_mut(to)) {
            held.deadline = deadline;
        }
        Result::Reply(quoted(&item))
    }
}

fn request(random: &mut Random) -> Vec<String> {
    let key = |random: &mut Random| format!("k{}", random.below(5));
    let a = key(random);
    let b = key(random);
    let item = random.below(100).to_string();
    let side = |random: &mut Random| pick(random, &["LEFT", "RIGHT"]).to_string();
    let timeout = pick(random, &["0", "0.25", "0.5", "1"]).to_string();
    let ms = (1 + random.below(600)).to_string();
    let (from, to) = (side(random), side(random));
    let line = match random.below(24) {
        0 => format!("SET {a} {item}"),
        1 => format!("SET {a} {item} PX {ms}"),
        2 => format!("GET {a}"),
        3..5 => format!("DEL {a} {b}"),
        5..8 => format!("LPUSH {a} {item} second"),
        8..10 => format!("RPUSH {a} {item}"),
        10 => format!("{} {a}", pick(random, &["LPOP", "RPOP", "LLEN"])),
        11 => format!("LRANGE {a} 0 -1"),
        12 => format!("PEXPIRE {a} {ms}"),
        13 => format!("{} {a}", pick(random, &["PERSIST", "PEXPIRETIME"])),
        14..17 if a == b => format!("BLPOP {a} {timeout}"),
        14..17 => format!("BLPOP {a} {b} {timeout}"),
        17 => format!("BRPOP {b} {timeout}"),
        18 => format!("LMOVE {a} {b} {from} {to}"),
        19..21 => format!("BLMOVE {a} {b} {from} {to} {timeout}"),
        21 => "MULTI".into(),
        22 => "EXEC".into(),
        _ if a != b => format!("RENAME {a} {b}"),
        _ => format!("LLEN {a}"),
    };
    line.split(' ').map(str::to_string).collect()
}

/// What a client has sent that the model has not executed: where each request ends in its stream.
#[derive(Default)]
struct Sent {
    requests: VecDeque<(usize, Vec<String>)>,
    total: usize,
    arrived: usize,
    history: Vec<String>,
}

struct Story {
    network: Network,
    model: Model,
    random: Random,
    sent: BTreeMap<ClientKey, Sent>,
}

/// Plays a seed.
pub fn play(seed: u64, steps: usize) {
    let mut story = Story { network: Network::new(seed), model: Model::default(), random: Random::from_seed(seed), sent: BTreeMap::new() };
    for _ in 0..steps {
        story.step();
    }
}

impl Story {
    fn step(&mut self) {
        let ms = match self.random.below(30) {
            0 => 3_000,
            1 => -400,
            _ => self.random.below(120) as i64,
        };
        if ms < 0 {
            trace::fault("clocks set back");
        }
        self.network.pass_ms(ms);
        self.model.now = self.network.now_us / 1000;
        self.tick();
        if self.sent.len() < 4 {
            let key = self.network.connect();
            self.sent.insert(key, Sent::default());
        }
        self.speak();
        self.deliver();
        self.compare();
        if chance(&mut self.random, 5) {
            let keys: Vec<ClientKey> = self.sent.keys().copied().collect();
            let key = pick(&mut self.random, &keys);
            if !trace::happens(|| format!("client {} vanishes", key.0)) {
                return;
            }
            trace::fault("clients that vanish");
            self.sent.remove(&key);
            self.model.gone(key);
            self.network.disconnect(key);
            self.run_runnable();
        }
    }

    fn speak(&mut self) {
        for (&key, sent) in &mut self.sent {
            for _ in 0..self.random.index(3) {
                let words = request(&mut self.random);
                if !trace::happens(|| format!("{} ms: client {} sends {}", self.network.now_us / 1000 - START_MS, key.0, words.join(" "))) {
                    continue;
                }
                let bytes = wire(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
                sent.total += bytes.len();
                sent.history.push(words.join(" "));
                sent.requests.push_back((sent.total, words));
                self.network.lines.get_mut(&key).expect("an open line").pipe.extend(bytes);
            }
        }
    }

    /// Several clients' bytes arrive in one turn; those of a parked one alone, because whether it goes on
    /// within the turn that unparks it is open.
    fn deliver(&mut self) {
        let mut arrivals = Vec::new();
        for (&key, sent) in &mut self.sent {
            let waiting = self.network.lines[&key].pipe.len();
            let count = if chance(&mut self.random, 60) { waiting } else { self.random.index(waiting + 1) };
            if count < waiting {
                trace::fault("streams cut at a byte");
            }
            if count > 0 && !self.model.is_parked(key) {
                sent.arrived += count;
                arrivals.push((key, count));
            }
        }
        if arrivals.is_empty() {
            return;
        }
        let first = self.random.index(arrivals.len());
        arrivals.rotate_left(first);
        self.network.deliver(&arrivals);
        for (key, _) in arrivals {
            self.follow(key);
        }
        self.run_runnable();
    }

    /// The model executes what has arrived of a client.
    fn follow(&mut self, key: ClientKey) {
        let sent = self.sent.get_mut(&key).expect("an open line");
        while !self.model.is_parked(key) && sent.requests.front().is_some_and(|(end, _)| *end <= sent.arrived) {
            let (_, words) = sent.requests.pop_front().expect("just there");
            self.model.request(key, &words);
        }
    }

    fn run_runnable(&mut self) {
        loop {
            let runnable = self.network.server.take_runnable();
            if runnable.is_empty() {
                return;
            }
            for key in runnable {
                if self.sent.contains_key(&key) {
                    self.network.deliver(&[(key, 0)]);
                    self.follow(key);
                }
            }
        }
    }

    fn tick(&mut self) {
        let now = self.network.now();
        self.network.server.tick(now);
        self.model.tick();
        self.run_runnable();
    }

    fn compare(&mut self) {
        for (&key, sent) in &self.sent {
            let replies: Vec<String> = self.network.read(key, usize::MAX).iter().map(ToString::to_string).collect();
            let expected = self.model.expected.remove(&key).unwrap_or_default();
            assert_eq!(replies, expected, "client {} has sent {:#?}", key.0, sent.history);
            let parked = self.network.server.state.clients[key].blocked.is_some();
            assert_eq!(parked, self.model.is_parked(key), "client {} waits", key.0);
        }
    }
}
