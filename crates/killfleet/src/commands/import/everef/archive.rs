//! Reads archives, on a thread of its own: what they hold goes into a channel, batch by batch.
//!
//! The rule: no more than a few batches are in memory at any time, however large a file is or says to be, and nothing
//! is given away that comes from a damaged piece of a file.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::MultiBzDecoder;
use tar::{Archive, Entry, EntryType};
use tokio::sync::mpsc;

use super::member::Member;
use super::report::Refusal;

/// Of unpacked bytes, unless a test says otherwise: some hundreds of killmails. It must be more than a block of bzip2
/// holds, 900 kB.
pub(super) const BATCH_BYTES: u64 = 2 * 1024 * 1024;
/// As much as is taken from ESI; the largest killmail on record has 668 KB.
const MEMBER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Of a member beside its content, so that members without any fill a batch, too.
const HEADER_BYTES: u64 = 512;

/// What stands in one file, one piece after another.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) file: Arc<str>,
    pub(super) members: Vec<Member>,
    pub(super) refused: Vec<Refusal>,
    /// The whole file was read.
    pub(super) is_end_of_file: bool,
}

/// Why a file is not read any further.
enum Ended {
    /// Nobody takes batches any more.
    Stopped,
    CannotBeOpened(io::Error),
    Failed(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Ends when all files are read, or nobody takes batches any more. Counts the bytes that it has read, packed.
pub(super) fn read_all(
    files: &[PathBuf],
    batch_bytes_max: u64,
    bytes_read: &Arc<AtomicU64>,
    batches: &mpsc::Sender<Batch>,
) {
    for path in files {
        let batch = Batch::of(Arc::from(path.display().to_string()));
        let mut reading = Reading { batches, batch_bytes_max, held: None, batch, batch_bytes: 0, members: 0 };
        let ended = reading.read(path, bytes_read).and_then(|()| {
            reading.batch.is_end_of_file = true;
            reading.give_everything()
        });
        let given = match ended {
            Ok(()) => Ok(()),
            Err(Ended::Stopped) => Err(Ended::Stopped),
            Err(Ended::CannotBeOpened(error)) => reading.refuse_file(format!("it cannot be opened: {error}")),
            Err(Ended::Failed(error)) => reading.end_early(&error),
        };
        if given.is_err() {
            return;
        }
    }
}

struct Reading<'a> {
    batches: &'a mpsc::Sender<Batch>,
    batch_bytes_max: u64,
    /// Complete, but given away only when the next one is: see [`Reading::end_early`].
    held: Option<Batch>,
    batch: Batch,
    batch_bytes: u64,
    members: u64,
}

impl Reading<'_> {
    fn read(&mut self, path: &Path, bytes_read: &Arc<AtomicU64>) -> Result<(), Ended> {
        let file = File::open(path).map_err(Ended::CannotBeOpened)?;
        let mut source = BufReader::new(Counted { file, bytes_read: Arc::clone(bytes_read) });
        if io::BufRead::fill_buf(&mut source)?.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is empty").into());
        }
        let mut archive = Archive::new(MultiBzDecoder::new(source));
        // As they stand: what a header says of the length of a name is not believed, it would be read into memory.
        for entry in archive.entries()?.raw(true) {
            self.take(entry?)?;
        }
        // Behind the last member there is padding, and the checksum of all.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        Ok(())
    }

    fn take(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), Ended> {
        let size = entry.size();
        let kind = entry.header().entry_type();
        let member = match kind {
            EntryType::Regular if size > MEMBER_BYTES_MAX => Err(format!("{size} bytes are too many for a killmail")),
            EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                if (bytes.len() as u64) < size {
                    return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
                }
                self.batch_bytes += size;
                Member::parse(&bytes)
            }
            // Folders, and what stands in front of a member to say more of it.
            EntryType::Directory
            | EntryType::XHeader
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink => return Ok(()),
            _ => Err("it is no plain file".to_owned()),
        };
        self.members += 1;
        self.batch_bytes += HEADER_BYTES;
        match member {
            Ok(member) => self.batch.members.push(member),
            Err(reason) => {
                // A name may hold anything, and is shown on terminals.
                let name = String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string();
                self.batch.refused.push(Refusal { file: self.batch.file.to_string(), member: Some(name), reason });
            }
        }
        if self.batch_bytes >= self.batch_bytes_max { self.give() } else { Ok(()) }
    }

    /// Gives the batch before this one away.
    fn give(&mut self) -> Result<(), Ended> {
        self.batch_bytes = 0;
        let next = Batch::of(Arc::clone(&self.batch.file));
        match self.held.replace(mem::replace(&mut self.batch, next)) {
            Some(held) => self.batches.blocking_send(held).map_err(|_| Ended::Stopped),
            None => Ok(()),
        }
    }

    fn give_everything(&mut self) -> Result<(), Ended> {
        self.give()?;
        self.give()
    }

    fn refuse_file(&mut self, reason: String) -> Result<(), Ended> {
        self.batch.refused.push(Refusal { file: self.batch.file.to_string(), member: None, reason });
        self.give_everything()
    }

    /// A block of bzip2 is checked only after it was unpacked. So when a file proves to be damaged, what stood in the
    /// block may be wrong although it looks like killmails: it is in the last two batches, and goes with them. Of a
    /// file that is cut off, everything was checked.
    fn end_early(&mut self, error: &io::Error) -> Result<(), Ended> {
        let reason = if error.kind() == ErrorKind::UnexpectedEof {
            format!("it is cut off behind {} members, which were taken: get it again", self.members)
        } else {
            let in_doubt = self.held.take().map_or(0, |held| held.len()) + self.batch.len();
            self.batch = Batch::of(Arc::clone(&self.batch.file));
            match self.members {
                0 => format!("it is no .tar.bz2 archive, or damaged: {error}"),
                members => format!(
                    "it is damaged behind {members} members ({error}): the last {in_doubt} of them are in doubt, and \
                     were not taken. Get it again"
                ),
            }
        };
        self.refuse_file(reason)
    }
}

impl Batch {
    fn of(file: Arc<str>) -> Self {
        Self { file, members: Vec::new(), refused: Vec::new(), is_end_of_file: false }
    }

    fn len(&self) -> usize {
        self.members.len() + self.refused.len()
    }
}

struct Counted {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
