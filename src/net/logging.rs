//! The log, in Redis's line format: `pid:role day month year time level text`, the role `M` for a primary
//! and `S` for a replica.
//!
//! Levels: `#` warning (and errors), `*` notice, `-` verbose, `.` debug. A log file is opened for each
//! line, so that it can be rotated at any time; a full disk costs the line and nothing else.
#![allow(unsafe_code)]

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::OnceLock;

use env_logger::{Builder, Target, WriteStyle};
use log::{Level, LevelFilter};

use super::syslog::Both;
use crate::base::text::reason;
use crate::config::{Config, LogLevel};
use crate::server::moment;

/// Where the log goes, as `logfile` says.
static PLACE: OnceLock<String> = OnceLock::new();

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

fn line(sign: char, text: &Arguments<'_>) -> String {
    let now = chrono::Local::now().format("%d %b %Y %H:%M:%S%.3f");
    let role = if moment::follows() { 'S' } else { 'M' };
    format!("{}:{role} {now} {sign} {text}", std::process::id())
}

/// A warning of another thread than the one that forks: no lock is taken that a child would find taken for ever. The
/// system's log does not get it.
pub fn warn_aside(text: &Arguments<'_>) {
    let mut line = line('#', text);
    line.push('\n');
    match PLACE.get().map(String::as_str) {
        None => {}
        Some("") => {
            // SAFETY: descriptor 1 is not closed: it is borrowed for one write.
            let mut output = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
            let _ = output.write_all(line.as_bytes());
        }
        Some(path) => {
            let _ = Rotating(path.to_string()).write(line.as_bytes());
        }
    }
}

/// Starts the log. The error names a file that cannot be written.
pub fn start(config: &Config) -> Result<(), String> {
    // it is started once
    let _ = PLACE.set(config.logfile.clone());
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Off).filter_module("ruddle", LevelFilter::Trace).write_style(WriteStyle::Never).format(
        |out, record| {
            let sign = match record.level() {
                Level::Error | Level::Warn => '#',
                Level::Info => '*',
                Level::Debug => '-',
                Level::Trace => '.',
            };
            writeln!(out, "{}", line(sign, record.args()))
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
