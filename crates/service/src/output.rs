//! What a program prints on standard output, as opposed to its log.

use std::io::{self, ErrorKind, Write};

/// Writes a line. Somebody who has stopped reading (`… | head`) has seen enough: that is no failure.
///
/// # Errors
/// Standard output cannot be written to, for example because its disk is full.
pub fn print_line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
