//! What the tests of the settings share. The environment of the test process is not touched: values come as flags,
//! and that each flag has its variable is asserted from clap's own description.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use clap::{Args, Command};

/// A group of flags, parsed from a command line. The environment of the machine has no say.
pub(crate) fn parse<A: Args>(flags: &[&str]) -> A {
    let command = A::augment_args(Command::new("test")).mut_args(|argument| argument.env(None::<&str>));
    let matches = command.try_get_matches_from([&["test"], flags].concat()).unwrap();
    A::from_arg_matches(&matches).unwrap()
}

/// Every flag of the group with its variable, and whether `--help` keeps the value to itself.
pub(crate) fn described<A: Args>() -> Vec<(String, String, bool)> {
    let command = A::augment_args(Command::new("test"));
    let describe = |argument: &clap::Arg| {
        let flag = format!("--{}", argument.get_long().unwrap());
        let variable = argument.get_env().expect("every setting is also a variable").to_str().unwrap();
        (flag, variable.to_owned(), argument.is_hide_env_values_set())
    };
    command.get_arguments().map(describe).collect()
}

/// A file that goes away with the test.
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn with(content: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("killfleet-setting-{}-{number}", process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
