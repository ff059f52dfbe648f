//! Finds out what this machine lacks that some tests need. `cargo test` then lists these tests as
//! ignored, with the reason, instead of passing them.
//!
//! For each thing that is there, the tests get a `cfg`, such as `has_zsh`. The library and the
//! program do not use these. If `GIT_QUORUM_REQUIRE` names the group of a thing, its tests always
//! run, and fail if the thing is missing (see `tests/common/needs.rs`).
//!
//! The script runs again if `PATH` or one of the variables below changes. After the installation
//! of a program, run `touch build.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A thing that only some machines have.
struct Need {
    /// The name of the `cfg`.
    cfg: &'static str,
    /// The group that `GIT_QUORUM_REQUIRE` can name.
    group: &'static str,
    /// Whether the thing is there.
    found: fn() -> bool,
}

const NEEDS: [Need; 18] = [
    need("has_bash_completion", "comfort", || {
        let git = Path::new("/usr/share/bash-completion/completions/git");
        program("bash") && git.exists()
    }),
    need("has_fish", "comfort", || program("fish")),
    need("has_make", "comfort", || program("make")),
    need("has_man", "comfort", || program("man")),
    need("has_mandoc", "comfort", || program("mandoc")),
    need("has_script", "comfort", || program("script")),
    need("has_zsh", "comfort", || program("zsh")),
    need("has_managers", "managers", || set("GIT_QUORUM_MANAGERS")),
    need("has_mount", "mount", may_mount),
    need("has_newer_git", "newer-git", || set("GIT_QUORUM_NEWER_GIT")),
    need("has_older_git", "older-git", git_is_older),
    need("has_openssh", "openssh", || {
        ["ssh-keygen", "ssh-agent", "ssh-add"]
            .into_iter()
            .all(program)
    }),
    need("has_second_verifier", "second-verifier", || {
        let python = std::env::var_os("GIT_QUORUM_PYTHON").unwrap_or_else(|| "python3".into());
        let mut import = Command::new(python);
        import.args(["-c", "import nacl.bindings"]);
        import.output().is_ok_and(|output| output.status.success())
    }),
    need("has_fcgiwrap", "transports", || program("fcgiwrap")),
    need("has_gitolite", "transports", || program("gitolite")),
    need("has_nginx", "transports", || program("nginx")),
    need("has_sshd", "transports", || program("sshd")),
    need("has_root", "root", || {
        status("Uid:").is_some_and(|ids| ids.starts_with("0\t"))
    }),
];

const fn need(cfg: &'static str, group: &'static str, found: fn() -> bool) -> Need {
    Need { cfg, group, found }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for variable in [
        "PATH",
        "GIT_QUORUM_MANAGERS",
        "GIT_QUORUM_NEWER_GIT",
        "GIT_QUORUM_PYTHON",
        "GIT_QUORUM_REQUIRE",
    ] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let required = std::env::var("GIT_QUORUM_REQUIRE").unwrap_or_default();
    let is_required = |group: &str| required.split(',').any(|name| name.trim() == group);
    for need in NEEDS {
        println!("cargo:rustc-check-cfg=cfg({})", need.cfg);
        if is_required(need.group) || (need.found)() {
            println!("cargo:rustc-cfg={}", need.cfg);
        }
    }
}

/// Whether a program is installed. Also looks where servers are, which `PATH` may not contain.
fn program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = [
        "/usr/local/sbin",
        "/usr/sbin",
        "/sbin",
        "/usr/share/gitolite3",
    ];
    let mut folders = std::env::split_paths(&path).chain(servers.map(PathBuf::from));
    folders.any(|folder| folder.join(name).is_file())
}

/// Whether an environment variable is set.
fn set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Whether Git takes no hooks from its settings. Git 2.54 was the first version that does.
fn git_is_older() -> bool {
    let Ok(output) = Command::new("git").arg("--version").output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim_start_matches("git version ");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (2, 54),
        _ => false,
    }
}

/// Whether this process has the capability that mounting needs, CAP_SYS_ADMIN (bit 21).
fn may_mount() -> bool {
    let capabilities = status("CapEff:").unwrap_or_default();
    let bits = u64::from_str_radix(&capabilities, 16).unwrap_or_default();
    bits & (1 << 21) != 0
}

/// Returns a field of this process in Linux's `/proc`. `None` on other systems.
fn status(field: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().to_owned())
}
