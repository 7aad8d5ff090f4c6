//! Hygiene as a test: the direction of dependencies, file lengths, essays, forbidden words, and a test for
//! every command. Each failure names its cure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, highest first: a module uses only modules to its right (`docs/ARCHITECTURE.md`).
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["net"],
    &["command"],
    &["server"],
    &["script"],
    &["cluster"],
    &["repl"],
    &["persist"],
    &["keyspace"],
    &["config"],
    &["resp"],
    &["types"],
    &["ds"],
    &["base"],
    &["limits"],
];

/// Lines that a source file may have.
const FILE_LINES: usize = 1_000;
/// Lines that a function may have, and how many functions are longer today. The number only goes down.
const FUNCTION_LINES: usize = 70;
const LONG_FUNCTIONS: usize = 3;
/// Bytes that a tracked file may have.
const FILE_BYTES: u64 = 300 * 1024;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` file below a folder, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the tree") {
            let path = entry.expect("an entry of the tree").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a readable file"))).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The text before a file's unit tests, if they are in the same file.
fn product(text: &str) -> &str {
    let tests = text.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at);
    let within = |&at: &usize| text[at..].lines().nth(1).is_some_and(|line| line.ends_with('{'));
    tests.into_iter().find(within).map_or(text, |at| &text[..at])
}

/// Whether a function's head begins on this line, whatever stands before the word.
fn opens_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    loop {
        let before = rest;
        for word in ["pub ", "const ", "unsafe ", "extern \"C\" "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        rest = rest.strip_prefix("pub(").and_then(|path| path.split_once(") ")).map_or(rest, |(_, behind)| behind);
        if rest == before {
            return rest.starts_with("fn ") && !line.trim_end().ends_with(';');
        }
    }
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name == "tests" || name.ends_with("_tests")
}

#[track_caller]
fn none(problems: &[String], cure: &str) {
    assert!(problems.is_empty(), "{cure}\n{}", problems.join("\n"));
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// A use of one top-level module by another.
struct Use {
    place: String,
    module: String,
    used: String,
}

/// Every use of a module outside of tests.
fn uses() -> Vec<Use> {
    let mut uses = Vec::new();
    for (path, text) in sources("src") {
        let inside = path.strip_prefix(root().join("src")).expect("below src");
        let module = inside.iter().next().expect("a name").to_string_lossy().trim_end_matches(".rs").to_string();
        if module == "lib" || is_test_file(&path) {
            continue;
        }
        for (number, line) in product(&text).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").chain(line.split("ruddle::").skip(1).filter(|_| module == "main")).skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if layer_of(&used).is_some() {
                    uses.push(Use { place: format!("{}:{}", shown(&path), number + 1), module: module.clone(), used });
                }
            }
        }
        // a file that uses nothing has a layer all the same
        uses.push(Use { place: shown(&path), module: module.clone(), used: module });
    }
    uses
}

#[test]
fn a_module_uses_only_modules_below_it() {
    let mut problems = Vec::new();
    for Use { place, module, used } in uses() {
        match (layer_of(&module), layer_of(&used)) {
            (None, _) => problems.push(format!("{place}: module `{module}` is in no layer")),
            (Some(own), Some(other)) if other < own || other == own && used != module => {
                problems.push(format!("{place}: `{module}` uses `{used}`, which is not below it"));
            }
            _ => {}
        }
    }
    none(&problems, "Move the code to the layer where it belongs, or pass data upwards through a queue:");
}

/// The modules from the highest to the lowest, and an arc for each that one uses: to the right if it points
/// down, to the left, in red, if not.
fn module_graph() -> String {
    let uses = uses();
    let modules: Vec<&str> =
        LAYERS.iter().copied().flatten().copied().filter(|name| uses.iter().any(|used| used.module == *name)).collect();
    let (step, middle) = (44, 250);
    let y = |at: usize| 40 + at * step;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        y(modules.len())
    );
    for (from, module) in modules.iter().enumerate() {
        for (to, used) in modules.iter().enumerate() {
            if from == to || !uses.iter().any(|each| each.module == *module && each.used == *used) {
                continue;
            }
            let (side, colour) = if to > from { (1, "#3f5d7d") } else { (-1, "#b5452c") };
            let (x, reach) = (middle + side * 52, side * (from.abs_diff(to) as i32 * 22));
            svg += &format!(
                "<path d=\"M{x} {} C{} {} {} {} {x} {}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.45\"/>\n",
                y(from),
                x + reach,
                y(from),
                x + reach,
                y(to) - 6,
                y(to) - 6,
            );
        }
    }
    for (at, module) in modules.iter().enumerate() {
        svg += &format!(
            "<rect x=\"{}\" y=\"{}\" width=\"104\" height=\"26\" rx=\"4\" fill=\"#eef1f4\" stroke=\"#3f5d7d\"/>\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{module}</text>\n",
            middle - 52,
            y(at) - 15,
            y(at) + 3,
        );
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_of_the_modules_is_up_to_date() {
    let path = root().join("docs/modules.svg");
    let picture = module_graph();
    if std::env::var_os("RUDDLE_WRITE_DOCS").is_some() {
        fs::write(&path, &picture).expect("a picture can be written");
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == picture, "docs/modules.svg is not what the code says: run `make docs`");
}

#[test]
fn only_net_and_main_know_sockets_and_the_real_clock() {
    let mut problems = Vec::new();
    for (path, text) in sources("src") {
        let name = shown(&path);
        if name.starts_with("src/net/") || name == "src/main.rs" || name == "src/base/clock.rs" {
            continue;
        }
        for (number, line) in product(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for word in ["mio::", "socket2::", "Instant::now", "SystemTime::now", "clock::now()", "std::net::Tcp"] {
                if code.contains(word) {
                    problems.push(format!("{name}:{}: {word}", number + 1));
                }
            }
        }
    }
    none(&problems, "Pass time and bytes in from `net`:");
}

#[test]
fn files_are_short_and_open_with_an_essay() {
    let mut problems = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        if lines > FILE_LINES {
            problems.push(format!("{}: {lines} lines; split it by subject", shown(&path)));
        }
        if !text.starts_with("//!") {
            problems.push(format!("{}: say in a `//!` essay at its top what the file is", shown(&path)));
        }
    }
    none(&problems, "Files:");
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for (path, text) in sources("src") {
        let mut start = None;
        for (number, line) in product(&text).lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let trimmed = line.trim_start();
            if start.is_none() && opens_function(line) {
                start = Some((number, indent));
            }
            if let Some((first, depth)) = start
                && indent == depth
                && trimmed.starts_with('}')
            {
                if number - first > FUNCTION_LINES {
                    long.push(format!("{}:{}: {} lines", shown(&path), first + 1, number - first));
                }
                start = None;
            }
        }
    }
    let (count, list) = (long.len(), long.join("\n"));
    assert!(
        count == LONG_FUNCTIONS,
        "{count} functions are too long, {LONG_FUNCTIONS} were: split the new one, or lower the number\n{list}"
    );
}

