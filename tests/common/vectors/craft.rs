//! Builds commits by hand: what a member, or anybody without a key, could make of an entry.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::Signer as _;
use git_quorum::ledger::{armour, signed_data};
use sha2::{Digest as _, Sha512};

pub use crate::lab::sign_with_nonce;
use crate::lab::{public_key, signing_key};

/// A commit in parts: the header lines without the signature, the armour, and the message.
#[derive(Clone)]
pub struct Craft {
    pub headers: Vec<String>,
    pub armour: String,
    pub message: Vec<u8>,
}

impl Craft {
    /// Returns the parts of a valid entry.
    pub fn of(raw: &[u8]) -> Craft {
        let text = std::str::from_utf8(raw).unwrap();
        let (header, message) = text.split_once("\n\n").unwrap();
        let (headers, armour) = header.split_once("\ngpgsig ").unwrap();
        let headers = headers.lines().map(str::to_owned).collect();
        Craft {
            headers,
            armour: armour.replace("\n ", "\n") + "\n",
            message: message.into(),
        }
    }

    /// Returns the bytes that the signature covers.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let header = self
            .headers
            .iter()
            .fold(String::new(), |text, line| text + line + "\n");
        [header.as_bytes(), b"\n", &self.message].concat()
    }

    /// Returns the whole commit.
    pub fn raw(&self) -> Vec<u8> {
        let gpgsig = format!(
            "gpgsig {}\n",
            self.armour.trim_end_matches('\n').replace('\n', "\n ")
        );
        let header = self
            .headers
            .iter()
            .fold(String::new(), |text, line| text + line + "\n");
        [header.as_bytes(), gpgsig.as_bytes(), b"\n", &self.message].concat()
    }

    /// Returns the commit with a member's signature of exactly its bytes.
    pub fn sign(mut self, member: &str) -> Vec<u8> {
        let signature = signing_key(member)
            .sign(&signed_data(&self.signed_bytes()))
            .to_bytes();
        self.armour = armour(&public_key(member), &signature).unwrap();
        self.raw()
    }

    /// Replaces the only occurrence of `from` in a header line.
    pub fn header(mut self, from: &str, to: &str) -> Craft {
        let line = self
            .headers
            .iter_mut()
            .find(|line| line.contains(from))
            .unwrap();
        *line = line.replacen(from, to, 1);
        self
    }

    /// Adds a header line at the end.
    pub fn with(mut self, line: &str) -> Craft {
        self.headers.push(line.to_owned());
        self
    }

    /// Replaces `from`, which must occur, in the message once.
    pub fn say(mut self, from: &str, to: &str) -> Craft {
        self.message = replaced(&self.message, from.as_bytes(), to.as_bytes());
        self
    }

    /// Replaces the payload.
    pub fn payload(mut self, payload: &str) -> Craft {
        let text = String::from_utf8(self.message).unwrap();
        let subject = text.lines().next().unwrap();
        self.message = format!("{subject}\n\n{payload}\n").into_bytes();
        self
    }

    /// Replaces the subject line.
    pub fn subject(mut self, subject: &str) -> Craft {
        let text = String::from_utf8(self.message).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        self.message = format!("{subject}\n{rest}").into_bytes();
        self
    }

    /// Returns the text of the payload.
    pub fn json(&self) -> String {
        let text = std::str::from_utf8(&self.message).unwrap();
        text.split_once("\n\n").unwrap().1.trim_end().to_owned()
    }

    /// Replaces the armour.
    pub fn armoured(mut self, armour: &str) -> Vec<u8> {
        self.armour = armour.to_owned();
        self.raw()
    }

    /// Replaces the signature with this raw signature by this member's key.
    pub fn with_signature(self, member: &str, signature: &[u8; 64]) -> Vec<u8> {
        let armour = armour(&public_key(member), signature).unwrap();
        self.armoured(&armour)
    }

    /// Returns the blob inside the armour.
    pub fn blob(&self) -> Vec<u8> {
        let base64: String = self
            .armour
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        BASE64_STANDARD.decode(base64).unwrap()
    }

    /// Returns the signature, the last 64 bytes of the blob.
    pub fn signature(&self) -> [u8; 64] {
        self.blob().last_chunk().copied().unwrap()
    }
}

/// Replaces the first occurrence of `from`, which must exist.
pub fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|w| w == from)
        .expect("nothing to replace");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Returns an armour around a blob, in lines of this many characters.
pub fn wrap(blob: &[u8], width: usize) -> String {
    lines(&BASE64_STANDARD.encode(blob), width)
}

/// Returns an armour around base64 text.
pub fn lines(base64: &str, width: usize) -> String {
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for line in base64.as_bytes().chunks(width) {
        text += std::str::from_utf8(line).unwrap();
        text.push('\n');
    }
    text + "-----END SSH SIGNATURE-----\n"
}

/// The fields of an OpenSSH signature blob, each without its length.
#[derive(Clone)]
pub struct Blob {
    pub magic: &'static [u8],
    pub version: u32,
    pub key: Vec<u8>,
    pub namespace: &'static [u8],
    pub reserved: &'static [u8],
    pub hash: &'static [u8],
    pub signature: Vec<u8>,
}

impl Blob {
    /// Returns the blob of a member's key, without a signature.
    pub fn of(member: &str) -> Blob {
        Blob {
            magic: b"SSHSIG",
            version: 1,
            key: [string(b"ssh-ed25519"), string(public_key(member).bytes())].concat(),
            namespace: b"git",
            reserved: b"",
            hash: b"sha512",
            signature: vec![],
        }
    }

    /// Adds the member's valid signature of `signed_bytes`, made as the fields of the blob say.
    pub fn sign(mut self, member: &str, signed_bytes: &[u8]) -> Blob {
        let digest = match self.hash {
            b"sha256" => sha2::Sha256::digest(signed_bytes).to_vec(),
            _ => Sha512::digest(signed_bytes).to_vec(),
        };
        let fields = [self.namespace, self.reserved, self.hash, &digest]
            .map(string)
            .concat();
        let signature = signing_key(member).sign(&[b"SSHSIG", fields.as_slice()].concat());
        self.signature = [string(b"ssh-ed25519"), string(&signature.to_bytes())].concat();
        self
    }

    /// Returns the bytes of the blob.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.magic, &self.version.to_be_bytes()].concat();
        for field in [
            &self.key,
            self.namespace,
            self.reserved,
            self.hash,
            &self.signature,
        ] {
            bytes.extend(string(field));
        }
        bytes
    }

    /// Returns the armour of the blob.
    pub fn armour(&self) -> String {
        wrap(&self.bytes(), 70)
    }
}

/// Returns these bytes after their length.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// Returns the same signature with the group order L added to S. It satisfies the same equation.
pub fn add_order(mut signature: [u8; 64]) -> [u8; 64] {
    let order =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0u16;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    signature
}
