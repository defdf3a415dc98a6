use http::header;

use super::*;
use kedge_core::change::Verb;
use kedge_core::model::{Fields, ResourceKey, StackName};

fn answer(status: u16, body: &str) -> Response<Bytes> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Response::builder().status(status).body(body).unwrap()
}

fn coded(status: u16, code: i64) -> Response<Bytes> {
    let errors = format!(r#"[{{"code":{code},"message":"It says {code}."}}]"#);
    let body = format!(r#"{{"success":false,"errors":{errors},"messages":[],"result":null}}"#);
    answer(status, &body)
}

fn change() -> Change {
    Change {
        begun_before: false,
        stack: StackName::new("dev").unwrap(),
        key: ResourceKey::dns_record_set("z", "n.example", "A"),
        verb: Verb::Create,
        edits: Vec::new(),
        declared: Fields::new(),
        secrets: kedge_core::model::ByField::new(),
        recorded: Fields::new(),
        live: None,
    }
}

#[test]
fn reads() {
    use FailureCode::{
        Forbidden, ProviderError, RateLimited, ScopeNotFound, StrangeAnswer, Unauthenticated,
    };
    for (response, code, begins) in [
        (coded(401, 10000), Unauthenticated, "401: It says 10000; "),
        (coded(403, 10000), Forbidden, "403: It says 10000; "),
        (answer(403, "<html>"), Forbidden, "403: refused; needs "),
        (coded(403, 9109), Unauthenticated, "403: It says 9109; "),
        (coded(403, 9103), Unauthenticated, "403: It says 9103; "),
        (coded(400, 6003), Unauthenticated, "400: It says 6003; "),
        (coded(400, 9106), Unauthenticated, "400: It says 9106; "),
        (
            coded(404, 7003),
            ScopeNotFound,
            "404: It says 7003; there is no zone `z`",
        ),
        (
            coded(400, 7003),
            ScopeNotFound,
            "400: It says 7003; there is no zone `z`",
        ),
        (
            answer(404, "{}"),
            ScopeNotFound,
            "404: not found; there is no zone `z` that this token may see; check `cloudflare_zone_id`",
        ),
        (coded(429, 10100), RateLimited, "429: It says 10100"),
        (answer(429, "{}"), RateLimited, "429: too many requests"),
        (
            answer(500, ""),
            ProviderError,
            "500: Cloudflare's API is failing",
        ),
        (
            answer(502, "<html>"),
            ProviderError,
            "502: Cloudflare's API is failing",
        ),
        (
            answer(522, "error code: 522"),
            ProviderError,
            "522: error code: 522",
        ),
        (
            answer(408, ""),
            ProviderError,
            "408: Cloudflare's API is failing",
        ),
        (coded(400, 1004), StrangeAnswer, "400: It says 1004"),
        (
            answer(302, ""),
            StrangeAnswer,
            "302: the answer is not a list",
        ),
    ] {
        let failure = read_failure("z", &response);
        assert_eq!(failure.code, code, "{response:?}");
        assert!(failure.reason.starts_with(begins), "{}", failure.reason);
        assert!(!failure.reason.ends_with('.'), "{}", failure.reason);
        let asks = matches!(code, Unauthenticated | Forbidden);
        assert_eq!(failure.permission.is_some(), asks, "{response:?}");
    }
}

#[test]
fn what_is_not_about_the_token_gets_no_advice_about_it() {
    let bound = answer(
        403,
        r#"{"errors":[{"code":9109,"message":"Cannot use the access token from location: 192.0.2.1"}]}"#,
    );
    for response in [
        bound,
        coded(403, 1020),
        coded(403, 1047),
        answer(403, "error code: 1020"),
        coded(400, 9306),
        coded(405, 0),
        answer(413, "Request Entity Too Large"),
    ] {
        let Refusal::Error(ChangeError::Blocked { reason, fix }) =
            refusal(&change(), "z", &response)
        else {
            panic!("{response:?}");
        };
        let says = describe_answer(&response, "refused");
        assert!(says.len() > "403: ".len(), "{says}");
        assert_eq!((reason, fix), (says.clone(), None));
        let read = read_failure("z", &response);
        assert_eq!((read.reason, read.permission), (says, None));
    }
}

#[test]
fn every_refusal_has_the_providers_own_words_bounded_and_clean() {
    for status in [
        400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 451, 500, 502, 530,
    ] {
        for code in [
            0, 1, 1004, 6003, 7003, 9109, 10000, 81044, 81053, 81054, 81057, 81058,
        ] {
            let words = r"the\u001b[31mzone\nis https://u:s3cret@h/x?s3cret shut.";
            let errors = format!(r#"{{"code":{code},"message":"{words}"}}"#);
            let many = [errors.as_str(); 3].join(",");
            let long = format!(r#"{{"code":1,"message":"{}"}}"#, "a ".repeat(400));
            let body = format!(r#"{{"success":false,"errors":[{many},{long}]}}"#);
            let response = answer(status, &body);
            let refused = match refusal(&change(), "z", &response) {
                Refusal::RecordGone(said) => said,
                Refusal::Error(error) => error.to_string(),
            };
            for text in [refused, read_failure("z", &response).reason] {
                assert!(
                    text.contains("the [31mzone is https://[hidden]@h/x?[hidden]"),
                    "{text}"
                );
                assert!(
                    !text.contains("s3cret") && !text.contains(char::is_control),
                    "{text}"
                );
                assert!(text.chars().count() < 500, "{text}");
            }
        }
    }
}

#[test]
fn refused_writes() {
    for (response, said) in [
        (
            coded(404, 81044),
            "404: It says 81044; n.example/A has changed since it was read",
        ),
        (
            coded(400, 81044),
            "400: It says 81044; n.example/A has changed since it was read",
        ),
        // It says nothing of a record, so neither do we.
        (answer(404, "{}"), "404: refused"),
        (coded(404, 1), "404: It says 1"),
    ] {
        let gone = Refusal::RecordGone(said.to_owned());
        assert_eq!(refusal(&change(), "z", &response), gone);
    }
    for (response, part) in [
        (coded(401, 10000), "needs Zone:DNS:Edit"),
        (coded(403, 10000), "needs Zone:DNS:Edit"),
        (coded(403, 9109), "needs Zone:DNS:Edit"),
        (coded(400, 6003), "needs Zone:DNS:Edit"),
        (coded(404, 7003), "there is no zone `z`"),
        (
            coded(400, 81057),
            "a record of n.example/A with this address",
        ),
        (
            coded(400, 81058),
            "a record of n.example/A with this address",
        ),
        (coded(400, 81053), "a name with a CNAME"),
        (coded(400, 81054), "a name with a CNAME"),
        (coded(400, 9039), "400: It says 9039"),
        (answer(413, ""), "413: refused"),
    ] {
        let Refusal::Error(ChangeError::Blocked { reason, .. }) =
            refusal(&change(), "z", &response)
        else {
            panic!("{response:?}");
        };
        assert!(reason.contains(part), "{reason}");
    }
    for response in [coded(429, 10300), answer(429, "{}")] {
        let refusal = refusal(&change(), "z", &response);
        assert!(matches!(
            refusal,
            Refusal::Error(ChangeError::Failed { .. })
        ));
    }
}

#[test]
fn what_is_made_again() {
    let hinted = |name: &str, value: &str| {
        let mut response = answer(429, "{}");
        let name: header::HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
        response
    };
    let again = |after_ms| Retry::Again { after_ms };
    let mut busy = answer(503, "");
    let headers = busy.headers_mut();
    headers.insert("retry-after", "30".parse().unwrap());
    headers.insert("ratelimit", "\"default\";r=9;t=200".parse().unwrap());
    for (response, read, write) in [
        (answer(200, ""), Retry::No, Retry::No),
        (coded(400, 81058), Retry::No, Retry::No),
        (coded(403, 10000), Retry::No, Retry::No),
        (answer(429, "{}"), again(None), again(None)),
        (
            hinted("retry-after", "7"),
            again(Some(7_000)),
            again(Some(7_000)),
        ),
        (
            hinted("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"),
            again(None),
            again(None),
        ),
        (
            hinted("ratelimit", "\"default\";r=0;t=120"),
            again(Some(120_000)),
            again(Some(120_000)),
        ),
        // Zero would be to hammer.
        (hinted("retry-after", "0"), again(None), again(None)),
        (
            hinted("ratelimit", "\"default\";r=0;t=0"),
            again(None),
            again(None),
        ),
        (busy, again(Some(30_000)), Retry::Ambiguous),
        (answer(500, ""), again(None), Retry::Ambiguous),
        (answer(504, ""), again(None), Retry::Ambiguous),
        (answer(520, ""), again(None), Retry::Ambiguous),
        (answer(408, ""), again(None), Retry::Ambiguous),
    ] {
        assert_eq!(classify_read(&response), read, "{response:?}");
        assert_eq!(classify_write(&response), write, "{response:?}");
    }
}

#[test]
fn a_token_that_is_not_set_is_named() {
    let unset = Unsendable::NoToken.read_failure();
    assert_eq!(unset.code, FailureCode::NoCredentials);
    assert!(unset.reason.contains("CLOUDFLARE_API_TOKEN"));
}
