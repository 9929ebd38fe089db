//! Where the list of a character, or of a corporation, has its rows: in tables of one shape, `character` and `corporation`
//! with what hangs on them. So each statement on a list is written once, for either name.

use domain::ListOwner;

/// The table that the list's job is a row of. With `_id` behind it, it is the name of its key; with `_killmail` and
/// `_list_page`, of the tables with what the list has shown, and with the ETags of its pages.
pub(crate) fn table_of(owner: ListOwner) -> &'static str {
    match owner {
        ListOwner::Character(_) => "character",
        ListOwner::Corporation(_) => "corporation",
    }
}

/// Takes a macro that makes a checked statement from [`table_of`], as a literal.
macro_rules! for_list {
    ($owner:expr, $statement:ident) => {
        match $owner {
            domain::ListOwner::Character(_) => $statement!("character"),
            domain::ListOwner::Corporation(_) => $statement!("corporation"),
        }
    };
}
pub(crate) use for_list;

/// The same for the lists of all characters and of all corporations, one after the other.
macro_rules! for_both_lists {
    ($statement:ident) => {
        [$statement!("character"), $statement!("corporation")]
    };
}
pub(crate) use for_both_lists;
