//! Commits put together by hand: what a member, or anyone without a key, could make of an entry.

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
    /// The parts of a good entry.
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

    /// The bytes that a signature is over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let header = self
            .headers
            .iter()
            .fold(String::new(), |text, line| text + line + "\n");
        [header.as_bytes(), b"\n", &self.message].concat()
    }

    /// The whole commit.
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

    /// The commit, signed by a member over exactly what stands in it.
    pub fn sign(mut self, member: &str) -> Vec<u8> {
        let signature = signing_key(member)
            .sign(&signed_data(&self.signed_bytes()))
            .to_bytes();
        self.armour = armour(&public_key(member), &signature).unwrap();
        self.raw()
    }

    /// The same with the one occurrence of `from` in a header line replaced.
    pub fn header(mut self, from: &str, to: &str) -> Craft {
        let line = self
            .headers
            .iter_mut()
            .find(|line| line.contains(from))
            .unwrap();
        *line = line.replacen(from, to, 1);
        self
    }

    /// The same with a header line more, at the end.
    pub fn with(mut self, line: &str) -> Craft {
        self.headers.push(line.to_owned());
        self
    }

    /// The same with `from`, which must occur, replaced in the message, once.
    pub fn say(mut self, from: &str, to: &str) -> Craft {
        self.message = replaced(&self.message, from.as_bytes(), to.as_bytes());
        self
    }

    /// The same with another payload.
    pub fn payload(mut self, payload: &str) -> Craft {
        let text = String::from_utf8(self.message).unwrap();
        let subject = text.lines().next().unwrap();
        self.message = format!("{subject}\n\n{payload}\n").into_bytes();
        self
    }

    /// The same under another subject line.
    pub fn subject(mut self, subject: &str) -> Craft {
        let text = String::from_utf8(self.message).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        self.message = format!("{subject}\n{rest}").into_bytes();
        self
    }

    /// The payload's text.
    pub fn json(&self) -> String {
        let text = std::str::from_utf8(&self.message).unwrap();
        text.split_once("\n\n").unwrap().1.trim_end().to_owned()
    }

    /// The same with this armour.
    pub fn armoured(mut self, armour: &str) -> Vec<u8> {
        self.armour = armour.to_owned();
        self.raw()
    }

    /// The same with this raw signature by this member's key.
    pub fn with_signature(self, member: &str, signature: &[u8; 64]) -> Vec<u8> {
        let armour = armour(&public_key(member), signature).unwrap();
        self.armoured(&armour)
    }

    /// The blob inside the armour.
    pub fn blob(&self) -> Vec<u8> {
        let base64: String = self
            .armour
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        BASE64_STANDARD.decode(base64).unwrap()
    }

    /// The signature: the last 64 bytes of the blob.
    pub fn signature(&self) -> [u8; 64] {
        self.blob().last_chunk().copied().unwrap()
    }
}

/// The first occurrence of `from`, which there must be, replaced.
pub fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|w| w == from)
        .expect("nothing to replace");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// An armour around a blob, in lines of this many characters.
pub fn wrap(blob: &[u8], width: usize) -> String {
    lines(&BASE64_STANDARD.encode(blob), width)
}

/// An armour around base64 text.
pub fn lines(base64: &str, width: usize) -> String {
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for line in base64.as_bytes().chunks(width) {
        text += std::str::from_utf8(line).unwrap();
        text.push('\n');
    }
    text + "-----END SSH SIGNATURE-----\n"
}

/// The parts of an OpenSSH signature blob, each as it stands between its length and the next one.
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
    /// The blob of a member's key, without a signature.
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

    /// The same with the member's true signature over `signed_bytes`, as the blob's own fields say it
    /// is to be made.
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

    /// Its bytes.
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

    /// Its armour.
    pub fn armour(&self) -> String {
        wrap(&self.bytes(), 70)
    }
}

/// A length and these bytes.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// The same signature with the group order L added to S: it satisfies the same equation.
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
