"""Cloudflare's own Python SDK against the sandbox and beside kedge."""

import unittest

import cloudflare

from desk import STEP_S, ZONE, Desk

WEB, EDGE, API = "web.clustera.io", "edge.clustera.io", "api.clustera.io"
DEPLOYED = {
    (WEB, "A", "203.0.113.10", 120, False),
    (WEB, "A", "203.0.113.11", 120, False),
    (WEB, "AAAA", "2001:db8::10", 120, False),
    # A proxied record always reads back with ttl 1.
    (EDGE, "A", "198.51.100.20", 1, True),
    (API, "A", "198.51.100.30", 300, False),
}


class Cloudflare(Desk):
    def setUp(self):
        super().setUp()
        self.client = cloudflare.Cloudflare(
            api_token="sdk", base_url=self.env["CLOUDFLARE_BASE_URL"], max_retries=0, timeout=STEP_S
        )
        self.addCleanup(self.client.close)
        self.records = self.client.dns.records

    def shown(self):
        """The zone as the SDK reads it."""
        records = self.records.list(zone_id=ZONE)
        return {(r.name, r.type, r.content, int(r.ttl), r.proxied) for r in records}

    def record(self, name, content=None):
        """The one record that is meant."""
        records = self.records.list(zone_id=ZONE, name={"exact": name})
        (found,) = [r for r in records if content in (None, r.content)]
        return found

    def key(self, name, kind="A"):
        return f"{name}/{kind}"

    def edit(self, name, content=None, **fields):
        found = self.record(name, content)
        given = {"name": name, "type": found.type, "ttl": found.ttl, "content": found.content}
        self.records.edit(found.id, zone_id=ZONE, **(given | fields))

    def test_reads_what_kedge_deployed(self):
        self.assertEqual([zone.name for zone in self.client.zones.list()], ["clustera.io"])
        self.assertEqual(self.client.zones.get(zone_id=ZONE).name, "clustera.io")
        self.assertEqual(self.shown(), DEPLOYED)
        comments = {record.comment for record in self.records.list(zone_id=ZONE)}
        self.assertEqual(comments, {"kedge:clients"})
        api = self.record(API)
        self.assertEqual(self.records.get(api.id, zone_id=ZONE).content, "198.51.100.30")
        pages = self.records.list(zone_id=ZONE, per_page=2)
        self.assertEqual(len({record.id for record in pages}), len(DEPLOYED))

    def test_an_edited_ttl_is_put_back(self):
        self.edit(API, ttl=60)
        self.check_drifted(self.key(API), ttl=(300, 60))
        self.put_back()
        self.assertEqual(self.shown(), DEPLOYED)

    def test_a_ttl_that_differs_within_a_set_is_put_back(self):
        self.edit(WEB, "203.0.113.11", ttl=600)
        mixed = {"203.0.113.10": 120, "203.0.113.11": 600}
        self.check_drifted(self.key(WEB), ttl=(120, mixed))
        self.put_back()
        self.assertEqual(self.shown(), DEPLOYED)

    def test_proxying_is_put_back(self):
        self.edit(API, proxied=True)
        self.check_drifted(self.key(API), proxied=(False, True))
        self.put_back()
        self.edit(EDGE, proxied=False, ttl=300)
        self.check_drifted(self.key(EDGE), proxied=(True, False))
        self.put_back()
        self.assertEqual(self.shown(), DEPLOYED)

    def test_an_address_too_many_is_removed_by_name_where_the_set_is_exclusive(self):
        self.records.create(zone_id=ZONE, type="A", name=WEB, content="192.0.2.66", ttl=120)
        both = ["203.0.113.10", "203.0.113.11"]
        self.check_drifted(self.key(WEB), addresses=(both, ["192.0.2.66", *both]))
        self.up_leaves(self.key(WEB), "needs-approval")
        self.assertEqual(len(self.shown()), len(DEPLOYED) + 1)
        self.put_back("--allow", self.key(WEB))
        self.assertEqual(self.shown(), DEPLOYED)

    def test_an_address_too_many_is_left_where_the_set_is_not(self):
        self.records.create(zone_id=ZONE, type="A", name=API, content="192.0.2.66", ttl=300)
        addresses = (["198.51.100.30"], ["192.0.2.66", "198.51.100.30"])
        self.check_drifted(self.key(API), addresses=addresses)
        self.assertEqual(self.up(code=2)["changes"], [])
        self.assertIn((API, "A", "192.0.2.66", 300, False), self.shown())

    def test_an_overwritten_address_is_added_again(self):
        found = self.record(WEB, "203.0.113.11")
        self.records.update(found.id, zone_id=ZONE, name=WEB, type="A", content="192.0.2.66", ttl=120)
        both = ["203.0.113.10", "203.0.113.11"]
        self.check_drifted(self.key(WEB), addresses=(both, ["192.0.2.66", "203.0.113.10"]))
        self.put_back("--allow", self.key(WEB))
        self.assertEqual(self.shown(), DEPLOYED)

    def test_a_put_takes_our_mark_away_which_is_no_drift(self):
        found = self.record(API)
        self.records.update(found.id, zone_id=ZONE, name=API, type="A", content="198.51.100.30", ttl=300)
        self.assertIsNone(self.record(API).comment)
        self.check_clean()

    def test_what_it_deletes_comes_back(self):
        self.records.delete(self.record(WEB, "203.0.113.11").id, zone_id=ZONE)
        both = ["203.0.113.10", "203.0.113.11"]
        self.check_drifted(self.key(WEB), addresses=(both, ["203.0.113.10"]))
        self.put_back()
        self.records.delete(self.record(EDGE).id, zone_id=ZONE)
        self.check_missing(self.key(EDGE))
        self.put_back()
        self.assertEqual(self.shown(), DEPLOYED)

    def test_a_batch_is_found_as_well(self):
        self.records.batch(
            zone_id=ZONE,
            deletes=[{"id": self.record(WEB, "203.0.113.10").id}],
            posts=[{"name": WEB, "type": "A", "content": "192.0.2.66", "ttl": 120}],
        )
        both = ["203.0.113.10", "203.0.113.11"]
        self.check_drifted(self.key(WEB), addresses=(both, ["192.0.2.66", "203.0.113.11"]))
        self.put_back("--allow", self.key(WEB))
        self.assertEqual(self.shown(), DEPLOYED)

    def test_names_nobody_declared_are_seen_by_audit_only(self):
        made = self.records.create(
            zone_id=ZONE, type="TXT", name="note.clustera.io", content='"hello"', ttl=300
        )
        self.records.create(zone_id=ZONE, type="A", name="old.clustera.io", content="192.0.2.9", ttl=1)
        self.check_unmanaged()
        audit = self.kedge("audit", code=0)
        self.assertIn("old.clustera.io/A", [one["name"] for one in audit["unmanaged"]])
        self.assertEqual(self.up()["changes"], [])
        self.assertEqual(self.records.get(made.id, zone_id=ZONE).content, '"hello"')

    def test_refusals_reach_it_as_such(self):
        with self.assertRaises(cloudflare.NotFoundError):
            self.records.get("0" * 32, zone_id=ZONE)
        with self.assertRaises(cloudflare.BadRequestError):
            self.records.create(zone_id=ZONE, type="A", name=API, content="198.51.100.30", ttl=300)
        with self.assertRaises(cloudflare.BadRequestError):
            self.records.create(zone_id=ZONE, type="A", name=API, content="no address", ttl=300)
        self.check_clean()


if __name__ == "__main__":
    unittest.main()
