//! A dockerd that accepts only TLS, and only clients whose certificate it knows.

use std::{fs, net::TcpListener, path::Path, process::Command};

use flowhold_tests::Done;

use crate::{
    killed::Dockerd,
    project::{BUILDERS, Project, quoted},
};

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    Done::of(command.args(arguments.split_whitespace()).current_dir(folder).output().unwrap()).ok();
}

/// Makes an authority, and certificates by it for the daemon and for a client.
pub(crate) fn certify(folder: &Path) {
    let ca = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem";
    openssl(folder, ca);
    for (name, extensions) in [
        ("server", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"),
        ("client", "extendedKeyUsage=clientAuth\n"),
    ] {
        fs::write(folder.join("extensions"), extensions).unwrap();
        openssl(
            folder,
            &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr"),
        );
        let by = "-CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile extensions";
        openssl(folder, &format!("x509 -req -in {name}.csr {by} -out {name}.pem"));
    }
    let own = folder.join("own");
    fs::create_dir(&own).unwrap();
    for (from, to) in [("ca.pem", "ca.pem"), ("client.pem", "cert.pem"), ("client-key.pem", "key.pem")] {
        fs::copy(folder.join(from), own.join(to)).unwrap();
    }
}

#[test]
fn who_has_the_certificates_builds_and_runs() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dockerd = Dockerd::with(|folder| {
        certify(folder);
        let at = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
        let [host, other] = ["127.0.0.1", "127.0.0.2"].map(|host| format!("--host=tcp://{host}:{port}"));
        let (ca, key) = (at("tlscacert", "ca.pem"), at("tlskey", "server-key.pem"));
        vec![host, other, "--tlsverify".to_owned(), ca, at("tlscert", "server.pem"), key]
    });
    let own = dockerd.folder.join("own");
    let run = |project: &Project, arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = project.folder.command(arguments);
        command.env("DOCKER_CERT_PATH", &own).envs(environment.iter().copied());
        Done::of(command.output().unwrap())
    };
    let script = "import os\nprint('hello,', os.environ['WHO'])\n";
    let host = format!("tcp://localhost:{port}");
    for builder in BUILDERS {
        // The variables of the docker command line.
        let environment = [("DOCKER_HOST", host.as_str()), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_BUILDKIT", builder)];
        let project = Project::of_script("network = \"none\"", script);
        run(&project, &["build"], &environment).ok();
        let said = run(&project, &["run", "flow", "-e", "WHO=you"], &environment).ok().stdout;
        assert_eq!(said, "hello, you\n");
    }
    let secured = |host: &str| {
        let base_url = quoted(&format!("https://{host}:{port}"));
        Project::of_script(&format!("network = \"none\"\nbase_url = {base_url}"), script)
    };
    run(&secured("127.0.0.1"), &["build"], &[]).ok();

    // A host name other than the certificate's.
    run(&secured("127.0.0.2"), &["build"], &[]).fails(69, &["https://127.0.0.2", "not valid for name"]);
    // A client that the daemon doesn't know.
    fs::remove_file(own.join("cert.pem")).unwrap();
    fs::remove_file(own.join("key.pem")).unwrap();
    run(&secured("127.0.0.1"), &["build"], &[]).fails(69, &["https://127.0.0.1", "ertificate", "DOCKER_CERT_PATH"]);
    // A client that trusts another authority, or none.
    openssl(&own, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.pem -out ca.pem");
    run(&secured("127.0.0.1"), &["build"], &[]).fails(69, &["https://127.0.0.1", "DOCKER_CERT_PATH"]);
    fs::remove_file(own.join("ca.pem")).unwrap();
    run(&secured("127.0.0.1"), &["build"], &[]).fails(1, &["ca.pem", "DOCKER_CERT_PATH"]);
    // Without TLS.
    let plain = Project::of_script("network = \"none\"", script);
    run(&plain, &["build"], &[("DOCKER_HOST", &host)]).fails(69, &["HTTPS"]);
}
