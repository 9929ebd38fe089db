//! A file that goes away with the test.

use std::path::PathBuf;

pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn with(content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("killfleet-test-{}", uuid::Uuid::now_v7().simple()));
        std::fs::write(&path, content).expect("the folder for temporary files can be written to");
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
