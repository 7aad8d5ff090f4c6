//! A look into a script that stands: the hook that a debugger stops it by, and what shows its variables and its stack.
//!
//! The hook is called by Lua before each line. What it does there, it does on the script's own stack, so that its user
//! can evaluate code that calls commands in turn. All that asks Lua for memory is done in a protected call of its own
//! ([`act`]): whatever fails there ends in a line for the user, not in the script.
//!
//! As in [`super::raw`], Lua fails by a jump: nothing that has to be dropped is on the stack of what may fail. The line in
//! the making belongs to the [`Debugger`] for that reason, and is borrowed for no longer than a part is added.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;

use mlua::{Function, Lua, ffi};

use super::debugger::{Asked, Debugger};
use super::lane::{Answer, Lane, Wish};
use super::raw::{fail, push_text, text_at};
use crate::base::text::write_quoted;
use crate::limits;

/// Tables that are shown within each other.
const DEPTH: usize = 10;
/// Places of Lua's stack that showing a value takes.
const ROOM: c_int = 64;
/// The source of scripts, as Lua shows it.
const SCRIPT: &[u8] = b"user_script";

pub(super) const KILLED: &[u8] = b"ERR Script killed by user with SCRIPT KILL...";

const ENDLESS: &[u8] = b"ERR timeout reached, infinite loop?";

/// Where the registry has the lane: the address is the key.
static LANE: u8 = 0;
/// Where it has the function that evaluates code.
static ATTEMPT: u8 = 0x45;

fn key_of(place: &'static u8) -> *mut c_void {
    (&raw const *place).cast_mut().cast()
}

/// Makes an interpreter ready for a debugger. `attempt` gives for a text of code whether it ran, and its value or why not.
pub(super) fn prepare(lua: &Lua, lane: &Rc<Lane>, attempt: Function) -> mlua::Result<()> {
    let lane: *const Lane = &raw const **lane;
    // SAFETY: the one value that was pushed goes into the registry, under an address that is nobody else's.
    #[allow(unsafe_code)]
    unsafe {
        lua.exec_raw::<()>(attempt, |state| {
            ffi::lua_pushlightuserdata(state, key_of(&ATTEMPT));
            ffi::lua_pushvalue(state, -2);
            ffi::lua_rawset(state, ffi::LUA_REGISTRYINDEX);
            ffi::lua_pushlightuserdata(state, key_of(&LANE));
            ffi::lua_pushlightuserdata(state, lane.cast_mut().cast());
            ffi::lua_rawset(state, ffi::LUA_REGISTRYINDEX);
            ffi::lua_settop(state, 0);
        })
    }
}

/// Has a script that is started next stop at its lines. It lasts until another hook takes the place.
#[allow(unsafe_code)]
pub(super) fn hook(state: *mut ffi::lua_State) {
    let every = c_int::try_from(limits::SCRIPT_STEPS).unwrap_or(c_int::MAX);
    // SAFETY: the state is the interpreter's own; the hook finds the lane in its registry.
    unsafe { ffi::lua_sethook(state, Some(on_event), ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT, every) };
}

/// `redis.debug`, whose functions must not outlive the lane.
pub(super) fn debug_function(lua: &Lua, lane: &Rc<Lane>) -> mlua::Result<Function> {
    let lane: *const Lane = &raw const **lane;
    // SAFETY: what is pushed is taken for the one upvalue of the closure that is left.
    #[allow(unsafe_code)]
    unsafe {
        lua.exec_raw::<Function>((), |state| {
            ffi::lua_pushlightuserdata(state, lane.cast_mut().cast());
            ffi::lua_pushcclosure(state, debug, 1);
        })
    }
}

fn with<R>(lane: &Lane, work: impl FnOnce(&mut Debugger) -> R) -> Option<R> {
    lane.debugger.borrow_mut().as_mut().map(work)
}

fn speak(lane: &Lane, part: &[u8]) {
    with(lane, |debugger| debugger.speak(part));
}

