//! The log, in Redis's line format: `pid:role day month year time level text`.
//!
//! Levels: `#` warning (and errors), `*` notice, `-` verbose, `.` debug. A log file is opened for each
//! line, so that it can be rotated at any time; a full disk costs the line and nothing else.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use env_logger::{Builder, Target, WriteStyle};
use log::{Level, LevelFilter};

use super::syslog::Both;
use crate::config::{Config, LogLevel};
use crate::persist::storage::reason;

static ROLE: AtomicU8 = AtomicU8::new(b'M');

/// Sets the letter of the role: `M`, `S`, or `C` in a child.
pub fn set_role(letter: u8) {
    ROLE.store(letter, Ordering::Relaxed);
}

/// The filter of a `loglevel`.
pub fn filter(level: LogLevel) -> LevelFilter {
    match level.word() {
        "debug" => LevelFilter::Trace,
        "verbose" => LevelFilter::Debug,
        "notice" => LevelFilter::Info,
        "warning" => LevelFilter::Warn,
        _ => LevelFilter::Off,
    }
}

/// A file that is opened for each line.
struct Rotating(String);

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // nobody could be told of a failure but through this very log
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&self.0) {
            let _ = file.write_all(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log. The error names a file that cannot be written.
pub fn start(config: &Config) -> Result<(), String> {
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Off).filter_module("ruddle", LevelFilter::Trace).write_style(WriteStyle::Never).format(
        |out, record| {
            let sign = match record.level() {
                Level::Error | Level::Warn => '#',
                Level::Info => '*',
                Level::Debug => '-',
                Level::Trace => '.',
            };
            let now = chrono::Local::now().format("%d %b %Y %H:%M:%S%.3f");
            let role = char::from(ROLE.load(Ordering::Relaxed));
            writeln!(out, "{}:{role} {now} {sign} {}", std::process::id(), record.args())
        },
    );
    if config.logfile.is_empty() {
        builder.target(Target::Stdout);
    } else {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&config.logfile)
            .map_err(|error| format!("Can't open the log file {}: {}", config.logfile, reason(&error)))?;
        builder.target(Target::Pipe(Box::new(Rotating(config.logfile.clone()))));
    }
    let logger = builder.build();
    let logger: Box<dyn log::Log> =
        if config.syslog_enabled { Box::new(Both::open(logger, &config.syslog_ident, config.syslog_facility)?) } else { Box::new(logger) };
    log::set_boxed_logger(logger).map_err(|error| error.to_string())?;
    log::set_max_level(filter(config.loglevel));
    Ok(())
}
