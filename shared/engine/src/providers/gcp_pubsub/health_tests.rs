use serde_json::json;

use super::*;

fn topic(body: Value) -> Vec<String> {
    of_topic(&serde_json::from_value(body).unwrap())
}

fn sub(body: Value) -> Vec<String> {
    of_subscription(&serde_json::from_value(body).unwrap())
}

#[test]
fn what_works_is_not_mentioned() {
    for body in [
        json!({}),
        json!({"state": "ACTIVE"}),
        json!({"state": "STATE_UNSPECIFIED"}),
        json!({"state": null, "ingestionDataSourceSettings": null, "schemaSettings": null}),
        json!({"ingestionDataSourceSettings": {"awsKinesis": {"state": "ACTIVE", "streamArn": "a"},
            "platformLogsSettings": {"severity": "ERROR"}}}),
        json!({"schemaSettings": {"schema": "projects/p/schemas/s"}}),
    ] {
        assert!(topic(body.clone()).is_empty(), "{body}");
    }
    for body in [
        json!({"state": "ACTIVE"}),
        json!({"bigqueryConfig": {"table": "t", "state": "ACTIVE"}}),
        json!({"cloudStorageConfig": {}, "bigtableConfig": null, "analyticsHubSubscriptionInfo": {}}),
    ] {
        assert!(sub(body.clone()).is_empty(), "{body}");
    }
}

#[test]
fn what_does_not_work_is_described_in_googles_words() {
    let said = topic(json!({"state": "INGESTION_RESOURCE_ERROR",
        "ingestionDataSourceSettings": {"awsMsk": {"state": "CLUSTER_NOT_FOUND"}}}));
    assert_eq!(
        said,
        [
            "Pub/Sub says that its state is INGESTION_RESOURCE_ERROR and the state of its source awsMsk is \
          CLUSTER_NOT_FOUND: nothing comes in from its source; repair it at Google"
        ]
    );
    let said = topic(json!({"schemaSettings": {"schema": "_deleted-schema_"}}));
    assert!(
        said[0].contains("its schema is _deleted-schema_"),
        "{said:?}"
    );
    // One that this program does not know is said too, without what could harm a terminal.
    let said =
        sub(json!({"state": "NEW\u{1b}[31m_STATE", "bigqueryConfig": {"state": "NOT_FOUND"}}));
    assert_eq!(
        said,
        [
            "Pub/Sub says that its state is NEW [31m_STATE and the state of its export to BigQuery is NOT_FOUND: \
          it does not deliver; repair it at Google"
        ]
    );
}
