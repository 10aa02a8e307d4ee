//! A real Python environment: thousands of files, compiled modules, symlinks to the interpreter.

use crate::support::oracle::{assert_rsync_agrees, exact, haul, haul_command, peer, run, skip};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 3] = ["numpy", "pandas", "django"];

/// A virtual environment with [`PACKAGES`], made once and kept below `target/` for later runs.
fn environment() -> Option<PathBuf> {
    if !peer("python3") {
        return None;
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (venv, done) = (place.join("venv"), place.join("venv-is-complete"));
    if done.is_file() {
        return Some(venv);
    }
    let _ = std::fs::remove_dir_all(&venv);
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output().unwrap();
    if !made.status.success() {
        skip("python3 cannot make virtual environments");
        return None;
    }
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--retries", "1"]).args(PACKAGES);
    let installed = run(&mut pip, None);
    if installed.code() != Some(0) {
        skip(&format!("the packages cannot be installed: {installed}"));
        return None;
    }
    // Compiled once now, so that an import does not change the tree later.
    run(Command::new(venv.join("bin/python")).args(["-m", "compileall", "-q"]).arg(venv.join("lib")), None);
    std::fs::write(done, "").unwrap();
    Some(venv)
}

#[test]
fn a_python_environment_is_packed_listed_verified_unpacked_and_imported_from() {
    let Some(venv) = environment() else { return };
    let scratch = Scratch::new();
    let (archive, copy) = (scratch.join("venv.tar.zst"), scratch.join("copy"));
    haul!["pack", &venv, &archive].expect(0);
    let original = Snapshot::of(&venv);
    assert_eq!(haul!["list", &archive].expect(0).lines().len(), original.0.len());
    haul!["verify", &archive, &venv].expect(0);
    run(haul_command().arg("unpack").args(exact()).arg(&archive).arg(&copy), None).expect(0);
    original.assert_same(&Snapshot::of(&copy), Fields::ALL);
    assert_rsync_agrees(&venv, &copy);
    let script = "import sys, numpy, pandas, django\n\
        assert numpy.__file__.startswith(sys.argv[1]), numpy.__file__\n\
        print(int(pandas.Series(numpy.arange(10)).sum()), django.VERSION[0] > 1)";
    let mut python = Command::new(copy.join("bin/python"));
    let imported = run(python.args(["-B", "-c", script]).arg(&copy), None).expect(0);
    assert_eq!(imported.text(), "45 True\n");
}

#[test]
fn this_repository_survives() {
    let scratch = Scratch::new();
    let (archive, copy) = (scratch.join("a.tar.zst"), scratch.join("copy"));
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    haul!["pack", "--exclude=/target", "--exclude-vcs", tree, &archive].expect(0);
    haul!["unpack", &archive, &copy].expect(0);
    for name in ["Cargo.toml", "src/main.rs", "tests/it/real.rs"] {
        assert_eq!(std::fs::read(tree.join(name)).unwrap(), std::fs::read(copy.join(name)).unwrap());
    }
    assert!(!copy.join("target").is_dir() && !copy.join(".git").is_dir());
}
