//! The armoured signature of an entry: the text, and the blob in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git_quorum::charter::PublicKey;
use git_quorum::ledger::{armour, unarmour};
use ssh_key::{HashAlg, SshSig};

/// A signature that is accepted has one form, and the `ssh-key` library reads the same from it. The
/// input is used as an armour, as a blob in an armour, and as a key and a signature.
pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        read(text);
    }
    read(&wrapped(input));
    if let Some((key, rest)) = input.split_first_chunk()
        && let Some(signature) = rest.first_chunk()
    {
        write(*key, signature);
    }
}

fn read(text: &str) {
    let Ok((key, signature)) = unarmour(text) else {
        return;
    };
    assert_eq!(
        armour(&key, &signature).expect("an armour can be made"),
        text,
        "an armour has one form"
    );
    let peer = SshSig::from_pem(text).expect("the library reads what we read");
    assert_eq!(peer.public_key().ed25519().map(|k| k.0), Some(*key.bytes()));
    assert_eq!(
        (peer.signature_bytes(), peer.namespace()),
        (signature.as_slice(), "git")
    );
    assert_eq!(
        (peer.hash_alg(), peer.reserved()),
        (HashAlg::Sha512, [].as_slice())
    );
}

fn write(key: [u8; 32], signature: &[u8; 64]) {
    let Ok(key) = PublicKey::admit(key) else {
        return;
    };
    let text = armour(&key, signature).expect("an armour can be made");
    assert_eq!(
        unarmour(&text).ok(),
        Some((key, *signature)),
        "what is written is read"
    );
}

/// Writes lines of 70 characters, as ssh-keygen does.
fn wrapped(blob: &[u8]) -> String {
    let text = STANDARD.encode(blob);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(70)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        lines.join("\n")
    )
}
