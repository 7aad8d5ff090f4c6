//! What happens in a story, event by event: counted, written down, and left out one by one to find the few
//! events without which a story that ends badly would end well.
//!
//! A story asks [`happens`] before each event of its own making (a request, a cut link, a kill). In an
//! ordinary play the answer is yes, and nothing is kept but a count. When a seed fails, [`least`] plays it
//! again and again with more and more events left out, as long as it still fails, and prints what remains. Harm that
//! is done is counted by its kind ([`fault`]), and what was reached by its name ([`reached`]); [`Report`] shows both.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Plays that the search for the least story may take.
const PLAYS: usize = 400;

#[derive(Default)]
struct Trace {
    events: usize,
    left_out: BTreeSet<usize>,
    /// What has happened, if it is to be told.
    told: Option<Vec<(usize, String)>>,
    faults: BTreeMap<&'static str, u64>,
    reached: BTreeSet<String>,
}

thread_local! {
    static TRACE: RefCell<Trace> = RefCell::default();
}

/// Whether the next event happens; `what` says what it is.
pub fn happens(what: impl FnOnce() -> String) -> bool {
    TRACE.with_borrow_mut(|trace| {
        let number = trace.events;
        trace.events += 1;
        if trace.left_out.contains(&number) {
            return false;
        }
        if let Some(told) = &mut trace.told {
            told.push((number, what()));
        }
        true
    })
}

/// Harm was done.
pub fn fault(kind: &'static str) {
    TRACE.with_borrow_mut(|trace| *trace.faults.entry(kind).or_default() += 1);
}

/// The story came to something that is worth knowing: a command and the kind of its reply.
pub fn reached(what: impl FnOnce() -> String) {
    TRACE.with_borrow_mut(|trace| {
        trace.reached.insert(what());
    });
}

/// Plays without the events in `left_out`; gives what happened if it fails.
fn fails(story: &impl Fn(), left_out: &BTreeSet<usize>) -> Option<Vec<(usize, String)>> {
    TRACE.with_borrow_mut(|trace| {
        trace.events = 0;
        trace.left_out.clone_from(left_out);
        trace.told = Some(Vec::new());
    });
    let ended = catch_unwind(AssertUnwindSafe(story));
    let told = TRACE.with_borrow_mut(|trace| {
        trace.left_out.clear();
        trace.told.take().expect("it was asked for")
    });
    ended.is_err().then_some(told)
}

/// The events of a failing story without which it would not fail, or nearly so: ever smaller parts are left out, and stay
/// out if it still fails.
pub fn least(story: impl Fn()) -> Vec<String> {
    let mut left_out = BTreeSet::new();
    let Some(mut told) = fails(&story, &left_out) else { return vec!["it does not fail a second time".into()] };
    let mut size = told.len().div_ceil(2).max(1);
    let mut plays = 1;
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < told.len() && plays < PLAYS {
            let mut without = left_out.clone();
            without.extend(told[at..(at + size).min(told.len())].iter().map(|(number, _)| *number));
            plays += 1;
            match fails(&story, &without) {
                Some(shorter) if shorter.len() < told.len() => {
                    (left_out, told, smaller) = (without, shorter, true);
                }
                _ => at += size,
            }
        }
        if plays >= PLAYS || size == 1 && !smaller {
            return told.into_iter().map(|(_, what)| what).collect();
        }
        size = size.div_ceil(2);
    }
}

/// What the plays of one story came to.
pub struct Report {
    name: &'static str,
    started: Instant,
    seeds: u64,
}

impl Report {
    /// A report that starts now.
    pub fn new(name: &'static str) -> Report {
        TRACE.take();
        Report { name, started: Instant::now(), seeds: 0 }
    }

    /// A seed was played.
    pub fn played(&mut self) {
        self.seeds += 1;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let trace = TRACE.take();
        let seconds = self.started.elapsed().as_secs_f64();
        let faults: Vec<String> = trace.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        println!(
            "{}: {} seeds, {:.1} a second, {} events; faults: {}; reached: {} kinds of command and reply",
            self.name,
            self.seeds,
            self.seeds as f64 / seconds.max(1e-9),
            trace.events,
            if faults.is_empty() { "none".into() } else { faults.join(", ") },
            trace.reached.len(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let story = || {
            let mut sum = 0;
            for number in 0..100 {
                if happens(|| format!("add {number}")) && (number == 17 || number == 60) {
                    sum += number;
                }
            }
            assert!(sum != 77, "the two together are fatal");
        };
        assert_eq!(super::super::quietly(|| least(story)), ["add 17", "add 60"]);
    }
}
