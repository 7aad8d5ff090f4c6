//! The differential: random commands, made from the commands' own rows, sent to this server and to a real one,
//! and every reply compared.
//!
//! A run is a row of stories. A story is a few thousand requests decided by its seed: some settings, then phases
//! that each lean on a few families, one size of values and one taste in words ([`grammar`], [`words`]). Requests go out in pipelines;
//! replies are compared byte for byte, and only where a reply depends on chance, on the time or on the order of a hash table
//! by the rules in [`compare`], each of which says why. DEBUG DIGEST of all data and of each key stand among
//! the requests, and at the end of a story every value crosses over: dumped by one server and restored by the other.
//!
//! Redis 8 is the specification, and no other server can excuse a difference to it. One of another version, or of another
//! maker, may be played to as well, with the commands and options that it documents: the replies that it and this server
//! have in common are counted, and those in which it differs from this server *and* Redis 8 are listed by kind.
//!
//! A difference is made small ([`shrink`]) and printed with its seed, its step and both replies. `SEED=17 STORIES=1` plays
//! story 17 again, `STEPS=900` only so far. The exit status is 1 if anything differed that is not on the list of deliberate differences.
//!
//! What one connection cannot show is waiting: [`crowd`] plays several. Publishing and tracking are not here (see `tests/sim`
//! and `tests/it`).

mod compare;
mod crowd;
mod exchange;
mod grammar;
mod link;
mod payloads;
mod scripts;
mod servers;
mod shrink;
mod story;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use exchange::Digests;
use grammar::Grammar;
use servers::{Documented, Peer, Servers, Third};
use story::{Story, Unit};
use words::Numbers;

const USAGE: &str = "usage: differential BINARY
The environment says what is played:
  PEER      redis7 or valkey9, as tests/tools/peers names them: it is played to as well, and what it says otherwise
            than this server and Redis 8 is counted
  SEED      the first story (1)       STORIES   how many (10)
  STEPS     requests of a story (20000)
  RESP      2, 3, or nothing: every other story speaks RESP3
  CROWD     so many connections (2 to 9), which wait and wake each other, instead of one that does not
or name what is left out and what differs on purpose: differential --exceptions";

/// What the environment asks for.
struct Settings {
    seed: u64,
    stories: u64,
    steps: usize,
    resp: Option<u64>,
    peer: String,
    crowd: Option<usize>,
}

impl Settings {
    fn from_env() -> Settings {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str, default: u64| text(name).map_or(default, |text| text.parse().expect("a number"));
        Settings {
            seed: number("SEED", 1),
            stories: number("STORIES", 10),
            steps: usize::try_from(number("STEPS", 20_000)).expect("fewer than memory holds"),
            resp: text("RESP").map(|text| text.parse().expect("2 or 3")),
            crowd: text("CROWD").map(|text| text.parse().expect("a number")),
            peer: text("PEER").unwrap_or_else(|| "redis8".to_string()),
        }
    }
}

fn main() {
    let Some(argument) = std::env::args().nth(1).filter(|argument| argument != "--help") else {
        println!("{USAGE}");
        return;
    };
    if argument == "--exceptions" {
        print!("{}", exceptions());
        return;
    }
    let settings = Settings::from_env();
    let played = match settings.crowd {
        Some(size) => run_crowd(&argument, &settings, size.clamp(2, 9)),
        None => run(&argument, &settings),
    };
    match played {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!("differential: {error}");
            std::process::exit(2);
        }
    }
}

/// What the comparison does not hold to the byte, as text for `docs/COMPATIBILITY.md`.
fn exceptions() -> String {
    let mut text = String::from("| command | not played, because |\n|---|---|\n");
    for (names, reason) in grammar::EXCLUDED {
        text += &format!("| `{}` | {reason} |\n", names.join("` `").replace('|', " ").to_uppercase());
    }
    text += "\n| replies of | compared | because |\n|---|---|---|\n";
    for leniency in compare::LENIENT {
        text += &format!("| `{}` | {} | {} |\n", leniency.commands.join("` `"), leniency.rule.words(), leniency.reason);
    }
    text += "\n| command | deliberate difference |\n|---|---|\n";
    for deliberate in compare::DELIBERATE {
        text += &format!("| `{}` | {} |\n", deliberate.command, deliberate.reason);
    }
    text
}

