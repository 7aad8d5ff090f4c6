//! Makes a story small: which of its requests does a difference need?
//!
//! Delta debugging: pieces are left out, large ones first, for as long as some difference remains. It need not
//! be the same one; a smaller difference found on the way is as good.

use std::io;

use super::compare::Difference;
use super::servers::Servers;
use super::story::{Story, Unit};

/// How often a story is played again at most.
const TRIES: usize = 400;

/// A small story, and the difference it ends with.
pub fn smallest(servers: &mut Servers, story: &Story, difference: &Difference) -> io::Result<(Vec<Unit>, Difference)> {
    let mut units = up_to(&story.units, difference.step);
    let mut found = difference.clone();
    let mut tries = 0;
    let mut piece = units.len().div_ceil(2);
    while piece > 0 && tries < TRIES {
        let mut at = 0;
        let mut shorter = false;
        while at < units.len() && tries < TRIES {
            let mut attempt = units.clone();
            attempt.drain(at..(at + piece).min(attempt.len()));
            tries += 1;
            match servers.play(story, &attempt)?.difference {
                Some(other) => {
                    units = up_to(&attempt, other.step);
                    found = other;
                    shorter = true;
                }
                None => at += piece,
            }
        }
        piece = match (piece, shorter) {
            (1, true) => 1,
            _ => piece / 2,
        };
    }
    within_transactions(servers, story, units, found)
}

/// Leaves out requests between MULTI and EXEC.
fn within_transactions(
    servers: &mut Servers,
    story: &Story,
    mut units: Vec<Unit>,
    mut found: Difference,
) -> io::Result<(Vec<Unit>, Difference)> {
    let mut at = 0;
    while at < units.len() {
        let mut inner = 1;
        while units.get(at).is_some_and(|unit| inner + 1 < unit.len()) {
            let mut attempt = units.clone();
            attempt[at].remove(inner);
            match servers.play(story, &attempt)?.difference {
                Some(other) => {
                    units = up_to(&attempt, other.step);
                    found = other;
                }
                None => inner += 1,
            }
        }
        at += 1;
    }
    Ok((units, found))
}

/// The units up to the one that holds a step.
fn up_to(units: &[Unit], step: usize) -> Vec<Unit> {
    let mut requests = 0;
    let mut kept = Vec::new();
    for unit in units {
        kept.push(unit.clone());
        requests += unit.len();
        if requests > step {
            break;
        }
    }
    kept
}
