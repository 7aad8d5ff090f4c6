//! The world outside: sockets, signals, the real clock, the log, threads for disposal.
//!
//! [`reactor::Reactor`] owns every socket and turns the loop; [`listener`] opens the ports; [`process`] is what a Unix process
//! owes its system (pid file, limits, daemon), [`title`] what `ps` shows of it, [`processors`] where it runs, [`huge_pages`] what
//! its data lies in; [`crash`] tells of its bugs, [`watchdog`] of what takes
//! too long; [`web`] serves the metrics port; [`disposal`] frees what takes long, [`syncer`]
//! syncs files.

pub mod backlog;
pub mod connection;
pub mod container;
pub mod courier;
pub mod crash;
pub mod dialer;
pub mod disposal;
pub mod huge_pages;
pub mod listener;
pub mod logging;
pub mod process;
pub mod processors;
pub mod reactor;
pub mod session;
pub mod signals;
pub mod stopwatch;
pub mod supervision;
pub mod syncer;
pub mod syslog;
pub mod title;
pub mod watchdog;
pub mod web;
