//! Every session that README and the page about users show is run, and its answers compared as redis-cli prints them.

use ruddle::resp::reader::Reply;

use crate::harness::World;

const PROMPT: &str = "127.0.0.1:6379> ";

/// A reply as redis-cli shows it to a terminal.
fn shown(reply: &Reply, indent: usize) -> String {
    match reply {
        Reply::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Reply::Error(text) => format!("(error) {}", String::from_utf8_lossy(text)),
        Reply::Integer(value) => format!("(integer) {value}"),
        Reply::Bulk(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Reply::Array(items) if items.is_empty() => "(empty array)".to_string(),
        Reply::Array(items) => {
            let width = items.len().to_string().len();
            let lines: Vec<String> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    let pad = if at == 0 { String::new() } else { " ".repeat(indent) };
                    format!("{pad}{:width$}) {}", at + 1, shown(item, indent + width + 2))
                })
                .collect();
            lines.join("\n")
        }
        _ => "(nil)".to_string(),
    }
}

#[test]
fn every_session_that_is_shown_runs() {
    assert!(run_sessions(include_str!("../../README.md")) >= 2, "README shows sessions");
    assert_eq!(run_sessions(include_str!("../../docs/USERS.md")), 1);
}

/// Runs the sessions of a page. Gives how many there are.
fn run_sessions(page: &str) -> usize {
    let mut sessions = 0;
    for block in page.split("```redis\n").skip(1) {
        let block = block.split("```").next().expect("a closed block");
        let mut world = World::new();
        let client = world.connect();
        for exchange in block.split(PROMPT).skip(1) {
            let (line, expected) = exchange.split_once('\n').expect("a line and its answer");
            world.send(client, line);
            let replies = world.replies(client);
            assert_eq!(shown(&replies[0], 0), expected.trim_end(), "answer to {line}");
        }
        sessions += 1;
    }
    sessions
}
