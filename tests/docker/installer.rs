//! Requirements are installed by uv or pip, and nothing of an installer stays in the image.

use flowhold_tests::environment;

use crate::{
    daemon::docker,
    index::{Index, wheel_name},
    project::{BUILDERS, Project, Tagged, quoted, unique},
};

/// Prints what installers and builds left in an image, and what installed `six`.
const LOOK: &str = "
import glob, importlib.util, os, shutil
found = [shutil.which('uv'), *glob.glob('/tmp/*'), *glob.glob('/var/tmp/*'), *glob.glob('/dev/shm/*')]
for folder in ('/root/.cache', '/root/.config', '/root/.local', '/run/secrets'):
    found += glob.glob(folder) + glob.glob(folder + '/*')
# Importing it would compile it.
bytecode = os.path.exists(importlib.util.find_spec('six').cached)
import six
paths = glob.glob(os.path.dirname(six.__file__) + '/six-*.dist-info/INSTALLER')
print('installer', open(paths[0]).read().strip())
print('bytecode', bytecode)
print('left', sorted(path for path in found if path))
";

/// A storage with `six` as its dependency, and these further lines.
fn with_six(more: &str) -> Project {
    Project::of_script(&format!("python_dependencies = [\"six==1.16.0\"]\n{more}"), LOOK)
}

fn built_with(more: &str) -> String {
    let project = with_six(more);
    project.build(&["--no-push"]);
    project.folder.run(&["run", "flow"]).ok().stdout
}

#[test]
fn uv_installs_unless_pip_is_wanted() {
    for (more, installer) in [("", "uv"), ("installer = \"uv\"", "uv"), ("installer = \"pip\"", "pip")] {
        let seen = built_with(more);
        assert_eq!(seen, format!("installer {installer}\nbytecode True\nleft []\n"), "{more}");
    }
}

#[test]
fn pip_takes_over_where_it_has_settings_of_its_own() {
    let seen = built_with("env_vars.PIP_NO_BINARY = \"none-of-them\"");
    assert!(seen.starts_with("installer pip\n"), "{seen}");
}

#[test]
fn what_can_not_be_installed_is_told_in_the_installers_words() {
    for (more, words) in [("installer = \"uv\"", "no version of six==0.0.404"), ("installer = \"pip\"", "six==0.0.404")]
    {
        let project = Project::of_script(&format!("python_dependencies = [\"six==0.0.404\"]\n{more}"), "print(1)\n");
        project.try_build(&["--no-push"]).fails(1, &["building", words]);
    }
}

#[test]
fn an_index_that_is_not_there_is_unavailable_and_asked_once() {
    for builder in BUILDERS {
        let project =
            with_six("env_vars.UV_DEFAULT_INDEX = \"http://127.0.0.1:1/simple\"\nenv_vars.UV_HTTP_RETRIES = \"0\"");
        let told = project.try_build_by(builder, &["--no-push"]).fails(69, &["127.0.0.1:1", "refused"]);
        assert!(!told.stderr.contains("asking again"), "{told:#?}");
    }
}

/// Everything that a resolver concludes is told: its last sentence is about what the user wrote.
#[test]
fn why_requirements_contradict_each_other_is_told_to_the_end() {
    let project =
        Project::of_script("python_dependencies = [\"six<1.16\", \"python-dateutil==2.9.0\", \"six>=1.17\"]", LOOK);
    let told = project.try_build(&["--no-push"]).fails(1, &["Because", "requirements are unsatisfiable"]);
    let headline = told.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default().to_owned();
    assert!(headline.contains("requirements are unsatisfiable"), "{headline}");
}

/// Both ways to get uv, each on its own: otherwise one would hide that the other no longer works.
const GET_UV: &str = "
import subprocess, sys
sys.path.insert(0, '/src')
import install
install.download_uv('/direct/bin')
assert install.pip_installs_uv('/by-pip', None)
for place in ('/direct', '/by-pip'):
    print(subprocess.check_output([place + '/bin/uv', '--version'], text=True).split()[0])
";

#[test]
fn uv_is_got_with_pip_and_without() {
    assert_eq!(with_installer(GET_UV), "uv\nuv\n");
}

/// Runs a program that finds the installer in `/src`, and returns what it prints.
fn with_installer(program: &str) -> String {
    // The installer is a temporary file: the daemon is sure to see the same file.
    let folder = flowhold_tests::Folder::new();
    folder.write("install.py", include_str!("../../core/src/install.py"));
    let source = format!("{}:/src:ro", folder.path().display());
    let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
    docker(&["run", "--rm", "--volume", &source, &base, "python", "-B", "-c", program]).ok().stdout
}

const LEFTOVERS: &str = "
import os, site, sys
sys.path.insert(0, '/src')
import install
for name in ('flowhold-old/fresh', 'flowhold-new', 'uv'):
    os.makedirs('/cache/' + name)
for name in ('flowhold-old', 'uv'):
    os.utime('/cache/' + name, (1, 1))
install.remove_leftovers('/cache')
print(sorted(os.listdir('/cache')))
os.symlink('/nowhere', site.getsitepackages()[0] + '/gone-1.0.dist-info')
sys.path += ['/src/install.py', '/proc/1/nothing']
print(any('pip' in path for path, _ in install.distributions()))
";

#[test]
fn what_earlier_builds_and_images_left_is_no_hindrance() {
    assert_eq!(with_installer(LEFTOVERS), "['flowhold-new', 'uv']\nTrue\n");
}

