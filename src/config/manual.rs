//! What people read about directives, made from the rows: `--help` and the table of the manual.
//!
//! Nothing here is written by hand but the frame, so the manual cannot lag behind the table.

use std::fmt::Write;

use super::directives::{Change, Place, Row, rows};
use super::shape::{Notation, Shape};
use super::words::SHUTDOWN_WORDS;

/// The text of `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "Usage: ruddle [FILE | -] [--NAME VALUE ...] [-]\n\
         \x20      ruddle --check-config [FILE | -] [--NAME VALUE ...]\n\
         \x20      ruddle -v | --version | -h | --help\n\n\
         FILE is a configuration file as Redis reads it; - reads one from standard input.\n\
         Every directive is an option too, and an option wins over the file:\n\n\
         \x20 ruddle --port 6380 --replicaof 127.0.0.1 6379 --save 900 1 300 100\n\n\
         Directives:\n\n",
    );
    for row in rows().filter(|row| is_shown(row)) {
        let default = shown_default(row);
        writeln!(text, "  {} {}  (default {default})\n      {}", row.name, notation(row.shape), row.about)
            .expect("a string takes any text");
    }
    text
}

/// Each directive that the server obeys: its name, how a value is written, the default, what it does.
pub fn obeyed() -> impl Iterator<Item = (&'static str, String, &'static str, &'static str)> {
    rows().filter(|row| is_shown(row)).map(|row| {
        let default = if row.default.is_empty() { "\"\"" } else { row.default };
        (row.name, notation(row.shape), default, row.about)
    })
}

/// The manual's tables in markdown: what the server obeys, what is moot here, what is absent.
pub fn markdown() -> String {
    let mut text = String::from("| directive | value | default | CONFIG SET | what it does |\n|---|---|---|---|---|\n");
    for row in rows().filter(|row| is_shown(row)) {
        push_row(&mut text, row, row.about);
    }
    text.push_str(
        "\nTaken with any legal value, because the outcome is the same here:\n\n\
         | directive | value | default | CONFIG SET | why |\n|---|---|---|---|---|\n",
    );
    for row in rows() {
        if let Place::Moot { why } = row.place {
            push_row(&mut text, row, why);
        }
    }
    text.push_str(
        "\nTaken only with a value that asks for nothing, because the ability is missing:\n\n\
         | directive | value | accepted | CONFIG SET | why |\n|---|---|---|---|---|\n",
    );
    for row in rows() {
        if let Place::Absent { why, .. } = row.place {
            push_row(&mut text, row, why);
        }
    }
    text
}

/// Whether a row belongs among the directives that the server obeys.
fn is_shown(row: &Row) -> bool {
    matches!(row.place, Place::Field { .. })
}

fn push_row(text: &mut String, row: &Row, words: &str) {
    let change = match row.change {
        Change::Settable | Change::Hidden => "yes",
        Change::Fixed => "no",
        Change::Protected => "where `enable-protected-configs` allows",
    };
    let alias = row.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
    let off = match row.place {
        Place::Absent { off, .. } => off.iter().map(|word| format!(", `{word}`")).collect(),
        _ => String::new(),
    };
    let cells = format!(
        "`{}`{alias} | {} | {}{off} | {change} | {}",
        row.name,
        notation(row.shape).replace('|', "\\|"),
        shown_default(row),
        words.replace('|', "\\|"),
    );
    writeln!(text, "| {cells} |").expect("a string takes any text");
}

fn shown_default(row: &Row) -> String {
    match row.default {
        "" => "`\"\"`".to_string(),
        text => format!("`{text}`"),
    }
}

/// How a value is written, for people.
fn notation(shape: Shape) -> String {
    match shape {
        Shape::Bool => "yes|no".to_string(),
        Shape::Number { notation: Notation::Octal, .. } => "octal".to_string(),
        Shape::Number { notation: Notation::Memory, .. } => "bytes".to_string(),
        Shape::Number { bounds: (min, max), .. } => number_notation(min, max),
        Shape::Word(words) => words.join("|"),
        Shape::ShutdownActions => format!("{} ...", SHUTDOWN_WORDS.join("|")),
        Shape::Text(_) | Shape::OptionalText | Shape::Secret => "text".to_string(),
        Shape::Save => "seconds changes ...".to_string(),
        Shape::Addresses => "address ...".to_string(),
        Shape::OutputLimits => "class hard soft seconds ...".to_string(),
        Shape::ReplicaOf => "host port|no one".to_string(),
        Shape::Events => "letters".to_string(),
        Shape::Percentiles => "percentile ...".to_string(),
        Shape::MaxMemory => "bytes|auto".to_string(),
        Shape::ClientMemory => "bytes|percent%".to_string(),
        Shape::OomValues => "number number number".to_string(),
    }
}

/// Bounds, where they say more than the width of a machine word.
fn number_notation(min: i128, max: i128) -> String {
    match max >= i128::from(i32::MAX) {
        true if min < -1 => "integer".to_string(),
        true => format!("integer from {min}"),
        false => format!("integer {min} to {max}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_is_obeyed_is_in_help_and_every_row_in_the_manual() {
        let (help, manual) = (help(), markdown());
        for row in rows() {
            assert!(manual.contains(&format!("| `{}`", row.name)), "{}", row.name);
            assert_eq!(help.contains(&format!("\n  {} ", row.name)), is_shown(row), "{}", row.name);
        }
    }

    #[test]
    fn every_line_of_a_table_has_five_cells() {
        for line in markdown().lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 6, "{line}");
        }
    }
}
