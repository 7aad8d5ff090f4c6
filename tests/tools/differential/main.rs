//! The differential: random commands, made from the commands' own rows, sent to this server and to a real one,
//! and every reply compared.
//!
//! A run is a row of stories. A story is a few thousand requests decided by its seed: some settings, then phases
//! that each lean on a few families, one size of values and one taste in words ([`grammar`], [`words`]). Requests go out in pipelines;
//! replies are compared byte for byte, and only where a reply depends on chance, on the time or on the order of a hash table
//! by the rules in [`compare`], each of which says why. DEBUG DIGEST of all data and of each key stand among
//! the requests, and at the end of a story every value crosses over: dumped by one server and restored by the other.
//!
//! A difference is made small ([`shrink`]) and printed with its seed, its step and both replies. `SEED=17 STORIES=1` plays
//! story 17 again, `STEPS=900` only so far. The exit status is 1 if anything differed that is not on the list of deliberate differences.
//!
//! Not here, because one connection cannot show it: waiting, publishing, tracking (see `tests/sim` and `tests/it`).

mod compare;
mod exchange;
mod grammar;
mod link;
mod servers;
mod shrink;
mod story;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use grammar::Grammar;
use servers::{Pair, Peer};
use story::{Story, Unit};

const USAGE: &str = "usage: differential BINARY
The environment says what is played:
  PEER      redis8 (the default), redis7 or valkey9, as tests/tools/peers names them
  SEED      the first story (1)       STORIES   how many (10)
  STEPS     requests of a story (20000)
  RESP      2, 3, or nothing: every other story speaks RESP3
or name what is left out and what differs on purpose: differential --exceptions";

/// What the environment asks for.
struct Settings {
    seed: u64,
    stories: u64,
    steps: usize,
    resp: Option<u64>,
    peer: String,
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
    match run(&argument, &Settings::from_env()) {
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
    for (name, reason) in grammar::EXCLUDED {
        text += &format!("| `{name}` | {reason} |\n");
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
}

/// Findings that are made small before the run goes on; of the others only the number is told.
const SHOWN: usize = 25;

fn run(binary: &str, settings: &Settings) -> io::Result<bool> {
    let ours = Peer::start_binary(binary)?;
    let theirs = Peer::start_named(&settings.peer)?;
    let grammar = Grammar::new(&ruddle::command::registry(), &theirs.documented()?);
    println!("differential: {} commands, against {}", grammar.len(), theirs.version()?);
    let mut pair = Pair { ours, theirs, strict: settings.peer == "redis8" };
    let (mut tally, start) = (Tally::default(), Instant::now());
    for seed in settings.seed..settings.seed.saturating_add(settings.stories) {
        let resp3 = settings.resp.map_or(seed % 2 == 1, |resp| resp == 3);
        let story = Story::new(seed, settings.steps, resp3, &grammar);
        play(&mut pair, &story, &mut tally)?;
        if seed % 10 == 0 || seed + 1 == settings.seed + settings.stories {
            let rate = tally.commands as f64 / start.elapsed().as_secs_f64();
            println!("seed {seed}: {} commands compared, {rate:.0} a second, {} kinds of differences", tally.commands, tally.found.len());
        }
    }
    println!("{} replies were compared by a rule of their own; deliberate differences: {:?}", tally.lenient, tally.deliberate);
    for (kind, times) in &tally.found {
        println!("differs {times} times: {kind}");
    }
    Ok(tally.found.is_empty())
}

fn play(pair: &mut Pair, story: &Story, tally: &mut Tally) -> io::Result<()> {
    let outcome = pair.play(story, &story.units)?;
    tally.commands += outcome.compared;
    tally.lenient += outcome.lenient;
    for name in outcome.deliberate {
        *tally.deliberate.entry(name).or_default() += 1;
    }
    let Some(difference) = outcome.difference else {
        return match exchange::cross_over(pair, story.seed)? {
            Some(text) => found(tally, format!("seed {}: {text}", story.seed), "restoring the other's dump".to_string()),
            None => Ok(()),
        };
    };
    let kind = difference.kind();
    if tally.found.contains_key(&kind) || tally.found.len() >= SHOWN {
        *tally.found.entry(kind).or_default() += 1;
        return Ok(());
    }
    let mut text = format!("seed {} RESP{} step {}\n{difference}\n", story.seed, if story.resp3 { 3 } else { 2 }, difference.step);
    let (units, small) = shrink::smallest(pair, story, &difference)?;
    let lines = |requests: Vec<&link::Words>| requests.iter().map(|words| format!("  {}\n", compare::typed(words))).collect::<String>();
    let requests: Vec<_> = units.iter().flat_map(Unit::requests).collect();
    text += &format!("made small, with {}:\n", story.directives());
    text += &lines(requests[..requests.len().saturating_sub(1)].to_vec());
    text += &small.to_string();
    found(tally, text, kind)
}

fn found(tally: &mut Tally, text: String, kind: String) -> io::Result<()> {
    println!("--- {text}\n");
    *tally.found.entry(kind).or_default() += 1;
    Ok(())
}
