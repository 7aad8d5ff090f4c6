//! The interpreter: Lua 5.1, as scripts of Redis know it.
//!
//! Its world is made by `prelude.lua`. For the time of a run, `redis.call` is a function that borrows the host; mlua's
//! scope takes it away afterwards, and no script can keep a reference beyond its end but in a coroutine that nobody
//! resumes. A run is one protected call: nothing that a script does leaves it but as a result or a failure.

use std::cell::RefCell;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, RegistryKey, StdLib, Table, Value, Variadic};

use super::cache::Found;
use super::{failure, give, natives, take};
use crate::base::number;
use crate::base::random::Random;
use crate::limits;
use crate::resp::Protocol;
use crate::resp::request::{Args, OwnedRequest};
use crate::resp::writer::Reply;

/// Where the commands of a script go.
pub trait Host {
    /// Runs a command and appends its reply, or the error that stopped it, in a protocol.
    fn call(&mut self, request: Args<'_>, protocol: Protocol, replication: Replication, reply: &mut Vec<u8>);

    /// Whether there is such a command for the client.
    fn knows(&mut self, request: Args<'_>) -> bool;
}

/// Where the changes of a command go, as redis.set_repl says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// To the append-only file and to replicas.
    All,
    /// To replicas alone.
    Replicas,
    /// Nowhere.
    Nowhere,
}

/// A script's result.
pub struct Output {
    value: Value,
    protocol: Protocol,
}

impl Output {
    /// Replies with it.
    pub fn write(&self, reply: &mut Reply<'_>) {
        give::write(reply, &self.value, self.protocol);
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

/// What a run may set for itself.
pub(super) struct Settings {
    pub(super) protocol: Protocol,
    pub(super) replication: Replication,
    pub(super) random: Random,
    runs: u32,
}

/// The interpreter. Copies are the same one.
#[derive(Clone)]
pub struct Interpreter {
    lua: Lua,
    run: Function,
}

/// Runs between two steps of the collector that nobody has asked for.
const RUNS_PER_STEP: u32 = 50;

impl Interpreter {
    /// One with its world made; the seed is for math.random.
    pub(super) fn new(seed: u64, version: &str) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(limits::SCRIPT_MEMORY)?;
        lua.set_app_data(Settings { protocol: Protocol::Resp2, replication: Replication::All, random: Random::from_seed(seed), runs: 0 });
        let native = natives::table(&lua, version)?;
        // the name of scripts is alive as long as the interpreter: the parser relies on it
        native.raw_set("name", NAME)?;
        lua.set_named_registry_value("name", NAME)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(failure::OUR_SOURCE).set_mode(ChunkMode::Text);
        let (environment, run): (Table, Function) = prelude.call((native, limits::SCRIPT_PATTERN))?;
        lua.set_globals(environment)?;
        Ok(Interpreter { lua, run })
    }

    /// Compiles a script. The error is what the client is told.
    pub(super) fn compile(&self, code: &[u8]) -> Result<RegistryKey, Vec<u8>> {
        let told = |error: mlua::Error| {
            let text = match &error {
                mlua::Error::SyntaxError { message, .. } => message.clone(),
                other => other.to_string(),
            };
            format!("ERR Error compiling script (new function): {text}").into_bytes()
        };
        let function = self.lua.load(code).set_name(NAME).set_mode(ChunkMode::Text).into_function().map_err(told)?;
        self.lua.create_registry_value(function).map_err(told)
    }

    /// Runs a script.
    pub fn run<'a>(
        &self,
        script: &Found,
        keys: impl Iterator<Item = &'a [u8]>,
        arguments: impl Iterator<Item = &'a [u8]>,
        host: &mut impl Host,
    ) -> Result<Output, Failure> {
        let ended = match self.try_run(script, keys, arguments, host) {
            Ok((true, value)) => Ok(Output { value, protocol: self.protocol() }),
            Ok((false, value)) => {
                let (text, counted) = failure::outcome(&value, &String::from_utf8_lossy(&script.sha));
                Err(Failure { text, counted })
            }
            Err(error) => Err(Failure { text: format!("ERR {error}").into_bytes(), counted: false }),
        };
        self.tidy();
        ended
    }

