//! The small form: members and scores by turns in one packed block, sorted, as Redis's own.
//!
//! A score that is a whole number of up to 2^62 is stored as an integer, so -0 becomes 0; others are
//! stored as the shortest text that reads as the same double.

use std::cmp::Ordering;
use std::ops::Range;

use super::{LexBound, ScoreBound};
use crate::base::number;
use crate::ds::packed::{Backward, Element, Forward, Packed, Position};

/// The double that an element of a score's place stands for. Foreign bytes may hold what is no number: 0.
#[inline]
pub(super) fn score_of(element: Element) -> f64 {
    match element {
        Element::Int(value) => value as f64,
        Element::Bytes(text) => number::parse_f64(text).unwrap_or(0.0),
    }
}

/// Calls `work` with the element that stores a score.
fn with_score<R>(score: f64, work: impl FnOnce(Element) -> R) -> R {
    match number::exact_integer(score) {
        Some(value) => work(Element::Int(value)),
        None => {
            let mut text = Vec::with_capacity(32);
            number::write_f64(&mut text, score);
            work(Element::from_text(&text))
        }
    }
}

fn compare_member(element: Element, member: &[u8]) -> Ordering {
    element.text(&mut [0; 21]).cmp(member)
}

/// The place of a member and its score.
pub(super) fn find(packed: &Packed, member: &[u8]) -> Option<(Position, f64)> {
    let place = packed.find(member, packed.first()?, 1)?;
    let score = packed.next(place).expect("each member has a score behind it");
    Some((place, score_of(packed.at(score))))
}

/// Adds a member that is not there.
pub(super) fn insert(packed: &mut Packed, member: &[u8], score: f64) {
    let next = {
        let mut pairs = packed.iter();
        loop {
            let place = pairs.position();
            match pair(&mut pairs) {
                Some((other, at)) if at < score || at == score && compare_member(other, member) == Ordering::Less => {}
                Some(_) => break place,
                None => break None,
            }
        }
    };
    with_score(score, |score| {
        let pair = [Element::from_text(member), score];
        match next {
            Some(place) => {
                packed.insert_elements_before(place, &pair);
            }
            None => packed.push_elements(&pair),
        }
    });
}

/// Removes the member at a place.
pub(super) fn remove(packed: &mut Packed, place: Position) {
    packed.remove(place, 2);
}

/// Removes the members of these ranks.
pub(super) fn remove_ranks(packed: &mut Packed, ranks: Range<usize>) -> usize {
    match packed.seek(index(ranks.start)) {
        Some(place) => {
            let before = packed.len();
            packed.remove(place, ranks.len() * 2);
            (before - packed.len()) / 2
        }
        None => 0,
    }
}

/// The number of the element that is the member of a rank.
fn index(rank: usize) -> isize {
    isize::try_from(rank.saturating_mul(2)).unwrap_or(isize::MAX)
}

#[inline]
fn pair<'a>(elements: &mut Forward<'a>) -> Option<(Element<'a>, f64)> {
    let member = elements.next()?;
    Some((member, score_of(elements.next()?)))
}

/// The number of leading pairs for which a condition holds that holds for a prefix of the order.
fn count_while(packed: &Packed, mut holds: impl FnMut(Element, f64) -> bool) -> usize {
    let mut pairs = Ascending(packed.iter());
    let mut count = 0;
    while pairs.next().is_some_and(|(member, score)| holds(member, score)) {
        count += 1;
    }
    count
}

pub(super) fn rank(packed: &Packed, member: &[u8]) -> Option<(usize, f64)> {
    let mut pairs = Ascending(packed.iter()).enumerate();
    pairs.find(|(_, (other, _))| other.eq_bytes(member)).map(|(rank, (_, score))| (rank, score))
}

pub(super) fn ranks_by_score(packed: &Packed, min: ScoreBound, max: ScoreBound) -> Range<usize> {
    let start = match min {
        ScoreBound::Inclusive(bound) => count_while(packed, |_, score| score < bound),
        ScoreBound::Exclusive(bound) => count_while(packed, |_, score| score <= bound),
    };
    let end = match max {
        ScoreBound::Inclusive(bound) => count_while(packed, |_, score| score <= bound),
        ScoreBound::Exclusive(bound) => count_while(packed, |_, score| score < bound),
    };
    start..end.max(start)
}

pub(super) fn ranks_by_lex(packed: &Packed, min: LexBound, max: LexBound) -> Range<usize> {
    let start = match min {
        LexBound::Min => 0,
        LexBound::Max => packed.len() / 2,
        LexBound::Inclusive(bound) => count_while(packed, |member, _| compare_member(member, bound) == Ordering::Less),
        LexBound::Exclusive(bound) => count_while(packed, |member, _| compare_member(member, bound) != Ordering::Greater),
    };
    let end = match max {
        LexBound::Min => 0,
        LexBound::Max => packed.len() / 2,
        LexBound::Inclusive(bound) => count_while(packed, |member, _| compare_member(member, bound) != Ordering::Greater),
        LexBound::Exclusive(bound) => count_while(packed, |member, _| compare_member(member, bound) == Ordering::Less),
    };
    start..end.max(start)
}

/// The pairs from this rank on.
pub(super) fn iter_from(packed: &Packed, rank: usize) -> Ascending<'_> {
    Ascending(match packed.seek(index(rank)) {
        Some(place) => packed.iter_from(place),
        None => {
            let mut none = packed.iter();
            none.by_ref().for_each(drop);
            none
        }
    })
}

/// The pairs from this rank down, from the last if there are fewer.
pub(super) fn iter_back_from(packed: &Packed, rank: usize) -> Descending<'_> {
    Descending(match packed.seek(index(rank.saturating_add(1))) {
        Some(place) => packed.iter_back_from(place),
        None => packed.iter_back(),
    })
}

/// Pairs in ascending order.
pub(super) struct Ascending<'a>(Forward<'a>);

impl<'a> Iterator for Ascending<'a> {
    type Item = (Element<'a>, f64);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        pair(&mut self.0)
    }
}

/// Pairs in descending order.
pub(super) struct Descending<'a>(Backward<'a>);

impl<'a> Iterator for Descending<'a> {
    type Item = (Element<'a>, f64);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let score = score_of(self.0.next()?);
        Some((self.0.next()?, score))
    }
}
