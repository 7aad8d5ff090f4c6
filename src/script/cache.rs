//! The texts of scripts, found by their SHA-1 or by themselves.
//!
//! What SCRIPT LOAD has loaded stays until SCRIPT FLUSH. What came with EVAL may go: of such texts the cache keeps
//! [`limits::SCRIPTS_FROM_EVAL`], those used last, so that applications that write their arguments into the text
//! do not fill the memory.

use std::collections::HashMap;
use std::sync::Arc;

use mlua::RegistryKey;
use sha1::{Digest as _, Sha1};
use xxhash_rust::xxh3::xxh3_64;

use super::header::Header;
use super::interpreter::Interpreter;
use crate::limits;

/// The SHA-1 of a script in hexadecimal digits.
pub type Sha = [u8; 40];

/// A script that is ready to run.
#[derive(Clone)]
pub struct Found {
    /// Its name.
    pub sha: Sha,
    /// What its first line says.
    pub header: Header,
    pub(super) function: Arc<RegistryKey>,
}

struct Script {
    found: Found,
    body: Box<[u8]>,
    /// Whether SCRIPT LOAD has asked for it.
    loaded: bool,
    used: u64,
}

/// All scripts, and what runs them.
#[derive(Default)]
pub struct Scripts {
    scripts: HashMap<Sha, Script>,
    /// The name of a text by a hash of it: a guess that is checked.
    by_body: HashMap<u64, Sha>,
    interpreter: Option<Interpreter>,
    seed: u64,
    version: &'static str,
    clock: u64,
    from_eval: usize,
    bytes: usize,
    /// Texts from EVAL that had to go.
    pub evicted: u64,
    /// Whether a script runs.
    pub running: bool,
}

/// The name of a text.
pub(super) fn sha_of(body: &[u8]) -> Sha {
    let digest: [u8; 20] = Sha1::digest(body).into();
    std::array::from_fn(|at| b"0123456789abcdef"[usize::from(digest[at / 2] >> (4 - at % 2 * 4) & 15)])
}

impl Scripts {
    /// No scripts yet; the seed is for their chance, the version is the one that they are told.
    pub fn new(seed: u64, version: &'static str) -> Scripts {
        Scripts { seed, version, ..Scripts::default() }
    }

    /// The interpreter, made when it is first needed.
    pub fn interpreter(&mut self) -> Result<Interpreter, Vec<u8>> {
        if let Some(interpreter) = &self.interpreter {
            return Ok(interpreter.clone());
        }
        let made = Interpreter::new(self.seed, self.version)
            .map_err(|error| format!("ERR The interpreter cannot be made: {error}").into_bytes())?;
        Ok(self.interpreter.insert(made).clone())
    }

    /// The script of a text, compiled if it is new. The error is what the client is told.
    pub fn by_body(&mut self, body: &[u8]) -> Result<Found, Vec<u8>> {
        let hash = xxh3_64(body);
        self.clock += 1;
        if let Some(script) = self.by_body.get(&hash).and_then(|sha| self.scripts.get_mut(sha))
            && *script.body == *body
        {
            script.used = self.clock;
            return Ok(script.found.clone());
        }
        let sha = sha_of(body);
        if !self.scripts.contains_key(&sha) {
            self.add(sha, body, false)?;
        }
        self.by_body.insert(hash, sha);
        Ok(self.scripts[&sha].found.clone())
    }

    /// The script of that name, in digits of either case.
    pub fn by_sha(&mut self, name: &[u8]) -> Option<Found> {
        let sha = Sha::try_from(name).ok()?.map(|digit| digit.to_ascii_lowercase());
        self.clock += 1;
        let script = self.scripts.get_mut(&sha)?;
        script.used = self.clock;
        Some(script.found.clone())
    }

    /// Loads a text for good. Gives its name, or what the client is told.
    pub fn load(&mut self, body: &[u8]) -> Result<Sha, Vec<u8>> {
        let sha = sha_of(body);
        match self.scripts.get_mut(&sha) {
            None => self.add(sha, body, true)?,
            Some(script) if !script.loaded => {
                script.loaded = true;
                self.from_eval -= 1;
            }
            Some(_) => {}
        }
        Ok(sha)
    }

    fn add(&mut self, sha: Sha, body: &[u8], loaded: bool) -> Result<(), Vec<u8>> {
        let header = Header::parse(body)?;
        let function = self.interpreter()?.compile(&body[header.code..])?;
        if !loaded {
            self.make_room();
            self.from_eval += 1;
        }
        self.bytes += body.len() + size_of::<Script>() + size_of::<Sha>();
        let found = Found { sha, header, function: Arc::new(function) };
        self.scripts.insert(sha, Script { found, body: body.into(), loaded, used: self.clock });
        Ok(())
    }

    /// Lets go of the text from EVAL that was not used for longest, if there are as many as there may be.
    fn make_room(&mut self) {
        if self.from_eval < limits::SCRIPTS_FROM_EVAL {
            return;
        }
        let oldest = self.scripts.iter().filter(|(_, script)| !script.loaded).min_by_key(|(_, script)| script.used);
        let Some(sha) = oldest.map(|(sha, _)| *sha) else { return };
        if let Some(script) = self.scripts.remove(&sha) {
            self.by_body.remove(&xxh3_64(&script.body));
            self.bytes -= script.body.len() + size_of::<Script>() + size_of::<Sha>();
        }
        self.from_eval -= 1;
        self.evicted += 1;
        if let Some(interpreter) = &self.interpreter {
            interpreter.forget_dropped();
        }
    }

    /// Forgets all scripts, and the interpreter with whatever they have left in it.
    pub fn flush(&mut self) -> impl Sized + use<> {
        let (scripts, interpreter) = (std::mem::take(&mut self.scripts), self.interpreter.take());
        (self.by_body, self.from_eval, self.bytes) = (HashMap::new(), 0, 0);
        (scripts, interpreter)
    }

    /// Whether there is a script of that name.
    pub fn contains(&self, name: &[u8]) -> bool {
        Sha::try_from(name).is_ok_and(|sha| self.scripts.contains_key(&sha.map(|digit| digit.to_ascii_lowercase())))
    }

    /// What the first line of the script of that name says.
    pub fn header(&self, name: &[u8]) -> Option<Header> {
        let sha = Sha::try_from(name).ok()?.map(|digit| digit.to_ascii_lowercase());
        self.scripts.get(&sha).map(|script| script.found.header)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Bytes that the texts take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that the interpreter takes.
    pub fn interpreter_bytes(&self) -> usize {
        self.interpreter.as_ref().map_or(0, Interpreter::bytes)
    }
}
