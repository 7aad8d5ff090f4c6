//! The end of a story: each value is dumped by one server and restored by the other, both ways.
//!
//! What comes out must have the digest of what comes out where it was dumped: each reads what the other
//! writes.

use std::io;

use ruddle::resp::reader::Reply;

use super::compare;
use super::link::Words;
use super::servers::Peer;

/// Where values are restored.
const PLACE: &[u8] = b"restored from the other";

/// Crosses every value of the databases that stories use over. Gives what went wrong.
pub fn cross_over(ours: &Peer, theirs: &Peer, seed: u64) -> io::Result<Option<String>> {
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
                let digest = |place: &[u8]| vec![b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec(), place.to_vec()];
                // its writer's own, too: a score of -0 is lost with the form that could hold it
                from.ask_words(&restore)?;
                let (there, here) = (from.ask_words(&digest(PLACE))?, to.ask_words(&digest(PLACE))?);
                for server in [&mut *from, &mut *to] {
                    server.ask_words(&vec![b"DEL".to_vec(), PLACE.to_vec()])?;
                }
                if there != here {
                    let kind = from.ask_words(&vec![b"TYPE".to_vec(), key.clone()])?;
                    let key = format!("{} ({kind})", compare::typed(&vec![key]));
                    return Ok(Some(format!("{way}, key {key}: {restored}; digests {there} and {here} (story {seed})")));
                }
            }
        }
    }
    Ok(None)
}
