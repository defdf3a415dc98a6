//! TLS for clients that take https only: a certificate made at the start, for this machine alone.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// Whom the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// What a TLS connection begins with: a record of the handshake (RFC 8446, 5.1). No HTTP does.
const HANDSHAKE: u8 = 0x16;

/// The certificate or its use could not be made.
#[derive(Debug)]
pub struct TlsError(String);

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a certificate could not be made: {}", self.0)
    }
}

impl std::error::Error for TlsError {}

/// A certificate that signs itself, and its key, which is nowhere but here. A client that is to trust it takes
/// it as it would take an authority's; it signs nothing else.
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate_pem: String,
}

impl Tls {
    /// Makes a new one.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        let failed = |error: &dyn std::error::Error| TlsError(error.to_string());
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let certificate = CertificateParams::new(NAMES.map(str::to_owned))
            .and_then(|params| params.self_signed(&key))
            .map_err(|error| failed(&error))?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // The client side of this process may have installed another provider.
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| failed(&error))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate_pem: certificate.pem(),
        })
    }

    /// The certificate, for who is to trust it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

/// Whether a connection begins as TLS does. Waits for its first byte.
pub(crate) async fn begins_so(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first == [HANDSHAKE]
}
