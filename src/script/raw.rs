//! The way into a script and out of it for a command, by Lua's own C interface: what every run takes.
//!
//! mlua keeps each value that it hands out in a place of its own and guards each call twice, which is right for what
//! happens seldom. A run of a script is one protected call of [`begin`], and `redis.call` is [`call`]; both move words
//! between Lua's stack and the lane's buffers and nothing else.
//!
//! The one danger is Lua's way of failing, a jump over whatever lies on the stack above the protected call. So
//! everything here that may fail, in want of memory or on purpose, does so with nothing on the stack that has to be
//! dropped: slices and numbers alone. What has to be dropped, a guard of a buffer or a text, is gone before.
//!
//! The functions of scripts stand in a table of the interpreter's, found by number ([`Slot`]).

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value, ffi};

use super::interpreter::World;
use super::lane::{Lane, Wish};
use crate::base::number;
use crate::resp::request::OwnedRequest;

/// A function's place in the interpreter. It is free for another once this is dropped.
pub(super) struct Slot {
    index: c_int,
    free: Rc<RefCell<Vec<c_int>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free.borrow_mut().push(self.index);
    }
}

/// How a run has ended.
pub(super) enum Ended {
    /// With nothing.
    Nil,
    /// With a boolean.
    Boolean(bool),
    /// With a number.
    Number(f64),
    /// With a text.
    Text(Box<[u8]>),
    /// With a table, or with what is no result.
    Other(Value),
    /// It has failed with this.
    Failed(Value),
}

/// What an interpreter needs for its runs. It must not outlive the interpreter.
pub(super) struct Entrance {
    lane: Rc<Lane>,
    state: *mut ffi::lua_State,
    /// In the registry: the handler of failures, [`begin`], the functions, the globals, and where results are left.
    handler: c_int,
    begin: c_int,
    functions: c_int,
    globals: c_int,
    results: c_int,
    function_table: Table,
    result_table: Table,
    world: World,
    free: Rc<RefCell<Vec<c_int>>>,
    used: Cell<c_int>,
}

/// What [`begin`] is told.
struct Job {
    lane: *const Lane,
    functions: c_int,
    function: c_int,
    globals: c_int,
    keys: usize,
    world: World,
}

/// A number for a value in the registry.
fn refer(lua: &Lua, value: impl mlua::IntoLuaMulti) -> mlua::Result<c_int> {
    // SAFETY: one value was pushed; it is taken off, and a number left instead.
    #[allow(unsafe_code)]
    unsafe {
        lua.exec_raw::<c_int>(value, |state| {
            let place = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            ffi::lua_pushnumber(state, f64::from(place));
        })
    }
}

/// `redis.call` of an interpreter, whose functions must not outlive the lane.
pub(super) fn call_function(lua: &Lua, lane: &Rc<Lane>) -> mlua::Result<Function> {
    let lane: *const Lane = &raw const **lane;
    // SAFETY: what is pushed is taken for the one upvalue of the closure that is left.
    #[allow(unsafe_code)]
    unsafe {
        lua.exec_raw::<Function>((), |state| {
            ffi::lua_pushlightuserdata(state, lane.cast_mut().cast::<c_void>());
            ffi::lua_pushcclosure(state, call, 1);
        })
    }
}

impl Entrance {
    /// For an interpreter with its world made: the handler of failures, and the table behind the globals.
    pub(super) fn new(lua: &Lua, lane: &Rc<Lane>, world: World, handler: Function, globals: Table) -> mlua::Result<Entrance> {
        let mut main = std::ptr::null_mut();
        // SAFETY: nothing is done but to note which stack it is.
        #[allow(unsafe_code)]
        let begin_function = unsafe {
            lua.exec_raw::<()>((), |state| main = state)?;
            lua.create_c_function(begin)?
        };
        let (function_table, result_table) = (lua.create_table()?, lua.create_table()?);
        // so that leaving a result there takes no memory
        result_table.raw_set(1, true)?;
        Ok(Entrance {
            lane: Rc::clone(lane),
            state: main,
            handler: refer(lua, handler)?,
            begin: refer(lua, begin_function)?,
            functions: refer(lua, function_table.clone())?,
            globals: refer(lua, globals)?,
            results: refer(lua, result_table.clone())?,
            function_table,
            result_table,
            world,
            free: Rc::default(),
            used: Cell::new(0),
        })
    }

