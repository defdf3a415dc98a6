"""`make deploy-cloudflare`: what it says is missing, and what it hands to wrangler; wrangler.toml; the size.

worker-build and node are scripts that note how they were called, and so is wrangler where nothing else is said.
"""

import http.server
import json
import os
import pathlib
import re
import threading
import unittest

from deploy_desk import NOTHING, ROOT, DeployDesk
from desk import MARK, figures
from miniflare import CONFIG, tools

WRANGLER = """#!/bin/sh
printf 'wrangler %s [%s]\\n' "$*" "$CLOUDFLARE_API_TOKEN" | sed "s/$HIDDEN/hidden/" >>"$NOTES"
case "$*" in
  "whoami --json "*) printf '{\\n  "loggedIn": true,\\n  "email": "ana@example.com"\\n}\\n' ;;
  "r2 bucket notification list "*) echo "queue_name: $RULES" ;;
  "secret list "*) echo '[{"name": "AIVEN_TOKEN"}, {"name": "GOOGLE_CREDENTIALS"}]' ;;
esac
"""
NO_DOTENV = "--env-file /dev/null"
SIZE_AIM_KIB, SIZE_MAX_KIB = 1024, 3 * 1024


class WranglerDesk(DeployDesk):
    files = ("deploy/cloudflare-deploy", "wrangler.toml")
    programs = {
        "wrangler": WRANGLER,
        "worker-build": "#!/bin/sh\necho 0.8.7\n",
        "node": "#!/bin/sh\necho v24.22.3\n",
    }
    variables = {"RULES": "kedge", "HIDDEN": f"deploy-{MARK}"}

    def setUp(self):
        super().setUp()
        # Kedge's settings, with a token of the same name as wrangler's.
        (self.folder / ".env").write_text(f"CLOUDFLARE_API_TOKEN=dns-{MARK}\n")

    def said(self, code, *args, **named):
        found, said = self.deploy(*args, **named)
        self.assertEqual(found, code, said)
        self.assertNotIn(MARK, said)
        self.assertNotIn(MARK, self.notes.read_text())
        return said


class Missing(WranglerDesk):
    def test_all_that_is_missing_is_said_at_once_and_nothing_is_deployed(self):
        (self.bin / "worker-build").unlink()
        self.script("bin/wrangler", WRANGLER.replace('case "$*"', 'case "$*" in whoami*) ;; *) exit 1 ;; esac\ncase "$*"'))
        self.script(".ci/prerequisites", "#!/bin/sh\necho 'missing: a C compiler' >&2\nexit 1\n")
        said = self.said(1)
        for part in (
            "missing: a C compiler",
            "missing: worker-build",
            "cargo install --locked worker-build@0.8.7",
            "missing: the bucket kedge\n",
            "npx wrangler r2 bucket create kedge",
            "missing: the queue kedge\n",
            "missing: the queue kedge-dead-letters\n",
            "npx wrangler queues create kedge-dead-letters",
        ):
            self.assertIn(part, said)
        self.assertEqual(self.calls("wrangler deploy"), [])

    def test_who_is_not_logged_in_is_told_so_alone(self):
        self.script("bin/wrangler", "#!/bin/sh\necho '{\"loggedIn\":false}'\nexit 1\n")
        said = self.said(1)
        self.assertIn("missing: a login at Cloudflare", said)
        self.assertIn("WRANGLER_API_TOKEN", said)
        self.assertNotIn("bucket", said)

    def test_older_programs_are_named(self):
        for name, version, code, part in (
            ("worker-build", "0.8.6", 1, "worker-build 0.8.7 or newer; this is 0.8.6"),
            ("worker-build", "0.8.10", 0, "nothing is missing"),
            ("node", "v22.11.0", 1, "Node 22.12 or newer, which runs wrangler; this is 22.11.0"),
            ("node", "v22.12.0", 0, "nothing is missing"),
            ("node", "v9.0.0", 1, "this is 9.0.0"),
        ):
            self.script(f"bin/{name}", f"#!/bin/sh\necho {version}\n")
            self.assertIn(part, self.said(code, "--check"))
            self.script(f"bin/{name}", self.programs[name])

    def test_what_works_without_is_only_noted(self):
        said = self.said(0, "--check")
        self.assertIn("deploying as ana@example.com, wrangler.toml\n", said)
        self.assertNotIn("no rule", said)
        self.assertEqual([line for line in said.splitlines() if "no secret" in line], [
            "note: no secret CLOUDFLARE_API_TOKEN: what it is for stays unknown (npx wrangler secret put CLOUDFLARE_API_TOKEN)"
        ])
        self.assertIn("note: no rule tells kedge of uploads to kedge", self.said(0, "--check", RULES="other"))
        self.assertEqual(self.calls("wrangler deploy"), [])

    def test_an_environment_that_nobody_wrote_is_missing(self):
        said = self.said(1, "--env", "prod")
        self.assertIn("missing: an environment prod in wrangler.toml", said)
        self.assertEqual(self.calls("wrangler deploy"), [])


