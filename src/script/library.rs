//! Libraries of functions: FUNCTION LOAD's texts and what they have registered.
//!
//! A library is its text; the functions come of running it once. Names of functions are unique among all libraries,
//! whatever their case; names of libraries differ by case. The collection changes as a whole or not at all:
//! [`Libraries::load`] and [`Libraries::restore`] check everything before they touch what there is.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::interpreter::{Callable, Interpreter, World};
use super::raw::{Entrance, Slot};
use super::{ScriptFlags, failure};
use crate::base::text;

/// What a text has registered.
pub(super) struct Registered {
    name: Vec<u8>,
    description: Option<Vec<u8>>,
    flags: ScriptFlags,
    callback: Slot,
}

/// The words of flags with their bits, for the prelude.
pub(super) fn flag_bits(lua: &Lua) -> mlua::Result<Table> {
    let bits = lua.create_table()?;
    for (word, flag) in ScriptFlags::WORDS {
        bits.raw_set(*word, flag.bits())?;
    }
    Ok(bits)
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

/// Reads the list that the prelude has made.
pub(super) fn registered(entrance: &Entrance, list: Value) -> mlua::Result<Vec<Registered>> {
    let Value::Table(list) = list else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in list.sequence_values::<Table>() {
        let entry = entry?;
        let callback: mlua::Function = entry.raw_get("callback")?;
        all.push(Registered {
            name: bytes(&entry.raw_get("name")?).unwrap_or_default(),
            description: bytes(&entry.raw_get("description")?),
            flags: ScriptFlags::from_bits(entry.raw_get::<u8>("flags")?),
            callback: entrance.keep(callback)?,
        });
    }
    Ok(all)
}

/// A function of a library.
pub struct Registration {
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// How it is called, and what it declares.
    pub callable: Rc<Callable>,
}

/// A library.
pub struct Library {
    /// The whole text, with its first line.
    pub code: Box<[u8]>,
    /// What it has registered, by name.
    pub functions: Vec<Registration>,
}

/// What happens to libraries that are there when others are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// They all go.
    Flush,
    /// They stay; one of the same name is an error.
    Append,
    /// Those of the same name go.
    Replace,
}

/// All libraries.
#[derive(Default)]
pub struct Libraries {
    libraries: BTreeMap<Box<[u8]>, Library>,
    /// By name in lower case.
    functions: HashMap<Box<[u8]>, Rc<Callable>>,
    bytes: usize,
}

/// The first line of a library: its name, and where the code begins.
fn metadata(text: &[u8]) -> Result<(Vec<u8>, usize), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Err(b"ERR Missing library metadata".to_vec());
    }
    let invalid = || b"ERR Invalid library metadata".to_vec();
    let end = text.iter().position(|&byte| byte == b'\n').ok_or_else(invalid)?;
    let words = text::split_arguments(&text[..end]).map_err(|_| invalid())?;
    let (engine, words) = words.split_first().ok_or_else(invalid)?;
    let mut name = None;
    for word in words {
        let Some(value) = word.get(..5).filter(|start| start.eq_ignore_ascii_case(b"name=")).map(|_| &word[5..]) else {
            return Err([b"ERR Invalid metadata value given: ", &word[..]].concat());
        };
        if name.replace(value.to_vec()).is_some() {
            return Err(b"ERR Invalid metadata value, name argument was given multiple times".to_vec());
        }
    }
    let name = name.ok_or_else(|| b"ERR Library name was not given".to_vec())?;
    if !is_name(&name) {
        return Err([b"ERR ", failure::BAD_NAME.as_bytes()].concat());
    }
    let engine = &engine[2..];
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"ERR Engine '", engine, b"' not found"].concat());
    }
    Ok((name, end))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A library that is not part of the collection yet.
struct Loaded {
    name: Box<[u8]>,
    library: Library,
}

fn load(interpreter: &Interpreter, text: &[u8]) -> Result<Loaded, Vec<u8>> {
    let (name, code) = metadata(text)?;
    let registered = interpreter.load(&text[code..])?;
    if registered.is_empty() {
        return Err(b"ERR No functions registered".to_vec());
    }
    let functions = registered.into_iter().map(|function| Registration {
        description: function.description,
        callable: Callable::new(&function.name, Some(function.flags), World::Functions, function.callback),
    });
    let mut functions: Vec<Registration> = functions.collect();
    functions.sort_by(|a, b| a.callable.name.cmp(&b.callable.name));
    Ok(Loaded { name: name.into(), library: Library { code: text.into(), functions } })
}

fn key(name: &[u8]) -> Box<[u8]> {
    name.to_ascii_lowercase().into()
}

fn is_there(library: &[u8]) -> Vec<u8> {
    [b"ERR Library '", library, b"' already exists"].concat()
}

