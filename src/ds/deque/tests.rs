//! The deque against a standard one, at several fills and seeds, and its forms, sizes and nodes.

use std::collections::VecDeque;

use super::super::packed::Packed;
use super::super::packed::tests::{below, some_text, splitmix};
use super::*;

const FILLS: [i64; 8] = [-1, -2, -5, 0, 1, 3, 16, 128];

/// As DUMP of Redis 8.0 has the only node after `RPUSH l a 1 -70000`.
const NODE_FROM_REDIS: &[u8] = b"\x11\0\0\0\x03\0\x81a\x02\x01\x01\xf2\x90\xee\xfe\x04\xff";

fn assert_sound(deque: &Deque) {
    if let Form::Large(directory) = &deque.form {
        directory.assert_sound();
    }
    let mut count = 0;
    for node in deque.nodes() {
        match node {
            NodeRef::Plain(_) => count += 1,
            NodeRef::Packed(node) => {
                let mut listpack = Vec::new();
                node.write_listpack(&mut listpack);
                assert_eq!(listpack.len(), node.bytes());
                let packed = Packed::from_bytes(&listpack).expect("nodes are sound");
                assert_eq!(packed.len(), node.count());
                assert!(packed.iter().eq(node.iter()));
                count += node.count();
            }
        }
    }
    assert_eq!(count, deque.len());
}

/// Everything that can be asked, against the model.
fn compare(deque: &Deque, model: &VecDeque<Vec<u8>>, random: &mut impl FnMut() -> u64) {
    assert_sound(deque);
    assert_eq!(deque.len(), model.len());
    assert!(deque.iter().map(|e| e.to_vec()).eq(model.iter().cloned()));
    assert!(deque.iter_back().map(|e| e.to_vec()).eq(model.iter().rev().cloned()));
    let len = model.len();
    assert_eq!(deque.get(len as i64), None);
    assert_eq!(deque.get(-1 - len as i64), None);
    assert_eq!(deque.iter_from(len).next(), None);
    assert_eq!(deque.iter_back_from(len).next(), None);
    if len == 0 {
        return;
    }
    for _ in 0..8 {
        let index = below(random, len);
        let expected = Some(&model[index]);
        assert_eq!(deque.get(index as i64).map(|e| e.to_vec()).as_ref(), expected);
        let from_tail = index as i64 - len as i64;
        assert_eq!(deque.get(from_tail).map(|e| e.to_vec()).as_ref(), expected);
        let ahead = deque.iter_from(index).map(|e| e.to_vec());
        assert!(ahead.take(5).eq(model.range(index..).take(5).cloned()));
        let back = deque.iter_back_from(index).map(|e| e.to_vec());
        assert!(back.take(5).eq(model.range(..=index).rev().take(5).cloned()));
    }
    let needle = &model[below(random, len)];
    let most = if random().is_multiple_of(2) { len } else { len / 2 };
    let found = deque.positions(needle, End::Front, most);
    assert!(found.eq((0..len).take(most).filter(|&i| model[i] == *needle)));
    let found = deque.positions(needle, End::Back, most);
    assert!(found.eq((0..len).rev().take(most).filter(|&i| model[i] == *needle)));
}

fn remove_matching(model: &mut VecDeque<Vec<u8>>, text: &[u8], limit: usize, from: End) -> usize {
    let mut hits: Vec<usize> = (0..model.len()).filter(|&i| model[i] == text).collect();
    if from == End::Back {
        hits.reverse();
    }
    hits.truncate(limit);
    hits.sort_unstable_by(|a, b| b.cmp(a));
    hits.iter().for_each(|&i| drop(model.remove(i)));
    hits.len()
}

