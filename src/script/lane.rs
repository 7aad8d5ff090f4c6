//! The stack that a script runs on, and its way from there to the host.
//!
//! A script is a coroutine of the machine's, not of Lua's: it has a stack of its own, so that it can be left at any
//! place, in the middle of a `pcall` or of a metamethod too, and gone on with in a later turn of the loop. That is
//! what makes a script that runs too long an ordinary guest: the reactor needs no loop within its loop. (A hook that
//! serves sockets while the script stands on the same stack was the other way. All of the server would have had to
//! be safe to enter twice.)
//!
//! Three things lead out of a script, [`Lane::ask`] with a [`Wish`]: a command, the look at the clock after every
//! [`limits::SCRIPT_STEPS`] steps, and a debugger that waits for its user. Both sides of the lane share the buffers for a command's words and its reply. The
//! host lives on the other side only, so a script holds nothing of the server while it is left alone.
//!
//! [`limits::SCRIPT_STEPS`]: crate::limits::SCRIPT_STEPS

use std::cell::{Cell, RefCell};
use std::ptr;

use corosensei::Yielder;
use corosensei::stack::DefaultStack;

use super::debugger::Debugger;
use crate::base::random::Random;
use crate::limits;
use crate::resp::Protocol;
use crate::resp::request::OwnedRequest;

/// Where the changes of a command go, as redis.set_repl says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// To the append-only file and to replicas.
    All,
    /// To the append-only file alone.
    File,
    /// To replicas alone.
    Replicas,
    /// Nowhere.
    Nowhere,
}

/// What a script wants of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// That the command in the lane's buffer is run; its reply is to be in the other buffer.
    Call,
    /// Whether the client may run the command in the buffer.
    MayCall,
    /// A look at the clock.
    Clock,
    /// What the debugger's user wants next; it is to be in the buffer for commands.
    Console,
}

/// What it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It may go on.
    GoOn,
    /// There is no such command.
    Unknown,
    /// The client may not run it.
    Forbidden,
    /// It is to end, because somebody has said so.
    End,
    /// It has run for so long that its debugger's user should know.
    Stop,
    /// There is no user of the debugger any more.
    Gone,
}

/// What both sides share.
pub(super) struct Lane {
    /// What a run chooses by redis.setresp.
    pub(super) protocol: Cell<Protocol>,
    /// What a run chooses by redis.set_repl.
    pub(super) replication: Cell<Replication>,
    /// The chance of math.random.
    pub(super) random: RefCell<Random>,
    /// The words of the script's command.
    pub(super) request: RefCell<OwnedRequest>,
    /// Its reply in wire form.
    pub(super) reply: RefCell<Vec<u8>>,
    /// The debugger of the run, if it has one.
    pub(super) debugger: RefCell<Option<Debugger>>,
    /// Whether the run is to end.
    pub(super) ends: Cell<bool>,
    /// How many more looks at the clock a library may have while it is loaded.
    pub(super) patience: Cell<u32>,
    yielder: Cell<*const Yielder<Answer, Wish>>,
    stack: Cell<Option<DefaultStack>>,
}

impl Lane {
    pub(super) fn new(seed: u64) -> Lane {
        Lane {
            protocol: Cell::new(Protocol::Resp2),
            replication: Cell::new(Replication::All),
            random: RefCell::new(Random::from_seed(seed)),
            request: RefCell::default(),
            reply: RefCell::default(),
            debugger: RefCell::default(),
            ends: Cell::new(false),
            patience: Cell::new(0),
            yielder: Cell::new(ptr::null()),
            stack: Cell::new(None),
        }
    }

    /// A stack for a run, the last one's if that is done.
    pub(super) fn take_stack(&self) -> std::io::Result<DefaultStack> {
        self.stack.take().map_or_else(|| DefaultStack::new(limits::SCRIPT_STACK), Ok)
    }

    /// The stack of a run that is done.
    pub(super) fn give_stack(&self, stack: DefaultStack) {
        self.stack.set(Some(stack));
    }

    /// Runs a script's Lua. To be called at the bottom of the run's own stack.
    pub(super) fn within<R>(&self, yielder: &Yielder<Answer, Wish>, run: impl FnOnce() -> R) -> R {
        assert!(self.yielder.get().is_null(), "one script runs at a time");
        self.yielder.set(yielder);
        let result = run();
        self.yielder.set(ptr::null());
        result
    }

    /// Whether a run has begun and not ended.
    pub(super) fn is_taken(&self) -> bool {
        !self.yielder.get().is_null()
    }

    /// Leaves the script's stack for the host's and comes back with the answer. To be called from functions that a
    /// script calls, so on its stack; no buffer may be borrowed.
    pub(super) fn ask(&self, wish: Wish) -> Answer {
        let yielder = self.yielder.get();
        assert!(!yielder.is_null(), "only a script's functions ask");
        // SAFETY: the pointer is set by `within` for as long as its caller's reference lives, and null otherwise. Lua
        // runs nothing of this interpreter meanwhile but on that stack: others are refused while a run is taken.
        #[allow(unsafe_code)]
        let yielder = unsafe { &*yielder };
        yielder.suspend(wish)
    }
}
