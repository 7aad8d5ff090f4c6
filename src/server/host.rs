//! What a few administrative commands ask of the system: the files, the process, a nap.
//!
//! The server itself does no input or output. These functions are handed in by `main`; the default host of
//! tests and simulations knows nothing and refuses what it cannot pretend.

use std::time::Duration;

/// What the process uses, for INFO and MEMORY.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes of memory that are resident.
    pub resident: usize,
    /// Bytes of memory that the machine has.
    pub machine_memory: u64,
    /// Bytes of memory that this process may use: those of the machine, or fewer in a container.
    pub usable_memory: u64,
    /// Microseconds of processor time in user mode.
    pub user_micros: u64,
    /// Microseconds of processor time in the kernel.
    pub system_micros: u64,
    /// The same of the main thread alone.
    pub main_user_micros: u64,
    /// The same of the main thread alone.
    pub main_system_micros: u64,
    /// The same of children that have ended.
    pub children_user_micros: u64,
    /// The same of children that have ended.
    pub children_system_micros: u64,
}

/// A crash on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The processor's signal for memory that is not ours.
    Fault,
    /// An assertion that fails.
    Assertion,
    /// A panic.
    Panic,
}

/// The functions. Errors are texts for people.
#[derive(Clone, Copy)]
pub struct Host {
    /// What the process uses.
    pub usage: fn() -> Usage,
    /// Changes the working directory.
    pub change_dir: fn(&str) -> Result<(), String>,
    /// The working directory.
    pub current_dir: fn() -> Option<String>,
    /// Reads a file; an absent one is empty.
    pub read: fn(&str) -> Result<Vec<u8>, String>,
    /// Reads a file that has to be there.
    pub read_present: fn(&str) -> Result<Vec<u8>, String>,
    /// Replaces a file as a whole or not at all.
    pub replace: fn(&str, &[u8]) -> Result<(), String>,
    /// Makes room for that many clients' descriptors; gives for how many there is room.
    pub raise_descriptor_limit: fn(u32) -> u32,
    /// Lets the data lie in huge pages from now on.
    pub allow_huge_pages: fn(),
    /// Holds the whole server: DEBUG SLEEP. Gives how long it did.
    pub sleep: fn(Duration) -> Duration,
    /// Ends the connection of that descriptor for its peer; the descriptor stays.
    pub hang_up: fn(i64),
    /// The process's score with the kernel's out-of-memory killer.
    pub oom_score: fn() -> Result<i32, String>,
    /// Sets it, for this process or for a child of that number.
    pub set_oom_score: fn(Option<u32>, i32) -> Result<(), String>,
    /// Fills it with bytes that nobody can guess.
    pub entropy: fn(&mut [u8]) -> Result<(), String>,
    /// Crashes the process: DEBUG SEGFAULT and its like. Comes back where there is no process.
    pub crash: fn(Crash),
}

impl Default for Host {
    fn default() -> Host {
        Host {
            usage: Usage::default,
            change_dir: |_| Err("there is no file system here".to_string()),
            current_dir: || None,
            read: |_| Err("there is no file system here".to_string()),
            read_present: |_| Err("there is no file system here".to_string()),
            replace: |_, _| Err("there is no file system here".to_string()),
            raise_descriptor_limit: |clients| clients,
            allow_huge_pages: || {},
            sleep: |_| Duration::ZERO,
            hang_up: |_| {},
            oom_score: || Err("there is no such score here".to_string()),
            set_oom_score: |_, _| Err("there is no such score here".to_string()),
            entropy: |_| Err("there is no randomness here".to_string()),
            crash: |_| {},
        }
    }
}
