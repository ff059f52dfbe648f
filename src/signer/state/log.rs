//! The log of signed entries: a file of JSON lines that only grows. Does not know about locks.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::super::private_fs;
use super::error::StateError;
use super::record::{MAX_RAW, Repair, SignedRecord};
use crate::fault;
use crate::id::{EntryId, Oid};

/// The version of a line's format.
const VERSION: u32 = 1;
/// The most bytes of a line: the largest entry in base64, and the other fields.
const MAX_LINE: usize = MAX_RAW / 3 * 4 + 512;
/// The bytes at the end of the log that are read when it is opened. They contain at least one whole
/// line, and a long log takes no more time than a short one.
const WINDOW: u64 = 1024 * 1024;
/// How many of the last records are checked when the log is opened. The number is high enough to
/// notice a damaged file, and low enough for every command to check.
const CHECKED: usize = 64;
const _: () = assert!(WINDOW > MAX_LINE as u64 + 1);

/// A record as a line of the log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    seq: u64,
    id: EntryId,
    oid: Oid,
    raw: String,
}

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends, in bytes.
    len: u64,
    last: Option<SignedRecord>,
    /// Whether a failed write could not be undone, so that the content of the file is unknown.
    unknown: bool,
}

impl Log {
    /// Opens the log, or creates it. Repairs the traces of a crash at its end, and checks the last
    /// records.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Repair>), StateError> {
        let opened = || {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let file = private_fs::with_mode(options, private_fs::OWNER_ONLY).open(path)?;
            let len = file.metadata()?.len();
            Ok((file, len))
        };
        let (file, len) = opened().map_err(StateError::io("open", path))?;
        let mut log = Self {
            path: path.to_owned(),
            file,
            len,
            last: None,
            unknown: false,
        };
        let repair = log.repair()?;
        let (start, window) = log.window()?;
        let skipped = start_of_last(CHECKED, &window);
        let checked = window.get(skipped..).unwrap_or_default();
        let mut records = log.parse_all(start + skipped as u64, checked)?;
        log.last = records.pop();
        Ok((log, repair))
    }

    /// Returns the last record. `None` if the log is empty.
    pub(super) fn last(&self) -> Option<&SignedRecord> {
        self.last.as_ref()
    }

    /// Returns all records, oldest first.
    pub(super) fn records(&self) -> Result<Vec<SignedRecord>, StateError> {
        self.parse_all(0, &self.read(0)?)
    }

    /// Appends a record and syncs it to disk, or leaves the log unchanged.
    pub(super) fn append(&mut self, record: &SignedRecord) -> Result<(), StateError> {
        check(record).map_err(StateError::Inconsistent)?;
        self.check_unchanged()?;
        if let Some(last) = self.last()
            && record.seq <= last.seq
        {
            return Err(StateError::NotNewer {
                path: self.path.clone(),
                seq: record.seq,
                last: last.seq,
            });
        }
        let line = encode(record).map_err(|error| StateError::Inconsistent(error.to_string()))?;
        let written = append_whole(&mut self.file, self.len, &line);
        written.map_err(|failed| {
            self.unknown = !failed.undone;
            StateError::io("write to", &self.path)(failed.error)
        })?;
        self.len += line.len() as u64;
        self.last = Some(record.clone());
        Ok(())
    }

    /// Completes or removes a last line that has no newline.
    fn repair(&mut self) -> Result<Option<Repair>, StateError> {
        let (start, window) = self.window()?;
        let last_newline = window.iter().rposition(|byte| *byte == b'\n');
        let whole = last_newline.map_or(0, |at| at + 1);
        let tail = window.get(whole..).unwrap_or_default();
        let from = start + whole as u64;
        if tail.is_empty() {
            return Ok(None);
        }
        if tail.len() > MAX_LINE {
            return Err(self.corrupt(from, "it is longer than any record".to_owned()));
        }
        if parse(tail).is_ok() {
            let ended = append_whole(&mut self.file, self.len, b"\n");
            ended.map_err(|failed| StateError::io("repair", &self.path)(failed.error))?;
            self.len += 1;
            return Ok(Some(Repair::Kept));
        }
        let cut = self.file.set_len(from).and_then(|()| self.file.sync_all());
        cut.map_err(StateError::io("repair", &self.path))?;
        self.len = from;
        Ok(Some(Repair::Cut(tail.len() as u64)))
    }

    /// Returns the last part of the log, and the offset where it begins. It begins with a whole
    /// line.
    fn window(&self) -> Result<(u64, Vec<u8>), StateError> {
        let start = self.len.saturating_sub(WINDOW);
        let bytes = self.read(start)?;
        if start == 0 {
            return Ok((0, bytes));
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Err(self.corrupt(start, "it is longer than any record".to_owned()));
        };
        let rest = bytes.get(end + 1..).unwrap_or_default().to_vec();
        Ok((start + end as u64 + 1, rest))
    }

    /// Reads the log from `start` to the end of the last whole line.
    fn read(&self, start: u64) -> Result<Vec<u8>, StateError> {
        let read = || {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.take(self.len.saturating_sub(start))
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(StateError::io("read", &self.path))
    }

    /// Parses the records in `bytes`, which begin at the offset `start`. The sequence numbers must
    /// rise.
    fn parse_all(&self, start: u64, bytes: &[u8]) -> Result<Vec<SignedRecord>, StateError> {
        let mut records: Vec<SignedRecord> = Vec::new();
        let mut at = start;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let record = parse(text).map_err(|problem| self.corrupt(at, problem))?;
            if let Some(last) = records.last().filter(|last| record.seq <= last.seq) {
                let problem = format!("number {} follows number {}", record.seq, last.seq);
                return Err(self.corrupt(at, problem));
            }
            records.push(record);
            at += line.len() as u64;
        }
        Ok(records)
    }

    /// Checks that nobody else wrote to the log in spite of the lock.
    fn check_unchanged(&self) -> Result<(), StateError> {
        let changed = |problem| StateError::Changed {
            path: self.path.clone(),
            problem,
        };
        if self.unknown {
            return Err(changed("an earlier write failed and could not be undone"));
        }
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(StateError::io("look at", &self.path))?;
        if metadata.len() == self.len {
            Ok(())
        } else {
            Err(changed("its length is different"))
        }
    }

    /// Returns the error for the line that begins at `offset`.
    fn corrupt(&self, offset: u64, problem: String) -> StateError {
        let line = self.lines_before(offset).unwrap_or_default() + 1;
        StateError::Corrupt {
            path: self.path.clone(),
            line,
            problem,
        }
    }

    /// Counts the lines before `offset`. Reads the whole log, so it is for error messages only.
    fn lines_before(&self, offset: u64) -> io::Result<u64> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(file.take(offset));
        let mut lines = 0;
        while reader.skip_until(b'\n')? > 0 {
            lines += 1;
        }
        Ok(lines)
    }
}

