//! What may be sent, and what may be said of it.

use bytes::Bytes;
use http::{Request, Uri};
use kedge_engine::ports::{HttpError, ReadRequest, WriteRequest, is_known_read};

/// Whether a request that reads may leave: in read-only mode only what is in the table of reads (semantics 9.7).
///
/// # Errors
/// [`HttpError::Refused`].
pub fn read_may_be_sent(read_only: bool, request: &ReadRequest) -> Result<(), HttpError> {
    let http = request.request();
    let is_known = is_known_read(request.provider(), http.method(), http.uri().path());
    match read_only && !is_known {
        true => Err(read_only_refusal(http)),
        false => Ok(()),
    }
}

/// Whether a request that writes may leave.
///
/// # Errors
/// [`HttpError::Refused`] in read-only mode.
pub fn write_may_be_sent(read_only: bool, request: &WriteRequest) -> Result<(), HttpError> {
    match read_only {
        true => Err(read_only_refusal(request.request())),
        false => Ok(()),
    }
}

/// The refusal of a request in read-only mode.
#[must_use]
pub fn read_only_refusal(request: &Request<Bytes>) -> HttpError {
    HttpError::Refused(format!(
        "KEDGE_READ_ONLY is set, and {} {} is not in the table of reads",
        request.method(),
        request.uri().path()
    ))
}

/// Host and port of an address, without what may be secret in it.
#[must_use]
pub fn host_of(uri: &Uri) -> String {
    match (uri.host(), uri.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "no host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_by_its_host() {
        for (uri, told) in [
            (
                "https://user:t0ps3cret@api.example:8443/path?token=t0ps3cret",
                "api.example:8443",
            ),
            ("http://127.0.0.1/", "127.0.0.1"),
            ("/path", "no host"),
        ] {
            assert_eq!(host_of(&uri.parse().unwrap()), told);
        }
    }
}
