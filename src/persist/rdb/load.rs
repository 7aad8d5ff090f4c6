//! A whole file, as it is read.
//!
//! Keys go into the databases as they come; an error leaves what was read so far, and the caller decides
//! whether that is the end (at the start) or the data is thrown away (a full resync).
//!
//! A key goes into the table some keys after it was read: by then its place is in the processor's cache, and so was,
//! some keys before, the word of the table's directory that leads there. Waiting for both was more than a third of the
//! time. How many keys a file says it holds only decides how large the table's segments are made: nothing is
//! reserved for a promise.
//!
//! A [`Loader`] reads in slices: it stops when it is told that it was enough, or when a fed input has no more for
//! now, and goes on where it was, within a collection too.

use std::collections::VecDeque;

use super::input::Input;
use super::read_value::{self, Begun, Growing, Shapes, module_name};
use super::{LoadError, VALKEY_VERSION, can_read, opcodes, save, types};
use crate::base::clock::Millis;
use crate::keyspace::entry::Entry;
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::types::Value;

/// What becomes of keys whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// They are left out: this server decides about its keys.
    Drop,
    /// They are loaded: a primary decides.
    Keep,
}

/// What becomes of a key that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// It is an error: the file is damaged.
    Refuse,
    /// The one of the file takes its place.
    Replace,
}

/// How to load.
pub struct Plan<'p> {
    /// Shapes of values.
    pub shapes: Shapes,
    /// Keys whose deadline has passed.
    pub overdue: Overdue,
    /// Keys that are there already.
    pub twice: Twice,
    /// Whether a newer version than known is tried.
    pub relaxed: bool,
    /// As for saving, for tests.
    pub key_delay: i32,
    /// Told now and then how many bytes were read and how many keys were loaded; says whether that is enough for now.
    pub pulse: &'p mut dyn FnMut(u64, u64) -> Pace,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Yes.
    GoOn,
    /// Not now.
    Enough,
}

/// Why a [`Loader`] has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything is loaded, and the checksum was right.
    Done,
    /// It was enough for now.
    Paused,
    /// More has to come first.
    Starved,
}

/// What a file held beside its keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The version of the format.
    pub version: u32,
    /// Keys that were loaded.
    pub keys: u64,
    /// Keys left out because their deadline had passed.
    pub expired: u64,
    /// Keys left out because their collection had no elements.
    pub empty: u64,
    /// Aux fields, in order.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// The code of function libraries.
    pub functions: Vec<Vec<u8>>,
    /// What was passed over, for the log.
    pub skipped: Vec<String>,
}

