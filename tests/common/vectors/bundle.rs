//! Writes Git bundles byte by byte (gitformat-bundle, gitformat-pack), correct ones and malformed
//! ones. Shares nothing with the program. Knows nothing of what the objects mean.

use git_quorum::id::Oid;
use sha1_checked::{Digest as _, Sha1};

/// How a pack stores an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Packed {
    /// Stored, in as few blocks as possible.
    Stored,
    /// Stored, in blocks of this many bytes.
    InBlocksOf(usize),
    /// Stored, with a wrong checksum.
    Damaged,
    /// Compressed. Only for an object without bytes.
    Empty,
    /// As a delta to the previous object.
    Delta,
}

/// An object of a pack.
#[derive(Debug, Clone)]
pub struct Object {
    kind: u8,
    raw: Vec<u8>,
    pub packed: Packed,
}

impl Object {
    fn new(kind: u8, raw: &[u8]) -> Object {
        Object {
            kind,
            raw: raw.to_vec(),
            packed: Packed::Stored,
        }
    }

    pub fn commit(raw: &[u8]) -> Object {
        Object::new(1, raw)
    }

    pub fn tree(raw: &[u8]) -> Object {
        Object::new(2, raw)
    }

    pub fn empty_tree() -> Object {
        Object::tree(b"")
    }

    pub fn blob(raw: &[u8]) -> Object {
        Object::new(3, raw)
    }
}

/// Returns a bundle of version 2 with these refs below `refs/quorum-proof/` and these objects.
pub fn bundle(refs: &[(String, Oid)], objects: &[Object]) -> Vec<u8> {
    let refs: String = refs
        .iter()
        .map(|(name, oid)| format!("{oid} refs/quorum-proof/{name}\n"))
        .collect();
    [b"# v2 git bundle\n", refs.as_bytes(), b"\n", &pack(objects)].concat()
}

fn pack(objects: &[Object]) -> Vec<u8> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend((objects.len() as u32).to_be_bytes());
    let mut before: Option<(usize, &Object)> = None;
    for object in objects {
        let start = pack.len();
        match (object.packed, before) {
            (Packed::Delta, Some((at, base))) => {
                let delta = delta(&base.raw, &object.raw);
                pack.extend(head(6, delta.len()));
                pack.extend(distance(start - at));
                pack.extend(stored(&delta, usize::MAX));
            }
            (packed, _) => {
                pack.extend(head(object.kind, object.raw.len()));
                pack.extend(stream(packed, &object.raw));
            }
        }
        before = Some((start, object));
    }
    let checksum = Sha1::digest(&pack);
    pack.extend_from_slice(&checksum);
    pack
}

/// Returns the kind and the size of an object: the first byte has three bits of kind and four of
/// size, the next ones seven bits of size each.
fn head(kind: u8, size: usize) -> Vec<u8> {
    let mut bytes = vec![kind << 4 | (size & 15) as u8];
    bytes.extend(if size >> 4 > 0 {
        number(size >> 4)
    } else {
        vec![]
    });
    if bytes.len() > 1 {
        bytes[0] |= 0x80;
    }
    bytes
}

/// Returns a number with seven bits in each byte, the low bits first.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Returns the distance from a delta back to its base: seven bits in each byte, the high bits
/// first, each byte but the last one decreased by one.
fn distance(mut value: usize) -> Vec<u8> {
    let mut bytes = vec![(value & 0x7f) as u8];
    while value >= 0x80 {
        value = (value >> 7) - 1;
        bytes.insert(0, value as u8 | 0x80);
    }
    bytes
}

/// Returns a delta that copies nothing from its base.
fn delta(base: &[u8], raw: &[u8]) -> Vec<u8> {
    let inserts = raw
        .chunks(127)
        .flat_map(|part| [&[part.len() as u8], part].concat());
    [number(base.len()), number(raw.len()), inserts.collect()].concat()
}

fn stream(packed: Packed, raw: &[u8]) -> Vec<u8> {
    match packed {
        Packed::InBlocksOf(size) => stored(raw, size),
        // RFC 1951: one block with fixed codes that contains only its end.
        Packed::Empty if raw.is_empty() => {
            [&[0x78, 0x9c, 0x03, 0x00][..], &adler32(raw).to_be_bytes()].concat()
        }
        Packed::Damaged => {
            let mut bytes = stored(raw, usize::MAX);
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }
        _ => stored(raw, usize::MAX),
    }
}

/// Returns a zlib stream of stored blocks.
fn stored(raw: &[u8], size: usize) -> Vec<u8> {
    let mut blocks: Vec<&[u8]> = raw.chunks(size.min(usize::from(u16::MAX))).collect();
    if blocks.is_empty() {
        blocks.push(&[]);
    }
    let mut bytes = vec![0x78, 0x01];
    for (n, block) in blocks.iter().enumerate() {
        let length = block.len() as u16;
        bytes.push(u8::from(n + 1 == blocks.len()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend_from_slice(block);
    }
    bytes.extend(adler32(raw).to_be_bytes());
    bytes
}

/// Returns the Adler-32 checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let sum = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = bytes.iter().fold((1, 0), sum);
    b << 16 | a
}
