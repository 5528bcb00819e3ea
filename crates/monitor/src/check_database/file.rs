//! A database's file as it lies there, and the files beside it. See <https://www.sqlite.org/fileformat2.html>.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What a rollback journal begins with while it counts.
const JOURNAL_MAGIC: &[u8; 8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const HEADER_BYTES: usize = 100;

/// How a database is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It has no page yet.
    Empty,
    /// It is no database that anybody could read.
    Foreign,
    /// Its write-ahead log holds something.
    Logged,
    /// A rollback journal counts: its transaction goes on, or whoever began it died.
    InTransaction,
    /// All that there is stands in the file.
    Still,
}

/// What tells whether it was written in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) mode: Mode,
    pub(crate) size_bytes: u64,
    /// The size of its write-ahead log, where there is one.
    pub(crate) wal_bytes: Option<u64>,
    /// Nothing where it is no database.
    pub(crate) page_bytes: Option<u64>,
    pub(crate) free_pages: Option<u64>,
    identity: [i64; 4],
    /// Device and inode: a file that is put in its place is another one.
    pub(crate) inode: [u64; 2],
    changes: u32,
}

impl File {
    /// Looks at it. Nothing is locked, and nothing waited for.
    pub(crate) fn look(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
        }
        let mut header = Vec::new();
        file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        let wal_bytes = fs::metadata(beside(path, "-wal")).ok().map(|wal| wal.len());
        let header = Header::parse(&header);
        let mode = match &header {
            None if metadata.len() == 0 => Mode::Empty,
            None => Mode::Foreign,
            Some(header) if header.is_logged && wal_bytes.is_some_and(|bytes| bytes > 0) => Mode::Logged,
            Some(_) if is_journal_hot(path) => Mode::InTransaction,
            Some(_) => Mode::Still,
        };
        Ok(Self {
            mode,
            size_bytes: metadata.len(),
            wal_bytes,
            page_bytes: header.as_ref().map(|header| header.page_bytes),
            free_pages: header.as_ref().map(|header| header.free_pages),
            identity: identity(&metadata),
            inode: [metadata.dev(), metadata.ino()],
            changes: header.map_or(0, |header| header.changes),
        })
    }
}

/// The file with this added to its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn identity(metadata: &Metadata) -> [i64; 4] {
    [metadata.ino().cast_signed(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec()]
}

fn is_journal_hot(path: &Path) -> bool {
    let mut begin = [0; JOURNAL_MAGIC.len()];
    let journal = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(beside(path, "-journal"));
    journal.is_ok_and(|mut journal| journal.read_exact(&mut begin).is_ok()) && begin == *JOURNAL_MAGIC
}

/// The fields of the header that are of use.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    page_bytes: u64,
    free_pages: u64,
    is_logged: bool,
    changes: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let [high, low, written_as, read_as, ..] = rest else { return None };
        let word = |at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word));
        // The largest size does not fit and is told as 1.
        let page_bytes = match u16::from_be_bytes([*high, *low]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => u64::from(size),
            _ => return None,
        };
        Some(Self {
            page_bytes,
            free_pages: word(36)?.into(),
            is_logged: *written_as == 2 || *read_as == 2,
            changes: word(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..20].copy_from_slice(&[0x10, 0, 2, 2]);
        bytes[24..28].copy_from_slice(&[0, 0, 1, 2]);
        bytes[36..40].copy_from_slice(&[0, 0, 0, 9]);
        bytes
    }

    #[test]
    fn a_header_says_what_it_says() {
        let expected = Header { page_bytes: 4096, free_pages: 9, is_logged: true, changes: 258 };
        assert_eq!(Header::parse(&header()), Some(expected));
        let with = |at: usize, byte: u8| {
            let mut bytes = header();
            bytes[at] = byte;
            Header::parse(&bytes)
        };
        assert_eq!(with(16, 0x30), None, "no power of two");
        assert_eq!(with(16, 0), None);
        let mut largest = header();
        largest[16..18].copy_from_slice(&[0, 1]);
        assert_eq!(Header::parse(&largest).unwrap().page_bytes, 65_536);
        assert_eq!(with(0, b's'), None);
        for length in 0..HEADER_BYTES {
            assert_eq!(Header::parse(&header()[..length]), None);
        }
    }
}
