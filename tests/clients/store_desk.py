"""A desk whose store is in a bucket, on a real S3 server that all tests of a module share."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from bucket import NAME, Bucket
from desk import HERE, KEDGE, STACK, STEP_S, Desk

SEED = int(os.environ.get("KEDGE_SEED", "1"))
# How many changes an edit takes, each one request.
CHANGES = 5


def start_bucket():
    """For a module's setUpModule."""
    StoreDesk.bucket = Bucket()
    unittest.addModuleCleanup(StoreDesk.bucket.stop)


class StoreDesk(Desk):
    """A deployed stack whose state is in the bucket."""

    bucket = None
    # Answers of the providers take so long that runs overlap.
    LATENCY_MS = 60

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kedge-store-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copytree(HERE / "definitions", self.folder / "definitions")
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.bucket.env()
        self.serve("--latency-ms", str(self.LATENCY_MS), "--jitter-ms", str(self.LATENCY_MS))
        self.random = random.Random(SEED)
        # Each test has a prefix of its own in the one bucket.
        self.prefix = f"{NAME}/{self.id().rsplit('.', 1)[1]}"
        self.store = f"s3://{self.prefix}"
        self.options = ["--stack", STACK, "--store", self.store, "--json"]
        self.push()
        self.up()
        self.check_clean()

    def push(self):
        self.kedge("push", code=0)

    def edit(self, number):
        """Edits the definitions: two new topics, a new record set, both subscriptions changed."""
        topics = self.folder / "definitions/data/kafka-topics.yaml"
        new = "".join(f'  - name: "{{stack}}-{number}-{one}"\n    partitions: 1\n    replication: 2\n' for one in "ab")
        topics.write_text(topics.read_text() + new)
        stack = self.folder / "definitions/stacks/clients.yaml"
        node = f"    - name: n{number}\n      ips: [203.0.113.{number % 250 + 1}]\n"
        stack.write_text(f"{stack.read_text()}{node}      domain: n{number}.clustera.io\n")
        pubsub = self.folder / "definitions/data/pubsub.yaml"
        seconds = 60 + number % 100 + 1
        lines = [
            f"    ack_deadline_seconds: {seconds}" if "ack_deadline_seconds" in line else line
            for line in pubsub.read_text().splitlines()
        ]
        pubsub.write_text("\n".join(lines) + "\n")

    def start(self, **variables):
        """Starts `kedge up`, and does not wait for it."""
        process = subprocess.Popen(
            [KEDGE, "up", "--yes", *self.options],
            cwd=self.folder,
            env=self.env | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait, STEP_S)
        self.addCleanup(process.kill)
        return process

    def sandbox(self, path, method="GET", body=None):
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=STEP_S) as answer:
            return json.load(answer)

    def applied(self):
        """The requests that changed something, since they were last forgotten."""
        log = self.sandbox("requests")["requests"]
        return [f"{one['method']} {one['path']}" for one in log if one["applied"]]

    def check_written_once(self):
        """Each change of one edit was made once, whoever made it."""
        applied = self.applied()
        self.assertEqual(len(applied), CHANGES, applied)

    def check_as_declared(self):
        """`kedge check` is clean, nothing in the namespace is left over, and nothing is there twice."""
        report = self.check_clean()
        self.assertEqual((report["unmanaged"], report["findings"]), ([], []), report)
        self.assertEqual(report["counts"]["compared"], report["counts"]["declared"], report)
        world = self.sandbox("world")
        records = [(one["name"], one["type"], one["content"]) for one in records_of(world)]
        self.assertEqual(len(records), len(set(records)), records)


def records_of(world):
    """Each DNS record, wherever it is in the world's JSON."""
    if isinstance(world, dict):
        if {"name", "type", "content"} <= world.keys():
            yield world
        for inner in world.values():
            yield from records_of(inner)
    elif isinstance(world, list):
        for inner in world:
            yield from records_of(inner)
