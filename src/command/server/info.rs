//! INFO: facts and counters, section by section, in Redis's names.
//!
//! A section is one row of [`SECTIONS`] and one function that writes its lines. What this server has no
//! counterpart of (threads, defragmentation, modules) shows the constant that is true here. Five sections are
//! our own: `expiry`, how late keys are removed; `holds`, what kept the loop and for how long; `servicestats`, for
//! each command the percentiles of service time in microseconds (arrival of the request's bytes to write of the
//! reply) and, as `queue_p99`, what of its 99th percentile is not execution; `stalls`, the turns of the loop that took
//! `stall-threshold` or longer: how many, how long, and the latest eight with their culprits; `hotspots`, the five keys
//! and prefixes that take the most operations, with their rates a second (TOP tells more), how many commands one
//! sample stands for, and what it all takes.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

use crate::base::clock::Millis;
use crate::base::{memory, text};
use crate::keyspace::interests::Interests;
use crate::keyspace::{Database, Keyspace};
use crate::persist::aof::Phase;
use crate::repl::primary::Stage;
use crate::repl::replica::Link;
use crate::resp::request::Args;
use crate::server::accounts::Accounts;
use crate::server::client::{Client, ClientFlags};
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::loading::View;
use crate::server::pubsub::Medium;
use crate::server::registry::Registered;
use crate::server::row::{Command, Flags};
use crate::server::stats::Rate;
use crate::server::users::log::Refused;
use crate::server::web::exposition;
use crate::server::{REDIS_VERSION, State};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "info",
    summary: "Tells facts and counters about the server.",
    group: "server",
    arity: -1,
    flags: Flags::LOADING.or(Flags::STALE),
    acl: &["dangerous"],
    syntax: "[section...]",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    handler: info,
    ..Command::BASE
}];

/// When a section is shown without being asked for by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By INFO alone, too.
    ByDefault,
    /// By `all` and `everything`.
    WithAll,
    /// By `everything`, and by default.
    NotWithAll,
}

/// One section.
struct Section {
    name: &'static str,
    title: &'static str,
    shown: Shown,
    write: fn(&mut Report<'_>),
}

const fn section(title: &'static str, name: &'static str, shown: Shown, write: fn(&mut Report<'_>)) -> Section {
    Section { name, title, shown, write }
}

const SECTIONS: &[Section] = &[
    section("Server", "server", Shown::ByDefault, server),
    section("Clients", "clients", Shown::ByDefault, clients),
    section("Memory", "memory", Shown::ByDefault, memory_use),
    section("Persistence", "persistence", Shown::ByDefault, persistence),
    section("Stats", "stats", Shown::ByDefault, stats),
    section("Replication", "replication", Shown::ByDefault, replication),
    section("CPU", "cpu", Shown::ByDefault, cpu),
    section("Modules", "modules", Shown::NotWithAll, |_| {}),
    section("Commandstats", "commandstats", Shown::WithAll, command_stats),
    section("Errorstats", "errorstats", Shown::ByDefault, error_stats),
    section("Latencystats", "latencystats", Shown::WithAll, latency_stats),
    section("Cluster", "cluster", Shown::ByDefault, |report| report.line("cluster_enabled", 0)),
    section("Keyspace", "keyspace", Shown::ByDefault, keyspace),
    section("Expiry", "expiry", Shown::WithAll, expiry),
    section("Holds", "holds", Shown::WithAll, holds),
    section("Servicestats", "servicestats", Shown::WithAll, service_stats),
    section("Stalls", "stalls", Shown::WithAll, stalls),
    section("Hotspots", "hotspots", Shown::WithAll, hotspots),
];

fn info(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let asked: Vec<String> = args.from(1).iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let is = |word: &str| asked.iter().any(|asked| asked == word);
    let text = write(ctx.state, ctx.db.space(), |section| {
        let default = asked.is_empty() || is("default");
        is(section.name)
            || is("everything")
            || default && section.shown != Shown::WithAll
            || is("all") && section.shown != Shown::NotWithAll
    });
    ctx.reply.verbatim("txt", text.as_bytes());
    DONE
}

/// What INFO says without arguments, for a crash report.
pub fn by_default(state: &State, space: &Keyspace) -> String {
    write(state, space, |section| section.shown != Shown::WithAll)
}

fn write(state: &State, space: &Keyspace, wanted: impl Fn(&Section) -> bool) -> String {
    let mut report = Report { state, space, text: String::new() };
    for section in SECTIONS.iter().filter(|section| wanted(section)) {
        if !report.text.is_empty() {
            report.text.push_str("\r\n");
        }
        report.text.push_str("# ");
        report.text.push_str(section.title);
        report.text.push_str("\r\n");
        (section.write)(&mut report);
    }
    report.text
}

/// INFO in the making.
struct Report<'a> {
    state: &'a State,
    space: &'a Keyspace,
    text: String,
}

impl Report<'_> {
    fn line(&mut self, name: &str, value: impl Display) {
        write!(self.text, "{name}:{value}\r\n").expect("a string takes any text");
    }

    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.line(name, 0));
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: usize) {
        self.line(name, bytes);
        self.line(&format!("{name}_human"), human(bytes));
    }

    fn ratio(&mut self, name: &str, of: usize, to: usize) {
        let ratio = if to == 0 { 0.0 } else { of as f64 / to as f64 };
        self.line(name, format_args!("{ratio:.2}"));
    }

    fn clients_with(&self, flags: ClientFlags) -> usize {
        self.state.clients.iter().filter(|(_, client)| client.flags.any(flags)).count()
    }
}

