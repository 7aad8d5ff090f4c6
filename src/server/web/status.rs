//! What the status page shows, as JSON: counters from which it makes rates, and lists.
//!
//! Latency is sent as counts in logarithmic buckets, all commands together: the page takes the difference of two
//! moments and shows the percentiles of just that time.

use std::fmt::Write;

use super::exposition::label;
use crate::base::memory;
use crate::ds::heavy::HeavyHitters;
use crate::keyspace::Keyspace;
use crate::repl::primary::Stage;
use crate::server::client::ClientFlags;
use crate::server::command_log::Kind as LogKind;
use crate::server::stats::Histogram;
use crate::server::{REDIS_VERSION, State};

/// Lines of each list.
const LINES: usize = 10;

/// JSON in the making: objects and lists that are closed in the order in which they were opened.
struct Json {
    text: String,
    /// Whether the next thing follows another.
    follows: bool,
}

impl Json {
    fn separate(&mut self) {
        if self.follows {
            self.text.push(',');
        }
        self.follows = true;
    }

    fn name(&mut self, name: &str) {
        self.separate();
        write!(self.text, "\"{name}\":").expect("a string takes any text");
        self.follows = false;
    }

    fn open(&mut self, bracket: char) {
        self.separate();
        self.text.push(bracket);
        self.follows = false;
    }

    fn close(&mut self, bracket: char) {
        self.text.push(bracket);
        self.follows = true;
    }

    fn number(&mut self, name: &str, value: f64) {
        self.name(name);
        self.follows = true;
        // JSON knows no infinity
        let value = if value.is_finite() { value } else { 0.0 };
        write!(self.text, "{value}").expect("a string takes any text");
    }

    fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        self.follows = true;
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => self.text.extend(['\\', letter]),
                // nor may a text end the script that it might be part of
                '<' | '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                    write!(self.text, "\\u{:04x}", u32::from(letter)).expect("a string takes any text");
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }

    fn object(&mut self, write: impl FnOnce(&mut Json)) {
        self.open('{');
        write(self);
        self.close('}');
    }

    fn list(&mut self, name: &str, write: impl FnOnce(&mut Json)) {
        self.name(name);
        self.open('[');
        write(self);
        self.close(']');
    }
}

/// The status as it is now.
pub fn write(state: &State, space: &Keyspace) -> String {
    let mut json = Json { text: String::new(), follows: false };
    json.object(|json| {
        totals(json, state, space);
        latencies(json, state);
        replicas(json, state);
        commands(json, state);
        slow(json, state);
        stalls(json, state);
        let now = state.hot_seconds();
        hot(json, "keys", &state.hotspots.keys, now);
        hot(json, "prefixes", &state.hotspots.prefixes, now);
        hot(json, "heavy_clients", &state.hotspots.clients, now);
        json.list("big", |json| {
            for big in state.hotspots.largest(LINES) {
                json.object(|json| {
                    json.string("label", &label(&big.key));
                    json.number("tag", f64::from(big.db.0));
                    json.number("bytes", big.bytes as f64);
                });
            }
        });
    });
    json.text
}

fn totals(json: &mut Json, state: &State, space: &Keyspace) {
    let (stats, usage) = (&state.stats, (state.host.usage)());
    let with = |flags: ClientFlags| state.clients.iter().filter(|(_, client)| client.flags.any(flags)).count();
    json.string("version", env!("CARGO_PKG_VERSION"));
    json.string("redis_version", REDIS_VERSION);
    json.string("role", if state.replication.follows() { "replica" } else { "primary" });
    json.string("run_id", &String::from_utf8_lossy(&state.run_id));
    let databases = space.databases();
    let lags = &space.expiry_stats;
    for (name, value) in [
        ("port", f64::from(state.config.port)),
        ("pid", f64::from(state.process.pid)),
        ("unix_ms", state.now.unix.to_millis().0 as f64),
        ("monotonic_us", state.now.monotonic.0 as f64),
        ("uptime_s", state.now.monotonic.micros_since(state.started.monotonic) as f64 / 1e6),
        ("commands", stats.commands as f64),
        ("bytes_in", stats.bytes_in as f64),
        ("bytes_out", stats.bytes_out as f64),
        ("cpu_us", (usage.user_micros + usage.system_micros) as f64),
        ("errors", stats.error_replies as f64),
        ("connections", stats.connections as f64),
        ("clients", (state.clients.len() - with(ClientFlags::REPLICA.or(ClientFlags::REPLAY))) as f64),
        ("blocked", (state.parked.clients + state.pause.waiting.len()) as f64),
        ("memory", memory::used() as f64),
        ("rss", usage.resident as f64),
        ("peak", stats.peak_memory.max(memory::used()) as f64),
        ("maxmemory", state.config.maxmemory.bytes as f64),
        ("db_keys", databases.iter().map(|database| database.len()).sum::<usize>() as f64),
        ("db_volatile", databases.iter().map(|database| database.volatile()).sum::<usize>() as f64),
        ("hits", space.stats.hits as f64),
        ("misses", space.stats.misses as f64),
        ("expired", space.stats.expired as f64),
        ("evicted", space.stats.evicted as f64),
        ("expiry_lag_p99_ms", lags.percentile(0.99) as f64),
        ("offset", state.replication.stream.offset() as f64),
        ("hold_max_us", stats.longest_hold.0 as f64 / 1000.0),
        ("hold_p99_us", stats.holds.percentile(0.99) as f64 / 1000.0),
        ("stalls_total", state.stalls.count as f64),
        ("stride", f64::from(state.hotspots.stride())),
    ] {
        json.number(name, value);
    }
    json.string("hold_culprit", &stats.longest_hold.1.what);
}

