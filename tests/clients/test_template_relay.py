"""deploy/relay: what it makes of R2's events, against `kedge serve` and against a server that fails.

It runs in Node, which has the Worker's functions that it uses (fetch, crypto.subtle).
"""

import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import tomllib
import unittest

from desk import KEDGE, Server, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELAY = ROOT / "deploy" / "relay"
KEY = "relay-s3cret"
WITHIN_S = 60
# Calls the Worker as Cloudflare does, and prints what became of each message.
CALL = """
import relay from "RELAY";
const { env, bodies } = JSON.parse(process.argv[1]);
const ended = [];
const messages = bodies.map((body, at) => ({
  body,
  ack() { ended[at] = "ack"; },
  retry({ delaySeconds }) { ended[at] = delaySeconds; },
}));
console.log = () => {};
await relay.queue({ messages }, env);
process.stdout.write(JSON.stringify(ended));
"""


def event(key, etag="9f86d081884c7d65", action="PutObject"):
    """As R2 puts it into the queue."""
    object_ = {"key": key, "size": 3, "eTag": etag}
    return {
        "account": "0a1b",
        "action": action,
        "bucket": "kedge",
        "object": object_,
        "eventTime": "2026-11-30T20:00:00.000Z",
    }


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers what the test wants, and notes what came."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, self.headers["Kedge-Signature"], self.headers["Content-Type"], body))
        status, headers = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@unittest.skipUnless(shutil.which("node"), "there is no Node, which the relay runs in")
class Relay(unittest.TestCase):
    def relay(self, url, *bodies, key=KEY, prefix=""):
        """What became of each message: `ack`, or the seconds after which it comes again."""
        env = {"KEDGE_URL": url, "KEDGE_RELAY_KEY": key, "KEDGE_BUCKET_PREFIX": prefix}
        call = CALL.replace("RELAY", (RELAY / "relay.js").as_uri())
        done = subprocess.run(
            ["node", "--input-type=module", "-e", call, json.dumps({"env": env, "bodies": bodies})],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def server(self, *answers):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.came, server.answers = [], [(one, {}) if isinstance(one, int) else one for one in answers]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, WITHIN_S)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"http://127.0.0.1:{server.server_port}"

    def test_an_upload_is_told_and_signed(self):
        server, url = self.server(202)
        before = int(time.time())
        self.assertEqual(self.relay(url, event("upload/prod/ä.zip")), ["ack"])
        [(path, signature, kind, body)] = server.came
        self.assertEqual((path, kind), ("/v1/events/definitions", "application/json"))
        self.assertEqual(json.loads(body), {"key": "upload/prod/ä.zip", "etag": "9f86d081884c7d65"})
        seconds, mac = signature.removeprefix("t=").split(",v1=")
        self.assertLessEqual(before, int(seconds))
        self.assertLessEqual(int(seconds), int(time.time()))
        expected = hmac.new(KEY.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        self.assertEqual(mac, expected)

    def test_what_is_no_upload_is_not_told(self):
        server, url = self.server()
        bodies = [
            event("stacks/prod/state.json"),
            event("upload/prod/a.zip.9f86d081.result.json"),
            {"action": "DeleteObject", "object": {"key": "upload/prod/a.zip"}},
            {"action": "PutObject"},
            None,
        ]
        self.assertEqual(self.relay(url, *bodies), ["ack"] * 5)
        self.assertEqual(server.came, [])

    def test_the_prefix_of_the_store_is_not_told(self):
        for prefix in ("team/kedge", "team/kedge/"):
            server, url = self.server(202)
            bodies = [
                event("team/kedge/upload/prod/a.zip"),
                event("upload/prod/a.zip"),
                event("team/kedge2/upload/prod/a.zip"),
            ]
            self.assertEqual(self.relay(url, *bodies, prefix=prefix), ["ack"] * 3)
            self.assertEqual([json.loads(body)["key"] for *_, body in server.came], ["upload/prod/a.zip"])

    def test_what_fails_comes_again_and_what_never_goes_well_does_not(self):
        answers = [
            202,
            409,
            400,
            401,
            500,
            (429, {"Retry-After": "7"}),
            (503, {"Retry-After": "9999"}),
            (503, {"Retry-After": "x"}),
        ]
        server, url = self.server(*answers)
        bodies = [event(f"upload/prod/{number}.zip") for number in range(len(answers))]
        self.assertEqual(self.relay(url, *bodies), ["ack", "ack", "ack", 20, 20, 7, 300, 20])
        self.assertEqual(len(server.came), len(answers))
        # Nobody there.
        server, url = self.server()
        server.shutdown()
        server.server_close()
        self.assertEqual(self.relay(url, event("upload/prod/a.zip")), [20])

    def test_kedge_takes_what_it_tells(self):
        folder = tempfile.TemporaryDirectory(prefix="kedge-relay-")
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        (folder / "store").mkdir()
        log = folder / "log"
        command = [KEDGE, "serve", "--listen", "127.0.0.1:0", "--store", f"file://{folder}/store"]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "KEDGE_LOG_FORMAT": "json", "KEDGE_RELAY_KEY": KEY}
        with log.open("w") as out:
            server = Server(command, out, env, folder)
        self.addCleanup(server.kill)

        def address():
            lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
            return next((line["at"] for line in lines if line["message"] == "serving"), None)

        url = f"http://{wait_for(address, server, 'kedge serve')}"
        good, strange = event("upload/prod/definitions.zip"), event("upload/no-file")
        self.assertEqual(self.relay(url, good, strange), ["ack", "ack"])
        self.assertEqual(self.relay(url, good, key="another"), [20], "a signature by another key is refused")


class Configuration(unittest.TestCase):
    def test_the_settings_are_those_that_it_reads(self):
        config = tomllib.loads((RELAY / "wrangler.toml").read_text())
        code = (RELAY / config["main"]).read_text()
        for name in [*config["vars"], "KEDGE_RELAY_KEY"]:
            self.assertIn(f"env.{name}", code)
        self.assertNotIn("KEDGE_RELAY_KEY", config["vars"])
