//! Messages of the two protocols that can be told by their first bytes: what a trap of the proxy waits for.

/// Bytes one after the other; None stands for any byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sign(&'static [Option<u8>]);

/// What becomes of the message that is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catch {
    /// It never arrives.
    Hold,
    /// It arrives, and what the server says to it never does. Caught is it when the server has answered.
    KeepAnswer,
    /// It arrives like any other.
    LetGoBy,
}

/// PostgreSQL: a simple query `COMMIT`.
pub(crate) const COMMIT: Sign = Sign(&[
    Some(b'Q'),
    Some(0),
    Some(0),
    Some(0),
    Some(11),
    Some(b'C'),
    Some(b'O'),
    Some(b'M'),
    Some(b'M'),
    Some(b'I'),
    Some(b'T'),
    Some(0),
]);

/// AMQP: a method frame on some channel, of 13 bytes, with `basic.ack`.
pub(crate) const ACK: Sign =
    Sign(&[Some(1), None, None, Some(0), Some(0), Some(0), Some(13), Some(0), Some(60), Some(0), Some(80)]);

/// AMQP: a method frame on some channel, of any size up to 64 KiB, with `basic.publish`.
pub(crate) const PUBLISH: Sign =
    Sign(&[Some(1), None, None, Some(0), Some(0), None, None, Some(0), Some(60), Some(0), Some(40)]);

impl Sign {
    pub(crate) fn is_in(self, bytes: &[u8]) -> bool {
        let fits = |piece: &[u8]| self.0.iter().zip(piece).all(|(sign, byte)| sign.is_none_or(|sign| sign == *byte));
        bytes.windows(self.0.len()).any(fits)
    }
}