/// All commands' histograms in one, without its empty buckets: pairs of a bound in microseconds and a count.
fn latencies(json: &mut Json, state: &State) {
    let (mut service, mut execution) = (Histogram::default(), Histogram::default());
    for (_, command) in state.registry.iter() {
        service.merge(&command.stats.service);
        execution.merge(&command.stats.latency);
    }
    for (name, histogram) in [("service", service), ("execution", execution)] {
        json.list(name, |json| {
            for (nanos, count) in histogram.buckets() {
                json.separate();
                write!(json.text, "[{},{count}]", nanos as f64 / 1000.0).expect("a string takes any text");
            }
        });
    }
}

fn replicas(json: &mut Json, state: &State) {
    json.list("replicas", |json| {
        for (key, replica) in state.replication.attached() {
            let (address, port) = state.address_of(key, replica);
            let lag = if replica.stage == Stage::Online { replica.lag_seconds(state.now.unix) } else { 0 };
            json.object(|json| {
                json.string("address", &format!("{address}:{port}"));
                json.string("state", replica.stage.word());
                json.number("offset", replica.acknowledged as f64);
                json.number("lag", lag as f64);
            });
        }
    });
    if let Some(link) = &state.replication.link {
        json.string("primary", &format!("{}:{}", link.host, link.port));
        json.string("link", if link.is_up() { "up" } else { "down" });
    }
}

fn commands(json: &mut Json, state: &State) {
    let mut used: Vec<_> = state.registry.iter().map(|(_, command)| command).filter(|command| command.stats.calls > 0).collect();
    used.sort_by_key(|command| std::cmp::Reverse(command.stats.nanos));
    json.list("per_command", |json| {
        for command in used.iter().take(2 * LINES) {
            let stats = &command.stats;
            json.object(|json| {
                json.string("name", &command.full_name);
                json.number("calls", stats.calls as f64);
                json.number("nanos", stats.nanos as f64);
                json.number("failed", (stats.failed + stats.rejected) as f64);
                json.number("run_p99_us", stats.latency.percentile(0.99) as f64 / 1000.0);
                json.number("service_p50_us", stats.service.percentile(0.5) as f64 / 1000.0);
                json.number("service_p99_us", stats.service.percentile(0.99) as f64 / 1000.0);
            });
        }
    });
}

fn slow(json: &mut Json, state: &State) {
    json.list("slow", |json| {
        for entry in state.command_logs.of(LogKind::Slow).entries.iter().take(LINES) {
            let words: Vec<String> = entry.words.iter().take(6).map(|word| label(word)).collect();
            json.object(|json| {
                json.number("at", entry.at as f64);
                json.number("micros", entry.value as f64);
                json.string("words", &words.join(" "));
                json.string("client", &entry.address);
            });
        }
    });
}

fn stalls(json: &mut Json, state: &State) {
    json.list("stalls", |json| {
        for stall in state.stalls.entries.iter().take(LINES) {
            json.object(|json| {
                json.number("at_ms", stall.at_ms as f64);
                json.number("micros", stall.nanos as f64 / 1000.0);
                json.string("culprit", &stall.culprit.what);
                json.number("culprit_micros", stall.culprit_nanos as f64 / 1000.0);
                json.string("client", &stall.culprit.client);
                json.string("request", &label(&stall.culprit.request));
            });
        }
    });
}

/// What is among the first by any of the measures.
fn hot(json: &mut Json, name: &str, sketch: &HeavyHitters, now: f64) {
    json.list(name, |json| {
        let mut shown: Vec<(Vec<u8>, u64)> = Vec::new();
        for measure in 0..3 {
            for heavy in sketch.heaviest(measure, LINES, now) {
                let name = (heavy.label.to_vec(), heavy.tag);
                if shown.contains(&name) {
                    continue;
                }
                shown.push(name);
                json.object(|json| {
                    json.string("label", &label(heavy.label));
                    json.number("tag", heavy.tag as f64);
                    for (name, rate) in ["ops", "cpu", "bytes"].into_iter().zip(heavy.rates) {
                        json.number(name, rate.round());
                    }
                    json.number("share", heavy.shares[0]);
                });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out() {
        let mut json = Json { text: String::new(), follows: false };
        json.object(|json| {
            json.string("a", "\"\\</script>\n\u{2028}é");
            json.list("b", |json| {
                json.object(|json| json.number("c", 1.5));
                json.object(|json| json.number("d", f64::INFINITY));
            });
            json.list("e", |_| {});
        });
        assert_eq!(json.text, "{\"a\":\"\\\"\\\\\\u003c/script>\\u000a\\u2028é\",\"b\":[{\"c\":1.5},{\"d\":0}],\"e\":[]}");
    }
}
