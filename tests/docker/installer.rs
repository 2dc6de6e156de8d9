//! Requirements are installed by uv or pip, and nothing of an installer stays in the image.

use crate::project::Project;

/// Prints what an image has of installers and of builds, one path a line, and who installed `six`.
const LOOK: &str = "
import glob, os, shutil
found = [shutil.which('uv'), *glob.glob('/tmp/*'), *glob.glob('/var/tmp/*'), *glob.glob('/dev/shm/*')]
for folder in ('/root/.cache', '/root/.config', '/root/.local', '/run/secrets'):
    found += glob.glob(folder) + glob.glob(folder + '/*')
import six
paths = glob.glob(os.path.dirname(six.__file__) + '/six-*.dist-info/INSTALLER')
print('installer', open(paths[0]).read().strip())
print('bytecode', os.path.exists(six.__cached__))
print('left', sorted(path for path in found if path))
";

/// A storage with `six`, and lines of one's own.
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
