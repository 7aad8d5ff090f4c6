//! The texts of scripts, found by their SHA-1 or by themselves.
//!
//! What SCRIPT LOAD has loaded stays until SCRIPT FLUSH. What came with EVAL may go: of such texts the cache keeps
//! [`limits::SCRIPTS_FROM_EVAL`], those used last, so that applications that write their arguments into the text
//! do not fill the memory.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use sha1::{Digest as _, Sha1};
use xxhash_rust::xxh3::xxh3_64;

use super::header::{Header, ScriptFlags};
use super::interpreter::{Callable, Interpreter, World};
use super::library::{Libraries, Restore};
use crate::limits;

/// The SHA-1 of a script in hexadecimal digits.
pub type Sha = [u8; 40];

struct Script {
    callable: Rc<Callable>,
    sha: Sha,
    body: Box<[u8]>,
    /// Whether SCRIPT LOAD has asked for it.
    loaded: Cell<bool>,
    used: Cell<u64>,
}

/// A hash that is one already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All scripts, and what runs them.
#[derive(Default)]
pub struct Scripts {
    scripts: HashMap<Sha, Rc<Script>>,
    /// The script of a text by a hash of it: a guess that is checked.
    by_body: HashMap<u64, Rc<Script>, BuildHasherDefault<AsIs>>,
    interpreter: Option<Interpreter>,
    /// Libraries of functions.
    libraries: Libraries,
    /// What runs those.
    engine: Option<Interpreter>,
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

fn make(world: World, seed: u64, version: &str) -> Result<Interpreter, Vec<u8>> {
    Interpreter::new(world, seed, version).map_err(|error| format!("ERR The interpreter cannot be made: {error}").into_bytes())
}

fn bytes_of(body: &[u8]) -> usize {
    body.len() + size_of::<Script>() + size_of::<Sha>()
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
        let made = make(World::Scripts, self.seed, self.version)?;
        Ok(self.interpreter.insert(made).clone())
    }

    /// As [`Self::interpreter`], for functions.
    fn engine(&mut self) -> Result<Interpreter, Vec<u8>> {
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let made = make(World::Functions, self.seed, self.version)?;
        Ok(self.engine.insert(made).clone())
    }

    /// What runs a script or function that was found.
    pub fn interpreter_of(&mut self, callable: &Callable) -> Result<Interpreter, Vec<u8>> {
        match callable.world {
            World::Scripts => self.interpreter(),
            World::Functions => self.engine(),
        }
    }

    /// The libraries.
    pub fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Loads a library; see [`Libraries`]. Gives its name, or what the client is told.
    pub fn load_library(&mut self, text: &[u8], replace: bool) -> Result<Box<[u8]>, Vec<u8>> {
        let engine = self.engine()?;
        let loaded = self.libraries.load(&engine, text, replace);
        engine.forget_dropped();
        loaded
    }

    /// Loads libraries, all or none. The error is what the client is told.
    pub fn restore_libraries(&mut self, texts: &[Vec<u8>], restore: Restore) -> Result<(), Vec<u8>> {
        if texts.is_empty() {
            if restore == Restore::Flush {
                drop(self.flush_libraries());
            }
            return Ok(());
        }
        let engine = self.engine()?;
        let restored = self.libraries.restore(&engine, texts, restore);
        engine.forget_dropped();
        restored
    }

    /// Removes a library. Gives whether there was one.
    pub fn remove_library(&mut self, name: &[u8]) -> bool {
        let removed = self.libraries.remove(name);
        if let Some(engine) = self.engine.as_ref().filter(|_| removed) {
            engine.forget_dropped();
        }
        removed
    }

    /// Removes all libraries, and the interpreter with whatever they have left in it.
    pub fn flush_libraries(&mut self) -> impl Sized + use<> {
        (std::mem::take(&mut self.libraries), self.engine.take())
    }

    /// The texts of all libraries.
    pub fn library_texts(&self) -> Vec<Vec<u8>> {
        self.libraries.iter().map(|(_, library)| library.code.to_vec()).collect()
    }

