//! The two servers: how they are started, and how a story is played to both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ruddle::resp::reader::Reply;

use super::compare::{self, Difference, Judge, Verdict};
use super::link::{Link, Words, encode};
use super::story::{Story, Unit};

/// The tokens that a server documents for each of its commands.
pub type Documented = HashMap<String, HashSet<String>>;

/// A server that was started here and ends with this.
pub struct Peer {
    child: Child,
    command: String,
    port: u16,
    folder: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // it may have ended already, and then there is nothing to do
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn spawn(command: &str) -> io::Result<Child> {
    Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
}

impl Peer {
    /// The server under test.
    pub fn start_binary(binary: &str) -> io::Result<Peer> {
        Peer::start(&format!("{binary} --port {{port}} --bind 127.0.0.1 --save '' --appendonly no --dir {{dir}}"), "ours")
    }

    /// A real server, by the name that `tests/tools/peers` knows.
    pub fn start_named(name: &str) -> io::Result<Peer> {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/peers");
        let output = Command::new(tool).arg(name).stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))) {
            Some(command) => Peer::start(command, name),
            None => Err(io::Error::other(format!("tests/tools/peers brought no {name}"))),
        }
    }

    fn start(template: &str, name: &str) -> io::Result<Peer> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("differential-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let command = template.replace("{port}", &port.to_string()).replace("{dir}", &folder.display().to_string());
        let command = format!("exec {command} --enable-debug-command yes --proto-max-bulk-len 1mb");
        let mut peer = Peer { child: spawn(&command)?, command, port, folder };
        peer.wait_until_it_answers()?;
        Ok(peer)
    }

    fn wait_until_it_answers(&mut self) -> io::Result<()> {
        for _ in 0..100 {
            if self.link(false).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other(format!("no answer from {}", self.command)))
    }

    /// Starts it once more, after it has ended by itself.
    pub fn start_again(&mut self) -> io::Result<()> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.command)?;
        self.wait_until_it_answers()
    }

    /// A connection.
    pub fn link(&self, resp3: bool) -> io::Result<Link> {
        let mut link = Link::open(self.port)?;
        link.ask(if resp3 { &["HELLO", "3"] } else { &["PING"] })?;
        Ok(link)
    }

    /// What it calls itself.
    pub fn version(&self) -> io::Result<String> {
        let reply = self.link(false)?.ask(&["INFO", "server"])?.to_string();
        let version =
            ["valkey_version:", "redis_version:"].iter().find_map(|name| Some(reply.split_once(name)?.1.split("\\r").next()?.to_string()));
        Ok(version.unwrap_or(reply))
    }

    /// The commands it has, with the tokens of each.
    pub fn documented(&self) -> io::Result<Documented> {
        let mut found = Documented::new();
        if let Reply::Map(commands) = self.link(true)?.ask(&["COMMAND", "DOCS"])? {
            for (name, facts) in &commands {
                document(&mut found, name, facts);
            }
        }
        Ok(found)
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) | Reply::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

fn document(found: &mut Documented, name: &Reply, facts: &Reply) {
    let mut tokens = HashSet::new();
    collect_tokens(facts, &mut tokens);
    found.insert(text(name), tokens);
    if let Reply::Map(facts) = facts
        && let Some((_, Reply::Map(children))) = facts.iter().find(|(name, _)| text(name) == "subcommands")
    {
        for (name, facts) in children {
            document(found, name, facts);
        }
    }
}

fn collect_tokens(reply: &Reply, tokens: &mut HashSet<String>) {
    match reply {
        Reply::Array(inner) | Reply::Set(inner) => inner.iter().for_each(|inner| collect_tokens(inner, tokens)),
        Reply::Map(pairs) => {
            for (name, value) in pairs {
                if text(name) == "token" {
                    tokens.insert(text(value).to_ascii_uppercase());
                }
                collect_tokens(value, tokens);
            }
        }
        _ => {}
    }
}

/// The servers that are compared.
pub struct Servers {
    /// This server.
    pub ours: Peer,
    /// The version that is the specification.
    pub theirs: Peer,
    /// One of another version, or of another maker.
    pub third: Option<Peer>,
}