#[test]
fn a_module_that_a_spec_puts_in_anothers_place_is_the_one_that_runs() {
    let project = Project::of_script("python_dependencies = [\"six==1.16.0\"]", "import six\nprint(six.__file__)\n");
    project.build(&["--no-push"]);
    let place = project.folder.run(&["run", "flow"]).ok().stdout;
    let storage = format!(
        "python_dependencies = [\"six==1.16.0\"]\nfiles = {{ {} = {} }}",
        quoted(project.folder.write("mine.py", "NAME = 'mine'\n").to_str().unwrap()),
        quoted(place.trim())
    );
    let patched = Project::of_script(&storage, "import six\nprint(six.NAME)\n");
    patched.build(&["--no-push"]);
    assert_eq!(patched.folder.run(&["run", "flow"]).ok().stdout, "mine\n");
}

/// The cache and the secrets of a step belong to root, unless the Dockerfile says otherwise.
#[test]
fn a_base_image_may_have_a_user_of_its_own() {
    let (index, package) = (Index::new(), unique());
    index.publish(&package, "1.0");
    let base = Tagged::new(&environment("FLOWHOLD_TEST_BASE_IMAGE"), format!("{}:base", unique()));
    let folder = flowhold_tests::Folder::new();
    // As in other people's images, user 12345 has nothing but its home, and root's home is closed.
    folder.write(
        "Dockerfile",
        format!("FROM {}\nRUN mkdir /me && chown 12345 /me && chmod 700 /root\nENV HOME=/me\nUSER 12345\n", base.0),
    );
    docker(&["build", "--quiet", "--tag", &base.0, folder.path().to_str().unwrap()]).ok();
    let storage = format!(
        "base_image = {}\nlocal_image = true\nnetwork = \"host\"\npython_dependencies = [{}]\n\
         secrets = [{{ id = \"PIP_EXTRA_INDEX_URL\", file = \"index\" }}]",
        quoted(&base.0),
        quoted(&package)
    );
    let script = format!("import os, {}\nprint(os.getuid())\n", package.replace('-', "_"));
    let project = Project::of_script(&storage, &script);
    project.folder.write("index", &index.url);
    project.try_build(&["--no-push"]).fails(1, &["'flow'", "Permission denied", "prefect_directory"]);
    assert!(index.asked().iter().any(|path| path.ends_with("-1.0-py3-none-any.whl")));

    let project = Project::of_script(&format!("{storage}\nprefect_directory = \"/me/flows\""), &script);
    project.folder.write("index", &index.url);
    project.build(&["--no-push"]);
    assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, "12345\n");
    // The user's downloads are kept.
    assert!(!index.asked().iter().any(|path| path.ends_with(".whl")));
}

fn build_from(index: &Index, requirements: &[&str]) {
    built_from(&[index], requirements, "print(1)\n");
}

/// A built image with these requirements, some of them from these indexes.
fn built_from(indexes: &[&Index], requirements: &[&str], script: &str) -> Project {
    let urls: Vec<_> = indexes.iter().map(|index| index.url.as_str()).collect();
    let storage = format!(
        "network = \"host\"\npython_dependencies = {requirements:?}\nenv_vars.PIP_EXTRA_INDEX_URL = {}",
        quoted(&urls.join(" "))
    );
    let project = Project::of_script(&storage, script);
    project.build(&["--no-push"]);
    project
}

#[test]
fn what_flows_import_is_compiled_and_no_tests() {
    let (index, package) = (Index::new(), unique());
    index.publish(&package, "1.0");
    let name = package.replace('-', "_");
    let script = format!(
        "import glob, importlib.util, os, site\n\
         for name in ['six', '{name}']:\n    \
             print(name == 'six', open(importlib.util.find_spec(name).cached, 'rb').read(8)[4])\n\
         print([os.listdir(tests) for tests in glob.glob(site.getsitepackages()[0] + '/{name}_more/tests')])\n"
    );
    let project = built_from(&[&index], &[&package, "six"], &script);
    // The bytecode is checked against its module's time, not its digest.
    assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, "True 0\nFalse 0\n[['long.py']]\n");
}

#[test]
fn a_dependency_more_is_all_that_an_index_is_asked_for() {
    let (index, [one, other]) = (Index::new(), [unique(), unique()]);
    index.publish(&one, "1.0");
    index.publish(&other, "1.0");
    build_from(&index, &[&one]);
    assert!(index.asked().iter().any(|path| path.ends_with("-1.0-py3-none-any.whl")));
    build_from(&index, &[&one, &other]);
    let asked = index.asked();
    let of = |package: &str| {
        let names = [package.to_owned(), package.replace('-', "_")];
        asked.iter().filter(|path| names.iter().any(|name| path[1..].contains(name))).count()
    };
    assert!(of(&one) == 0 && of(&other) > 0, "{asked:?}");
    // The index is asked again if its earlier answers aren't enough.
    index.publish(&one, "1.1");
    build_from(&index, &[&format!("{one}==1.1")]);
}

#[test]
fn what_another_project_has_installed_decides_nothing() {
    let (public, private, package) = (Index::new(), Index::new(), unique());
    let wheel = |version: &str| format!("/{}", wheel_name(&package, version));
    public.publish(&package, "1.0");
    public.publish(&package, "1.1");
    build_from(&public, &[&format!("{package}==1.0")]);
    assert!(public.asked().contains(&wheel("1.0")));
    // The project before was pinned to an old version.
    build_from(&public, &[&package]);
    assert!(public.asked().contains(&wheel("1.1")));
    // The projects before knew of no index where this package is a private one.
    private.publish(&package, "0.1");
    built_from(&[&private, &public], &[&package], "print(1)\n");
    assert!(private.asked().contains(&wheel("0.1")));
}