    fn try_run<'a>(
        &self,
        script: &Found,
        keys: impl Iterator<Item = &'a [u8]>,
        arguments: impl Iterator<Item = &'a [u8]>,
        host: &mut impl Host,
    ) -> mlua::Result<(bool, Value)> {
        let lua = &self.lua;
        if let Some(mut settings) = lua.app_data_mut::<Settings>() {
            (settings.protocol, settings.replication) = (Protocol::Resp2, Replication::All);
        }
        let function: Function = lua.registry_value(&script.function)?;
        let strings = |words: &mut dyn Iterator<Item = &'a [u8]>| -> mlua::Result<Table> {
            let table = lua.create_table()?;
            for word in words {
                table.raw_push(lua.create_string(word)?)?;
            }
            Ok(table)
        };
        let (mut keys, mut arguments) = (keys, arguments);
        let (keys, arguments) = (strings(&mut keys)?, strings(&mut arguments)?);
        let seat = RefCell::new(Seat { host, request: OwnedRequest::default(), reply: Vec::new() });
        lua.scope(|scope| {
            let call = scope.create_function(|lua, words: Variadic<Value>| {
                let mut seat = seat.try_borrow_mut().map_err(|_| mlua::Error::RecursiveMutCallback)?;
                seat.call(lua, &words)
            })?;
            self.run.call((function, call, keys, arguments))
        })
    }

    fn protocol(&self) -> Protocol {
        self.lua.app_data_ref::<Settings>().map_or(Protocol::Resp2, |settings| settings.protocol)
    }

    /// Collects garbage a little more often than allocation alone would have it.
    fn tidy(&self) {
        let due = self.lua.app_data_mut::<Settings>().is_some_and(|mut settings| {
            settings.runs = (settings.runs + 1) % RUNS_PER_STEP;
            settings.runs == 0
        });
        // no finalizer could fail here
        if self.lua.used_memory() > limits::SCRIPT_MEMORY / 8 {
            // Lua 5.1 does not collect for want of memory, so the next script would lack it
            let _ = self.lua.gc_collect();
        } else if due {
            let _ = self.lua.gc_step();
        }
    }

    /// Scripts that were dropped leave the interpreter.
    pub(super) fn forget_dropped(&self) {
        self.lua.expire_registry_values();
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.lua.used_memory()
    }
}

/// What chunks of scripts are called, in error messages and in the parser.
const NAME: &str = "@user_script";

/// The host of a run, and buffers for its commands.
struct Seat<'a, H> {
    host: &'a mut H,
    request: OwnedRequest,
    reply: Vec<u8>,
}

impl<H: Host> Seat<'_, H> {
    /// redis.call. A table for a first word asks whether there is such a command (`redis.acl_check_cmd`).
    fn call(&mut self, lua: &Lua, words: &[Value]) -> mlua::Result<Value> {
        let asks = matches!(words.first(), Some(Value::Table(mark)) if mark.raw_get::<bool>("asks")?);
        let words = &words[usize::from(asks)..];
        if words.is_empty() {
            return Err(failure::reply("ERR Please specify at least one argument for this redis lib call"));
        }
        self.request.clear();
        for word in words {
            match word {
                Value::String(text) => self.request.push(&text.as_bytes()),
                Value::Integer(number) => push_number(&mut self.request, *number as f64),
                Value::Number(number) => push_number(&mut self.request, *number),
                _ => return Err(failure::reply("ERR Lua redis lib command arguments must be strings or integers")),
            }
        }
        if asks {
            let known = self.host.knows(self.request.args());
            return if known {
                Ok(Value::Boolean(true))
            } else {
                Err(failure::reply("ERR Invalid command passed to redis.acl_check_cmd()"))
            };
        }
        let (protocol, replication) = lua
            .app_data_ref::<Settings>()
            .map_or((Protocol::Resp2, Replication::All), |settings| (settings.protocol, settings.replication));
        self.reply.clear();
        self.host.call(self.request.args(), protocol, replication, &mut self.reply);
        match self.reply.strip_prefix(b"-") {
            None => take::value(lua, &self.reply),
            Some(text) => {
                let text = text.strip_suffix(b"\r\n").unwrap_or(text);
                Err(mlua::Error::external(failure::Raised::Reply { text: text.to_vec(), counted: true }))
            }
        }
    }
}

fn push_number(request: &mut OwnedRequest, number: f64) {
    let mut text = Vec::with_capacity(24);
    if number.is_nan() && number.is_sign_negative() {
        text.push(b'-');
    }
    number::write_f64(&mut text, number);
    request.push(&text);
}
