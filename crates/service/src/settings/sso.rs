//! EVE SSO: where it is, and who we are to it.

use std::ffi::OsString;

use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::raw::{SecretSetting, optional, required};
use super::{SettingError, names, web_address};

const CLIENT_SECRET: SecretSetting = SecretSetting {
    variable: names::CLIENT_SECRET,
    file_variable: names::CLIENT_SECRET_FILE,
    remedy: "give the secret key of your application from https://developers.eveonline.com/applications, or set \
             KILLFLEET_SSO_CLIENT_AUTH=none for a native application, which has none",
};

const DEFAULT_SSO_URL: &str = "https://login.eveonline.com";

/// The flags and variables for EVE SSO.
#[derive(Args, Clone)]
#[command(next_help_heading = "EVE SSO")]
pub struct SsoArgs {
    #[arg(
        long,
        env = names::SSO_URL,
        value_name = "URL",
        help = "Address of EVE SSO, with its discovery document below it [default: https://login.eveonline.com]"
    )]
    sso_url: Option<OsString>,
    /// Address of the token endpoint, instead of the discovered one
    #[arg(long, env = names::SSO_TOKEN_URL, value_name = "URL")]
    sso_token_url: Option<OsString>,
    /// Address of the key set (JWKS), instead of the discovered one
    #[arg(long, env = names::SSO_JWKS_URL, value_name = "URL")]
    sso_jwks_url: Option<OsString>,
    /// Address at which pilots sign in, instead of the discovered one
    #[arg(long, env = names::SSO_AUTHORIZE_URL, value_name = "URL")]
    sso_authorize_url: Option<OsString>,
    /// Address at which an access token can be asked about, for a provider that has one as Twitch does (EVE SSO has not)
    #[arg(long, env = names::SSO_VALIDATE_URL, value_name = "URL")]
    sso_validate_url: Option<OsString>,
    /// How the token endpoint is told who we are: basic, body, or none for a native application, which has no secret key
    /// [default: basic]
    #[arg(long, env = names::SSO_CLIENT_AUTH, value_name = "HOW")]
    sso_client_auth: Option<OsString>,
    /// Client id of your EVE application (required)
    #[arg(long, env = names::CLIENT_ID, value_name = "ID")]
    client_id: Option<OsString>,
    /// Secret key of your EVE application (required, but for a native application)
    #[arg(long, env = names::CLIENT_SECRET, hide_env_values = true, value_name = "SECRET")]
    client_secret: Option<OsString>,
    /// A file that holds the secret key of your EVE application
    #[arg(long, env = names::CLIENT_SECRET_FILE, value_name = "PATH")]
    client_secret_file: Option<OsString>,
}

/// How the token endpoint is told who we are.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Client id and secret by HTTP Basic.
    Basic(SecretString),
    /// Client id and secret in the body of the request.
    Body(SecretString),
    /// A native application: the client id alone.
    None,
}

/// What it takes to sign in and to refresh tokens.
#[derive(Debug, Clone)]
pub struct SsoSettings {
    /// The discovery document is below it.
    pub sso_url: Url,
    /// Overrides the `token_endpoint` of the discovery document.
    pub token_url: Option<Url>,
    /// Overrides the `jwks_uri` of the discovery document.
    pub jwks_url: Option<Url>,
    /// Overrides the `authorization_endpoint` of the discovery document.
    pub authorize_url: Option<Url>,
    /// Where it can be asked whether an access token still stands.
    pub validate_url: Option<Url>,
    pub client_id: String,
    pub client_auth: ClientAuth,
}