impl Libraries {
    /// Loads a library. Gives its name, or what the client is told.
    pub(super) fn load(&mut self, interpreter: &Interpreter, text: &[u8], replace: bool) -> Result<Box<[u8]>, Vec<u8>> {
        let (name, _) = metadata(text)?;
        if !replace && self.libraries.contains_key(&name[..]) {
            return Err(is_there(&name));
        }
        let loaded = load(interpreter, text)?;
        self.check(std::slice::from_ref(&loaded), true)?;
        let name = loaded.name.clone();
        self.add(loaded);
        Ok(name)
    }

    /// Loads libraries by their texts, all or none of them. The error is what the client is told.
    pub(super) fn restore(&mut self, interpreter: &Interpreter, texts: &[Vec<u8>], restore: Restore) -> Result<(), Vec<u8>> {
        let mut all: Vec<Loaded> = Vec::new();
        for text in texts {
            let loaded = load(interpreter, text)?;
            if all.iter().any(|other| other.name == loaded.name) {
                return Err(is_there(&loaded.name));
            }
            all.push(loaded);
        }
        if restore == Restore::Flush {
            let mut fresh = Libraries::default();
            fresh.check(&all, false)?;
            all.into_iter().for_each(|loaded| fresh.add(loaded));
            *self = fresh;
            return Ok(());
        }
        if let Some(there) = all.iter().find(|loaded| restore == Restore::Append && self.libraries.contains_key(&loaded.name)) {
            return Err(exists("Library", &there.name));
        }
        self.check(&all, restore == Restore::Replace)?;
        all.into_iter().for_each(|loaded| self.add(loaded));
        Ok(())
    }

    /// Whether functions of new libraries have names of their own; those of libraries that are replaced do not count.
    fn check(&self, new: &[Loaded], replace: bool) -> Result<(), Vec<u8>> {
        let mut taken: HashMap<Box<[u8]>, ()> = HashMap::new();
        let stays = |name: &[u8]| !(replace && new.iter().any(|loaded| *loaded.name == *name));
        for (_, library) in self.libraries.iter().filter(|(name, _)| stays(name)) {
            taken.extend(library.functions.iter().map(|function| (key(&function.callable.name), ())));
        }
        for function in new.iter().flat_map(|loaded| &loaded.library.functions) {
            if taken.insert(key(&function.callable.name), ()).is_some() {
                return Err(exists("Function", &function.callable.name));
            }
        }
        Ok(())
    }

    fn add(&mut self, loaded: Loaded) {
        self.remove(&loaded.name);
        for function in &loaded.library.functions {
            self.functions.insert(key(&function.callable.name), Rc::clone(&function.callable));
        }
        self.bytes += bytes_of(&loaded.library);
        self.libraries.insert(loaded.name, loaded.library);
    }

    /// Removes a library. Gives whether there was one.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        self.bytes -= bytes_of(&library);
        for function in &library.functions {
            self.functions.remove(&key(&function.callable.name));
        }
        true
    }

    /// The function of that name, in any case.
    pub fn function(&self, name: &[u8]) -> Option<&Rc<Callable>> {
        self.functions.get(name).or_else(|| self.functions.get(&key(name)))
    }

    /// Every library with its name, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Library)> {
        self.libraries.iter().map(|(name, library)| (&**name, library))
    }

    /// How many libraries there are.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }

    /// How many functions there are.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Bytes of the texts and of what is known of the functions.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn bytes_of(library: &Library) -> usize {
    let function = |function: &Registration| function.callable.name.len() * 2 + size_of::<Callable>() + size_of::<Registration>();
    library.code.len() + size_of::<Library>() + library.functions.iter().map(function).sum::<usize>()
}

fn exists(what: &str, name: &[u8]) -> Vec<u8> {
    [b"ERR ", what.as_bytes(), b" ", name, b" already exists"].concat()
}

#[cfg(test)]
mod tests {
    use super::super::Scripts;
    use super::Restore;

    #[test]
    fn a_restore_that_fails_changes_nothing() {
        let text = |library: &str, function: &str| {
            format!("#!lua name={library}\nredis.register_function('{function}', function() return 1 end)").into_bytes()
        };
        let mut scripts = Scripts::new(1, "8.0.0");
        scripts.load_library(&text("old", "kept"), false).expect("loaded");
        for restore in [Restore::Flush, Restore::Append, Restore::Replace] {
            let mut refused = |texts: [Vec<u8>; 2]| {
                let error = scripts.restore_libraries(&texts, restore).expect_err("refused");
                assert!(scripts.libraries().function(b"kept").is_some() && scripts.libraries().len() == 1);
                String::from_utf8(error).expect("a text")
            };
            assert_eq!(refused([text("a", "f"), text("b", "F")]), "ERR Function F already exists");
            assert_eq!(refused([text("a", "f"), text("a", "g")]), "ERR Library 'a' already exists");
            assert_eq!(refused([text("a", "f"), b"nothing".to_vec()]), "ERR Missing library metadata");
        }
        scripts.restore_libraries(&[text("a", "f"), text("b", "g")], Restore::Flush).expect("restored");
        assert!(scripts.libraries().function(b"kept").is_none() && scripts.libraries().functions() == 2);
    }
}
