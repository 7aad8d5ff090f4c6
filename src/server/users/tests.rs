//! Rules → user → rules, requests measured by them, and words that are no rules.
//!
//! Two texts of Redis's do not make the user again that they are of, and so do they not here: a selector with a pattern that
//! ends with a parenthesis, and patterns of keys behind one that is `%RW~*`. The random rules have neither.

use super::rules::{RuleError, Rulebook, join_selectors};
use super::selector::{Denial, Forbidden};
use super::user::User;
use super::{Users, file};
use crate::base::random::Random;
use crate::base::text::split_arguments;
use crate::resp::request::OwnedRequest;
use crate::server::registry::{CATEGORIES, Registry};

fn book(registry: &Registry) -> Rulebook<'_> {
    Rulebook { registry, all_channels: false }
}

/// A user by rules divided by spaces.
#[track_caller]
fn user(registry: &Registry, rules: &str) -> User {
    let mut user = User::new(b"u", book(registry));
    let words: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    for rule in join_selectors(&words).expect("closed parentheses") {
        user.apply(&rule, book(registry)).unwrap_or_else(|error| panic!("{rules}: {}", error.text()));
    }
    user
}

fn text(user: &User) -> String {
    String::from_utf8_lossy(&user.text()).into_owned()
}

#[track_caller]
fn check(rules: &str, expected: &str) {
    let registry = crate::command::registry();
    let made = user(&registry, rules);
    assert_eq!(text(&made), expected, "{rules}");
    assert_eq!(user(&registry, expected), made, "the text of {rules} says the same");
}

#[test]
fn rules_are_kept_as_given_less_what_later_ones_make_pointless() {
    let none = "off sanitize-payload resetchannels -@all";
    check("", none);
    check("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all");
    check("ON NOPASS ALLKEYS ALLCHANNELS ALLCOMMANDS", "on nopass sanitize-payload ~* &* +@all");
    check("allkeys allchannels +@all on nopass reset", none);
    check("+get +set -get", "off sanitize-payload resetchannels -@all +set -get");
    check("+@read -@write +@read", "off sanitize-payload resetchannels -@all -@write +@read");
    check("+config|GET +config|set -config", "off sanitize-payload resetchannels -@all -config");
    check("+config -config|set", "off sanitize-payload resetchannels -@all +config -config|set");
    check("+client|list +client|kill +client", "off sanitize-payload resetchannels -@all +client");
    check("+select|0 +Select|AbC +select|0", "off sanitize-payload resetchannels -@all +select|abc +select|0");
    check("+@all -get +@all", "off sanitize-payload resetchannels +@all");
    check("~a %R~b %W~c %RW~d %R~e %w~e %R~a", "off sanitize-payload ~a %R~b %W~c ~d ~e resetchannels -@all");
    check("&a &b &a", "off sanitize-payload resetchannels &a &b -@all");
    check("~ &", "off sanitize-payload ~ resetchannels & -@all");
    check("(+get ~x) (&*  +@all)", "off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (&* +@all)");
    check("(+get) clearselectors skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all");
    let foo = "#2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    check(">foo >bar >foo <bar", &format!("off sanitize-payload {foo} resetchannels -@all"));
    check(&format!("nopass {foo}"), &format!("off sanitize-payload {foo} resetchannels -@all"));
    check(">foo nopass", "off nopass sanitize-payload resetchannels -@all");
}

#[test]
fn what_is_no_rule_is_told() {
    let registry = crate::command::registry();
    let mut open = User::unlimited(b"u", book(&registry));
    for (rule, error) in [
        ("x", RuleError::Syntax),
        ("(+get x)", RuleError::Syntax),
        ("%~x", RuleError::Syntax),
        ("%RR~x", RuleError::Syntax),
        ("+get|", RuleError::Syntax),
        ("~a b", RuleError::Syntax),
        ("+nothing", RuleError::Unknown),
        ("-select|0", RuleError::Unknown),
        ("+config|x", RuleError::Unknown),
        ("+@x", RuleError::Unknown),
        ("+get|a|b", RuleError::Unknown),
        ("+config|get|x", RuleError::WordOfSubcommand),
        ("#abc", RuleError::BadHash),
        ("!abc", RuleError::BadHash),
        ("<abc", RuleError::NoSuchPassword),
    ] {
        assert_eq!(User::new(b"u", book(&registry)).apply(rule.as_bytes(), book(&registry)), Err(error), "{rule}");
    }
    assert_eq!(open.apply(b"~x", book(&registry)), Err(RuleError::KeysAfterAll));
    assert_eq!(open.apply(b"%X", book(&registry)), Err(RuleError::KeysAfterAll));
    assert_eq!(open.apply(b"&x", book(&registry)), Err(RuleError::ChannelsAfterAll));
    assert_eq!(join_selectors(&[b"on", b"(a", b"b"]), Err(1));
}

