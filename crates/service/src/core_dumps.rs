//! What a process holds in its memory stays there: no core dump, and no look into it by another process of the same user.
//!
//! Access tokens, the key and the passwords are open in memory while they are used. A dump would put them on a disk, where
//! nobody looks after them.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// For this process and what it starts: no core dump, whatever the system's own settings say. On Linux nobody but root
/// can attach to it or read its environment either.
///
/// # Errors
/// When the kernel does not allow it, as below a debugger of some systems.
pub(crate) fn forbid() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A limit of 0 does not hold where the kernel pipes dumps to a program, as with systemd-coredump; this does.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_there_is_nothing_to_dump() {
        forbid().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable,
            "as the kernel sees it"
        );
    }
}