impl SsoArgs {
    /// # Errors
    /// A value is missing or unreadable, or an address is one that tokens must not be sent to.
    pub fn resolve(&self) -> Result<SsoSettings, SettingError> {
        let sso_url = optional(names::SSO_URL, &self.sso_url)?.unwrap_or(DEFAULT_SSO_URL);
        let sso_url = web_address::parse(names::SSO_URL, sso_url, DEFAULT_SSO_URL)?;
        let overriding = |variable, raw, example| {
            optional(variable, raw)?.map(|text| web_address::parse(variable, text, example)).transpose()
        };
        let token_url =
            overriding(names::SSO_TOKEN_URL, &self.sso_token_url, "https://login.eveonline.com/v2/oauth/token")?;
        let jwks_url = overriding(names::SSO_JWKS_URL, &self.sso_jwks_url, "https://login.eveonline.com/oauth/jwks")?;
        let authorize_url = overriding(
            names::SSO_AUTHORIZE_URL,
            &self.sso_authorize_url,
            "https://login.eveonline.com/v2/oauth/authorize",
        )?;
        let validate_url =
            overriding(names::SSO_VALIDATE_URL, &self.sso_validate_url, "https://id.twitch.tv/oauth2/validate")?;
        let remedy = "give the client id of your application from https://developers.eveonline.com/applications";
        let client_id = required(names::CLIENT_ID, &self.client_id, remedy)?;
        if !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingError::malformed(names::CLIENT_ID, "holds a space or an unusual character", remedy));
        }
        let client_auth = self.client_auth()?;
        let client_id = client_id.to_owned();
        Ok(SsoSettings { sso_url, token_url, jwks_url, authorize_url, validate_url, client_id, client_auth })
    }

    fn client_auth(&self) -> Result<ClientAuth, SettingError> {
        let secret = || CLIENT_SECRET.read(&self.client_secret, &self.client_secret_file);
        let refused = |problem: String| {
            let remedy = "give basic, body, or none for a native application, which has no secret key";
            Err(SettingError::malformed(names::SSO_CLIENT_AUTH, problem, remedy))
        };
        match optional(names::SSO_CLIENT_AUTH, &self.sso_client_auth)?.unwrap_or("basic") {
            "basic" => secret().map(ClientAuth::Basic),
            "body" => secret().map(ClientAuth::Body),
            "none" => match CLIENT_SECRET.read_optional(&self.client_secret, &self.client_secret_file)? {
                None => Ok(ClientAuth::None),
                // Which of the two is meant? A guess would send a secret where none belongs, or have every refresh refused.
                Some(_) => refused(format!("is none, but {} is set", names::CLIENT_SECRET)),
            },
            other => refused(format!("cannot be {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    const CLIENT: [&str; 4] = ["--client-id", "c0ffee", "--client-secret", "hush"];

    fn secret(settings: &SsoSettings) -> &str {
        match &settings.client_auth {
            ClientAuth::Basic(secret) => secret.expose_secret(),
            other => panic!("{other:?}"),
        }
    }

    fn resolve(flags: &[&str]) -> Result<SsoSettings, String> {
        parse::<SsoArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn a_client_is_all_it_takes() {
        let settings = resolve(&CLIENT).unwrap();
        assert_eq!(settings.sso_url.as_str(), "https://login.eveonline.com/");
        assert_eq!((settings.token_url.as_ref(), settings.jwks_url.as_ref()), (None, None));
        assert_eq!((settings.client_id.as_str(), secret(&settings)), ("c0ffee", "hush"));
        assert!(!format!("{settings:?}").contains("hush"));
        let file = TemporaryFile::with("from a file\n");
        let settings = resolve(&["--client-id", "c0ffee", "--client-secret-file", file.path()]).unwrap();
        assert_eq!(secret(&settings), "from a file");
    }

    #[test]
    fn addresses_can_be_overridden() {
        let flags = ["--sso-token-url", "http://127.0.0.1:1/token", "--sso-jwks-url", "https://example.com/jwks"];
        let others = ["--sso-url", "http://localhost:1", "--sso-authorize-url", "https://example.com/authorize"];
        let validate = ["--sso-validate-url", "https://example.com/validate"];
        let settings = resolve(&[&CLIENT[..], &flags, &others, &validate].concat()).unwrap();
        assert_eq!(settings.validate_url.unwrap().as_str(), "https://example.com/validate");
        assert_eq!(settings.sso_url.as_str(), "http://localhost:1/");
        assert_eq!(settings.token_url.unwrap().as_str(), "http://127.0.0.1:1/token");
        assert_eq!(settings.jwks_url.unwrap().as_str(), "https://example.com/jwks");
        assert_eq!(settings.authorize_url.unwrap().as_str(), "https://example.com/authorize");
        for (flag, variable) in [
            ("--sso-url", "KILLFLEET_SSO_URL"),
            ("--sso-token-url", "KILLFLEET_SSO_TOKEN_URL"),
            ("--sso-jwks-url", "KILLFLEET_SSO_JWKS_URL"),
            ("--sso-authorize-url", "KILLFLEET_SSO_AUTHORIZE_URL"),
            ("--sso-validate-url", "KILLFLEET_SSO_VALIDATE_URL"),
        ] {
            let error = resolve(&[&CLIENT[..], &[flag, "http://example.com"]].concat()).unwrap_err();
            assert!(error.starts_with(&format!("{variable} is plain http:// to another machine")), "{error}");
        }
    }

    #[test]
    fn only_a_native_application_has_no_secret() {
        let with = |how: &str| resolve(&[&CLIENT[..], &["--sso-client-auth", how]].concat());
        assert!(matches!(with("basic").unwrap().client_auth, ClientAuth::Basic(_)));
        assert!(matches!(with("body").unwrap().client_auth, ClientAuth::Body(_)));
        let native = resolve(&["--client-id", "c0ffee", "--sso-client-auth", "none"]).unwrap();
        assert!(matches!(native.client_auth, ClientAuth::None));
        let both = with("none").unwrap_err();
        assert!(both.starts_with("KILLFLEET_SSO_CLIENT_AUTH is none, but KILLFLEET_CLIENT_SECRET is set: "), "{both}");
        let unknown = with("digest").unwrap_err();
        assert!(unknown.starts_with("KILLFLEET_SSO_CLIENT_AUTH cannot be \"digest\": give basic, "), "{unknown}");
        let missing = resolve(&["--client-id", "c0ffee", "--sso-client-auth", "body"]).unwrap_err();
        assert!(missing.starts_with("KILLFLEET_CLIENT_SECRET is not set: "), "{missing}");
    }

    #[test]
    fn missing_and_malformed_are_named_without_the_secret() {
        for (flags, start) in [
            (&["--client-secret", "hush"][..], "KILLFLEET_CLIENT_ID is not set: "),
            (&["--client-id", "c0ffee"], "KILLFLEET_CLIENT_SECRET is not set: "),
            (&["--client-id", "c0 ffee", "--client-secret", "hush"], "KILLFLEET_CLIENT_ID holds a space"),
            (&["--client-id", "c0ffee", "--client-secret-file", "/no/such"], "KILLFLEET_CLIENT_SECRET_FILE names "),
        ] {
            let error = resolve(flags).unwrap_err();
            assert!(error.starts_with(start), "{flags:?}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let both = resolve(&[&CLIENT[..], &["--client-secret-file", "/no/such"]].concat()).unwrap_err();
        assert!(both.starts_with("KILLFLEET_CLIENT_SECRET and KILLFLEET_CLIENT_SECRET_FILE are both set"), "{both}");
    }

    #[test]
    fn only_the_secret_is_hidden_in_help() {
        let hidden: Vec<_> = described::<SsoArgs>().into_iter().filter(|(_, _, hidden)| *hidden).collect();
        assert_eq!(hidden, [("--client-secret".to_owned(), "KILLFLEET_CLIENT_SECRET".to_owned(), true)]);
    }
}
