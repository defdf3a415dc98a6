use super::*;
use crate::model::{CatchingUp, FieldName, Fields, Policy, Recorded, SealedUrl, Value};

/// A replacement that was begun, with these values before and after.
fn replacement(fields: Fields) -> Intent {
    Intent {
        verb: Verb::Replace,
        begun_by: Some(BegunBy {
            run: "r0".to_owned(),
            actor: "a".to_owned(),
        }),
        at: Timestamp(6),
        shown_by: Timestamp(60),
        from: Some(fields.clone()),
        to: fields,
        automatic: None,
        earlier: None,
    }
}

/// A state in which each key has a value.
pub(crate) fn full_state() -> State {
    let stack = StackName::new("dev").unwrap();
    let mut state = State::first(stack, Salt([0xab; 16]), Policy::default());
    let url = SealedUrl::seal("https://h.example/p?token=t0ps3cret", &state.salt).unwrap();
    let fields: Fields = [
        (FieldName::known("retention_ms"), Value::Int(i64::MAX)),
        (FieldName::known("push_endpoint"), Value::url(url)),
        (FieldName::known("members"), Value::set(["a", "b"])),
        (FieldName::known("expiration"), Value::seconds(86_400)),
        (FieldName::known("cleanup_policy"), Value::text("compact")),
        (FieldName::known("proxied"), Value::Bool(true)),
        (
            FieldName::known("ratio"),
            Value::Mixed([("a".to_owned(), Value::Ratio(5))].into()),
        ),
    ]
    .into();
    let key = ResourceKey::kafka_topic("p", "s", "dev-t");
    let values = |value: Value| vec![None, Some(value)];
    let catching_up = CatchingUp {
        made: true,
        before: fields.clone().map(|_, value| values(value)),
        until: Timestamp(5),
        retried: true,
    };
    let record = Recorded {
        fields: fields.clone(),
        catching_up: Some(catching_up),
        pending_adoption: fields.clone(),
    };
    state.resources.insert(key.clone(), record);
    let intent = replacement(fields);
    let automatic = AutomaticChange {
        at: Timestamp(7),
        key: key.clone(),
        fingerprint: "f".to_owned(),
        first_create: false,
    };
    let again = Intent {
        automatic: Some(automatic.clone()),
        ..intent.clone()
    };
    state.applying = Some(Applying {
        run: RunRecord {
            id: "r1".to_owned(),
            ..RunRecord::default()
        },
        in_history: true,
        intents: [(key, again.after(intent))].into(),
    });
    state.automatic.push(automatic);
    state.awaiting.insert(
        ResourceKey::pubsub_topic("p", "dev-u"),
        [(FieldName::known("labels.team"), Value::text("x"))].into(),
    );
    let gone = ResourceKey::kafka_topic("p", "s", "dev-t");
    state.absent.insert(gone, Timestamp(8));
    state.retired = Some(Timestamp(9));
    state.epoch = 4;
    state.variables = Some(["gmail_webhook_endpoint".to_owned()].into());
    state
}

#[test]
fn survives_storage_and_holds_no_secret() {
    let state = full_state();
    let bytes = encode(&state).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("t0ps3cret"));
    assert_eq!(decode(&bytes, &state.stack).unwrap(), state);
}

#[test]
fn refuses_what_it_does_not_understand() {
    let state = full_state();
    let text = String::from_utf8(encode(&state).unwrap()).unwrap();
    let stack = &state.stack;
    let refused = |text: &str| decode(text.as_bytes(), stack).unwrap_err().to_string();
    assert!(refused(&text.replace("\"format\": 1", "\"format\": 2")).contains("newer kedge"));
    assert!(refused("{").contains("damaged"));
    assert!(refused(&text[..text.len() / 2]).contains("damaged"));
    assert!(refused(&text.replace("kafka-topic/p", "kafka-tropic/p")).contains("kafka-tropic"));
    let other = StackName::new("prod").unwrap();
    assert!(
        decode(text.as_bytes(), &other)
            .unwrap_err()
            .to_string()
            .contains("belongs to")
    );
}

#[test]
fn a_url_that_shows_what_it_must_hide_is_damage() {
    let stack = StackName::new("dev").unwrap();
    let text = String::from_utf8(
        encode(&State::first(
            stack.clone(),
            Salt([1; 16]),
            Policy::default(),
        ))
        .unwrap(),
    );
    let text = text.unwrap();
    let record = r#""resources": {"pubsub-subscription/p/s": {"fields": {"push_endpoint": {"url":
        {"shown": "https://h.example/?token=x", "sealed": null}}}}}"#;
    let bad = text.replace("\"resources\": {}", record);
    assert_ne!(bad, text);
    assert!(matches!(
        decode(bad.as_bytes(), &stack),
        Err(DecodeError::Stored(StoredError::InvalidValue { .. }))
    ));
    let fine = bad.replace("?token=x", "");
    assert!(decode(fine.as_bytes(), &stack).is_ok());
}