    /// A place for a function.
    pub(super) fn keep(&self, function: Function) -> mlua::Result<Slot> {
        let free = self.free.borrow_mut().pop();
        let index = free.unwrap_or(self.used.get() + 1);
        self.used.set(self.used.get().max(index));
        let slot = Slot { index, free: Rc::clone(&self.free) };
        self.function_table.raw_set(index, function)?;
        Ok(slot)
    }

    /// Functions whose places are free leave the interpreter.
    pub(super) fn forget_dropped(&self) {
        for index in self.free.borrow().iter() {
            // an entry that is there is overwritten in place
            let _ = self.function_table.raw_set(*index, false);
        }
    }

    /// Has the next run stop at its lines.
    pub(super) fn hook(&self) {
        super::inspect::hook(self.state);
    }

    /// Runs a function, with the words in the lane's buffer: so many keys, and arguments.
    pub(super) fn run(&self, slot: &Slot, keys: usize) -> Ended {
        let job = Job {
            lane: &raw const *self.lane,
            functions: self.functions,
            function: slot.index,
            globals: self.globals,
            keys,
            world: self.world,
        };
        let state = self.state;
        // SAFETY: the state is the interpreter's own, in which nothing runs. Five values at most are pushed, for which
        // Lua promises room, and none of it takes memory outside of the protected call; all of them are taken off. The
        // job outlives the call.
        #[allow(unsafe_code)]
        unsafe {
            let top = ffi::lua_gettop(state);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.handler);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.begin);
            ffi::lua_pushlightuserdata(state, (&raw const job).cast_mut().cast::<c_void>());
            let status = ffi::lua_pcall(state, 1, 1, top + 1);
            let ended = match ffi::lua_type(state, -1) {
                _ if status != 0 => Ended::Failed(self.take(state)),
                ffi::LUA_TNIL => Ended::Nil,
                ffi::LUA_TBOOLEAN => Ended::Boolean(ffi::lua_toboolean(state, -1) != 0),
                ffi::LUA_TNUMBER => Ended::Number(ffi::lua_tonumber(state, -1)),
                ffi::LUA_TSTRING => Ended::Text(text_at(state, -1).into()),
                _ => Ended::Other(self.take(state)),
            };
            ffi::lua_settop(state, top);
            ended
        }
    }

    /// The value on top of the stack, for mlua.
    #[allow(unsafe_code)]
    unsafe fn take(&self, state: *mut ffi::lua_State) -> Value {
        // SAFETY: two values are pushed and taken off; the entry is there, so that it takes no memory to set it.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.results);
            ffi::lua_pushvalue(state, -2);
            ffi::lua_rawseti_(state, -2, 1);
            ffi::lua_settop(state, -2);
        }
        let value = self.result_table.raw_get(1).unwrap_or(Value::Nil);
        // what is not held there can be collected
        let _ = self.result_table.raw_set(1, true);
        value
    }
}

/// The string at an index, which is one.
#[allow(unsafe_code)]
pub(super) unsafe fn text_at<'a>(state: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: a string is not moved, and stays as long as it is on the stack; the callers look at it no longer.
    unsafe {
        let start = ffi::lua_tolstring(state, index, &raw mut length);
        std::slice::from_raw_parts(start.cast::<u8>(), length)
    }
}

#[allow(unsafe_code)]
pub(super) unsafe fn push_text(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: Lua copies so many bytes from there. Room on the stack is the callers' business.
    unsafe { ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len()) };
}

/// A table's capacity: what is too much for Lua it will grow to.
fn capacity(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// A table of words. The pointer to them is good as long as the lane's buffer is left alone.
#[allow(unsafe_code)]
unsafe fn push_words<'a>(state: *mut ffi::lua_State, words: impl ExactSizeIterator<Item = &'a [u8]>) {
    // SAFETY: two places of the stack are used; the iterator holds references alone.
    unsafe {
        ffi::lua_createtable(state, capacity(words.len()), 0);
        for (at, word) in words.enumerate() {
            push_text(state, word);
            ffi::lua_rawseti_(state, -2, capacity(at + 1));
        }
    }
}

