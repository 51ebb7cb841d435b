//! pip, with a project from git.

use std::fs;

use super::fill;
use crate::support::clients::Desk;

const PROJECT: &str = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";

/// A wheel of one file, built by the project itself: nothing has to be fetched from elsewhere.
const BACKEND: &str = r#"
import zipfile

INFO = "tiny-1.0.dist-info/"
FILES = {
    "tiny.py": "ONE = 1\n",
    INFO + "METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    record = "".join(f"{file},,\n" for file in [*FILES, INFO + "RECORD"])
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        for file, text in {**FILES, INFO + "RECORD": record}.items():
            wheel.writestr(file, text)
    return name
"#;

#[test]
fn pip_installs_a_project_from_git() {
    let desk = Desk::new();
    fill(&desk, &[("pyproject.toml", PROJECT), ("backend.py", BACKEND)]);
    let target = desk.sandbox.path("site");
    let mut pip = desk.command("pip3", &desk.sandbox.home());
    pip.args(["install", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]);
    pip.arg("--log").arg(desk.sandbox.path("pip.log")).arg("--target").arg(&target);
    pip.arg(format!("git+{}", desk.sandbox.project("group/app")));
    // pip keeps what it built, and where it built it, in a private place, too.
    pip.env("TMPDIR", desk.sandbox.path("")).env("PIP_NO_CLEAN", "1");
    desk.works(pip);
    assert!(target.join("tiny.py").is_file());
    let said = fs::read_to_string(desk.sandbox.path("pip.log")).expect("a log");
    assert!(said.contains("git clone"), "{said}");
    // The clone is a partial one: what it lacks is fetched when it is checked out.
    desk.was_asked_at_most(2);
    desk.is_clean();
}