fn change(deque: &mut Deque, model: &mut VecDeque<Vec<u8>>, fill: Fill, random: &mut impl FnMut() -> u64) {
    let longest = match random() % 40 {
        0 => 80000,
        1..=4 => 3000,
        _ => 40,
    };
    let text = some_text(random, longest);
    let len = model.len();
    match below(random, 24) {
        0..6 => {
            deque.push_back(&text, fill);
            model.push_back(text);
        }
        6..12 => {
            deque.push_front(&text, fill);
            model.push_front(text);
        }
        12 | 13 => {
            let popped = deque.pop_front(|e| e.to_vec());
            assert_eq!(popped, model.pop_front());
            deque.settle_after_removal(fill);
        }
        14 | 15 => {
            let popped = deque.pop_back(|e| e.to_vec());
            assert_eq!(popped, model.pop_back());
            deque.settle_after_removal(fill);
        }
        16..18 => {
            let index = below(random, len + 2);
            assert_eq!(deque.set(index, &text, fill), index < len);
            if index < len {
                model[index] = text;
            }
            deque.settle_after_removal(fill);
        }
        18..22 => {
            let pivot = below(random, len + 2);
            let side = [Side::Before, Side::After][below(random, 2)];
            assert_eq!(deque.insert(pivot, side, &text, fill), pivot < len);
            if pivot < len {
                model.insert(pivot + usize::from(side == Side::After), text);
            }
        }
        22 => {
            let start = below(random, len + 2);
            let count = below(random, 8);
            let end = (start + count).min(len);
            let expected = end.saturating_sub(start);
            let before = deque.len();
            deque.cut(start, count);
            assert_eq!(before - deque.len(), expected);
            if expected > 0 {
                model.drain(start..end);
            }
            deque.settle_after_removal(fill);
        }
        _ => {
            let text = match len {
                0 => text,
                _ => model[below(random, len)].clone(),
            };
            let limit = [1, 2, usize::MAX][below(random, 3)];
            let from = [End::Front, End::Back][below(random, 2)];
            let expected = remove_matching(model, &text, limit, from);
            assert_eq!(deque.remove_matching(&text, limit, from), expected);
            deque.settle_after_removal(fill);
        }
    }
}

#[test]
fn behaves_as_a_standard_deque() {
    for (seed, directive) in (1..).zip(FILLS) {
        let fill = Fill::from_directive(directive);
        let mut random = splitmix(seed);
        let mut deque = Deque::new();
        let mut model = VecDeque::new();
        for step in 0..4000 {
            change(&mut deque, &mut model, fill, &mut random);
            assert_eq!(deque.len(), model.len());
            if step % 32 == 0 {
                compare(&deque, &model, &mut random);
            }
            if step % 1000 == 999 {
                compare(&deque.clone(), &model, &mut random);
                let kept = below(&mut random, model.len() + 1);
                deque.cut(kept, usize::MAX);
                model.truncate(kept);
                deque.settle_after_removal(fill);
            }
        }
        while let Some(text) = deque.pop_back(|e| e.to_vec()) {
            assert_eq!(Some(text), model.pop_back());
        }
        assert!(model.is_empty() && deque.node_count() <= 1);
    }
}

#[test]
fn many_nodes_fill_many_chunks() {
    let fill = Fill::from_directive(1);
    let mut random = splitmix(7);
    let mut deque = Deque::new();
    let mut model = VecDeque::new();
    for i in 0..6000u32 {
        let text = i.to_string().into_bytes();
        match random() % 3 {
            0 => {
                deque.push_back(&text, fill);
                model.push_back(text);
            }
            1 => {
                deque.push_front(&text, fill);
                model.push_front(text);
            }
            _ => {
                let index = below(&mut random, model.len().max(1));
                if deque.insert(index, Side::Before, &text, fill) {
                    model.insert(index, text);
                }
            }
        }
    }
    assert_eq!(deque.node_count(), model.len());
    assert!(model.len() > 5990);
    compare(&deque, &model, &mut random);
    let cut = deque.cut(1000, 3500);
    compare(&cut, &model.drain(1000..4500).collect(), &mut random);
    compare(&deque, &model, &mut random);
    while let Some(text) = deque.pop_front(|e| e.to_vec()) {
        assert_eq!(Some(text), model.pop_front());
    }
    assert!(model.is_empty());
}