/// Counts of a run.
#[derive(Default)]
struct Tally {
    commands: u64,
    lenient: u64,
    deliberate: BTreeMap<&'static str, u64>,
    found: BTreeMap<String, u64>,
    third: Third,
    parted: u64,
    died: Vec<String>,
}

/// Findings that are made small before the run goes on; of the others only the number is told.
const SHOWN: usize = 25;

fn run(binary: &str, settings: &Settings) -> io::Result<bool> {
    let (ours, theirs) = (Peer::start_binary(binary)?, Peer::start_named("redis8")?);
    let third = (settings.peer != "redis8").then(|| Peer::start_named(&settings.peer)).transpose()?;
    let (mut documented, mut versions) = (theirs.documented()?, theirs.version()?);
    if let Some(third) = &third {
        documented = in_common(&documented, &third.documented()?);
        versions += &format!(" and {} {}", settings.peer, third.version()?);
    }
    let payloads = match &third {
        None => payloads::collect(&mut theirs.link(false)?, &mut [])?,
        // our dumps are of a version that all know; a story's end crosses over what the others dump
        Some(third) => payloads::collect(&mut ours.link(false)?, &mut [theirs.link(false)?, third.link(false)?])?,
    };
    let dumps = payloads.len();
    let registry = ruddle::command::registry();
    let mut plain = documented.clone();
    plain.retain(|name, _| !FIELD_DEADLINES.contains(&name.as_str()));
    let lasting = Grammar::new(&registry, &plain, payloads.clone());
    let grammar = Grammar::new(&registry, &documented, payloads);
    println!("differential: {} commands and {} dumps, against {versions}", grammar.len(), dumps);
    let mut servers = Servers { ours, theirs, third };
    let (mut tally, start) = (Tally::default(), Instant::now());
    for seed in settings.seed..settings.seed.saturating_add(settings.stories) {
        let resp3 = settings.resp.map_or(seed % 2 == 1, |resp| resp == 3);
        let numbers = if settings.peer == "redis8" { Numbers::All } else { Numbers::Plain };
        // Valkey's digest of a hash leaves out the deadlines of fields: every other pair of stories has none
        let grammar = if settings.peer == "valkey9" && seed / 2 % 2 == 0 { &lasting } else { &grammar };
        let story = Story::new(seed, settings.steps, resp3, grammar, numbers);
        play(&mut servers, &story, &mut tally)?;
        if seed % 10 == 0 || seed + 1 == settings.seed + settings.stories {
            let rate = tally.commands as f64 / start.elapsed().as_secs_f64();
            println!("seed {seed}: {} commands compared, {rate:.0} a second, {} kinds of differences", tally.commands, tally.found.len());
        }
    }
    println!("{} replies were compared by a rule of their own; deliberate differences: {:?}", tally.lenient, tally.deliberate);
    if servers.third.is_some() {
        println!("{} replies of {} were ours, {} digests of all data among them;", tally.third.same, settings.peer, tally.third.digests);
        println!("in {} of {} stories its data came to differ;", tally.parted, settings.stories);
        println!("it ended {} times, after {:?}; it differed from both in", tally.died.len(), tally.died);
        for (kind, (times, first)) in &tally.third.otherwise {
            println!("{times} times: {kind}; first:\n{first}");
        }
    }
    for (kind, times) in &tally.found {
        println!("differs {times} times: {kind}");
    }
    Ok(tally.found.is_empty())
}

/// Commands that give fields of hashes a deadline.
const FIELD_DEADLINES: &[&str] = &["hexpire", "hpexpire", "hexpireat", "hpexpireat", "hsetex", "hgetex"];

