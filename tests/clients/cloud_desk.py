"""A desk whose stacks are looked after by a cloud (an emulator of it), over a bucket that people use too.

The tests of a module share one of them, which takes a while to start.
"""

import concurrent.futures
import hashlib
import hmac
import io
import json
import os
import pathlib
import shutil
import tempfile
import time
import unittest
import urllib.request
import zipfile

import boto3
import botocore.config
from desk import HERE, KEDGE, LEASE_S, MARK, STEP_S, start_sandbox
from store_desk import CHANGES, StoreDesk, records_of

# How many commands of ours work side by side.
AT_ONCE = 4
# How often one of them may push in vain.
PUSHES_MAX = 5


class CloudDesk(StoreDesk):
    """A cloud, its store, and the providers' sandbox.

    A subclass has `bucket` (with `endpoint`, `key_id`, `secret` and `name`), `prefix` (the bucket, with the prefix in
    it if there is one), `stacks`, and says what `ask` is, and which `lines` were logged.
    """

    LATENCY_MS = 0
    relay_key = f"relay-{MARK}"
    stacks = ()

    @classmethod
    def prepare(cls, name):
        """For a module's setUpModule: all but the cloud and its bucket."""
        folder = tempfile.TemporaryDirectory(prefix=f"kedge-{name}-", ignore_cleanup_errors=True)
        unittest.addModuleCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.env = {"PATH": os.environ["PATH"], "HOME": folder.name, "KEDGE_LEASE_SECONDS": str(LEASE_S)}
        log = cls.folder / "sandbox.log"
        server, env = start_sandbox(log, "--latency-ms", str(cls.LATENCY_MS))
        unittest.addModuleCleanup(server.stop)
        cls.url = env["AIVEN_WEB_URL"]
        # The sandbox takes any credential.
        cls.env |= env | {"AIVEN_TOKEN": f"aiven-{MARK}", "CLOUDFLARE_API_TOKEN": f"cloudflare-{MARK}"}
        cls.write_definitions()

    @classmethod
    def use_bucket(cls, bucket):
        cls.bucket = bucket
        cls.store = f"s3://{cls.prefix}"
        cls.env |= bucket.env()

    @classmethod
    def write_definitions(cls):
        """The same definitions for each stack. Automation corrects what it finds at once."""
        definitions = cls.folder / "definitions"
        shutil.copytree(HERE / "definitions", definitions)
        project = definitions / "kedge.yaml"
        project.write_text(project.read_text() + "  correct_after: 0\n")
        [template] = (definitions / "stacks").iterdir()
        for stack in cls.stacks:
            # Each stack has names of its own in the one zone.
            text = template.read_text().replace("domain: ", f"domain: {stack}-")
            (definitions / f"stacks/{stack}.yaml").write_text(text)
        template.unlink()

    def setUp(self):
        self.sandbox("requests", "DELETE")

    def check_lines(self, lines):
        """What was logged is JSON, and has no secret."""
        for line in lines:
            # A line that is no JSON is a panic.
            self.assertLessEqual({"timestamp", "level"}, json.loads(line).keys(), line)
            self.assertNotIn(MARK, line)
            self.assertNotIn("kdg_", line)

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

    def edit(self, stack, name, changes=CHANGES):
        """Edits one stack's definitions: so many changes, each one request."""
        file = self.folder / f"definitions/stacks/{stack}.yaml"
        nodes = "".join(
            f"    - name: {name}{number}\n      ips: [203.0.113.{number + 100}]\n"
            f"      domain: {stack}-{name}{number}.clustera.io\n"
            for number in range(changes)
        )
        file.write_text(file.read_text() + nodes)

    def person(self, **deed):
        """Somebody changes something in a console."""
        self.sandbox("person", "POST", deed)

    def slow_down(self, body):
        """Writes with this text take half a second."""
        slow = {"match": {"write": True, "body": body}, "effect": {"kind": "latency", "ms": 500}}
        self.sandbox("faults", "POST", slow)
        self.addCleanup(self.sandbox, "faults", "DELETE")

    def archive(self):
        """The definitions as a zip."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((self.folder / "definitions").rglob("*.yaml")):
                archive.write(path, path.relative_to(self.folder))
        return packed.getvalue()

    def token(self, name="tests", stacks="*", scopes="read,check,apply,hold"):
        """A token of the HTTP API."""
        asked = ["--name", name, "--scope", scopes, "--stacks", stacks, "--expires", "1d"]
        return self.run_command(KEDGE, "token", "new", *asked, "--store", self.store).strip()

    def relay(self, key, etag):
        """A report of an upload."""
        body = json.dumps({"key": key, "etag": etag})
        return self.ask("POST", "/v1/events/definitions", None, body, **self.signature(body))

    def signature(self, body):
        """The header that signs a report, as docs/http.md says."""
        now = int(time.time())
        mac = hmac.new(self.relay_key.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
        return {"kedge-signature": f"t={now},v1={mac}"}

    # What is in the bucket.

    def s3(self):
        config = botocore.config.Config(s3={"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=self.bucket.endpoint,
            region_name="auto",
            aws_access_key_id=self.bucket.key_id,
            aws_secret_access_key=self.bucket.secret,
            config=config,
        )

    def key(self, path):
        """The key of a path in the store."""
        return f"{self.prefix.partition('/')[2]}/{path}".removeprefix("/")

    def put(self, path, body):
        """Puts an object into the bucket. Gives its ETag."""
        return self.s3().put_object(Bucket=self.bucket.name, Key=self.key(path), Body=body)["ETag"]

    def paths(self, prefix):
        pages = self.s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name, Prefix=self.key(prefix))
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return [key.removeprefix(self.key("")) for key in keys]

    def read(self, path):
        return json.load(self.s3().get_object(Bucket=self.bucket.name, Key=self.key(path))["Body"])

    def delete(self, path):
        self.s3().delete_object(Bucket=self.bucket.name, Key=self.key(path))

    def forget_schedule(self):
        """Forgets when stacks were checked last, so that the next tick checks all of them."""
        self.delete("schedule.json")

    def result(self, stack, name):
        """The result of an upload, once it is there."""

        def there():
            paths = self.paths(f"upload/{stack}/{name}.")
            return [path for path in paths if path.endswith(".result.json")]

        [path] = self.wait(there, f"the result of {name}")
        return self.read(path)

    # What the providers have.

    def check_applied(self, name, **changes):
        """The edits of these stacks were made, each change once, and nothing else was."""
        applied = self.applied()
        self.assertEqual(len(applied), sum(changes.values()), applied)
        for stack, count in changes.items():
            expected = {f"{stack}-{name}{number}.clustera.io" for number in range(count)}
            found = self.names(f"{stack}-{name}")
            self.assertEqual((len(found), set(found)), (count, expected))

    def names(self, prefix):
        """The names that DNS has, of those that begin so."""
        return [one["name"] for one in self.records() if one["name"].startswith(prefix)]

    def records(self):
        return [one for one in records_of(self.sandbox("world")) if one["type"] in ("A", "AAAA", "CNAME")]

    def aiven(self, path):
        """What Aiven's API says, of the stacks' one service."""
        service = f"{self.url}/v1/project/clustera-creators/service/kafka-clustera/"
        request = urllib.request.Request(service + path, headers={"authorization": "aivenv1 tests"})
        with urllib.request.urlopen(request, timeout=STEP_S) as answer:
            return json.load(answer)

    def retention_ms(self, topic):
        return self.aiven(f"topic/{topic}")["topic"]["config"]["retention_ms"]["value"]

    # The cloud.

    def wait(self, condition, what, within_s=STEP_S):
        """Waits until the condition gives something, and gives it."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if found := condition():
                return found
            if self.cloud().process.poll() is not None:
                raise AssertionError("the cloud ended")
            time.sleep(0.1)
        told = "\n".join(self.lines()[-60:])
        raise AssertionError(f"{what}: not within {within_s} s\n{told}")

    def runs(self, **fields):
        """The summary lines of runs, those with these fields."""
        lines = [json.loads(line) for line in self.work_lines()]
        ended = [line for line in lines if line.get("message") in ("run ended", "run failed")]
        return [line for line in ended if fields.items() <= line.items()]
