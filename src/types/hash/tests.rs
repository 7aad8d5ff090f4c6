//! A hash in all its forms against a map from std.

use std::collections::BTreeMap;

use super::*;
use crate::ds::table::KeyHasher;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn bounds(entries: usize) -> Bounds {
    Bounds { entries, value: 64, hasher: KeyHasher::new(1, 2) }
}

fn contents(hash: &Hash, horizon: Millis) -> Model {
    hash.iter(horizon).map(|item| (item.field.text().into_owned(), (item.value.text().into_owned(), item.deadline.map(|d| d.0)))).collect()
}

fn living(model: &Model, horizon: Millis) -> Model {
    model.iter().filter(|(_, (_, deadline))| deadline.is_none_or(|d| d > horizon.0)).map(|(f, v)| (f.clone(), v.clone())).collect()
}

/// Everything that can be asked, against the model.
fn compare(hash: &Hash, model: &Model, now: Millis) {
    let alive = living(model, now);
    assert_eq!(contents(hash, now), alive);
    assert_eq!(contents(hash, NEVER), *model);
    assert_eq!(hash.len(), model.len());
    assert_eq!(hash.len_at(now), alive.len());
    assert_eq!(hash.earliest_deadline().map(|d| d.0), model.values().filter_map(|(_, d)| *d).min());
    assert_eq!(hash.expiring(), model.values().filter(|(_, d)| d.is_some()).count());
    for (field, (value, deadline)) in model {
        let found = hash.find(field, now).map(|(v, d)| (v.text().into_owned(), d.map(|d| d.0)));
        assert_eq!(found, alive.contains_key(field).then(|| (value.clone(), *deadline)));
    }
}

fn random_value(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => vec![b'x'; random.index(300)],
        1..3 => random.below(1 << 40).to_string().into_bytes(),
        _ => vec![b'v'; random.index(40)],
    }
}

/// One random change to both.
fn change(hash: &mut Hash, model: &mut Model, bounds: &Bounds, now: Millis, random: &mut Random) {
    let field = if random.below(2) == 0 { format!("f{}", random.below(60)) } else { random.below(60).to_string() }.into_bytes();
    let there = model.get(&field).filter(|(_, d)| d.is_none_or(|d| d > now.0)).cloned();
    let deadline = Millis(now.0 + 1 + random.below(40) as i64);
    match random.below(10) {
        0..6 => {
            let value = random_value(random);
            let (ttl, new) = match random.below(4) {
                0 => (FieldTtl::Keep, there.clone().and_then(|(_, d)| d)),
                1 => (FieldTtl::At(deadline), Some(deadline.0)),
                _ => (FieldTtl::Clear, None),
            };
            assert_eq!(hash.set(&field, &value, ttl, bounds, now), there.is_none());
            model.insert(field, (value, new));
        }
        6..8 => {
            assert_eq!(hash.remove(&field, now), there.is_some());
            if there.is_some() {
                model.remove(&field);
            }
        }
        _ if there.is_some() => {
            let new = (random.below(3) > 0).then_some(deadline);
            hash.set_deadline(&field, new);
            model.get_mut(&field).expect("there").1 = new.map(|d| d.0);
        }
        _ => {}
    }
}

#[test]
fn behaves_as_a_std_map_in_every_form() {
    for seed in 0..if cfg!(miri) { 2 } else { 18 } {
        let mut random = Random::from_seed(seed);
        let bounds = bounds([0, 16, 100_000][seed as usize % 3]);
        let bounds = Bounds { value: if seed % 2 == 0 { 64 } else { 100_000 }, ..bounds };
        let (mut hash, mut model, mut now) = (Hash::new(), Model::new(), Millis(1_000));
        for step in 0..if cfg!(miri) { 100 } else { 600 } {
            change(&mut hash, &mut model, &bounds, now, &mut random);
            if random.below(10) == 0 {
                now.0 += random.below(20) as i64;
            }
            if random.below(20) == 0 {
                let most = random.index(6);
                let mut told = Vec::new();
                let count = hash.expire(now, most, |field, deadline| told.push((field.to_vec(), deadline.0)));
                let due = model.len() - living(&model, now).len();
                assert_eq!((count, told.len()), (due.min(most), due.min(most)));
                assert!(told.is_sorted_by_key(|&(_, deadline)| deadline), "the earliest first");
                for (field, deadline) in told {
                    assert_eq!(model.remove(&field).expect("was there").1, Some(deadline));
                }
            }
            if step % 7 == 0 {
                compare(&hash, &model, now);
                // through the payload and back, and as a copy
                let (kind, payload) = hash.clone().into_raw();
                assert!(kind.expires_within() || hash.earliest_deadline().is_none());
                // SAFETY: the payload was just given up.
                compare(&unsafe { Hash::from_raw(kind, payload) }, &model, now);
            }
        }
    }
}

