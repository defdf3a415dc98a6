"""Aiven's own command line, `avn`, against the sandbox and beside kedge."""

import json
import pathlib
import sys
import unittest

from desk import Desk

AVN = pathlib.Path(sys.executable).with_name("avn")
SERVICE = "kafka-clustera"
HOUR_MS = 3_600_000


class Avn(Desk):
    def setUp(self):
        super().setUp()
        # HOME is the test's own empty folder, so no saved credentials are read.
        self.env |= {"AIVEN_AUTH_TOKEN": "avn", "AIVEN_PROJECT": "clustera-creators"}

    def avn(self, verb, *arguments, code=0):
        return self.run_command(AVN, "service", verb, SERVICE, *arguments, code=code)

    def topics(self):
        """What `avn` lists, by name."""
        listed = json.loads(self.avn("topic-list", "--json"))
        return {topic["topic_name"]: topic for topic in listed}

    def topic(self, name):
        return json.loads(self.avn("topic-get", name, "--json"))

    def config(self, name, key):
        """A value of a topic, and whether it is set on the topic."""
        found = self.topic(name)["config"][key]
        return found["value"], found["source"] == "topic_config"

    def test_reads_what_kedge_deployed(self):
        topics = self.topics()
        self.assertEqual(sorted(topics), ["clients-customers", "clients-orders"])
        orders, customers = topics["clients-orders"], topics["clients-customers"]
        self.assertEqual((orders["partitions"], orders["replication"]), (3, 3))
        self.assertEqual(orders["min_insync_replicas"], 2)
        self.assertEqual(orders["retention_hours"], 168)
        self.assertEqual(orders["retention_bytes"], 629_145_600)
        self.assertEqual(orders["tags"], [{"key": "team", "value": "sales"}])
        self.assertEqual((customers["partitions"], customers["replication"]), (1, 2))
        self.assertEqual(customers["cleanup_policy"], "compact")
        got = self.topic("clients-orders")
        self.assertEqual(len(got["partitions"]), 3)
        declared = {
            "retention_ms": 604_800_000,
            "retention_bytes": 629_145_600,
            "compression_type": "snappy",
            "max_message_bytes": 26_214_400,
            "min_insync_replicas": 2,
        }
        is_set = {key: one["value"] for key, one in got["config"].items() if one["source"] == "topic_config"}
        self.assertEqual(is_set, declared)

    def test_its_tables_show_the_same(self):
        row = next(line for line in self.avn("topic-list").splitlines() if "clients-orders" in line)
        self.assertEqual(row.split(), ["clients-orders", "3", "3", "2", "629145600", "168", "delete", "team=sales"])
        self.assertIn("604800000", self.avn("topic-get", "clients-orders"))

    def test_a_shorter_retention_is_put_back(self):
        for *option, live in (["--retention", 48, 48 * HOUR_MS], ["--retention-ms", 1000, 1000]):
            self.avn("topic-update", "clients-orders", *option)
            self.assertEqual(self.config("clients-orders", "retention_ms"), (live, True))
            self.check_drifted("clients-orders", retention_ms=(168 * HOUR_MS, live))
            self.put_back()
            self.assertEqual(self.config("clients-orders", "retention_ms"), (168 * HOUR_MS, True))

    def test_a_longer_retention_is_taken_back_only_by_name(self):
        self.avn("topic-update", "clients-orders", "--retention", "200")
        self.check_drifted("clients-orders", retention_ms=(168 * HOUR_MS, 200 * HOUR_MS))
        self.up_leaves("clients-orders", "needs-approval")
        self.assertEqual(self.topics()["clients-orders"]["retention_hours"], 200)
        self.put_back("--allow", "clients-orders")
        self.assertEqual(self.topics()["clients-orders"]["retention_hours"], 168)

    def test_several_fields_in_one_update(self):
        self.avn(
            "topic-update", "clients-orders", "--min-insync-replicas", "1",
            "--retention-bytes", "1000000", "--replication", "2", "--tag", "team=ops",
        )
        fields = {
            "min_insync_replicas": (2, 1),
            "retention_bytes": (629_145_600, 1_000_000),
            "replication": (3, 2),
            "tags.team": ("sales", "ops"),
        }
        self.check_drifted("clients-orders", **fields)
        self.put_back()
        orders = self.topics()["clients-orders"]
        self.assertEqual((orders["min_insync_replicas"], orders["replication"]), (2, 3))
        self.assertEqual(orders["retention_bytes"], 629_145_600)
        self.assertEqual(orders["tags"], [{"key": "team", "value": "sales"}])

    def test_a_tag_taken_away_comes_back_and_a_foreign_one_stays(self):
        self.avn("topic-update", "clients-orders", "--tag", "owner=ana")
        self.check_clean()
        self.avn("topic-update", "clients-orders", "--untag", "team")
        self.check_drifted("clients-orders", **{"tags.team": ("sales", None)})
        self.put_back()
        tags = {tag["key"]: tag["value"] for tag in self.topic_tags("clients-orders")}
        self.assertEqual(tags, {"team": "sales", "owner": "ana"})

    def topic_tags(self, name):
        return self.topics()[name]["tags"]

    def test_a_changed_cleanup_policy_is_put_back_only_by_name(self):
        self.avn("topic-update", "clients-customers", "--cleanup-policy", "delete")
        self.check_drifted("clients-customers", cleanup_policy=("compact", "delete"))
        self.up_leaves("clients-customers", "needs-approval")
        self.put_back("--allow", "clients-customers")
        self.assertEqual(self.config("clients-customers", "cleanup_policy"), ("compact", True))

    def test_more_partitions_can_not_be_put_back(self):
        self.avn("topic-update", "clients-orders", "--partitions", "6")
        self.check_drifted("clients-orders", partitions=(3, 6))
        changed = self.up(code=2)
        self.assertEqual(changed["changes"], [])
        said = [(one["name"], one["field"], one["finding"]) for one in changed["findings"]]
        self.assertEqual(said, [("clients-orders", "partitions", "impossible")])
        self.assertEqual(self.topics()["clients-orders"]["partitions"], 6)

    def test_what_it_creates_is_unmanaged_and_left(self):
        self.avn("topic-create", "clients-scratch", "--partitions", "2", "--replication", "2", "--tag", "a=b")
        self.avn("topic-create", "somebody-else", "--partitions", "1", "--replication", "2")
        self.check_unmanaged("clients-scratch")
        self.assertEqual(self.up()["changes"], [])
        topics = self.topics()
        self.assertEqual(topics["clients-scratch"]["partitions"], 2)
        self.assertIn("somebody-else", topics)
        self.avn("topic-delete", "clients-scratch")
        self.check_unmanaged()

    def test_what_it_deletes_is_missing_and_made_anew(self):
        self.avn("topic-delete", "clients-orders")
        self.assertNotIn("clients-orders", self.topics())
        self.check_missing("clients-orders")
        self.put_back()
        self.test_reads_what_kedge_deployed()

    def test_refusals_reach_it_as_such(self):
        self.avn("topic-get", "clients-nowhere", code=1)
        self.avn("topic-create", "clients-orders", "--partitions", "1", "--replication", "2", code=1)
        self.avn("topic-update", "clients-orders", "--partitions", "1", code=1)
        self.avn("topic-delete", "clients-nowhere", code=1)
        self.check_clean()


if __name__ == "__main__":
    unittest.main()
