//! Creates real repositories for tests, isolated from the user's own settings. Knows nothing of
//! ledgers.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Environment, Repo};
use crate::id::Oid;

/// A file for a commit: path, mode, content. The content of mode `160000` is a commit id.
pub(crate) type File<'a> = (&'a [u8], &'a str, &'a [u8]);

/// A folder for the repositories of one test. It is in memory if the system has such a place.
pub(crate) struct Sandbox {
    dir: TempDir,
    env: Environment,
}

impl Sandbox {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let dir = TempDir::with_prefix_in("git-quorum-", parent).unwrap();
        std::fs::write(dir.path().join("gitconfig"), "").unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let mut env = Environment::scrubbed(std::env::vars_os());
        for (name, value) in isolation(dir.path()) {
            env.set(name, value);
        }
        Self { dir, env }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn env(&self) -> Environment {
        self.env.clone()
    }

    /// Creates a bare repository.
    pub fn bare(&self, name: &str) -> Repo {
        let path = self.path().join(name);
        self.git(
            self.path(),
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                path.to_str().unwrap(),
            ],
        );
        Repo::open_with(&path, self.env()).unwrap()
    }

    /// Creates a repository with a working tree.
    pub fn with_worktree(&self, name: &str) -> Repo {
        let path = self.path().join(name);
        self.git(
            self.path(),
            &[
                "init",
                "--quiet",
                "--initial-branch=main",
                path.to_str().unwrap(),
            ],
        );
        Repo::discover_with(&path, self.env()).unwrap()
    }

    /// Runs git in isolation, and returns its output without the last line end.
    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        String::from_utf8(self.git_bytes(dir, args, b""))
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Runs git as [`Sandbox::git`] does, with bytes as input and output.
    pub fn git_bytes(&self, dir: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .envs(isolation(self.path()))
            .current_dir(dir)
            .args(args);
        let piped = std::process::Stdio::piped;
        let mut child = command
            .stdin(piped())
            .stdout(piped())
            .stderr(piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Creates a commit with exactly these files, on no branch.
    pub fn commit(&self, repo: &Repo, parents: &[Oid], files: &[File<'_>]) -> Oid {
        let mut stream =
            b"commit refs/testing/import\nmark :1\ncommitter Test <test@example.org> 1700000000 +0000\ndata 4\ntest\n"
                .to_vec();
        for (index, parent) in parents.iter().enumerate() {
            let word = if index == 0 { "from" } else { "merge" };
            stream.extend_from_slice(format!("{word} {parent}\n").as_bytes());
        }
        stream.extend_from_slice(b"deleteall\n");
        for file in files {
            stream.extend_from_slice(&import_line(file));
        }
        stream.extend_from_slice(
            b"\nget-mark :1\nreset refs/testing/import\nfrom 0000000000000000000000000000000000000000\n\n",
        );
        let printed = self.git_bytes(
            repo.git_dir(),
            &["fast-import", "--quiet", "--force"],
            &stream,
        );
        std::str::from_utf8(printed.trim_ascii())
            .unwrap()
            .parse()
            .unwrap()
    }

    /// A commit of plain text files, on no branch.
    pub fn commit_text(&self, repo: &Repo, parents: &[Oid], files: &[(&str, &str)]) -> Oid {
        let files: Vec<File<'_>> = files
            .iter()
            .map(|(p, t)| (p.as_bytes(), "100644", t.as_bytes()))
            .collect();
        self.commit(repo, parents, &files)
    }

    /// Puts an executable hook into a repository.
    pub fn hook(&self, repo: &Repo, name: &str, script: &str) {
        let hooks = repo.git_dir().join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        let path = hooks.join(name);
        std::fs::write(&path, script).unwrap();
        executable(&path);
    }
}

fn import_line((path, mode, content): &File<'_>) -> Vec<u8> {
    let quoted: String = path.iter().map(|b| format!("\\{b:03o}")).collect();
    if *mode == "160000" {
        return format!(
            "M 160000 {} \"{quoted}\"\n",
            std::str::from_utf8(content).unwrap()
        )
        .into_bytes();
    }
    let mut line = format!("M {mode} inline \"{quoted}\"\ndata {}\n", content.len()).into_bytes();
    line.extend_from_slice(content);
    line.push(b'\n');
    line
}

fn isolation(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![
        ("HOME", dir.join("home")),
        ("XDG_CONFIG_HOME", dir.join("home")),
        ("GIT_CONFIG_GLOBAL", dir.join("gitconfig")),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_AUTHOR_NAME", "Test".into()),
        ("GIT_AUTHOR_EMAIL", "test@example.org".into()),
        ("GIT_AUTHOR_DATE", "@1700000000 +0000".into()),
        ("GIT_COMMITTER_NAME", "Test".into()),
        ("GIT_COMMITTER_EMAIL", "test@example.org".into()),
        ("GIT_COMMITTER_DATE", "@1700000000 +0000".into()),
    ]
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}
