//! Sorted sets.

use crate::harness::check;

#[test]
fn adding_and_reading() {
    check(&[("ZADD z 1 a 2 b", ":2"), ("ZADD z 3 a", ":0"), ("ZRANGE z 0 -1 WITHSCORES", r#"["b", "2", "a", "3"]"#), ("ZRANK z a", ":1")]);
}
