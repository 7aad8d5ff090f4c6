//! Input that waits: the start of a request, or requests that may not run yet.
//!
//! What was executed is cut off in large pieces, so that a client which sends a hundred megabytes while it
//! is blocked does not have them moved for each request.
//!
//! A short backlog is a vector. A long one is a region of its own that the system maps: it grows by moving
//! page tables where a vector would copy a gigabyte while everybody waits, and it is given back, on the
//! disposal thread, without having been anywhere near the allocator's other pages. The road not taken is a
//! chain of pieces: the parser's ranges want one run of bytes.

use std::io;
use std::mem;

use memmap2::MmapMut;

use super::connection::Stream;
use crate::base::memory;
use crate::limits;

/// See the module's essay.
#[derive(Default)]
pub struct Backlog {
    buffer: Buffer,
    /// Where it starts: before are requests that were executed.
    start: usize,
}

enum Buffer {
    Short(Vec<u8>),
    Long(Region),
}

/// Mapped memory of which the first `len` bytes are in use.
pub struct Region {
    map: MmapMut,
    len: usize,
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::Short(Vec::new())
    }
}

impl Backlog {
    /// A copy of what waits.
    pub fn of(bytes: &[u8]) -> Backlog {
        Backlog { buffer: Buffer::Short(bytes.to_vec()), start: 0 }
    }

    /// The bytes that wait.
    pub fn bytes(&self) -> &[u8] {
        match &self.buffer {
            Buffer::Short(bytes) => &bytes[self.start..],
            Buffer::Long(region) => &region.map[self.start..region.len],
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Reads once from a socket, behind what is there; `wanted` is how long it will be at least. Gives how many
    /// bytes came and for how many there was room.
    pub fn receive(&mut self, stream: &mut Stream, wanted: usize) -> io::Result<(usize, usize)> {
        // it grows by a quarter, so that little more is taken than has come
        let space = (self.len() / 4).clamp(limits::READ_CHUNK, limits::LONG_READ);
        if let Buffer::Short(bytes) = &self.buffer
            && bytes.len().max(wanted) > limits::SHORT_BACKLOG
        {
            let mut region = Region::of(self.bytes())?;
            // a long string is on its way
            region.reserve(wanted + space)?;
            self.buffer = Buffer::Long(region);
            self.start = 0;
        }
        let received = match &mut self.buffer {
            Buffer::Long(region) => region.receive(stream, space),
            Buffer::Short(bytes) => {
                let before = bytes.len();
                bytes.reserve_exact(wanted.saturating_sub(before - self.start) + space);
                bytes.resize(before + space, 0);
                let received = stream.read(&mut bytes[before..]);
                bytes.truncate(before + *received.as_ref().unwrap_or(&0));
                received
            }
        };
        received.map(|count| (count, space))
    }

    /// The first `count` bytes are done with. Gives a region that nothing waits in any more, to be disposed of.
    #[must_use]
    pub fn consume(&mut self, count: usize) -> Option<Region> {
        self.start += count;
        match &mut self.buffer {
            Buffer::Short(bytes) => {
                if self.start * 2 >= bytes.len() {
                    bytes.drain(..self.start);
                    self.start = 0;
                }
                if count > 0 && bytes.capacity() > 2 * bytes.len() + limits::READ_CHUNK {
                    bytes.shrink_to_fit();
                }
                None
            }
            // little is left: it is short again
            Buffer::Long(region) if region.len - self.start <= limits::SHORT_BACKLOG / 2 => {
                let rest = Backlog::of(&region.map[self.start..region.len]);
                mem::replace(self, rest).into_region()
            }
            // it stays where it is until much more was executed than is left
            Buffer::Long(region) => {
                if self.start > 4 * (region.len - self.start) {
                    region.map.copy_within(self.start..region.len, 0);
                    region.set_len(region.len - self.start);
                    self.start = 0;
                }
                None
            }
        }
    }

    /// Its region, if it has one, for its connection is gone.
    pub fn into_region(self) -> Option<Region> {
        match self.buffer {
            Buffer::Long(region) => Some(region),
            Buffer::Short(_) => None,
        }
    }
}

impl Region {
    fn of(bytes: &[u8]) -> io::Result<Region> {
        let mut region = Region { map: MmapMut::map_anon(bytes.len() + limits::LONG_READ)?, len: 0 };
        region.map[..bytes.len()].copy_from_slice(bytes);
        region.set_len(bytes.len());
        Ok(region)
    }

    /// Makes room for `bytes` bytes in all. What is not in use costs no memory.
    fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        if bytes <= self.map.len() {
            return Ok(());
        }
        let size = bytes.max(2 * self.map.len());
        #[cfg(target_os = "linux")]
        {
            // SAFETY: the map is private and anonymous, and nothing refers into it while it is borrowed here.
            #[allow(unsafe_code)]
            unsafe {
                self.map.remap(size, memmap2::RemapOptions::new().may_move(true))?;
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let mut map = MmapMut::map_anon(size)?;
            map[..self.len].copy_from_slice(&self.map[..self.len]);
            self.map = map;
        }
        Ok(())
    }

    fn receive(&mut self, stream: &mut Stream, space: usize) -> io::Result<usize> {
        self.reserve(self.len + space)?;
        let count = stream.read(&mut self.map[self.len..self.len + space])?;
        self.set_len(self.len + count);
        Ok(count)
    }

    fn set_len(&mut self, len: usize) {
        memory::mapped(len, self.len);
        self.len = len;
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Every way between short and long, against a plain vector.
    #[test]
    fn what_comes_in_goes_out_in_order() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("a socket's option");
        let mut stream = Stream::Unix(mio::net::UnixStream::from_std(ours));
        let (mut backlog, mut model, mut seed) = (Backlog::default(), Vec::new(), 7u64);
        let (mut sent, mut regions, mut longest) = (0u64, 0, 0);
        let mut below = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % (most + 1)
        };
        for round in 0..1200 {
            let grows = round % 400 < 300;
            let chunk: Vec<u8> = (0..below(if grows { 60_000 } else { 3_000 })).map(|at| (sent as usize + at) as u8).collect();
            sent += chunk.len() as u64;
            theirs.write_all(&chunk).expect("the socket holds it");
            model.extend_from_slice(&chunk);
            let wanted = if below(9) == 0 { backlog.len() + below(1 << 20) } else { 0 };
            while backlog.len() < model.len() {
                backlog.receive(&mut stream, wanted).expect("the bytes are there");
            }
            longest = longest.max(model.len());
            let gone = below(if grows { model.len() / 200 } else { model.len() / 2 });
            regions += usize::from(backlog.consume(gone).is_some());
            model.drain(..gone);
            assert!(backlog.bytes() == model, "round {round}");
        }
        assert!(longest > limits::SHORT_BACKLOG && regions >= 3, "it was long {regions} times, {longest} bytes at most");
        let rest = model.len();
        regions = usize::from(backlog.consume(rest).is_some());
        assert!(backlog.is_empty() && regions <= 1);
    }
}
