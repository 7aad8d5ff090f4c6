//! Every bound of the server, in one place, asserted against each other.

/// Elements of a value that are freed on the spot; larger ones go to the disposal thread.
pub const FREE_IN_PLACE: usize = 64;
/// Filings of the deadline index that may be ghosts before a sweep, beyond as many as there are keys.
pub const SPARE_FILINGS: usize = 1_024;
/// Filings that one cycle of expiry looks at before the loop goes on.
pub const EXPIRY_SLICE: usize = 500;
/// Expired fields of a hash that a lookup removes; any more are hidden and left to the next cycle.
pub const LAZY_FIELDS: usize = 64;
/// Elements that a command draws at random at most, with repetition.
pub const DRAWS_MAX: u64 = 1 << 32;
/// The longest inline request, in bytes.
pub const INLINE_MAX: usize = 64 * 1024;
/// Words of a request at most.
pub const ARGUMENTS_MAX: i64 = i32::MAX as i64;
/// Words of a request before authentication.
pub const ARGUMENTS_MAX_UNAUTHENTICATED: i64 = 10;
/// Bytes of a word before authentication.
pub const BULK_MAX_UNAUTHENTICATED: i64 = 16 * 1024;
/// Bytes of a key, a channel or a name that the log of refusals keeps: what may not be read must not fill the memory either.
pub const REFUSED_WORD: usize = 64 * 1024;
/// Bytes that one read of a socket may bring.
pub const READ_CHUNK: usize = 16 * 1024;
/// Bytes that all reads of a turn bring before they are executed.
pub const TURN_INPUT: usize = 1024 * 1024;
/// Keys of one request whose cache lines are asked for before the first of them is used.
pub const KEY_BATCH: usize = 16;
/// The longest key or value, as in Redis.
pub const STRING_MAX: usize = 512 * 1024 * 1024;

const _: () = assert!(READ_CHUNK * 4 <= TURN_INPUT, "a turn reads several sockets");
const _: () = assert!(BULK_MAX_UNAUTHENTICATED as usize >= READ_CHUNK, "what one read brings may be a word");
/// Error codes that INFO counts one by one.
pub const ERROR_CODES: usize = 128;
/// Keys that the table of client-side caches gives up at a time when it is over its limit.
pub const CACHES_SLICE: usize = 100;
/// Bytes of an allocation that small pieces of the stream share.
pub const STREAM_CHUNK: usize = 64 * 1024;
/// Bytes of the queue of commands to propagate that are kept for the next command.
pub const SPARE_STREAM: usize = 64 * 1024;
/// Timers of clients that fire in one turn.
pub const TIMER_SLICE: usize = 10_000;
/// Emptied output buffers that are kept for the next replies.
pub const SPARE_BUFFERS: usize = 1_024;
/// The largest such buffer, in bytes.
pub const SPARE_BUFFER_MAX: usize = 32 * 1024;
/// Requests that are parsed, and their keys prefetched, before they are executed.
pub const BATCH: usize = 64;
/// How many requests ahead of its execution the entry of a request is prefetched: a processor has some ten lines
/// on their way at once, and one that asks for more waits.
pub const LEAD: usize = 12;
/// How many requests ahead the place of the element that a request names, in a table of elements, is asked for; half as
/// many ahead, the element.
pub const ELEMENT_LEAD: usize = 8;
/// How many keys ahead of its insertion a key's place in the table is asked for while a snapshot is loaded, and how many
/// keys before that the way there.
pub const LOAD_LEAD: usize = 20;
/// See [`LOAD_LEAD`].
pub const LOAD_WORD_LEAD: usize = 6;
/// The longest string that a snapshot or a payload of RESTORE may hold, in bytes.
pub const RDB_STRING_MAX: usize = 1 << 30;
/// Keys between two looks at how far a snapshot is.
pub const SNAPSHOT_PULSE: u64 = 1_024;
/// Things in a snapshot that are loaded between two looks at the clock.
pub const LOAD_PULSE: u64 = 32;
/// Nanoseconds for which loading keeps the loop before clients have their turn.
pub const LOAD_SLICE_NANOS: u64 = 1_000_000;
/// Keys or commands that one turn loads at most, whatever the clock says.
pub const LOAD_SLICE_KEYS: u64 = 4_096;
/// Keys that a refusal to write a snapshot, or the log of a load, names.
pub const KEYS_NAMED: usize = 10;

