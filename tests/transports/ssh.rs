//! ssh with an sshd of the test on the loopback interface. Each key runs one command: the script of
//! `docs/server/`, or git-shell.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use crate::lab;
use crate::service::{Service, answers, free_port, programs};
use crate::story::{self, MEMBERS};
use crate::world::{Team, World, write_key};

const SCRIPT: &str = include_str!("../../docs/server/git-only");

/// An sshd for the members of a world. A member's login key is not its signing key.
pub struct Sshd {
    world: Arc<World>,
    _service: Service,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Connections that are kept open would outlive the server.
        for socket in std::fs::read_dir(self.world.path("ssh"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|f| f.path())
        {
            if socket.extension().is_some_and(|e| e == "sock") {
                let mut exit = self.world.command("ssh", &self.world.path(""));
                exit.args(["-F", "none", "-O", "exit", "-S"])
                    .arg(&socket)
                    .arg("any")
                    .output()
                    .unwrap();
            }
        }
    }
}

impl Sshd {
    /// Starts an sshd. `authorized` is the content of authorized_keys, and `settings` is added to
    /// the configuration. Each member uses its own name as the host name.
    pub fn new(
        world: &Arc<World>,
        sshd: &Path,
        members: &[&str],
        authorized: &Path,
        settings: &str,
    ) -> Sshd {
        let run = world.path("ssh");
        std::fs::create_dir_all(&run).unwrap();
        write_key(&run.join("host"), &[9; 32]);
        let port = free_port();
        let place = run.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\nAuthorizedKeysFile {}\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin forced-commands-only\nPrintMotd no\nPrintLastLog no\n{settings}\n",
            authorized.display()
        );
        std::fs::write(run.join("sshd_config"), config).unwrap();
        let host = std::fs::read_to_string(run.join("host.pub")).unwrap();
        std::fs::write(
            run.join("known_hosts"),
            format!("[127.0.0.1]:{port} {host}\n"),
        )
        .unwrap();
        std::fs::write(
            run.join("config"),
            members
                .iter()
                .map(|m| client(world, m, port))
                .collect::<String>(),
        )
        .unwrap();
        if std::fs::metadata(&run).unwrap().uid() == 0 {
            // An sshd that root starts needs this folder. Usually the service manager creates it.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let mut command = Command::new(sshd);
        command
            .args(["-D", "-e", "-f"])
            .arg(run.join("sshd_config"));
        Sshd {
            world: world.clone(),
            _service: Service::reached(&command, &run.join("sshd.log"), || answers(port)),
        }
    }
}

/// Writes the configuration of a member's ssh client: its own key, no agent, and no settings of the
/// user. The connection stays open for the next command, which saves most of the time, and ends
/// with the sshd.
fn client(world: &World, member: &str, port: u16) -> String {
    let run = world.path("ssh");
    format!(
        "Host {member}\n HostName 127.0.0.1\n Port {port}\n User {}\n IdentityFile {}\n IdentitiesOnly yes\n IdentityAgent none\n \
         UserKnownHostsFile {}/known_hosts\n GlobalKnownHostsFile none\n BatchMode yes\n LogLevel ERROR\n \
         ControlMaster auto\n ControlPath {}/%n.sock\n ControlPersist 20\n",
        user(),
        login_key(world, member).display(),
        run.display(),
        run.display(),
    )
}

/// Returns the path of the key that a member logs in with.
pub fn login_key(world: &World, member: &str) -> PathBuf {
    let folder = world.path("ssh");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(member);
    if !path.exists() {
        write_key(
            &path,
            lab::signing_key(&format!("{member}-login")).as_bytes(),
        );
    }
    path
}

/// Returns the user that runs the test: an sshd without root rights accepts no other user.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Configures the ssh client for all clones of a world.
pub fn use_ssh(world: &World) -> String {
    let command = format!("ssh -F {}", world.path("ssh/config").display());
    world.git(
        &world.path(""),
        &["config", "--file", "gitconfig", "core.sshCommand", &command],
    );
    command
}