/// What came of a story.
#[derive(Default)]
pub struct Outcome {
    /// Replies that were compared.
    pub compared: u64,
    /// Those among them that a rule of [`compare::LENIENT`] had to accept.
    pub lenient: u64,
    /// Those that differ on purpose.
    pub deliberate: Vec<&'static str>,
    /// Where the story ended, if it did not come to its end.
    pub difference: Option<Difference>,
    /// What the third server said.
    pub third: Third,
}

/// How a third server's replies compare with ours.
///
/// It is no judge: where it says something else, our reply is the specification's all the same, or the story has ended.
/// Such replies are counted by kind. Once data differ, what it says of them means nothing more, and is not counted.
#[derive(Default)]
pub struct Third {
    /// Replies that were the same.
    pub same: u64,
    /// Digests among them.
    pub digests: u64,
    /// The kinds of replies that were not.
    pub otherwise: BTreeMap<String, (u64, Difference)>,
    /// Whether the data came to differ.
    pub parted: bool,
    /// The request after which it did not answer any more.
    pub died: Option<Words>,
}

impl Third {
    fn count(&mut self, judge: &mut Judge, difference: Difference) -> io::Result<()> {
        let verdict = judge.judge(&difference.words, &difference.ours, &difference.theirs)?;
        let digest = difference.words.len() == 2 && difference.words[1] == b"DIGEST";
        if verdict != Verdict::Different {
            self.same += 1;
            self.digests += u64::from(digest);
            return Ok(());
        }
        self.parted |= digest;
        self.otherwise.entry(difference.rough_kind()).or_insert((0, difference)).0 += 1;
        Ok(())
    }
}

impl Servers {
    /// Plays requests of a story to all, from empty data.
    pub fn play(&mut self, story: &Story, units: &[Unit]) -> io::Result<Outcome> {
        let (mut ours, mut theirs) = (self.ours.link(story.resp3)?, self.theirs.link(story.resp3)?);
        let mut third = self.third.as_ref().map(|third| third.link(story.resp3)).transpose()?;
        for words in &story.settings {
            for link in [&mut ours, &mut theirs].into_iter().chain(&mut third) {
                link.ask_words(words)?;
            }
        }
        let requests: Vec<&Words> = units.iter().flat_map(Unit::requests).collect();
        let mut outcome = Outcome::default();
        let mut judges = (Judge::new(), Judge::new());
        let (mut step, mut bytes) = (0, Vec::new());
        for batch in requests.chunks(story.pipeline) {
            bytes.clear();
            batch.iter().for_each(|words| encode(&mut bytes, words));
            ours.send(&bytes)?;
            theirs.send(&bytes)?;
            if let Some(third) = third.as_mut().filter(|_| outcome.third.died.is_none()) {
                // whether it is there is seen when it is to answer
                let _ = third.send(&bytes);
            }
            for words in batch {
                step += 1;
                let receive = |link: &mut Link, who: &str| {
                    let place =
                        |error: io::Error| format!("seed {} step {}: {who}: {error}: {}", story.seed, step - 1, compare::typed(words));
                    link.receive().map_err(|error| io::Error::new(error.kind(), place(error)))
                };
                let (here, there) = (receive(&mut ours, "ours")?, receive(&mut theirs, "theirs")?);
                outcome.compared += 1;
                match judges.0.judge(words, &here, &there)? {
                    Verdict::Equal => {}
                    Verdict::Lenient => outcome.lenient += 1,
                    Verdict::Deliberate(name) => outcome.deliberate.push(name),
                    Verdict::Different => {
                        outcome.difference = Some(Difference { step: step - 1, words: (*words).clone(), ours: here, theirs: there });
                        return Ok(outcome);
                    }
                }
                if outcome.third.died.is_none()
                    && let Some(third) = &mut third
                {
                    let Ok(theirs) = receive(third, "third") else {
                        outcome.third.died = Some((*words).clone());
                        continue;
                    };
                    if !outcome.third.parted {
                        outcome.third.count(&mut judges.1, Difference { step: step - 1, words: (*words).clone(), ours: here, theirs })?;
                    }
                }
            }
        }
        Ok(outcome)
    }
}
