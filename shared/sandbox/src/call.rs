//! One request taken apart, and its answer before it becomes HTTP.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value;

pub(crate) type Object = serde_json::Map<String, Value>;

/// A request with its path and query decoded once.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// As it came, still encoded, without the query.
    pub(crate) path: String,
    /// Path and query as they came.
    pub(crate) target: String,
    /// Path segments, each decoded after the split, so that `%2F` stays inside its segment.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn read(request: http::Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let target = parts
            .uri
            .path_and_query()
            .map_or_else(|| path.clone(), ToString::to_string);
        let segments = path
            .split('/')
            .skip(1)
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let query = parts.uri.query().map(read_query).unwrap_or_default();
        let authorization = parts
            .headers
            .get(AUTHORIZATION)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            method: parts.method,
            path,
            target,
            segments,
            query,
            authorization,
            body,
        }
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Asks for no more on a page.
    pub(crate) fn limit_page(&mut self, most: usize) {
        let sizes = (self.query.iter_mut())
            .filter(|(name, _)| matches!(name.as_str(), "pageSize" | "per_page"));
        for (_, size) in sizes {
            // A size that is none is for the provider to refuse.
            if size.parse::<usize>().is_ok_and(|size| size > most) {
                *size = most.to_string();
            }
        }
    }

    /// The body as a JSON object. No body at all is an empty object: clients send none when there is nothing to say.
    pub(crate) fn object(&self) -> Result<Object, String> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Object::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err("the body is not a JSON object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// In a query `+` is a space.
fn read_query(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Json(Value),
    Html(String),
}

/// An answer in the making; faults still work on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
}

impl Answer {
    pub(crate) fn json(status: u16, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(value),
        }
    }

    pub(crate) fn html(status: u16, text: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Html(text.to_owned()),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let (text, kind) = match self.content {
            Content::Json(value) => (value.to_string(), "application/json; charset=utf-8"),
            Content::Html(text) => (text, "text/html; charset=utf-8"),
        };
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A page in the way of the API: what a gateway or proxy would send.
pub(crate) fn html_page(status: u16, title: &str) -> Answer {
    Answer::html(
        status,
        &format!(
            "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{status} {title}</h1></body></html>\n"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_decoded_after_the_split() {
        let request = http::Request::get("http://h/v1/a%2Fb/c+d/%zz?x=1+2&%24alt=json%3Be&flag")
            .body(Bytes::new())
            .unwrap();
        let call = Call::read(request);
        assert_eq!(call.segments(), ["v1", "a/b", "c+d", "%zz"]);
        assert_eq!(call.query("x"), Some("1 2"));
        assert_eq!(call.query("$alt"), Some("json;e"));
        assert_eq!(call.query("flag"), Some(""));
        assert_eq!(call.query("none"), None);
    }
}
