use std::fs;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::log::{Sink, append_whole};
use super::*;
use crate::id::Oid;

const LEDGER: EntryId = EntryId::new([0xab; 32]);
const PUBLIC: [u8; 32] = [1; 32];

/// A commit with a signature header, which is all that a record needs.
fn record(seq: u64) -> SignedRecord {
    let headers = format!("tree {}\nauthor a <a> {seq} +0000\n", Oid::EMPTY_TREE);
    let signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n U1NI\n -----END SSH SIGNATURE-----\n";
    let message = "\nprevote\n\ngpgsig in the message is text\n";
    let id = EntryId::of(format!("{headers}{message}").as_bytes());
    let raw = format!("{headers}{signature}{message}").into_bytes();
    SignedRecord {
        seq,
        id,
        oid: Oid::new([seq as u8; 20]),
        raw,
    }
}

fn line(record: &SignedRecord) -> String {
    let SignedRecord { seq, id, oid, raw } = record;
    let raw = STANDARD.encode(raw);
    format!(r#"{{"v":1,"seq":{seq},"id":"{id}","oid":"{oid}","raw":"{raw}"}}"#) + "\n"
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With this log.
    fn with(log: &str) -> Self {
        let place = Self::new();
        drop(place.open().unwrap());
        fs::write(place.log(), log).unwrap();
        place
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("state").join(dir_name(LEDGER, PUBLIC))
    }

    fn log(&self) -> PathBuf {
        self.dir().join("signed.log")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    fn open(&self) -> Result<SignState, StateError> {
        SignState::open(&self.0.path().join("state"), LEDGER, PUBLIC, Duration::ZERO)
    }
}

#[test]
fn records_are_there_after_the_state_is_opened_again() {
    let place = Place::new();
    let mut state = place.open().unwrap();
    assert_eq!(state.last(), None);
    for seq in [1, 2, 9] {
        state.record(&record(seq)).unwrap();
        assert_eq!(state.last(), Some(&record(seq)));
    }
    drop(state);
    assert_eq!(
        place.text(),
        [1, 2, 9].map(|seq| line(&record(seq))).concat()
    );
    let state = place.open().unwrap();
    assert_eq!(state.repair(), None);
    assert_eq!(state.records().unwrap(), [1, 2, 9].map(record));
}

#[test]
fn a_recorded_sequence_number_is_never_recorded_again() {
    let place = Place::new();
    let mut state = place.open().unwrap();
    state.record(&record(5)).unwrap();
    for seq in [5, 4, 0] {
        let refused = state.record(&record(seq));
        assert!(
            matches!(refused, Err(StateError::NotNewer { last: 5, .. })),
            "{refused:?}"
        );
    }
    assert_eq!(place.text(), line(&record(5)));
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let mut state = Place::new().open().unwrap();
    let other_id = SignedRecord {
        id: LEDGER,
        ..record(1)
    };
    let unsigned = SignedRecord {
        raw: b"tree x\n\ngpgsig x\n".to_vec(),
        ..record(1)
    };
    let mut flipped = record(1);
    flipped.raw[6] ^= 1;
    let large = SignedRecord {
        raw: vec![b'x'; MAX_RAW + 1],
        ..record(1)
    };
    for bad in [other_id, unsigned, flipped, large] {
        assert!(matches!(
            state.record(&bad),
            Err(StateError::Inconsistent(_))
        ));
    }
    assert_eq!(state.last(), None);
}

#[test]
fn an_incomplete_last_record_is_removed_and_reported_wherever_it_ends() {
    let first = line(&record(1));
    let second = line(&record(2));
    for cut in 1..second.len() - 1 {
        let place = Place::with(&format!("{first}{}", &second[..cut]));
        let mut state = place.open().unwrap();
        assert_eq!(state.repair(), Some(Repair::Cut(cut as u64)));
        assert_eq!(state.last(), Some(&record(1)));
        assert_eq!(place.text(), first);
        if cut == 7 {
            state.record(&record(2)).unwrap();
            assert_eq!(place.text(), format!("{first}{second}"));
        }
    }
}

#[test]
fn an_incomplete_first_record_and_zero_bytes_leave_an_empty_log() {
    for tail in ["{\"v\":1", "\0\0\0\0"] {
        let place = Place::with(tail);
        let state = place.open().unwrap();
        assert_eq!(state.repair(), Some(Repair::Cut(tail.len() as u64)));
        assert_eq!(state.last(), None);
    }
}

#[test]
fn a_complete_record_without_its_newline_is_kept() {
    let place = Place::with(line(&record(3)).trim_end());
    let mut state = place.open().unwrap();
    assert_eq!(state.repair(), Some(Repair::Kept));
    assert_eq!(state.last(), Some(&record(3)));
    assert!(matches!(
        state.record(&record(3)),
        Err(StateError::NotNewer { .. })
    ));
    drop(state);
    assert_eq!(place.open().unwrap().repair(), None);
}

/// Checks that opening a log of three lines fails and names line `number`, which is `bad`.
fn check_corrupt(number: usize, bad: &str) {
    let mut lines = [1, 2, 3].map(|seq| line(&record(seq)));
    lines[number - 1] = bad.to_owned();
    let place = Place::with(&lines.concat());
    let before = place.text();
    let error = place.open().unwrap_err();
    let text = error.to_string();
    let names_the_line = matches!(error, StateError::Corrupt { line, .. } if line == number as u64);
    assert!(names_the_line && text.contains("signed.log"), "{text}");
    assert!(error.remedy().unwrap().contains("restore the file"));
    assert_eq!(place.text(), before);
}

#[test]
fn a_corrupt_line_is_an_error_and_the_log_stays_unchanged() {
    let good = line(&record(2));
    let raw_at = good.find("\"raw\":\"").unwrap() + 20;
    let mut flipped = good.clone();
    let other = if &good[raw_at..=raw_at] == "A" {
        "B"
    } else {
        "A"
    };
    flipped.replace_range(raw_at..=raw_at, other);
    for number in 1..=3 {
        for bad in [
            "\n",
            "{}\n",
            "garbage\n",
            &flipped,
            &good.replace("\"v\":1", "\"v\":2"),
        ] {
            check_corrupt(number, bad);
        }
        check_corrupt(number, &good.replace("\"v\":1", "\"v\":1,\"x\":1"));
    }
    // A number that does not rise: replayed or reordered lines.
    check_corrupt(2, &line(&record(1)));
    check_corrupt(3, &line(&record(1)));
}

#[test]
fn a_last_line_longer_than_any_record_is_an_error() {
    for length in [MAX_RAW * 4 / 3 + 1024, 3 * 1024 * 1024] {
        let place = Place::with(&format!("{}{}", line(&record(1)), "x".repeat(length)));
        assert!(matches!(place.open(), Err(StateError::Corrupt { .. })));
    }
}

#[test]
fn the_largest_record_can_be_written_and_read() {
    let mut large = record(2);
    large.raw.resize(MAX_RAW, b'x');
    let text = String::from_utf8(large.raw.clone()).unwrap();
    let (head, rest) = text.split_once("gpgsig ").unwrap();
    let (_, body) = rest.split_once("END SSH SIGNATURE-----\n").unwrap();
    large.id = EntryId::of(format!("{head}{body}").as_bytes());
    let place = Place::new();
    let mut state = place.open().unwrap();
    state.record(&record(1)).unwrap();
    state.record(&large).unwrap();
    state.record(&record(3)).unwrap();
    drop(state);
    assert_eq!(
        place.open().unwrap().records().unwrap(),
        [record(1), large, record(3)]
    );
}

#[test]
fn opening_reads_only_the_end_of_a_long_log() {
    let mut lines: Vec<String> = (1..=5000).map(|seq| line(&record(seq))).collect();
    lines[2] = "damaged, long ago\n".to_owned();
    let place = Place::with(&lines.concat());
    let mut state = place.open().unwrap();
    assert_eq!(state.last(), Some(&record(5000)));
    state.record(&record(5001)).unwrap();
    assert_eq!(state.last(), Some(&record(5001)));
    let all = state.records();
    assert!(
        matches!(all, Err(StateError::Corrupt { line: 3, .. })),
        "{all:?}"
    );
}

#[test]
fn a_second_process_waits_for_the_lock_and_then_reports_it() {
    let place = Place::new();
    let root = place.0.path().join("state");
    let open = |wait| SignState::open(&root, LEDGER, PUBLIC, Duration::from_millis(wait));
    let first = open(0).unwrap();
    let start = Instant::now();
    let error = open(100).unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(
        error
            .to_string()
            .contains("another git-quorum of this member is running"),
        "{error}"
    );
    // Another key or another ledger has its own state.
    assert!(SignState::open(&root, LEDGER, [2; 32], Duration::ZERO).is_ok());
    assert!(SignState::open(&root, EntryId::new([3; 32]), PUBLIC, Duration::ZERO).is_ok());
    let release = thread::spawn(move || {
        thread::sleep(Duration::from_millis(60));
        drop(first);
    });
    assert!(open(20_000).is_ok());
    release.join().unwrap();
}

#[test]
fn a_write_in_spite_of_the_lock_is_noticed() {
    let place = Place::new();
    let mut state = place.open().unwrap();
    state.record(&record(1)).unwrap();
    fs::write(place.log(), "").unwrap();
    // The last record is gone. Only the length shows that.
    assert!(matches!(
        state.record(&record(2)),
        Err(StateError::Changed { .. })
    ));
    assert_eq!(place.text(), "");
}

/// A full disk: takes `room` bytes, then no more; cutting fails when told so.
struct FullDisk {
    content: Vec<u8>,
    room: usize,
    cut_fails: bool,
    syncs_before_failing: usize,
}

impl Sink for FullDisk {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert_eq!(offset, self.content.len() as u64);
        let fits = bytes.len().min(self.room);
        self.content.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        if self.cut_fails {
            return Err(io::ErrorKind::Other.into());
        }
        self.content.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.syncs_before_failing == 0 {
            self.syncs_before_failing = usize::MAX;
            return Err(io::ErrorKind::Other.into());
        }
        Ok(())
    }
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let disk = |room, cut_fails, syncs| FullDisk {
        content: b"old\n".to_vec(),
        room,
        cut_fails,
        syncs_before_failing: syncs,
    };
    for room in 0..4 {
        let mut full = disk(room, false, usize::MAX);
        assert!(append_whole(&mut full, 4, b"new\n").unwrap_err().undone);
        assert_eq!(full.content, b"old\n");
    }
    let mut unsynced = disk(9, false, 0);
    assert!(append_whole(&mut unsynced, 4, b"new\n").unwrap_err().undone);
    assert_eq!(unsynced.content, b"old\n");
    assert!(
        !append_whole(&mut disk(2, true, usize::MAX), 4, b"new\n")
            .unwrap_err()
            .undone
    );
}

#[test]
fn the_chosen_root_comes_first_then_the_state_directory_then_the_home() {
    let root = |chosen: &str, xdg: &str, home: &str| {
        let root = StateRoot {
            chosen: Some(chosen.into()),
            xdg_state_home: Some(xdg.into()),
            home: Some(home.into()),
        };
        root.resolve()
    };
    let from_home = Path::new("/h/.local/state/git-quorum");
    assert_eq!(root("/s", "/x", "/h").unwrap(), Path::new("/s"));
    assert_eq!(root("", "/x", "/h").unwrap(), Path::new("/x/git-quorum"));
    assert_eq!(root("", "", "/h").unwrap(), from_home);
    assert_eq!(root("", "x", "/h").unwrap(), from_home);
    for nothing in [root("", "", ""), StateRoot::default().resolve()] {
        assert!(matches!(nothing, Err(StateError::NoRoot)));
    }
    for relative in [root("s", "/x", "/h"), root("", "", "h")] {
        assert!(matches!(relative, Err(StateError::RelativeRoot { .. })));
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_has_access_even_if_others_had_it_before() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let place = Place::new();
    drop(place.open().unwrap());
    let name = place
        .dir()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(name, "abababababababab-72cd6e8422c407fb");
    fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(place.open().unwrap());
    assert_eq!(mode(&place.dir()), 0o700);
    assert_eq!(mode(&place.log()), 0o600);
    assert_eq!(mode(&place.dir().join("lock")), 0o600);
}
