//! What several stream commands read from their arguments, and the errors they share.

use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::error::Error;
use crate::types::stream::log::{BlockLimits, Threshold};
use crate::types::stream::{References, StreamId};

pub(super) const BAD_ID: Error = Error::fixed("ERR Invalid stream ID specified as stream command argument");

/// An ID as `ms-seq`, or as `ms` with `missing` for the number.
pub(super) fn strict_id(arg: &[u8], missing: u64) -> Result<StreamId, Error> {
    StreamId::parse(arg, missing).ok_or(BAD_ID)
}

/// As [`strict_id`]; `-` and `+` are the least and the greatest ID.
pub(super) fn loose_id(arg: &[u8], missing: u64) -> Result<StreamId, Error> {
    match arg {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => strict_id(arg, missing),
    }
}

/// Where an interval starts; `(` excludes the ID itself.
pub(super) fn interval_start(arg: &[u8]) -> Result<StreamId, Error> {
    match arg.strip_prefix(b"(") {
        Some(id) => strict_id(id, 0)?.next().ok_or(Error::fixed("ERR invalid start ID for the interval")),
        None => loose_id(arg, 0),
    }
}

/// Where an interval ends; `(` excludes the ID itself.
pub(super) fn interval_end(arg: &[u8]) -> Result<StreamId, Error> {
    match arg.strip_prefix(b"(") {
        Some(id) => strict_id(id, u64::MAX)?.prev().ok_or(Error::fixed("ERR invalid end ID for the interval")),
        None => loose_id(arg, u64::MAX),
    }
}

/// A count of entries to reply with, where anything below zero is none.
pub(super) fn count(arg: &[u8]) -> Result<usize, Error> {
    Ok(usize::try_from(integer(arg)?).unwrap_or(0))
}

/// All IDs of the arguments.
pub(super) fn ids(args: Args<'_>) -> Result<Vec<StreamId>, Error> {
    args.iter().map(|arg| strict_id(arg, 0)).collect()
}

/// Neither key nor group need exist for this.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8]) -> Error {
    Error::quoting("NOGROUP No such key '{}' or consumer group '{}'", &[key, group])
}

/// As [`no_key_or_group`], with what XREADGROUP adds.
pub(super) fn no_key_or_group_to_read(key: &[u8], group: &[u8]) -> Error {
    Error::quoting("NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option", &[key, group])
}

/// The key exists, the group does not.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> Error {
    Error::quoting("NOGROUP No such consumer group '{}' for key name '{}'", &[group, key])
}

/// An option that XCLAIM does not have.
pub(super) fn unknown_claim_option(option: &[u8]) -> Error {
    Error::quoting("ERR Unrecognized XCLAIM option '{}'", &[option])
}

/// Options that a subcommand does not have.
pub(super) fn bad_subcommand(container: &str, name: &[u8]) -> Error {
    let template = format!("ERR unknown subcommand or wrong number of arguments for '{{}}'. Try {container} HELP.");
    Error::quoting(&template, &[&name[..name.len().min(128)]])
}

/// The entry's ID as XADD was given it.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewId {
    /// `*`
    Auto,
    /// `ms-*`
    AutoSequence(u64),
    /// `ms-seq` or `ms`.
    Given(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrimOption {
    pub threshold: Threshold,
    /// `~`
    pub approximate: bool,
    /// Index of the argument with the threshold.
    pub at: usize,
}

/// The options that XADD and XTRIM share, and XADD's own.
#[derive(Default)]
pub(super) struct AddOptions {
    pub trim: Option<TrimOption>,
    pub limit: Option<i64>,
    pub references: Option<References>,
    pub must_exist: bool,
    /// XADD's ID and the index of its argument.
    pub id: Option<(NewId, usize)>,
}

/// Whose options are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OptionsOf {
    Add,
    Trim,
}

