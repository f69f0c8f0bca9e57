//! What the server says in its log that a person must hear: that it cut its append-only file at the start, since the end of
//! it could not be read. What was cut are the newest payments and orders.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Most of the log read at once.
const PIECE: u64 = 4 << 20;

/// The end of a file that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Bytes that were left.
    pub offset: u64,
    /// Bytes that were cut, where the file's size before is known.
    pub bytes: Option<u64>,
}

/// Sizes of the append-only files.
pub fn sizes(folder: &Path) -> BTreeMap<String, u64> {
    let files = std::fs::read_dir(folder.join("appendonlydir")).into_iter().flatten().flatten();
    files.filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.metadata().ok()?.len()))).collect()
}

/// What Redis and Valkey say: "!!! Truncating the AOF appendonly.aof.1.incr.aof at offset 1234 !!!"
fn cut(line: &str, sizes: &BTreeMap<String, u64>) -> Option<Cut> {
    let (_, rest) = line.split_once("Truncating the AOF ")?;
    let (file, rest) = rest.split_once(" at offset ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let offset = digits.parse().ok()?;
    let bytes = sizes.get(file).and_then(|size| size.checked_sub(offset));
    Some(Cut { file: file.to_owned(), offset, bytes })
}

/// The log, with the place up to which it was heard: kept in a file, so that what a server said while nobody listened is
/// heard by the next daemon.
#[derive(Debug)]
pub struct HeardLog {
    log: PathBuf,
    note: PathBuf,
    at: u64,
}

impl HeardLog {
    /// From where it was left; a log that was never heard, from its present end.
    pub fn new(folder: &Path, log: PathBuf) -> Self {
        let note = folder.join("redis.log.heard");
        let size = std::fs::metadata(&log).map_or(0, |meta| meta.len());
        let left = std::fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok());
        let heard = Self { log, note, at: left.unwrap_or(size) };
        if left.is_none() {
            heard.keep();
        }
        heard
    }

    /// The next cut that is said in whole lines, until there is none; what was heard before is noted.
    pub fn next(&mut self, sizes: &BTreeMap<String, u64>) -> Option<Cut> {
        let size = std::fs::metadata(&self.log).ok()?.len();
        if size == self.at {
            return None;
        }
        if size < self.at {
            // Rotated.
            self.at = 0;
        }
        let mut text = Vec::new();
        let mut file = File::open(&self.log).ok()?;
        file.seek(SeekFrom::Start(self.at)).ok()?;
        file.take(PIECE).read_to_end(&mut text).ok()?;
        // A line without an end is read when it has one, or when nothing else fits.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = if whole == 0 && text.len() as u64 == PIECE { text.len() } else { whole };
        for line in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            self.at += line.len() as u64;
            if let Some(cut) = cut(&String::from_utf8_lossy(line), sizes) {
                return Some(cut);
            }
        }
        self.keep();
        None
    }

    /// Notes how far it was heard. What is told before it is noted may be told twice, never not at all.
    fn keep(&self) {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&self.note);
        let kept = file.and_then(|mut file| std::io::Write::write_all(&mut file, self.at.to_string().as_bytes()));
        if let Err(error) = kept {
            tracing::debug!(%error, "How far redis.log was heard could not be noted.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_heard_once_with_its_size_and_half_a_line_is_waited_for() {
        let folder = std::env::temp_dir().join(format!("kamid-heard-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("redis.log");
        let line = |offset| format!("1:M # !!! Truncating the AOF a.incr.aof at offset {offset} !!!\n");
        std::fs::write(&log, line(1)).unwrap();
        let sizes = BTreeMap::from([("a.incr.aof".to_owned(), 130)]);
        // What it said before anybody listened is of long ago.
        let mut heard = HeardLog::new(&folder, log.clone());
        assert_eq!(heard.next(&sizes), None);
        let both = line(1) + &line(100) + "1:M * ready\n" + &line(140);
        std::fs::write(&log, &both[..both.len() - 10]).unwrap();
        let cut = |offset, bytes| Some(Cut { file: "a.incr.aof".to_owned(), offset, bytes });
        assert_eq!([heard.next(&sizes), heard.next(&sizes)], [cut(100, Some(30)), None]);
        std::fs::write(&log, &both).unwrap();
        let mut heard = HeardLog::new(&folder, log.clone());
        assert_eq!([heard.next(&sizes), heard.next(&sizes)], [cut(140, None), None]);
        std::fs::write(&log, line(7)).unwrap();
        assert_eq!([heard.next(&sizes), heard.next(&sizes)], [cut(7, Some(123)), None], "a rotated log");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
