//! What SSO says of itself.

use serde_json::json;

use crate::model::Answer;

/// The discovery document, for a service that was reached under `base_url`. The issuer is not the simulator's address
/// but CCP's, because the tokens carry that too.
#[must_use]
pub(in crate::model) fn discovery(base_url: &str) -> Answer {
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt"];
    let document = json!({
        "issuer": "https://login.eveonline.com",
        "authorization_endpoint": format!("{base_url}/v2/oauth/authorize"),
        "token_endpoint": format!("{base_url}/v2/oauth/token"),
        "userinfo_endpoint": format!("{base_url}/v2/oauth/verify"),
        "response_types_supported": ["code", "token"],
        "jwks_uri": format!("{base_url}/oauth/jwks"),
        "revocation_endpoint": format!("{base_url}/v2/oauth/revoke"),
        "subject_types_supported": ["public"],
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_methods_supported": methods,
        "id_token_signing_alg_values_supported": ["HS256"],
        "token_endpoint_auth_signing_alg_values_supported": ["HS256"],
        "code_challenge_methods_supported": ["S256"],
    });
    Answer::json(200, document.to_string())
}
