//! The text of `/proc/PID/maps`, which a dying node may have written: a line that makes no sense is left out.
//!
//! What the mapped files are is the business of `report::modules`.

/// Most mappings that are looked at.
const MAPPINGS_MAX: usize = 65_536;

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Its first address.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// Whether code may run there.
    pub is_executable: bool,
    /// Whether it may be read.
    pub is_readable: bool,
    /// Where in the file it starts.
    pub offset: u64,
    /// The file's device, major and minor.
    pub device: (u32, u32),
    /// The file's inode; 0 where there is no file.
    pub inode: u64,
    /// The file, or a name in brackets, or nothing.
    pub path: &'a [u8],
}

impl Mapping<'_> {
    /// Whether this address lies within.
    #[must_use]
    pub const fn holds(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    fn is_of_a_file(&self) -> bool {
        self.inode != 0 && self.path.first() == Some(&b'/')
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode, self.path) == (other.device, other.inode, other.path)
    }
}

/// The mappings that one loaded file has, in the order of their addresses.
#[derive(Clone, Debug)]
pub struct MappedFile<'a> {
    /// Never empty.
    pub mappings: Vec<Mapping<'a>>,
    /// The first of them.
    pub first: Mapping<'a>,
    /// The address after the last.
    pub end: u64,
}

impl MappedFile<'_> {
    /// Whether a mapping of this file holds the address.
    #[must_use]
    pub fn holds(&self, address: u64) -> bool {
        self.mappings.iter().any(|mapping| mapping.holds(address))
    }

    /// Whether code of this file may run at the address.
    #[must_use]
    pub fn holds_code(&self, address: u64) -> bool {
        self.mappings.iter().any(|mapping| mapping.is_executable && mapping.holds(address))
    }

    /// Whether any of it is code.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.mappings.iter().any(|mapping| mapping.is_executable)
    }
}

/// Reads the text, in ascending order of addresses; overlapping and impossible mappings are left out.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Mapping<'_>> {
    let lines = text.split(|byte| *byte == b'\n');
    let mut mappings: Vec<_> = lines.filter_map(mapping).take(MAPPINGS_MAX).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    let mut end = 0;
    mappings.retain(|mapping| {
        let is_behind = mapping.start >= end;
        end = if is_behind { mapping.end } else { end };
        is_behind
    });
    mappings
}

/// Puts the mappings of each loaded file together. A file that is loaded twice is there twice.
#[must_use]
pub fn files<'a>(mappings: &[Mapping<'a>]) -> Vec<MappedFile<'a>> {
    let mut files: Vec<MappedFile<'a>> = Vec::new();
    for mapping in mappings.iter().filter(|mapping| mapping.is_of_a_file()) {
        match files.last_mut() {
            Some(file) if file.first.is_same_file(mapping) && mapping.offset > 0 => {
                file.mappings.push(*mapping);
                file.end = mapping.end;
            }
            _ => files.push(MappedFile { mappings: vec![*mapping], first: *mapping, end: mapping.end }),
        }
    }
    files
}

/// `7f00-7f10 r-xp 00001000 fd:01 1234   /usr/lib/libc.so.6`
fn mapping(line: &[u8]) -> Option<Mapping<'_>> {
    let (range, rest) = field(line)?;
    let (flags, rest) = field(rest)?;
    let (offset, rest) = field(rest)?;
    let (device, rest) = field(rest)?;
    let (inode, path) = field(rest)?;
    let (start, end) = range.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    (start < end).then_some(Mapping {
        start,
        end,
        is_executable: flags.as_bytes().get(2) == Some(&b'x'),
        is_readable: flags.as_bytes().first() == Some(&b'r'),
        offset: u64::from_str_radix(offset, 16).ok()?,
        device: (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?),
        inode: inode.parse().ok()?,
        path: path.trim_ascii(),
    })
}

/// The next word, and what follows it.
fn field(line: &[u8]) -> Option<(&str, &[u8])> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end)?;
    Some((std::str::from_utf8(word).ok().filter(|word| !word.is_empty())?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
        00400000-00401000 r--p 00000000 fd:01 77    /opt/my node\n\
        00401000-00402000 r-xp 00001000 fd:01 77    /opt/my node\n\
        00402000-00403000 rw-p 00000000 00:00 0 \n\
        00403000-00404000 rw-p 00002000 fd:01 77    /opt/my node\n\
        7f00-7e00 r-xp 0 0:0 0\nnonsense\n\xff\xff r-xp\n\
        00403800-00405000 r-xp 00000000 fd:01 78    /opt/overlaps\n\
        7ffc0000-7ffd0000 rw-p 00000000 00:00 0     [stack]\n";

    #[test]
    fn lines_that_make_no_sense_are_left_out() {
        let mappings = parse(TEXT);
        assert_eq!(mappings.len(), 5);
        assert_eq!(mappings[1].path, b"/opt/my node");
        assert_eq!(mappings[1].device, (0xFD, 1));
        assert!(mappings[1].is_executable && !mappings[0].is_executable);
        assert_eq!(mappings[4].path, b"[stack]");
    }

    #[test]
    fn a_file_is_one_file_across_its_gaps() {
        let mappings = parse(TEXT);
        let files = files(&mappings);
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].first.start, files[0].end), (0x40_0000, 0x40_4000));
        assert!(files[0].holds_code(0x40_1000) && !files[0].holds(0x40_2000));
    }

    #[test]
    fn a_file_loaded_twice_is_there_twice() {
        let text = b"1000-2000 r-xp 0 1:1 5 /a\n2000-3000 r-xp 0 1:1 5 /a\n";
        assert_eq!(files(&parse(text)).len(), 2);
    }
}
