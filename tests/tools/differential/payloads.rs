//! Dumped values among the requests: RESTORE of what a real server dumped.
//!
//! Every encoding of every type is made once, before the first story; its dumps are what RESTORE is given, whole or broken. (At the end of a story [`exchange`](super::exchange) sends everything across.)

use std::io;

use ruddle::base::random::Random;
use ruddle::resp::reader::Reply;

use super::link::{Link, Words};
use super::words::{Taste, chance, pick};

/// A dump, and the group that its key is for.
#[derive(Clone)]
pub struct Payload {
    group: &'static str,
    dump: Vec<u8>,
}

impl Payload {
    /// A dump that was made elsewhere.
    pub fn new(group: &'static str, dump: &[u8]) -> Payload {
        Payload { group, dump: dump.to_vec() }
    }
}

const KEY: &str = "to be dumped";

/// A command, the numbers of its words, and what becomes of a number.
type Recipe = (&'static str, &'static str, usize, fn(usize) -> Vec<String>);

/// What a dump is made of: a group, a command, how often its words are repeated, and those words.
const RECIPES: &[Recipe] = &[
    ("string", "SET", 1, |_| words("some text")),
    ("string", "SET", 1, |_| words("12345")),
    ("string", "SET", 1, |_| words("-9223372036854775808")),
    ("string", "SET", 1, |_| vec!["long ".repeat(60)]),
    ("bitmap", "SETBIT", 1, |_| words("999 1")),
    ("list", "RPUSH", 5, |at| vec![at.to_string()]),
    ("list", "RPUSH", 700, |at| vec![format!("element {at}")]),
    ("list", "RPUSH", 3, |at| vec![format!("{at}").repeat(9_000)]),
    ("hash", "HSET", 5, |at| vec![format!("m{at}"), at.to_string()]),
    ("hash", "HSET", 600, |at| vec![format!("m{at}"), at.to_string()]),
    ("hash", "HSET", 2, |at| vec![format!("m{at}"), "value".repeat(30)]),
    ("set", "SADD", 7, |at| vec![(at * 100_000).to_string()]),
    ("set", "SADD", 600, |at| vec![at.to_string()]),
    // a larger one of this form, made by a server that writes it as servers before 7.2 do, is a hash table to Redis
    // and a listpack here if set-max-intset-entries is small
    ("set", "SADD", 4, |at| vec![format!("m{at}")]),
    ("set", "SADD", 300, |at| vec![format!("m{at}")]),
    ("sorted-set", "ZADD", 7, |at| vec![at.to_string(), format!("m{at}")]),
    ("sorted-set", "ZADD", 300, |at| vec![format!("{}.25", at / 3), format!("m{at}")]),
    ("sorted-set", "ZADD", 3, |at| vec![["-inf", "inf", "0.1"][at].to_string(), at.to_string()]),
    ("geo", "GEOADD", 4, |at| vec![format!("1{at}.5"), format!("4{at}"), format!("m{at}")]),
    ("hyperloglog", "PFADD", 20, |at| vec![at.to_string()]),
    ("hyperloglog", "PFADD", 9_000, |at| vec![at.to_string()]),
];

/// Streams are made in several steps.
const STREAM: &[&str] = &[
    "XADD KEY 1-1 m1 1 m2 2",
    "XADD KEY 1-2 m1 3 m2 4",
    "XADD KEY 2-0 other 1",
    "XADD KEY 3-1 m1 5 m2 6",
    "XDEL KEY 1-2",
    "XGROUP CREATE KEY g0 0",
    "XGROUP CREATE KEY g1 2-0 ENTRIESREAD 2",
    "XREADGROUP GROUP g0 c0 COUNT 2 STREAMS KEY >",
    "XREADGROUP GROUP g0 c1 COUNT 1 STREAMS KEY >",
    "XGROUP CREATECONSUMER KEY g1 c2",
];

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_string).collect()
}

