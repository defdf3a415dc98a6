//! RS256 by ring.

use kedge_adapters::pkcs8_der;
use kedge_core::model::SecretText;
use kedge_engine::ports::{SignError, Signer};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

/// Signs with RSA keys in PKCS#8, the form in Google's key files.
#[derive(Debug)]
pub struct RingSigner(ring::rand::SystemRandom);

impl RingSigner {
    /// A signer; it keeps no key.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for RingSigner {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer for RingSigner {
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let der = pkcs8_der(key_pem.reveal())?;
        // ring's reasons ("InvalidEncoding", "TooSmall") hold no part of the key.
        let key = RsaKeyPair::from_pkcs8(&der)
            .map_err(|why| fail(&format!("it is not a usable RSA key in PKCS#8: {why}")))?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &self.0, message, &mut signature)
            .map_err(|_| fail("signing with it failed"))?;
        Ok(signature)
    }
}

fn fail(why: &str) -> SignError {
    SignError(why.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    // Made for this test with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`.
    const KEY: &str = include_str!("../testdata/rsa_pkcs8.pem");
    // `printf 'header.claims' | openssl dgst -sha256 -sign rsa_pkcs8.pem | base64 -w0`.
    const SIGNATURE: &str = include_str!("../testdata/rsa_signature.b64");

    async fn sign(pem: &str) -> Result<Vec<u8>, SignError> {
        let key = SecretText::new(pem);
        RingSigner::new().sign_rs256(&key, b"header.claims").await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_signature_is_the_one_openssl_makes() {
        let signature = sign(KEY).await.unwrap();
        assert_eq!(STANDARD.encode(signature), SIGNATURE.trim());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn line_ends_and_text_around_the_block_do_not_matter() {
        let pem = format!("Bag Attributes\r\n{}\r\n", KEY.replace('\n', "\r\n"));
        assert!(sign(&pem).await.is_ok());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn unusable_keys_are_named_and_not_shown() {
        let rsa = KEY.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        let cut = KEY.replacen("MII", "MIJ", 1);
        for pem in ["hunter2", &rsa, &cut, &KEY.replacen("MII", "M!I", 1)] {
            let error = sign(pem).await.unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.len() < 100, "{error}");
        }
    }
}
