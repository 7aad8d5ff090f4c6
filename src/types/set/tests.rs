//! Sets against a model, at every form.

use std::collections::BTreeSet;

use super::*;

fn bounds(ints: usize, packed: usize) -> Bounds {
    Bounds { ints, packed, member: 16, hasher: KeyHasher::new(1, 2) }
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    let all: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
    let unique: BTreeSet<Vec<u8>> = all.iter().cloned().collect();
    assert_eq!(unique.len(), all.len(), "each member once");
    assert_eq!(unique.len(), set.len());
    unique
}

fn word(random: &mut Random) -> Vec<u8> {
    match random.index(8) {
        0 => vec![b'x'; random.index(600)],
        1 | 2 => format!("w{}", random.index(40)).into_bytes(),
        _ => (random.index(60) as i64 - 30).to_string().into_bytes(),
    }
}

#[test]
fn a_set_is_what_a_model_is() {
    for seed in 0..if cfg!(miri) { 2 } else { 60 } {
        let mut random = Random::from_seed(seed);
        let bounds = bounds(random.index(40), random.index(40));
        let mut model = BTreeSet::new();
        let mut set = Set::for_members(&word(&mut random), random.index(50), bounds);
        for _ in 0..if cfg!(miri) { 60 } else { 400 } {
            let word = word(&mut random);
            match random.index(12) {
                0..6 => assert_eq!(set.add(&word, bounds), model.insert(word)),
                6..9 => assert_eq!(set.remove(&word), model.remove(&word)),
                9 => assert_eq!(set.contains(&word), model.contains(&word)),
                10 if random.index(4) == 0 => {
                    let popped = set.pop_one(&mut random);
                    assert!(popped.is_none_or(|member| model.remove(&member)));
                }
                10 if set.len() > 1 => {
                    let count = random.index(set.len());
                    let mut popped = 0;
                    set.pop(count, bounds, &mut random, |member| {
                        popped += 1;
                        assert!(model.remove(&member.to_vec()), "a member is popped once");
                    });
                    assert_eq!(popped, count);
                }
                _ => {
                    let (kind, payload) = set.into_raw();
                    // SAFETY: the word came from `into_raw` and is used once.
                    set = unsafe { Set::from_raw(kind, payload) }.clone();
                }
            }
            assert_eq!(members(&set), model);
            let mut scanned = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = set.scan(cursor, |member| {
                    scanned.insert(member.to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(scanned, model);
        }
    }
}

#[test]
fn forms_follow_the_bounds() {
    let bounds = bounds(3, 4);
    let mut set = Set::for_members(b"1", 1, bounds);
    for (member, encoding) in [("1", "intset"), ("2", "intset"), ("3", "intset"), ("a", "listpack"), ("b", "hashtable")] {
        assert!(set.add(member.as_bytes(), bounds));
        assert_eq!(set.encoding(), encoding, "after {member}");
    }
    let mut set = Set::for_members(b"1", 1, bounds);
    for (member, encoding) in [("1", "intset"), ("4", "intset"), ("3", "intset"), ("2", "hashtable")] {
        assert!(set.add(member.as_bytes(), bounds));
        assert_eq!(set.encoding(), encoding, "after {member}");
    }
    assert_eq!(Set::for_members(b"a", 4, bounds).encoding(), "listpack");
    assert_eq!(Set::for_members(b"a", 5, bounds).encoding(), "hashtable");
    assert_eq!(Set::for_members(b"1", 4, bounds).encoding(), "listpack");
    let mut set = Set::for_members(b"a", 1, bounds);
    assert!(set.add(b"seventeen letters", bounds));
    assert_eq!(set.encoding(), "hashtable");
    assert!(set.remove(b"seventeen letters") && set.add(b"7", bounds) && set.add(b"-3", bounds));
    set.reduce_to_ints(bounds);
    assert_eq!((set.encoding(), set.iter().map(|m| m.as_i64()).collect::<Vec<_>>()), ("intset", vec![Some(-3), Some(7)]));
}

#[test]
fn foreign_members_are_checked() {
    let packed = |words: &[&str]| {
        let mut packed = Packed::new();
        words.iter().for_each(|word| packed.push_back(word.as_bytes()));
        packed
    };
    assert!(Set::from_packed(packed(&["a", "1", "a"]), bounds(4, 4)).is_none());
    let encoding = |words: &[&str]| Set::from_packed(packed(words), bounds(4, 2)).map(|set| set.encoding());
    assert_eq!(encoding(&["a", "1"]), Some("listpack"));
    assert_eq!(encoding(&["a", "b", "c"]), Some("hashtable"));
    assert_eq!(encoding(&["seventeen letters"]), Some("hashtable"));
}

/// Each of `n` members is drawn about equally often.
fn assert_even(hits: &[usize]) {
    let expected = hits.iter().sum::<usize>() as f64 / hits.len() as f64;
    let chi: f64 = hits.iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
    // far beyond the 99.99th percentile for as many degrees of freedom
    let freedom = hits.len() as f64;
    assert!(chi < freedom + 5.0 * (2.0 * freedom).sqrt(), "chi² {chi} of {freedom} members: {hits:?}");
}

#[test]
fn draws_are_even() {
    if cfg!(miri) {
        return;
    }
    let mut random = Random::from_seed(7);
    for (first, limit) in [("1", 100), ("x", 100), ("1", 0)] {
        let bounds = bounds(limit, limit);
        let mut full = Set::for_members(first.as_bytes(), 1, bounds);
        for n in 0..20 {
            full.add(n.to_string().as_bytes(), bounds);
        }
        let number = |member: Element| usize::try_from(member.as_i64().expect("all are numbers")).expect("and positive");
        let mut hits = [[0; 20]; 5];
        for _ in 0..2_000 {
            hits[0][number(full.random(&mut random).expect("members"))] += 1;
            full.draw(3, &mut random, |member| hits[1][number(member)] += 1);
            full.sample(4, &mut random, |member| hits[2][number(member)] += 1);
            full.clone().pop(7, bounds, &mut random, |member| hits[3][number(member)] += 1);
            full.clone().pop(18, bounds, &mut random, |member| hits[4][number(member)] += 1);
        }
        hits.iter().for_each(|hits| assert_even(hits));
    }
}

#[test]
fn a_million_members_take_little() {
    let mut set = Set::large(KeyHasher::new(3, 4));
    let count = if cfg!(miri) { 100 } else { 100_000 };
    for n in 0..count {
        set.add(format!("member:{n:08}").as_bytes(), bounds(0, 0));
    }
    assert!(set.bytes() / count <= 45, "{} bytes a member", set.bytes() / count);
}
