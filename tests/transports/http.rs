//! Smart HTTP: `git http-backend` behind nginx and fcgiwrap, with the configuration of `docs/server/`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::service::{Service, answers, free_port, programs};
use crate::story::{self, MEMBERS};
use crate::world::{Team, World};

const CONFIGURATION: &str = include_str!("../../docs/server/nginx.conf");

/// A web server over the repositories of a world, with a password for each member.
struct Web {
    port: u16,
    _services: [Service; 2],
}

impl Web {
    fn new(world: &World) -> Option<Web> {
        let [nginx, fcgiwrap] = programs(["nginx", "fcgiwrap"])?;
        let run = world.path("http");
        std::fs::create_dir(&run).unwrap();
        let backend = world.git(&run, &["--exec-path"]) + "/git-http-backend";
        let port = free_port();
        let place = |path: &Path| path.to_str().unwrap().to_owned();
        let text = CONFIGURATION
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
            .replace("/etc/git-http", &place(&run))
            .replace("/run/git-http", &place(&run))
            .replace("/srv/git", &place(&world.path("")))
            .replace("/usr/lib/git-core/git-http-backend", &backend);
        std::fs::write(run.join("nginx.conf"), text).unwrap();
        let passwords: String = MEMBERS.iter().map(|member| format!("{member}:{{PLAIN}}{}\n", password(member))).collect();
        std::fs::write(run.join("members"), passwords).unwrap();

        // As a service manager starts it: next to nothing in its environment, HOME neither.
        let socket = run.join("fcgiwrap.sock");
        let mut cgi = Command::new(fcgiwrap);
        cgi.args(["-c", "3", "-p", &backend, "-s"]).arg(format!("unix:{}", socket.display())).env("PATH", "/usr/bin:/bin");
        let cgi = Service::reached(&cgi, &run.join("fcgiwrap.log"), || socket.exists());
        // One process, which therefore stays the user that runs the test.
        let mut web = Command::new(nginx);
        web.arg("-p").arg(&run).arg("-c").arg(run.join("nginx.conf")).args(["-g", "daemon off; master_process off;"]);
        let web = Service::reached(&web, &run.join("nginx.log"), || answers(port));
        Some(Web { port, _services: [web, cgi] })
    }

    fn url(&self, member: &str) -> String {
        format!("http://{member}:{}@127.0.0.1:{}/server.git", password(member), self.port)
    }

    fn anonymous(&self) -> String {
        format!("http://127.0.0.1:{}/server.git", self.port)
    }
}

fn password(member: &str) -> String {
    format!("{member}-secret")
}

fn behind_web() -> Option<(Web, Team)> {
    let world: Arc<World> = World::new();
    let web = Web::new(&world)?;
    let server = world.server("server.git");
    let team = story::found(world, server, |member| web.url(member));
    Some((web, team))
}

#[test]
fn the_whole_story_over_smart_http() {
    let Some((web, team)) = behind_web() else { return };
    story::tell(&team, &web.anonymous());
}