const _: () = assert!(RDB_STRING_MAX >= STRING_MAX, "what a client may set can be loaded");
/// Bytes of a long input that one turn executes, unless a single request is longer.
pub const WINDOW: usize = 64 * 1024;
/// Bytes that one read behind a long input brings.
pub const LONG_READ: usize = 256 * 1024;
/// Bytes of a long input up to which it is kept in the allocator's memory.
pub const SHORT_BACKLOG: usize = 4 << 20;
/// Bytes of unfinished input, whatever `client-query-buffer-limit` says: words are found by 32-bit numbers.
pub const QUERY_MAX: usize = u32::MAX as usize - (16 << 20);
/// Bytes that one call writes to a client before others have their turn.
pub const WRITE_BUDGET: usize = 1024 * 1024;
/// Receivers of messages that one turn writes to, and about how many bytes: beyond them others have their turn first.
pub const POST_SLICE: usize = 64;
/// See [`POST_SLICE`].
pub const POST_BYTES: usize = 256 * 1024;
/// Nanoseconds that a poll takes which does not sleep, and that each event adds: one that took longer has slept.
pub const POLL_NANOS: u64 = 10_000;
/// See [`POLL_NANOS`].
pub const EVENT_NANOS: u64 = 300;
/// Nanoseconds from which on a turn is so long that it matters to know what arrived during it.
pub const LONG_TURN_NANOS: u64 = 1_000_000;
/// Bytes that the search for hot spots may take.
pub const HOTSPOTS_MAX: usize = 2 << 20;
/// Commands that one sample of the search for hot spots stands for at most.
pub const HOTSPOT_STRIDE_MAX: u32 = 4_096;
/// Visitors of the metrics port at once.
pub const VISITORS: usize = 32;
/// Bytes that one read from a visitor brings.
pub const VISIT_READ: usize = 4 * 1024;
/// Requests of one visitor that are answered before others have their turn.
pub const VISIT_REPLIES: usize = 2;
/// Seconds of silence after which a visitor is dismissed.
pub const VISIT_SECONDS: u64 = 30;
/// How long connections wait that could not be accepted, in milliseconds.
pub const ACCEPT_RETRY_MS: i64 = 100;

const _: () = assert!(QUERY_MAX + LONG_READ + WINDOW < u32::MAX as usize, "every byte of the input has a 32-bit number");
const _: () = assert!(WINDOW > READ_CHUNK, "a long input shows more than one read");
/// Keys that wait to be evicted, the coldest seen.
pub const EVICTION_POOL: usize = 16;
/// How often samples are taken anew when all that waited turned out to be in use.
pub const EVICTION_TRIES: usize = 8;
/// Buckets or keys that are looked at in vain before the deadline index is asked for volatile keys.
pub const EVICTION_PROBES: usize = 32;
/// Filings among which the one that expires first is looked for.
pub const EVICTION_WINDOW: usize = 16;
/// Keys that are evicted before a look at the clock.
pub const EVICTION_BATCH: usize = 16;
/// The least that all clients together may take, in bytes, whatever `maxmemory-clients` says: with less
/// nobody could tell the server otherwise.
pub const CLIENT_MEMORY_LEAST: usize = 128 * 1024;
/// Percent of the memory of machine or container that `maxmemory auto` allows: the rest is for snapshots and
/// what the allocator wastes.
pub const AUTO_MAXMEMORY_PERCENT: u64 = 75;
/// Bytes of a snapshot that are put before a replica at a time.
pub const SNAPSHOT_SLICE: usize = 256 * 1024;
/// Bytes before a replica below which the next slice follows.
pub const SNAPSHOT_ROOM: usize = 4 * 1024;
/// Blocks of the history that are forgotten at a time.
pub const TRIM_SLICE: usize = 4_096;
/// Bytes that a replica is sent of the append-only file's past at a time.
pub const CATCH_UP_SLICE: usize = 64 * 1024;
/// Unsent bytes at which it gets no more for now.
pub const CATCH_UP_OUTPUT: usize = 1024 * 1024;
/// Connections to other servers that wait for the next MIGRATE to the same place.
pub const IDLE_LINES: usize = 64;
/// For how many milliseconds they wait.
pub const LINE_IDLE_MS: i64 = 10_000;
/// Bytes that the interpreter of scripts may take; beyond them a script fails for lack of memory.
pub const SCRIPT_MEMORY: usize = 1 << 30;
/// Bytes of a pattern that scripts may match with: the matcher calls itself for each item of it.
pub const SCRIPT_PATTERN: usize = 4_096;
/// How deep the tables of a script's result may nest, in slots of the interpreter's stack.
pub const SCRIPT_REPLY_SLOTS: usize = 7_994;
/// Scripts that came with EVAL which are kept.
pub const SCRIPTS_FROM_EVAL: usize = 500;
/// Microseconds after which what INFO says is noted again for a crash report.
pub const CRASH_NOTE_MICROS: i64 = 1_000_000;
/// Milliseconds that a crash waits for its report.
pub const CRASH_REPORT_MILLIS: i32 = 10_000;
/// Words of a command to the debugger of scripts.
pub const DEBUG_WORDS: i64 = 1_024;
/// Bytes of such a word.
pub const DEBUG_WORD_BYTES: i64 = 1 << 20;
/// Children that debug scripts at a time.
pub const DEBUG_SESSIONS: usize = 16;
/// Milliseconds between two looks at a script that waits for its debugger's user.
pub const DEBUG_IDLE_MS: i64 = 100;
/// Steps of a script between two looks at the clock.
pub const SCRIPT_STEPS: u32 = 100_000;
/// Bytes of the stack that scripts run on. It is taken as it is used: 200 nested calls of C functions, the most that the
/// interpreter allows, with a buffer of 8 KB in each, fit into a fourth of it.
pub const SCRIPT_STACK: usize = 8 << 20;
/// Looks at the clock that loading a library may take: about half a second.
pub const LIBRARY_PATIENCE: u32 = 500;
/// Nanoseconds of a turn that a script gets which others know to be busy.
pub const SCRIPT_SLICE_NANOS: u64 = 5_000_000;
