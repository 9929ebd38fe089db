//! Bodies that ESI has really sent, from 338 bytes to 92 KB, 2005 to 2026.

use domain::{KillmailHash, KillmailRef};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use store::detail_job::NewKillmail;

use super::Database;
use super::arrange::killmail;

#[derive(Deserialize)]
pub(crate) struct RealKillmail {
    killmail_hash: String,
    /// The very text.
    body: Box<RawValue>,
}

/// All 26 of them.
pub(crate) fn all() -> Vec<RealKillmail> {
    let killmails: Vec<RealKillmail> =
        serde_json::from_str(include_str!("../../fixtures/killmails.json")).expect("the fixture is a JSON array");
    assert_eq!(killmails.len(), 26);
    killmails
}

impl RealKillmail {
    pub(crate) fn text(&self) -> &str {
        self.body.get()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    pub(crate) fn id(&self) -> i64 {
        self.json()["killmail_id"].as_i64().unwrap()
    }

    pub(crate) fn reference(&self) -> KillmailRef {
        let killmail_hash = KillmailHash::parse(self.killmail_hash.clone()).unwrap();
        KillmailRef { killmail_id: killmail(self.id()), killmail_hash }
    }
}

impl Database {
    /// Stores a text for a wanted killmail, as the worker does it.
    pub(crate) async fn store_text(&self, id: i64, text: &str) {
        let body: Value = serde_json::from_str(text).unwrap();
        let killmail = NewKillmail {
            killmail_time: body["killmail_time"].as_str().unwrap().parse().unwrap(),
            solar_system_id: body["solar_system_id"].as_i64().unwrap(),
            json: text,
        };
        let claim = self.detail(id).await;
        assert!(self.store.store_body(&claim, killmail).await.unwrap(), "killmail {id}");
    }

    /// Stores all real bodies.
    pub(crate) async fn store_real_killmails(&self) -> Vec<RealKillmail> {
        let killmails = all();
        let wanted: Vec<_> = killmails.iter().map(RealKillmail::reference).collect();
        self.wanted(&wanted).await;
        for killmail in &killmails {
            self.store_text(killmail.id(), killmail.text()).await;
        }
        killmails
    }
}

/// Equal as JSON: numbers by their value, whatever their spelling (`1e3`, `1000`, `1000.0`); all else to the letter.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
                return left == right;
            }
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            // serde_json may round the same decimal fraction up or down by one unit in the last place.
            (left - right).abs() <= 4.0 * f64::EPSILON * left.abs().max(right.abs())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        (left, right) => left == right,
    }
}
