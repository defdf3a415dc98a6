//! Tokens in a store in memory.

use std::cell::Cell;

use futures_util::FutureExt as _;
use kedge_adapters::InMemoryStore;

use super::*;

const NOW: Timestamp = Timestamp(1_795_348_800_000);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Numbers that differ.
#[derive(Default)]
struct Numbers(Cell<u64>);

impl Random for Numbers {
    fn next_u64(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

fn done<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn request(name: &str) -> TokenRequest<'_> {
    TokenRequest {
        name,
        scopes: [TokenScope::Read].into(),
        stacks: StackPattern::new("*").unwrap(),
        lasts_ms: DAY_MS,
        created_by: "ana@laptop",
    }
}

fn verified(store: &InMemoryStore, text: &str, now: Timestamp) -> Result<Verified, TokenRefused> {
    done(Presented::parse(text).unwrap().verify(store, now))
}

#[test]
fn a_token_is_good_for_who_has_all_of_it() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let (token, text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let text = text.reveal();
    assert_eq!(text.len(), 4 + 16 + 1 + 64);
    assert!(text.starts_with(&format!("kdg_{}_", token.id)));
    assert_eq!(verified(&store, text, NOW).unwrap().token, token);
    // Neither another secret, nor that of another token, nor its hash.
    let (other, other_text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let (_, secret) = other_text.reveal().rsplit_once('_').unwrap();
    for wrong in [
        format!("kdg_{}_{secret}", token.id),
        format!("kdg_{}_{}", token.id, token.hash),
        format!("kdg_{}_{}", token.id, "0".repeat(64)),
        format!("kdg_{}_{}", "0".repeat(16), "0".repeat(64)),
    ] {
        let refused = verified(&store, &wrong, NOW).unwrap_err();
        assert_eq!(refused, TokenRefused::Unknown, "{wrong}");
    }
    // Two of one name are valid at once.
    assert_eq!(
        verified(&store, other_text.reveal(), NOW).unwrap().token,
        other
    );
}

#[test]
fn the_store_has_no_secret() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let (token, text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let (_, secret) = text.reveal().rsplit_once('_').unwrap();
    let object = done(store.get(&key_of(&token.id))).unwrap().unwrap();
    let stored = String::from_utf8(object.bytes.to_vec()).unwrap();
    assert!(stored.contains(&sha256(secret)) && !stored.contains(secret));
    assert_eq!(format!("{text} {text:?}"), "[secret] [secret]");
}

#[test]
fn another_form_is_no_token() {
    let (id, secret) = ("0".repeat(16), "a".repeat(64));
    assert!(Presented::parse(&format!("kdg_{id}_{secret}")).is_some());
    for text in [
        String::new(),
        "kdg".to_owned(),
        format!("kdg_{id}"),
        format!("kdh_{id}_{secret}"),
        format!("kdg_{id}_{secret}_"),
        format!("kdg_{id}_{secret}a"),
        format!("kdg_{id}_{}", "A".repeat(64)),
        format!("kdg_{}_{secret}", "../../aaaaaaaaaa"),
        format!("kdg_{id}0_{secret}"),
        format!(" kdg_{id}_{secret}"),
    ] {
        assert!(Presented::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn it_ends_and_only_who_has_it_is_told_how() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let (token, text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let text = text.reveal();
    let end = NOW.plus_ms(DAY_MS);
    assert!(verified(&store, text, end.plus_ms(-1)).is_ok());
    let expired = TokenRefused::Ended(TokenEnd::Expired);
    assert_eq!(verified(&store, text, end).unwrap_err(), expired);
    let forged = format!("kdg_{}_{}", token.id, "0".repeat(64));
    assert_eq!(
        verified(&store, &forged, end).unwrap_err(),
        TokenRefused::Unknown
    );
    let revoked = done(revoke(&store, &token.id, NOW)).unwrap();
    assert_eq!(revoked.revoked_at, Some(NOW));
    let ended = TokenRefused::Ended(TokenEnd::Revoked);
    assert_eq!(verified(&store, text, NOW).unwrap_err(), ended);
    // Again changes nothing; nothing else can be revoked.
    let again = done(revoke(&store, &token.id, NOW.plus_ms(1))).unwrap();
    assert_eq!(again, revoked);
    for id in ["", "../x", "0000000000000000"] {
        let error = done(revoke(&store, id, NOW)).unwrap_err();
        assert!(matches!(error, TokenError::Unknown), "{id}");
    }
}

#[test]
fn its_use_is_noted_and_never_brings_it_back() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let (token, text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let used = verified(&store, text.reveal(), NOW).unwrap();
    let puts = store.operations().puts;
    done(used.note_use(&store, NOW));
    done(
        verified(&store, text.reveal(), NOW)
            .unwrap()
            .note_use(&store, NOW),
    );
    assert_eq!(store.operations().puts, puts + 1, "once in an hour");
    let (tokens, unread) = done(list(&store)).unwrap();
    assert_eq!((tokens[0].last_used_at, unread.len()), (Some(NOW), 0));
    // A request that read it before it was revoked.
    let later = NOW.plus_ms(2 * 60 * 60 * 1000);
    let before = verified(&store, text.reveal(), later).unwrap();
    done(revoke(&store, &token.id, later)).unwrap();
    done(before.note_use(&store, later));
    assert_eq!(done(list(&store)).unwrap().0[0].revoked_at, Some(later));
}

#[test]
fn what_makes_no_sense_is_not_made() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let long = "x".repeat(65);
    let refused =
        |request: TokenRequest<'_>| done(issue(&numbers, &store, &request, NOW)).unwrap_err();
    for name in ["", "two words", "tab\t", "é", &long] {
        assert!(matches!(refused(request(name)), TokenError::Name), "{name}");
    }
    for lasts_ms in [0, -1, 999, Token::LASTS_MAX_MS + 1] {
        let error = refused(TokenRequest {
            lasts_ms,
            ..request("ci")
        });
        assert!(matches!(error, TokenError::Length), "{lasts_ms}");
    }
    let scopes = BTreeSet::new();
    let error = refused(TokenRequest {
        scopes,
        ..request("ci")
    });
    assert!(matches!(error, TokenError::NoScope));
    assert_eq!(store.operations().puts, 0);
}

#[test]
fn those_that_can_not_be_read_are_named_and_nobodys() {
    let (numbers, store) = (Numbers::default(), InMemoryStore::new());
    let (token, text) = done(issue(&numbers, &store, &request("ci"), NOW)).unwrap();
    let key = key_of(&token.id);
    done(store.put(&key, "{}".into(), Condition::None)).unwrap();
    assert_eq!(done(list(&store)).unwrap(), (vec![], vec![key]));
    let refused = verified(&store, text.reveal(), NOW).unwrap_err();
    assert_eq!(refused, TokenRefused::Unknown);
}
