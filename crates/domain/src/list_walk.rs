//! Which page of a killmail list comes next.
//!
//! Pages are walked by the `X-Pages` header, never until a 404 (which costs five tokens). A walk that is cut off is
//! taken up at the page it had come to: the row remembers it, so a hole between what was seen and what was not
//! cannot stay open.

use crate::job::SyncMode;

/// No list is longer than this. 90 days of the busiest pilots fit many times over; a nonsensical `X-Pages` does not
/// send us walking for ever.
pub const PAGES_MAX: u32 = 1000;

/// How a walk begins: what the row remembers of an unfinished walk, and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkStart {
    pub first_page: u32,
    pub mode: SyncMode,
}

/// `resume_page` is the page at which an unfinished walk goes on; none when the list was seen to its end.
/// An unfinished walk goes on to the end, because it is not known what the cut hid.
#[must_use]
pub fn start(resume_page: Option<u32>, asked: SyncMode) -> WalkStart {
    match resume_page {
        Some(page) => WalkStart { first_page: page.max(1), mode: SyncMode::Full },
        None => WalkStart { first_page: 1, mode: asked },
    }
}

/// What a page told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSeen {
    pub page: u32,
    /// No row is on the page.
    pub is_empty: bool,
    /// Rows that this character's list had not shown before.
    pub unseen: usize,
    /// `X-Pages` of this answer.
    pub pages: u32,
}

/// The page to ask for next; none when the walk is at its end.
#[must_use]
pub fn next_page(mode: SyncMode, seen: PageSeen) -> Option<u32> {
    let last_page = seen.pages.min(PAGES_MAX);
    let worth_it = mode == SyncMode::Full || seen.unseen > 0;
    (!seen.is_empty && worth_it && seen.page < last_page).then(|| seen.page + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(page: u32, references: usize, unseen: usize, pages: u32) -> PageSeen {
        PageSeen { page, is_empty: references == 0, unseen, pages }
    }

    #[test]
    fn table_of_pages() {
        let cases = [
            // Nothing new on page 1: the rest is known.
            (SyncMode::New, seen(1, 1000, 0, 3), None),
            (SyncMode::New, seen(1, 1000, 1, 3), Some(2)),
            (SyncMode::New, seen(2, 1000, 0, 3), None),
            (SyncMode::New, seen(3, 10, 10, 3), None),
            (SyncMode::Full, seen(1, 1000, 0, 3), Some(2)),
            (SyncMode::Full, seen(3, 1, 0, 3), None),
            // An empty page is the end, whatever the header says.
            (SyncMode::Full, seen(1, 0, 0, 3), None),
            (SyncMode::Full, seen(1, 5, 5, 0), None),
            (SyncMode::Full, seen(PAGES_MAX, 5, 5, 999_999_999), None),
        ];
        for (mode, seen, expected) in cases {
            assert_eq!(next_page(mode, seen), expected, "{mode:?} {seen:?}");
        }
    }

    #[test]
    fn an_unfinished_walk_goes_on_to_the_end() {
        assert_eq!(start(None, SyncMode::New), WalkStart { first_page: 1, mode: SyncMode::New });
        assert_eq!(start(Some(1), SyncMode::New), WalkStart { first_page: 1, mode: SyncMode::Full });
        assert_eq!(start(Some(7), SyncMode::New), WalkStart { first_page: 7, mode: SyncMode::Full });
    }
}
