//! What a directive's text turns into: the structured types that the server reads, and [`Value`],
//! the common form in which a row loads, compares, shows and stores any of them.
//!
//! Invariant: a field accepts exactly the variant that its row's shape produces; a mismatch is a
//! bug of the table, found by the test that stores every row's default and bounds. The road not
//! taken is a setter and a getter written by hand for each directive: two hundred chances to forget
//! one half.

use std::ops::Index;

/// One snapshot rule: after `seconds` with at least `changes` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Age of the last snapshot, in seconds, from which the rule may fire.
    pub seconds: u64,
    /// Number of changes since the last snapshot from which the rule may fire.
    pub changes: u64,
}

/// The classes of clients that have output limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// An ordinary client, MONITOR included.
    Normal,
    /// A replica of this server.
    Replica,
    /// A client with at least one subscription.
    Pubsub,
}

impl ClientClass {
    /// Every class, in the order in which CONFIG GET shows them.
    pub const ALL: [ClientClass; 3] = [ClientClass::Normal, ClientClass::Replica, ClientClass::Pubsub];

    /// The word that CONFIG GET uses; it still says `slave`, as Redis does.
    pub fn shown(self) -> &'static str {
        match self {
            ClientClass::Normal => "normal",
            ClientClass::Replica => "slave",
            ClientClass::Pubsub => "pubsub",
        }
    }

    /// The word that CONFIG REWRITE writes.
    pub fn written(self) -> &'static str {
        match self {
            ClientClass::Replica => "replica",
            other => other.shown(),
        }
    }

    /// The class a word names, in any case of letters; `replica` and `slave` are one.
    pub fn named(word: &[u8]) -> Option<ClientClass> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        ClientClass::ALL.into_iter().find(|class| is(class.shown()) || is(class.written()))
    }
}

/// How much unsent output closes a connection. Zero switches a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which the connection closes at once.
    pub hard_bytes: u64,
    /// Bytes at which the connection closes when they stand for `soft_seconds`.
    pub soft_bytes: u64,
    /// How long, in seconds, the soft limit is tolerated.
    pub soft_seconds: u64,
}

/// The output limit of each [`ClientClass`]: `config.client_output_buffer_limit[class]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits(pub(super) [OutputLimit; 3]);

impl Index<ClientClass> for OutputLimits {
    type Output = OutputLimit;

    fn index(&self, class: ClientClass) -> &OutputLimit {
        match class {
            ClientClass::Normal => &self.0[0],
            ClientClass::Replica => &self.0[1],
            ClientClass::Pubsub => &self.0[2],
        }
    }
}

/// The limit on the data set. `bytes` is what eviction obeys, 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxMemory {
    /// Bytes; while `auto` is set, 0 until the server has filled in what the machine allows.
    pub bytes: u64,
    /// Whether the server derives `bytes` from the machine. CONFIG REWRITE then writes `auto`.
    pub auto: bool,
}

/// The limit on the memory of all clients together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMemory {
    /// Bytes, 0 for no limit.
    Bytes(u64),
    /// Percent of `maxmemory`, 1 to 100.
    Percent(u8),
}

impl Default for ClientMemory {
    fn default() -> Self {
        ClientMemory::Bytes(0)
    }
}

/// The classes of keyspace events that are published, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u32);

/// The letters in the order in which CONFIG GET shows them; the index is the bit.
const EVENT_LETTERS: &[u8; 14] = b"g$lshzxetdnKEm";

impl KeyspaceEvents {
    /// `g`: commands for every type, as DEL and EXPIRE.
    pub const GENERIC: KeyspaceEvents = KeyspaceEvents(1);
    /// `$`: string commands.
    pub const STRING: KeyspaceEvents = KeyspaceEvents(1 << 1);
    /// `l`: list commands.
    pub const LIST: KeyspaceEvents = KeyspaceEvents(1 << 2);
    /// `s`: set commands.
    pub const SET: KeyspaceEvents = KeyspaceEvents(1 << 3);
    /// `h`: hash commands.
    pub const HASH: KeyspaceEvents = KeyspaceEvents(1 << 4);
    /// `z`: sorted set commands.
    pub const SORTED_SET: KeyspaceEvents = KeyspaceEvents(1 << 5);
    /// `x`: a key expired.
    pub const EXPIRED: KeyspaceEvents = KeyspaceEvents(1 << 6);
    /// `e`: a key was evicted.
    pub const EVICTED: KeyspaceEvents = KeyspaceEvents(1 << 7);
    /// `t`: stream commands.
    pub const STREAM: KeyspaceEvents = KeyspaceEvents(1 << 8);
    /// `d`: events of modules; nothing here raises them.
    pub const MODULE: KeyspaceEvents = KeyspaceEvents(1 << 9);
    /// `n`: a key came into being; not part of `A`.
    pub const NEW: KeyspaceEvents = KeyspaceEvents(1 << 10);
    /// `K`: publish to `__keyspace@<db>__` channels.
    pub const KEYSPACE: KeyspaceEvents = KeyspaceEvents(1 << 11);
    /// `E`: publish to `__keyevent@<db>__` channels.
    pub const KEYEVENT: KeyspaceEvents = KeyspaceEvents(1 << 12);
    /// `m`: a read missed; not part of `A`.
    pub const KEY_MISS: KeyspaceEvents = KeyspaceEvents(1 << 13);
    /// `A`: the first ten classes.
    pub const ALL: KeyspaceEvents = KeyspaceEvents((1 << 10) - 1);