/// How a stop has ended.
enum Resumed {
    GoesOn,
    Fails(&'static [u8]),
}

/// Lua's hook: a line is reached, or so many steps were done.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_event(state: *mut ffi::lua_State, ar: *mut ffi::lua_Debug) {
    // SAFETY: Lua gives a state with room for twenty values and a description that is its own; the lane outlives the
    // interpreter. Nothing that has to be dropped is here when a failure is raised.
    unsafe {
        ffi::lua_pushlightuserdata(state, key_of(&LANE));
        ffi::lua_rawget(state, ffi::LUA_REGISTRYINDEX);
        let lane = ffi::lua_touserdata(state, -1).cast::<Lane>();
        ffi::lua_settop(state, -2);
        let Some(lane) = lane.as_ref().filter(|lane| lane.is_taken()) else { return };
        if (*ar).event == ffi::LUA_HOOKCOUNT && !lane.ends.get() {
            match lane.ask(Wish::Clock) {
                Answer::End => lane.ends.set(true),
                Answer::Stop if with(lane, |debugger| debugger.is_evaluating()) == Some(true) => {
                    // whatever the code does to catch this, it comes again at its next step
                    ffi::lua_sethook(state, Some(on_event), ffi::LUA_MASKCOUNT, 1);
                    fail(state, ENDLESS, false);
                }
                Answer::Stop => drop(with(lane, Debugger::tire)),
                _ => {}
            }
        }
        if lane.ends.get() {
            fail(state, KILLED, false);
        }
        if (*ar).event != ffi::LUA_HOOKLINE || ffi::lua_getinfo(state, c"Sl".as_ptr(), ar) == 0 || !is_script(&*ar) {
            return;
        }
        let line = usize::try_from((*ar).currentline).unwrap_or(0);
        if with(lane, |debugger| debugger.reach(line)) == Some(true)
            && let Resumed::Fails(text) = converse(state, lane)
        {
            fail(state, text, false);
        }
    }
}

#[allow(unsafe_code)]
fn is_script(ar: &ffi::lua_Debug) -> bool {
    // SAFETY: Lua has written a text that ends within the array.
    unsafe { CStr::from_ptr(ar.short_src.as_ptr()) }.to_bytes() == SCRIPT
}

/// Does what the user asks for until the script is to go on.
fn converse(state: *mut ffi::lua_State, lane: &Lane) -> Resumed {
    loop {
        match lane.ask(Wish::Console) {
            Answer::Gone => {
                let tired = with(lane, Debugger::desert).unwrap_or(false);
                // nobody would ever end it
                return if tired {
                    Resumed::Fails(b"ERR timeout during Lua debugging with client closing connection")
                } else {
                    Resumed::GoesOn
                };
            }
            Answer::End => {
                lane.ends.set(true);
                return Resumed::Fails(KILLED);
            }
            _ => {}
        }
        let asked = with(lane, |debugger| debugger.command(lane.request.borrow().args()));
        match asked.unwrap_or(Asked::GoOn) {
            Asked::Nothing => {}
            Asked::GoOn => return Resumed::GoesOn,
            Asked::Abort => return Resumed::Fails(b"ERR script aborted for user request"),
            Asked::Command => {
                lane.request.borrow_mut().drop_first();
                with(lane, |debugger| debugger.show_commands(true));
                lane.ask(Wish::Call);
                with(lane, |debugger| debugger.show_commands(false));
            }
            asked => protect(state, lane, asked),
        }
    }
}

/// What [`act`] is told.
struct Job<'a> {
    lane: &'a Lane,
    asked: Asked,
}

