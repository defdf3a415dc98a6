"""octoDNS, a reconciler itself, against the sandbox and beside kedge."""

import pathlib
import sys
import unittest

import yaml

from desk import Desk

BIN = pathlib.Path(sys.executable).parent
NO_CHANGES = "No changes were planned"


def record(kind, ttl, *values, **options):
    """A record as octoDNS writes it down; kedge marks what it writes by a comment."""
    held = {"value": values[0]} if len(values) == 1 else {"values": list(values)}
    options = {"comment": "kedge:clients"} | options
    return {"type": kind, "ttl": ttl, "octodns": {"cloudflare": options}} | held


# What kedge's definitions say. `auto-ttl` is octoDNS's word for Cloudflare's ttl 1.
ZONE = {
    "api": record("A", 300, "198.51.100.30"),
    "edge": record("A", 300, "198.51.100.20", **{"proxied": True, "auto-ttl": True}),
    "web": [
        record("A", 120, "203.0.113.10", "203.0.113.11"),
        record("AAAA", 120, "2001:db8::10"),
    ],
}


class OctoDns(Desk):
    def setUp(self):
        super().setUp()
        (self.folder / "zones").mkdir()
        provider = {
            "class": "octodns_cloudflare.CloudflareProvider",
            "token": "env/CLOUDFLARE_API_TOKEN",
            "api_url": self.env["CLOUDFLARE_BASE_URL"],
            # Its default is to wait five minutes after a refusal.
            "retry_period": 1,
        }
        source = {"class": "octodns.provider.yaml.YamlProvider", "directory": str(self.folder / "zones")}
        config = {
            "providers": {"files": source, "cloudflare": provider},
            "zones": {"clustera.io.": {"sources": ["files"], "targets": ["cloudflare"]}},
        }
        self.config = self.folder / "octodns.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.write(ZONE)

    def write(self, zone):
        (self.folder / "zones/clustera.io.yaml").write_text(yaml.safe_dump(zone))

    def sync(self, *arguments):
        """Runs `octodns-sync`, and gives what it printed."""
        command = [BIN / "octodns-sync", "--config-file", self.config, "--log-stream-stdout"]
        return self.run_command(*command, *arguments)

    def dump(self):
        """The zone as octoDNS writes it down."""
        folder = self.folder / "dump"
        command = [BIN / "octodns-dump", "--config-file", self.config, "--output-dir", folder]
        self.run_command(*command, "clustera.io.", "cloudflare")
        return yaml.safe_load((folder / "clustera.io.yaml").read_text())

    def test_reads_what_kedge_deployed(self):
        self.assertIn(NO_CHANGES, self.sync())
        self.assertEqual(self.dump(), ZONE)

    def test_a_dry_run_changes_nothing_and_doit_is_found_as_drift(self):
        self.write(dict(ZONE, api=record("A", 600, "198.51.100.30")))
        self.assertNotIn(NO_CHANGES, self.sync())
        self.check_clean()
        self.sync("--doit")
        self.assertIn(NO_CHANGES, self.sync())
        self.check_drifted("api.clustera.io/A", ttl=(300, 600))
        self.put_back()
        # Now octoDNS sees what kedge put back, and with our definitions has nothing to do.
        self.assertNotIn(NO_CHANGES, self.sync())
        self.write(ZONE)
        self.assertIn(NO_CHANGES, self.sync())

    def test_other_addresses_are_put_back(self):
        web = [record("A", 120, "192.0.2.66", "203.0.113.10"), ZONE["web"][1]]
        self.write(dict(ZONE, web=web))
        self.sync("--doit")
        self.assertIn(NO_CHANGES, self.sync())
        both = ["203.0.113.10", "203.0.113.11"]
        self.check_drifted("web.clustera.io/A", addresses=(both, ["192.0.2.66", "203.0.113.10"]))
        self.put_back("--allow", "web.clustera.io/A")
        self.write(ZONE)
        self.assertIn(NO_CHANGES, self.sync())

    def test_proxying_is_put_back(self):
        self.write(dict(ZONE, edge=record("A", 300, "198.51.100.20")))
        self.sync("--doit")
        self.assertIn(NO_CHANGES, self.sync())
        self.check_drifted("edge.clustera.io/A", proxied=(True, False))
        self.put_back()
        self.write(ZONE)
        self.assertIn(NO_CHANGES, self.sync())

    def test_a_name_removed_is_made_anew_and_a_name_added_is_left(self):
        zone = {name: value for name, value in ZONE.items() if name != "api"}
        new = {"type": "CNAME", "ttl": 300, "value": "web.clustera.io."}
        self.write(dict(zone, new=new))
        self.sync("--doit")
        self.assertIn(NO_CHANGES, self.sync())
        self.check_missing("api.clustera.io/A")
        self.put_back()
        self.assertEqual(self.dump(), dict(ZONE, new=new))

    def test_it_takes_our_marks_away_which_is_no_drift(self):
        unmarked = dict(ZONE, api={"type": "A", "ttl": 300, "value": "198.51.100.30"})
        self.write(unmarked)
        self.sync("--doit")
        self.assertIn(NO_CHANGES, self.sync())
        self.check_clean()
        self.assertEqual(self.up()["changes"], [])
        self.assertEqual(self.dump(), unmarked)


if __name__ == "__main__":
    unittest.main()
