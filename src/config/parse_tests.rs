//! Files, standard input and command lines, with a disk made of a table.

use std::collections::BTreeMap;

use super::super::{SavePoint, values::ClientClass};
use super::*;

/// A disk of named texts; the empty name is standard input.
struct Table(BTreeMap<&'static str, &'static str>);

impl Files for Table {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let found = self.0.get(path).map(|text| text.as_bytes().to_vec());
        found.ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        self.read("")
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let prefix = if directory == "." { String::new() } else { format!("{directory}/") };
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
        Ok(below.filter_map(|rest| rest.split('/').next()).map(str::to_string).collect())
    }

    fn absolute(&self, path: &str) -> String {
        format!("/root-of-test/{path}")
    }
}

fn run(files: &[(&'static str, &'static str)], arguments: &[&str]) -> Result<Startup, String> {
    let arguments: Vec<Vec<u8>> = arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
    start(&arguments, &Table(files.iter().copied().collect()))
}

fn config(files: &[(&'static str, &'static str)], arguments: &[&str]) -> Config {
    match run(files, arguments) {
        Ok(Startup::Serve(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// The reason that ends an error, and the place that opens it.
fn error(files: &[(&'static str, &'static str)], arguments: &[&str]) -> String {
    let text = run(files, arguments).expect_err("an error");
    let head = format!("\n*** FATAL CONFIG FILE ERROR (Ruddle {}) ***\n", env!("CARGO_PKG_VERSION"));
    text.strip_prefix(&head).unwrap_or(&text).to_string()
}

#[test]
fn no_arguments_mean_the_defaults() {
    assert_eq!(config(&[], &[]), Config::default());
}

#[test]
fn options_win_over_the_file_and_standard_input_lies_between() {
    let files = [("a", "port 1\ntimeout 1\nhz 11"), ("", "port 2\ntimeout 2\n")];
    let config = config(&files, &["a", "--port", "3", "-"]);
    assert_eq!((config.port, config.timeout, config.hz), (3, 2, 11));
    assert_eq!(config.config_file.as_deref(), Some("/root-of-test/a"));
}

#[test]
fn a_line_may_be_blank_comment_quoted_or_indented() {
    let text = "\n  # x\n\t port \"1\" \r\n   \nlogfile 'a b'\nrequirepass \"\\xff\\n\"\nPORT 2";
    let config = config(&[("a", text)], &["a"]);
    assert_eq!((config.port, config.logfile.as_str()), (2, "a b"));
    assert_eq!(config.requirepass, b"\xff\n");
}

#[test]
fn save_lines_add_up_after_the_first_dropped_the_defaults() {
    let point = |seconds, changes| SavePoint { seconds, changes };
    let added = config(&[("a", "save 1 2\nsave 3 4 5 6")], &["a", "--save", "7 8"]);
    assert_eq!(added.save, [point(1, 2), point(3, 4), point(5, 6), point(7, 8)]);
    assert_eq!(config(&[("a", "save 1 2\nsave \"\"")], &["a"]).save, []);
    for arguments in [&["--save", ""][..], &["--save"], &["--save", "--port", "1"]] {
        assert_eq!(config(&[], arguments).save, [], "{arguments:?}");
    }
}

#[test]
fn several_words_come_quoted_or_apart() {
    let primary = Some(("127.0.0.1".to_string(), 6379));
    assert_eq!(config(&[], &["--replicaof", "127.0.0.1", "6379"]).replicaof, primary);
    assert_eq!(config(&[], &["--slaveof", "127.0.0.1 6379"]).replicaof, primary);
    assert_eq!(config(&[], &["--replicaof 127.0.0.1 6379"]).replicaof, primary);
    assert_eq!(config(&[], &["--replicaof", "no", "one"]).replicaof, None);
    assert_eq!(config(&[], &["--bind", "a", "b", "--port", "1"]).bind, ["a", "b"]);
}

#[test]
fn a_value_may_look_like_an_option() {
    let config = config(&[], &["--requirepass", "--port", "--port", "7"]);
    assert_eq!((config.requirepass.as_slice(), config.port), (&b"--port"[..], 7));
}

#[test]
fn output_limits_change_the_named_class_only() {
    let config = config(&[("a", "client-output-buffer-limit slave 1mb 2kb 3")], &["a"]);
    let limit = config.client_output_buffer_limit[ClientClass::Replica];
    assert_eq!((limit.hard_bytes, limit.soft_bytes, limit.soft_seconds), (1 << 20, 2048, 3));
    let other = config.client_output_buffer_limit[ClientClass::Pubsub];
    assert_eq!(other, Config::default().client_output_buffer_limit[ClientClass::Pubsub]);
}

#[test]
fn commands_of_the_command_line_are_told_apart() {
    for (argument, expected) in
        [("-v", Startup::Version), ("--version", Startup::Version), ("-h", Startup::Help), ("--help", Startup::Help)]
    {
        assert_eq!(run(&[], &[argument]), Ok(expected));
    }
    assert!(matches!(run(&[("a", "port 1")], &["--check-config", "a"]), Ok(Startup::Check(config)) if config.port == 1));
    assert!(run(&[("a", "port x")], &["--check-config", "a"]).is_err());
    assert!(run(&[], &["--check-config"]).is_err());
}

#[test]
fn errors_name_place_line_and_reason() {
    assert_eq!(
        error(&[("a", "port 1\n\n port x \n")], &["a"]),
        "Reading the configuration file, at line 3 of a\n>>> 'port x'\n\
         argument couldn't be parsed into an integer\n"
    );
    assert_eq!(
        error(&[("", "foo bar")], &["-"]),
        "Reading the configuration file, at line 1 of standard input\n>>> 'foo bar'\n\
         Bad directive or wrong number of arguments\n"
    );
    assert_eq!(error(&[], &["--port", "6380", "--port"]), "Reading the command line\n>>> 'port'\nwrong number of arguments\n");
    assert_eq!(error(&[], &["b"]), "Fatal error, can't open config file 'b': No such file or directory\n");
}

#[test]
fn each_fault_of_a_line_has_its_reason() {
    for (line, reason) in [
        ("port \"1", "Unbalanced quotes in configuration line"),
        ("port 1 2", "wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("foo", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        ("include a b", "Bad directive or wrong number of arguments"),
        ("rename-command a", "Bad directive or wrong number of arguments"),
        ("loadmodule m", "loadmodule is not available: this server loads no modules"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("save 900", "Invalid save parameters"),
        ("replicaof a 99999", "Invalid master port"),
        ("replicaof", "wrong number of arguments"),
        ("replicaof \"\"", "wrong number of arguments"),
        ("appendfilename a/b", "appendfilename can't be a path, just a filename"),
        ("io-threads 4", "io-threads is not available: one thread does all the work; accepted here: 1"),
    ] {
        let text: &'static str = line.to_string().leak();
        let message = error(&[("a", text)], &["a"]);
        assert_eq!(message.lines().last(), Some(reason), "{line}");
    }
}

#[test]
fn lines_that_change_nothing_are_taken() {
    let text = "list-max-ziplist-entries 5\nio-threads 1\n";
    assert_eq!(config(&[("a", text)], &[]), config(&[], &[]));
    assert_eq!(Config { config_file: None, ..config(&[("a", text)], &["a"]) }, Config::default());
}

#[test]
fn users_are_kept_in_order_with_their_rules() {
    let config = config(&[("a", "user default on\nUSER 'b' (+get \"~x y)\"")], &["a", "--user", "c", "on", "nopass"]);
    let users: Vec<_> = config.users.iter().map(|user| (&*user.name, user.rules.iter().map(Vec::as_slice).collect())).collect();
    let expected: [(&[u8], Vec<&[u8]>); 3] = [(b"default", vec![b"on"]), (b"b", vec![b"(+get", b"~x y)"]), (b"c", vec![b"on", b"nopass"])];
    assert_eq!(users, expected);
    assert!(config.users[1].blame.ends_with("Reading the configuration file, at line 2 of a\n>>> 'USER 'b' (+get \"~x y)\"'\n"));
}

#[test]
fn renamed_commands_are_kept_in_order() {
    let config = config(&[("a", "rename-command CONFIG x\nrename-command DEBUG ''")], &["a"]);
    let renamed: Vec<_> = config.renamed_commands.iter().map(|renaming| (&*renaming.from, &*renaming.to)).collect();
    assert_eq!(renamed, [("CONFIG", "x"), ("DEBUG", "")]);
    assert!(config.renamed_commands[1].blame.ends_with("Reading the configuration file, at line 2 of a\n>>> 'rename-command DEBUG '''\n"));
}

#[test]
fn an_included_file_acts_where_it_stands_and_its_errors_name_it() {
    let files =
        [("a", "port 1\ninclude d/*.conf\nhz 20\n"), ("d/1.conf", "port 2\nhz 3"), ("d/2.conf", "port 3"), ("d/.hidden.conf", "bad")];
    let config = config(&files, &["a"]);
    assert_eq!((config.port, config.hz), (3, 20));
    let faulty = [("a", "\ninclude b"), ("b", "\n\nport x")];
    assert!(error(&faulty, &["a"]).starts_with("Reading the configuration file, at line 3 of b\n"));
    assert!(error(&[("a", "include b")], &["a"]).contains("can't open config file 'b'"));
}

#[test]
fn a_pattern_that_matches_nothing_includes_nothing() {
    config(&[("a", "include /etc/none/*.conf")], &["a"]);
}

#[test]
fn files_that_include_each_other_end_with_an_error() {
    assert!(error(&[("a", "include a")], &["a"]).ends_with("more than 16 deep\n"));
    let twice = [("a", "include b\ninclude b"), ("b", "include c\ninclude c\ninclude c"), ("c", "port 1")];
    config(&twice, &["a"]);
    let wide: &'static str = "include c\n".repeat(MAX_FILES + 1).leak();
    assert!(error(&[("a", wide), ("c", "")], &["a"]).ends_with("more than 1000 files are included\n"));
}

#[test]
fn no_bytes_of_file_or_arguments_panic() {
    let mut state = 7u64;
    let pieces: [&[u8]; 12] = [b"--", b"-", b"port", b"save", b" ", b"\"", b"\n", b"\xff", b"\\x", b"include", b"'", b"1"];
    for _ in 0..3000 {
        let mut arguments = vec![Vec::new(); 4];
        for argument in &mut arguments {
            for _ in 0..4 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = usize::try_from(state >> 60).expect("four bits") % pieces.len();
                argument.extend_from_slice(pieces[at]);
            }
        }
        let _ = start(&arguments, &Table(BTreeMap::new()));
    }
}
