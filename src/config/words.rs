//! The closed vocabularies of the configuration: a directive that takes one of a few words has an
//! enum here, so that the server matches on variants and never on text.
//!
//! Invariant: the order of the words is the order in which the error text for a wrong word lists
//! them, and clients see that text; it is Redis's order. The road not taken is a derive macro from
//! a crate: one `macro_rules!` of a screen does it, and the words stand next to the variants.

use super::values::{Field, Value};

/// Declares an enum whose variants are words of the configuration language.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, default $default:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl $name {
            /// Every variant, in the order of [`Self::WORDS`].
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The words, in the order in which error texts list them.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word that names this variant.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl Default for $name {
            fn default() -> Self { $name::$default }
        }

        impl Field for $name {
            fn load(&self) -> Value {
                let at = Self::ALL.iter().position(|variant| variant == self);
                Value::Word(at.expect("ALL lists every variant"))
            }

            fn store(&mut self, value: Value) {
                let Value::Word(at) = value else { value.wrong_shape() };
                *self = Self::ALL[at];
            }
        }
    };
}

words! {
    /// How long written commands may stay out of the disk's reach.
    AppendFsync, default EverySecond {
        EverySecond = "everysec", Always = "always", Never = "no",
    }
}

words! {
    /// Which keys may go when memory runs out, and in which order.
    MaxmemoryPolicy, default NoEviction {
        VolatileLru = "volatile-lru", VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random", VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru", AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random", NoEviction = "noeviction",
    }
}

words! {
    /// The least severe message that reaches the log.
    LogLevel, default Notice {
        Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning",
        Nothing = "nothing",
    }
}

words! {
    /// Under which heading the system's log files what it gets.
    SyslogFacility, default Local0 {
        User = "user", Local0 = "local0", Local1 = "local1", Local2 = "local2", Local3 = "local3", Local4 = "local4",
        Local5 = "local5", Local6 = "local6", Local7 = "local7",
    }
}

words! {
    /// Which channels a user may use that was told nothing of channels.
    ChannelsDefault, default ResetChannels { AllChannels = "allchannels", ResetChannels = "resetchannels" }
}

words! {
    /// Which init system, if any, is told that the server is ready.
    Supervised, default No {
        Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no",
    }
}

words! {
    /// Who may use a guarded ability: nobody, everybody, or connections from this machine.
    Guard, default No { No = "no", Yes = "yes", Local = "local" }
}

words! {
    /// What the score with the kernel's out-of-memory killer is reckoned from.
    OomScoreAdj, default No { No = "no", Yes = "yes", Relative = "relative", Absolute = "absolute" }
}

words! {
    /// What becomes of a server when a command that its primary or its append-only file had carried out fails.
    PropagationFailure, default Ignore { Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas" }
}

words! {
    /// Whether a snapshot of a version newer than this server knows is refused or tried.
    RdbVersionCheck, default Strict { Strict = "strict", Relaxed = "relaxed" }
}

words! {
    /// Whether a replica loads a snapshot while it arrives.
    DisklessLoad, default Disabled { Disabled = "disabled", OnEmptyDb = "on-empty-db", Swapdb = "swapdb" }
}

/// The words of `shutdown-on-sigint` and `shutdown-on-sigterm`; the word at index `i` after
/// `default` stands for bit `i - 1` of a [`ShutdownActions`].
pub const SHUTDOWN_WORDS: &[&str] = &["default", "save", "nosave", "now", "force"];

/// What a termination signal asks of the shutdown; empty means the default behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownActions(pub(super) u32);

impl ShutdownActions {
    /// Write a snapshot even when no save point asks for one.
    pub const SAVE: ShutdownActions = ShutdownActions(1);
    /// Write no snapshot even when save points are set.
    pub const NOSAVE: ShutdownActions = ShutdownActions(2);
    /// Do not wait for lagging replicas.
    pub const NOW: ShutdownActions = ShutdownActions(4);
    /// Exit even when the snapshot fails.
    pub const FORCE: ShutdownActions = ShutdownActions(8);

    /// These and those.
    pub const fn or(self, other: ShutdownActions) -> ShutdownActions {
        ShutdownActions(self.0 | other.0)
    }

    /// Whether every action of `other` is asked for.
    pub fn contains(self, other: ShutdownActions) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Field for ShutdownActions {
    fn load(&self) -> Value {
        Value::Flags(self.0)
    }

    fn store(&mut self, value: Value) {
        let Value::Flags(bits) = value else { value.wrong_shape() };
        self.0 = bits;
    }
}
