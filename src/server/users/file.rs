//! Many users at once: the `user` lines of the configuration, and the file that `aclfile` names.
//!
//! A line is `user NAME rule rule ...`. In the file words are divided by spaces alone and there are neither quotes nor comments;
//! in the configuration the words are those of any line there. All users are made before anything is done with them, so that
//! an error leaves everything as it was.

use std::collections::HashSet;

use super::rules::{self, RuleError, Rulebook};
use super::user::User;
use super::{DEFAULT_NAME, Users};
use crate::config::UserLine;

/// The users of a file that reads `text` and is called `path`. The error is what ACL LOAD answers: all that is wrong.
pub fn parse(text: &[u8], path: &str, book: Rulebook<'_>) -> Result<Vec<User>, String> {
    let mut users: Vec<User> = Vec::new();
    let mut names: HashSet<&[u8]> = HashSet::new();
    let mut errors = String::new();
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = trim(line, b" \t\r\n");
        if line.is_empty() {
            continue;
        }
        let place = format!("{path}:{}", at + 1);
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let [b"user", name, rules @ ..] = words.as_slice() else {
            errors += &format!("{place} should start with user keyword followed by the username. ");
            continue;
        };
        if rules::has_spaces(name) {
            errors += &format!("'{place}: username '{}' contains invalid characters. ", String::from_utf8_lossy(name));
            continue;
        }
        if !names.insert(name) {
            errors += &format!("WARNING: Duplicate user '{}' found on line {}. ", String::from_utf8_lossy(name), at + 1);
            continue;
        }
        users.push(parse_line(name, rules, &place, book, &mut errors));
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors += "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    Err(errors)
}

/// A user by its rules. What is wrong with them is added to `errors`: unknown commands all, of the rest the first, since it
/// may be the reason for others.
fn parse_line(name: &[u8], words: &[&[u8]], place: &str, book: Rulebook<'_>, errors: &mut String) -> User {
    let mut user = User::new(name, book);
    let Ok(joined) = rules::join_selectors(words) else {
        *errors += &format!("{place}: Unmatched parenthesis in selector definition.");
        return user;
    };
    let mut told = false;
    for rule in &joined {
        let rule = trim(rule, b"\t\r\n");
        match user.apply(rule, book) {
            Ok(()) => {}
            Err(error @ RuleError::Unknown) => {
                *errors += &format!("{place}: Error in applying operation '{}': {}. ", String::from_utf8_lossy(rule), error.text());
            }
            Err(error) if !told => {
                *errors += &format!("{place}: {}. ", error.text());
                told = true;
            }
            Err(_) => {}
        }
    }
    user
}

fn trim<'a>(text: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    let start = text.iter().position(|byte| !blanks.contains(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blanks.contains(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The users of the configuration's lines. The error is what to tell the operator, where the line stands first.
pub fn configured(lines: &[UserLine], book: Rulebook<'_>) -> Result<Vec<User>, String> {
    let (mut users, mut names) = (Vec::new(), HashSet::new());
    for UserLine { name, rules: words, blame } in lines {
        let shown = String::from_utf8_lossy(name);
        let fail = |reason: &str| Err(format!("{blame}Error in user declaration '{shown}': {reason}"));
        if rules::has_spaces(name) {
            return fail("Spaces not allowed in ACL usernames");
        }
        if !names.insert(name) {
            return fail("Duplicate user found. A user can only be defined once in config files");
        }
        let mut user = User::new(name, book);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let joined = match rules::join_selectors(&words) {
            Ok(joined) => joined,
            Err(at) => {
                return fail(&format!("Unmatched parenthesis in acl selector starting at '{}'.", String::from_utf8_lossy(words[at])));
            }
        };
        for rule in &joined {
            if let Err(error) = user.apply(rule, book) {
                return fail(&format!("'{}': {}", String::from_utf8_lossy(rule), error.text()));
            }
        }
        users.push(user);
    }
    Ok(users)
}

impl Users {
    /// The text of a file of all users.
    pub fn text(&self) -> Vec<u8> {
        self.lines().into_iter().flat_map(|line| [line, b"\n".to_vec()]).flatten().collect()
    }

    /// A line a user, by name.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.iter().map(User::line).collect()
    }
}

/// With a default user who may do everything, if there is none among them.
pub fn with_default(mut users: Vec<User>, book: Rulebook<'_>) -> Vec<User> {
    if !users.iter().any(|user| *user.name == *DEFAULT_NAME) {
        users.push(User::unlimited(DEFAULT_NAME, book));
    }
    users
}