impl AddOptions {
    /// Parses the arguments behind the key, up to XADD's ID.
    pub(super) fn parse(args: Args<'_>, of: OptionsOf) -> Result<AddOptions, Error> {
        let mut options = AddOptions::default();
        let mut at = 2;
        while at < args.len() {
            let more = args.len() - 1 - at;
            if of == OptionsOf::Add && args.at(at) == b"*" {
                options.id = Some((NewId::Auto, at));
                break;
            } else if more > 0 && (args.is(at, "maxlen") || args.is(at, "minid")) {
                at = options.parse_trim(args, at, more)?;
            } else if more > 0 && args.is(at, "limit") {
                at += 1;
                let limit = integer(args.at(at))?;
                if limit < 0 {
                    return Err(Error::fixed("ERR The LIMIT argument must be >= 0."));
                }
                options.limit = Some(limit);
            } else if let Some(references) = references(args.at(at)) {
                if options.references.replace(references).is_some() {
                    return Err(Error::SYNTAX);
                }
            } else if of == OptionsOf::Add && args.is(at, "nomkstream") {
                options.must_exist = true;
            } else if of == OptionsOf::Add {
                options.id = Some((new_id(args.at(at))?, at));
                break;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if options.limit.is_some_and(|limit| limit > 0) && options.trim.is_none() {
            return Err(Error::fixed("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"));
        }
        if of == OptionsOf::Trim && options.trim.is_none() {
            return Err(Error::fixed("ERR syntax error, XTRIM must be called with a trimming strategy"));
        }
        Ok(options)
    }

    /// `MAXLEN|MINID [=|~] threshold`; gives the index of the threshold.
    fn parse_trim(&mut self, args: Args<'_>, mut at: usize, more: usize) -> Result<usize, Error> {
        if self.trim.is_some() {
            return Err(Error::fixed("ERR syntax error, MAXLEN and MINID options at the same time are not compatible"));
        }
        let by_length = args.is(at, "maxlen");
        at += 1;
        let approximate = more >= 2 && args.at(at) == b"~";
        if approximate || more >= 2 && args.at(at) == b"=" {
            at += 1;
        }
        let threshold = if by_length {
            let length = integer(args.at(at))?;
            Threshold::Length(u64::try_from(length).map_err(|_| Error::fixed("ERR The MAXLEN argument must be >= 0."))?)
        } else {
            Threshold::Id(strict_id(args.at(at), 0)?)
        };
        self.trim = Some(TrimOption { threshold, approximate, at });
        Ok(at)
    }

    /// How many entries a trim may remove, 0 for any number. A primary or a file to be replayed is obeyed: what
    /// it says has happened already.
    pub(super) fn trim_limit(&self, obey: bool, limits: BlockLimits) -> Result<u64, Error> {
        let approximate = self.trim.is_some_and(|trim| trim.approximate);
        if obey {
            return Ok(0);
        }
        match self.limit {
            Some(_) if !approximate => Err(Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option")),
            Some(limit) => Ok(u64::try_from(limit).unwrap_or(0)),
            None if approximate => Ok(match limits.entries.saturating_mul(100) {
                ..=0 => 10_000,
                limit => u64::try_from(limit.min(1_000_000)).unwrap_or(0),
            }),
            None => Ok(0),
        }
    }
}

fn new_id(arg: &[u8]) -> Result<NewId, Error> {
    use crate::types::stream::id::Sequence;
    let (ms, sequence) = StreamId::parse_parts(arg).ok_or(BAD_ID)?;
    Ok(match sequence {
        Sequence::Given(seq) => NewId::Given(StreamId::new(ms, seq)),
        Sequence::Missing => NewId::Given(StreamId::new(ms, 0)),
        Sequence::Auto => NewId::AutoSequence(ms),
    })
}

/// `KEEPREF`, `DELREF` or `ACKED`.
pub(super) fn references(arg: &[u8]) -> Option<References> {
    [("keepref", References::Keep), ("delref", References::Delete), ("acked", References::Acked)]
        .into_iter()
        .find(|(word, _)| arg.eq_ignore_ascii_case(word.as_bytes()))
        .map(|(_, references)| references)
}
