//! Smart HTTP: `git http-backend` behind nginx and fcgiwrap, with the configuration of
//! `docs/server/`.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::service::{Service, answers, free_port, programs};
use crate::story::{self, MEMBERS};
use crate::world::{Team, World, id};

const CONFIGURATION: &str = include_str!("../../docs/server/nginx.conf");
const PROGRAMS: [&str; 2] = ["nginx", "fcgiwrap"];

/// A web server for the repositories of a world, with a password for each member.
struct Web {
    port: u16,
    _services: [Service; 2],
}

impl Web {
    fn new(world: &World) -> Option<Web> {
        let [_, fcgiwrap] = programs(PROGRAMS)?;
        Web::with(world, Command::new(fcgiwrap))
    }

    /// Starts the web server with this command for fcgiwrap. Its environment is almost empty, as
    /// with a service manager, and has no HOME.
    fn with(world: &World, mut cgi: Command) -> Option<Web> {
        let [nginx, _] = programs(PROGRAMS)?;
        let run = world.path("http");
        std::fs::create_dir(&run).unwrap();
        // The user that runs it must be able to create its socket here.
        std::fs::set_permissions(&run, Permissions::from_mode(0o777)).unwrap();
        let backend = world.git(&run, &["--exec-path"]) + "/git-http-backend";
        let port = free_port();
        std::fs::write(
            run.join("nginx.conf"),
            configuration(world, &run, port, &backend),
        )
        .unwrap();
        let passwords: String = MEMBERS
            .iter()
            .map(|name| format!("{name}:{{PLAIN}}{}\n", password(name)))
            .collect();
        std::fs::write(run.join("members"), passwords).unwrap();

        let socket = run.join("fcgiwrap.sock");
        cgi.args(["-c", "3", "-p", &backend, "-s"])
            .arg(format!("unix:{}", socket.display()));
        cgi.env("PATH", std::env::var("PATH").unwrap());
        let cgi = Service::reached(&cgi, &run.join("fcgiwrap.log"), || socket.exists());
        // nginx as a single process stays the user that runs the test.
        let mut web = Command::new(nginx);
        web.arg("-p")
            .arg(&run)
            .arg("-c")
            .arg(run.join("nginx.conf"))
            .args(["-g", "daemon off; master_process off;"]);
        let web = Service::reached(&web, &run.join("nginx.log"), || answers(port));
        Some(Web {
            port,
            _services: [web, cgi],
        })
    }

    fn url(&self, member: &str) -> String {
        format!(
            "http://{member}:{}@127.0.0.1:{}/server.git",
            password(member),
            self.port
        )
    }

    fn anonymous(&self) -> String {
        format!("http://127.0.0.1:{}/server.git", self.port)
    }

    /// Sends a request line and headers unchanged, and returns the status.
    fn ask(&self, request: &str, headers: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// Returns the configuration of the documentation, for this folder and port.
fn configuration(world: &World, run: &Path, port: u16, backend: &str) -> String {
    let place = |path: &Path| path.to_str().unwrap().to_owned();
    CONFIGURATION
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
        .replace("/etc/git-http", &place(run))
        .replace("/run/git-http", &place(run))
        .replace("/srv/git", &place(&world.path("")))
        .replace("/usr/lib/git-core/git-http-backend", backend)
}

fn password(member: &str) -> String {
    format!("{member}-secret")
}

fn behind_web() -> Option<(Web, Team)> {
    let world: Arc<World> = World::new();
    let web = Web::new(&world)?;
    let server = world.server("server.git");
    let team = story::found(world, server, 4, |member| web.url(member));
    Some((web, team))
}

#[test]
#[cfg_attr(
    not(all(has_nginx, has_fcgiwrap)),
    ignore = "nginx or fcgiwrap is not installed"
)]
fn the_whole_story_over_smart_http() {
    let Some((web, team)) = behind_web() else {
        return;
    };
    team.world
        .script("server.git/hooks/post-update", "env > environment");
    story::tell(&team, &web.anonymous());
    let seen = std::fs::read_to_string(team.server.join("environment")).unwrap();
    let has = |start: &str| seen.lines().any(|line| line.starts_with(start));
    assert!(
        has("GIT_PROJECT_ROOT=") && has("GIT_HTTP_EXPORT_ALL=") && has("REMOTE_USER="),
        "{seen}"
    );
    assert!(
        !has("HOME=") && !has("USER=") && !has("GIT_CONFIG_"),
        "hooks really run in an almost empty environment"
    );
}

