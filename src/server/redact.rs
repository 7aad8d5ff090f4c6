//! What MONITOR and the slow log must not show: passwords within requests.

use super::row::Command;
use crate::config::access;
use crate::resp::request::Args;

/// What stands in for a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// Whether the word at `index` of the request is a secret.
pub fn is_secret(row: &Command, args: Args<'_>, index: usize) -> bool {
    match row.name {
        "auth" => index > 0,
        // AUTH takes a user and a password
        "hello" => index > 2 && (args.is(index - 1, "AUTH") || args.is(index - 2, "AUTH")),
        "set" if row.group == "server" => index > 2 && index % 2 == 1 && access::is_secret(args.at(index - 1)),
        "setuser" => index > 1,
        "migrate" => {
            let after = |distance: usize, word| index > distance && args.is(index - distance, word);
            after(1, "AUTH") || after(1, "AUTH2") || after(2, "AUTH2")
        }
        _ => false,
    }
}
