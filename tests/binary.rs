//! The binary under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A command of cargo, in the workspace.
///
/// What cargo told this test about its own package is left out: build scripts
/// (ring's) look at it, and would compile half the tree anew.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}

/// `farr` with nothing said to it yet.
pub(crate) fn farr() -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    Command::new(BINARY.get_or_init(build))
}

/// Builds the binary beside this test, in its profile: cargo does not do so by
/// itself for the tests of another package.
fn build() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "farr", "--target-dir"]);
    build.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "farr was not built");
    profile.join("farr").with_extension(env::consts::EXE_EXTENSION)
}

/// What a run of the binary said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Checks that what was said on either stream has all of these parts.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            let has = self.out.contains(part) || self.err.contains(part);
            assert!(has, "'{part}' is not in:\n{}\n{}", self.out, self.err);
        }
        self
    }

    /// Checks that none of these words was said.
    #[track_caller]
    pub(crate) fn keeps(self, secrets: &[&str]) -> Self {
        for secret in secrets {
            let has = self.out.contains(secret) || self.err.contains(secret);
            assert!(!has, "'{secret}' is in:\n{}\n{}", self.out, self.err);
        }
        self
    }
}

/// Runs `farr` with these arguments to its end.
pub(crate) fn say(arguments: &[&str]) -> Said {
    Said::of(&farr().args(arguments).output().unwrap())
}