/// Creates a server behind an sshd, with this command for each key.
fn behind(
    seated: usize,
    command: impl Fn(&World) -> String,
    settings: &str,
) -> Option<(Sshd, Team)> {
    let [sshd] = programs(["sshd"])?;
    let world: Arc<World> = World::new();
    let server = world.server("server.git");
    let line = |member: &&str| {
        let key = std::fs::read_to_string(login_key(&world, member).with_extension("pub")).unwrap();
        format!("restrict,command=\"{}\" {key}\n", command(&world))
    };
    let authorized = world.path("authorized_keys");
    std::fs::write(&authorized, MEMBERS.iter().map(line).collect::<String>()).unwrap();
    let settings = format!("{settings}\nSetEnv HOME={}", world.path("home").display());
    let sshd = Sshd::new(&world, &sshd, &MEMBERS, &authorized, &settings);
    use_ssh(&world);
    let path = server.display().to_string();
    let team = story::found(world, server, seated, |member| {
        format!("ssh://{member}{path}")
    });
    Some((sshd, team))
}

/// Writes the script of the documentation, with the programs of this machine. Returns its command
/// line.
fn git_only(world: &World) -> String {
    let path = world.path("git-only");
    let script = SCRIPT.replace(
        "PATH=/usr/local/bin:/usr/bin:/bin",
        &format!("PATH='{}'", std::env::var("PATH").unwrap()),
    );
    assert_ne!(script, SCRIPT);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    format!("{} {}", path.display(), world.path("server.git").display())
}

fn git_shell(world: &World) -> String {
    let path = Path::new(&world.git(&world.path(""), &["--exec-path"])).join("git-shell");
    let path = if path.exists() {
        path
    } else {
        programs(["git-shell"]).unwrap()[0].clone()
    };
    format!("{} -c \\\"$SSH_ORIGINAL_COMMAND\\\"", path.display())
}

/// Runs the ssh client with these options and a command for the server.
fn ssh(world: &World, options: &[&str], command: &[&str]) -> Output {
    let config = world.path("ssh/config");
    let mut ssh = world.command("ssh", &world.path(""));
    ssh.arg("-F")
        .arg(config)
        .args(["-o", "ControlPath=none"])
        .args(options)
        .arg("alice")
        .args(command)
        .output()
        .unwrap()
}

#[test]
#[cfg_attr(not(has_sshd), ignore = "sshd is not installed")]
fn the_whole_story_over_ssh_with_a_forced_command() {
    let Some((_sshd, team)) = behind(4, git_only, "AcceptEnv GIT_PROTOCOL") else {
        return;
    };
    let url = team.seats[3].git(&["remote", "get-url", "origin"]);
    story::tell(&team, &url);
    nothing_else_is_served(&team);
    nothing_gets_past(&team);
    let elsewhere = url.replace("server.git", "home");
    story::refused(
        &team,
        &team.seats[0],
        &[&elsewhere, "HEAD:x"],
        &["can only fetch from and push to"],
    );
}

#[test]
#[cfg_attr(not(has_sshd), ignore = "sshd is not installed")]
fn git_shell_serves_git_and_nothing_else() {
    let Some((_sshd, team)) = behind(1, git_shell, "AcceptEnv GIT_PROTOCOL") else {
        return;
    };
    nothing_else_is_served(&team);
    nothing_gets_past(&team);
}

