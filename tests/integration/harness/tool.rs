//! Running programs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a program that has ended said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Runs a program to its end with that input.
    pub(crate) fn of(command: &mut Command, input: &str) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        // A program may leave its input unread.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.out, self.err);
        self.out
    }
}

/// A program of this machine that few tests need. Where it is not installed they say so and pass, unless
/// `QUAYSIDE_TEST_PROGRAMS=required`, as in CI.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(sbin).map(|folder| folder.join(name)).find(|path| path.is_file());
    let required = std::env::var("QUAYSIDE_TEST_PROGRAMS").is_ok_and(|value| value == "required");
    assert!(found.is_some() || !required, "{name} is not installed");
    if found.is_none() {
        println!("NOT TESTED: {name} is not installed");
    }
    found
}

/// The program under test.
pub(crate) fn quayside<const N: usize>(arguments: [&str; N]) -> Ran {
    Ran::of(Command::new(env!("CARGO_BIN_EXE_quayside")).args(arguments), "")
}

/// A command line as a person types it, with the tools and the program under test on the path.
pub(crate) fn bash(line: &str, input: &str, tools: &Path, kubeconfig: &Path) -> Ran {
    let ours = Path::new(env!("CARGO_BIN_EXE_quayside")).parent().unwrap();
    let path = format!("{}:{}:{}", ours.display(), tools.display(), std::env::var("PATH").unwrap_or_default());
    let cache = kubeconfig.with_file_name("cache");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", line]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("PATH", path).env("KUBECONFIG", kubeconfig).env("KUBECACHEDIR", cache);
    Ran::of(&mut command, input)
}