/// Makes the dumps on a server, without those that another of `readers` is too old, or too foreign, to read.
pub fn collect(link: &mut Link, readers: &mut [Link]) -> io::Result<Vec<Payload>> {
    let mut payloads = make(link)?;
    for reader in readers {
        let mut legible = Vec::new();
        for payload in payloads {
            let words: Words = vec![b"RESTORE".to_vec(), KEY.into(), b"0".to_vec(), payload.dump.clone(), b"REPLACE".to_vec()];
            if !matches!(reader.ask_words(&words)?, Reply::Error(_)) {
                legible.push(payload);
            }
        }
        payloads = legible;
    }
    Ok(payloads)
}

fn make(link: &mut Link) -> io::Result<Vec<Payload>> {
    let mut payloads = Vec::new();
    for (group, command, times, word) in RECIPES {
        let mut request = vec![command.to_string(), KEY.to_string()];
        request.extend((0..*times).flat_map(word));
        link.ask(&request.iter().map(String::as_str).collect::<Vec<_>>())?;
        dump(link, group, &mut payloads)?;
    }
    for length in [1, 4, STREAM.len()] {
        for step in &STREAM[..length] {
            link.ask(&step.split(' ').map(|word| if word == "KEY" { KEY } else { word }).collect::<Vec<_>>())?;
        }
        dump(link, "stream", &mut payloads)?;
    }
    // of a server that has deadlines of fields; of another it is one more plain hash
    link.ask(&["HSET", KEY, "m1", "1", "m2", "2", "m3", "3"])?;
    link.ask(&["HPEXPIREAT", KEY, "4100000000000", "FIELDS", "2", "m1", "m3"])?;
    dump(link, "hash", &mut payloads)?;
    Ok(payloads)
}

fn dump(link: &mut Link, group: &'static str, payloads: &mut Vec<Payload>) -> io::Result<()> {
    if let Reply::Bulk(dump) = link.ask(&["DUMP", KEY])? {
        payloads.push(Payload::new(group, &dump));
    }
    link.ask(&["DEL", KEY]).map(|_| ())
}

/// A request that restores one of the dumps.
pub fn restore(random: &mut Random, taste: &Taste, payloads: &[Payload]) -> Words {
    let payload = &payloads[random.index(payloads.len())];
    let mut dump = payload.dump.clone();
    match random.below(60) {
        0 => dump.truncate(random.index(dump.len())),
        1 => {
            let at = random.index(dump.len());
            dump[at] ^= 1;
        }
        _ => {}
    }
    let absolute = chance(random, 20);
    let deadline = match (random.below(10), absolute) {
        (0..6, _) => "0".to_string(),
        // a sum beyond 2^63 is in the past in Redis, some moments later
        (6, _) => pick(random, &["-1", "x", "9223372036854775808", ""]).to_string(),
        (_, true) => (4_000_000_000_000 + random.below(100_000_000_000)).to_string(),
        (_, false) => (1_000_000 + 1_000 * random.below(8_000_000)).to_string(),
    };
    // elsewhere, a sorted set might be asked for a lexicographic range, and its scores differ
    let mut key = taste.key(random, payload.group);
    while payload.group == "sorted-set" && !key.starts_with(b"z") {
        key = taste.key(random, payload.group);
    }
    let mut words = vec![b"RESTORE".to_vec(), key, deadline.into_bytes(), dump];
    if chance(random, 80) {
        words.push(b"REPLACE".to_vec());
    }
    if absolute {
        words.push(b"ABSTTL".to_vec());
    }
    if chance(random, 10) {
        let seconds = pick(random, &["0", "10", "1000", "-1", "x"]).as_bytes().to_vec();
        words.extend([b"IDLETIME".to_vec(), seconds]);
    }
    if chance(random, 10) {
        let frequency = pick(random, &["0", "10", "255", "256", "-1", "x"]).as_bytes().to_vec();
        words.extend([b"FREQ".to_vec(), frequency]);
    }
    words
}
