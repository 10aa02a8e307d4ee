//! Installs a pinned list of packages into a new virtual environment, and compiles their bytecode.

use crate::interrupt;
use crate::measure::Outcome;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Uses `uv` if it is installed, otherwise the pip of `python3`. pip itself is not in the tree, so both ways give the
/// same files except for the installer's own records.
pub fn install(packages: &str, tree: &Path) -> Outcome<()> {
    let list = tree.with_extension("txt");
    fs::write(&list, packages)?;
    let python = tree.join("bin/python");
    if Command::new("uv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        run(Command::new("uv").args(["venv", "--quiet", "--python", "python3"]).arg(tree))?;
        // Not as hard links to uv's cache: a tree has few of them.
        run(Command::new("uv")
            .args(["pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--link-mode", "copy"])
            .arg("--python")
            .arg(python)
            .arg("--requirement")
            .arg(list))
    } else {
        run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(tree))?;
        run(Command::new("python3")
            .args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--python"])
            .arg(python)
            .args(["install", "--no-deps", "--compile", "--requirement"])
            .arg(list))
    }
}

fn run(command: &mut Command) -> Outcome<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("{name}: {error}"))?;
    interrupt::check()?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}").into()) }
}
