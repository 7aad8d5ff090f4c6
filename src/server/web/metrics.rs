//! All counters for Prometheus, under the names that redis_exporter gives them, so that its dashboards and alerts
//! work as they are; what only this server measures is called `ruddle_...`.
//!
//! Names with fields of INFO of their own have the same value as there. A name of redis_exporter whose ability is
//! missing here (cluster, modules, scripts) is missing, too.

use super::exposition::Kind::{Counter, Gauge, Histogram as Buckets, Summary};
use super::exposition::{Exposition, label};
use crate::base::memory;
use crate::ds::heavy::HeavyHitters;
use crate::keyspace::Keyspace;
use crate::persist::aof::Phase;
use crate::repl::primary::Stage;
use crate::repl::replica::Link;
use crate::server::accounts::Accounts;
use crate::server::client::ClientFlags;
use crate::server::command_log::Kind as LogKind;
use crate::server::registry::Registered;
use crate::server::stats::{Histogram, Rate};
use crate::server::{REDIS_VERSION, State};

/// Hot things that are shown of each kind.
const SHOWN: usize = 20;
/// Powers of two of nanoseconds at which histograms have their bounds: from a microsecond to seventeen seconds.
const BOUNDS: std::ops::RangeInclusive<u32> = 10..=34;

/// The metrics as they are now.
pub fn write(state: &State, space: &Keyspace) -> String {
    let mut out = Exposition::default();
    server(&mut out, state);
    clients(&mut out, state);
    memory_use(&mut out, state, space);
    persistence(&mut out, state, space);
    traffic(&mut out, state);
    keys(&mut out, state, space);
    commands(&mut out, state);
    replication(&mut out, state);
    logs(&mut out, state);
    times(&mut out, state, space);
    hot(&mut out, state);
    out.into_text()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn server(out: &mut Exposition, state: &State) {
    out.one("redis_up", Gauge, "Whether the server answers.", 1);
    let uptime = state.now.monotonic.micros_since(state.started.monotonic) / 1_000_000;
    out.one("redis_uptime_in_seconds", Gauge, "Seconds since the start.", uptime);
    out.one("redis_start_time_seconds", Gauge, "When the server started, in Unix seconds.", state.started.unix.to_millis().seconds());
    out.one("redis_process_id", Gauge, "Number of the process.", state.process.pid);
    out.family("redis_instance_info", Gauge, "What the server is.");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let role = if state.replication.follows() { "slave" } else { "master" };
    out.sample(
        &[
            ("role", role),
            ("redis_version", REDIS_VERSION),
            ("redis_build_id", "0000000000000000"),
            ("redis_mode", "standalone"),
            ("os", &state.process.os),
            ("maxmemory_policy", state.config.maxmemory_policy.word()),
            ("tcp_port", &state.config.port.to_string()),
            ("run_id", &text(&state.run_id)),
            ("process_id", &state.process.pid.to_string()),
            ("master_replid", &text(&state.replication.stream.id)),
            ("ruddle_version", env!("CARGO_PKG_VERSION")),
        ],
        1,
    );
    let usage = (state.host.usage)();
    for (name, help, micros) in [
        ("redis_cpu_sys_seconds_total", "Processor time in the kernel.", usage.system_micros),
        ("redis_cpu_user_seconds_total", "Processor time in user mode.", usage.user_micros),
        ("redis_cpu_sys_children_seconds_total", "Processor time in the kernel of children.", usage.children_system_micros),
        ("redis_cpu_user_children_seconds_total", "Processor time in user mode of children.", usage.children_user_micros),
    ] {
        out.one(name, Counter, help, micros as f64 / 1e6);
    }
}

fn clients(out: &mut Exposition, state: &State) {
    let with = |flags: ClientFlags| state.clients.iter().filter(|(_, client)| client.flags.any(flags)).count();
    let others = with(ClientFlags::REPLICA.or(ClientFlags::REPLAY));
    out.one("redis_connected_clients", Gauge, "Clients, replicas aside.", state.clients.len() - others);
    out.one("redis_blocked_clients", Gauge, "Clients that wait in a command.", state.parked.clients + state.pause.waiting.len());
    out.one("redis_tracking_clients", Gauge, "Clients that use client-side caching.", with(ClientFlags::TRACKING));
    out.one("redis_config_maxclients", Gauge, "The most clients that are served at once.", state.config.maxclients);
    let input = state.clients.iter().map(|(_, client)| client.pending_input).max().unwrap_or(0);
    let output = state.clients.iter().map(|(_, client)| client.output.memory()).max().unwrap_or(0);
    out.one("redis_client_recent_max_input_buffer_bytes", Gauge, "The longest input that waits.", input);
    out.one("redis_client_recent_max_output_buffer_bytes", Gauge, "The longest output that waits.", output);
}

fn memory_use(out: &mut Exposition, state: &State, space: &Keyspace) {
    let accounts = Accounts::take(state, space);
    let usage = (state.host.usage)();
    let [allocated, active, mapped, _] = memory::report();
    let limit = state.config.maxmemory.bytes;
    let ratio = |of: usize, to: usize| if to == 0 { 0.0 } else { of as f64 / to as f64 };
    let mut bytes = |name, help, value: usize| out.one(name, Gauge, help, value);
    bytes("redis_memory_used_bytes", "Bytes that are allocated.", accounts.used);
    bytes("redis_memory_used_rss_bytes", "Bytes that are resident.", usage.resident);
    bytes("redis_memory_used_peak_bytes", "The most bytes that ever were allocated.", accounts.peak);
    bytes("redis_memory_used_overhead_bytes", "Bytes that are no data.", accounts.overhead());
    bytes("redis_memory_used_startup_bytes", "Bytes that were allocated at the start.", accounts.startup);
    bytes("redis_memory_used_dataset_bytes", "Bytes of data.", accounts.dataset());
    bytes("redis_mem_clients_normal", "Bytes of clients.", accounts.clients);
    bytes("redis_mem_clients_slaves", "Bytes of replicas.", accounts.replicas);
    bytes("redis_allocator_allocated_bytes", "Bytes that the allocator has handed out.", allocated);
    bytes("redis_allocator_active_bytes", "Bytes of the pages that they lie in.", active);
    bytes("redis_allocator_resident_bytes", "Bytes that the allocator holds.", mapped);
    bytes("redis_total_system_memory_bytes", "Bytes of memory that the machine has.", usize::try_from(usage.machine_memory).unwrap_or(0));
    bytes("redis_mem_not_counted_for_eviction_bytes", "Bytes that do not count against the limit.", state.uncounted_memory());
    out.one("redis_memory_max_bytes", Gauge, "The limit on memory, 0 for none.", limit);
    out.one("redis_config_maxmemory", Gauge, "The limit on memory, 0 for none.", limit);
    out.one("redis_mem_fragmentation_ratio", Gauge, "Resident bytes to allocated ones.", ratio(usage.resident, accounts.used));
    out.one("redis_allocator_frag_ratio", Gauge, "Active bytes to allocated ones.", ratio(active, allocated));
    out.one("redis_lazyfree_pending_objects", Gauge, "Values that wait to be freed.", space.effects.garbage.len());
}

fn persistence(out: &mut Exposition, state: &State, space: &Keyspace) {
    let (snapshots, aof, rewrites) = (&state.snapshots, &state.aof, &state.rewrites);
    let or_minus_one = |seconds: Option<u64>| seconds.map_or(-1, i128::from);
    let progress = snapshots.progress(state.now);
    out.one("redis_rdb_changes_since_last_save", Gauge, "Changes since the last snapshot.", space.dirty);
    out.one("redis_rdb_bgsave_in_progress", Gauge, "Whether a snapshot is being made.", u8::from(progress.is_some()));
    out.one("redis_rdb_last_save_timestamp_seconds", Gauge, "When the last snapshot was made.", snapshots.last_save);
    out.one("redis_rdb_last_bgsave_status", Gauge, "Whether the last snapshot succeeded.", u8::from(snapshots.last_ok));
    out.one("redis_rdb_last_bgsave_duration_sec", Gauge, "Seconds it took.", or_minus_one(snapshots.last_seconds));
    let current = or_minus_one(progress.map(|progress| progress.seconds));
    out.one("redis_rdb_current_bgsave_duration_sec", Gauge, "Seconds that the one in progress has taken.", current);
    out.one("redis_rdb_last_cow_size_bytes", Gauge, "Bytes that the last snapshot had to copy.", snapshots.last_copied);
    out.one("redis_aof_enabled", Gauge, "Whether there is an append-only file.", u8::from(aof.phase() != Phase::Off));
    out.one("redis_aof_rewrite_in_progress", Gauge, "Whether it is being rewritten.", u8::from(rewrites.is_running()));
    out.one("redis_aof_rewrite_scheduled", Gauge, "Whether that is to be done.", u8::from(rewrites.scheduled));
    out.one("redis_aof_last_rewrite_duration_sec", Gauge, "Seconds that the last rewrite took.", or_minus_one(rewrites.last_seconds));
    out.one("redis_aof_last_bgrewrite_status", Gauge, "Whether it succeeded.", u8::from(rewrites.last_ok));
    out.one("redis_aof_last_write_status", Gauge, "Whether the last write to the file succeeded.", u8::from(aof.trouble().is_none()));
    if aof.phase() != Phase::Off {
        out.one("redis_aof_current_size_bytes", Gauge, "Bytes of the append-only file.", aof.facts.size);
        out.one("redis_aof_base_size_bytes", Gauge, "Bytes that it had after the last rewrite.", aof.facts.base_size);
        out.one("redis_aof_delayed_fsync", Gauge, "Writes that waited for the disk.", aof.facts.delayed_syncs);
    }
}

fn traffic(out: &mut Exposition, state: &State) {
    let (stats, refused) = (&state.stats, &state.users.log.refused);
    for (name, help, value) in [
        ("redis_connections_received_total", "Connections accepted.", stats.connections),
        ("redis_rejected_connections_total", "Connections refused for maxclients.", stats.rejected_connections),
        ("redis_commands_processed_total", "Commands executed.", stats.commands),
        ("redis_net_input_bytes_total", "Bytes received.", stats.bytes_in),
        ("redis_net_output_bytes_total", "Bytes sent.", stats.bytes_out),
        ("redis_total_reads_processed", "Reads that brought something.", stats.reads),
        ("redis_total_writes_processed", "Writes to clients.", stats.writes),
        ("redis_total_error_replies", "Error replies.", stats.error_replies),
        ("redis_evicted_clients_total", "Clients disconnected for their memory.", stats.evicted_clients),
        ("redis_acl_access_denied_auth_total", "Failed logins.", refused.logins),
        ("redis_acl_access_denied_cmd_total", "Commands refused to their user.", refused.commands),
        ("redis_acl_access_denied_key_total", "Commands refused because of a key.", refused.keys),
        ("redis_acl_access_denied_channel_total", "Commands refused because of a channel.", refused.channels),
    ] {
        out.one(name, Counter, help, value);
    }
    out.one("redis_instantaneous_ops_per_sec", Gauge, "Commands a second of late.", stats.rates.per_second(Rate::Commands));
    out.family("redis_errors_total", Counter, "Error replies by code.");
    for (code, count) in &stats.errors {
        out.sample(&[("err", &label(code))], count);
    }
    out.one("redis_pubsub_channels", Gauge, "Channels that somebody subscribes to.", {
        let all = state.clients.iter().filter_map(|(_, client)| client.subscriptions.as_ref());
        all.flat_map(|subscriptions| subscriptions.channels.iter()).collect::<std::collections::BTreeSet<_>>().len()
    });
}

fn keys(out: &mut Exposition, state: &State, space: &Keyspace) {
    out.one("redis_keyspace_hits_total", Counter, "Reads that found their key.", space.stats.hits);
    out.one("redis_keyspace_misses_total", Counter, "Reads that did not.", space.stats.misses);
    out.one("redis_expired_keys_total", Counter, "Keys removed at their deadline.", space.stats.expired);
    out.one("redis_expired_subkeys_total", Counter, "Fields of hashes removed at their deadline.", space.stats.expired_fields);
    out.one("redis_evicted_keys_total", Counter, "Keys evicted for memory.", space.stats.evicted);
    out.one("redis_tracking_total_keys", Gauge, "Keys that clients may have cached.", state.caches.keys());
    let databases = || space.databases().iter().enumerate().map(|(index, database)| (format!("db{index}"), database));
    out.family("redis_db_keys", Gauge, "Keys.");
    databases().for_each(|(name, database)| out.sample(&[("db", &name)], database.len()));
    out.family("redis_db_keys_expiring", Gauge, "Keys with a deadline.");
    databases().for_each(|(name, database)| out.sample(&[("db", &name)], database.volatile()));
    out.family("redis_db_keys_with_expiring_items", Gauge, "Hashes that have fields with a deadline.");
    databases().for_each(|(name, database)| out.sample(&[("db", &name)], database.expiring_hashes()));
}

fn commands(out: &mut Exposition, state: &State) {
    let used = || state.registry.iter().map(|(_, command)| command);
    let ran = || used().filter(|command| command.stats.calls > 0);
    out.family("redis_commands_total", Counter, "Calls of each command.");
    ran().for_each(|command| out.sample(&[("cmd", &command.full_name)], command.stats.calls));
    out.family("redis_commands_duration_seconds_total", Counter, "Seconds that each command took.");
    ran().for_each(|command| out.sample(&[("cmd", &command.full_name)], seconds(command.stats.nanos)));
    out.family("redis_commands_rejected_calls_total", Counter, "Calls that were refused before they ran.");
    used()
        .filter(|command| command.stats.calls + command.stats.rejected > 0)
        .for_each(|command| out.sample(&[("cmd", &command.full_name)], command.stats.rejected));
    out.family("redis_commands_failed_calls_total", Counter, "Calls that ended in an error.");
    ran().for_each(|command| out.sample(&[("cmd", &command.full_name)], command.stats.failed));
    out.family("redis_latency_percentiles_usec", Summary, "Percentiles of the time that commands ran.");
    for command in used().filter(|command| command.stats.latency.count() > 0) {
        let latency = &command.stats.latency;
        for share in &state.config.latency_tracking_info_percentiles {
            let quantile = (share / 100.0).to_string();
            out.sample(&[("cmd", &command.full_name), ("quantile", &quantile)], latency.percentile(share / 100.0) as f64 / 1000.0);
        }
        out.part("_sum", &[("cmd", &command.full_name)], latency.sum() as f64 / 1000.0);
        out.part("_count", &[("cmd", &command.full_name)], latency.count());
    }
}

fn replication(out: &mut Exposition, state: &State) {
    let replication = &state.replication;
    let stream = &replication.stream;
    out.one("redis_connected_slaves", Gauge, "Replicas.", replication.attached().count());
    out.one("redis_master_repl_offset", Gauge, "Where the replication stream is.", stream.offset());
    out.one("redis_repl_backlog_is_active", Gauge, "Whether there is a backlog.", u8::from(stream.is_active()));
    out.one("redis_replication_backlog_bytes", Gauge, "Bytes that it may hold.", state.config.repl_backlog_size);
    out.one("redis_replica_resyncs_full", Gauge, "Full resynchronisations.", replication.stats.full);
    out.one("redis_replica_partial_resync_accepted", Gauge, "Partial ones.", replication.stats.partial);
    out.one("redis_replica_partial_resync_denied", Gauge, "Partial ones that could not be had.", replication.stats.refused);
    let replicas: Vec<(String, String, &str, u64, i64)> = replication
        .attached()
        .map(|(key, replica)| {
            let (address, port) = state.address_of(key, replica);
            let lag = if replica.stage == Stage::Online { replica.lag_seconds(state.now.unix) } else { 0 };
            (address.to_string(), port.to_string(), replica.stage.word(), replica.acknowledged, lag)
        })
        .collect();
    out.family("redis_connected_slave_offset_bytes", Gauge, "How far a replica has acknowledged the stream.");
    for (address, port, word, offset, _) in &replicas {
        out.sample(&[("slave_ip", address), ("slave_port", port), ("slave_state", word)], offset);
    }
    out.family("redis_connected_slave_lag_seconds", Gauge, "Seconds since a replica was last heard of.");
    for (address, port, word, _, lag) in &replicas {
        out.sample(&[("slave_ip", address), ("slave_port", port), ("slave_state", word)], lag);
    }
    if let Some(link) = &replication.link {
        link_to_primary(out, state, link);
    }
}

fn link_to_primary(out: &mut Exposition, state: &State, link: &Link) {
    let now = state.now.unix.to_millis();
    let port = link.port.to_string();
    let primary = [("master_host", link.host.as_str()), ("master_port", port.as_str())];
    let connected = state.replication.link_client.is_some();
    let silent = if connected { i128::from(link.silent_seconds(now)) } else { -1 };
    let read_only = if state.config.replica_read_only { "1" } else { "0" };
    out.family("redis_slave_info", Gauge, "What this replica follows.");
    out.sample(&[primary[0], primary[1], ("read_only", read_only)], 1);
    for (name, help, value) in [
        ("redis_master_link_up", "Whether the primary is connected.", i128::from(link.is_up())),
        ("redis_master_last_io_seconds_ago", "Seconds since the primary was last heard of.", silent),
        ("redis_master_sync_in_progress", "Whether a resynchronisation is under way.", i128::from(link.is_syncing())),
        ("redis_slave_repl_offset", "How far this replica has followed.", i128::from(state.replication.stream.offset())),
    ] {
        out.family(name, Gauge, help);
        out.sample(&primary, value);
    }
    out.one("redis_slave_priority", Gauge, "Rank when a new primary is chosen.", state.config.replica_priority);
}

fn logs(out: &mut Exposition, state: &State) {
    let logs = &state.command_logs;
    let slow = logs.of(LogKind::Slow);
    out.one("redis_slowlog_length", Gauge, "Entries of the slow log.", slow.entries.len());
    out.one("redis_slowlog_last_id", Gauge, "Number of its last entry.", slow.last_id());
    let last = slow.entries.front().map_or(0.0, |entry| entry.value as f64 / 1e6);
    out.one("redis_last_slow_execution_duration_seconds", Gauge, "How long its last entry took.", last);
    out.one("redis_commandlog_slow_length", Gauge, "Entries of the slow log.", slow.entries.len());
    out.one(
        "redis_commandlog_large_request_length",
        Gauge,
        "Entries of the log of large requests.",
        logs.of(LogKind::LargeRequest).entries.len(),
    );
    out.one(
        "redis_commandlog_large_reply_length",
        Gauge,
        "Entries of the log of large replies.",
        logs.of(LogKind::LargeReply).entries.len(),
    );
    let events = || state.latency.events.iter().filter_map(|(name, event)| Some((*name, event.samples.back()?)));
    out.family("redis_latency_spike_last", Gauge, "When an event last was slow.");
    events().for_each(|(name, sample)| out.sample(&[("event_name", name)], sample.at));
    out.family("redis_latency_spike_duration_seconds", Gauge, "How slow it was.");
    events().for_each(|(name, sample)| out.sample(&[("event_name", name)], sample.ms as f64 / 1000.0));
}

/// A histogram of nanoseconds as buckets of seconds.
fn buckets(out: &mut Exposition, labels: &[(&str, &str)], histogram: &Histogram) {
    let counts = histogram.below_powers(BOUNDS);
    for (power, count) in BOUNDS.zip(counts) {
        let bound = seconds(1u64 << power).to_string();
        let mut with_bound = labels.to_vec();
        with_bound.push(("le", &bound));
        out.part("_bucket", &with_bound, count);
    }
    let mut with_bound = labels.to_vec();
    with_bound.push(("le", "+Inf"));
    out.part("_bucket", &with_bound, histogram.count());
    out.part("_sum", labels, seconds(histogram.sum()));
    out.part("_count", labels, histogram.count());
}

/// What only this server measures: service time, holds, stalls, lag of expiry.
fn times(out: &mut Exposition, state: &State, space: &Keyspace) {
    let of = |out: &mut Exposition, pick: fn(&Registered) -> &Histogram| {
        for (_, command) in state.registry.iter().filter(|(_, command)| pick(command).count() > 0) {
            buckets(out, &[("cmd", &command.full_name)], pick(command));
        }
    };
    out.family("ruddle_service_time_seconds", Buckets, "From the arrival of a request's bytes to the write of its reply.");
    of(out, |command| &command.stats.service);
    out.family("ruddle_execution_time_seconds", Buckets, "How long commands ran.");
    of(out, |command| &command.stats.latency);
    out.family("ruddle_hold_seconds", Buckets, "How long one command or background task kept the loop.");
    buckets(out, &[], &state.stats.holds);
    out.family("ruddle_turn_seconds", Buckets, "How long the requests of one turn of the loop ran.");
    buckets(out, &[], &state.stats.turns);
    out.one("ruddle_longest_hold_seconds", Gauge, "The longest hold.", seconds(state.stats.longest_hold.0));
    out.one("ruddle_stalls_total", Counter, "Turns of the loop that took stall-threshold or longer.", state.stalls.count);
    out.one("ruddle_stall_seconds_total", Counter, "Seconds that they took.", seconds(state.stalls.nanos));
    out.one("ruddle_longest_stall_seconds", Gauge, "The longest of them.", seconds(state.stalls.max_nanos));
    out.family("ruddle_expiry_lag_seconds", Gauge, "How late keys were removed after their deadline.");
    let lags = &space.expiry_stats;
    for (quantile, lag) in [("0.5", lags.percentile(0.5)), ("0.99", lags.percentile(0.99)), ("1", lags.max_ms)] {
        out.sample(&[("quantile", quantile)], lag as f64 / 1000.0);
    }
}

/// What is hot, the first few of each measure.
fn hot(out: &mut Exposition, state: &State) {
    let spots = &state.hotspots;
    if !spots.is_on() {
        return;
    }
    let now = state.hot_seconds();
    let keyed = |tag: u64| format!("db{tag}");
    let families: [(&HeavyHitters, [&'static str; 3], &'static str); 2] = [
        (&spots.keys, ["ruddle_hot_key_ops_per_second", "ruddle_hot_key_cpu_seconds_per_second", "ruddle_hot_key_bytes_per_second"], "key"),
        (
            &spots.prefixes,
            ["ruddle_hot_prefix_ops_per_second", "ruddle_hot_prefix_cpu_seconds_per_second", "ruddle_hot_prefix_bytes_per_second"],
            "prefix",
        ),
    ];
    for (sketch, names, what) in families {
        for (measure, name) in names.into_iter().enumerate() {
            out.family(name, Gauge, "The most of late; see TOP.");
            for heavy in sketch.heaviest(measure, SHOWN, now) {
                let rate = if measure == 1 { heavy.rates[1] / 1e9 } else { heavy.rates[measure] };
                out.sample(&[("db", &keyed(heavy.tag)), (what, &label(heavy.label))], rate);
            }
        }
    }
    for (measure, name) in
        ["ruddle_heavy_client_ops_per_second", "ruddle_heavy_client_cpu_seconds_per_second", "ruddle_heavy_client_bytes_per_second"]
            .into_iter()
            .enumerate()
    {
        out.family(name, Gauge, "The most of late; see TOP.");
        for heavy in spots.clients.heaviest(measure, SHOWN, now) {
            let rate = if measure == 1 { heavy.rates[1] / 1e9 } else { heavy.rates[measure] };
            out.sample(&[("id", &heavy.tag.to_string()), ("addr", &label(heavy.label))], rate);
        }
    }
    out.family("ruddle_big_key_bytes", Gauge, "The largest keys when they were last measured.");
    for big in spots.largest(SHOWN) {
        out.sample(&[("db", &keyed(u64::from(big.db.0))), ("key", &label(&big.key))], big.bytes);
    }
}
