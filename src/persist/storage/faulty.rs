//! A storage in memory that does on command what disks do unasked.
//!
//! A clone is another handle to the same files. It can fail the n-th operation from now (whole, or torn: a
//! write that fails may have written a part), be full beyond a number of bytes, and *crash*: what was not
//! made durable is lost, but for a part that chance decides, as the kernel writes back in its own order.
//!
//! The model: a file has contents and durable contents; a directory has names and durable names, and a
//! name leads to a file. `sync` copies the contents of one file, `sync_directory` the names of one directory.
//! A crash takes for each name either of its states, and for each file its durable bytes and a random
//! stretch of what was written behind them. A `sync` that fails is as bad as on a real disk: the kernel drops
//! what it could not write and calls it clean, so that a later `sync` succeeds and these bytes are zeros after
//! a crash all the same.
//!
//! [`Faulty::record`] keeps an image of the disk before each operation, and of a write half done: a
//! test restarts from every one of them.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{ReadFile, Storage, WriteFile, directory_of};
use crate::base::random::Random;

/// The storage; see the module's essay.
#[derive(Clone, Default)]
pub struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Shared with images until they change.
    files: Vec<Arc<Contents>>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Operations until one fails.
    fuse: Option<u64>,
    /// Whether every operation after the failed one fails, too.
    dead: bool,
    /// Bytes that all files may have together.
    capacity: Option<usize>,
    operations: u64,
    images: Option<Vec<Image>>,
}

/// The disk as it was at one moment.
#[derive(Clone)]
pub struct Image {
    /// Operations that were done by then, one that was half done not counted.
    pub operations: u64,
    files: Vec<Arc<Contents>>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
}

#[derive(Clone, Default)]
struct Contents {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What a failed sync has dropped.
    dropped: Vec<Range<usize>>,
}

impl Contents {
    /// What a sync makes durable.
    fn settled(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for range in &self.dropped {
            let end = range.end.min(bytes.len());
            bytes[range.start.min(end)..end].fill(0);
        }
        bytes
    }

    /// A sync has failed: what it should have written is as lost as if it had never been.
    fn drop_unsynced(&mut self) {
        if self.durable.len() < self.bytes.len() {
            self.dropped.push(self.durable.len()..self.bytes.len());
        }
    }
}

impl Image {
    /// A disk that is as it was then.
    pub fn restore(&self) -> Faulty {
        Faulty(Arc::new(Mutex::new(State {
            files: self.files.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            ..State::default()
        })))
    }
}

impl Faulty {
    /// Without files and without faults.
    pub fn new() -> Faulty {
        Faulty::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Lets the operation fail that comes after `operations` others, and all behind it if `for_good`.
    pub fn fail_after(&self, operations: u64, for_good: bool) {
        let mut state = self.state();
        state.fuse = Some(operations);
        state.dead = false;
        if for_good {
            state.dead = true;
        }
    }

    /// Ends all faults.
    pub fn repair(&self) {
        let mut state = self.state();
        (state.fuse, state.dead, state.capacity) = (None, false, None);
    }

    /// Lets the disk be full when all files together have so many bytes.
    pub fn limit(&self, bytes: usize) {
        self.state().capacity = Some(bytes);
    }

    /// Operations so far that change something.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The machine loses power and starts anew; `random` decides what of the unsynced survives.
    pub fn crash(&self, random: &mut Random) {
        let mut state = self.state();
        let names: Vec<String> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        for name in names {
            let file = if random.index(2) == 0 { state.durable_names.get(&name) } else { state.names.get(&name) }.copied();
            match file {
                Some(file) => state.durable_names.insert(name, file),
                None => state.durable_names.remove(&name),
            };
        }
        state.names = state.durable_names.clone();
        for file in &mut state.files {
            let file = Arc::make_mut(file);
            let settled = file.settled();
            let unsynced = settled.len().saturating_sub(file.durable.len());
            if settled.starts_with(&file.durable) && unsynced > 0 {
                let kept = file.durable.len() + random.index(unsynced + 1);
                file.durable = settled[..kept].to_vec();
            }
            file.bytes = file.durable.clone();
            file.dropped.clear();
        }
        (state.fuse, state.dead, state.capacity) = (None, false, None);
    }

    /// From now on keeps an image of the disk before each operation that changes it.
    pub fn record(&self) {
        self.state().images = Some(Vec::new());
    }

    /// The images since [`Faulty::record`], and one of now.
    pub fn images(&self) -> Vec<Image> {
        let mut state = self.state();
        state.keep_image();
        state.images.take().unwrap_or_default()
    }

    /// The bytes of a file as they are now.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.files[*state.names.get(path)?].bytes.clone())
    }

    /// Puts a file there, durable.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.files.len();
        state.files.push(Arc::new(Contents { bytes: bytes.to_vec(), durable: bytes.to_vec(), dropped: Vec::new() }));
        state.names.insert(path.to_string(), file);
        state.durable_names.insert(path.to_string(), file);
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "No such file or directory")
}

fn broken() -> io::Error {
    io::Error::other("Input/output error")
}

impl State {
    fn keep_image(&mut self) {
        let State { files, names, durable_names, operations, images, .. } = self;
        if let Some(images) = images {
            images.push(Image {
                operations: *operations,
                files: files.clone(),
                names: names.clone(),
                durable_names: durable_names.clone(),
            });
        }
    }

