//! The pages under `docs/` that are made from the code's tables are what the tables say now. `make docs`
//! writes them.

use ruddle::command::manual as commands;
use ruddle::config::manual as directives;

fn pages() -> [(&'static str, String); 3] {
    let configuration = "# Configuration\n\n\
        Made by `make docs` from the table in `src/config`. The file and the command line are Redis's: a directive is a line of the\n\
        file (`maxmemory 1gb`) or an option (`--maxmemory 1gb`), and an option wins. `CONFIG GET`, `SET` and `REWRITE` work on the\n\
        running server.\n\n";
    let listed = "# Commands\n\nMade by `make docs` from the rows in `src/command`. ";
    [
        ("CONFIGURATION.md", configuration.to_string() + &directives::markdown()),
        ("COMMANDS.md", listed.to_string() + &commands::markdown()),
        ("ruddle.1", commands::man_page()),
    ]
}

#[test]
fn generated_pages_are_up_to_date() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, text) in pages() {
        let path = folder.join(name);
        if std::env::var_os("RUDDLE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).expect("a page can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "docs/{name} is not what the tables say: run `make docs`");
    }
}
