//! Clustera's definitions, built in, and the demo's own stack.

use std::collections::BTreeMap;

macro_rules! built_in {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../definitions/", $path)))),+]
    };
}

/// Every definition file of the repository; a test compares the list with the folder.
const DEFINITIONS: &[(&str, &str)] = built_in![
    "data_plane/kafka-topics.yaml",
    "integrations/integration-circle/kafka-topics.yaml",
    "integrations/integration-distribution/kafka-topics.yaml",
    "integrations/integration-gmail/kafka-topics.yaml",
    "integrations/integration-gmail/pubsub.yaml",
    "integrations/integration-google-drive/kafka-topics.yaml",
    "integrations/integration-slack/kafka-topics.yaml",
    "integrations/integration-zoom/kafka-topics.yaml",
    "integrations/shared/kafka-topics.yaml",
    "kedge.yaml",
    "stacks/development.yaml",
    "stacks/prod.yaml",
    "stacks/staging.yaml",
    "stacks/steve1.yaml",
    "stacks/testing.yaml",
];

/// The demo's stack: one new file, like any personal stack.
const DEMO_STACK: &str = include_str!("demo.yaml");

/// The files of the demo, by path.
pub(crate) fn demo_files() -> BTreeMap<String, String> {
    let all = DEFINITIONS
        .iter()
        .chain([&("stacks/demo.yaml", DEMO_STACK)]);
    all.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_definition_of_the_repository_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions");
        let mut expected = crate::definitions::load(&folder).unwrap().files().clone();
        expected.insert("stacks/demo.yaml".to_owned(), DEMO_STACK.to_owned());
        assert_eq!(demo_files(), expected);
    }
}
