//! Settings: groups of flags that a binary flattens into its command line, each flag also an environment variable.
//!
//! Three rules. A value that is missing or malformed is our own [`SettingError`], one line that names the variable,
//! not clap's usage text: so every field is an optional raw text, and `resolve` decides. An empty value counts as not
//! set. A secret may come from a file instead (`…_FILE`), is a [`SecretString`](secrecy::SecretString) from the moment
//! it is resolved, and no group of flags can be printed.
//!
//! A binary's own arguments must have a doc comment: without one clap shows that of the last group as the description
//! of the program.
//!
//! One file a group; [`names`] is the list of all variables, the private module `raw` how one value is read.

mod broker;
mod corporations;
mod database;
mod duration;
mod error;
mod esi;
mod import_address;
mod listen;
mod log;
mod move_addresses;
pub mod names;
mod raw;
mod sso;
mod tiers;
mod token_api;
mod token_key;
mod token_rules;
mod web_address;

pub use broker::{BrokerArgs, BrokerSettings};
pub use corporations::CorporationsArgs;
pub use database::{DatabaseAddress, DatabaseArgs};
pub use duration::{DurationError, parse_duration};
pub use error::SettingError;
pub(crate) use error::one_line;
pub use esi::{EsiArgs, EsiSettings};
pub use import_address::ImportAddressArgs;
pub use listen::ListenArgs;
pub use log::{LogArgs, LogFormat, LogSettings};
pub use move_addresses::MoveAddressArgs;
pub use sso::{ClientAuth, SsoArgs, SsoSettings};
pub use tiers::TiersArgs;
pub use token_api::TokenApiArgs;
pub use token_key::TokenKeyArgs;
pub use token_rules::{TokenRules, TokenRulesArgs};

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::testing::described;
    use super::*;

    #[derive(Args)]
    struct AllArgs {
        #[command(flatten)]
        _database: DatabaseArgs,
        #[command(flatten)]
        _broker: BrokerArgs,
        #[command(flatten)]
        _sso: SsoArgs,
        #[command(flatten)]
        _esi: EsiArgs,
        #[command(flatten)]
        _token_key: TokenKeyArgs,
        #[command(flatten)]
        _token_rules: TokenRulesArgs,
        #[command(flatten)]
        _tiers: TiersArgs,
        #[command(flatten)]
        _corporations: CorporationsArgs,
        #[command(flatten)]
        _token_api: TokenApiArgs,
        #[command(flatten)]
        _listen: ListenArgs,
        #[command(flatten)]
        _log: LogArgs,
    }

    #[test]
    fn all_groups_fit_into_one_command_line() {
        AllArgs::augment_args(Command::new("test")).debug_assert();
        let described = described::<AllArgs>();
        assert_eq!(described.len(), 29);
        for (flag, variable, is_hidden) in described {
            assert_eq!(variable, format!("KILLFLEET_{}", flag[2..].replace('-', "_").to_uppercase()));
            let secrets =
                [names::DATABASE_URL, names::AMQP_URL, names::CLIENT_SECRET, names::TOKEN_KEY, names::TOKEN_API_SECRET];
            let may_hold_a_secret = secrets.contains(&&*variable);
            assert_eq!(is_hidden, may_hold_a_secret, "{variable}");
        }
    }
}
