use super::*;

#[test]
fn scalars_in_every_form() {
    for (json, loose) in [
        ("null", Loose::Missing),
        ("true", Loose::Flag(true)),
        ("300", Loose::Number(300)),
        ("-1", Loose::Number(-1)),
        ("300.0", Loose::Number(300)),
        ("300.5", Loose::Strange),
        ("1e300", Loose::Strange),
        ("18446744073709551615", Loose::Strange),
        ("\"300\"", Loose::Text("300".to_owned())),
        ("[1, {\"a\": 2}]", Loose::Strange),
        ("{\"a\": [1]}", Loose::Strange),
    ] {
        assert_eq!(
            serde_json::from_str::<Loose>(json).unwrap(),
            loose,
            "{json}"
        );
    }
    assert_eq!(Loose::Text("300".to_owned()).number(), Some(300));
    assert_eq!(Loose::Text("soon".to_owned()).number(), None);
}

#[test]
fn pages() {
    let body = br#"{"success":true,"errors":[],"messages":[],"new":{},
        "result":[{"id":"1","meta":{},"type":"A","tags":["x"],"comment":null}],
        "result_info":{"page":1,"per_page":"5000","count":1,"total_count":1.0}}"#;
    let page = page(body).unwrap();
    assert_eq!((page.total_count, page.per_page), (1, 5000));
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].comment, Loose::Missing);
}

#[test]
fn strange_pages_are_refused_with_a_reason() {
    for (body, reason) in [
        ("", "the answer was cut off"),
        (
            "{\"success\":true,\"result\":[{\"id\":\"1\"",
            "the answer was cut off",
        ),
        ("<html>", "the answer is not JSON"),
        (
            "[]",
            "the answer does not have the form that Cloudflare documents",
        ),
        (
            "{\"success\":true,\"result\":{},\"result_info\":{\"total_count\":0}}",
            "the answer does not have the form that Cloudflare documents",
        ),
        (
            "{\"success\":true,\"result\":null,\"result_info\":{\"total_count\":0}}",
            "the answer has no list",
        ),
        (
            "{\"success\":true,\"result\":[]}",
            "the answer does not say how many records there are",
        ),
        (
            "{\"success\":false,\"result\":[],\"result_info\":{\"total_count\":0}}",
            "the answer does not say that it succeeded",
        ),
        ("{}", "the answer does not say that it succeeded"),
    ] {
        assert_eq!(page(body.as_bytes()).unwrap_err(), reason, "{body}");
    }
}

#[test]
fn zones() {
    let body = br#"{"success":true,"errors":[],"result":{"id":"z","name":"Zone.Example",
        "status":"moved","paused":true,"plan":{},"type":"full"}}"#;
    let text = |text: &str| Loose::Text(text.to_owned());
    let wanted = WireZone {
        name: text("Zone.Example"),
        status: text("moved"),
        paused: Loose::Flag(true),
    };
    assert_eq!(zone(body), Ok(wanted));
    for (body, reason) in [
        ("<html>", "the answer is not JSON"),
        ("{\"success\":true", "the answer was cut off"),
        (
            "{\"success\":true,\"result\":null}",
            "the answer has no zone",
        ),
        (
            "{\"success\":true,\"result\":[]}",
            "the answer does not have the form that Cloudflare documents",
        ),
        (
            "{\"success\":false,\"result\":{\"name\":\"z.example\"}}",
            "the answer does not say that it succeeded",
        ),
    ] {
        assert_eq!(zone(body.as_bytes()), Err(reason), "{body}");
    }
}

#[test]
fn what_a_batch_created() {
    let names = |body: &str| -> Vec<Loose> {
        let all = created(body.as_bytes());
        all.into_iter().map(|record| record.name).collect()
    };
    let body = r#"{"success":true,"result":{"deletes":[],"posts":[{"id":"1","name":"a"},{}]}}"#;
    assert_eq!(names(body), [Loose::Text("a".to_owned()), Loose::Missing]);
    for nothing in [
        "",
        "{}",
        "[]",
        r#"{"result":null}"#,
        r#"{"result":{"posts":null}}"#,
        r#"{"result":{"posts":[["a"]]}}"#,
    ] {
        assert_eq!(names(nothing), [], "{nothing}");
    }
}

#[test]
fn problems_are_read_from_whatever_comes() {
    let body = br#"{"success":false,"result":null,"errors":[{"code":1004,"message":
        "DNS Validation Error","error_chain":[{"code":9005,"message":"Content is\nbad."}]}]}"#;
    let codes = |body: &[u8]| -> Vec<(i64, String)> {
        problems(body)
            .into_iter()
            .map(|problem| (problem.code, problem.message))
            .collect()
    };
    assert_eq!(
        codes(body),
        [
            (1004, "DNS Validation Error".to_owned()),
            (9005, "Content is bad".to_owned())
        ]
    );
    let edge = (0, "error code: 1015".to_owned());
    assert_eq!(codes(b"error code: 1015\n"), [edge]);
    for nothing in [
        "",
        "{}",
        "{\"errors\":[{}]}",
        "<html>",
        "[]",
        "{\"errors\":null}",
        "{\"errors\":\"x\"}",
    ] {
        assert_eq!(codes(nothing.as_bytes()), [], "{nothing}");
    }
}

#[test]
fn bodies_hold_only_what_is_meant() {
    let batch = WireBatch {
        deletes: Vec::new(),
        patches: vec![WirePatch {
            id: "1",
            content: Some("192.0.2.1"),
            ttl: None,
            proxied: None,
            comment: None,
        }],
        posts: Vec::new(),
    };
    assert_eq!(
        serde_json::to_string(&batch).unwrap(),
        r#"{"patches":[{"id":"1","content":"192.0.2.1"}]}"#
    );
}