/// Looks into the script in a protected call.
#[allow(unsafe_code)]
fn protect(state: *mut ffi::lua_State, lane: &Lane, asked: Asked) {
    let job = Job { lane, asked };
    // SAFETY: the job outlives the call, which leaves nothing on the stack but a failure that is taken off.
    unsafe {
        if ffi::lua_cpcall(state, act, (&raw const job).cast_mut().cast()) != 0 {
            ffi::lua_settop(state, -2);
            with(lane, |debugger| {
                debugger.speak(b"<error> this cannot be shown");
                debugger.end_speech();
            });
        }
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn act(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `protect` gives a job that outlives this call; it is only referred to.
    unsafe {
        let job = &*ffi::lua_touserdata(state, 1).cast::<Job<'_>>();
        ffi::luaL_checkstack(state, ROOM, std::ptr::null());
        match &job.asked {
            Asked::Print(None) => print_all(state, job.lane),
            Asked::Print(Some(name)) => print(state, job.lane, name),
            Asked::Trace => trace(state, job.lane),
            Asked::Evaluate(code) => evaluate(state, job.lane, code),
            _ => {}
        }
        0
    }
}

fn blank() -> ffi::lua_Debug {
    // SAFETY: numbers and pointers, for all of which zero is a value.
    #[allow(unsafe_code)]
    unsafe {
        std::mem::zeroed()
    }
}

/// Shows the value on top of the stack as a line, and takes it off.
#[allow(unsafe_code)]
unsafe fn show(state: *mut ffi::lua_State, lane: &Lane, before: &[u8], name: &[u8]) {
    // SAFETY: as in `value`.
    unsafe {
        speak(lane, before);
        if !name.is_empty() {
            speak(lane, name);
            speak(lane, b" = ");
        }
        value(state, lane, 0);
        ffi::lua_settop(state, -2);
        with(lane, Debugger::end_speech);
    }
}

/// The local variables of the innermost function, which is the first below this one.
#[allow(unsafe_code)]
unsafe fn print_all(state: *mut ffi::lua_State, lane: &Lane) {
    // SAFETY: a variable's value is pushed with its name and taken off; the name lives as long as its function.
    unsafe {
        let mut ar = blank();
        let mut any = false;
        if ffi::lua_getstack(state, 1, &raw mut ar) != 0 {
            for number in 1.. {
                let name = ffi::lua_getlocal(state, &raw const ar, number);
                if name.is_null() {
                    break;
                }
                let name = CStr::from_ptr(name).to_bytes();
                if name == b"(*temporary)" {
                    ffi::lua_settop(state, -2);
                    continue;
                }
                show(state, lane, b"<value> ", name);
                any = true;
            }
        }
        if !any {
            with(lane, |debugger| debugger.say("No local variables in the current context."));
        }
    }
}

/// A variable of any function on the stack, innermost first, or one of the two globals.
#[allow(unsafe_code)]
unsafe fn print(state: *mut ffi::lua_State, lane: &Lane, wanted: &[u8]) {
    // SAFETY: as in `print_all`.
    unsafe {
        let mut ar = blank();
        let mut level = 1;
        while ffi::lua_getstack(state, level, &raw mut ar) != 0 {
            level += 1;
            for number in 1.. {
                let name = ffi::lua_getlocal(state, &raw const ar, number);
                if name.is_null() {
                    break;
                }
                if CStr::from_ptr(name).to_bytes() == wanted {
                    return show(state, lane, b"<value> ", b"");
                }
                ffi::lua_settop(state, -2);
            }
        }
        if matches!(wanted, b"KEYS" | b"ARGV") {
            attempt(state, lane, wanted);
            show(state, lane, b"<value> ", b"");
        } else {
            with(lane, |debugger| debugger.say("No such variable."));
        }
    }
}

/// Pushes whether code ran, and its value or why not. It runs in a thread of its own: the hook, which is off in this one
/// while it is served, ends what does not end.
#[allow(unsafe_code)]
unsafe fn attempt(state: *mut ffi::lua_State, lane: &Lane, code: &[u8]) {
    // SAFETY: the function was left under that key; it takes one value and gives two. The thread stays on the stack.
    unsafe {
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushlightuserdata(thread, key_of(&ATTEMPT));
        ffi::lua_rawget(thread, ffi::LUA_REGISTRYINDEX);
        push_text(thread, code);
        with(lane, |debugger| debugger.set_evaluating(true));
        let status = ffi::lua_pcall(thread, 1, 2, 0);
        with(lane, |debugger| debugger.set_evaluating(false));
        if status == 0 {
            ffi::lua_xmove(thread, state, 2);
        } else {
            if ffi::lua_type(thread, -1) == ffi::LUA_TTABLE {
                ffi::lua_getfield(thread, -1, c"err".as_ptr());
            }
            ffi::lua_pushboolean(state, 0);
            ffi::lua_xmove(thread, state, 1);
        }
    }
}

#[allow(unsafe_code)]
unsafe fn evaluate(state: *mut ffi::lua_State, lane: &Lane, code: &[u8]) {
    // SAFETY: two values were pushed; a text is looked at while it is there.
    unsafe {
        attempt(state, lane, code);
        if ffi::lua_toboolean(state, -2) != 0 {
            return show(state, lane, b"<retval> ", b"");
        }
        if ffi::lua_type(state, -1) != ffi::LUA_TSTRING {
            return show(state, lane, b"<error> ", b"");
        }
        speak(lane, b"<error> ");
        speak(lane, text_at(state, -1));
        with(lane, Debugger::end_speech_whole);
    }
}

/// The script's functions on the stack and their lines.
#[allow(unsafe_code)]
unsafe fn trace(state: *mut ffi::lua_State, lane: &Lane) {
    // SAFETY: nothing is pushed; names live as long as their functions.
    unsafe {
        let mut ar = blank();
        let mut level = 1;
        while ffi::lua_getstack(state, level, &raw mut ar) != 0 {
            if ffi::lua_getinfo(state, c"Snl".as_ptr(), &raw mut ar) != 0 && is_script(&ar) {
                let name = if ar.name.is_null() { b"top level" } else { CStr::from_ptr(ar.name).to_bytes() };
                let line = usize::try_from(ar.currentline).unwrap_or(0);
                with(lane, |debugger| {
                    debugger.say([if level == 1 { b"In ".as_slice() } else { b"From " }, name, b":"].concat());
                    debugger.show(line);
                });
            }
            level += 1;
        }
    }
}

/// Adds the value on top of the stack, which stays there, to the line in the making.
#[allow(unsafe_code)]
unsafe fn value(state: *mut ffi::lua_State, lane: &Lane, depth: usize) {
    // SAFETY: the callers have made room for what all depths take. A text or number is not changed while its table is
    // walked through, and everything that was pushed is taken off.
    unsafe {
        if depth == DEPTH {
            return speak(lane, b"<max recursion level reached! Nested table?>");
        }
        match ffi::lua_type(state, -1) {
            ffi::LUA_TNIL => speak(lane, b"nil"),
            ffi::LUA_TBOOLEAN => speak(lane, if ffi::lua_toboolean(state, -1) != 0 { b"true" } else { b"false" }),
            ffi::LUA_TNUMBER => number(lane, ffi::lua_tonumber(state, -1)),
            ffi::LUA_TSTRING => quoted(lane, text_at(state, -1)),
            ffi::LUA_TTABLE => table(state, lane, depth),
            kind => {
                let name = CStr::from_ptr(ffi::lua_typename(state, kind)).to_bytes();
                let address = ffi::lua_topointer(state, -1).addr();
                speak(lane, b"\"");
                speak(lane, name);
                place(lane, address);
            }
        }
    }
}

fn quoted(lane: &Lane, text: &[u8]) {
    let mut shown = Vec::new();
    write_quoted(&mut shown, text);
    speak(lane, &shown);
}

fn place(lane: &Lane, address: usize) {
    speak(lane, format!("@{address:#x}\"").as_bytes());
}

/// A number with six digits at most, as C's `%g` has it.
#[allow(unsafe_code)]
fn number(lane: &Lane, number: f64) {
    let mut text = [0u8; 32];
    // SAFETY: so many bytes are there, and six digits with sign, point and exponent are fewer.
    let length = unsafe { libc::snprintf(text.as_mut_ptr().cast::<c_char>(), text.len(), c"%g".as_ptr(), number) };
    speak(lane, &text[..usize::try_from(length).unwrap_or(0).min(text.len() - 1)]);
}

#[allow(unsafe_code)]
unsafe fn table(state: *mut ffi::lua_State, lane: &Lane, depth: usize) {
    // SAFETY: as in `value`: a key and a value are on the stack while they are shown.
    unsafe {
        let listed = is_list(state);
        speak(lane, b"{");
        let mut first = true;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            if !std::mem::take(&mut first) {
                speak(lane, b"; ");
            }
            if !listed {
                speak(lane, b"[");
                ffi::lua_pushvalue(state, -2);
                value(state, lane, depth + 1);
                ffi::lua_settop(state, -2);
                speak(lane, b"]=");
            }
            value(state, lane, depth + 1);
            ffi::lua_settop(state, -2);
        }
        speak(lane, b"}");
    }
}

/// Whether the keys of the table on top of the stack are 1, 2, 3 and so on, in that order.
#[allow(unsafe_code)]
unsafe fn is_list(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as in `value`.
    unsafe {
        let mut expected = 1.0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            ffi::lua_settop(state, -2);
            if ffi::lua_type(state, -1) != ffi::LUA_TNUMBER || ffi::lua_tonumber(state, -1) != expected {
                ffi::lua_settop(state, -2);
                return false;
            }
            expected += 1.0;
        }
        true
    }
}

/// redis.debug: shows its arguments to the user of a debugger, if there is one.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn debug(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the upvalue is the lane, which outlives the interpreter; room is asked for before anything is pushed.
    unsafe {
        let lane = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Lane>();
        let Some(line) = with(lane, |debugger| debugger.line()) else { return 0 };
        let count = ffi::lua_gettop(state);
        ffi::luaL_checkstack(state, ROOM, std::ptr::null());
        head(lane, line);
        for at in 1..=count {
            if at > 1 {
                speak(lane, b", ");
            }
            ffi::lua_pushvalue(state, at);
            value(state, lane, 0);
            ffi::lua_settop(state, -2);
        }
        with(lane, Debugger::end_speech_whole);
        0
    }
}

fn head(lane: &Lane, line: usize) {
    speak(lane, format!("<debug> line {line}: ").as_bytes());
}
