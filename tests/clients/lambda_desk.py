"""A desk whose stacks are looked after by the functions, deployed as a whole (deployment.py).

The tests of a module share one deployment, which takes a while to make.
"""

import concurrent.futures
import hashlib
import hmac
import json
import os
import pathlib
import sys
import tempfile
import time
import unittest
import urllib.request

import boto3
import botocore.config
from bucket import KEY_ID, NAME, SECRET, Bucket
from deployment import FUNCTIONS, Deployment
from desk import KEDGE, STEP_S, Server, wait_for
from store_desk import StoreDesk

# In the text of each credential of these tests, so that one look finds any of them in a log.
MARK = "s3cret"
# A lease's length. The next holder may begin one and a half of it after the last renewal.
LEASE_S = 4
# How long a message stays hidden whose function died; the template's is minutes.
HIDDEN_S = 5
HOUR_MS = 60 * 60 * 1000
WEEK_MS = 7 * 24 * HOUR_MS
# How many commands of ours work side by side, and how often one of them may push in vain.
AT_ONCE = 4
PUSHES_MAX = 5


class LambdaDesk(StoreDesk):
    """The functions, their store, and the providers' sandbox."""

    LATENCY_MS = 0
    prefix = f"{NAME}/lambda"
    store = f"s3://{prefix}"
    relay_key = f"relay-{MARK}"
    deployment = None

    @classmethod
    def start(cls):
        """For a module's setUpModule: all but the deployment."""
        if sys.platform != "linux":
            raise unittest.SkipTest("the emulators run the functions as programs for Linux")
        folder = tempfile.TemporaryDirectory(prefix="kedge-lambda-", ignore_cleanup_errors=True)
        unittest.addModuleCleanup(folder.cleanup)
        cls.bucket = Bucket()
        unittest.addModuleCleanup(cls.bucket.stop)
        cls.folder = pathlib.Path(folder.name)
        cls.env = {"PATH": os.environ["PATH"], "HOME": folder.name, "KEDGE_LEASE_SECONDS": str(LEASE_S)}
        cls.env |= cls.bucket.env()
        cls.start_sandbox()
        cls.write_definitions()

    def setUp(self):
        self.sandbox("requests", "DELETE")

    def tearDown(self):
        if not self.deployment:
            return
        for function in FUNCTIONS:
            for line in self.deployment.lines(function):
                # A line that is no JSON is a panic.
                self.assertLessEqual({"timestamp", "level"}, json.loads(line).keys(), line)
                self.assertNotIn(MARK, line)
                self.assertNotIn("kdg_", line)

    @classmethod
    def start_sandbox(cls):
        log = cls.folder / "sandbox.log"
        command = [KEDGE, "sandbox", "--port", "0", "--latency-ms", str(cls.LATENCY_MS)]
        with log.open("w") as out:
            server = Server(command, out)
        unittest.addModuleCleanup(server.stop)
        wait_for(lambda: "# admin" in log.read_text(), server, "kedge sandbox")
        for line in log.read_text().splitlines():
            if line.startswith("export "):
                cls.env |= dict(word.split("=", 1) for word in line.split()[1:])
        cls.url = cls.env["AIVEN_WEB_URL"]
        server.listens_on(int(cls.url.rsplit(":", 1)[1]))
        # The sandbox takes any credential.
        cls.env |= {
            "AIVEN_TOKEN": f"aiven-{MARK}",
            "CLOUDFLARE_API_TOKEN": f"cloudflare-{MARK}",
        }

    @classmethod
    def deploy_functions(cls, **parameters):
        """Deploys template.yaml, with its schedule off: each test ticks."""
        cls.deployment = Deployment(
            cls.folder,
            {
                "Bucket": cls.prefix,
                "R2EndpointUrl": cls.bucket.endpoint,
                "R2AccessKeyId": KEY_ID,
                "AivenWebUrl": cls.env["AIVEN_WEB_URL"],
                "PubsubEmulatorHost": cls.env["PUBSUB_EMULATOR_HOST"],
                "CloudflareBaseUrl": cls.env["CLOUDFLARE_BASE_URL"],
                "Schedule": "DISABLED",
                "TickMinutes": "1",
                **parameters,
            },
            {
                "R2SecretAccessKeyArn": SECRET,
                "AivenTokenArn": {"token": cls.env["AIVEN_TOKEN"]},
                "CloudflareApiTokenArn": cls.env["CLOUDFLARE_API_TOKEN"],
                "RelayKeyArn": cls.relay_key,
            },
        )
        unittest.addModuleCleanup(cls.deployment.stop)
        cls.deployment.set_variables("reconcile", KEDGE_LEASE_SECONDS=str(LEASE_S))
        cls.deployment.hide_for(HIDDEN_S)

    # What people do.

    def kedge_of(self, stack, *arguments, code=0):
        command = [KEDGE, *arguments, "--stack", stack, "--store", self.store, "--json"]
        return json.loads(self.run_command(*command, code=code))

    def of_each(self, stacks, deed):
        """Does something for each of these stacks, some at once. Gives the answers in their order."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(deed, stacks))

    def push_all(self, stacks):
        self.of_each(stacks, self.push_one)

    def push_one(self, stack):
        for left in reversed(range(PUSHES_MAX)):
            try:
                return self.kedge_of(stack, "push")
            except AssertionError as error:
                # So many push for the first time at once: each of them writes the registry of stacks, and one
                # that is in it before its definitions are there keeps the others away from its names.
                if not left or not any(word in str(error) for word in ("try again", "owner-unknown")):
                    raise

    def check_all_as_declared(self, stacks):
        reports = self.of_each(stacks, lambda stack: self.kedge_of(stack, "check"))
        for report in reports:
            self.assertEqual((report["verdict"], report["exit_code"]), ("clean", 0), report)
            self.assertEqual((report["unmanaged"], report["findings"]), ([], []), report)

    def person(self, **deed):
        """Somebody changes something in a console."""
        self.sandbox("person", "POST", deed)

    def token(self, name="tests", stacks="*", scopes="read,check,apply,hold"):
        """A token of the HTTP API."""
        asked = ["--name", name, "--scope", scopes, "--stacks", stacks, "--expires", "1d"]
        return self.run_command(KEDGE, "token", "new", *asked, "--store", self.store).strip()

    def relay(self, key, etag):
        """A report of an upload."""
        body = json.dumps({"key": key, "etag": etag})
        return self.deployment.ask("POST", "/v1/events/definitions", None, body, **self.signature(body))

    def signature(self, body):
        """The header that signs a report, as docs/http.md says."""
        now = int(time.time())
        mac = hmac.new(self.relay_key.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
        return {"kedge-signature": f"t={now},v1={mac}"}

    # What there is then.

    def s3(self):
        config = botocore.config.Config(s3={"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=self.bucket.endpoint,
            region_name="auto",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=config,
        )

    def key(self, path):
        return f"{self.prefix.partition('/')[2]}/{path}"

    def put(self, path, body):
        """Puts an object into the bucket. Gives its ETag."""
        return self.s3().put_object(Bucket=NAME, Key=self.key(path), Body=body)["ETag"]

    def paths(self, prefix):
        pages = self.s3().get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=self.key(prefix))
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return [key.removeprefix(self.key("")) for key in keys]

    def read(self, path):
        return json.load(self.s3().get_object(Bucket=NAME, Key=self.key(path))["Body"])

    def forget_schedule(self):
        """Forgets when stacks were checked last, so that the next tick checks all of them."""
        self.s3().delete_object(Bucket=NAME, Key=self.key("schedule.json"))

    def aiven(self, path):
        """What Aiven's API says, of the stacks' one service."""
        service = f"{self.url}/v1/project/clustera-creators/service/kafka-clustera/"
        request = urllib.request.Request(service + path, headers={"authorization": "aivenv1 tests"})
        with urllib.request.urlopen(request, timeout=STEP_S) as answer:
            return json.load(answer)

    def retention_ms(self, topic):
        return self.aiven(f"topic/{topic}")["topic"]["config"]["retention_ms"]["value"]

    # The functions.

    def wait(self, condition, what, within_s=STEP_S):
        """Waits until the condition gives something, and gives it."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if found := condition():
                return found
            if self.deployment.aws.process.poll() is not None:
                raise AssertionError("ministack ended")
            time.sleep(0.1)
        told = "\n".join(line for one in FUNCTIONS for line in self.deployment.lines(one)[-20:])
        raise AssertionError(f"{what}: not within {within_s} s\n{told}")

    def wait_until_idle(self, within_s=STEP_S):
        self.wait(self.deployment.is_idle, "the queue is empty", within_s)

    def spoil_secret(self):
        """Has the function `http` read a secret that the store refuses. Gives the parameter's name."""
        name = "spoiled"
        self.deployment.put_secret(name, f"wrong-{MARK}")
        arn = self.deployment.variables("http")["R2_SECRET_ACCESS_KEY_ARN"]
        arn = f"{arn.rpartition('/')[0]}/{name}"
        self.deployment.set_variables("http", R2_SECRET_ACCESS_KEY_ARN=arn)
        return name

    def runs(self, **fields):
        """The summary lines of runs, those with these fields."""
        lines = [json.loads(line) for line in self.deployment.lines("reconcile")]
        ended = [line for line in lines if line.get("message") in ("run ended", "run failed")]
        return [line for line in ended if fields.items() <= line.items()]


def figures(text):
    """A line for the end of the whole run (`.ci/test-real`)."""
    print(f"\nfigures: {text}", flush=True)
