//! What people read about commands, made from the rows: the page of the manual, and the page of `man`.
//!
//! Nothing here is written by hand but the frame, so neither can lag behind the tables.

use std::fmt::Write;

use super::FAMILIES;
use crate::config::manual as directives;
use crate::server::row::Command;
use crate::server::syntax;

/// The commands as a page of markdown: a table a group.
pub fn markdown() -> String {
    let mut rows: Vec<(&str, String, &Command)> = Vec::new();
    for row in FAMILIES.iter().copied().flatten() {
        let containers = row.subcommands.iter().map(|sub| (row.group, format!("{} {}", row.name, sub.name), sub));
        if row.subcommands.is_empty() {
            rows.push((row.group, row.name.to_string(), row));
        }
        rows.extend(containers);
    }
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut text = format!("{} commands and subcommands.\n", rows.len());
    let mut last = "";
    for (group, name, row) in rows {
        if group != last {
            write!(text, "\n## {group}\n\n| command | what it does | cost | since |\n|---|---|---|---|\n").expect(ANY_TEXT);
            last = group;
        }
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let usage = format!("{} {}", name.to_uppercase(), usage(row));
        let complexity = if row.complexity.is_empty() { "O(1)" } else { row.complexity };
        writeln!(text, "| `{}` | {} | {} | {} |", cell(usage.trim_end()), cell(row.summary), cell(complexity), row.since).expect(ANY_TEXT);
    }
    text
}

/// The page of `man ruddle`, in roff.
pub fn man_page() -> String {
    let mut text = format!(
        ".TH RUDDLE 1 \"\" \"Ruddle {}\" \"User Commands\"\n\
         .SH NAME\nruddle \\- a Redis-compatible in-memory data server\n\
         .SH SYNOPSIS\n.B ruddle\n[\\fIFILE\\fR | \\-] [\\fB\\-\\-NAME\\fR \\fIVALUE\\fR ...] [\\-]\n.br\n\
         .B ruddle \\-\\-check\\-config\n[\\fIFILE\\fR | \\-] [\\fB\\-\\-NAME\\fR \\fIVALUE\\fR ...]\n.br\n\
         .B ruddle\n\\fB\\-\\-version\\fR | \\fB\\-\\-help\\fR\n\
         .SH DESCRIPTION\nSpeaks Redis's protocol; clients, redis-cli(1) and redis-benchmark(1) work as they are. \
         \\fIFILE\\fR is a configuration file as Redis reads it; \\- reads one from standard input. Each directive is an option too, \
         and an option wins over the file.\n\
         .SH SIGNALS\nSIGTERM and SIGINT stop the server in order: what save points or the append-only file ask for is written first.\n\
         .SH EXIT STATUS\n0 after an orderly stop, 1 after an error, which names what to do.\n\
         .SH DIRECTIVES\n",
        env!("CARGO_PKG_VERSION"),
    );
    for (name, value, default, about) in directives::obeyed() {
        let line = format!("{name} {value}  (default {default})");
        write!(text, ".TP\n.B {}\n{}\n", roff(&line), roff(about)).expect(ANY_TEXT);
    }
    text.push_str(".SH SEE ALSO\nredis-cli(1), redis-benchmark(1), redis-sentinel(1)\n");
    text
}

const ANY_TEXT: &str = "a string takes any text";

fn usage(row: &Command) -> String {
    syntax::usage(&syntax::arguments(row).expect("a test parses every row"))
}

/// Text as roff takes it.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_reads_like_a_manual() {
        let row = |name: &str| FAMILIES.iter().copied().flatten().find(|row| row.name == name).expect("a command");
        for (name, shown) in [
            ("get", "key"),
            ("mset", "key value [key value ...]"),
            ("zadd", "key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]"),
            ("lmove", "source destination <LEFT|RIGHT> <LEFT|RIGHT>"),
            ("sort", "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA] [STORE destination]"),
        ] {
            assert_eq!(usage(row(name)), shown, "{name}");
        }
    }
}
