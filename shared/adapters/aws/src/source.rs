//! What an ARN says of where a secret is.

use crate::call::Place;
use crate::service::Service;
use crate::settings::{AwsSettings, AwsSettingsError, is_label};

/// A text in SSM or Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) place: Place,
    pub(crate) arn: String,
}

impl Source {
    /// Reads an ARN. Its region and partition count, which need not be those of the function.
    pub(crate) fn of(
        settings: &AwsSettings,
        variable: &str,
        arn: &str,
    ) -> Result<Self, AwsSettingsError> {
        let fail = || {
            AwsSettingsError(format!(
                "{variable} must be the ARN of a parameter of SSM (arn:aws:ssm:…:parameter/…) or of a \
                 secret of Secrets Manager (arn:aws:secretsmanager:…:secret:…)"
            ))
        };
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let ("arn", partition, service, region, account, resource) =
            (next(), next(), next(), next(), next(), next())
        else {
            return Err(fail());
        };
        let found = [
            (Service::Ssm, "parameter/"),
            (Service::SecretsManager, "secret:"),
        ];
        let mut found = found.into_iter().filter(|(known, begins)| {
            let name = resource.strip_prefix(begins);
            service == known.name() && name.is_some_and(|name| !name.is_empty())
        });
        let (Some((service, _)), true, true) = (found.next(), is_label(region), is_label(account))
        else {
            return Err(fail());
        };
        Ok(Self {
            place: Place::of(settings, service, region, partition)?,
            arn: arn.to_owned(),
        })
    }
}
