//! The signature is the one that botocore makes of the same request (`botocore.auth.SigV4Auth`, 1.43).

use bytes::Bytes;
use kedge_core::model::Timestamp;

use super::variable;
use crate::call::{Place, request};
use crate::service::Service;
use crate::settings::AwsSettings;

/// 2026-11-22T12:00:00Z.
const NOON: Timestamp = Timestamp(1_795_348_800_000);

#[test]
fn requests_are_signed_as_aws_does_it() {
    let settings = AwsSettings::from_variables(variable).unwrap();
    for (place, operation, body, signature) in [
        (
            Place::of(&settings, Service::Sqs, "eu-central-1", "aws").unwrap(),
            "SendMessage",
            r#"{"QueueUrl":"q"}"#,
            "7e6ad7d3bc969410ed89c9f7dc2264e6d10bfed3603fa261de1bac4c1f921af7",
        ),
        (
            Place {
                service: Service::Ssm,
                region: "eu-west-1".to_owned(),
                base: "http://127.0.0.1:4566".to_owned(),
            },
            "GetParameters",
            r#"{"Names":["x"],"WithDecryption":true}"#,
            "88550b2e3e967229223b35d4ff8230c619667d69288cc4af8c1f66a00eecbc8c",
        ),
    ] {
        let body = Bytes::from_static(body.as_bytes());
        let request = request(&settings, &place, operation, &body, NOON).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("x-amz-date"), "20261122T120000Z");
        assert_eq!(
            header("authorization"),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/{}/{}/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
                 Signature={signature}",
                place.region,
                place.service.name(),
            )
        );
    }
}

#[test]
fn each_partition_of_aws_is_at_its_place() {
    let settings = AwsSettings::from_variables(variable).unwrap();
    let of = |service, region, partition| {
        Place::of(&settings, service, region, partition).map(|place| place.base)
    };
    for (service, region, partition, base) in [
        (
            Service::Sqs,
            "eu-central-1",
            "aws",
            "https://sqs.eu-central-1.amazonaws.com",
        ),
        (
            Service::Ssm,
            "us-gov-west-1",
            "aws-us-gov",
            "https://ssm.us-gov-west-1.amazonaws.com",
        ),
        (
            Service::SecretsManager,
            "cn-north-1",
            "aws-cn",
            "https://secretsmanager.cn-north-1.amazonaws.com.cn",
        ),
        (
            Service::Ssm,
            "eusc-de-east-1",
            "aws-eusc",
            "https://ssm.eusc-de-east-1.amazonaws.eu",
        ),
    ] {
        assert_eq!(of(service, region, partition).as_deref(), Ok(base));
    }
    let error = of(Service::Ssm, "us-iso-east-1", "aws-iso").unwrap_err();
    assert!(
        error.to_string().contains("AWS_ENDPOINT_URL_SSM"),
        "{error}"
    );
}
