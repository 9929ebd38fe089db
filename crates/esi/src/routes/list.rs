//! A page of a killmail list: all of it, or nothing.

use domain::KillmailRef;
use domain::list_walk::PAGES_MAX;
use reqwest::header::HeaderMap;

use crate::http::answer::RawAnswer;
use crate::http::headers::text;

/// What a request for a page brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPage {
    /// It is as it was when its ETag was remembered.
    NotModified,
    Page {
        references: Vec<KillmailRef>,
        /// `X-Pages`: from 1 to [`PAGES_MAX`]. None when ESI did not say, or nothing that makes sense: then the end of
        /// the list is not known.
        pages: Option<u32>,
        /// Verbatim, to be sent back next time.
        etag: Option<String>,
    },
}

impl ListPage {
    pub(super) fn empty() -> Self {
        Self::Page { references: Vec::new(), pages: Some(1), etag: None }
    }
}

/// One row that is not a reference makes the page unreadable: with half a page stored as if it were whole, the rest
/// would be missed for as long as nothing new appears. For the same reason nothing is believed of a page that is empty
/// and says that others follow.
pub(super) fn read(raw: &RawAnswer, page: u32) -> Result<ListPage, String> {
    let references = serde_json::from_slice::<Vec<KillmailRef>>(raw.whole_body()?)
        .map_err(|error| format!("not a list of killmails: {error}"))?;
    let pages = pages(&raw.headers);
    if let Some(pages) = pages.filter(|pages| references.is_empty() && page < *pages) {
        return Err(format!("page {page} of {pages} is empty"));
    }
    let etag = text(&raw.headers, "etag").filter(|etag| !etag.is_empty()).map(str::to_owned);
    Ok(ListPage::Page { references, pages, etag })
}

fn pages(headers: &HeaderMap) -> Option<u32> {
    let pages: u64 = text(headers, "x-pages")?.parse().ok().filter(|pages| *pages > 0)?;
    Some(u32::try_from(pages).unwrap_or(PAGES_MAX).min(PAGES_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::headers::map;

    #[test]
    fn table_of_x_pages() {
        let cases = [
            ("1", Some(1)),
            ("3", Some(3)),
            ("0", None),
            ("-1", None),
            ("many", None),
            ("", None),
            ("1001", Some(PAGES_MAX)),
            ("99999999999", Some(PAGES_MAX)),
            ("99999999999999999999999", None),
        ];
        for (value, expected) in cases {
            assert_eq!(pages(&map(&[("x-pages", value)])), expected, "{value:?}");
        }
        assert_eq!(pages(&HeaderMap::new()), None);
    }

    fn references(body: &str) -> Result<Vec<(i64, String)>, String> {
        match read(&RawAnswer::of(HeaderMap::new(), body.as_bytes()), 1)? {
            ListPage::Page { references, .. } => Ok(references
                .into_iter()
                .map(|reference| (reference.killmail_id.get(), reference.killmail_hash.as_str().to_owned()))
                .collect()),
            ListPage::NotModified => panic!("a body is no 304"),
        }
    }

    fn body(rows: &[(i64, String)]) -> String {
        let row = |(id, hash): &(i64, String)| format!(r#"{{"x":[],"killmail_id":{id}, "killmail_hash":"{hash}"}}"#);
        format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","))
    }

    fn rows() -> impl Strategy<Value = Vec<(i64, String)>> {
        prop::collection::vec((1..i64::MAX, "[0-9a-f]{40}"), 1..6)
    }

    proptest! {
        #[test]
        fn a_page_is_read_as_it_was_written(rows in rows()) {
            prop_assert_eq!(references(&body(&rows)), Ok(rows));
        }

        #[test]
        fn of_a_page_that_is_cut_off_nothing_is_taken(rows in rows(), place in any::<prop::sample::Index>()) {
            let body = body(&rows);
            prop_assert!(references(&body[..place.index(body.len())]).is_err());
        }

        #[test]
        fn one_row_that_is_none_spoils_the_page(
            mut rows in rows(),
            place in any::<prop::sample::Index>(),
            (id, hash) in prop_oneof![(i64::MIN..1, "[0-9a-f]{40}"), (1..i64::MAX, "[0-9a-fA-Z]{0,39}")],
        ) {
            rows.insert(place.index(rows.len() + 1), (id, hash));
            prop_assert!(references(&body(&rows)).is_err());
        }

        #[test]
        fn whatever_else_comes_is_no_page(text in any::<String>()) {
            prop_assert!(references(&text).is_err() || text.trim() == "[]");
        }
    }
}
