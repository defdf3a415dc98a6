"""Processes of `kedge serve` over a store in a bucket, and the tools that people put objects there with."""

import json
import pathlib
import sys
import urllib.request

from bucket import KEY_ID, SECRET
from desk import KEDGE, LEASE_S, MARK, STACK, STEP_S, Server, exchange, wait_for
from store_desk import StoreDesk

TOOLS = pathlib.Path(sys.executable).parent
SCOPES = ("read", "check", "apply", "hold")


class Instance(Server):
    """One process of `kedge serve`."""

    def __init__(self, desk, name, *options, tick_every="1s", logs="trace"):
        self.log = desk.folder / f"{name}.log"
        command = [KEDGE, "serve", "--listen", "127.0.0.1:0", "--tick-every", tick_every]
        # By default everything that can be told, so that a secret would be seen.
        env = desk.env | {"RUST_LOG": logs, "KEDGE_LOG_FORMAT": "json"}
        with self.log.open("w") as log:
            super().__init__([*command, "--store", desk.store, *options], log, env, desk.folder)
        self.at = wait_for(self.address, self, "kedge serve")
        self.listens_on(int(self.at.rsplit(":", 1)[1]))

    def address(self):
        return next((line["at"] for line in self.lines() if line["message"] == "serving"), None)

    def lines(self):
        """What it said so far. A line that is no JSON is a panic, and fails the test."""
        whole = self.log.read_text().rpartition("\n")[0]
        strange = [line for line in whole.splitlines() if not line.startswith("{")]
        assert not strange, strange
        return [json.loads(line) for line in whole.splitlines()]

    def runs(self, **fields):
        """The summary lines of runs, those with these fields."""
        ended = [line for line in self.lines() if line["message"] in ("run ended", "run failed")]
        return [line for line in ended if fields.items() <= line.items()]

    def complaints(self):
        """What it warned of."""
        return [line for line in self.lines() if line["level"] in ("WARN", "ERROR")]

    def ask(self, method, path, token=None, body=None, **headers):
        """One request; gives status, headers and the body's JSON."""
        return exchange(self.at, method, path, token, body, **headers)

    def memory_max_mb(self):
        """The most memory that it ever had, where the system says so; else none."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return None
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024

    def end(self):
        """Asks it to stop; it must do so in good order."""
        self.stop()
        assert self.process.returncode == 0, (self.process.returncode, self.complaints())
        assert self.lines()[-1]["message"] == "stopped", self.lines()[-1]


class ServeDesk(StoreDesk):
    """A deployed stack whose drift and edits are left to automation."""

    def setUp(self):
        self.instances = []
        super().setUp()
        self.addCleanup(self.check_no_log_has_a_secret)

    def serve(self, *options):
        super().serve(*options)
        project = self.folder / "definitions/kedge.yaml"
        project.write_text(project.read_text() + "  correct_after: 0\n")
        assert MARK in SECRET
        self.env |= {
            "AIVEN_TOKEN": f"aiven-{MARK}",
            "CLOUDFLARE_API_TOKEN": f"cloudflare-{MARK}",
            "KEDGE_LEASE_SECONDS": str(LEASE_S),
        }

    def instance(self, *options, **named):
        """Starts a process, which ends with the test."""
        one = Instance(self, f"serve-{len(self.instances)}", *options, **named)
        self.instances.append(one)
        self.addCleanup(one.kill)
        return one

    def token(self, name="tests", stacks="*", scopes=SCOPES):
        """A token of the HTTP API."""
        asked = ["--name", name, "--scope", ",".join(scopes), "--stacks", stacks, "--expires", "1d"]
        return self.run_command(KEDGE, "token", "new", *asked, "--store", self.store).strip()

    def check_no_log_has_a_secret(self):
        for one in self.instances:
            for line in one.log.read_text().splitlines():
                self.assertNotIn(MARK, line)
                self.assertNotIn("kdg_", line)

    def wait(self, condition, what, instance=None):
        one = instance or self.instances[-1]
        try:
            return wait_for(condition, one, what)
        except AssertionError as error:
            told = [json.dumps(line) for line in one.lines() if line["level"] not in ("TRACE", "DEBUG")]
            raise AssertionError("\n".join([str(error), *told[-40:]])) from error

    def person(self, **deed):
        """Somebody changes something in a console."""
        self.sandbox("person", "POST", deed)

    def make_all_due(self):
        """Forgets when stacks were checked last, so that the next tick checks all of them."""
        self.rclone("deletefile", self.object("schedule.json"))

    def wait_until_done(self, instance=None):
        """Waits for what the first tick of a process does: a check of everything."""
        one = instance or self.instances[-1]
        self.wait(lambda: one.runs(verb="check"), "the first check", one)

    # Tools.

    def object(self, key):
        """An object, as rclone calls it."""
        return f"bucket:{self.prefix}/{key}"

    def rclone(self, *arguments):
        remote = {
            "RCLONE_CONFIG": str(self.folder / "no-rclone.conf"),
            "RCLONE_CONFIG_BUCKET_TYPE": "s3",
            "RCLONE_CONFIG_BUCKET_PROVIDER": "SeaweedFS",
            "RCLONE_CONFIG_BUCKET_ENDPOINT": self.bucket.endpoint,
            "RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID": KEY_ID,
            "RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY": SECRET,
        }
        return self.tool("rclone", *arguments, **remote)

    def aws(self, *arguments):
        return self.tool(
            "aws",
            *arguments,
            AWS_ENDPOINT_URL=self.bucket.endpoint,
            AWS_ACCESS_KEY_ID=KEY_ID,
            AWS_SECRET_ACCESS_KEY=SECRET,
            AWS_REGION="auto",
        )

    def tool(self, name, *arguments, **variables):
        program = TOOLS / name
        if not program.exists():
            self.skipTest(f"{name} has no package for this system")
        before, self.env = self.env, self.env | variables
        try:
            return self.run_command(program, *arguments)
        finally:
            self.env = before

    def keys(self, prefix):
        """The keys below a prefix, without it."""
        return self.rclone("lsf", "--recursive", "--files-only", self.object(prefix)).splitlines()

    def read(self, key):
        return json.loads(self.rclone("cat", self.object(key)))

    # The provider, as its own clients see it.

    def topics(self):
        """The names of the stack's Kafka topics."""
        names = [one["topic_name"] for one in self.aiven("topic")["topics"]]
        return sorted(name for name in names if name.startswith(f"{STACK}-"))

    def retention_ms(self, topic):
        return self.aiven(f"topic/{topic}")["topic"]["config"]["retention_ms"]["value"]

    def aiven(self, path):
        base = f"{self.url}/v1/project/clustera-creators/service/kafka-clustera/"
        authorization = {"authorization": f"aivenv1 {self.env['AIVEN_TOKEN']}"}
        request = urllib.request.Request(base + path, headers=authorization)
        with urllib.request.urlopen(request, timeout=STEP_S) as answer:
            return json.load(answer)
