//! One process for one file: the claim that `killfleet standalone` makes before it opens its database.
//!
//! The lock is on a file beside the database, never on the database itself: to close any descriptor of that one would
//! drop SQLite's own locks. The system releases it when its holder ends, however it ends; the file stays, because whoever
//! removed it could take it away from under somebody who has just opened it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError, canonicalize};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file cannot be had alone.
#[derive(Debug, Error)]
pub enum AloneError {
    #[error("{} is in use by another killfleet{}: stop it first", path.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse { path: PathBuf, pid: Option<u32> },
    #[error("{} cannot be locked", path.display())]
    Lock { path: PathBuf, source: io::Error },
}

/// The claim on a database file; it holds until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the file up"]
pub struct Alone {
    _locked: File,
}

impl Alone {
    /// Neither the database nor its folder need to be there; the folder is created, for this user only.
    ///
    /// # Errors
    /// [`AloneError::InUse`] when another process has it, [`AloneError::Lock`] when the lock file cannot be written.
    pub fn claim(database: &Path) -> Result<Self, AloneError> {
        match lock(database) {
            Ok(locked) => Ok(Self { _locked: locked }),
            Err(Refused::Held(pid)) => Err(AloneError::InUse { path: database.to_owned(), pid }),
            Err(Refused::Failed(source)) => Err(AloneError::Lock { path: lock_path(database), source }),
        }
    }
}

enum Refused {
    Held(Option<u32>),
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn lock(database: &Path) -> Result<File, Refused> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Through all links, so that whoever comes by another name meets the same lock.
    let database = canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).to_owned();
    let mut file = options.open(lock_path(&database))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Refused::Held(pid_in(&mut file))),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Whose it is, for the message to whoever comes second.
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// None while its holder is just writing it.
fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{env, fs, process};

    use super::*;

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("killfleet-alone-{}-{number}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_second_is_told_who_the_first_is_and_the_next_after_it_is_welcome() {
        let folder = Folder::new();
        let database = folder.0.join("killfleet.db");
        let first = Alone::claim(&database).unwrap();
        let refused = Alone::claim(&database).unwrap_err().to_string();
        let (path, pid) = (database.display(), process::id());
        assert_eq!(refused, format!("{path} is in use by another killfleet (pid {pid}): stop it first"));
        drop(first);
        let _next = Alone::claim(&database).unwrap();
        assert!(!database.exists(), "the database itself is not touched");
    }

    #[test]
    fn another_file_and_another_name_for_the_same_file() {
        let folder = Folder::new();
        let database = folder.0.join("killfleet.db");
        fs::write(&database, "").unwrap();
        let link = folder.0.join("link.db");
        symlink(&database, &link).unwrap();
        let _first = Alone::claim(&database).unwrap();
        assert!(matches!(Alone::claim(&link), Err(AloneError::InUse { .. })));
        assert!(matches!(Alone::claim(&folder.0.join("./killfleet.db")), Err(AloneError::InUse { .. })));
        let _other = Alone::claim(&folder.0.join("other.db")).unwrap();
    }

    #[test]
    fn the_folder_is_created_for_this_user_only() {
        let folder = Folder::new();
        let database = folder.0.join("a/b/killfleet.db");
        let _alone = Alone::claim(&database).unwrap();
        for (path, mode) in [("a", 0o700), ("a/b", 0o700), ("a/b/killfleet.db.lock", 0o600)] {
            assert_eq!(fs::metadata(folder.0.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
        }
    }

    #[test]
    fn what_a_dead_process_has_written_holds_nobody_up() {
        let folder = Folder::new();
        let database = folder.0.join("killfleet.db");
        fs::write(lock_path(&database), "4294967295 and some more than a pid").unwrap();
        let alone = Alone::claim(&database).unwrap();
        assert_eq!(fs::read_to_string(lock_path(&database)).unwrap(), format!("{}\n", process::id()));
        drop(alone);
    }

    #[test]
    fn a_lock_file_that_cannot_be_written_is_named() {
        let folder = Folder::new();
        let database = folder.0.join("killfleet.db");
        fs::create_dir(lock_path(&database)).unwrap();
        let refused = Alone::claim(&database).unwrap_err();
        assert_eq!(refused.to_string(), format!("{} cannot be locked", lock_path(&database).display()));
        assert!(std::error::Error::source(&refused).is_some());
    }
}