/// Returns the offset where the last `count` lines begin.
fn start_of_last(count: usize, bytes: &[u8]) -> usize {
    let newlines = bytes.iter().enumerate().rev();
    let newlines = newlines.filter(|(_, byte)| **byte == b'\n');
    // The line that ends with the newline number n from the end begins after newline number n + 1.
    let before = newlines.skip(1).nth(count - 1);
    before.map_or(0, |(at, _)| at + 1)
}

/// Returns what is wrong with a record, as an error.
///
/// The id is the SHA-256 of the signed bytes, so the check also finds a flipped bit.
fn check(record: &SignedRecord) -> Result<(), String> {
    if record.raw.len() > MAX_RAW {
        let bytes = record.raw.len();
        return Err(format!("it has {bytes} bytes, more than {MAX_RAW}"));
    }
    let signed = signed_bytes(&record.raw);
    let signed = signed.ok_or("its bytes are not a commit with exactly one signature")?;
    if EntryId::of(&signed) != record.id {
        let id = record.id.short();
        return Err(format!("its id {id} is not the id of its bytes"));
    }
    Ok(())
}

/// Returns a raw commit without its signature header. `None` if there is not exactly one such
/// header.
fn signed_bytes(raw: &[u8]) -> Option<Vec<u8>> {
    let mut signed = Vec::with_capacity(raw.len());
    let (mut headers, mut in_signature, mut signatures) = (true, false, 0);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        headers &= line != b"\n";
        let starts = line.starts_with(b"gpgsig ") || line.starts_with(b"gpgsig-sha256 ");
        in_signature = headers && (starts || (in_signature && line.starts_with(b" ")));
        signatures += u32::from(headers && starts);
        if !in_signature {
            signed.extend_from_slice(line);
        }
    }
    (signatures == 1).then_some(signed)
}

fn parse(line: &[u8]) -> Result<SignedRecord, String> {
    let line: Line =
        serde_json::from_slice(line).map_err(|error| format!("it is not a record: {error}"))?;
    if line.v != VERSION {
        return Err(format!(
            "it has the unknown format version {}; a newer git-quorum may know it",
            line.v
        ));
    }
    let raw = STANDARD
        .decode(&line.raw)
        .map_err(|error| format!("its entry is not base64: {error}"))?;
    let record = SignedRecord {
        seq: line.seq,
        id: line.id,
        oid: line.oid,
        raw,
    };
    check(&record)?;
    Ok(record)
}

fn encode(record: &SignedRecord) -> serde_json::Result<Vec<u8>> {
    let SignedRecord {
        seq,
        id,
        oid,
        ref raw,
    } = *record;
    let mut line = serde_json::to_vec(&Line {
        v: VERSION,
        seq,
        id,
        oid,
        raw: STANDARD.encode(raw),
    })?;
    line.push(b'\n');
    Ok(line)
}

/// The target of writes to the log: a file, or in tests a file that fails.
pub(super) trait Sink {
    /// Writes `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Removes all bytes after `len`.
    fn cut(&mut self, len: u64) -> io::Result<()>;
    /// Syncs everything to disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        fault::check("state.write")?;
        self.write_all(bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        fault::check("state.sync")?;
        self.sync_all()
    }
}

/// A failed write.
#[derive(Debug)]
pub(super) struct Failed {
    /// The system's error.
    pub(super) error: io::Error,
    /// Whether nothing of the write is left in the file.
    pub(super) undone: bool,
}

/// Appends `line` at the offset `len` and syncs it to disk. Restores the old length if either
/// fails: after a failed sync nobody knows what is on disk.
pub(super) fn append_whole(sink: &mut impl Sink, len: u64, line: &[u8]) -> Result<(), Failed> {
    let written = sink.write_at(len, line).and_then(|()| sink.sync());
    written.map_err(|error| {
        let undone = sink.cut(len).and_then(|()| sink.sync()).is_ok();
        Failed { error, undone }
    })
}
