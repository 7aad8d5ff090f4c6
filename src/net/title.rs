//! The title of the process, which `ps` and `top` show in place of its command line.
//!
//! Linux shows what lies where the kernel has put the arguments, so a title is written over them. A title that is
//! longer runs on into the environment, which the kernel has put right behind; so each variable is first set once more,
//! which makes the C library keep it elsewhere. Where the two places are is told by `/proc/self/stat`. A title that covers the last
//! byte of the arguments is shown to its first zero byte; a shorter one with zeros up to there, which are blanks to `ps`.
//!
//! What the title is made of is kept here, since a child names itself: it is a copy of the process at a moment when nobody
//! else used that. On other systems the title stays what it is.
#![allow(unsafe_code)]

use std::sync::Mutex;

use crate::config::Config;
use crate::persist::child::Errand;

/// The place of the title and what it is made of; `None` unless titles are shown.
static TITLE: Mutex<Option<Title>> = Mutex::new(None);

struct Title {
    place: Place,
    /// How the program was called.
    program: String,
    template: String,
    /// What each variable but `{title}` stands for.
    variables: [(&'static str, String); 6],
}

/// Memory that holds the title.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
}

/// Prepares the place and shows the title. To be called before any thread is started, once the arguments were read.
pub fn start(config: &Config, program: String) {
    if !config.set_proc_title {
        return;
    }
    if let Some(place) = claim() {
        let title = Title { place, program, template: config.proc_title_template.clone(), variables: variables(config) };
        if let Ok(mut kept) = TITLE.lock() {
            *kept = Some(title);
        }
        show(None);
    }
}

/// The configuration has changed.
pub fn renew(config: &Config) {
    if let Ok(mut kept) = TITLE.lock()
        && let Some(title) = &mut *kept
    {
        title.template.clone_from(&config.proc_title_template);
        title.variables = variables(config);
    }
    show(None);
}

/// Shows what this process, a child, is for, by the names that Redis gives its children.
pub fn name_child(errand: Errand) {
    show(Some(match errand {
        Errand::Snapshot => "redis-rdb-bgsave",
        Errand::Transfer => "redis-rdb-to-slaves",
        Errand::Rewrite => "redis-aof-rewrite",
        Errand::Debugging => "redis-ldb-session",
    }));
}

fn show(errand: Option<&str>) {
    if let Ok(kept) = TITLE.lock()
        && let Some(title) = &*kept
    {
        write(title.place, expand(&title.template, errand.unwrap_or(&title.program), &title.variables).as_bytes());
    }
}

fn variables(config: &Config) -> [(&'static str, String); 6] {
    let address = config.bind.first().map_or("*", String::as_str);
    let listens = if config.port == 0 { format!("unixsocket:{}", config.unixsocket) } else { format!("{address}:{}", config.port) };
    [
        ("listen-addr", listens),
        ("server-mode", String::new()),
        ("port", config.port.to_string()),
        ("tls-port", "0".to_string()),
        ("unixsocket", config.unixsocket.clone()),
        ("config-file", config.config_file.clone().unwrap_or_else(|| "-".to_string())),
    ]
}

/// The template with what its variables stand for; `title` is for `{title}`.
fn expand(template: &str, title: &str, variables: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, variable, behind)) = rest.split_once('{').and_then(|(before, behind)| {
        let (variable, behind) = behind.split_once('}')?;
        Some((before, variable, behind))
    }) {
        text.push_str(before);
        text.push_str(variables.iter().find(|(name, _)| *name == variable).map_or(title, |(_, value)| value));
        rest = behind;
    }
    text.push_str(rest);
    text.trim_matches(' ').to_string()
}

/// Finds the memory of the arguments, and makes that of the environment free to use if it follows.
#[cfg(target_os = "linux")]
fn claim() -> Option<Place> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // behind the name, which may hold anything, stands the third field; addresses are fields 48 to 51
    let addresses: Vec<usize> = stat.rsplit_once(") ")?.1.split(' ').skip(45).take(4).map_while(|word| word.trim().parse().ok()).collect();
    let &[start, end, environment, environment_end] = &addresses[..] else { return None };
    let arguments = end.checked_sub(start).filter(|&length| length > 0 && start > 0)?;
    for (name, value) in std::env::vars_os() {
        // SAFETY: there is one thread only, as the caller has promised.
        unsafe { std::env::set_var(name, value) };
    }
    let follows = environment == end && environment_end > environment;
    Some(Place { start, length: if follows { environment_end - start } else { arguments } })
}

#[cfg(not(target_os = "linux"))]
fn claim() -> Option<Place> {
    None
}

/// Writes as much of the title as there is room for, and zeros behind it.
fn write(place: Place, title: &[u8]) {
    let length = title.len().min(place.length - 1);
    let start: *mut u8 = std::ptr::with_exposed_provenance_mut(place.start);
    // SAFETY: the kernel has made this memory at the start of the process, writable and for as long as it lives. Nobody
    // reads the arguments any more, the environment was moved away, and only the thread that holds the lock writes here.
    unsafe {
        start.copy_from_nonoverlapping(title.as_ptr(), length);
        start.add(length).write_bytes(0, place.length - length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in() {
        let variables = [("port", "6379".to_string()), ("server-mode", String::new())];
        for (template, wanted) in [
            ("{title} on {port} {server-mode}", "ruddle on 6379"),
            ("  {port}{port}  ", "63796379"),
            ("plain", "plain"),
            ("}{title}", "}ruddle"),
            ("{title", "{title"),
        ] {
            assert_eq!(expand(template, "ruddle", &variables), wanted, "{template}");
        }
    }
}
