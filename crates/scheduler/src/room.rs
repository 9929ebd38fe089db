//! How much a tick may put into the lanes.

use domain::Lane;

/// Hints that the lanes can still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub list: u32,
    pub detail: u32,
    pub refresh: u32,
}

impl Room {
    /// For a look without a touch.
    #[must_use]
    pub fn endless() -> Self {
        Self { list: u32::MAX, detail: u32::MAX, refresh: u32::MAX }
    }

    /// Takes a place in a lane; false when it is full.
    pub(crate) fn take(&mut self, lane: Lane) -> bool {
        let left = match lane {
            Lane::List => &mut self.list,
            Lane::Detail => &mut self.detail,
            Lane::Refresh => &mut self.refresh,
        };
        let is_free = *left > 0;
        *left = left.saturating_sub(1);
        is_free
    }
}
