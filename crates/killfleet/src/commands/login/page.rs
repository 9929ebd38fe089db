//! What the browser shows at the end: one page that needs nothing else, and says what happened.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

pub(super) struct Page {
    status: StatusCode,
    title: &'static str,
    text: String,
}

impl Page {
    pub(super) fn good(text: &str) -> Self {
        Self { status: StatusCode::OK, title: "Signed in", text: text.to_owned() }
    }

    pub(super) fn bad(text: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, title: "Not signed in", text: text.to_owned() }
    }

    fn html(&self) -> String {
        let (title, text) = (self.title, escaped(&self.text));
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>killfleet: {title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto 0; padding: 0 1rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14171c; color: #e4e7eb; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<p>You can close this window.</p>
</body>
</html>
"#
        )
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            // The address of this page holds a code: it goes nowhere, and is kept by nobody.
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
            (CONNECTION, "close"),
        ];
        (self.status, headers, self.html()).into_response()
    }
}

/// A name or a refusal is somebody else's text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_shown_and_not_obeyed() {
        let html = Page::bad(r#"refused: <script src="x">&amp;</script>"#).html();
        assert!(html.contains("<p>refused: &lt;script src=&quot;x&quot;&gt;&amp;amp;&lt;/script&gt;</p>"), "{html}");
        assert!(!html.contains("src=\"x") && !html.contains("http"), "nothing is loaded from anywhere");
    }
}