    /// Whether every class of `other` is in the set.
    pub fn contains(self, other: KeyspaceEvents) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set as bits, one a class.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no class is chosen.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set of both.
    pub fn union(self, other: KeyspaceEvents) -> KeyspaceEvents {
        KeyspaceEvents(self.0 | other.0)
    }

    /// The set that `letters` spell, or `None` when one of them means nothing.
    pub fn from_letters(letters: &[u8]) -> Option<KeyspaceEvents> {
        letters.iter().try_fold(KeyspaceEvents(0), |set, letter| match letter {
            b'A' => Some(set.union(KeyspaceEvents::ALL)),
            _ => {
                let bit = EVENT_LETTERS.iter().position(|known| known == letter)?;
                Some(KeyspaceEvents(set.0 | 1 << bit))
            }
        })
    }

    /// The letters as CONFIG GET shows them. A full set is `A`, and then `n` is not shown: that is
    /// Redis's way, kept because the text is compared by clients.
    pub fn letters(self) -> String {
        let full = self.contains(KeyspaceEvents::ALL);
        let hidden = if full { KeyspaceEvents::ALL.0 | KeyspaceEvents::NEW.0 } else { 0 };
        let shown = self.0 & !hidden;
        let letters = (0..EVENT_LETTERS.len()).filter(|bit| shown & (1 << bit) != 0);
        let start = if full { "A" } else { "" };
        start.chars().chain(letters.map(|bit| char::from(EVENT_LETTERS[bit]))).collect()
    }

    /// The letters as CONFIG REWRITE writes them: as shown, but `n` is never lost.
    pub(super) fn written(self) -> String {
        let mut letters = self.letters();
        if self.contains(KeyspaceEvents::NEW) && !letters.contains('n') {
            letters.push('n');
        }
        letters
    }
}

/// The value of any directive, between its text and its field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `yes` or `no`.
    Bool(bool),
    /// A number in any notation.
    Int(i128),
    /// The index of a word in its vocabulary.
    Word(usize),
    /// A set of words, a bit each.
    Flags(u32),
    /// Any bytes.
    Text(Vec<u8>),
    /// Several words.
    Words(Vec<String>),
    /// Snapshot rules.
    Save(Vec<SavePoint>),
    /// Output limits.
    Limits(OutputLimits),
    /// The primary to follow.
    ReplicaOf(Option<(String, u16)>),
    /// Keyspace event classes.
    Events(KeyspaceEvents),
    /// Percentiles, 0 to 100.
    Percentiles(Vec<f64>),
    /// The limit on the data set.
    MaxMemory(MaxMemory),
    /// The limit on client memory.
    ClientMemory(ClientMemory),
}

impl Value {
    /// Reports a row whose shape and field disagree, which is a bug of the table.
    pub(super) fn wrong_shape(&self) -> ! {
        panic!("a row's shape produced {self:?}, which its field does not hold");
    }
}

/// A field of the configuration that a row can read and write.
pub trait Field {
    /// The value the field holds.
    fn load(&self) -> Value;
    /// Puts a value that the row's shape produced into the field.
    fn store(&mut self, value: Value);
}

/// Implements [`Field`] for a type that one variant of [`Value`] carries as it is.
macro_rules! plain_field {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl Field for $type {
            fn load(&self) -> Value {
                Value::$variant(self.clone())
            }

            fn store(&mut self, value: Value) {
                let Value::$variant(inner) = value else { value.wrong_shape() };
                *self = inner;
            }
        }
    )*};
}

plain_field! {
    bool => Bool,
    Vec<u8> => Text,
    Vec<String> => Words,
    Vec<SavePoint> => Save,
    OutputLimits => Limits,
    Option<(String, u16)> => ReplicaOf,
    KeyspaceEvents => Events,
    Vec<f64> => Percentiles,
    MaxMemory => MaxMemory,
    ClientMemory => ClientMemory,
}

/// Implements [`Field`] for an integer type; the row's bounds must fit it.
macro_rules! number_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn load(&self) -> Value {
                Value::Int(i128::from(*self))
            }

            fn store(&mut self, value: Value) {
                let Value::Int(number) = value else { value.wrong_shape() };
                *self = <$type>::try_from(number).expect("the row's bounds fit the field");
            }
        }
    )*};
}

number_field!(u16, u32, u64, i32, i64);

impl Field for String {
    fn load(&self) -> Value {
        Value::Text(self.clone().into_bytes())
    }

    fn store(&mut self, value: Value) {
        let Value::Text(bytes) = value else { value.wrong_shape() };
        *self = String::from_utf8(bytes).expect("the shape of a text field checked its encoding");
    }
}
