//! The services that are called, and how each of them wants to be called.

/// A service with a JSON protocol: docs.aws.amazon.com, AWS JSON 1.0 and 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// The queue.
    Sqs,
    /// Systems Manager, of which the parameters are used.
    Ssm,
    SecretsManager,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Sqs, Self::Ssm, Self::SecretsManager];

    /// Its name in host names, signatures, ARNs and the actions of policies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
        }
    }

    /// The variable that replaces its address, as AWS's own clients call it.
    pub(crate) fn endpoint_name(self) -> &'static str {
        match self {
            Self::Sqs => "AWS_ENDPOINT_URL_SQS",
            Self::Ssm => "AWS_ENDPOINT_URL_SSM",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        }
    }

    /// What names an operation in the header `x-amz-target`.
    pub(crate) fn target(self, operation: &str) -> String {
        let prefix = match self {
            Self::Sqs => "AmazonSQS",
            Self::Ssm => "AmazonSSM",
            Self::SecretsManager => "secretsmanager",
        };
        format!("{prefix}.{operation}")
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Sqs => "application/x-amz-json-1.0",
            Self::Ssm | Self::SecretsManager => "application/x-amz-json-1.1",
        }
    }
}