class Deployed(WranglerDesk):
    def test_it_is_deployed_and_the_token_for_dns_is_not_wranglers(self):
        self.said(0, program=("make", "deploy-cloudflare"))
        self.assertEqual(self.calls("wrangler deploy"), [f"wrangler deploy --env  {NO_DOTENV} []"])
        for call in self.calls("wrangler"):
            self.assertTrue(call.endswith(f"{NO_DOTENV} []"), call)

    def test_a_token_to_deploy_with_has_a_name_of_its_own(self):
        self.said(0, "--dry-run", WRANGLER_API_TOKEN=f"deploy-{MARK}")
        self.assertEqual(self.calls("wrangler deploy"), [f"wrangler deploy --env  --dry-run {NO_DOTENV} [hidden]"])

    def test_an_environment_has_its_own_bucket_and_queues(self):
        self.said(0, "--env", "staging")
        for call in ("r2 bucket info kedge-staging", "queues info kedge-staging", "queues info kedge-staging-dead-letters"):
            self.assertEqual(self.calls(f"wrangler {call} "), [f"wrangler {call} {NO_DOTENV} []"])
        self.assertEqual(self.calls("wrangler deploy"), [f"wrangler deploy --env staging {NO_DOTENV} []"])

    def test_without_wrangler_npx_brings_it(self):
        self.script("bin/npx", (self.bin / "wrangler").read_text().replace("wrangler %s", "npx %s").replace('case "$*"', 'shift 2\ncase "$*"'))
        (self.bin / "wrangler").unlink()
        self.said(0)
        pinned = json.loads((ROOT / "tests/worker/package.json").read_text())["devDependencies"]["wrangler"]
        self.assertEqual(self.calls("npx")[-1], f"npx --yes wrangler@{pinned} deploy --env  {NO_DOTENV} []")


class Account(http.server.BaseHTTPRequestHandler):
    """Cloudflare's API, which knows nobody, and notes who asks."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("Authorization"))
        body = b'{"success": false, "errors": [{"code": 10000, "message": "Authentication error"}], "result": null}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class RealWrangler(WranglerDesk):
    programs = {"worker-build": NOTHING}

    def test_it_never_sends_the_token_for_dns(self):
        """wrangler takes CLOUDFLARE_API_TOKEN from the environment and from .env, unless it is told not to."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Account)
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        node = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "CLOUDFLARE_API_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "WRANGLER_SEND_METRICS": "false",
        }
        self.assertTrue((tools() / ".bin/wrangler").exists())
        self.assertIn("missing: a login at Cloudflare", self.said(1, **node))
        self.assertEqual(server.asked, [])
        self.deploy(WRANGLER_API_TOKEN="to-deploy", **node)
        self.assertEqual(set(server.asked), {"Bearer to-deploy"})


class Config(unittest.TestCase):
    """What wrangler does not check, or only Cloudflare."""

    def environments(self):
        yield "", CONFIG
        for name, environment in CONFIG["env"].items():
            # Nothing of these is inherited.
            self.assertLessEqual({"vars", "r2_buckets", "queues"}, environment.keys(), name)
            yield name, environment

    def test_each_environment_is_whole_and_has_its_own(self):
        seen = set()
        for name, environment in self.environments():
            [bucket] = environment["r2_buckets"]
            [producer] = environment["queues"]["producers"]
            work, dead = environment["queues"]["consumers"]
            self.assertEqual((bucket["binding"], producer["binding"]), ("BUCKET", "QUEUE"), name)
            self.assertEqual((producer["queue"], work["dead_letter_queue"]), (work["queue"], dead["queue"]), name)
            # What nobody can read is set aside by Kedge, which knows such a queue by its name.
            self.assertEqual(dead["queue"], f"{work['queue']}-dead-letters")
            self.assertNotIn("dead_letter_queue", dead)
            self.assertEqual(work["max_batch_size"], 1, name)
            own = {bucket["bucket_name"], work["queue"], dead["queue"]}
            self.assertEqual(own & seen, set(), name)
            seen |= own
            self.assertEqual(environment["vars"].keys(), CONFIG["vars"].keys(), name)

    def test_crons_name_weekdays_and_come_every_five_minutes(self):
        for cron in CONFIG["triggers"]["crons"]:
            fields = cron.split()
            self.assertEqual(len(fields), 5, cron)
            self.assertNotRegex(fields[4], r"\d", "Cloudflare counts weekdays from 1 = Sunday")
        self.assertEqual(CONFIG["triggers"]["crons"][0].split()[0], "*/5")

    def test_logs_are_kept_whole_and_no_variable_is_a_secret(self):
        self.assertIs(CONFIG["observability"]["enabled"], True)
        self.assertEqual(CONFIG["observability"]["head_sampling_rate"], 1)
        for name, environment in self.environments():
            found = [one for one in environment["vars"] if re.search("TOKEN|KEY$|CREDENTIALS|SECRET", one)]
            self.assertEqual(found, [], name)


class Size(unittest.TestCase):
    def test_what_is_uploaded_is_small(self):
        """`wrangler deploy --dry-run` built it with the command of wrangler.toml (.ci/test-real)."""
        if "KEDGE_WORKERS" not in os.environ:
            self.skipTest("KEDGE_WORKERS does not say where the Worker was built; use .ci/test-real")
        said = (pathlib.Path(os.environ["KEDGE_WORKERS"]) / "dry-run.log").read_text()
        whole, gzipped = re.search(r"Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB", said).groups()
        for binding in ("env.QUEUE (kedge)", "env.BUCKET (kedge)"):
            self.assertIn(binding, said)
        aim = "met" if float(gzipped) <= SIZE_AIM_KIB else "missed"
        figures(f"size: {gzipped} KiB compressed, {whole} KiB in all (aim {SIZE_AIM_KIB} KiB: {aim})")
        self.assertLessEqual(float(gzipped), SIZE_MAX_KIB)
