//! The system's log, beside the server's own: what `syslog-enabled` asks for.
//!
//! The C library speaks to the log daemon. It copies nothing but the address of the name, which therefore
//! lives as long as the process.
#![allow(unsafe_code)]

use std::ffi::{CString, c_int};

use log::{Level, Log, Metadata, Record};

use crate::config::SyslogFacility;

/// A log that also goes to the system's.
pub struct Both<L> {
    own: L,
}

impl<L: Log> Both<L> {
    /// Opens the system's log under a name. The error says why the name will not do.
    pub fn open(own: L, name: &str, facility: SyslogFacility) -> Result<Both<L>, String> {
        let name = CString::new(name).map_err(|_| "syslog-ident must not hold a zero byte".to_string())?;
        let name: &'static CString = Box::leak(Box::new(name));
        // SAFETY: the name is a C string that is never freed.
        unsafe { libc::openlog(name.as_ptr(), libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, number_of(facility)) };
        Ok(Both { own })
    }
}

impl<L: Log> Log for Both<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.own.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.own.enabled(record.metadata()) {
            return;
        }
        self.own.log(record);
        let severity = match record.level() {
            Level::Error | Level::Warn => libc::LOG_WARNING,
            Level::Info => libc::LOG_NOTICE,
            Level::Debug => libc::LOG_INFO,
            Level::Trace => libc::LOG_DEBUG,
        };
        let text = record.args().to_string().replace('\0', " ");
        let text = CString::new(text).expect("zero bytes were replaced");
        // SAFETY: both are C strings, and the format takes one.
        unsafe { libc::syslog(severity, c"%s".as_ptr(), text.as_ptr()) };
    }

    fn flush(&self) {
        self.own.flush();
    }
}

fn number_of(facility: SyslogFacility) -> c_int {
    match facility {
        SyslogFacility::User => libc::LOG_USER,
        SyslogFacility::Local0 => libc::LOG_LOCAL0,
        SyslogFacility::Local1 => libc::LOG_LOCAL1,
        SyslogFacility::Local2 => libc::LOG_LOCAL2,
        SyslogFacility::Local3 => libc::LOG_LOCAL3,
        SyslogFacility::Local4 => libc::LOG_LOCAL4,
        SyslogFacility::Local5 => libc::LOG_LOCAL5,
        SyslogFacility::Local6 => libc::LOG_LOCAL6,
        SyslogFacility::Local7 => libc::LOG_LOCAL7,
    }
}
