//! Strings.

use crate::harness::check;

#[test]
fn set_and_get() {
    check(&[("SET k v", "+OK"), ("GET k", "\"v\""), ("GET absent", "(nil)"), ("get", "-ERR wrong number of arguments for 'get' command")]);
}
