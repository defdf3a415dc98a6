//! Secrets by their ARNs.

use serde_json::json;

use super::*;
use crate::Fetched;

const AIVEN: &str = "arn:aws:ssm:eu-central-1:123456789012:parameter/kedge/aiven-token";
const R2: &str = "arn:aws:ssm:eu-central-1:123456789012:parameter/kedge/r2-secret";
const GOOGLE: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kedge/google-AbCdEf";

fn parameter(arn: &str, value: &str) -> Value {
    json!({ "ARN": arn, "Name": "/kedge/x", "Type": "SecureString", "Value": value, "Version": 1 })
}

fn parameters(found: &[Value], invalid: &[&str]) -> Act {
    let answer = json!({ "Parameters": found, "InvalidParameters": invalid });
    says(200, &answer.to_string())
}

fn secret(text: &str) -> Act {
    says(
        200,
        &json!({ "ARN": GOOGLE, "Name": "kedge/google", "SecretString": text }).to_string(),
    )
}

fn denied() -> Act {
    let body = r#"{"__type":"AccessDeniedException","Message":"not authorized to perform: ssm:GetParameters"}"#;
    says(400, body)
}

async fn fetch(stage: &Stage, arns: &[(&'static str, &str)]) -> Fetched {
    stage.play(stage.secrets(arns).fetch()).await
}

fn revealed(fetched: &Fetched) -> Vec<(&str, &str)> {
    let secrets = fetched.secrets.iter();
    secrets
        .map(|(name, secret)| (name.as_str(), secret.reveal()))
        .collect()
}

fn problems(fetched: &Fetched) -> Vec<String> {
    fetched.problems.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn parameters_are_fetched_together_and_decrypted() {
    let answer = parameters(
        &[parameter(R2, "r2\r\n"), parameter(AIVEN, "aiven \n\n")],
        &[],
    );
    let stage = Stage::new(&[answer]).await;
    let arns = [("AIVEN_TOKEN_ARN", AIVEN), ("R2_SECRET_ACCESS_KEY_ARN", R2)];
    let fetched = fetch(&stage, &arns).await;
    assert_eq!(
        revealed(&fetched),
        [("AIVEN_TOKEN", "aiven "), ("R2_SECRET_ACCESS_KEY", "r2")]
    );
    assert_eq!(fetched.problems, []);
    let heard = stage.heard_one();
    assert_eq!(heard.headers["x-amz-target"], "AmazonSSM.GetParameters");
    assert_eq!(heard.headers["content-type"], "application/x-amz-json-1.1");
    assert!(heard.headers["authorization"].contains("/eu-central-1/ssm/aws4_request"));
    assert_eq!(
        heard.body,
        json!({ "Names": [AIVEN, R2], "WithDecryption": true })
    );
    assert!(!format!("{fetched:?}").contains("aiven "));
}

#[tokio::test]
async fn more_than_ten_parameters_take_more_calls() {
    let arns: Vec<String> = (0..11)
        .map(|number| format!("{AIVEN}-{number:02}"))
        .collect();
    let names: [&'static str; 11] = [
        "A_ARN", "B_ARN", "C_ARN", "D_ARN", "E_ARN", "F_ARN", "G_ARN", "H_ARN", "I_ARN", "J_ARN",
        "K_ARN",
    ];
    let pairs: Vec<(&'static str, &str)> = names
        .into_iter()
        .zip(arns.iter().map(String::as_str))
        .collect();
    let all: Vec<Value> = arns.iter().map(|arn| parameter(arn, "x")).collect();
    // Whichever of the two calls is answered first, it finds its own in it.
    let all = parameters(&all, &[]);
    let stage = Stage::new(&[all.clone(), all]).await;
    let secrets = stage.secrets(&pairs);
    let fetched = stage.play(secrets.fetch()).await;
    assert_eq!(fetched.secrets.len(), 11);
    let mut counts: Vec<usize> = stage
        .heard()
        .iter()
        .map(|heard| heard.body["Names"].as_array().unwrap().len())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 10]);
}

#[tokio::test]
async fn a_secret_is_a_whole_text_or_a_key_of_its_json() {
    let text = r#"{"aiven":"a\n","cloudflare":"c","port":5,"empty":"\n"}"#;
    let with = |key: &str| format!("{GOOGLE}#{key}");
    let keys = [
        with("aiven"),
        with("cloudflare"),
        with("port"),
        with("gone"),
        with("empty"),
    ];
    let [aiven, cloudflare, port, gone, empty] = &keys;
    let stage = Stage::new(&[secret(text)]).await;
    let arns = [
        ("AIVEN_TOKEN_ARN", aiven.as_str()),
        ("CLOUDFLARE_API_TOKEN_ARN", cloudflare),
        ("GOOGLE_CREDENTIALS_ARN", GOOGLE),
        ("PORT_ARN", port),
        ("GONE_ARN", gone),
        ("EMPTY_ARN", empty),
    ];
    let fetched = fetch(&stage, &arns).await;
    assert_eq!(
        revealed(&fetched),
        [
            ("AIVEN_TOKEN", "a"),
            ("CLOUDFLARE_API_TOKEN", "c"),
            ("GOOGLE_CREDENTIALS", text),
        ]
    );
    assert_eq!(
        problems(&fetched),
        [
            format!("PORT_ARN names {GOOGLE}: its key `port` holds no text"),
            format!("GONE_ARN names {GOOGLE}: it has no key `gone`"),
            format!("EMPTY_ARN names {GOOGLE}: it is empty"),
        ]
    );
    // Six secrets are in it, and it is fetched once, where it is.
    let heard = stage.heard_one();
    assert_eq!(heard.body, json!({ "SecretId": GOOGLE }));
    assert_eq!(
        heard.headers["x-amz-target"],
        "secretsmanager.GetSecretValue"
    );
    assert!(heard.headers["authorization"].contains("/eu-west-1/secretsmanager/aws4_request"));
}

#[tokio::test]
async fn what_is_no_json_object_has_no_keys_and_is_not_shown() {
    for text in ["hunter2", "[\"hunter2\"]", "\"hunter2\""] {
        let stage = Stage::new(&[secret(text)]).await;
        let fetched = fetch(&stage, &[("AIVEN_TOKEN_ARN", &format!("{GOOGLE}#k"))]).await;
        let problem =
            format!("AIVEN_TOKEN_ARN names {GOOGLE}: it is no JSON object, so it has no key `k`");
        assert_eq!(problems(&fetched), [problem]);
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_there_is_said_beside_the_others() {
    let answer = parameters(&[parameter(AIVEN, "a")], &[R2]);
    let stage = Stage::new(&[answer]).await;
    let arns = [("AIVEN_TOKEN_ARN", AIVEN), ("R2_SECRET_ACCESS_KEY_ARN", R2)];
    let fetched = fetch(&stage, &arns).await;
    assert_eq!(revealed(&fetched), [("AIVEN_TOKEN", "a")]);
    let problem = format!("R2_SECRET_ACCESS_KEY_ARN names {R2}: there is no such parameter");
    assert_eq!(problems(&fetched), [problem]);
}

#[tokio::test]
async fn one_that_may_not_be_read_takes_no_other_along() {
    let alone = parameters(&[parameter(AIVEN, "a"), parameter(R2, "r")], &[]);
    let stage = Stage::new(&[denied(), denied(), alone]).await;
    let arns = [("AIVEN_TOKEN_ARN", AIVEN), ("R2_SECRET_ACCESS_KEY_ARN", R2)];
    let fetched = fetch(&stage, &arns).await;
    assert_eq!((fetched.secrets.len(), fetched.problems.len()), (1, 1));
    let problem = &problems(&fetched)[0];
    for part in [
        "_ARN names arn:aws:ssm:",
        " answered 400 AccessDeniedException (not authorized to perform: ssm:GetParameters)",
        "; the role needs ssm:GetParameters on it",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    let heard = stage.heard();
    let counts = heard
        .iter()
        .map(|heard| heard.body["Names"].as_array().unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [2, 1, 1]);
    // One alone is asked for once.
    let stage = Stage::new(&[denied()]).await;
    let fetched = fetch(&stage, &[("AIVEN_TOKEN_ARN", AIVEN)]).await;
    assert_eq!((fetched.problems.len(), stage.heard().len()), (1, 1));
}

#[tokio::test]
async fn what_a_service_says_of_a_secret_is_told() {
    for (status, body, part) in [
        (
            400,
            r#"{"__type":"ResourceNotFoundException","Message":"x"}"#,
            "400 ResourceNotFoundException; there is no such secret, or it has no value yet",
        ),
        (
            400,
            r#"{"__type":"InvalidRequestException","Message":"x"}"#,
            "; is the secret marked for deletion?",
        ),
        (
            400,
            r#"{"__type":"DecryptionFailure","Message":"x"}"#,
            "; the role needs kms:Decrypt on its key",
        ),
        (
            400,
            r#"{"__type":"AccessDeniedException","Message":"x"}"#,
            "; the role needs secretsmanager:GetSecretValue on it",
        ),
        (
            200,
            r#"{"Name":"x","SecretBinary":"aHVudGVyMg=="}"#,
            ": it is no text, but bytes",
        ),
        (
            200,
            r#"{"SecretString":"hunter2"}"#,
            "gave an answer that is not AWS's",
        ),
    ] {
        let stage = Stage::new(&[says(status, body)]).await;
        let fetched = fetch(&stage, &[("GOOGLE_CREDENTIALS_ARN", GOOGLE)]).await;
        let problem = &problems(&fetched)[0];
        assert!(
            problem.starts_with("GOOGLE_CREDENTIALS_ARN names arn:"),
            "{problem}"
        );
        assert!(problem.contains(part), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}

#[tokio::test]
async fn a_version_that_is_asked_for_is_the_one_that_counts() {
    let old = format!("{AIVEN}:3");
    let mut found = parameter(AIVEN, "old");
    found["Selector"] = json!(":3");
    let stage = Stage::new(&[parameters(&[found, parameter(AIVEN, "new")], &[])]).await;
    let arns = [("OLD_ARN", old.as_str()), ("NEW_ARN", AIVEN)];
    let fetched = fetch(&stage, &arns).await;
    assert_eq!(revealed(&fetched), [("NEW", "new"), ("OLD", "old")]);
}

#[tokio::test]
async fn a_plain_variable_wins_and_what_is_not_set_is_not_asked_for() {
    let stage = Stage::new(&[]).await;
    let set = BTreeMap::from([
        ("AIVEN_TOKEN", "plain"),
        ("AIVEN_TOKEN_ARN", AIVEN),
        ("KEDGE_RELAY_KEY_ARN", " "),
    ]);
    let names = ["AIVEN_TOKEN", "KEDGE_RELAY_KEY", "CLOUDFLARE_API_TOKEN"];
    let get = |name: &str| set.get(name).copied();
    let secrets = AwsSecrets::from_variables(&stage.settings(), &http(), names, get).unwrap();
    assert!(secrets.is_empty());
    let fetched = stage.play(secrets.fetch()).await;
    assert_eq!((fetched.secrets.len(), fetched.problems.len()), (0, 0));
}

#[tokio::test]
async fn what_is_no_arn_of_a_secret_is_refused_and_not_shown() {
    let stage = Stage::new(&[]).await;
    for bad in [
        "hunter2",
        "kedge/hunter2",
        "arn:aws:s3:::hunter2",
        "arn:aws:ssm:eu-central-1:123456789012:document/hunter2",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/",
        "arn:aws:ssm::123456789012:parameter/hunter2",
        "arn:aws:ssm:eu.example/x:123456789012:parameter/hunter2",
        "arn:aws:secretsmanager:eu-central-1::secret:hunter2",
        "arn:aws:secretsmanager:eu-central-1:123456789012:hunter2",
        "aws:arn:ssm:eu-central-1:123456789012:parameter/hunter2",
    ] {
        let get = |name: &str| (name == "AIVEN_TOKEN_ARN").then_some(bad);
        let of = AwsSecrets::from_variables(&stage.settings(), &http(), ["AIVEN_TOKEN"], get);
        let error = of.unwrap_err().to_string();
        assert!(
            error.starts_with("AIVEN_TOKEN_ARN must be the ARN of a parameter"),
            "{bad}: {error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