#[test]
fn a_scan_and_draws_see_exactly_what_is_there() {
    for (entries, form) in [(1_000, "listpackex"), (0, "hashtable")] {
        let (bounds, mut random) = (bounds(entries), Random::from_seed(3));
        let mut hash = Hash::new();
        for i in 0..300i64 {
            let ttl = if i % 3 == 0 { FieldTtl::At(Millis(i)) } else { FieldTtl::Clear };
            hash.set(format!("f{i}").as_bytes(), b"v", ttl, &bounds, NEVER);
        }
        assert_eq!(hash.encoding(), form);
        for horizon in [NEVER, Millis(150)] {
            let alive = contents(&hash, horizon);
            let (mut seen, mut cursor) = (Model::new(), 0);
            loop {
                cursor = hash.scan(cursor, horizon, |item| {
                    seen.insert(item.field.text().into_owned(), (item.value.text().into_owned(), item.deadline.map(|d| d.0)));
                });
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, alive);
            for count in [0, 1, 20, 200, 290, 1_000] {
                let mut drawn = HashSet::new();
                hash.draw_distinct(count, horizon, &mut random, |item| assert!(drawn.insert(item.field.text().into_owned())));
                assert_eq!(drawn.len(), count.min(alive.len()));
                assert!(drawn.iter().all(|field| alive.contains_key(field)));
            }
            let mut tally: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            hash.draw(100 * alive.len() as u64, horizon, &mut random, |item| {
                *tally.entry(item.field.text().into_owned()).or_default() += 1
            });
            assert!(tally.keys().eq(alive.keys()));
            let chi: f64 = tally.values().map(|&n| (f64::from(n) - 100.0).powi(2) / 100.0).sum();
            assert!(chi < alive.len() as f64 * 1.4, "chi square {chi} of {}", alive.len());
        }
    }
}

#[test]
fn foreign_blocks_are_checked() {
    let block = |words: &[&str]| {
        let mut packed = Packed::new();
        words.iter().for_each(|word| packed.push_back(word.as_bytes()));
        packed
    };
    let small = bounds(2);
    let read = |words: &[&str], with_deadlines| Hash::from_packed(block(words), with_deadlines, &small);
    assert!(read(&["a", "1", "b"], false).is_none(), "half a pair");
    assert!(read(&["a", "1", "a", "2"], false).is_none(), "a field twice");
    assert!(read(&["a", "1", "x"], true).is_none(), "a deadline that is none");
    assert!(read(&["a", "1", "-5"], true).is_none(), "a deadline before time");
    assert!(read(&["a", "1", "70368744177664"], true).is_none(), "a deadline beyond the end");
    assert_eq!(read(&["a", "1", "b", "2"], false).expect("sound").encoding(), "listpack");
    assert_eq!(read(&["a", "1", "b", "2", "c", "3"], false).expect("sound").encoding(), "hashtable");
    let hash = read(&["a", "1", "0", "b", "2", "7"], true).expect("sound, but out of order");
    assert_eq!((hash.encoding(), hash.earliest_deadline()), ("listpackex", Some(Millis(7))));
    assert_eq!(contents(&hash, NEVER).len(), 2);
}

#[test]
fn a_short_field_takes_one_small_block() {
    let field = field::Field::new(b"field:00000001", b"v1234567", None);
    assert_eq!(field.get().allocated(), 32);
    let mut field = field::Field::new(b"f", b"v", Some(MAX_DEADLINE));
    assert_eq!((field.get().allocated(), field.get().deadline()), (16, Some(MAX_DEADLINE)));
    assert!(field.try_overwrite(b"val", Some(Millis(5))) && !field.try_overwrite(b"value", None));
    assert_eq!((field.get().field(), field.get().value(), field.get().deadline()), (&b"f"[..], &b"val"[..], Some(Millis(5))));
    let wide = field::Field::new(&[b'f'; 300], &[b'v'; 70_000], None);
    assert_eq!((wide.get().field().len(), wide.get().value().len()), (300, 70_000));
}

#[test]
fn a_packed_hash_has_room_for_the_deadlines_of_all_its_fields() {
    let bounds = Bounds { entries: usize::MAX, value: usize::MAX, hasher: KeyHasher::new(1, 2) };
    let (ttl, half) = (FieldTtl::At(MAX_DEADLINE), vec![b'x'; SMALL_BYTES / 2]);
    let mut hash = Hash::new();
    hash.set(b"a", &half, FieldTtl::Clear, &bounds, NEVER);
    assert_eq!(hash.encoding(), "listpack");
    let mut block = Packed::new();
    [&b"a"[..], &half, b"b", &half].iter().for_each(|text| block.push_back(text));
    assert_eq!(Hash::from_packed(block, false, &bounds).map(|hash| hash.encoding()), Some("hashtable"));
    hash.set(b"b", &half, ttl, &bounds, NEVER);
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 2));
}
