//! Secrets are in no output, whatever form they have and whichever variable they were put into.

use super::bucket::{Bucket, SECRET};
use super::desk::Desk;
use super::expect;

const KEY: &str = r#"{"type":"service_account","project_id":"p","private_key_id":"k1s3cret","private_key":"-----BEGIN PRIVATE KEY-----\nMIIs3cretkey\n-----END PRIVATE KEY-----\n","client_email":"kedge@p.iam.gserviceaccount.com"}"#;
/// `base64 -w0` of it.
const BASE64: &str = "eyJ0eXBlIjoic2VydmljZV9hY2NvdW50IiwicHJvamVjdF9pZCI6InAiLCJwcml2YXRlX2tleV9pZCI6ImsxczNjcmV0IiwicHJpdmF0ZV9rZXkiOiItLS0tLUJFR0lOIFBSSVZBVEUgS0VZLS0tLS1cbk1JSXMzY3JldGtleVxuLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLVxuIiwiY2xpZW50X2VtYWlsIjoia2VkZ2VAcC5pYW0uZ3NlcnZpY2VhY2NvdW50LmNvbSJ9";

const COMMANDS: [&str; 8] = [
    "check --stack steve1",
    "check --json --stack steve1",
    "check --format github --stack steve1",
    "preview --stack steve1",
    "up --yes --stack steve1",
    "push --stack steve1",
    "stack --stack steve1",
    "init --stack steve1",
];

/// A desk at which Google wants a credential, which is this.
fn google(credential: &str) -> Desk {
    let mut desk = Desk::new();
    desk.variables.remove("PUBSUB_EMULATOR_HOST");
    // Nobody listens there: Google itself is not asked.
    desk.variables
        .insert("HTTPS_PROXY".to_owned(), "http://127.0.0.1:9".to_owned());
    desk.variables
        .insert("GOOGLE_CREDENTIALS".to_owned(), credential.to_owned());
    desk
}

#[test]
fn a_google_key_in_the_wrong_form_is_not_shown() {
    let cut = &BASE64[..201];
    let quoted = format!("'{KEY}'");
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIs3cretkey\n-----END PRIVATE KEY-----";
    for credential in [cut, &quoted, pem, "keys/s3cret/key.json", "s3cretword"] {
        let desk = google(credential);
        for words in COMMANDS {
            let answer = desk.kedge(words);
            let text = format!("{}{}", answer.out, answer.err);
            assert!(!text.contains("s3cret"), "{words}: {text}");
            // It is set; what is wrong is its form.
            assert!(!text.contains("CREDENTIALS is not set"), "{words}: {text}");
        }
        let check = desk.kedge("check --stack steve1");
        let says = [
            "warning: GOOGLE_CREDENTIALS can't be used",
            "base64",
            "the path of a file",
            "INCOMPLETE",
        ];
        expect(&check, 3, &says);
        assert!(
            check
                .out
                .contains("GOOGLE_CREDENTIALS does not hold the JSON")
        );
    }
}

#[test]
fn a_google_key_in_base64_is_taken_as_its_json() {
    for credential in [KEY, BASE64] {
        let check = google(credential).kedge("check --stack steve1");
        // Its key is none, which only somebody knows who read the JSON.
        expect(&check, 3, &["its private_key can't be used"]);
        assert!(!check.err.contains("warning"), "{}", check.err);
    }
}

#[test]
fn a_secret_in_a_variable_of_another_kind_is_not_shown() {
    for (name, code) in [
        ("KEDGE_STORE", 1),
        ("KEDGE_BUCKET", 1),
        ("KEDGE_LEASE_SECONDS", 1),
        ("KEDGE_READ_ONLY", 1),
        ("AIVEN_WEB_URL", 1),
        ("CLOUDFLARE_BASE_URL", 1),
        ("PUBSUB_EMULATOR_HOST", 1),
    ] {
        for value in [
            "s3://AKIAs3cret:s3cret@kedge",
            "https://ana:s3cret@example.com/?token=s3cret",
            "s3cret/s3cret s3cret",
        ] {
            let mut desk = Desk::new();
            desk.variables.insert(name.to_owned(), value.to_owned());
            for words in ["check --stack steve1", "check --json --stack steve1"] {
                let answer = desk.kedge(words);
                expect(&answer, code, &[name]);
                let text = format!("{}{}", answer.out, answer.err);
                assert!(!text.contains("s3cret"), "{name} {words}: {text}");
            }
        }
    }
}

#[test]
fn a_bucket_that_answers_with_what_it_was_sent_shows_no_secret() {
    let mut desk = Desk::new();
    let bucket = Bucket::of(&mut desk);
    for words in COMMANDS {
        let answer = desk.kedge(words);
        assert!(
            !format!("{}{}", answer.out, answer.err).contains(SECRET),
            "{words}"
        );
    }
    bucket.put("stacks/steve1/definitions.json", SECRET);
    let check = desk.kedge("check --stack steve1");
    expect(&check, 3, &["definitions.json can't be used"]);
}
