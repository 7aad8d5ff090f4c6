//! The interpreter: Lua 5.1, as scripts of Redis know it.
//!
//! There are two of them, one for scripts and one for functions ([`World`]). The world of each is made by `prelude.lua`.
//! A run is one protected call on a stack of its own ([`super::lane`]): nothing that a script does leaves it but as a
//! wish, a result or a failure.

use std::cell::Cell;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::debugger::Debugger;
use super::lane::{Answer, Lane, Replication, Wish};
use super::raw::{Ended, Entrance, Slot};
use super::{ScriptFlags, failure, give, inspect, library, natives};
use crate::limits;
use crate::resp::Protocol;
use crate::resp::request::{Args, OwnedRequest};
use crate::resp::writer::Reply;

/// Where the commands of a script go.
pub trait Host {
    /// Runs a command and appends its reply, or the error that kept it from running, in a protocol. Gives which it was.
    fn call(&mut self, request: Args<'_>, protocol: Protocol, replication: Replication, reply: &mut Vec<u8>) -> Called;

    /// Whether the client may run a command; `None` if there is none.
    fn may(&mut self, request: Args<'_>) -> Option<bool>;

    /// A script has run for a while: whether it may go on.
    fn attend(&mut self) -> Verdict;

    /// Takes what a debugger has said, in wire form, and gives the next words of its user.
    fn converse(&mut self, said: Vec<u8>, words: &mut OwnedRequest) -> Answered;
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It has run.
    Ran,
    /// It was not allowed to.
    Refused,
}

/// What a debugger's user has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The words that were asked for.
    Words,
    /// Nothing so far: the script is left until there is something.
    NotYet,
    /// Nothing any more.
    Gone,
    /// Somebody else has said that the script is to end.
    End,
}

/// What becomes of a script that has run for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    GoOn,
    /// It is left alone until it is gone on with.
    Leave,
    /// Its debugger stops it at the next line.
    Stop,
    /// It ends, because somebody has said so.
    End,
}

/// Who runs in an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Scripts of EVAL and its kin.
    Scripts,
    /// Functions of libraries.
    Functions,
}

impl World {
    /// What chunks are called, in error messages and in the parser.
    fn chunk(self) -> &'static str {
        match self {
            World::Scripts => "@user_script",
            World::Functions => "@user_function",
        }
    }
}

/// Something that can be run.
pub struct Callable {
    /// The SHA-1 of a script, the name of a function.
    pub name: Box<[u8]>,
    /// What it declares; `None` for a script of the old kind.
    pub flags: Option<ScriptFlags>,
    /// Where it runs.
    pub world: World,
    function: Slot,
}

impl Callable {
    pub(super) fn new(name: &[u8], flags: Option<ScriptFlags>, world: World, function: Slot) -> Rc<Callable> {
        Rc::new(Callable { name: name.into(), flags, world, function })
    }
}

/// A script's result.
pub struct Output {
    value: Ended,
    protocol: Protocol,
    interpreter: Interpreter,
}

impl Output {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(&self.value, Ended::Other(value) if give::is_error(value))
    }

    /// Replies with it. Gives the errors in it that were not counted before.
    pub fn write(&self, reply: &mut Reply<'_>) -> Vec<Vec<u8>> {
        match &self.value {
            Ended::Nil => reply.null(),
            Ended::Boolean(value) => give::boolean(reply, *value, self.protocol),
            Ended::Number(number) => give::number(reply, *number),
            Ended::Text(text) => reply.bulk(text),
            Ended::Other(value) | Ended::Failed(value) => return give::write(reply, &self.interpreter.0.lua, value, self.protocol),
        }
        Vec::new()
    }
}

/// Why a script has no result.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to tell the client, code first.
    pub text: Vec<u8>,
    /// Whether it was counted when a command of the script failed.
    pub counted: bool,
}

/// The interpreter. Copies are the same one.
#[derive(Clone)]
pub struct Interpreter(Rc<Engine>);

struct Engine {
    lua: Lua,
    lane: Rc<Lane>,
    entrance: Entrance,
    load: Function,
    world: World,
    runs: Cell<u32>,
}

/// Runs between two steps of the collector that nobody has asked for.
const RUNS_PER_STEP: u32 = 50;