/// The server runs only git fetch and git push: no other command, no terminal, no tunnel.
fn nothing_else_is_served(team: &Team) {
    let mark = team.world.path("mark");
    let touch = format!("touch {}", mark.display());
    let receive = format!("git-receive-pack '{}'; {touch}", team.server.display());
    let config = format!(
        "git -c core.hooksPath=/nowhere receive-pack '{}'",
        team.server.display()
    );
    for command in [&touch, &receive, &config, "sh", ""] {
        let output = ssh(&team.world, &[], &[command]);
        assert!(
            !output.status.success() && !mark.exists(),
            "{command:?} was served: {output:?}"
        );
    }
    for options in [["-W", "127.0.0.1:22"], ["-t", "-t"]] {
        assert!(
            !ssh(&team.world, &options, &[]).status.success(),
            "{options:?}"
        );
    }
}

/// The pusher cannot choose the receiving command, its settings, or its variables.
fn nothing_gets_past(team: &Team) {
    let alice = &team.seats[0];
    alice.commit("past", "past");
    let programs = [
        "git -c receive.procReceiveRefs= receive-pack",
        "git -c core.hooksPath=/nowhere receive-pack",
        "env GIT_NAMESPACE=x git-receive-pack",
    ];
    for program in programs {
        story::refused(
            team,
            alice,
            &["--receive-pack", program, "origin", "HEAD:main"],
            &["Could not read from remote"],
        );
    }
    let settings = [
        "GIT_CONFIG_COUNT=1",
        "GIT_CONFIG_KEY_0=core.hooksPath",
        "GIT_CONFIG_VALUE_0=/nowhere",
    ];
    for variables in [
        &settings[..],
        &["GIT_NAMESPACE=x"],
        &["GIT_CONFIG_PARAMETERS='core.hooksPath'='/nowhere'"],
    ] {
        let sender = alice.with("GIT_SSH_COMMAND", &sending(team, variables));
        story::refused(team, &sender, &["origin", "HEAD:main"], &["[NO_PROPOSAL]"]);
    }
}

/// Returns an ssh command that sends these variables to the server.
fn sending(team: &Team, variables: &[&str]) -> String {
    let quoted: Vec<_> = variables.iter().map(|v| format!("\\\"{v}\\\"")).collect();
    format!(
        "ssh -F {} -o ControlPath=none -o \"SetEnv {}\"",
        team.world.path("ssh/config").display(),
        quoted.join(" ")
    )
}

#[test]
#[cfg_attr(not(has_sshd), ignore = "sshd is not installed")]
fn an_sshd_that_takes_variables_gives_the_server_away_unless_the_script_drops_them() {
    let Some((_sshd, team)) = behind(1, git_shell, "AcceptEnv GIT_*") else {
        return;
    };
    let alice = &team.seats[0];
    alice.commit("x", "x");
    let namespaced = alice.with("GIT_SSH_COMMAND", &sending(&team, &["GIT_NAMESPACE=x"]));
    story::refused(
        &team,
        &namespaced,
        &["origin", "HEAD:refs/heads/x"],
        &["[GATE_UNAVAILABLE]", "GIT_NAMESPACE"],
    );
    assert!(
        runs_what_a_fetch_says(&team),
        "no gate helps against this; docs/hosting.md says so"
    );

    let Some((_sshd, team)) = behind(1, git_only, "AcceptEnv GIT_* PATH") else {
        return;
    };
    assert!(!runs_what_a_fetch_says(&team));
    nothing_gets_past(&team);
}

/// Whether a setting from the client makes the server run a program.
fn runs_what_a_fetch_says(team: &Team) -> bool {
    let mark = team.world.path("mark");
    let program = format!("GIT_CONFIG_VALUE_0=touch {};", mark.display());
    let variables = [
        "GIT_CONFIG_COUNT=1",
        "GIT_CONFIG_KEY_0=uploadpack.packObjectsHook",
        &program,
    ];
    let url = team.seats[0].git(&["remote", "get-url", "origin"]);
    let mut clone = team.world.command("git", &team.world.path(""));
    clone
        .env("GIT_SSH_COMMAND", sending(team, &variables))
        .args(["clone", "-q", &url, "taken"])
        .output()
        .unwrap();
    mark.exists()
}
