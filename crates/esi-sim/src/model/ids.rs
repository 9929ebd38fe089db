//! The numbers by which EVE names things.
//!
//! The rule: 64 bits everywhere, as in the OpenAPI document; character ids already come close to the end of 32 bits.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$meaning:meta])* $name:ident) => {
        $(#[$meaning])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Takes the number as it is: the simulator makes up its own ids.
            #[must_use]
            pub const fn from_number(number: i64) -> Self {
                Self(number)
            }

            /// The plain number.
            #[must_use]
            pub const fn number(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id!(
    /// A pilot.
    CharacterId
);
id!(
    /// A corporation, of players or of NPCs.
    CorporationId
);

impl CorporationId {
    /// Whether it is one of the game itself.
    #[must_use]
    pub fn is_npc(self) -> bool {
        (1_000_000..2_000_000).contains(&self.0)
    }
}

id!(
    /// One killmail; rises with time.
    KillmailId
);