impl Interpreter {
    /// One with its world made; the seed is for math.random.
    pub(super) fn new(world: World, seed: u64, version: &str) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(limits::SCRIPT_MEMORY)?;
        let lane = Rc::new(Lane::new(seed));
        let native = natives::table(&lua, &lane, version)?;
        // the name of chunks is alive as long as the interpreter: the parser relies on it
        native.raw_set("name", world.chunk())?;
        native.raw_set("functions", world == World::Functions)?;
        native.raw_set("flags", library::flag_bits(&lua)?)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(failure::OUR_SOURCE).set_mode(ChunkMode::Text);
        let handler: Function = native.raw_get("handle")?;
        let (environment, globals, load): (Table, Table, Function) = prelude.call((native, limits::SCRIPT_PATTERN))?;
        lua.set_globals(environment)?;
        watch(&lua, &lane, limits::SCRIPT_STEPS)?;
        let entrance = Entrance::new(&lua, &lane, world, handler, globals)?;
        Ok(Interpreter(Rc::new(Engine { lua, lane, entrance, load, world, runs: Cell::new(0) })))
    }

    /// Compiles a text. The error is the compiler's.
    pub(super) fn compile(&self, code: &[u8]) -> Result<Slot, String> {
        self.chunk(code).and_then(|chunk| self.0.entrance.keep(chunk)).map_err(told)
    }

    fn chunk(&self, code: &[u8]) -> mlua::Result<Function> {
        self.0.lua.load(code).set_name(self.0.world.chunk()).set_mode(ChunkMode::Text).into_function()
    }

    /// Runs the text of a library. Gives what it has registered, or what to tell the client.
    pub(super) fn load(&self, code: &[u8]) -> Result<Vec<library::Registered>, Vec<u8>> {
        let chunk = self.chunk(code).map_err(|error| format!("ERR Error compiling function: {}", told(error)).into_bytes())?;
        self.0.lane.patience.set(limits::LIBRARY_PATIENCE);
        let ended = self.0.load.call::<(bool, Value)>(chunk);
        self.0.lane.patience.set(0);
        let failed = |text: &[u8]| [b"ERR Error registering functions: ", text].concat();
        match ended {
            Ok((true, list)) => library::registered(&self.0.entrance, list).map_err(|error| failed(error.to_string().as_bytes())),
            Ok((false, problem)) => Err(failed(&failure::text_of(&problem))),
            Err(error) => Err(failed(error.to_string().as_bytes())),
        }
    }

    /// Makes ready to run a script or function.
    pub fn start<'a>(
        &self,
        callable: &Rc<Callable>,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        arguments: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Run, Failure> {
        let lane = &self.0.lane;
        lane.protocol.set(Protocol::Resp2);
        lane.replication.set(Replication::All);
        let count = keys.len();
        let mut words = lane.request.borrow_mut();
        words.clear();
        keys.chain(arguments).for_each(|word| words.push(word));
        drop(words);
        let failed = |error| Failure { text: format!("ERR {error}").into_bytes(), counted: false };
        let stack = lane.take_stack().map_err(failed)?;
        let (engine, of) = (Rc::clone(&self.0), Rc::clone(callable));
        let body = move |yielder: &_, _: Answer| engine.lane.within(yielder, || engine.entrance.run(&of.function, count));
        let coroutine = Coroutine::with_stack(stack, body);
        Ok(Run { coroutine: Some(coroutine), interpreter: self.clone(), callable: Rc::clone(callable), waits: false })
    }

    /// As [`Interpreter::start`], under a debugger, which is shown that text.
    pub fn start_debugged<'a>(
        &self,
        callable: &Rc<Callable>,
        text: &[u8],
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        arguments: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Run, Failure> {
        let attempt = self.0.lua.load(include_str!("attempt.lua")).set_name(failure::OUR_SOURCE).set_mode(ChunkMode::Text).into_function();
        let prepared = attempt.and_then(|attempt| inspect::prepare(&self.0.lua, &self.0.lane, attempt));
        prepared.map_err(|error| Failure { text: format!("ERR {error}").into_bytes(), counted: false })?;
        let run = self.start(callable, keys, arguments)?;
        *self.0.lane.debugger.borrow_mut() = Some(Debugger::new(text));
        self.0.entrance.hook();
        Ok(run)
    }

    /// Collects garbage a little more often than allocation alone would have it.
    fn tidy(&self) {
        let lua = &self.0.lua;
        let runs = (self.0.runs.get() + 1) % RUNS_PER_STEP;
        self.0.runs.set(runs);
        // no finalizer could fail here
        if lua.used_memory() > limits::SCRIPT_MEMORY / 8 {
            // Lua 5.1 does not collect for want of memory, so the next script would lack it
            let _ = lua.gc_collect();
        } else if runs == 0 {
            let _ = lua.gc_step();
        }
    }

    /// Scripts that were dropped leave the interpreter.
    pub(super) fn forget_dropped(&self) {
        self.0.entrance.forget_dropped();
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.lua.used_memory()
    }
}

/// Looks at the clock, or at the patience with a library that is loaded, after every so many steps.
fn watch(lua: &Lua, lane: &Rc<Lane>, steps: u32) -> mlua::Result<()> {
    let lane = Rc::clone(lane);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(steps), move |lua, _| {
        if !lane.is_taken() {
            return match lane.patience.get() {
                0 => Err(failure::reply("ERR FUNCTION LOAD timeout")),
                patience => {
                    lane.patience.set(patience - 1);
                    Ok(VmState::Continue)
                }
            };
        }
        if !lane.ends.get() && lane.ask(Wish::Clock) == Answer::End {
            // whatever the script does to catch this, it comes again at its next step
            lane.ends.set(true);
            watch(lua, &lane, 1)?;
        }
        if lane.ends.get() { Err(failure::reply(inspect::KILLED)) } else { Ok(VmState::Continue) }
    })
}

