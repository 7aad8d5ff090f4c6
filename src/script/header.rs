//! The first line of a script: `#!lua flags=no-writes,allow-stale`.
//!
//! A script without one is run as Redis 6 ran it: whatever each of its commands needs is asked of that command.
//! A script with one declares what it needs, and is refused as a whole where the server cannot give it.

/// A set of what a script declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It writes nothing.
    pub const NO_WRITES: ScriptFlags = ScriptFlags(1);
    /// It may run while memory is at its limit.
    pub const ALLOW_OOM: ScriptFlags = ScriptFlags(2);
    /// It may run on a replica that has lost its primary.
    pub const ALLOW_STALE: ScriptFlags = ScriptFlags(4);
    /// It must not run in a cluster.
    pub const NO_CLUSTER: ScriptFlags = ScriptFlags(8);
    /// Its keys may be of different slots.
    pub const CROSS_SLOTS: ScriptFlags = ScriptFlags(16);

    /// Every flag with its word, in the order in which FUNCTION LIST shows them.
    pub const WORDS: &[(&str, ScriptFlags)] = &[
        ("no-writes", ScriptFlags::NO_WRITES),
        ("allow-oom", ScriptFlags::ALLOW_OOM),
        ("allow-stale", ScriptFlags::ALLOW_STALE),
        ("no-cluster", ScriptFlags::NO_CLUSTER),
        ("allow-cross-slot-keys", ScriptFlags::CROSS_SLOTS),
    ];

    /// The set of these bits.
    pub(super) fn from_bits(bits: u8) -> ScriptFlags {
        ScriptFlags(bits)
    }

    /// As bits.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// Whether any of `other` is among them.
    pub fn any(self, other: ScriptFlags) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a script's first line declares; none without such a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What is declared; `None` for a script of the old kind.
    pub flags: Option<ScriptFlags>,
    /// Where the code begins: at the end of the first line, so that lines keep their numbers.
    pub code: usize,
}

impl Header {
    /// Reads the first line of a script. The error is what the client is told.
    pub fn parse(body: &[u8]) -> Result<Header, Vec<u8>> {
        if !body.starts_with(b"#!") {
            return Ok(Header::default());
        }
        let end = body.iter().position(|&byte| byte == b'\n').ok_or_else(|| b"ERR Invalid script shebang".to_vec())?;
        let words = crate::base::text::split_arguments(&body[..end]).ok().filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| b"ERR Invalid engine in script shebang".to_vec())?;
        if words[0] != b"#!lua" {
            return Err([b"ERR Unexpected engine in script shebang: ", &words[0][..]].concat());
        }
        let mut flags = ScriptFlags::default();
        for word in &words[1..] {
            let Some(list) = word.strip_prefix(b"flags=") else {
                return Err([b"ERR Unknown lua shebang option: ", &word[..]].concat());
            };
            if list.is_empty() {
                continue;
            }
            for flag in list.split(|&byte| byte == b',') {
                let known = ScriptFlags::WORDS.iter().find(|(word, _)| word.as_bytes() == flag);
                let (_, known) = known.ok_or_else(|| [b"ERR Unexpected flag in script shebang: ", flag].concat())?;
                flags.0 |= known.0;
            }
        }
        Ok(Header { flags: Some(flags), code: end })
    }
}
