//! The table of requests that only read, for read-only mode (`KEDGE_READ_ONLY=1`, semantics 9.7).
//!
//! The HTTP adapter checks each request against it, by method and path alone. So even a request that a
//! provider's `requests.rs` makes by mistake can't write in that mode.

use http::Method;

use super::http::ProviderName;

/// Whether a request to this provider, by its method and path, is known to change nothing. The path
/// may begin with that of the provider's address (`AIVEN_WEB_URL` behind a proxy).
#[must_use]
pub fn is_known_read(provider: ProviderName, method: &Method, path: &str) -> bool {
    if method == Method::GET {
        return true;
    }
    // Aiven's bulk read of topics: POST /v2/project/{project}/service/{service}/topic.
    provider == ProviderName::Aiven
        && method == Method::POST
        && matches!(
            path.split('/').collect::<Vec<_>>().as_slice(),
            ["", .., "v2", "project", _, "service", _, "topic"]
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_are_known_reads() {
        let known = |method: &str, path: &str| {
            is_known_read(ProviderName::Aiven, &method.parse().unwrap(), path)
        };
        assert!(known("GET", "/v1/project/p/service/s/topic"));
        assert!(known("POST", "/v2/project/p/service/s/topic"));
        assert!(known("POST", "/a/proxy/v2/project/p/service/s/topic"));
        for (method, path) in [
            ("POST", "/v1/project/p/service/s/topic"),
            ("POST", "/v2/v1/project/p/service/s/topic"),
            ("POST", "/v2/project/p/service/s/topic/x"),
            ("PUT", "/v2/project/p/service/s/topic"),
            ("DELETE", "/v1/project/p/service/s/topic/t"),
        ] {
            assert!(!known(method, path), "{method} {path}");
        }
        let post: Method = "POST".parse().unwrap();
        assert!(!is_known_read(
            ProviderName::Pubsub,
            &post,
            "/v2/project/p/service/s/topic"
        ));
    }
}
