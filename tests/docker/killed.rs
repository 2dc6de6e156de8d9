//! Daemons that are killed in the middle, that hang, or whose disk is full. Each test starts its own dockerd: the
//! dockerd of the other tests must go on.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use flowhold_tests::{Done, Folder, environment};

use crate::{
    daemon::{self, has_images_in_containerd, send, wait_for},
    project::{BEFORE, BUILDERS, Project, quoted, unique},
    proxy::Proxy,
};

/// A dockerd with a folder of its own, without a network.
pub(crate) struct Dockerd {
    pub(crate) folder: PathBuf,
    process: Child,
    options: Vec<String>,
}

impl Dockerd {
    fn new() -> Self {
        Self::with(|_| Vec::new())
    }

    /// A dockerd whose images are on a disk of this size, such as `20m`.
    fn on_disk_of(size: &str) -> Self {
        Self::with(|folder| {
            let disk = folder.join("docker");
            fs::create_dir(&disk).unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&disk);
            assert!(mount.status().unwrap().success());
            Vec::new()
        })
    }

    /// A dockerd whose folder `prepare` prepares; `prepare` returns further arguments.
    pub(crate) fn with(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        // In the test environment's folder: when the environment stops, it ends all processes there, and deletes it.
        let socket = environment("DOCKER_HOST");
        let state = socket.strip_prefix("unix://").and_then(|path| Path::new(path).parent()).unwrap();
        let folder = state.join(unique());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("daemon.json"), "{}").unwrap();
        let options = prepare(&folder);
        let mut dockerd = Self { process: Self::spawn(&folder, &options), folder, options };
        dockerd.wait();
        dockerd
    }

    fn spawn(folder: &Path, options: &[String]) -> Child {
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new("dockerd");
        for (option, name) in
            [("--config-file", "daemon.json"), ("--data-root", "docker"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(option).arg(folder.join(name));
        }
        command.arg("--host").arg(format!("unix://{}/sock", folder.display()));
        command.args(["--bridge", "none", "--iptables=false", "--ip6tables=false"]).args(options);
        // Only root can run dockerd.
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn wait(&mut self) {
        // What is left of containerd may make the first start after a kill fail.
        let answers = (0..3).any(|_| {
            let answered = wait_for("dockerd answers, or ends", || {
                let ended = self.process.try_wait().unwrap().is_some();
                (ended || self.docker(&["version"]).code == 0).then_some(!ended)
            });
            if !answered {
                self.process = Self::spawn(&self.folder, &self.options);
            }
            answered
        });
        assert!(answers, "{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    fn address(&self) -> String {
        format!("unix://{}/sock", self.folder.display())
    }

    fn docker(&self, arguments: &[&str]) -> Done {
        let mut command = crate::daemon::client(arguments);
        Done::of(command.env("DOCKER_HOST", self.address()).output().unwrap())
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = Self::spawn(&self.folder, &self.options);
        self.wait();
    }

    /// Starts a Flowhold command that uses this daemon.
    fn start(&self, project: &Project, arguments: &[&str]) -> Child {
        project.watched(arguments).env("DOCKER_HOST", self.address()).spawn().unwrap()
    }

    /// Ids of all containers, images without a name, and volumes.
    fn leftovers(&self) -> Vec<String> {
        let lists = [
            &["ps", "--all", "--quiet"][..],
            &["images", "--quiet", "--filter", "dangling=true"],
            &["volume", "ls", "--quiet"],
        ];
        lists
            .iter()
            .flat_map(|list| self.docker(list).ok().stdout.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // Politely, so that dockerd unmounts what it has mounted.
        let pid = self.process.id().to_string();
        Command::new("kill").arg("-CONT").arg(&pid).status().ok();
        Command::new("kill").arg(&pid).status().ok();
        self.process.wait().ok();
        // After a kill, containerd has another parent.
        for pid in processes(&self.folder) {
            Command::new("kill").args(["-KILL", &pid]).status().ok();
        }
        wait_for("its processes have ended", || processes(&self.folder).is_empty().then_some(()));
        // Only if the folder is a mount.
        Command::new("umount").arg("--quiet").arg(self.folder.join("docker")).stderr(Stdio::null()).status().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Ids of the processes with this folder on their command line.
fn processes(folder: &Path) -> Vec<String> {
    // With the slash: other folders begin with the same name.
    daemon::processes("cmdline", &format!("{}/", folder.display()))
}

/// Reads lines until one has these words in it; the rest is read in the background, so that the writer can go on.
fn wait_for_line(stream: impl std::io::Read + Send + 'static, words: &str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut before = Vec::new();
    let found = lines.by_ref().any(|line| {
        before.push(line);
        before.last().is_some_and(|line| line.contains(words))
    });
    assert!(found, "no line says {words:?}: {before:#?}");
    std::thread::spawn(move || lines.for_each(drop));
}

fn nothing_left(project: &Project) {
    assert_eq!(project.storage_text(), BEFORE);
    project.has_no_temporary_files();
}

#[test]
fn in_each_phase() {
    let (mut dockerd, proxy) = (Dockerd::new(), Proxy::new());
    let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
    let (_, path) = base.split_once('/').unwrap();
    let storage = format!(
        "network = \"none\"\nbase_image = {}\nregistry_url = {}",
        quoted(&format!("{}/{path}", proxy.address)),
        quoted(&format!("{}/tests", proxy.address))
    );
    let project = Project::of_script(&storage, "print('started', flush=True)\nimport time\ntime.sleep(3600)\n");
    project.folder.write("storage.json", BEFORE);
    let name = format!("{}/tests/{}:v1", proxy.address, project.name);

    // While it pulls.
    let stalled = proxy.stall(&["GET", "/blobs/"]);
    let child = dockerd.start(&project, &["build"]);
    stalled.recv().unwrap();
    dockerd.kill();
    Done::of(child.wait_with_output().unwrap()).fails(75, &["daemon", "try again"]);
    nothing_left(&project);
    proxy.heal();
    dockerd.restart();

    // While it builds.
    for builder in ["1", "0"] {
        let file = project.folder.write("slow.py", "import time\ntime.sleep(3600)\n");
        let slow = format!(
            "{storage}\nenv_vars.PYTHONPATH = \"/opt/slow\"\n\
             files = {{ {} = \"/opt/slow/sitecustomize.py\" }}",
            quoted(file.to_str().unwrap())
        );
        let slow = Project::of_script(&slow, "");
        slow.folder.write("storage.json", BEFORE);
        let mut command = slow.watched(&["build", "--progress", "plain"]);
        command.env("DOCKER_HOST", dockerd.address()).env("DOCKER_BUILDKIT", builder);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        wait_for_line(child.stderr.take().unwrap(), "health_check.py\", ");
        dockerd.kill();
        assert_eq!(child.wait().unwrap().code(), Some(75));
        nothing_left(&slow);
        dockerd.restart();
        // The classic builder's container belongs to the daemon, and stays when the daemon is killed.
        let own = usize::from(builder == "0");
        let left = dockerd.docker(&["ps", "--all", "--quiet"]).ok().stdout;
        assert!(left.lines().count() <= own, "{left}");
        dockerd.docker(&["container", "prune", "--force"]).ok();
        dockerd.docker(&["image", "prune", "--force"]).ok();
    }

    // While it pushes.
    let stalled = proxy.stall(&["PUT", "/manifests/"]);
    let child = dockerd.start(&project, &["build"]);
    stalled.recv().unwrap();
    dockerd.kill();
    Done::of(child.wait_with_output().unwrap()).fails(75, &["push", "try again"]);
    nothing_left(&project);
    proxy.heal();
    dockerd.restart();
    assert_eq!(dockerd.leftovers(), Vec::<String>::new());

    // The next command works, and there is nothing to repair.
    let child = dockerd.start(&project, &["build", "--format", "json"]);
    let report = Done::of(child.wait_with_output().unwrap()).ok().json();
    assert_eq!(report["image"], name);

    // While it runs a flow.
    let mut child = dockerd.start(&project, &["run", "flow"]);
    wait_for_line(child.stdout.take().unwrap(), "started");
    let container = dockerd.docker(&["ps", "--quiet"]).ok().stdout;
    dockerd.kill();
    let done = Done::of(child.wait_with_output().unwrap());
    let removal = format!("docker rm -f {}", container.trim());
    done.fails(75, &[removal.as_str()]);
    dockerd.restart();
    dockerd.docker(&["rm", "--force", container.trim()]).ok();
    assert_eq!(dockerd.leftovers(), Vec::<String>::new());
    project.has_no_temporary_files();
}

#[test]
fn one_that_hangs_is_left_at_the_third_signal() {
    let dockerd = Dockerd::new();
    let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
    let project = Project::of_script(
        &format!("network = \"none\"\nbase_image = {}", quoted(&base)),
        "print('started', flush=True)\nimport time\ntime.sleep(3600)\n",
    );
    let child = dockerd.start(&project, &["build", "--no-push"]);
    Done::of(child.wait_with_output().unwrap()).ok();
    let mut child = dockerd.start(&project, &["run", "flow"]);
    wait_for_line(child.stdout.take().unwrap(), "started");
    send("-STOP", dockerd.process.id());
    // After the first signal it waits for the flow, after the second for the daemon to remove the container.
    let code = wait_for("it ends at the third signal", || {
        send("-INT", child.id());
        child.try_wait().unwrap()
    });
    assert_eq!(code.code(), Some(130));
    send("-CONT", dockerd.process.id());
    wait_for("the daemon does what it was asked before", || dockerd.leftovers().is_empty().then_some(()));
}

#[test]
fn a_full_disk_ends_a_pull() {
    let dockerd = Dockerd::on_disk_of("20m");
    let project = Project::of_script("", "print('x')\n");
    project.folder.write("storage.json", BEFORE);
    let child = dockerd.start(&project, &["build"]);
    Done::of(child.wait_with_output().unwrap())
        .fails(69, &["pulling", "no space left on device", "docker system prune"]);
    nothing_left(&project);
    assert_eq!(dockerd.leftovers(), Vec::<String>::new());
}

#[test]
fn a_full_disk_ends_a_build() {
    let dockerd = Dockerd::on_disk_of("500m");
    let large = Folder::new();
    let file = fs::File::create(large.path().join("large")).unwrap();
    let project = Project::of_script(
        &format!("network = \"none\"\nfiles.{} = \"/data\"", quoted(large.path().to_str().unwrap())),
        "print('x')\n",
    );
    project.folder.write("storage.json", BEFORE);
    for builder in BUILDERS {
        // The disk is full while the daemon receives the context, and while it copies what it received.
        for mebibytes in [600, 250] {
            file.set_len(mebibytes << 20).unwrap();
            let mut command = project.watched(&["build", "--no-push"]);
            let done = command.env("DOCKER_HOST", dockerd.address()).env("DOCKER_BUILDKIT", builder).output().unwrap();
            Done::of(done).fails(69, &["building", "no space left on device", "docker system prune"]);
            nothing_left(&project);
            // The classic builder keeps the results of its steps as images, and the last of them has no name.
            if builder == "0" {
                dockerd.docker(&["image", "prune", "--force"]).ok();
            }
            assert_eq!(dockerd.leftovers(), Vec::<String>::new(), "{builder} {mebibytes}");
            // Otherwise what the daemon received so far would fill the disk for good.
            if has_images_in_containerd() {
                dockerd.docker(&["builder", "prune", "--all", "--force"]).ok();
            }
        }
    }
    // With more room it works again.
    let mut enlarge = Command::new("mount");
    enlarge.args(["-o", "remount,size=1g"]).arg(dockerd.folder.join("docker"));
    assert!(enlarge.status().unwrap().success());
    file.set_len(1).unwrap();
    Done::of(dockerd.start(&project, &["build", "--no-push"]).wait_with_output().unwrap()).ok();
}