fn told(error: mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message,
        other => other.to_string(),
    }
}

/// A script on its way.
pub struct Run {
    coroutine: Option<Coroutine<Answer, Wish, Ended, DefaultStack>>,
    interpreter: Interpreter,
    callable: Rc<Callable>,
    /// Whether it was left because its debugger waits for its user.
    waits: bool,
}

impl Run {
    /// Goes on until the script ends; `None` if the host leaves it alone.
    pub fn advance(&mut self, host: &mut impl Host) -> Option<Result<Output, Failure>> {
        let mut answer = Answer::GoOn;
        if std::mem::take(&mut self.waits) {
            answer = self.converse(host)?;
        }
        loop {
            let coroutine = self.coroutine.as_mut().expect("a run that has ended is not gone on with");
            let lane = &self.interpreter.0.lane;
            match coroutine.resume(answer) {
                CoroutineResult::Yield(Wish::Call) => {
                    call(lane, host);
                    answer = Answer::GoOn;
                }
                CoroutineResult::Yield(Wish::MayCall) => {
                    answer = match host.may(lane.request.borrow().args()) {
                        Some(true) => Answer::GoOn,
                        Some(false) => Answer::Forbidden,
                        None => Answer::Unknown,
                    };
                }
                CoroutineResult::Yield(Wish::Clock) => match host.attend() {
                    Verdict::GoOn => answer = Answer::GoOn,
                    Verdict::Leave => return None,
                    Verdict::End => answer = Answer::End,
                    Verdict::Stop => answer = Answer::Stop,
                },
                CoroutineResult::Yield(Wish::Console) => answer = self.converse(host)?,
                CoroutineResult::Return(ended) => {
                    let result = self.result(ended);
                    self.finish();
                    return Some(result);
                }
            }
        }
    }

    /// Lets the debugger's user speak; `None` if there is nothing yet.
    fn converse(&mut self, host: &mut impl Host) -> Option<Answer> {
        let lane = &self.interpreter.0.lane;
        let said = lane.debugger.borrow_mut().as_mut().map(Debugger::take_said).unwrap_or_default();
        match host.converse(said, &mut lane.request.borrow_mut()) {
            Answered::Words => Some(Answer::GoOn),
            Answered::Gone => Some(Answer::Gone),
            Answered::End => Some(Answer::End),
            Answered::NotYet => {
                self.waits = true;
                None
            }
        }
    }

    /// What the debugger of a run that has ended has said last, in wire form.
    pub fn last_words(&self) -> Vec<u8> {
        let debugger = self.interpreter.0.lane.debugger.borrow_mut().take();
        debugger.map_or_else(Vec::new, |mut debugger| {
            debugger.say("<endsession>");
            debugger.take_said()
        })
    }

    /// What is run.
    pub fn callable(&self) -> &Callable {
        &self.callable
    }

    fn result(&self, ended: Ended) -> Result<Output, Failure> {
        let Ended::Failed(value) = ended else {
            let protocol = self.interpreter.0.lane.protocol.get();
            return Ok(Output { value: ended, protocol, interpreter: self.interpreter.clone() });
        };
        let (text, counted) = failure::outcome(&value, &String::from_utf8_lossy(&self.callable.name));
        Err(Failure { text, counted })
    }

    fn finish(&mut self) {
        let lane = &self.interpreter.0.lane;
        if let Some(coroutine) = self.coroutine.take() {
            lane.give_stack(coroutine.into_stack());
        }
        if lane.ends.take() || lane.debugger.borrow().is_some() {
            // it has worked before, and takes no memory
            let _ = watch(&self.interpreter.0.lua, lane, limits::SCRIPT_STEPS);
        }
        self.interpreter.tidy();
    }
}

/// Runs the command in the lane's buffer; a debugger shows it.
fn call(lane: &Lane, host: &mut impl Host) {
    let shown = lane.debugger.borrow().as_ref().is_some_and(Debugger::shows_commands);
    let request = lane.request.borrow();
    let mut reply = lane.reply.borrow_mut();
    reply.clear();
    if shown {
        lane.debugger.borrow_mut().iter_mut().for_each(|debugger| debugger.say_command(request.args()));
    }
    let called = host.call(request.args(), lane.protocol.get(), lane.replication.get(), &mut reply);
    if shown {
        lane.debugger.borrow_mut().iter_mut().for_each(|debugger| debugger.say_reply(&reply, called == Called::Refused));
    }
}

impl Drop for Run {
    /// A script in its midst cannot be taken apart: frames of Lua lie on its stack. So it stays, with its interpreter.
    /// This happens when the process ends.
    fn drop(&mut self) {
        if let Some(coroutine) = self.coroutine.take()
            && coroutine.started()
        {
            std::mem::forget(coroutine);
            std::mem::forget(self.interpreter.clone());
        }
    }
}
