//! Stock OpenSSH as the oracle: its keys load here, ours load there, and it verifies what we
//! sign, from a file and through its agent.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::thread::JoinHandle;

use ed25519_dalek::{Signer as _, SigningKey};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use super::testing::Stock;
use super::*;

const MESSAGE: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\npropose\n";

/// Has `ssh-keygen -Y verify -n git` judge the entry signature that `signer` makes.
fn stock_verifies(stock: &Stock, signer: &Signer) {
    let raw = signer.sign_entry(MESSAGE).unwrap();
    let key = ssh_public(signer.public());
    let signature = Signature::new(Algorithm::Ed25519, raw.to_vec()).unwrap();
    let sig = SshSig::new(key.key_data().clone(), "git", HashAlg::Sha512, signature).unwrap();
    fs::write(stock.path("sig"), sig.to_pem(LineEnding::LF).unwrap()).unwrap();
    fs::write(
        stock.path("allowed"),
        format!("alice {}\n", key.to_openssh().unwrap()),
    )
    .unwrap();
    let mut command = stock.command("ssh-keygen");
    command.args([
        "-Y", "verify", "-n", "git", "-I", "alice", "-f", "allowed", "-s", "sig",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(MESSAGE).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What `ssh-keygen -y` says the public key is.
fn stock_public(stock: &Stock, path: &Path, passphrase: &str) -> [u8; 32] {
    let line = stock.keygen(&["-y", "-P", passphrase, "-f", path.to_str().unwrap()]);
    let key = PublicKey::from_openssh(line.trim()).unwrap();
    key.key_data().ed25519().unwrap().0
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn stock_keys_load_and_stock_openssh_verifies_their_signatures() {
    let Some(stock) = Stock::new() else { return };
    for (name, passphrase) in [("plain", ""), ("locked", "a \"long\" passphrase")] {
        let path = stock.new_key(name, "ed25519", passphrase);
        let signer = Signer::from_file(&path, &PassphraseSource::text(passphrase)).unwrap();
        assert_eq!(signer.public(), stock_public(&stock, &path, passphrase));
        assert_eq!(signer.public(), read_public(&path).unwrap());
        assert_eq!(
            signer.public(),
            read_public(&stock.path(&format!("{name}.pub"))).unwrap()
        );
        stock_verifies(&stock, &signer);
    }
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_key_encrypted_with_any_stock_cipher_loads() {
    let Some(stock) = Stock::new() else { return };
    for cipher in [
        "aes256-ctr",
        "aes256-cbc",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ] {
        let name = cipher.split('@').next().unwrap();
        stock.keygen(&[
            "-q", "-t", "ed25519", "-Z", cipher, "-a", "1", "-N", "pass", "-f", name,
        ]);
        let signer = Signer::from_file(&stock.path(name), &PassphraseSource::text("pass"));
        stock_verifies(&stock, &signer.unwrap());
        let wrong = Signer::from_file(&stock.path(name), &PassphraseSource::text("Pass"));
        assert!(
            matches!(wrong, Err(SignerError::WrongPassphrase { .. })),
            "{cipher}: {wrong:?}"
        );
    }
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn stock_openssh_reads_and_signs_with_our_keys() {
    let Some(stock) = Stock::new() else { return };
    for (name, passphrase) in [("ours", None), ("ours-locked", Some("pass word"))] {
        let pair = keygen(&stock.path("keys"), name, passphrase).unwrap();
        let public = stock_public(&stock, &pair.private, passphrase.unwrap_or(""));
        assert_eq!(public, read_public(&pair.public).unwrap());
        let listed = stock.keygen(&["-l", "-f", pair.public.to_str().unwrap()]);
        assert!(
            listed.contains(name) && listed.contains("ED25519"),
            "{listed}"
        );
    }
    fs::write(stock.path("message"), MESSAGE).unwrap();
    stock.keygen(&["-Y", "sign", "-n", "git", "-f", "keys/ours", "message"]);
    let sig = SshSig::from_pem(fs::read(stock.path("message.sig")).unwrap()).unwrap();
    let signer = Signer::from_file(&stock.path("keys/ours"), &PassphraseSource::none()).unwrap();
    // ed25519 signatures are deterministic: the very same 64 bytes must come out.
    assert_eq!(sig.signature_bytes(), signer.sign_entry(MESSAGE).unwrap());
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_key_of_another_type_is_refused_and_the_error_names_the_type() {
    let Some(stock) = Stock::new() else { return };
    for (kind, named) in [("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256")] {
        for passphrase in ["", "pass"] {
            let name = format!("{kind}{passphrase}");
            let path = stock.new_key(&name, kind, passphrase);
            let public = stock.path(&format!("{name}.pub"));
            let from_file = Signer::from_file(&path, &PassphraseSource::none()).unwrap_err();
            for error in [
                from_file,
                read_public(&path).unwrap_err(),
                read_public(&public).unwrap_err(),
            ] {
                let text = error.to_string();
                assert!(text.contains(named), "{text}");
                let remedy = error.remedy().unwrap();
                assert!(remedy.contains("ssh-keygen -t ed25519"), "{remedy}");
            }
        }
    }
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_public_key_is_refused_and_the_remedy_names_the_private_one() {
    let Some(stock) = Stock::new() else { return };
    let path = stock.new_key("alice", "ed25519", "");
    let refused = |path: &Path| Signer::from_file(path, &PassphraseSource::none()).unwrap_err();
    let remedy = refused(&stock.path("alice.pub")).remedy().unwrap();
    let expected = format!("name the private key: {}", path.display());
    assert_eq!(remedy, expected);
    fs::copy(stock.path("alice.pub"), stock.path("copy")).unwrap();
    let text = refused(&stock.path("copy")).to_string();
    assert!(text.contains("is a public key and cannot sign"), "{text}");
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_key_that_others_can_read_is_refused_until_its_mode_is_corrected() {
    let Some(stock) = Stock::new() else { return };
    let path = stock.new_key("my key", "ed25519", "");
    for mode in [0o640, 0o604, 0o620, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Signer::from_file(&path, &PassphraseSource::none()).unwrap_err();
        let expected = format!("run: chmod 600 '{}'", path.display());
        assert_eq!(error.remedy(), Some(expected), "{error}");
        assert!(read_public(&path).is_ok());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(Signer::from_file(&path, &PassphraseSource::none()).is_ok());
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_file_that_is_not_a_key_file_is_refused() {
    let Some(stock) = Stock::new() else { return };
    let path = stock.path("x");
    let refused = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        (
            Signer::from_file(&path, &PassphraseSource::none()).unwrap_err(),
            read_public(&path).unwrap_err(),
        )
    };
    for other in [
        &b""[..],
        b"hello\n",
        b"-----BEGIN PRIVATE KEY-----\nMC4=\n",
        b"ssh-ed25519 A\nssh-ed25519 B\n",
    ] {
        assert!(matches!(
            refused(other),
            (
                SignerError::NotOpenSsh { .. },
                SignerError::NotOpenSsh { .. }
            )
        ));
    }
    let cut =
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n";
    assert!(matches!(
        refused(cut),
        (SignerError::Damaged { .. }, SignerError::Damaged { .. })
    ));
    assert!(matches!(
        refused(&[b'x'; 65537]).1,
        SignerError::TooLarge { .. }
    ));
    let dir = stock.path("");
    assert!(matches!(read_public(&dir), Err(SignerError::NotAFile(_))));
    let missing = read_public(&stock.path("nowhere")).unwrap_err().to_string();
    assert!(
        missing.contains("cannot read the key file") && missing.contains("nowhere"),
        "{missing}"
    );
}

#[test]
#[cfg_attr(not(has_openssh), ignore = "OpenSSH is not installed")]
fn a_stock_agent_signs_beside_keys_of_other_types() {
    let Some(stock) = Stock::new() else { return };
    let keys = [
        stock.new_key("rsa", "rsa", ""),
        stock.new_key("ecdsa", "ecdsa", ""),
        stock.new_key("alice", "ed25519", ""),
    ];
    let bob = read_public(&stock.new_key("bob", "ed25519", "")).unwrap();
    let alice = read_public(&keys[2]).unwrap();
    let mut agent = stock.agent(&keys.each_ref().map(|key| key.as_path()));
    let signer = AgentKey::at(&agent.socket, alice)
        .map(Signer::Agent)
        .unwrap();
    stock_verifies(&stock, &signer);
    let from_file = Signer::from_file(&keys[2], &PassphraseSource::none()).unwrap();
    let pae = b"DSSEv1 1 a 1 b";
    assert_eq!(
        signer.sign_agreement(pae).unwrap(),
        from_file.sign_agreement(pae).unwrap()
    );
    let error = AgentKey::at(&agent.socket, bob).unwrap_err();
    assert!(matches!(error, SignerError::NotHeld { .. }), "{error}");
    assert!(error.remedy().unwrap().contains("ssh-add FILE"));
    stock.add(&agent, &["-D"]);
    assert!(matches!(
        signer.sign_entry(MESSAGE),
        Err(SignerError::AgentRefused { .. })
    ));
    agent.stop();
    assert!(matches!(
        signer.sign_entry(MESSAGE),
        Err(SignerError::AgentUnreachable { .. })
    ));
    assert!(matches!(
        AgentKey::at(&stock.path("no"), alice),
        Err(SignerError::AgentUnreachable { .. })
    ));
}

/// An agent that answers `replies` in turn, one connection each, whatever it is asked.
fn false_agent(socket: &Path, replies: Vec<Vec<u8>>) -> JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for reply in replies {
            let mut stream = listener.accept().unwrap().0;
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&string(&reply)).unwrap();
        }
    })
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// The reply with a signature of this type.
fn signature_reply(kind: &str, signature: &[u8]) -> Vec<u8> {
    let inner = [string(kind.as_bytes()), string(signature)].concat();
    [vec![14], string(&inner)].concat()
}

#[test]
fn a_bad_signature_from_a_false_agent_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_bytes(&[9; 32]);
    let public = key.verifying_key().to_bytes();
    let data = SshSig::signed_data("git", HashAlg::Sha512, MESSAGE).unwrap();
    let good = key.sign(&data).to_bytes();
    let over_other_data = key.sign(MESSAGE).to_bytes();
    // The first listing holds a key blob that no client can parse: it must not keep us from ours.
    let unparsable = [
        &[12, 0, 0, 0, 1][..],
        &string(&string(b"nonsense")),
        &string(b"c"),
    ]
    .concat();
    let replies = vec![
        unparsable,
        signature_reply("ssh-ed25519", &good),
        signature_reply("ssh-ed25519", &over_other_data),
        signature_reply("ssh-ed25519", &good[..63]),
        signature_reply("rsa-sha2-512", &good),
        vec![6],
        vec![],
    ];
    let socket = dir.path().join("sock");
    let running = false_agent(&socket, replies);
    let signer = AgentKey::at(&socket, public).map(Signer::Agent).unwrap();
    assert_eq!(signer.sign_entry(MESSAGE).unwrap(), good);
    assert!(matches!(
        signer.sign_entry(MESSAGE),
        Err(SignerError::BadSignature { .. })
    ));
    for _ in 0..4 {
        let refused = signer.sign_entry(MESSAGE);
        assert!(
            matches!(refused, Err(SignerError::AgentAnswer { .. })),
            "{refused:?}"
        );
    }
    running.join().unwrap();
}