#[track_caller]
fn measure(rules: &str, request: &str) -> Result<(), Denial> {
    let registry = crate::command::registry();
    let words = split_arguments(request.as_bytes()).expect("balanced quotes");
    let request = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
    let id = registry.resolve(request.args().at(0), request.args().get(1)).expect("a command");
    user(&registry, rules).check(&registry, id, request.args())
}

#[test]
fn requests_are_measured() {
    let denied = |what, at| Err(Denial { what, at });
    for (rules, request, expected) in [
        ("+get ~a*", "GET ab", Ok(())),
        ("+get ~a*", "GET b", denied(Forbidden::Key, 1)),
        ("+get ~a*", "SET a b", denied(Forbidden::Command, 0)),
        ("+@all %R~a %W~b", "COPY a b", Ok(())),
        ("+@all %R~a %W~b", "COPY b a", denied(Forbidden::Key, 1)),
        ("+@all %W~a", "SET a 1", Ok(())),
        ("+@all %W~a", "SET a 1 GET", denied(Forbidden::Key, 1)),
        ("+@all %W~a", "EXISTS a", Ok(())),
        ("+@all ~a", "MGET a a b", denied(Forbidden::Key, 3)),
        ("+@all ~a (+@all ~b) (+@all ~a)", "MSET b 1 a 1", denied(Forbidden::Key, 3)),
        ("-@all (+get ~b) (+set ~a)", "SET b 1", denied(Forbidden::Key, 1)),
        ("+@all &a*", "SUBSCRIBE ab b", denied(Forbidden::Channel, 2)),
        ("+@all &a*", "PSUBSCRIBE a*", Ok(())),
        ("+@all &a*", "PSUBSCRIBE ab*", denied(Forbidden::Channel, 1)),
        ("+@all &a*", "PUBLISH a b", Ok(())),
        ("+@all &a*", "UNSUBSCRIBE x", Ok(())),
        ("+@all", "SPUBLISH x y", denied(Forbidden::Channel, 1)),
        ("", "AUTH x", Ok(())),
        ("+select|0", "SELECT 0", Ok(())),
        ("+select|0", "SELECT 1", denied(Forbidden::Command, 0)),
        ("+config|get", "CONFIG GET x", Ok(())),
        ("+config -config|set", "CONFIG SET x y", denied(Forbidden::Command, 0)),
        ("+@all ~a", "EVAL s 3 a", Ok(())),
        ("+@all ~a", "ZUNIONSTORE a 2 a b", denied(Forbidden::Key, 4)),
    ] {
        assert_eq!(measure(rules, request), expected, "{rules}: {request}");
    }
}

