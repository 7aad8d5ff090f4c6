//! Listening sockets: TCP on several addresses, and a Unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::net::{TcpListener, UnixListener};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::connection::Stream;
use super::process;
use crate::base::text::reason;
use crate::config::Config;
use crate::server::client::Peer;

/// A listening socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket at a path.
    Unix(UnixListener, PathBuf),
}

/// Opens all sockets that the configuration names. The error is what to tell the operator.
pub fn open(config: &Config) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    if config.port != 0 {
        listeners.extend(open_port(config, config.port)?);
    }
    if !config.unixsocket.is_empty() {
        listeners.push(open_unix(config)?);
    }
    if listeners.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(listeners)
}

/// Opens a port on every address of `bind`.
pub fn open_port(config: &Config, port: u16) -> Result<Vec<Listener>, String> {
    open_addresses(&config.bind, port, config.tcp_backlog)
}

/// Opens the port of the metrics, if the configuration names one.
pub fn open_metrics(config: &Config) -> Result<Vec<Listener>, String> {
    if config.metrics_port == 0 {
        return Ok(Vec::new());
    }
    open_addresses(&config.metrics_bind, config.metrics_port, config.tcp_backlog)
}

fn open_addresses(addresses: &[String], port: u16, backlog: u32) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for address in addresses {
        // as in Redis, a dash makes an address optional
        let (optional, name) = address.strip_prefix('-').map_or((false, address.as_str()), |name| (true, name));
        match open_address(name, port, backlog) {
            Ok(listener) => listeners.push(Listener::Tcp(listener)),
            Err(error) if optional && is_unavailable(&error) => {}
            Err(error) => {
                log::warn!("Could not create server TCP listening socket {name}:{port}: bind: {}", reason(&error));
                return Err(format!("Failed listening on port {port} (tcp), aborting."));
            }
        }
    }
    Ok(listeners)
}

/// Opens sockets on addresses that were listened on a moment ago; what cannot be had again is logged.
pub fn reopen(addresses: &[SocketAddr], backlog: u32) -> Vec<Listener> {
    let open = |&address: &SocketAddr| match open_socket(address, backlog) {
        Ok(listener) => Some(Listener::Tcp(listener)),
        Err(error) => {
            log::warn!("Could not listen on {address} again: {error}");
            None
        }
    };
    addresses.iter().filter_map(open).collect()
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported) || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

fn open_address(name: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let address = match name {
        "*" => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        "::*" => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        name => (name, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?,
    };
    open_socket(address, backlog)
}

fn open_socket(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn open_unix(config: &Config) -> Result<Listener, String> {
    let path = Path::new(&config.unixsocket);
    let open = || -> io::Result<UnixListener> {
        // a socket that a dead server left behind; anything else is not ours to remove
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        if !config.unixsocketgroup.is_empty() {
            let group = process::group_id(&config.unixsocketgroup)?;
            std::os::unix::fs::chown(path, None, Some(group))?;
        }
        if config.unixsocketperm != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(config.unixsocketperm))?;
        }
        socket.listen(i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX))?;
        Ok(UnixListener::from_std(std::os::unix::net::UnixListener::from(socket)))
    };
    match open() {
        Ok(listener) => Ok(Listener::Unix(listener, path.to_path_buf())),
        Err(error) => Err(format!("Failed opening Unix socket: bind: {} ({})", reason(&error), path.display())),
    }
}

impl Listener {
    /// What to poll.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        match self {
            Listener::Tcp(listener) => listener,
            Listener::Unix(listener, _) => listener,
        }
    }

    /// The TCP address that is bound.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// The next connection that waits.
    pub fn accept(&self, keepalive_seconds: u32) -> io::Result<(Stream, Peer)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                let local = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
                let socket = SockRef::from(&stream);
                // a socket whose peer is gone already refuses options; the first read will tell
                let _ = socket.set_tcp_nodelay(true);
                if keepalive_seconds > 0 {
                    let _ = socket.set_tcp_keepalive(&keepalive(keepalive_seconds));
                }
                let peer = Peer {
                    address: address.to_string(),
                    local_address: local,
                    unix_socket: false,
                    loopback: address.ip().is_loopback(),
                    descriptor: i64::from(stream.as_raw_fd()),
                };
                Ok((Stream::Tcp(stream), peer))
            }
            Listener::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                let name = format!("{}:0", path.display());
                let descriptor = i64::from(stream.as_raw_fd());
                let peer = Peer { address: name.clone(), local_address: name, unix_socket: true, loopback: true, descriptor };
                Ok((Stream::Unix(stream), peer))
            }
        }
    }
}

fn keepalive(seconds: u32) -> TcpKeepalive {
    // as Redis: the first probe after the interval, then three at a third of it
    TcpKeepalive::new()
        .with_time(Duration::from_secs(seconds.into()))
        .with_interval(Duration::from_secs((seconds / 3).max(1).into()))
        .with_retries(3)
}
