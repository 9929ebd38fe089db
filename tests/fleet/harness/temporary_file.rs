//! Files and folders that go away with the test.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// For this user only, as a file with a secret in it should be.
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn with(content: &str) -> Self {
        Self::with_mode(content, 0o600)
    }

    pub(crate) fn with_mode(content: &str, mode: u32) -> Self {
        let path = somewhere();
        let written = std::fs::write(&path, content);
        let written = written.and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(mode)));
        written.expect("the folder for temporary files can be written to");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("its name is made of plain letters")
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// For this user only, as a home folder is.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn new() -> Self {
        let path = somewhere();
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.expect("the folder for temporary files can be written to");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn somewhere() -> PathBuf {
    std::env::temp_dir().join(format!("killfleet-test-{}", uuid::Uuid::now_v7().simple()))
}
