//! The end of a story: each value is dumped by one server and restored by the other, both ways.
//!
//! What comes out must have the digest of what comes out where it was dumped: each reads what the other
//! writes.

use std::io;

use ruddle::resp::reader::Reply;

use super::compare;
use super::link::{Link, Words};
use super::servers::Peer;

/// Where values are restored.
const PLACE: &[u8] = b"restored from the other";

/// How what came out is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// By its digest.
    Same,
    /// The digests of another version say another thing of scores and of fields' deadlines: by what the type's reading command
    /// says. And it may be too old to read what this server writes.
    OfAnotherKind,
}

/// Crosses every value of the databases that stories use over. Gives what went wrong.
pub fn cross_over(ours: &Peer, theirs: &Peer, seed: u64, digests: Digests) -> io::Result<Option<String>> {
    let (mut ours, mut theirs) = (ours.link(false)?, theirs.link(false)?);
    for database in ["0", "1"] {
        ours.ask(&["SELECT", database])?;
        theirs.ask(&["SELECT", database])?;
        let Reply::Array(keys) = theirs.ask(&["KEYS", "*"])? else { continue };
        for key in keys {
            let Reply::Bulk(key) = key else { continue };
            for way in ["theirs to ours", "ours to theirs"] {
                let (from, to) = if way == "theirs to ours" { (&mut theirs, &mut ours) } else { (&mut ours, &mut theirs) };
                let Reply::Bulk(dump) = from.ask_words(&vec![b"DUMP".to_vec(), key.clone()])? else { continue };
                let restore: Words = vec![b"RESTORE".to_vec(), PLACE.to_vec(), b"0".to_vec(), dump, b"REPLACE".to_vec()];
                let restored = to.ask_words(&restore)?;
                if digests == Digests::OfAnotherKind && way == "ours to theirs" && matches!(restored, Reply::Error(_)) {
                    continue;
                }
                // its writer's own, too: a score of -0 is lost with the form that could hold it
                from.ask_words(&restore)?;
                let (there, here) = (content(from, digests)?, content(to, digests)?);
                for server in [&mut *from, &mut *to] {
                    server.ask_words(&vec![b"DEL".to_vec(), PLACE.to_vec()])?;
                }
                if there != here {
                    let kind = from.ask_words(&vec![b"TYPE".to_vec(), key.clone()])?;
                    let key = format!("{} ({kind})", compare::typed(&vec![key]));
                    return Ok(Some(format!("{way}, key {key}: {restored}; {there} and {here} (story {seed})")));
                }
            }
        }
    }
    Ok(None)
}

/// What was restored, as text.
fn content(server: &mut Link, digests: Digests) -> io::Result<String> {
    let place = std::str::from_utf8(PLACE).expect("it is text");
    let kind = server.ask(&["TYPE", place])?.to_string();
    match (digests, kind.as_str()) {
        (Digests::OfAnotherKind, "+hash") => Ok(compare::orderless_pairs(&server.ask(&["HGETALL", place])?)),
        // scores as they are ordered: how they are written is the version's
        (Digests::OfAnotherKind, "+zset") => Ok(server.ask(&["ZRANGE", place, "0", "-1"])?.to_string()),
        _ => Ok(server.ask(&["DEBUG", "DIGEST-VALUE", place])?.to_string()),
    }
}