    /// Counts an operation that changes something; an error if it is to fail.
    fn operate(&mut self) -> io::Result<()> {
        self.keep_image();
        self.operations += 1;
        match self.fuse {
            None => Ok(()),
            Some(0) => {
                if !self.dead {
                    self.fuse = None;
                }
                Err(broken())
            }
            Some(left) => {
                self.fuse = Some(left - 1);
                Ok(())
            }
        }
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(missing)
    }

    fn new_file(&mut self, path: &str) -> usize {
        let file = self.files.len();
        self.files.push(Arc::default());
        self.names.insert(path.to_string(), file);
        file
    }

    fn used(&self) -> usize {
        self.names.values().map(|&file| self.files[file].bytes.len()).sum()
    }
}

impl Storage for Faulty {
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        let mut state = self.state();
        state.operate()?;
        let file = state.new_file(path);
        Ok(Box::new(Open { storage: self.clone(), file, at: 0 }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        let mut state = self.state();
        state.operate()?;
        let file = match state.file(path) {
            Ok(file) => file,
            Err(_) => state.new_file(path),
        };
        Ok(Box::new(Open { storage: self.clone(), file, at: 0 }))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadFile>> {
        let file = self.state().file(path)?;
        Ok(Box::new(Open { storage: self.clone(), file, at: 0 }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let file = state.names.remove(from).ok_or_else(missing)?;
        state.names.insert(to.to_string(), file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.remove(path).map(|_| ()).ok_or_else(missing)
    }

    fn make_directory(&self, _: &str) -> io::Result<()> {
        self.state().operate()
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let here = state.names.keys().filter(|name| directory_of(name) == directory);
        Ok(here.map(|name| name.rsplit('/').next().unwrap_or(name).to_string()).collect())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|name, _| directory_of(name) != directory);
        durable_names.extend(names.iter().filter(|(name, _)| directory_of(name) == directory).map(|(name, file)| (name.clone(), *file)));
        Ok(())
    }
}

/// A file that is open.
struct Open {
    storage: Faulty,
    file: usize,
    at: usize,
}

impl WriteFile for Open {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.storage.state();
        let room = state.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(state.used()));
        let result = state.operate();
        // a write that fails has written a part
        let part = if result.is_ok() { bytes.len().min(room) } else { bytes.len() / 2 };
        let half = part / 2;
        Arc::make_mut(&mut state.files[self.file]).bytes.extend_from_slice(&bytes[..half]);
        if half > 0 && state.images.is_some() {
            // the machine may stop in the midst of it
            state.operations -= 1;
            state.keep_image();
            state.operations += 1;
        }
        Arc::make_mut(&mut state.files[self.file]).bytes.extend_from_slice(&bytes[half..part]);
        result?;
        if part < bytes.len() { Err(io::Error::new(io::ErrorKind::StorageFull, "No space left on device")) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.storage.state();
        let result = state.operate();
        let file = Arc::make_mut(&mut state.files[self.file]);
        match result {
            Ok(()) => file.durable = file.settled(),
            Err(_) => file.drop_unsynced(),
        }
        result
    }

    fn second(&self) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(Open { storage: self.storage.clone(), file: self.file, at: 0 }))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.storage.state();
        state.operate()?;
        let file = Arc::make_mut(&mut state.files[self.file]);
        file.bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        let length = file.bytes.len();
        file.dropped.retain_mut(|range| {
            range.end = range.end.min(length);
            range.start < range.end
        });
        Ok(())
    }
}

impl ReadFile for Open {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let state = self.storage.state();
        let rest = state.files[self.file].bytes.get(self.at..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.storage.state().files[self.file].bytes.len() as u64)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.at = self.at.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_all;
    use super::*;

    #[test]
    fn what_was_synced_survives() {
        for seed in 0..200 {
            let (storage, mut random) = (Faulty::new(), Random::from_seed(seed));
            storage.put("old", b"before");
            let mut file = storage.create("draft").expect("no faults");
            file.write_all(b"one").expect("no faults");
            file.sync().expect("no faults");
            file.write_all(b"two").expect("no faults");
            storage.rename("draft", "old").expect("no faults");
            storage.crash(&mut random);
            let old = storage.contents("old").expect("either file");
            assert!(old == b"before" || b"onetwo".starts_with(&old) && old.len() >= 3, "{old:?}");
            storage.rename("old", "new").expect("no faults");
            storage.sync_directory(".").expect("no faults");
            storage.crash(&mut random);
            assert_eq!(storage.contents("new"), Some(old));
            assert!(!storage.list(".").expect("no faults").contains(&"old".to_string()));
        }
    }

    #[test]
    fn faults_come_when_asked_for() {
        let storage = Faulty::new();
        storage.fail_after(1, false);
        let mut file = storage.create("a").expect("the second fails");
        assert!(file.write_all(b"abcd").is_err());
        assert_eq!(storage.contents("a").as_deref(), Some(&b"ab"[..]));
        file.write_all(b"cd").expect("once only");
        storage.limit(6);
        assert_eq!(file.write_all(b"efgh").map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        storage.fail_after(0, true);
        assert!(file.sync().is_err() && file.sync().is_err() && storage.create("b").is_err());
        storage.repair();
        assert_eq!(read_all(&storage, "a").expect("readable").as_deref(), Some(&b"abcdef"[..]));
        assert_eq!(read_all(&storage, "b").expect("readable"), None);
    }
}