#[test]
fn form_follows_the_history_as_in_redis() {
    let fill = Fill::from_directive(4);
    let mut deque = Deque::new();
    for text in [b"a", b"b", b"c", b"d"] {
        deque.push_back(text, fill);
        assert!(!deque.is_large());
    }
    deque.push_back(b"e", fill);
    assert!(deque.is_large());
    deque.cut(0, 2);
    deque.settle_after_removal(fill);
    assert!(deque.is_large(), "two nodes, and three elements of four");
    deque.cut(0, 2);
    deque.settle_after_removal(fill);
    assert!(!deque.is_large());
    deque.prepare(4, 4, fill);
    assert!(deque.is_large(), "five would not fit");

    let fill = Fill::from_directive(-1);
    let mut deque = Deque::new();
    deque.push_back(&[b'x'; 4000], fill);
    assert!(!deque.is_large());
    deque.push_back(&[b'x'; 5000], fill);
    assert!(deque.is_large());
    assert!(matches!(deque.nodes().nth(1), Some(NodeRef::Plain(_))));
    deque.pop_back(|_| ());
    deque.settle_after_removal(fill);
    assert!(deque.is_large(), "one node, but of more than half the limit");
    deque.settle_after_load(fill);
    assert!(!deque.is_large());
}

#[test]
fn nodes_go_to_a_file_and_back() {
    let mut deque = Deque::new();
    for text in [&b"a"[..], b"1", b"-70000"] {
        deque.push_back(text, Fill::from_directive(-2));
    }
    let mut bytes = Vec::new();
    for node in deque.nodes() {
        if let NodeRef::Packed(node) = node {
            node.write_listpack(&mut bytes);
        }
    }
    assert_eq!(bytes, NODE_FROM_REDIS);

    let mut loaded = Deque::new();
    loaded.append_packed_node(NODE_FROM_REDIS).expect("sound");
    loaded.append_packed_node(&Packed::new().to_listpack()).expect("sound");
    assert!(loaded.append_packed_node(&NODE_FROM_REDIS[1..]).is_err());
    loaded.settle_after_load(Fill::from_directive(-2));
    assert!(!loaded.is_large());
    loaded.append_plain_node(b"12");
    loaded.settle_after_load(Fill::from_directive(-2));
    assert!(loaded.is_large());
    assert_eq!(loaded.remove_matching(b"12", 5, End::Front), 1);
    assert!(loaded.iter().eq(deque.iter()));
}

#[test]
fn memory_is_dense() {
    let fill = Fill::from_directive(-2);
    let mut one = Deque::new();
    assert_eq!(one.allocated(), 0);
    one.push_back(b"item:00000042", fill);
    assert_eq!(one.allocated(), 16);

    let count = 100_000;
    let mut back = Deque::new();
    let mut front = Deque::new();
    for i in 0..count {
        let text = format!("item:{i:08}");
        back.push_back(text.as_bytes(), fill);
        front.push_front(text.as_bytes(), fill);
    }
    assert!(back.allocated() < count * 16, "{}", back.allocated());
    assert!(front.allocated() < count * 16, "{}", front.allocated());
}

#[test]
fn a_queue_does_not_grow() {
    for directive in FILLS {
        let fill = Fill::from_directive(directive);
        for length in [1, 3, 50, 1000] {
            let mut deque = Deque::new();
            for i in 0..length + 20_000 {
                deque.push_back(format!("job:{i:06}").as_bytes(), fill);
                if i >= length {
                    let expected = format!("job:{:06}", i - length);
                    assert_eq!(deque.pop_front(|e| e.eq_bytes(expected.as_bytes())), Some(true));
                    deque.settle_after_removal(fill);
                }
            }
            let bound = 512 + 2 * length * 12 + 2 * 8192 + length * 64;
            assert!(deque.allocated() < bound, "{directive} {length}: {}", deque.allocated());
            assert_sound(&deque);
        }
    }
}

#[test]
fn elements_set_to_longer_ones_split_their_node() {
    let fill = Fill::from_directive(-1);
    let mut deque = Deque::new();
    for _ in 0..1000 {
        deque.push_back(b"1", fill);
    }
    for index in 0..1000 {
        assert!(deque.set(index, &[b'x'; 3000], fill));
    }
    assert_sound(&deque);
    let largest = deque.nodes().map(|node| match node {
        NodeRef::Packed(node) => node.bytes(),
        NodeRef::Plain(bytes) => bytes.len(),
    });
    assert!(largest.max() < Some(9 * 4096));
}
