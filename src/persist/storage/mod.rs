//! The seam to the disk: every file that persistence touches is reached through [`Storage`].
//!
//! - [`disk`]: the real one;
//! - [`faulty`]: one in memory that fails, fills up, tears and forgets on command, for tests.
//!
//! Paths are relative to the working directory, which is the directive `dir`. What is durable when: the
//! bytes of a file after [`WriteFile::sync`], a name made by `create`, `rename` or `remove` after
//! [`Storage::sync_directory`] of its directory. Nothing else may be counted on after a crash.

pub mod disk;
pub mod faulty;

use std::io;

pub use disk::Disk;

/// A file open for writing at its end.
///
/// It may go to another thread: what the kernel makes wait, [`WriteFile::sync`] and closing, is done there.
pub trait WriteFile: Send {
    /// Writes all of it. After an error any part of it may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what was written. After an error nothing is known of what was not durable before.
    fn sync(&mut self) -> io::Result<()>;
    /// Another handle to the same file.
    fn second(&self) -> io::Result<Box<dyn WriteFile>>;
    /// Cuts the file to so many bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A file open for reading from its start.
pub trait ReadFile: Send {
    /// Reads some bytes; 0 at the end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;
    /// Its size in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Passes over so many bytes, or to the end.
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let (mut left, mut chunk) = (bytes, [0; 4096]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            match self.read(&mut chunk[..most]) {
                Ok(0) => break,
                Ok(count) => left -= count as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A place for files.
pub trait Storage: Send {
    /// Makes a file, or empties the one that is there.
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>>;
    /// Opens a file to write behind what it holds; makes it if it is not there.
    fn append(&self, path: &str) -> io::Result<Box<dyn WriteFile>>;
    /// Opens a file for reading.
    fn open(&self, path: &str) -> io::Result<Box<dyn ReadFile>>;
    /// Gives a file another name, in place of the file that had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes a directory unless it is there.
    fn make_directory(&self, path: &str) -> io::Result<()>;
    /// The names in a directory, in order.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Makes durable which names a directory has.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
}

/// The directory of a path.
pub fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(directory, _)| directory)
}

/// Reads a whole file; `None` if it is not there.
pub fn read_all(storage: &dyn Storage, path: &str) -> io::Result<Option<Vec<u8>>> {
    let mut file = match storage.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(Some(bytes)),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
