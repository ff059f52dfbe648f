//! Git's pkt-line framing: four hexadecimal digits of length, then so many bytes. Strict and bounded.

use std::io::{ErrorKind, Read, Write};

/// The most bytes that a line carries.
pub const MAX_LINE: usize = 65_516;

/// The most bytes that a part holds.
const MAX_PART: usize = 1 << 27;

/// A line, or the mark between two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Bytes; a line end after them is taken off.
    Line(Vec<u8>),
    /// The end of a part.
    Flush,
}

/// Why there is no packet.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The other side could not be read or written.
    #[error("the conversation with Git broke off: {0}")]
    Io(#[from] std::io::Error),
    /// It is not in the form that Git writes.
    #[error("what Git said is not in the form that it should have: {0}")]
    Form(&'static str),
}

/// Reads a packet.
pub fn read(input: &mut impl Read) -> Result<Packet, PacketError> {
    let mut head = [0; 4];
    input.read_exact(&mut head)?;
    let text = std::str::from_utf8(&head)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    let length = text.and_then(|text| usize::from_str_radix(text, 16).ok());
    match length.ok_or(PacketError::Form("a length that is no number"))? {
        0 => Ok(Packet::Flush),
        1..=4 => Err(PacketError::Form("a length that means nothing here")),
        length if length - 4 > MAX_LINE => Err(PacketError::Form("a line over the limit")),
        length => {
            let mut line = vec![0; length - 4];
            input.read_exact(&mut line)?;
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            Ok(Packet::Line(line))
        }
    }
}

/// Reads the lines up to the end of the part; at most so many.
pub fn read_part(input: &mut impl Read, limit: usize) -> Result<Vec<Vec<u8>>, PacketError> {
    let (mut lines, mut bytes) = (Vec::new(), 0_usize);
    loop {
        let Packet::Line(line) = read(input)? else {
            return Ok(lines);
        };
        bytes = bytes.saturating_add(line.len());
        if lines.len() >= limit || bytes > MAX_PART {
            return Err(PacketError::Form("more lines than the limit"));
        }
        lines.push(line);
    }
}

/// Writes a line.
pub fn write(output: &mut impl Write, line: &[u8]) -> Result<(), PacketError> {
    if line.is_empty() || line.len() > MAX_LINE {
        return Err(
            std::io::Error::new(ErrorKind::InvalidInput, "a line that cannot be sent").into(),
        );
    }
    output.write_all(format!("{:04x}", line.len() + 4).as_bytes())?;
    Ok(output.write_all(line)?)
}

/// Writes the end of a part.
pub fn flush(output: &mut impl Write) -> Result<(), PacketError> {
    output.write_all(b"0000")?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        for line in [b"a".as_slice(), b"\0\xff", &[b'x'; MAX_LINE]] {
            write(&mut bytes, line).unwrap();
        }
        flush(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"0005a0006\0\xff"));
        let mut input = bytes.as_slice();
        assert_eq!(
            read_part(&mut input, 3).unwrap(),
            [b"a".to_vec(), b"\0\xff".to_vec(), vec![b'x'; MAX_LINE]]
        );
        assert!(read_part(&mut bytes.as_slice(), 2).is_err(), "bounded");
        assert!(
            write(&mut Vec::new(), &[0; MAX_LINE + 1]).is_err()
                && write(&mut Vec::new(), b"").is_err()
        );
        assert_eq!(
            read(&mut b"0006a\n".as_slice()).unwrap(),
            Packet::Line(b"a".to_vec())
        );
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        for bad in [
            "", "0", "000", "0004", "0001", "0003", "+005a", "00 5a", "zzzz", "0006a", "fff1",
            "ffff",
        ] {
            assert!(read(&mut bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
