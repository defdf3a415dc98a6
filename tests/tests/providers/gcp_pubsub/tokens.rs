//! A token outlives a run, and never its credential, its age, or Google's trust in it.

use kedge_engine::Caches;
use kedge_engine::testing::GOOGLE_TOKEN_AGE_MAX_S;
use kedge_tests::crowd::Crowd;

use super::reads::KEY;
use super::*;

fn set_key(ports: &SimPorts, key: &str) {
    let name = "GOOGLE_CREDENTIALS".to_owned();
    ports.secrets.borrow_mut().insert(name, key.to_owned());
}

/// One run that reads, in a process that keeps this; how many tokens it signed, and what it found.
fn signed(ports: &SimPorts, caches: &Caches) -> (usize, &'static str) {
    let mut session = session(ports).with_caches(caches);
    want_credentials(&mut session);
    let crowd = Crowd::over(ports);
    let cx = Context::new(&crowd, &session);
    let scope = Scope::GcpProject {
        project: PROJECT.to_owned(),
    };
    let wanted = wanted();
    let reading = ports.executor.run(read_live(cx, &scope, &wanted)).unwrap();
    assert!(!format!("{reading:?}{session:?}").contains("s3cret"));
    let found = word(&reading, &topic_key("prod-gmail"));
    (crowd.signed.get(), found)
}

/// A world whose key is set.
fn keyed() -> SimPorts {
    let ports = world();
    set_key(&ports, KEY);
    ports
}

#[test]
fn runs_of_one_process_share_a_token_until_it_is_old() {
    let (ports, caches) = (keyed(), Caches::default());
    assert_eq!(signed(&ports, &caches), (1, "present"));
    assert_eq!(signed(&ports, &caches), (0, "present"));
    // A run takes some milliseconds.
    ports
        .executor
        .advance_ms(GOOGLE_TOKEN_AGE_MAX_S * 1000 - 100);
    assert_eq!(signed(&ports, &caches), (0, "present"));
    ports.executor.advance_ms(100);
    assert_eq!(signed(&ports, &caches), (1, "present"));
    assert_eq!(signed(&ports, &caches), (0, "present"));
    // Another process begins with nothing.
    assert_eq!(signed(&ports, &Caches::default()), (1, "present"));
}

#[test]
fn a_token_is_served_to_its_own_credential_alone() {
    let (ports, caches) = (keyed(), Caches::default());
    assert_eq!(signed(&ports, &caches), (1, "present"));
    // The same account and the same id, and another private key.
    set_key(&ports, &KEY.replace("s3cret-key", "s3cret-other"));
    assert_eq!(signed(&ports, &caches), (1, "present"));
    set_key(&ports, KEY);
    assert_eq!(signed(&ports, &caches), (0, "present"));
    ports.secrets.borrow_mut().remove("GOOGLE_CREDENTIALS");
    assert_eq!(signed(&ports, &caches), (0, "no-credentials"));
}

#[test]
fn a_kept_token_that_is_refused_is_replaced_once_and_forgotten() {
    let (ports, caches) = (keyed(), Caches::default());
    assert_eq!(signed(&ports, &caches), (1, "present"));
    trouble(&ports, "/topics?", status(401), Some(1));
    assert_eq!(signed(&ports, &caches), (1, "present"));
    assert_eq!(signed(&ports, &caches), (0, "present"));
    // The new one is refused too: no third one is made for the call, and no later run is served it.
    trouble(&ports, "/topics?", status(401), Some(2));
    assert_eq!(signed(&ports, &caches), (1, "unauthenticated"));
    assert_eq!(signed(&ports, &caches), (1, "present"));
}

#[test]
fn calls_side_by_side_share_the_token_that_one_of_them_makes() {
    let (ports, caches) = (keyed(), Caches::default());
    let run = |ports: &SimPorts| {
        let mut session = session(ports).with_caches(&caches);
        want_credentials(&mut session);
        session
    };
    let (crowd, session) = (Crowd::over(&ports), run(&ports));
    let cx = Context::new(&crowd, &session);
    let scope = Scope::GcpProject {
        project: PROJECT.to_owned(),
    };
    let wanted = wanted();
    let read = || read_live(cx, &scope, &wanted);
    let all = futures_util::future::join_all((0..5).map(|_| read()));
    ports.executor.run(all).unwrap();
    assert_eq!(crowd.signed.get(), 1);
}
