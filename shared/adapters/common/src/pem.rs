//! Private keys as Google's key files have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kedge_engine::ports::SignError;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The bytes of a key in PKCS#8, between the lines of a PEM text.
///
/// # Errors
/// When there are none. The error holds no part of the text.
pub fn pkcs8_der(pem: &str) -> Result<Vec<u8>, SignError> {
    let body = pem
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(body, _)| body)
        .ok_or_else(|| fail("it is not a PEM text with a `PRIVATE KEY` block"))?;
    let compact: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD
        .decode(compact)
        .map_err(|_| fail("its PEM block is not base64"))
}

fn fail(why: &str) -> SignError {
    SignError(why.to_owned())
}
