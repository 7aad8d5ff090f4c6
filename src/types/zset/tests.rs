//! The value on its own: against a model, through both forms, and its files.

use std::collections::BTreeMap;

use super::*;
use crate::base::random::Random;

const SMALL: Thresholds = Thresholds { members: 16, bytes: 20 };

fn hasher() -> KeyHasher {
    KeyHasher::new(1, 2)
}

fn sorted(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
    let mut pairs: Vec<(Vec<u8>, f64)> = model.iter().map(|(member, &score)| (member.clone(), score)).collect();
    pairs.sort_by(|a, b| compare((a.1, &a.0), (b.1, &b.0)));
    pairs
}

fn owned<'a>(pairs: impl Iterator<Item = (Element<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    pairs.map(|(member, score)| (member.to_vec(), score)).collect()
}

fn agree(zset: &Zset, model: &BTreeMap<Vec<u8>, f64>, random: &mut Random) {
    let pairs = sorted(model);
    let len = pairs.len();
    assert_eq!(zset.len(), len);
    assert_eq!(owned(zset.iter()), pairs);
    let (start, end) = (random.index(len + 1), random.index(len + 1));
    let (start, end) = (start.min(end), start.max(end));
    assert_eq!(owned(zset.range(start..end)), pairs[start..end]);
    let back: Vec<_> = pairs[start..end].iter().rev().cloned().collect();
    assert_eq!(owned(zset.range_back(start..end)), back);
    if let Some((member, score)) = pairs.get(start) {
        assert_eq!(zset.rank(member), Some((start, *score)));
        assert_eq!(zset.score(member), Some(*score));
        assert_eq!(zset.get(start).map(|(m, s)| (m.to_vec(), s)), Some((member.clone(), *score)));
        let by_score = |holds: fn(f64, f64) -> bool| pairs.iter().filter(|(_, s)| holds(*s, *score)).count();
        let all = f64::NEG_INFINITY;
        assert_eq!(zset.ranks_by_score(ScoreBound::Inclusive(*score), ScoreBound::Inclusive(f64::INFINITY)), by_score(|a, b| a < b)..len);
        assert_eq!(zset.ranks_by_score(ScoreBound::Inclusive(all), ScoreBound::Exclusive(*score)), 0..by_score(|a, b| a < b));
        assert_eq!(zset.ranks_by_score(ScoreBound::Exclusive(all), ScoreBound::Inclusive(*score)), 0..by_score(|a, b| a <= b));
    }
    let mut seen = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = zset.scan(cursor, |member, score| {
            seen.insert(member.to_vec(), score);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&seen, model);
}

#[test]
fn both_forms_do_what_a_sorted_map_does() {
    let mut random = Random::from_seed(3);
    for round in 0..if cfg!(miri) { 2 } else { 60 } {
        let mut zset = Zset::new(0, 0, SMALL, hasher());
        let mut model = BTreeMap::new();
        let members = if round % 2 == 0 { 12 } else { 300 };
        for step in 0..if cfg!(miri) { 60 } else { 600 } {
            let number = random.index(members);
            let member = if number.is_multiple_of(3) { number.to_string().into_bytes() } else { format!("member-{number}").into_bytes() };
            let score = (random.index(40) as f64 - 20.0) / 4.0;
            match random.index(8) {
                0..=4 => {
                    let change = zset.update::<()>(&member, SMALL, hasher(), |_| Ok(Some(score))).expect("no error");
                    assert_eq!(change.old, model.insert(member, score));
                }
                5 => {
                    let refused = zset.update(&member, SMALL, hasher(), |_| Err(()));
                    assert_eq!(refused, Err(()));
                }
                6 => assert_eq!(zset.remove(&member), model.remove(&member)),
                _ if random.index(10) == 0 => {
                    let start = random.index(zset.len() + 1);
                    let end = start + random.index(zset.len() + 1 - start);
                    for (member, _) in &sorted(&model)[start..end] {
                        model.remove(member);
                    }
                    assert_eq!(zset.remove_ranks(start..end), end - start);
                }
                _ => {}
            }
            if step % 20 == 0 {
                agree(&zset, &model, &mut random);
            }
        }
        agree(&zset, &model, &mut random);
        agree(&zset.clone(), &model, &mut random);
        let (kind, payload) = zset.into_raw();
        // SAFETY: the words were given up just now.
        let zset = unsafe { Zset::from_raw(kind, payload) };
        agree(&zset, &model, &mut random);
    }
}

#[test]
fn members_of_equal_score_are_ordered_by_bytes() {
    for thresholds in [Thresholds { members: 100, bytes: 400 }, Thresholds { members: 0, bytes: 0 }] {
        let mut zset = Zset::new(1, 1, thresholds, hasher());
        let long = vec![b'x'; 300];
        for member in [b"b".as_slice(), b"10", b"9", b"", b"a", &long] {
            zset.insert(member, 1.0, thresholds, hasher());
        }
        let order: Vec<Vec<u8>> = zset.iter().map(|(member, _)| member.to_vec()).collect();
        assert_eq!(order, [b"".as_slice(), b"10", b"9", b"a", b"b", &long]);
        assert_eq!(zset.ranks_by_lex(LexBound::Min, LexBound::Max), 0..6);
        assert_eq!(zset.ranks_by_lex(LexBound::Exclusive(b"10"), LexBound::Inclusive(b"a")), 2..4);
        assert_eq!(zset.ranks_by_lex(LexBound::Inclusive(b"10"), LexBound::Exclusive(b"a")), 1..3);
        assert_eq!(zset.ranks_by_lex(LexBound::Max, LexBound::Min), 6..6);
    }
}

#[test]
fn the_small_form_is_the_bytes_of_a_dump() {
    let mut zset = Zset::new(1, 1, SMALL, hasher());
    for (member, score) in [("a", 1.0), ("7", -0.0), ("b", 2.5)] {
        zset.insert(member.as_bytes(), score, SMALL, hasher());
    }
    let bytes = zset.as_packed().expect("small").to_listpack();
    assert_eq!(bytes, b"\x18\0\0\0\x06\0\x07\x01\x00\x01\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff");
}

#[test]
fn a_gathered_set_is_sorted_at_the_end() {
    let mut gather = Gather::new(hasher());
    for (member, score) in [("a", 5.0), ("b", 1.0), ("a", 2.0), ("c", 3.0)] {
        gather.put(member.as_bytes(), |old| old.unwrap_or(0.0) + score);
    }
    assert!(gather.remove(b"c") && !gather.remove(b"c"));
    assert_eq!(gather.len(), 2);
    let zset = gather.finish();
    assert_eq!(zset.encoding(), "skiplist");
    let zset = zset.compact(SMALL);
    assert_eq!(zset.encoding(), "listpack");
    assert_eq!(owned(zset.iter()), [(b"b".to_vec(), 1.0), (b"a".to_vec(), 7.0)]);
}

#[test]
fn members_that_arrive_one_by_one_make_the_set_that_they_are() {
    let mut random = Random::from_seed(9);
    for round in 0..60 {
        let count = [0, 1, 2, 3, 700, 9000][round % 6];
        let mut members: Vec<(f64, String)> = (0..count).map(|n| (random.below(count as u64 / 2 + 1) as f64, format!("m{n}"))).collect();
        members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let expected = members.clone();
        match round / 6 % 4 {
            0 => {}
            1 => members.reverse(),
            2 => {
                members.reverse();
                let at = members.len() / 2;
                members[at..].reverse();
            }
            _ => members.sort_by_cached_key(|_| random.next_u64()),
        }
        let mut arriving = super::Arriving::new(hasher());
        for (score, member) in &members {
            assert!(arriving.add(member.as_bytes(), *score));
            assert!(!arriving.add(member.as_bytes(), 1.0), "it is there already");
        }
        while !arriving.settle(7) {}
        let set = arriving.finish();
        let found: Vec<(f64, String)> =
            set.iter().map(|(member, score)| (score, String::from_utf8(member.to_vec()).expect("text"))).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_small_set_has_room_for_longer_scores() {
    let thresholds = Thresholds { members: usize::MAX, bytes: usize::MAX };
    let half = vec![b'x'; SMALL_BYTES / 2];
    let mut zset = Zset::new(1, 1, thresholds, hasher());
    zset.insert(&half, 1.0, thresholds, hasher());
    assert_eq!(zset.encoding(), "listpack");
    zset.insert(&[&half[..], b"y"].concat(), 1.0, thresholds, hasher());
    assert_eq!((zset.encoding(), zset.len()), ("skiplist", 2));
    assert_eq!(zset.compact(thresholds).encoding(), "skiplist");
}