impl Loaded {
    /// The text of an aux field.
    pub fn aux(&self, name: &str) -> Option<&[u8]> {
        self.aux.iter().find(|(other, _)| other == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// An aux field that is a number.
    pub fn aux_number(&self, name: &str) -> Option<i64> {
        crate::base::number::parse_i64(self.aux(name)?)
    }

    fn skip(&mut self, what: String) {
        // a file may hold any number of such
        if self.skipped.len() < limits::KEYS_NAMED {
            self.skipped.push(what);
        }
    }
}

/// What is known of the next key before its type.
#[derive(Default)]
struct Ahead {
    deadline: Option<Millis>,
    idle: Option<u64>,
    frequency: Option<u8>,
}

/// Reads a file up to the end of its checksum.
pub fn load(input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>) -> Result<Loaded, LoadError> {
    let mut loader = Loader::default();
    loop {
        match loader.advance(input, space, plan)? {
            Step::Done => return Ok(loader.loaded),
            Step::Paused => {}
            Step::Starved => return Err(LoadError::Truncated),
        }
    }
}

/// A file that is being loaded. See the module's essay.
#[derive(Default)]
pub struct Loader {
    /// What it has held so far.
    pub loaded: Loaded,
    db: DbIndex,
    ahead: Ahead,
    key: Vec<u8>,
    text: Vec<u8>,
    /// The value of the key, while it is read element by element.
    growing: Option<Growing>,
    items: u64,
    done: bool,
    /// Keys whose places in the table are on their way to the processor.
    coming: VecDeque<(DbIndex, u64, Entry)>,
}

impl Loader {
    /// Whether it has come to the end.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Reads on. After an error or the end it is done with.
    pub fn advance(&mut self, input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>) -> Result<Step, LoadError> {
        let step = self.read_on(input, space, plan);
        // between slices everything that was read is there
        let settled = self.settle(space, plan, 0);
        if step != Ok(Step::Paused) && step != Ok(Step::Starved) {
            space.end_load();
        }
        let step = step?;
        settled?;
        (plan.pulse)(input.consumed(), self.loaded.keys);
        Ok(step)
    }

    fn read_on(&mut self, input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>) -> Result<Step, LoadError> {
        if self.done {
            // whatever follows the end does not belong to it
            return Ok(Step::Done);
        }
        if !input.is_worth_a_try() {
            return Ok(Step::Starved);
        }
        // a delay is for tests that want to see the pauses
        let between = if plan.key_delay == 0 { limits::LOAD_PULSE } else { 1 };
        loop {
            input.mark();
            match self.item(input, space, plan) {
                Ok(true) => {
                    self.done = true;
                    return Ok(Step::Done);
                }
                Ok(false) => {}
                Err(LoadError::Truncated) if input.rewind() => return Ok(Step::Starved),
                Err(error) => return Err(error),
            }
            self.items += 1;
            if self.items.is_multiple_of(between) && (plan.pulse)(input.consumed(), self.loaded.keys) == Pace::Enough {
                return Ok(Step::Paused);
            }
        }
    }

    /// One thing of those that stand in a file one after the other; `true` if it was the last.
    fn item(&mut self, input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>) -> Result<bool, LoadError> {
        if self.growing.is_some() {
            self.grow_key(input, space, plan)?;
            return Ok(false);
        }
        let Loader { loaded, db, ahead, key, .. } = self;
        if loaded.version == 0 {
            loaded.version = read_version(input, plan.relaxed)?;
            return Ok(false);
        }
        match input.byte()? {
            opcodes::END => {
                check_sum(input, loaded.version)?;
                return Ok(true);
            }
            opcodes::SELECT => *db = select(input, space)?,
            opcodes::RESIZE => {
                let keys = input.length()?;
                space.expect_load(*db, usize::try_from(keys).unwrap_or(usize::MAX));
                // how many of them have a deadline
                input.length()?;
            }
            opcodes::EXPIRE_MILLIS => ahead.deadline = Some(Millis(input.millis()?)),
            opcodes::EXPIRE_SECONDS => {
                ahead.deadline = Some(Millis(i64::from(i32::from_le_bytes(input.array()?)) * 1000));
            }
            opcodes::IDLE => ahead.idle = Some(input.length()?),
            opcodes::FREQUENCY => ahead.frequency = Some(input.byte()?),
            opcodes::AUX => {
                let field = (input.owned_string()?, input.owned_string()?);
                loaded.aux.push(field);
            }
            opcodes::FUNCTION => loaded.functions.push(input.owned_string()?),
            opcodes::FUNCTION_EARLY => return Err(LoadError::Unsupported("a function of a release candidate of Redis 7.0".into())),
            opcodes::MODULE_AUX => skip_module_aux(input, loaded)?,
            opcodes::SLOT_INFO => skip_lengths(input, 3)?,
            opcodes::SLOT_IMPORT => {
                input.owned_string()?;
                let ranges = input.length()?;
                skip_lengths(input, ranges.saturating_mul(2))?;
                loaded.skip("skipping the state of a slot's import".into());
            }
            type_byte => {
                input.string(key)?;
                self.begin_key(input, space, plan, type_byte)?;
            }
        }
        Ok(false)
    }

    /// The value of a key, or where it begins: one that grows is gone on with as the next item.
    fn begin_key(&mut self, input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>, type_byte: u8) -> Result<(), LoadError> {
        if type_byte > types::HASH_LISTPACK_DEADLINES {
            return Err(LoadError::corrupt(format!("unknown opcode or type: {type_byte}")));
        }
        match read_value::begin(input, type_byte, self.loaded.version, &plan.shapes, &mut self.text) {
            Ok(Begun::Text) => self.add_key(space, plan, None),
            Ok(Begun::Whole(value)) => self.add_key(space, plan, Some(value)),
            Ok(Begun::Growing(growing)) => {
                self.growing = Some(growing);
                Ok(())
            }
            Err(error) => self.refuse_key(error),
        }
    }

    /// The next step of a value that grows.
    fn grow_key(&mut self, input: &mut Input<'_>, space: &mut Keyspace, plan: &mut Plan<'_>) -> Result<(), LoadError> {
        let Some(growing) = &mut self.growing else { return Ok(()) };
        match growing.step(input, &plan.shapes, &mut self.text) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => return self.refuse_key(error),
        }
        let Some(growing) = self.growing.take() else { return Ok(()) };
        match growing.finish(&plan.shapes) {
            Ok(value) => self.add_key(space, plan, Some(value)),
            Err(error) => self.refuse_key(error),
        }
    }

    /// A key whose value was not read: it is passed over, or that is the end.
    #[cold]
    fn refuse_key(&mut self, error: LoadError) -> Result<(), LoadError> {
        match error {
            LoadError::Empty => {
                self.ahead = Ahead::default();
                self.loaded.empty += 1;
                self.loaded.skip(format!("skipping empty key: {}", String::from_utf8_lossy(&self.key)));
                Ok(())
            }
            LoadError::Truncated => Err(LoadError::Truncated),
            error => Err(in_key(error, &self.key)),
        }
    }

    fn add_key(&mut self, space: &mut Keyspace, plan: &mut Plan<'_>, value: Option<Value>) -> Result<(), LoadError> {
        let Loader { loaded, db, key, text, .. } = self;
        let ahead = std::mem::take(&mut self.ahead);
        if plan.overdue == Overdue::Drop && ahead.deadline.is_some_and(|deadline| deadline < space.now) {
            loaded.expired += 1;
            // replicas that go on have it still
            space.effects.propagate(*db, &[b"DEL", key]);
            if let Some(value) = value {
                space.dispose_value(value);
            }
            return Ok(());
        }
        let heat = match (ahead.frequency, ahead.idle) {
            (Some(frequency), _) if space.heat.counts => space.heat.from_frequency(u32::from(frequency)),
            (_, Some(idle)) if !space.heat.counts => space.heat.from_idle(u32::try_from(idle).unwrap_or(u32::MAX)),
            _ => space.heat.fresh(),
        };
        let hash = space.prepare_load(self.db, key);
        self.coming.push_back((self.db, hash, read_value::entry(key, ahead.deadline, heat, value, text)));
        loaded.keys += 1;
        if plan.key_delay != 0 {
            save::delay(plan.key_delay, loaded.keys);
        }
        if let Some((db, hash, _)) = self.coming.len().checked_sub(limits::LOAD_WORD_LEAD).and_then(|at| self.coming.get(at)) {
            space.prefetch_load(*db, *hash);
        }
        self.settle(space, plan, limits::LOAD_LEAD)
    }

    /// Puts keys into the table until no more than `left` are on their way.
    fn settle(&mut self, space: &mut Keyspace, plan: &Plan<'_>, left: usize) -> Result<(), LoadError> {
        while self.coming.len() > left
            && let Some((db, hash, entry)) = self.coming.pop_front()
        {
            if plan.twice == Twice::Replace {
                space.unload(db, entry.get().key());
            }
            let key = if space.has(db, hash, entry.get().key()) { Some(entry.get().key().to_vec()) } else { None };
            if let Some(key) = key {
                return Err(in_key(LoadError::corrupt("the key is there twice"), &key));
            }
            space.load(db, hash, entry);
        }
        Ok(())
    }
}

fn read_version(input: &mut Input<'_>, relaxed: bool) -> Result<u32, LoadError> {
    let head: [u8; 9] = input.array()?;
    let (digits, valkey) = match (head.strip_prefix(b"REDIS"), head.strip_prefix(b"VALKEY")) {
        (Some(digits), _) => (digits, false),
        (_, Some(digits)) => (digits, true),
        _ => return Err(LoadError::corrupt("Wrong signature trying to load DB from file")),
    };
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    let known = can_read(number) && valkey == (number == VALKEY_VERSION);
    if known || relaxed && number > 0 {
        Ok(number)
    } else {
        Err(LoadError::Unsupported(format!("Can't handle RDB format version {number}")))
    }
}

fn select(input: &mut Input<'_>, space: &Keyspace) -> Result<DbIndex, LoadError> {
    let count = space.databases().len();
    let index = u32::try_from(input.length()?).ok().map(DbIndex).filter(|index| index.at() < count);
    index.ok_or_else(|| {
        LoadError::Unsupported(format!(
            "Data file was created with a server configured to handle more than {count} databases: raise 'databases'"
        ))
    })
}

fn skip_lengths(input: &mut Input<'_>, count: u64) -> Result<(), LoadError> {
    (0..count).try_for_each(|_| input.length().map(|_| ()))
}

/// Passes over what a module has written beside its keys: numbers, each with its kind before it.
fn skip_module_aux(input: &mut Input<'_>, loaded: &mut Loaded) -> Result<(), LoadError> {
    let name = module_name(input.length()?);
    skip_lengths(input, 2)?;
    loop {
        match input.length()? {
            0 => break,
            1 | 2 => skip_lengths(input, 1)?,
            3 => input.array::<4>().map(|_| ())?,
            4 => input.array::<8>().map(|_| ())?,
            5 => input.owned_string().map(|_| ())?,
            _ => return Err(LoadError::corrupt("damaged data of a module")),
        }
    }
    loaded.skip(format!("skipping data of the module '{name}': this server has no modules"));
    Ok(())
}

/// The error, with the key it came up in.
fn in_key(error: LoadError, key: &[u8]) -> LoadError {
    let key = String::from_utf8_lossy(&key[..key.len().min(128)]).into_owned();
    match error {
        LoadError::Corrupt(why) => LoadError::corrupt(format!("{why} (key '{key}')")),
        LoadError::Unsupported(what) => LoadError::Unsupported(format!("the key '{key}' holds {what}")),
        other => other,
    }
}

/// Versions below 5 have no checksum; one of zeros says that none was made.
fn check_sum(input: &mut Input<'_>, version: u32) -> Result<(), LoadError> {
    if version < 5 {
        return Ok(());
    }
    // what is not there yet must not be summed up to
    input.need(8)?;
    let sum = input.checksum();
    let stored = u64::from_le_bytes(input.array()?);
    match sum {
        Some(sum) if stored != 0 && stored != sum => {
            Err(LoadError::corrupt(format!("RDB CRC error: Wrong RDB checksum expected: ({stored:x}) but got ({sum:x})")))
        }
        _ => Ok(()),
    }
}