/// Makes the tables of keys and arguments and calls the function.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn begin(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `run` gives a job that outlives this call, and the lane outlives the interpreter. The buffer's words are
    // referred to past their guard because a failure jumps over it; nobody else has the buffer until the function is
    // called, and then they are used no more. Nothing that has to be dropped is on the stack.
    unsafe {
        let job = &*ffi::lua_touserdata(state, 1).cast::<Job>();
        let request: *const OwnedRequest = (*job.lane).request.as_ptr();
        let words = (*request).args();
        push_words(state, words.slice(0..job.keys).iter());
        push_words(state, words.from(job.keys).iter());
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, job.functions);
        ffi::lua_rawgeti_(state, -1, job.function);
        if job.world == World::Functions {
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushvalue(state, 3);
            ffi::lua_call(state, 2, 1);
            return 1;
        }
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, job.globals);
        ffi::lua_pushvalue(state, 2);
        ffi::lua_setfield(state, -2, c"KEYS".as_ptr());
        ffi::lua_pushvalue(state, 3);
        ffi::lua_setfield(state, -2, c"ARGV".as_ptr());
        ffi::lua_settop(state, -2);
        ffi::lua_call(state, 0, 1);
        1
    }
}

/// redis.call.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the upvalue is the lane, which outlives the interpreter. The reply is referred to past its guard because
    // a failure jumps over it; nothing writes into the buffer before the next command.
    unsafe {
        let lane = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Lane>();
        if let Err(text) = fill(state, lane) {
            lane.debugger
                .borrow_mut()
                .iter_mut()
                .filter(|debugger| debugger.shows_commands())
                .for_each(|debugger| debugger.say_error(text.as_bytes()));
            return fail(state, text.as_bytes(), false);
        }
        lane.ask(Wish::Call);
        // the words have been copied; as many as fit the stack leave no room for the reply
        ffi::lua_settop(state, 0);
        let reply: *const Vec<u8> = lane.reply.as_ptr();
        let reply = (*reply).as_slice();
        if let Some(text) = reply.strip_prefix(b"-") {
            return fail(state, text.strip_suffix(b"\r\n").unwrap_or(text), true);
        }
        let mut taker = Taker { state, rest: reply };
        taker.next();
        1
    }
}

/// Puts the words of a command into the lane's buffer.
#[allow(unsafe_code)]
unsafe fn fill(state: *mut ffi::lua_State, lane: &Lane) -> Result<(), &'static str> {
    if !lane.is_taken() {
        return Err("ERR redis.call/pcall can only be called inside a script invocation");
    }
    // SAFETY: the words are looked at one by one while they are on the stack, and nothing here fails Lua's way.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count == 0 {
            return Err("ERR Please specify at least one argument for this redis lib call");
        }
        let mut request = lane.request.borrow_mut();
        request.clear();
        for index in 1..=count {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => request.push(text_at(state, index)),
                ffi::LUA_TNUMBER => push_number(&mut request, ffi::lua_tonumber(state, index)),
                _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
            }
        }
    }
    Ok(())
}

/// A number as a word of a command.
pub(super) fn push_number(request: &mut OwnedRequest, number: f64) {
    let mut text = Vec::with_capacity(24);
    if number.is_nan() && number.is_sign_negative() {
        text.push(b'-');
    }
    number::write_f64(&mut text, number);
    request.push(&text);
}

/// Raises a table with an error's text, and whether that was counted.
#[allow(unsafe_code)]
pub(super) unsafe fn fail(state: *mut ffi::lua_State, text: &[u8], counted: bool) -> c_int {
    // SAFETY: a C function has room for twenty values; there is nothing to be dropped on the stack.
    unsafe {
        ffi::luaL_checkstack(state, 4, std::ptr::null());
        ffi::lua_createtable(state, 0, 2);
        push_text(state, text);
        ffi::lua_setfield(state, -2, c"err".as_ptr());
        if counted {
            ffi::lua_pushboolean(state, 1);
            ffi::lua_setfield(state, -2, c"ignore_error_stats_update".as_ptr());
        }
        ffi::lua_error(state)
    }
}

/// A reader of one reply, which pushes its value. Errors and statuses are tables with `err` and `ok`.
///
/// The bytes are replies that this very process has written, whole and well-formed, so nothing is doubted but what
/// would be a bug: a reply that ends early gives nil. They nest no deeper than our commands' replies do.
struct Taker<'a> {
    state: *mut ffi::lua_State,
    rest: &'a [u8],
}

