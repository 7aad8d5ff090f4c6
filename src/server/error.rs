//! Error replies: every text that clients match on, once.

use std::borrow::Cow;

use crate::base::text::until_zero;
use crate::keyspace::WrongType;
use crate::keyspace::write::IncrementError;

/// An error reply: its code and text, without the leading dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, [u8]>);

impl Error {
    /// `ERR syntax error`
    pub const SYNTAX: Error = Error::fixed("ERR syntax error");
    /// A number that is none, or too large.
    pub const NOT_AN_INTEGER: Error = Error::fixed("ERR value is not an integer or out of range");
    /// A number that is one, but does not fit the C `int` that Redis reads it into.
    pub const BEYOND_INT: Error = Error::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");
    /// A number that is no float.
    pub const NOT_A_FLOAT: Error = Error::fixed("ERR value is not a valid float");
    /// The value has another type.
    pub const WRONG_TYPE: Error = Error::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// For commands that need the key.
    pub const NO_SUCH_KEY: Error = Error::fixed("ERR no such key");
    /// An index beyond the ends.
    pub const OUT_OF_RANGE: Error = Error::fixed("ERR index out of range");
    /// A database number beyond `databases`.
    pub const DB_OUT_OF_RANGE: Error = Error::fixed("ERR DB index is out of range");
    /// A string beyond the limit.
    pub const STRING_TOO_LONG: Error = Error::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// An integer that a change would carry out of its range.
    pub const OVERFLOW: Error = Error::fixed("ERR increment or decrement would overflow");
    /// A count or length below zero.
    pub const NOT_POSITIVE: Error = Error::fixed("ERR value is out of range, must be positive");
    /// A timeout that is no number.
    pub const BAD_TIMEOUT: Error = Error::fixed("ERR timeout is not a float or out of range");
    /// A timeout below zero.
    pub const NEGATIVE_TIMEOUT: Error = Error::fixed("ERR timeout is negative");
    /// A timeout beyond the clock.
    pub const TIMEOUT_OUT_OF_RANGE: Error = Error::fixed("ERR timeout is out of range");
    /// Before AUTH.
    pub const NO_AUTH: Error = Error::fixed("NOAUTH Authentication required.");
    /// AUTH with the wrong password.
    pub const WRONG_PASS: Error = Error::fixed("WRONGPASS invalid username-password pair or user is disabled.");
    /// A cursor that is no number.
    pub const BAD_CURSOR: Error = Error::fixed("ERR invalid cursor");
    /// Memory is at its limit.
    pub const OOM: Error = Error::fixed("OOM command not allowed when used memory > 'maxmemory'.");
    /// A write while the last snapshot has failed.
    pub const MISCONF: Error = Error::fixed(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
    );
    /// A write at a replica.
    pub const READONLY: Error = Error::fixed("READONLY You can't write against a read only replica.");
    /// A write while too few replicas keep up.
    pub const NO_REPLICAS: Error = Error::fixed("NOREPLICAS Not enough good replicas to write.");
    /// A replica that must not show old data.
    pub const MASTER_DOWN: Error = Error::fixed("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
    /// While data is loaded.
    pub const LOADING: Error = Error::fixed("LOADING Redis is loading the dataset in memory");
    /// A replica's session is for the stream alone.
    pub const REPLICA_CANNOT: Error = Error::fixed("ERR Replica can't interact with the keyspace");
    /// A result beyond what a float can show.
    pub const NAN_OR_INFINITY: Error = Error::fixed("ERR increment would produce NaN or Infinity");
    /// The queued commands of a transaction had an error.
    pub const EXEC_ABORT: Error = Error::fixed("EXECABORT Transaction discarded because of previous errors.");

    /// A text known at compile time.
    pub const fn fixed(text: &'static str) -> Error {
        Error(Cow::Borrowed(text.as_bytes()))
    }

    /// A text made at run time.
    pub fn new(text: impl Into<String>) -> Error {
        Error(Cow::Owned(text.into().into_bytes()))
    }

    /// A text that may hold any bytes.
    pub fn bytes(text: Vec<u8>) -> Error {
        Error(Cow::Owned(text))
    }

    /// A text with words of the client's, one in place of each `{}`. Redis formats them as C strings, so each ends
    /// at its first zero byte.
    pub fn quoting(template: &str, words: &[&[u8]]) -> Error {
        let mut words = words.iter();
        let mut text = Vec::with_capacity(template.len());
        for (at, piece) in template.split("{}").enumerate() {
            if at > 0 {
                text.extend_from_slice(until_zero(words.next().expect("a word for each place")));
            }
            text.extend_from_slice(piece.as_bytes());
        }
        Error(Cow::Owned(text))
    }

    /// The wrong number of arguments for a command (its full name, `config|set`).
    pub fn arity(name: &str) -> Error {
        Error::new(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// A deadline that the clock cannot reach.
    pub fn bad_expire(command: &str) -> Error {
        Error::new(format!("ERR invalid expire time in '{command}' command"))
    }

    /// The text, code first.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The code: the first word.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&b| b == b' ').next().unwrap_or(&[])
    }
}

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Error {
        Error::WRONG_TYPE
    }
}

impl From<IncrementError> for Error {
    fn from(error: IncrementError) -> Error {
        match error {
            IncrementError::WrongType => Error::WRONG_TYPE,
            IncrementError::NotAnInteger => Error::NOT_AN_INTEGER,
            IncrementError::Overflow => Error::OVERFLOW,
        }
    }
}