/// Stories of several connections.
fn run_crowd(binary: &str, settings: &Settings, size: usize) -> io::Result<bool> {
    let (ours, theirs) = (Peer::start_binary(binary)?, Peer::start_named(&settings.peer)?);
    println!("differential: {size} connections, against {}", theirs.version()?);
    let (mut compared, mut woken, mut different) = (0, 0, 0);
    for seed in settings.seed..settings.seed.saturating_add(settings.stories) {
        let resp3 = settings.resp.map_or(seed % 2 == 1, |resp| resp == 3);
        let steps = crowd::steps(seed, settings.steps, size);
        let outcome = crowd::play(&ours, &theirs, size, resp3, &steps)?;
        (compared, woken) = (compared + outcome.compared, woken + outcome.woken);
        if let Some(found) = outcome.difference {
            different += 1;
            let small = crowd::smallest(&ours, &theirs, size, resp3, &steps, found)?;
            println!("--- seed {seed} RESP{}, made small:\n{small}\n", if resp3 { 3 } else { 2 });
        }
    }
    println!("{compared} replies compared, {woken} of them of connections that had waited; {different} stories differ");
    Ok(different == 0)
}

/// The commands, and the tokens of each, that two servers have.
fn in_common(one: &Documented, other: &Documented) -> Documented {
    let shared = one.iter().filter_map(|(name, tokens)| Some((name.clone(), tokens.intersection(other.get(name)?).cloned().collect())));
    shared.collect()
}

fn play(servers: &mut Servers, story: &Story, tally: &mut Tally) -> io::Result<()> {
    let outcome = servers.play(story, &story.units)?;
    tally.commands += outcome.compared;
    tally.lenient += outcome.lenient;
    for name in outcome.deliberate {
        *tally.deliberate.entry(name).or_default() += 1;
    }
    tally.third.same += outcome.third.same;
    tally.third.digests += outcome.third.digests;
    tally.parted += u64::from(outcome.third.parted);
    for (kind, (times, first)) in outcome.third.otherwise {
        tally.third.otherwise.entry(kind).or_insert((0, first)).0 += times;
    }
    if let (Some(words), Some(third)) = (outcome.third.died, &mut servers.third) {
        tally.died.push(format!("seed {}: {}", story.seed, compare::typed(&words)));
        third.start_again()?;
    }
    let Some(difference) = outcome.difference else {
        for theirs in [Some(&servers.theirs), servers.third.as_ref()].into_iter().flatten() {
            let digests = if std::ptr::eq(theirs, &servers.theirs) { Digests::Same } else { Digests::OfAnotherKind };
            if let Some(text) = exchange::cross_over(&servers.ours, theirs, story.seed, digests)? {
                found(tally, format!("seed {}: {text}", story.seed), "restoring the other's dump".to_string());
            }
        }
        return Ok(());
    };
    let kind = difference.kind();
    if tally.found.contains_key(&kind) || tally.found.len() >= SHOWN {
        *tally.found.entry(kind).or_default() += 1;
        return Ok(());
    }
    let mut text = format!("seed {} RESP{} step {}\n{difference}\n", story.seed, if story.resp3 { 3 } else { 2 }, difference.step);
    let (units, small) = shrink::smallest(servers, story, &difference)?;
    let lines = |requests: Vec<&link::Words>| requests.iter().map(|words| format!("  {}\n", compare::typed(words))).collect::<String>();
    let requests: Vec<_> = units.iter().flat_map(Unit::requests).collect();
    text += &format!("made small, with {}:\n", story.directives());
    text += &lines(requests[..requests.len().saturating_sub(1)].to_vec());
    text += &small.to_string();
    found(tally, text, kind);
    Ok(())
}

fn found(tally: &mut Tally, text: String, kind: String) {
    println!("--- {text}\n");
    *tally.found.entry(kind).or_default() += 1;
}
