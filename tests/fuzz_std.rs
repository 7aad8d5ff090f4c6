//! Fuzzing with nothing but the standard library: the same properties as the targets in `tests/fuzz`, on
//! inputs from a seeded generator that knows the protocol's tokens.
//!
//! `cargo test` runs a bounded number of inputs; `make fuzz` runs more of them where cargo-fuzz is missing
//! (`FUZZ_ROUNDS`, `FUZZ_SEED`), and lets cargo-fuzz begin with some of them where it is there (`FUZZ_CORPUS`, a directory).

#[path = "fuzz/properties.rs"]
mod properties;
#[path = "fuzz/stored.rs"]
mod stored;

use ruddle::base::random::Random;

const TOKENS: &[&[u8]] = &[
    b"*",
    b"$",
    b"%",
    b"~",
    b"|",
    b">",
    b"+",
    b"-",
    b":",
    b"_",
    b",",
    b"(",
    b"#t",
    b"!",
    b"=",
    b"\r\n",
    b"\r",
    b"\n",
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1048577",
    b"$1\r\na\r\n",
    b"*1\r\n",
    b"*2\r\n$3\r\nGET\r\n",
    b"PING\r\n",
    b"\"a b\" ",
    b"'",
    b"\\x41",
    b"=5\r\ntxt:a\r\n",
    b"%1\r\n",
    b"|1\r\n",
    b",1.5\r\n",
    b"\0",
    b"\xff",
    b"\t ",
];

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map_or(default, |text| text.parse().expect("a number"))
}

fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.index(24) {
        bytes.extend_from_slice(TOKENS[random.index(TOKENS.len())]);
    }
    if random.below(40) == 0 {
        bytes.extend(std::iter::repeat_n(b'7', 70_000));
    }
    for _ in 0..random.index(3) {
        if !bytes.is_empty() {
            let at = random.index(bytes.len());
            bytes[at] = random.next_u64().to_le_bytes()[0];
        }
    }
    bytes
}

/// Keeps an input for cargo-fuzz to begin with, if that is wanted; `target` is the name of the target.
fn keep(target: &str, round: u64, bytes: &[u8]) {
    if let Some(corpus) = std::env::var_os("FUZZ_CORPUS") {
        let directory = std::path::Path::new(&corpus).join(target);
        std::fs::create_dir_all(&directory).expect("a directory that can be written");
        std::fs::write(directory.join(format!("seed{round}")), bytes).expect("a directory that can be written");
    }
}

fn each_input(target: &str, property: fn(&[u8])) {
    let mut random = Random::from_seed(from_env("FUZZ_SEED", 1));
    for round in 0..from_env("FUZZ_ROUNDS", 4_000) {
        let bytes = input(&mut random);
        keep(target, round, &bytes);
        let outcome = std::panic::catch_unwind(|| property(&bytes));
        assert!(outcome.is_ok(), "round {round}: {}", bytes.escape_ascii());
    }
}

#[test]
fn requests_are_parsed_alike_whatever_the_cuts() {
    each_input("requests", properties::requests);
}

#[test]
fn replies_are_read_alike_whatever_the_cuts() {
    each_input("replies", properties::replies);
}

/// Tries inputs, and says how many there were and how many made sense.
fn each_stored(target: &str, make: impl Fn(&mut stored::Maker) -> Vec<u8>, mut try_it: impl FnMut(&[u8]) -> bool) {
    let seed = from_env("FUZZ_SEED", 1);
    let mut maker = stored::Maker { random: Random::from_seed(seed) };
    let (rounds, mut sound) = (from_env("FUZZ_ROUNDS", 4_000), 0u64);
    for round in 0..rounds {
        let bytes = make(&mut maker);
        keep(target, round, &bytes);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_it(&bytes)));
        match outcome {
            Ok(made_sense) => sound += u64::from(made_sense),
            Err(_) => panic!("seed {seed}, round {round}: {}", bytes.escape_ascii()),
        }
    }
    println!("{target}: {rounds} inputs, {sound} of them sound");
    assert!(rounds < 1000 || sound > 0, "none of the inputs gets far");
}

#[test]
fn payloads_do_no_harm() {
    let mut reader = stored::Reader::new();
    each_stored("payloads", stored::Maker::value, |bytes| reader.payload(bytes));
}

#[test]
fn snapshots_do_no_harm() {
    let mut reader = stored::Reader::new();
    each_stored("snapshots", stored::Maker::snapshot, |bytes| reader.snapshot(bytes));
}

#[test]
fn manifests_do_no_harm() {
    each_stored("manifests", |maker| maker.text(stored::MANIFEST), stored::manifest);
}

#[test]
fn files_of_users_do_no_harm() {
    let users = stored::Users::new();
    each_stored("users", |maker| maker.text(stored::USERS), |bytes| users.file(bytes));
}

#[test]
fn files_of_commands_do_no_harm() {
    each_stored("commands", |maker| maker.text(stored::COMMANDS), stored::commands);
}