#[test]
#[cfg_attr(
    not(all(has_nginx, has_fcgiwrap)),
    ignore = "nginx or fcgiwrap is not installed"
)]
fn big_pushes_come_in_chunks_and_in_every_version_of_the_protocol() {
    let Some((_web, team)) = behind_web() else {
        return;
    };
    let alice = &team.seats[0];
    // The push is larger than the buffer, so git first asks and then sends chunks.
    alice.git(&["config", "http.postBuffer", "65536"]);
    let noise: Vec<u8> = (0u32..300_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for (version, byte) in [("0", 0), ("1", 1), ("2", 2)] {
        alice.git(&["config", "protocol.version", version]);
        let noise: Vec<u8> = noise.iter().map(|b| b ^ byte).collect();
        std::fs::write(alice.dir.join("noise"), noise).unwrap();
        alice.git(&["add", "noise"]);
        alice.git(&["commit", "-q", "-m", version]);
        story::refused(
            &team,
            alice,
            &["origin", "HEAD:main"],
            &["[NO_PROPOSAL]", "git quorum propose"],
        );
        let traced = alice.with("GIT_TRACE_CURL", team.world.path("trace").to_str().unwrap());
        assert!(
            story::push(&traced, &["origin", "HEAD:refs/heads/big"])
                .status
                .success(),
            "version {version}"
        );
    }
    let trace = std::fs::read(team.world.path("trace")).unwrap();
    assert!(
        String::from_utf8_lossy(&trace).contains("Transfer-Encoding: chunked"),
        "the pushes really came in chunks"
    );
    let proposal = id(&alice.ok(&["propose", "-m", "noise"]));
    team.seats[1..]
        .iter()
        .for_each(|seat| drop(seat.approve(&proposal)));
    team.settle(&proposal);
    alice.ok(&["land", &proposal]);
    assert_eq!(story::main_of(&team), alice.git(&["rev-parse", "HEAD"]));
}

#[test]
#[cfg_attr(
    not(all(has_nginx, has_fcgiwrap)),
    ignore = "nginx or fcgiwrap is not installed"
)]
fn nobody_pushes_without_a_password_however_the_address_is_spelled() {
    let Some((web, team)) = behind_web() else {
        return;
    };
    let stranger = team.world.seat("stranger", &web.anonymous());
    stranger.commit("x", "x");
    story::refused(
        &team,
        &stranger,
        &["origin", "HEAD:refs/heads/x"],
        &["could not read Username"],
    );
    let wrong = web.anonymous().replace("//", "//alice:wrong@");
    story::refused(
        &team,
        &stranger,
        &[&wrong, "HEAD:refs/heads/x"],
        &["Authentication failed"],
    );

    // These headers have a member's name and a wrong password. Where the server asks for no
    // password, the name must not count either.
    let claim = "Authorization: Basic YWxpY2U6eA==\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: 0\r\n";
    let pushes = [
        "POST /server.git/git-receive-pack",
        "POST /server.git/git-receive-pac%6b",
        "POST /server.git//git-receive-pack",
        "POST /server.git/x/../git-receive-pack",
        "POST /server.git/git-receive-pack?service=git-upload-pack",
        "GET /server.git/info/refs?service=git-receive-pack",
        "GET /server.git/info/refs?service=git-receive-pac%6b",
        "GET /server.git/info/refs?x&service=git-receive-pack",
    ];
    for request in pushes {
        for headers in ["Content-Length: 0\r\n", claim] {
            let status = web.ask(request, headers);
            assert!(matches!(status, 401 | 403 | 404), "{request}: {status}");
        }
    }
    assert_eq!(
        web.ask("GET /server.git/info/refs?service=git-upload-pack", ""),
        200,
        "and anyone fetches"
    );
}

/// Returns the command for fcgiwrap as a user that owns nothing. Only root can start it.
fn as_nobody(world: &World) -> Option<Command> {
    let [_, fcgiwrap] = programs(PROGRAMS)?;
    if std::fs::metadata(world.path("")).unwrap().uid() != 0 {
        println!("skipped: only root can serve as somebody else");
        return None;
    }
    std::fs::set_permissions(world.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut cgi = Command::new("setpriv");
    cgi.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(fcgiwrap);
    Some(cgi)
}

#[test]
#[cfg_attr(
    not(all(has_nginx, has_fcgiwrap, has_root)),
    ignore = "nginx or fcgiwrap is not installed, or the user is not root"
)]
fn a_server_user_that_owns_nothing_refuses_and_says_why() {
    let world = World::new();
    let Some(mut cgi) = as_nobody(&world) else {
        return;
    };
    let server = world.server("server.git");
    let team = story::found(world.clone(), server, 1, |_| {
        world.path("server.git").to_str().unwrap().to_owned()
    });
    let system = world.path("system.gitconfig");
    std::fs::write(&system, "").unwrap();
    cgi.env("GIT_CONFIG_SYSTEM", &system);
    let Some(web) = Web::with(&world, cgi) else {
        return;
    };
    let alice = &team.seats[0];
    alice.git(&["remote", "set-url", "origin", &web.url("alice")]);
    alice.commit("x", "x");
    // Git does not trust a repository of another user, and reports that in the server's log.
    story::refused(
        &team,
        alice,
        &["origin", "HEAD:refs/heads/x"],
        &["error: 500"],
    );
    let log = std::fs::read_to_string(world.path("http/fcgiwrap.log")).unwrap();
    assert!(
        log.contains("dubious ownership") && log.contains("safe.directory"),
        "{log}"
    );

    std::fs::write(&system, "[safe]\ndirectory = *\n").unwrap();
    story::refused(
        &team,
        alice,
        &["origin", "HEAD:refs/heads/x"],
        &["unable to create temporary object directory"],
    );
    let writable = |what: &str| {
        assert!(
            world
                .command("chmod", &team.server)
                .args(["-R", "a+rwX", what])
                .status()
                .unwrap()
                .success()
        )
    };
    writable("objects");
    // The gate leaves ordinary branches to Git, which cannot write them. The gate itself handles a
    // lane.
    story::refused(
        &team,
        alice,
        &["origin", "HEAD:refs/heads/x"],
        &["Permission denied"],
    );
    alice.ok(&["propose", "--delete", "--local", "-m", "x"]);
    let says = [
        "[GATE_UNAVAILABLE]",
        "quorum/gate.lock",
        "the server's operator",
    ];
    story::refused(
        &team,
        alice,
        &["origin", &team.ledger_ref("lane/alice")],
        &says,
    );

    // A user that may write everything runs the gate, whoever owns the repository.
    writable(".");
    assert!(
        story::push(alice, &["origin", "HEAD:refs/heads/x"])
            .status
            .success()
    );
    story::refused(&team, alice, &["origin", "HEAD:main"], &["[NO_PROPOSAL]"]);
}