fn human(bytes: usize) -> String {
    let mut out = Vec::new();
    text::write_memory(&mut out, bytes as u64);
    String::from_utf8(out).expect("ASCII")
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn server(report: &mut Report<'_>) {
    let state = report.state;
    let uptime = state.now.monotonic.micros_since(state.started.monotonic) / 1_000_000;
    report.line("redis_version", REDIS_VERSION);
    report.line("ruddle_version", env!("CARGO_PKG_VERSION"));
    report.line("redis_git_sha1", "00000000");
    report.line("redis_git_dirty", 0);
    report.line("redis_build_id", "0000000000000000");
    report.line("redis_mode", "standalone");
    report.line("os", &state.process.os);
    report.line("arch_bits", usize::BITS);
    report.line("monotonic_clock", "POSIX clock_gettime");
    report.line("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    report.line("atomicvar_api", "c11-builtin");
    report.line("gcc_version", "0.0.0");
    report.line("process_id", state.process.pid);
    report.line("process_supervised", state.process.supervisor.word());
    report.line("run_id", ascii(&state.run_id));
    report.line("tcp_port", state.config.port);
    report.line("server_time_usec", state.now.unix.0);
    report.line("uptime_in_seconds", uptime);
    report.line("uptime_in_days", uptime / 86_400);
    report.line("hz", state.config.hz);
    report.line("configured_hz", state.config.hz);
    report.line("lru_clock", report.space.heat.clock);
    report.line("executable", &state.process.executable);
    report.line("config_file", state.config.config_file.as_deref().unwrap_or_default());
    report.line("io_threads_active", 0);
    if let Some(left) = state.stops_in_ms() {
        report.line("shutdown_in_milliseconds", left);
    }
    let bound: Vec<String> = state.config.bind.iter().map(|address| format!("bind={address}")).collect();
    let listeners = [
        (state.config.port != 0).then(|| format!("name=tcp,{},port={}", bound.join(","), state.config.port)),
        (!state.config.unixsocket.is_empty()).then(|| format!("name=unix,bind={}", state.config.unixsocket)),
    ];
    for (index, listener) in listeners.into_iter().flatten().enumerate() {
        report.line(&format!("listener{index}"), listener);
    }
    if !state.config.availability_zone.is_empty() {
        report.line("availability_zone", &state.config.availability_zone);
    }
}

fn clients(report: &mut Report<'_>) {
    let state = report.state;
    let subscribed = |client: &Client| client.subscriptions.as_ref().is_some_and(|s| !s.is_empty());
    let waiting: Vec<_> = state.clients.iter().filter_map(|(_, client)| client.blocked.as_ref()).collect();
    let timed = waiting.iter().filter(|blocked| blocked.deadline.is_some()).count();
    let watched: BTreeSet<_> = state.clients.iter().flat_map(|(_, client)| client.watched.iter()).collect();
    let others = report.clients_with(ClientFlags::REPLICA.or(ClientFlags::REPLAY));
    report.line("connected_clients", state.clients.len() - others);
    report.line("cluster_connections", 0);
    report.line("maxclients", state.config.maxclients);
    let input = state.clients.iter().map(|(_, client)| client.pending_input).max().unwrap_or(0);
    let output = state.clients.iter().map(|(_, client)| client.output.memory()).max().unwrap_or(0);
    report.line("client_recent_max_input_buffer", input);
    report.line("client_recent_max_output_buffer", output);
    report.line("blocked_clients", state.parked.clients + state.pause.waiting.len());
    report.line("tracking_clients", report.clients_with(ClientFlags::TRACKING));
    report.line("pubsub_clients", state.clients.iter().filter(|(_, client)| subscribed(client)).count());
    report.line("watching_clients", state.clients.iter().filter(|(_, client)| !client.watched.is_empty()).count());
    report.line("clients_in_timeout_table", timed);
    report.line("total_watched_keys", watched.len());
    report.line("total_blocking_keys", state.parked.keys());
    let losses: usize = report.space.all_interests().map(Interests::losses_awaited).sum();
    report.line("total_blocking_keys_on_nokey", losses);
}

fn memory_use(report: &mut Report<'_>) {
    let (state, accounts) = (report.state, Accounts::take(report.state, report.space));
    let usage = (state.host.usage)();
    let resident = usage.resident;
    let [allocated, active, mapped, retained] = memory::report();
    let machine = usize::try_from(usage.machine_memory).unwrap_or(usize::MAX);
    let limit = usize::try_from(state.config.maxmemory.bytes).unwrap_or(usize::MAX);
    report.bytes("used_memory", accounts.used);
    report.bytes("used_memory_rss", resident);
    report.bytes("used_memory_peak", accounts.peak);
    report.line("used_memory_peak_perc", format_args!("{:.2}%", accounts.used as f64 * 100.0 / accounts.peak.max(1) as f64));
    report.line("used_memory_overhead", accounts.overhead());
    report.line("used_memory_startup", accounts.startup);
    report.line("used_memory_dataset", accounts.dataset());
    report.line("used_memory_dataset_perc", format_args!("{:.2}%", accounts.dataset_percent()));
    report.line("allocator_allocated", allocated);
    report.line("allocator_active", active);
    report.line("allocator_resident", mapped);
    report.line("allocator_muzzy", retained);
    report.bytes("total_system_memory", machine);
    let (interpreter, texts, scripts) = (state.scripts.interpreter_bytes(), state.scripts.bytes(), state.scripts.len());
    report.bytes("used_memory_lua", interpreter);
    report.line("used_memory_vm_eval", interpreter);
    report.line("used_memory_scripts_eval", texts);
    report.line("number_of_cached_scripts", scripts);
    let (libraries, engine) = (state.scripts.libraries(), state.scripts.engine_bytes());
    report.line("number_of_functions", libraries.functions());
    report.line("number_of_libraries", libraries.len());
    report.line("used_memory_vm_functions", engine);
    report.bytes("used_memory_vm_total", interpreter + engine);
    report.line("used_memory_functions", libraries.bytes());
    report.bytes("used_memory_scripts", texts + libraries.bytes());
    report.bytes("maxmemory", limit);
    report.line("maxmemory_policy", state.config.maxmemory_policy.word());
    report.ratio("allocator_frag_ratio", active, allocated);
    report.line("allocator_frag_bytes", active.saturating_sub(allocated));
    report.ratio("allocator_rss_ratio", mapped, active);
    report.line("allocator_rss_bytes", mapped.saturating_sub(active));
    report.ratio("rss_overhead_ratio", resident, mapped);
    report.line("rss_overhead_bytes", resident as i128 - mapped as i128);
    report.ratio("mem_fragmentation_ratio", resident, accounts.used);
    report.line("mem_fragmentation_bytes", resident as i128 - accounts.used as i128);
    report.line("mem_not_counted_for_evict", state.uncounted_memory());
    report.line("mem_replication_backlog", accounts.backlog);
    report.line("mem_total_replication_buffers", accounts.backlog + state.replica_blocks());
    report.line("mem_replica_full_sync_buffer", 0);
    report.line("mem_clients_slaves", accounts.replicas);
    report.line("mem_clients_normal", accounts.clients);
    report.zeros(&["mem_cluster_links"]);
    report.line("mem_aof_buffer", accounts.aof_buffer);
    report.line("mem_allocator", memory::allocator());
    report.zeros(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
    report.line("lazyfree_pending_objects", report.space.effects.garbage.len());
    report.line("lazyfreed_objects", state.stats.lazily_freed);
}

/// A number, or -1 for none.
fn or_minus_one(number: Option<u64>) -> i128 {
    number.map_or(-1, i128::from)
}

fn persistence(report: &mut Report<'_>) {
    let (state, space) = (report.state, report.space);
    let snapshots = &state.snapshots;
    let progress = snapshots.progress(state.now);
    let current = progress.or(state.rewrites.progress(state.now)).unwrap_or_default();
    let share = if current.keys == 0 { 0.0 } else { current.pulse.keys as f64 * 100.0 / current.keys as f64 };
    let loads = |view: View| u8::from(state.loading.is_some_and(|loading| loading.view == view));
    report.line("loading", loads(View::Nothing));
    report.line("async_loading", loads(View::OldData));
    report.line("current_cow_peak", current.pulse.most_copied);
    report.line("current_cow_size", current.pulse.copied);
    report.line("current_cow_size_age", current.memory_age);
    report.line("current_fork_perc", format_args!("{share:.2}"));
    report.line("current_save_keys_processed", current.pulse.keys);
    report.line("current_save_keys_total", current.keys);
    report.line("rdb_changes_since_last_save", space.dirty);
    report.line("rdb_bgsave_in_progress", u8::from(progress.is_some()));
    report.line("rdb_last_save_time", snapshots.last_save);
    report.line("rdb_last_bgsave_status", if snapshots.last_ok { "ok" } else { "err" });
    report.line("rdb_last_bgsave_time_sec", or_minus_one(snapshots.last_seconds));
    report.line("rdb_current_bgsave_time_sec", or_minus_one(progress.map(|progress| progress.seconds)));
    report.line("rdb_saves", snapshots.saves);
    report.line("rdb_last_cow_size", snapshots.last_copied);
    report.line("rdb_last_load_keys_expired", snapshots.loaded.1);
    report.line("rdb_last_load_keys_loaded", snapshots.loaded.0);
    append_only_file(report);
    loading(report);
}

/// What is shown while data is loaded.
fn loading(report: &mut Report<'_>) {
    let Some(progress) = report.state.loading else { return };
    let (percent, seconds) = progress.estimate(report.state.now.unix.to_millis());
    report.line("loading_start_time", progress.since.seconds());
    report.line("loading_total_bytes", progress.total);
    report.line("loading_rdb_used_mem", progress.used_memory);
    report.line("loading_loaded_bytes", progress.loaded);
    report.line("loading_loaded_perc", format_args!("{percent:.2}"));
    report.line("loading_eta_seconds", seconds);
}

/// The part of the section that is about the append-only file.
fn append_only_file(report: &mut Report<'_>) {
    let (state, aof, rewrites) = (report.state, &report.state.aof, &report.state.rewrites);
    let status = |ok: bool| if ok { "ok" } else { "err" };
    report.line("aof_enabled", u8::from(aof.phase() != Phase::Off));
    report.line("aof_rewrite_in_progress", u8::from(rewrites.is_running()));
    report.line("aof_rewrite_scheduled", u8::from(rewrites.scheduled));
    report.line("aof_last_rewrite_time_sec", or_minus_one(rewrites.last_seconds));
    report.line("aof_current_rewrite_time_sec", or_minus_one(rewrites.progress(state.now).map(|progress| progress.seconds)));
    report.line("aof_last_bgrewrite_status", status(rewrites.last_ok));
    report.line("aof_rewrites", rewrites.begun);
    report.line("aof_rewrites_consecutive_failures", rewrites.failures);
    report.line("aof_last_write_status", status(aof.trouble().is_none()));
    report.line("aof_last_cow_size", rewrites.last_copied);
    report.zeros(&["module_fork_in_progress", "module_fork_last_cow_size"]);
    if aof.phase() != Phase::Off {
        report.line("aof_current_size", aof.facts.size);
        report.line("aof_base_size", aof.facts.base_size);
        report.line("aof_pending_rewrite", 0);
        report.line("aof_buffer_length", aof.unwritten());
        report.line("aof_pending_bio_fsync", u8::from(aof.is_syncing()));
        report.line("aof_delayed_fsync", aof.facts.delayed_syncs);
    }
}

fn stats(report: &mut Report<'_>) {
    let (state, space) = (report.state, report.space);
    let stats = &state.stats;
    report.line("total_connections_received", stats.connections);
    report.line("total_commands_processed", stats.commands);
    report.line("instantaneous_ops_per_sec", stats.rates.per_second(Rate::Commands));
    report.line("total_net_input_bytes", stats.bytes_in);
    report.line("total_net_output_bytes", stats.bytes_out);
    report.line("total_net_repl_input_bytes", stats.replication_bytes_in);
    report.line("total_net_repl_output_bytes", stats.replication_bytes_out);
    let rates =
        ["instantaneous_input_kbps", "instantaneous_output_kbps", "instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"];
    for (name, which) in rates.into_iter().zip([Rate::BytesIn, Rate::BytesOut, Rate::ReplicationIn, Rate::ReplicationOut]) {
        report.line(name, format_args!("{:.2}", stats.rates.per_second(which) as f64 / 1024.0));
    }
    report.line("rejected_connections", stats.rejected_connections);
    let syncs = &state.replication.stats;
    report.line("sync_full", syncs.full);
    report.line("sync_partial_ok", syncs.partial);
    report.line("sync_partial_err", syncs.refused);
    report.line("expired_subkeys", space.stats.expired_fields);
    report.line("expired_keys", space.stats.expired);
    report.line("expired_stale_perc", "0.00");
    report.line("expired_time_cap_reached_count", 0);
    report.line("expire_cycle_cpu_milliseconds", stats.expiry_nanos / 1_000_000);
    report.line("evicted_keys", space.stats.evicted);
    report.line("evicted_clients", stats.evicted_clients);
    report.line("evicted_scripts", report.state.scripts.evicted);
    let (total, current) = state.ceiling.exceeded_ms(state.now.monotonic);
    report.line("total_eviction_exceeded_time", total);
    report.line("current_eviction_exceeded_time", current);
    report.line("keyspace_hits", space.stats.hits);
    report.line("keyspace_misses", space.stats.misses);
    subscriptions(report);
    report.line("latest_fork_usec", stats.last_fork_micros);
    report.line("total_forks", stats.forks);
    report.line("migrate_cached_sockets", state.migrations.idle_lines());
    report.line("slave_expires_tracked_keys", space.databases().iter().map(Database::own_keys).sum::<usize>());
    report.zeros(&["active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"]);
    report.zeros(&["total_active_defrag_time", "current_active_defrag_time"]);
    report.line("tracking_total_keys", report.state.caches.keys());
    report.line("tracking_total_items", report.state.caches.items());
    report.line("tracking_total_prefixes", report.state.caches.prefixes());
    report.line("unexpected_error_replies", stats.unexpected_errors);
    report.line("total_error_replies", stats.error_replies);
    report.line("dump_payload_sanitizations", 0);
    report.line("total_reads_processed", stats.reads);
    report.line("total_writes_processed", stats.writes);
    report.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    report.line("client_query_buffer_limit_disconnections", stats.query_limit_disconnections);
    report.line("client_output_buffer_limit_disconnections", stats.output_limit_disconnections);
    report.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    report.line("eventloop_cycles", stats.turns.count());
    report.line("eventloop_duration_sum", stats.turns.sum() / 1000);
    report.line("eventloop_duration_cmd_sum", state.registry.iter().map(|(_, command)| command.stats.nanos).sum::<u64>() / 1000);
    let turns = stats.rates.per_second(Rate::Turns);
    report.line("instantaneous_eventloop_cycles_per_sec", turns);
    let nanos = stats.rates.per_second(Rate::TurnNanos).checked_div(turns).unwrap_or(0);
    report.line("instantaneous_eventloop_duration_usec", nanos / 1000);
    let Refused { logins, commands, keys, channels } = state.users.log.refused;
    for (what, count) in [("auth", logins), ("cmd", commands), ("key", keys), ("channel", channels)] {
        report.line(&format!("acl_access_denied_{what}"), count);
    }
}

fn subscriptions(report: &mut Report<'_>) {
    let media = [("pubsub_channels", Medium::Channel), ("pubsub_patterns", Medium::Pattern), ("pubsubshard_channels", Medium::Shard)];
    for (name, medium) in media {
        report.line(name, report.state.pubsub.len(medium));
    }
}

fn replication(report: &mut Report<'_>) {
    let state = report.state;
    let replication = &state.replication;
    match &replication.link {
        Some(link) => link_to_primary(report, link),
        None => report.line("role", "master"),
    }
    report.line("connected_slaves", replication.attached().count());
    let seconds = i64::from(state.config.min_replicas_max_lag);
    if state.config.min_replicas_to_write > 0 && seconds > 0 {
        report.line("min_slaves_good_slaves", replication.count_good(state.now.unix, seconds));
    }
    for (index, (key, replica)) in replication.attached().enumerate() {
        let (address, port) = state.address_of(key, replica);
        let lag = if replica.stage == Stage::Online { replica.lag_seconds(state.now.unix) } else { 0 };
        let (word, offset) = (replica.stage.word(), replica.acknowledged);
        report.line(&format!("slave{index}"), format_args!("ip={address},port={port},state={word},offset={offset},lag={lag}"));
    }
    let stream = &replication.stream;
    report.line("master_failover_state", replication.failover.stage.word());
    report.line("master_replid", ascii(&stream.id));
    report.line("master_replid2", ascii(&stream.second().0));
    report.line("master_repl_offset", stream.offset());
    report.line("second_repl_offset", stream.second().1);
    report.line("repl_backlog_active", u8::from(stream.is_active()));
    report.line("repl_backlog_size", state.config.repl_backlog_size);
    report.line("repl_backlog_first_byte_offset", stream.first());
    report.line("repl_backlog_histlen", stream.held());
}

fn link_to_primary(report: &mut Report<'_>, link: &Link) {
    let state = report.state;
    let now = state.now.unix.to_millis();
    let connected = state.replication.link_client.is_some();
    report.line("role", "slave");
    report.line("master_host", &link.host);
    report.line("master_port", link.port);
    report.line("master_link_status", if link.is_up() { "up" } else { "down" });
    report.line("master_last_io_seconds_ago", if connected { link.silent_seconds(now) } else { -1 });
    report.line("master_sync_in_progress", u8::from(link.is_syncing()));
    let offset = state.replication.stream.offset();
    report.line("slave_read_repl_offset", state.read_offset());
    report.line("slave_repl_offset", offset);
    if link.is_syncing() {
        let (read, total) = link.progress();
        let total_shown = total.unwrap_or(0);
        report.line("master_sync_total_bytes", total_shown);
        report.line("master_sync_read_bytes", read);
        report.line("master_sync_left_bytes", total_shown.saturating_sub(read));
        let percent = if total_shown == 0 { 0.0 } else { read as f64 * 100.0 / total_shown as f64 };
        report.line("master_sync_perc", format_args!("{percent:.2}"));
        report.line("master_sync_last_io_seconds_ago", link.silent_seconds(now));
    }
    if let Some(seconds) = link.down_seconds(now) {
        report.line("master_link_down_since_seconds", seconds);
    }
    report.line("slave_priority", state.config.replica_priority);
    report.line("slave_read_only", u8::from(state.config.replica_read_only));
    report.line("replica_announced", u8::from(state.config.replica_announced));
}

fn cpu(report: &mut Report<'_>) {
    let usage = (report.state.host.usage)();
    let fields = [
        ("used_cpu_sys", usage.system_micros),
        ("used_cpu_user", usage.user_micros),
        ("used_cpu_sys_children", usage.children_system_micros),
        ("used_cpu_user_children", usage.children_user_micros),
        ("used_cpu_sys_main_thread", usage.main_system_micros),
        ("used_cpu_user_main_thread", usage.main_user_micros),
    ];
    for (name, micros) in fields {
        report.line(name, format_args!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
    }
}

/// All commands and subcommands.
fn commands<'a>(report: &Report<'a>) -> impl Iterator<Item = &'a Registered> + use<'a> {
    report.state.registry.iter().map(|(_, command)| command)
}

fn command_stats(report: &mut Report<'_>) {
    for command in commands(report) {
        let stats = &command.stats;
        if stats.calls + stats.rejected + stats.failed == 0 {
            continue;
        }
        let micros = stats.nanos / 1000;
        let mean = if stats.calls == 0 { 0.0 } else { micros as f64 / stats.calls as f64 };
        report.line(
            &format!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={micros},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
                stats.calls, stats.rejected, stats.failed
            ),
        );
    }
}

fn error_stats(report: &mut Report<'_>) {
    for (code, count) in &report.state.stats.errors {
        report.line(&format!("errorstat_{}", String::from_utf8_lossy(code)), format_args!("count={count}"));
    }
}

fn service_stats(report: &mut Report<'_>) {
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    for command in commands(report) {
        let (service, latency) = (&command.stats.service, &command.stats.latency);
        if service.count() == 0 {
            continue;
        }
        let shares = &report.state.config.latency_tracking_info_percentiles;
        let shown: Vec<String> = shares.iter().map(|share| format!("p{share}={:.3}", micros(service.percentile(share / 100.0)))).collect();
        let queued = service.percentile(0.99).saturating_sub(latency.percentile(0.99));
        report.line(
            &format!("service_percentiles_usec_{}", command.full_name),
            format_args!("{},max={:.3},queue_p99={:.3}", shown.join(","), micros(service.max()), micros(queued)),
        );
    }
}

fn hotspots(report: &mut Report<'_>) {
    let spots = &report.state.hotspots;
    report.line("hotspot_tracking", u8::from(spots.is_on()));
    report.line("hotspot_stride", spots.stride());
    report.line("hotspot_memory_bytes", spots.allocated());
    let now = report.state.hot_seconds();
    for (name, sketch) in [("hot_key", &spots.keys), ("hot_prefix", &spots.prefixes)] {
        for (index, heavy) in sketch.heaviest(0, 5, now).into_iter().enumerate() {
            let [ops, nanos, bytes] = heavy.rates;
            report.line(
                &format!("{name}{index}"),
                format_args!(
                    "db={},ops_per_sec={ops:.0},cpu_usec_per_sec={:.0},bytes_per_sec={bytes:.0},name={}",
                    heavy.tag,
                    nanos / 1000.0,
                    exposition::label(heavy.label)
                ),
            );
        }
    }
}

fn stalls(report: &mut Report<'_>) {
    let stalls = &report.state.stalls;
    report.line("stalls", stalls.count);
    report.line("stall_threshold_ms", report.state.config.stall_threshold);
    report.line("stall_usec", stalls.nanos / 1000);
    report.line("longest_stall_usec", stalls.max_nanos / 1000);
    for (index, stall) in stalls.entries.iter().take(8).enumerate() {
        let client = stall.culprit.client.replace([',', '\r', '\n'], " ");
        report.line(
            &format!("stall{index}"),
            format_args!(
                "unix_time_ms={},turn_usec={},culprit={},culprit_usec={},requests={},client={client}",
                stall.at_ms,
                stall.nanos / 1000,
                stall.culprit.what,
                stall.culprit_nanos / 1000,
                stall.requests
            ),
        );
    }
}

fn latency_stats(report: &mut Report<'_>) {
    for command in commands(report) {
        let latency = &command.stats.latency;
        if latency.count() == 0 {
            continue;
        }
        let shares = &report.state.config.latency_tracking_info_percentiles;
        let shown = shares.iter().map(|share| format!("p{share}={:.3}", latency.percentile(share / 100.0) as f64 / 1000.0));
        let shown: Vec<String> = shown.collect();
        report.line(&format!("latency_percentiles_usec_{}", command.full_name), shown.join(","));
    }
}

/// Keys whose deadlines make up the mean that `avg_ttl` shows.
const DEADLINES_SAMPLED: usize = 64;
/// Keys looked at for them.
const KEYS_SAMPLED: usize = 512;

fn keyspace(report: &mut Report<'_>) {
    let now = report.space.now;
    for (index, database) in report.space.databases().iter().enumerate() {
        if database.is_empty() {
            continue;
        }
        let deadlines = match database.volatile() {
            0 => Vec::new(),
            _ => {
                database.entries().take(KEYS_SAMPLED).filter_map(|entry| entry.deadline()).take(DEADLINES_SAMPLED).collect::<Vec<Millis>>()
            }
        };
        let left = deadlines.iter().map(|deadline| i128::from(deadline.saturating_sub(now).0.max(0)));
        let mean = left.sum::<i128>() / i128::try_from(deadlines.len().max(1)).unwrap_or(1);
        report.line(
            &format!("db{index}"),
            format_args!("keys={},expires={},avg_ttl={mean},subexpiry={}", database.len(), database.volatile(), database.expiring_hashes()),
        );
    }
}

fn expiry(report: &mut Report<'_>) {
    let stats = &report.space.expiry_stats;
    report.line("expiry_lag_p50_ms", stats.percentile(0.5));
    report.line("expiry_lag_p99_ms", stats.percentile(0.99));
    report.line("expiry_lag_max_ms", stats.max_ms);
    report.line("expiry_behind", u8::from(stats.behind));
    report.line("expiry_filings", report.space.databases().iter().map(|database| database.filings()).sum::<usize>());
    report.line("expiry_volatile_keys", report.space.databases().iter().map(|database| database.volatile()).sum::<usize>());
}

fn holds(report: &mut Report<'_>) {
    let stats = &report.state.stats;
    report.line("holds", stats.holds.count());
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        report.line(&format!("hold_{name}_usec"), format_args!("{:.3}", stats.holds.percentile(share) as f64 / 1000.0));
    }
    let (nanos, culprit) = &stats.longest_hold;
    report.line("longest_hold_usec", format_args!("{:.3}", *nanos as f64 / 1000.0));
    report.line("longest_hold_culprit", &culprit.what);
    let shown: Vec<String> = stats.holds.cumulative_micros().iter().map(|(micros, count)| format!("{micros}={count}")).collect();
    report.line("holds_usec_cumulative", shown.join(","));
    report.line("turn_p99_usec", format_args!("{:.3}", stats.turns.percentile(0.99) as f64 / 1000.0));
    report.line("turn_max_usec", format_args!("{:.3}", stats.turns.max() as f64 / 1000.0));
}