impl<'a> Taker<'a> {
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    /// The length that a line announces; `None` for null.
    fn length(line: &[u8]) -> Option<usize> {
        number::parse_i64(line).and_then(|length| usize::try_from(length).ok())
    }

    fn bulk(&mut self, length: usize) -> &'a [u8] {
        let text = self.rest.get(..length).unwrap_or_default();
        self.rest = self.rest.get(length + 2..).unwrap_or_default();
        text
    }

    /// Pushes the next value.
    #[allow(unsafe_code)]
    unsafe fn next(&mut self) {
        let state = self.state;
        // SAFETY: room is asked for on each level, three values at most are pushed beside the one that stays, and there
        // is nothing to be dropped on the stack.
        unsafe {
            ffi::luaL_checkstack(state, 4, std::ptr::null());
            let line = self.line();
            let Some((&kind, line)) = line.split_first() else { return ffi::lua_pushnil(state) };
            match kind {
                // Lua has no integers: what is beyond 2^53 is rounded
                b':' => ffi::lua_pushnumber(state, number::parse_i64(line).unwrap_or(0) as f64),
                b'$' | b'*' | b'>' => match (Self::length(line), kind) {
                    (None, _) => ffi::lua_pushboolean(state, 0),
                    (Some(length), b'$') => {
                        let text = self.bulk(length);
                        push_text(state, text);
                    }
                    (Some(length), _) => self.array(length),
                },
                b'+' | b'-' | b'(' => {
                    ffi::lua_createtable(state, 0, 1);
                    push_text(state, line);
                    let name = match kind {
                        b'+' => c"ok",
                        b'-' => c"err",
                        _ => c"big_number",
                    };
                    ffi::lua_setfield(state, -2, name.as_ptr());
                }
                b'#' => ffi::lua_pushboolean(state, c_int::from(line == b"t")),
                b',' => {
                    let double = number::parse_f64_or_nan(line).unwrap_or(f64::NAN);
                    ffi::lua_createtable(state, 0, 1);
                    ffi::lua_pushnumber(state, double);
                    ffi::lua_setfield(state, -2, c"double".as_ptr());
                }
                b'=' => self.verbatim(Self::length(line).unwrap_or(0)),
                b'%' => self.entries(Self::length(line).unwrap_or(0), true),
                b'~' => self.entries(Self::length(line).unwrap_or(0), false),
                b'|' => {
                    for _ in 0..Self::length(line).unwrap_or(0) * 2 {
                        self.next();
                        ffi::lua_settop(state, -2);
                    }
                    self.next();
                }
                _ => ffi::lua_pushnil(state),
            }
        }
    }

    #[allow(unsafe_code)]
    unsafe fn array(&mut self, length: usize) {
        // SAFETY: as in `next`.
        unsafe {
            ffi::lua_createtable(self.state, capacity(length), 0);
            for at in 1..=length {
                self.next();
                ffi::lua_rawseti_(self.state, -2, capacity(at));
            }
        }
    }

    /// A map or a set, in a table with its name.
    #[allow(unsafe_code)]
    unsafe fn entries(&mut self, length: usize, is_map: bool) {
        let state = self.state;
        // SAFETY: as in `next`.
        unsafe {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_createtable(state, 0, capacity(length));
            for _ in 0..length {
                self.next();
                if is_map {
                    self.next();
                } else {
                    ffi::lua_pushboolean(state, 1);
                }
                if ffi::lua_type(state, -2) == ffi::LUA_TNIL {
                    // no key of a table
                    ffi::lua_settop(state, -3);
                } else {
                    ffi::lua_rawset(state, -3);
                }
            }
            ffi::lua_setfield(state, -2, if is_map { c"map" } else { c"set" }.as_ptr());
        }
    }

    #[allow(unsafe_code)]
    unsafe fn verbatim(&mut self, length: usize) {
        let text = self.bulk(length);
        let state = self.state;
        // SAFETY: as in `next`.
        unsafe {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_createtable(state, 0, 2);
            push_text(state, text.get(..3).unwrap_or_default());
            ffi::lua_setfield(state, -2, c"format".as_ptr());
            push_text(state, text.get(4..).unwrap_or_default());
            ffi::lua_setfield(state, -2, c"string".as_ptr());
            ffi::lua_setfield(state, -2, c"verbatim_string".as_ptr());
        }
    }
}