    /// Bytes that the interpreter of functions takes.
    pub fn engine_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Interpreter::bytes)
    }

    /// The script of a text, compiled if it is new. The error is what the client is told.
    pub fn by_body(&mut self, body: &[u8]) -> Result<Rc<Callable>, Vec<u8>> {
        let hash = xxh3_64(body);
        self.clock += 1;
        if let Some(script) = self.by_body.get(&hash).filter(|script| *script.body == *body) {
            script.used.set(self.clock);
            return Ok(Rc::clone(&script.callable));
        }
        let sha = sha_of(body);
        let script = match self.scripts.get(&sha) {
            Some(script) => Rc::clone(script),
            None => self.add(sha, body, false)?,
        };
        script.used.set(self.clock);
        let callable = Rc::clone(&script.callable);
        self.by_body.insert(hash, script);
        Ok(callable)
    }

    /// The script of that name, in digits of either case.
    pub fn by_sha(&mut self, name: &[u8]) -> Option<Rc<Callable>> {
        let sha = Sha::try_from(name).ok()?.map(|digit| digit.to_ascii_lowercase());
        self.clock += 1;
        let script = self.scripts.get(&sha)?;
        script.used.set(self.clock);
        Some(Rc::clone(&script.callable))
    }

    /// Loads a text for good. Gives its name, or what the client is told.
    pub fn load(&mut self, body: &[u8]) -> Result<Sha, Vec<u8>> {
        let sha = sha_of(body);
        match self.scripts.get(&sha) {
            None => {
                self.add(sha, body, true)?;
            }
            Some(script) if !script.loaded.replace(true) => self.from_eval -= 1,
            Some(_) => {}
        }
        Ok(sha)
    }

    fn add(&mut self, sha: Sha, body: &[u8], loaded: bool) -> Result<Rc<Script>, Vec<u8>> {
        let header = Header::parse(body)?;
        let function = self.interpreter()?.compile(&body[header.code..]);
        let function = function.map_err(|error| format!("ERR Error compiling script (new function): {error}").into_bytes())?;
        if !loaded {
            self.make_room();
            self.from_eval += 1;
        }
        self.bytes += bytes_of(body);
        let callable = Callable::new(&sha, header.flags, World::Scripts, function);
        let script = Script { callable, sha, body: body.into(), loaded: Cell::new(loaded), used: Cell::new(self.clock) };
        let script = Rc::new(script);
        self.scripts.insert(sha, Rc::clone(&script));
        Ok(script)
    }

    /// Lets go of the text from EVAL that was not used for longest, if there are as many as there may be.
    fn make_room(&mut self) {
        if self.from_eval < limits::SCRIPTS_FROM_EVAL {
            return;
        }
        let oldest = self.scripts.values().filter(|script| !script.loaded.get()).min_by_key(|script| script.used.get());
        let Some(script) = oldest.map(Rc::clone) else { return };
        self.scripts.remove(&script.sha);
        self.by_body.remove(&xxh3_64(&script.body));
        self.bytes -= bytes_of(&script.body);
        drop(script);
        self.from_eval -= 1;
        self.evicted += 1;
        if let Some(interpreter) = &self.interpreter {
            interpreter.forget_dropped();
        }
    }

    /// Forgets all scripts, and the interpreter with whatever they have left in it.
    pub fn flush(&mut self) -> impl Sized + use<> {
        let (scripts, interpreter) = (std::mem::take(&mut self.scripts), self.interpreter.take());
        (self.by_body, self.from_eval, self.bytes) = (HashMap::default(), 0, 0);
        (scripts, interpreter)
    }

    /// Whether there is a script of that name.
    pub fn contains(&self, name: &[u8]) -> bool {
        Sha::try_from(name).is_ok_and(|sha| self.scripts.contains_key(&sha.map(|digit| digit.to_ascii_lowercase())))
    }

    /// What the script of that name declares.
    pub fn declared(&self, name: &[u8]) -> Option<ScriptFlags> {
        let sha = Sha::try_from(name).ok()?.map(|digit| digit.to_ascii_lowercase());
        self.scripts.get(&sha)?.callable.flags
    }

    /// The text of the script of that name.
    pub fn text(&self, name: &[u8]) -> Option<&[u8]> {
        let sha = Sha::try_from(name).ok()?.map(|digit| digit.to_ascii_lowercase());
        self.scripts.get(&sha).map(|script| &*script.body)
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
