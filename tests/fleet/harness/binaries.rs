//! The built binaries: they lie beside the test executable, in `target/<profile>/`.
//!
//! Cargo builds no binary of another package for a test, so it is said plainly when one is missing.

use std::path::PathBuf;

const ALL: [&str; 4] = ["esi-sim", "killfleet", "killfleet-scheduler", "killfleet-worker"];

/// Where a binary is.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    // The test itself lies one folder deeper, in `deps`.
    let folder = test.parent().and_then(|deps| deps.parent()).expect("the test lies in target/<profile>/deps");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Panics, before anything is begun, when a binary is missing.
pub(crate) fn require_all() {
    for name in ALL {
        let path = path(name);
        assert!(
            path.is_file(),
            "{} is missing: run `cargo build --workspace` first, or use ./dev/test",
            path.display()
        );
    }
}
