//! Git's pkt-line framing: four hexadecimal digits of length, then that many bytes.
//!
//! Refuses every other form, and bounds what it reads. Knows nothing of what the lines mean.

use std::io::{ErrorKind, Read, Write};

/// The most bytes that one line carries.
pub const MAX_LINE: usize = 65_516;

/// The most bytes that one part holds in all its lines.
const MAX_PART: usize = 1 << 27;

/// A line, or the end of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The bytes of a line, without a line feed at the end.
    Line(Vec<u8>),
    /// The end of a part.
    Flush,
}

/// Why a packet could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// Reading or writing failed.
    #[error("the conversation with Git broke off: {0}")]
    Io(#[from] std::io::Error),
    /// The input has a form that Git does not write.
    #[error("Git sent input in an unexpected form: {0}")]
    Form(&'static str),
}

/// Reads one packet.
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

/// Reads the lines of one part, up to its end. Refuses more than `limit` lines.
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

/// Writes one line. An empty line is an error, because Git would read it as an end.
pub fn write(output: &mut impl Write, line: &[u8]) -> Result<(), PacketError> {
    if line.is_empty() || line.len() > MAX_LINE {
        return Err(
            std::io::Error::new(ErrorKind::InvalidInput, "a line that cannot be sent").into(),
        );
    }
    output.write_all(format!("{:04x}", line.len() + 4).as_bytes())?;
    Ok(output.write_all(line)?)
}

/// Writes the end of a part, and flushes.
pub fn flush(output: &mut impl Write) -> Result<(), PacketError> {
    output.write_all(b"0000")?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_packets_can_be_read_back() {
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
    fn malformed_packets_are_errors() {
        for bad in [
            "", "0", "000", "0004", "0001", "0003", "+005a", "00 5a", "zzzz", "0006a", "fff1",
            "ffff",
        ] {
            assert!(read(&mut bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
