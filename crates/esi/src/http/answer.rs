//! An answer as it came: status, headers and a body that is bounded while it is read.

use reqwest::Response;
use reqwest::header::HeaderMap;

use super::error_body::ErrorBody;
use super::redact::Redactor;
use super::{headers, in_words};

/// The largest killmail on record has 668 KB; nothing that we ask for comes near this.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of an error only the first lines are ever looked at.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// How the reading of a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BodyEnd {
    Whole,
    TooLarge,
    CutOff(String),
}

#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
    end: BodyEnd,
}

impl RawAnswer {
    /// A success that has arrived whole.
    #[cfg(test)]
    pub(crate) fn of(headers: HeaderMap, body: &[u8]) -> Self {
        Self { status: 200, headers, body: body.to_vec(), end: BodyEnd::Whole }
    }

    /// A cut or oversized body is no reason to forget the status and the headers: a 429 counts whatever follows it.
    pub(super) async fn read(mut response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes_max = if response.status().is_success() { BODY_BYTES_MAX } else { ERROR_BODY_BYTES_MAX };
        let mut body = Vec::new();
        // Chunks come decoded, so this counts what a compressed body unpacks to and stops in the middle of a bomb.
        let end = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => break BodyEnd::TooLarge,
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break BodyEnd::Whole,
                Err(error) => break BodyEnd::CutOff(in_words(&error)),
            }
        };
        Self { status, headers, body, end }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// 304 is the answer to a validator, not a redirect.
    pub(crate) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status) && self.status != 304
    }

    /// Where a redirect points, without its query, which may hold anything.
    pub(crate) fn redirect_target(&self, redactor: &Redactor<'_>) -> String {
        let target = headers::text(&self.headers, "location").unwrap_or("nowhere");
        redactor.clean(target.split(['?', '#']).next().unwrap_or_default())
    }

    /// The body of a success, if all of it arrived; otherwise why not.
    pub(crate) fn whole_body(&self) -> Result<&[u8], String> {
        match &self.end {
            BodyEnd::Whole => Ok(&self.body),
            BodyEnd::TooLarge => Err(format!("the body is larger than {BODY_BYTES_MAX} bytes")),
            BodyEnd::CutOff(why) => Err(why.clone()),
        }
    }

    pub(crate) fn error_body(&self) -> ErrorBody {
        // The end of a cut body may be the first half of an echoed token, which could not be recognised any more.
        let body: &[u8] = if self.end == BodyEnd::Whole { &self.body } else { &[] };
        ErrorBody::read(&self.headers, body)
    }
}
