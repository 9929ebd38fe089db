//! How one parked thing is named: `killmail:ID`, or the number alone; `character:ID` and `corporation:ID` for their lists;
//! `message:ID`.

use std::fmt;
use std::str::FromStr;

use domain::{CharacterId, CorporationId, KillmailId, ListOwner};
use store::parked::Chosen;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector {
    Killmail(KillmailId),
    List(ListOwner),
    Message(Uuid),
}

impl Selector {
    /// None for a message, which is no row.
    pub(super) fn row(self) -> Option<Chosen<'static>> {
        match self {
            Self::Killmail(killmail_id) => Some(Chosen::Killmail(killmail_id)),
            Self::List(owner) => Some(Chosen::List(owner)),
            Self::Message(_) => None,
        }
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, id) = text.split_once(':').unwrap_or(("killmail", text));
        let number = || id.parse::<i64>().map_err(|_| format!("{id:?} is not a number"));
        match kind {
            "killmail" => KillmailId::parse(number()?).map(Self::Killmail).map_err(|error| error.to_string()),
            "character" => {
                let id = CharacterId::parse(number()?).map_err(|error| error.to_string())?;
                Ok(Self::List(id.into()))
            }
            "corporation" => {
                let id = CorporationId::parse(number()?).map_err(|error| error.to_string())?;
                Ok(Self::List(id.into()))
            }
            "message" => Uuid::parse_str(id).map(Self::Message).map_err(|_| format!("{id:?} is no id of a message")),
            _ => Err("it is killmail:ID, character:ID, corporation:ID or message:ID".to_owned()),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killmail(killmail_id) => write!(formatter, "killmail:{killmail_id}"),
            Self::List(ListOwner::Character(id)) => write!(formatter, "character:{id}"),
            Self::List(ListOwner::Corporation(id)) => write!(formatter, "corporation:{id}"),
            Self::Message(id) => write!(formatter, "message:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_given() {
        for text in ["killmail:128", "character:90000001", "corporation:98000001"] {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        let message = format!("message:{}", Uuid::from_u128(7));
        assert_eq!(message.parse::<Selector>().unwrap().to_string(), message);
        assert_eq!("128".parse::<Selector>(), "killmail:128".parse());
        for text in ["", "killmail:", "killmail:-1", "character:x", "message:1", "list:1", "killmail:1:2"] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }
}
