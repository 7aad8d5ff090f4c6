//! CONFIG GET and CONFIG SET.
//!
//! CONFIG SET is all or nothing. The pairs are first checked for what does not depend on values
//! (known, changeable, no duplicate), in order, then applied to a copy; only when every value is
//! legal does the copy become the configuration. The caller learns which directives changed and
//! reacts; what it cannot bring about, a port that is taken, it gives back to [`Applied::refuse`],
//! which restores the configuration and words the error. So nothing here calls upwards.
//!
//! Error texts are Redis 8's to the letter, without the type of a reply around them.

use std::collections::BTreeSet;

use super::directives::{self, Change, Config, Row};
use super::words::Guard;
use crate::base::glob;

/// Where the client that issues CONFIG SET is connected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A Unix socket or the loopback interface.
    Local,
    /// Anywhere else.
    Remote,
}

/// The text of an error reply, `ERR` included.
pub type SetError = String;

/// A CONFIG SET that was carried out and may still be taken back.
#[derive(Clone, Debug)]
#[must_use = "changed directives need a reaction"]
pub struct Applied {
    /// The names of the directives whose value is now another, each once, in the order of the
    /// request.
    pub changed: Vec<&'static str>,
    /// The configuration as it was.
    pub before: Box<Config>,
}

impl Applied {
    /// Takes everything back because `name` could not be brought about; gives the error text.
    pub fn refuse(self, config: &mut Config, name: &str, reason: &str) -> SetError {
        *config = *self.before;
        failed(name, reason)
    }
}

impl Config {
    /// The names and values that match the patterns, each once. A pattern without wildcards names
    /// a directive in any case of letters, is answered in the letters of the request, and finds
    /// hidden directives too.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        let mut taken = BTreeSet::new();
        for pattern in patterns {
            let literal = !pattern.iter().any(|byte| b"*?[".contains(byte));
            for (row, name) in named_rows() {
                let matches = match literal {
                    true => pattern.eq_ignore_ascii_case(name.as_bytes()),
                    false => row.change != Change::Hidden && glob::matches(pattern, name.as_bytes(), glob::Case::Ignored),
                };
                if matches && taken.insert(name) {
                    let shown = if literal { pattern.to_vec() } else { name.into() };
                    found.push((shown, row.show(self)));
                }
            }
        }
        found
    }

    /// Sets name and value pairs, given flat, all or none.
    ///
    /// # Errors
    /// The text of the error reply; the configuration is then unchanged.
    pub fn set(&mut self, pairs: &[&[u8]], caller: Caller) -> Result<Applied, SetError> {
        let pairs = pairs.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err("ERR syntax error".to_string());
        }
        let pairs: Vec<(&[u8], &[u8])> = pairs.map(|pair| (pair[0], pair[1])).collect();
        let targets = self.check_names(&pairs, caller)?;
        let mut after = Box::new(self.clone());
        for (&(row, name), (_, value)) in targets.iter().zip(&pairs) {
            let words = row.shape.words_of_set(value);
            let assigned = row.assign(&mut after, &words, directives::Adds::Nothing);
            assigned.map_err(|reason| failed(name, &reason))?;
        }
        let mut changed: Vec<&'static str> = Vec::new();
        for (row, _) in targets {
            if row.value(self) != row.value(&after) && !changed.contains(&row.name) {
                changed.push(row.name);
            }
        }
        std::mem::swap(self, &mut after);
        Ok(Applied { changed, before: after })
    }

    /// Fills in the limit that `maxmemory auto` leaves to the server.
    pub fn resolve_auto_maxmemory(&mut self, bytes: u64) {
        if self.maxmemory.auto {
            self.maxmemory.bytes = bytes;
        }
    }

    /// `oom-score-adj-values`: of a primary, a replica and a child.
    pub fn oom_adjustments(&self) -> [i32; 3] {
        let mut words = self.oom_score_adj_values.split(' ').map(|word| word.parse().expect("the shape has checked the numbers"));
        [0; 3].map(|_| words.next().expect("and that there are three"))
    }

    /// The text of a directive as CONFIG GET shows it.
    pub fn show(&self, name: &str) -> Option<Vec<u8>> {
        directives::find(name.as_bytes()).map(|(row, _)| row.show(self))
    }

    /// The rows that the pairs name, when all of them may be set together.
    fn check_names(&self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Vec<(&'static Row, &'static str)>, SetError> {
        let mut targets: Vec<(&'static Row, &'static str)> = Vec::with_capacity(pairs.len());
        for (asked, _) in pairs {
            let Some((row, name)) = directives::find(asked) else {
                let asked = String::from_utf8_lossy(asked);
                let text = "ERR Unknown option or number of arguments for CONFIG SET";
                return Err(format!("{text} - '{asked}'"));
            };
            match row.change {
                Change::Fixed => return Err(failed(name, "can't set immutable config")),
                Change::Protected if !self.lets_protected(caller) => {
                    return Err(failed(name, "can't set protected config"));
                }
                _ => (),
            }
            // The alias of a directive counts as another one, as in Redis; the last one wins.
            if targets.iter().any(|&(_, earlier)| earlier == name) {
                return Err(failed(name, "duplicate parameter"));
            }
            targets.push((row, name));
        }
        Ok(targets)
    }

    fn lets_protected(&self, caller: Caller) -> bool {
        match self.enable_protected_configs {
            Guard::No => false,
            Guard::Yes => true,
            Guard::Local => caller == Caller::Local,
        }
    }
}

/// Every name, aliases included, with its row.
fn named_rows() -> impl Iterator<Item = (&'static Row, &'static str)> {
    directives::rows().flat_map(|row| row.names().map(move |name| (row, name)))
}

/// The error for one directive of a CONFIG SET.
pub fn failed(name: &str, reason: &str) -> SetError {
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

/// Whether the value of that directive must not be logged.
pub fn is_secret(name: &[u8]) -> bool {
    directives::find(name).is_some_and(|(row, _)| row.is_secret())
}

/// Whether CONFIG SET of that directive must be answered with the LOADING error while a data set is
/// being loaded.
pub fn is_denied_while_loading(name: &[u8]) -> bool {
    ["appendonly", "dir", "repl-diskless-load"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
