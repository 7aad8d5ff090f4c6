//! A client as a line of text: what CLIENT LIST and CLIENT INFO show, and what the log of refusals keeps of it.

use super::State;
use super::client::{Client, ClientFlags, ClientKey};
use super::tracking::Mode;
use crate::resp::Protocol;

/// The letters of a client's state.
pub fn letters(client: &Client) -> String {
    let watching = client.subscriptions.as_ref().is_some_and(|s| !s.is_empty());
    let tracking = client.tracking.as_ref();
    let flags = client.flags;
    let states = [
        (flags.any(ClientFlags::MONITOR), 'O'),
        (flags.any(ClientFlags::REPLICA) && !flags.any(ClientFlags::MONITOR), 'S'),
        (flags.any(ClientFlags::PRIMARY), 'M'),
        (watching, 'P'),
        (flags.any(ClientFlags::MULTI), 'x'),
        (flags.any(ClientFlags::BLOCKED.or(ClientFlags::PAUSED)), 'b'),
        (flags.any(ClientFlags::TRACKING), 't'),
        (tracking.is_some_and(|tracking| tracking.broken_redirect), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == Mode::Broadcast), 'B'),
        (flags.any(ClientFlags::DIRTY_CAS), 'd'),
        (flags.any(ClientFlags::CLOSE_AFTER_REPLY), 'c'),
        (flags.any(ClientFlags::CLOSE_NOW), 'A'),
        (flags.any(ClientFlags::UNIX_SOCKET), 'U'),
        (flags.any(ClientFlags::NO_EVICT), 'e'),
        (flags.any(ClientFlags::NO_TOUCH), 'T'),
    ];
    let shown: String = states.iter().filter(|(on, _)| *on).map(|(_, letter)| *letter).collect();
    if shown.is_empty() { "N".to_string() } else { shown }
}

/// One line of CLIENT LIST.
pub fn describe(state: &State, key: ClientKey, text: &mut Vec<u8>) {
    let client = &state.clients[key];
    let now = state.now.unix;
    let seconds = |since| now.saturating_sub(since).0.max(0) / 1_000_000;
    let subscriptions = client.subscriptions.as_ref();
    let queued = client.transaction.as_ref().filter(|_| client.flags.any(ClientFlags::MULTI));
    let command = client.last_command.map_or("NULL", |id| state.registry.get(id).full_name.as_str());
    let facts = [("age", seconds(client.connected_at)), ("idle", seconds(client.active_at))];
    text.extend_from_slice(
        format!("id={} addr={} laddr={} fd={} name=", client.id, client.peer.address, client.peer.local_address, client.peer.descriptor)
            .as_bytes(),
    );
    text.extend_from_slice(&client.name);
    for (name, value) in facts {
        text.extend_from_slice(format!(" {name}={value}").as_bytes());
    }
    let multi = if client.flags.any(ClientFlags::MULTI) { queued.map_or(0, |t| t.queue.len() as i64) } else { -1 };
    let rest = format!(
        " flags={} db={} sub={} psub={} ssub={} multi={multi} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={command} user=",
        letters(client),
        client.db.0,
        subscriptions.map_or(0, |s| s.channels.len()),
        subscriptions.map_or(0, |s| s.patterns.len()),
        subscriptions.map_or(0, |s| s.shards.len()),
        client.watched.len(),
        client.pending_input.saturating_sub(client.partial.parsed()),
        queued.map_or(0, |t| t.bytes()),
        client.output.tail.capacity(),
        client.output.tail.capacity(),
        client.output.tail.len(),
        client.output.blocks(),
        client.output.memory(),
        client.memory(),
        if client.output.is_empty() { "r" } else { "rw" },
    );
    text.extend_from_slice(rest.as_bytes());
    text.extend_from_slice(state.shown_user(client));
    text.extend_from_slice(
        format!(" redir={} resp={}", redirect(client), if client.protocol == Protocol::Resp3 { 3 } else { 2 }).as_bytes(),
    );
    text.extend_from_slice(b" lib-name=");
    text.extend_from_slice(&client.library);
    text.extend_from_slice(b" lib-ver=");
    text.extend_from_slice(&client.library_version);
    text.extend_from_slice(
        format!(" io-thread=0 tot-net-in={} tot-net-out={} tot-cmds={}\n", client.bytes_in, client.bytes_out, client.commands).as_bytes(),
    );
}

/// The client that messages are redirected to: 0 for none, -1 without tracking.
pub fn redirect(client: &Client) -> i64 {
    match &client.tracking {
        None => -1,
        Some(tracking) => tracking.redirect.map_or(0, |id| i64::try_from(id).unwrap_or(i64::MAX)),
    }
}