/// Rules of all kinds, and words that are nearly rules.
fn random_rule(random: &mut Random, registry: &Registry) -> Vec<u8> {
    let mut below = |n: u64| usize::try_from(random.next_u64() % n).expect("small");
    let commands: Vec<String> = registry.iter().map(|(_, command)| command.full_name.clone()).collect();
    let command = &commands[below(commands.len() as u64)];
    let category = CATEGORIES[below(CATEGORIES.len() as u64)];
    let sign = ["+", "-"][below(2)];
    let pattern = ["a", "a*", "", "?*", "b|c", "(", "\u{e9}", "~x", "[a-"][below(9)];
    let rule = match below(22) {
        0..=5 => format!("{sign}{command}"),
        6 | 7 => format!("{sign}@{category}"),
        8 => format!("+select|{pattern}"),
        9 => format!("{sign}@all"),
        10 => ["resetkeys", "resetchannels", "reset", "clearselectors", "on", "off", "nopass", "resetpass"][below(8)].to_string(),
        11 => ["allkeys", "allchannels", "skip-sanitize-payload", "sanitize-payload"][below(4)].to_string(),
        12 => format!("~{pattern}"),
        13 => format!("%{}~{pattern}", ["R", "W", "rw", "", "RR", "X"][below(6)]),
        14 => format!("&{pattern}"),
        15 => format!(">{pattern}"),
        16 => format!("<{pattern}"),
        17 => format!("({sign}{command} ~{pattern} {sign}@{category})"),
        18 => format!("(&{pattern} +@all"),
        19 => format!("{command}|{pattern})"),
        20 => format!("#{}", "a1".repeat(32)),
        _ => (0..below(9)).map(|_| char::from(u8::try_from(below(128)).expect("small"))).collect(),
    };
    rule.into_bytes()
}

#[test]
fn random_rules_make_users_whose_text_makes_the_same_user() {
    let registry = crate::command::registry();
    let mut random = Random::from_seed(7);
    let mut kept = 0;
    for _ in 0..300 {
        let words: Vec<Vec<u8>> = (0..12).map(|_| random_rule(&mut random, &registry)).collect();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let rules = join_selectors(&words).unwrap_or_else(|open| words[..open].iter().map(|word| (*word).into()).collect());
        let mut made = User::new(b"u", book(&registry));
        for rule in &rules {
            let mut draft = made.clone();
            if draft.apply(rule, book(&registry)).is_ok() {
                made = draft;
                kept += 1;
            }
        }
        let line = made.line();
        let again = file::parse(&line, "x", book(&registry)).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&line)));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].line(), line, "{words:?}");
        assert_eq!(again[0], made, "{}", String::from_utf8_lossy(&line));
    }
    assert!(kept > 2000, "{kept}");
}

#[test]
fn the_text_of_all_users_is_read_again() {
    let registry = crate::command::registry();
    let mut users = Users::new(&registry);
    users.put(user(&registry, "on >secret ~k* &c +@all -@dangerous (~x +get)"), &registry);
    let text = users.text();
    assert!(text.starts_with(b"user default on nopass sanitize-payload ~* &* +@all\nuser u on "), "{}", String::from_utf8_lossy(&text));
    let read = file::parse(&text, "x", book(&registry)).expect("what was written");
    assert!(read.iter().eq(users.iter()));
}

#[test]
fn a_file_of_users_tells_all_that_is_wrong() {
    let registry = crate::command::registry();
    for (text, error) in [
        ("foo\n\n", "f:1 should start with user keyword followed by the username. "),
        ("user\n", "f:1 should start with user keyword followed by the username. "),
        ("# x\n", "f:1 should start with user keyword followed by the username. "),
        (
            "\nuser a x\nuser b y z +foo -bar",
            "f:2: Syntax error. f:3: Syntax error. f:3: Error in applying operation '+foo': Unknown command or category name in ACL. f:3: Error in applying operation '-bar': Unknown command or category name in ACL. ",
        ),
        ("user a\nuser a", "WARNING: Duplicate user 'a' found on line 2. "),
        ("user a\tb on", "'f:1: username 'a\tb' contains invalid characters. "),
        ("user a (+get", "f:1: Unmatched parenthesis in selector definition."),
    ] {
        let expected = format!("{error}WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
        assert_eq!(file::parse(text.as_bytes(), "f", book(&registry)).err(), Some(expected), "{text}");
    }
    let read = file::parse(b"  user a  on\r\n\n\t\nuser \"b\" ( +get ~x )", "f", book(&registry)).expect("in order");
    let lines: Vec<String> = read.iter().map(|user| String::from_utf8_lossy(&user.line()).into_owned()).collect();
    assert_eq!(
        lines,
        [
            "user a on sanitize-payload resetchannels -@all",
            "user \"b\" off sanitize-payload resetchannels -@all (~x resetchannels -@all +get)"
        ]
    );
}
