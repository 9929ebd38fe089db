//! One file of an archive: a killmail as ESI sent it, and what EVE Ref has added to it.

use std::fmt;

use domain::{KillmailHash, KillmailRef};
use esi::KillmailBody;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What EVE Ref adds and ESI does not send: the hash, and the header `Last-Modified` of ESI's answer. They are taken
/// out again, for what ESI sent is to be read back equal (docs/decisions/0013-everef.md).
const HASH: &str = "killmail_hash";
const ADDED: [&str; 2] = [HASH, "http_last_modified"];

#[derive(Debug)]
pub(super) struct Member {
    pub(super) reference: KillmailRef,
    pub(super) body: KillmailBody,
}

impl Member {
    /// # Errors
    /// Why it is no killmail, or of no use without its hash.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not a killmail: it is not UTF-8".to_owned())?;
        let Members(members) = serde_json::from_str(text).map_err(|error| format!("not a killmail: {error}"))?;
        let hash = members.iter().rev().find(|(name, _)| name == HASH).ok_or("it has no killmail_hash")?;
        let killmail_hash: KillmailHash =
            serde_json::from_str(hash.1.get()).map_err(|error| format!("its killmail_hash: {error}"))?;
        let body = KillmailBody::parse(without_added(&members)).map_err(|error| error.to_string())?;
        Ok(Self { reference: KillmailRef { killmail_id: body.killmail_id, killmail_hash }, body })
    }

    pub(super) fn tells_of_another_hash(&self) -> bool {
        self.body.contradicts(&self.reference.killmail_hash)
    }
}

/// Each value stays the text that it is, so that no number is rounded.
fn without_added(members: &[(String, &RawValue)]) -> String {
    let of_esi = members.iter().filter(|(name, _)| !ADDED.contains(&name.as_str()));
    let members = of_esi.map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name.as_str())));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The members of an object, in their order and with their texts.
struct Members<'text>(Vec<(String, &'text RawValue)>);

impl<'text> Deserialize<'text> for Members<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'text> Visitor<'text> for MembersVisitor {
    type Value = Members<'text>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'text>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const HASH_OF_7: &str = "9802da62e92a1d86fabdd48963e714819106fa8b";
    /// With odd spacing, numbers that a re-print would change, and unknown members that look like the added ones.
    const VICTIM: &str = r#"{"damage_taken":5 , "ship_type_id":670, "position":{"x":1.50e11,"y":-0.0},
        "killmail_hash":"of nobody"}"#;

    fn text(beside: &str) -> String {
        format!(
            r#"{{"attackers":[{{"final_blow":true}}],{beside}"killmail_id":7,"killmail_time":"2016-10-22T17:13:36Z",
            "solar_system_id":30002976,"kill \"marks\"":[12345678901234567890.123456789],"victim":{VICTIM}}}"#
        )
    }

    #[test]
    fn what_esi_sent_is_left_and_what_was_added_is_gone() {
        let hashes = format!(r#""killmail_hash":"of an older form","killmail_hash":"{HASH_OF_7}","#);
        let added = format!(r#""http_last_modified":"2016-10-22T17:14:00Z",{hashes}"#);
        let member = Member::parse(text(&added).as_bytes()).unwrap();
        assert_eq!((member.reference.killmail_id.get(), member.reference.killmail_hash.as_str()), (7, HASH_OF_7));
        let spaces = ["\n", "            "];
        let expected = spaces.iter().fold(text(""), |text, space| text.replace(space, ""));
        let found = spaces.iter().fold(member.body.json.clone(), |text, space| text.replace(space, ""));
        assert_eq!(found, expected);
        assert!(member.body.json.contains(VICTIM), "to the letter: {}", member.body.json);
        assert!(member.tells_of_another_hash());
    }

    #[test]
    fn what_is_no_killmail_is_refused() {
        let hash = format!(r#""killmail_hash":"{HASH_OF_7}","#);
        let cases = [
            (String::new(), "not a killmail: EOF"),
            ("[]".to_owned(), "not a killmail: invalid type: sequence, expected an object"),
            ("{\"killmail_id\":7".to_owned(), "not a killmail: EOF"),
            (text(""), "it has no killmail_hash"),
            (text(r#""killmail_hash":null,"#), "its killmail_hash: invalid type: null"),
            (text(r#""killmail_hash":"9802","#), "its killmail_hash: a killmail hash is 40 lower-case"),
            (text(&hash).replace("victim", "victor"), "no readable victim"),
            (text(&hash).replace(r#""killmail_id":7"#, r#""killmail_id":-7"#), "must be a positive number"),
            (text(&hash) + "{}", "not a killmail: trailing characters"),
        ];
        for (text, expected) in cases {
            let why = Member::parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(expected), "{why:?} for {text}");
        }
        assert!(Member::parse(&[b'{', 0xff, b'}']).unwrap_err().contains("not UTF-8"));
    }

    proptest! {
        #[test]
        fn whatever_esi_sends_is_left_to_the_letter(
            members in prop::collection::vec((any::<String>(), any::<(i64, String)>(), "[1-9][0-9]{0,30}[.][0-9]{1,30}"), 0..6),
            place in any::<prop::sample::Index>(),
        ) {
            let member = |(name, (number, text), decimal): &(String, (i64, String), String)| {
                let name = serde_json::Value::from(format!("x{name}"));
                format!("{name}:[{number},{},{{\"killmail_hash\": {decimal}}}],", serde_json::Value::from(text.as_str()))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            let (before, behind) = members.split_at(place.index(members.len() + 1));
            let hash = format!(r#""killmail_hash":"{HASH_OF_7}","#);
            let read = Member::parse(text(&format!("{}{hash}{}", before.concat(), behind.concat())).as_bytes()).unwrap();
            prop_assert_eq!(read.reference.killmail_hash.as_str(), HASH_OF_7);
            let found: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&read.body.json).unwrap();
            let sent: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text(&members.concat())).unwrap();
            let texts = |members: BTreeMap<String, Box<RawValue>>| -> Vec<(String, String)> {
                members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
            };
            prop_assert_eq!(texts(found), texts(sent));
        }

        #[test]
        fn whatever_else_stands_in_an_archive_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Member::parse(&bytes).is_err());
        }
    }
}