#[test]
fn forbidden_words() {
    let mut problems = Vec::new();
    for (path, text) in sources("src") {
        if is_test_file(&path) {
            continue;
        }
        for (number, line) in product(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for (word, cure) in [
                (".unwrap()", "use `expect(\"why it cannot fail\")`"),
                ("todo!(", "write it"),
                ("unimplemented!(", "write it"),
                ("dbg!(", "remove it"),
                ("println!(", "use the log"),
            ] {
                let allowed = word == "println!(" && shown(&path) == "src/main.rs";
                if code.contains(word) && !allowed {
                    problems.push(format!("{}:{}: {word} — {cure}", shown(&path), number + 1));
                }
            }
        }
    }
    none(&problems, "Forbidden words:");
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut problems = Vec::new();
    for (path, text) in sources("src") {
        let lines: Vec<&str> = product(&text).lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if !code.contains("unsafe {") && !code.contains("unsafe impl") {
                continue;
            }
            let near = &lines[number.saturating_sub(6)..=number];
            if !near.iter().any(|line| line.contains("SAFETY:")) {
                problems.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    none(&problems, "Write a `// SAFETY:` comment right above:");
}

#[test]
fn the_tree_holds_what_it_should() {
    let Ok(listed) = Command::new("git").args(["ls-files"]).current_dir(root()).output() else { return };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut problems = Vec::new();
    for file in listed.lines() {
        let top = file.split('/').next().expect("a first part");
        let known = ["Cargo.toml", "Cargo.lock", "src", "tests", "docs", "Makefile", "README.md"];
        if !known.contains(&top) && !top.starts_with('.') {
            problems.push(format!("{file}: the top level holds {known:?} and dot-files only"));
        }
        let size = fs::metadata(root().join(file)).map_or(0, |metadata| metadata.len());
        if size > FILE_BYTES {
            problems.push(format!("{file}: {size} bytes; evidence and corpora stay outside"));
        }
    }
    none(&problems, "The tree:");
}

#[test]
fn every_command_is_tested() {
    let tests: String = sources("tests/it").into_iter().map(|(_, text)| text.to_ascii_lowercase()).collect();
    let registry = ruddle::command::registry();
    let mut untested = Vec::new();
    for (_, command) in registry.iter() {
        let typed = command.full_name.replace('|', " ");
        let sent = ["\"{} ", "\"{}\"", "> {} ", "\"{}\\r\\n"].map(|form| form.replace("{}", &typed));
        if !sent.iter().any(|form| tests.contains(form)) {
            untested.push(typed);
        }
    }
    none(&untested, "Write a test in tests/it that sends:");
}
