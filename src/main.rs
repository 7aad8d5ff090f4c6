//! The program: arguments → configuration → server → reactor.

use std::process::ExitCode;

use ruddle::base::text::reason;
use ruddle::base::{clock, random};
use ruddle::config::{self, Config, Startup, Supervised};
use ruddle::net::reactor::Reactor;
use ruddle::net::{crash, huge_pages, listener, logging, process, processors, stopwatch, supervision, title, watchdog};
use ruddle::persist::child::Spawn;
use ruddle::persist::storage::Disk;
use ruddle::server::registry::Registry;
use ruddle::server::{Server, Stop, ceiling, users};

fn main() -> ExitCode {
    let program = std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<Vec<u8>> = std::env::args_os().skip(1).map(std::os::unix::ffi::OsStringExt::into_vec).collect();
    match config::start(&arguments, &config::Disk) {
        Ok(Startup::Version) => println!("Ruddle server v={} (redis_version 8.0.6)", env!("CARGO_PKG_VERSION")),
        Ok(Startup::Help) => print!("{}", config::manual::help()),
        Ok(Startup::Check(config)) => match commands(&config) {
            Ok(_) => println!("Configuration OK"),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        },
        Ok(Startup::Serve(config)) => match serve(*config, program) {
            Ok(()) => {}
            Err(error) => {
                log::warn!("{error}");
                return ExitCode::FAILURE;
            }
        },
        Err(error) => {
            eprintln!("{}", error.trim_end());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The commands as the configuration has them called, and users' rules that make sense to them. The error is what to tell the
/// operator, where it stands first.
fn commands(config: &Config) -> Result<Registry, String> {
    let mut commands = ruddle::command::registry();
    for renaming in &config.renamed_commands {
        commands.rename(&renaming.from, &renaming.to).map_err(|reason| format!("{}{reason}", renaming.blame))?;
    }
    users::file::configured(&config.users, users::rulebook(&commands, config))?;
    Ok(commands)
}

/// Serves until told to stop. The error is what to tell the operator.
fn serve(mut config: Config, program: String) -> Result<(), String> {
    if let Err(error) = logging::start(&config) {
        eprintln!("{error}");
        return Err(error);
    }
    let commands = commands(&config).inspect_err(|error| eprintln!("{error}"))?;
    std::env::set_current_dir(&config.dir).map_err(|error| {
        format!("Can't chdir to '{}': {}. Make the directory, or set 'dir' to one that is there.", config.dir, reason(&error))
    })?;
    let supervisor = supervision::find(config.supervised);
    if config.daemonize && supervisor == Supervised::No {
        process::daemonize().map_err(|error| format!("Cannot go to the background: {error}"))?;
    }
    title::start(&config, program);
    process::survive_file_limits();
    processors::plan(&config);
    let huge_pages_later = huge_pages::start(&config);
    log::info!("Ruddle version={}, bits=64, pid={}, just started", env!("CARGO_PKG_VERSION"), std::process::id());
    log::info!("Running mode=standalone, port={}.", config.port);
    config.maxclients = process::raise_descriptor_limit(config.maxclients);
    let listeners = listener::open(&config)?;
    let metrics = listener::open_metrics(&config)?;
    let pid_file = process::write_pid_file(&config);
    config.resolve_auto_maxmemory(ceiling::automatic_limit((process::host().usage)().usable_memory));
    let seed = random::entropy_seed().map_err(|error| format!("No randomness from the system: {error}"))?;
    let mut server = Server::new(config, commands, seed, clock::now(), stopwatch::best());
    server.state.host = process::host();
    if let Err(reason) = server.state.adjust_oom_score() {
        log::warn!("Unable to write oom_score_adj: {reason}");
    }
    server.state.process.os = process::system_name();
    server.state.process.supervisor = supervisor;
    server.state.process.huge_pages_from = huge_pages_later.then_some(huge_pages::FROM);
    server.state.process.pid = std::process::id();
    server.state.process.executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    server.load_users()?;
    server.state.snapshots.storage = Box::new(Disk);
    server.state.snapshots.spawn = Spawn::Fork(process::begin_child);
    crash::configure(server.state.config.crash_log_enabled, server.state.config.use_exit_on_panic);
    crash::catch(&server.state.registry).map_err(|error| format!("Cannot catch signals: {error}"))?;
    watchdog::configure(server.state.config.watchdog_period);
    log::info!("PID: {} Server initialized", std::process::id());
    server.begin_loading()?;
    let mut reactor = Reactor::new(server, listeners).map_err(|error| format!("Cannot poll the sockets: {error}"))?;
    reactor.serve_metrics(metrics).map_err(|error| format!("Cannot poll the metrics port: {error}"))?;
    processors::pin_main(&reactor.server.state.config);
    let mut stopped = reactor.load().map_err(|error| format!("The poll failed: {error}"))?;
    if stopped.is_none() {
        stopped = Some(serve_clients(&mut reactor, supervisor)?);
    }
    supervision::stopping(supervisor);
    if let Some(Stop::Failed(error)) = stopped {
        return Err(error);
    }
    reactor.server.finish_files()?;
    if let Some(path) = pid_file {
        log::info!("Removing the pid file.");
        // it may be gone already
        let _ = std::fs::remove_file(path);
    }
    log::warn!("Ruddle is now ready to exit, bye bye...");
    // the system takes the memory back at once; freeing millions of keys takes a while
    std::mem::forget(reactor);
    Ok(())
}

/// The data is loaded: everything can be served.
fn serve_clients(reactor: &mut Reactor, supervisor: Supervised) -> Result<Stop, String> {
    for kind in reactor.kinds() {
        log::info!("Ready to accept connections {kind}");
    }
    for port in reactor.metrics_ports() {
        log::info!("Metrics and the status page are at http://127.0.0.1:{port}/");
    }
    supervision::ready(supervisor);
    reactor.run().map_err(|error| format!("The poll failed: {error}"))
}
