"""Cloudflare on this machine: the Worker in its real runtime, started by tests/worker/host.mjs, with wrangler.toml's queues."""

import json
import os
import pathlib
import shutil
import signal
import tomllib
import unittest
import urllib.parse
import urllib.request

from desk import MARK, STEP_S, Server, exchange, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = ROOT / "tests/worker/host.mjs"
METER = ROOT / "tests/worker/meter.mjs"
CONFIG = tomllib.loads((ROOT / "wrangler.toml").read_text())
CRON = CONFIG["triggers"]["crons"][0]
[BUCKET] = CONFIG["r2_buckets"]
[PRODUCER] = CONFIG["queues"]["producers"]
[WORK, DEAD] = [consumer["queue"] for consumer in CONFIG["queues"]["consumers"]]
KEY_ID, SECRET = "kedge-test", f"r2-{MARK}"
# What the host says of a worker's invocations (meter.mjs).
METERED = "meter "


def tools():
    """The folder of npm's packages, where .ci/test-real has put them."""
    if "WORKER_NPM" not in os.environ:
        raise unittest.SkipTest("WORKER_NPM does not say where miniflare is; use .ci/test-real")
    return pathlib.Path(os.environ["WORKER_NPM"])


class Bucket:
    """R2's bucket, as S3 serves it."""

    name, key_id, secret = BUCKET["bucket_name"], KEY_ID, SECRET

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def env(self):
        """The variables of a client."""
        return {
            "R2_ENDPOINT_URL": self.endpoint,
            "R2_ACCESS_KEY_ID": KEY_ID,
            "R2_SECRET_ACCESS_KEY": SECRET,
        }


class Cloudflare(Server):
    """An account with one bucket, the queues, and the Worker."""

    def __init__(self, folder, built, bindings, is_metered=True):
        self.folder = folder
        self.bindings = bindings
        self.log = folder / "worker.log"
        self.log.touch()
        self.code = folder / "worker"
        shutil.copytree(built, self.code)
        shutil.copy(METER, self.code)
        self.script = METER.name if is_metered else "index.js"
        self.at_port = 0
        self.start()

    def start(self):
        """Starts the host, over what the one before it left."""
        settings = self.folder / "host.json"
        settings.write_text(json.dumps(self.settings()))
        said = self.folder / "host.log"
        with said.open("w") as out:
            super().__init__(["node", HOST, settings], out)

        def ready():
            return next((json.loads(one) for one in said.read_text().splitlines() if one.startswith('{"url"')), None)

        try:
            at = wait_for(ready, self, "the Worker's host")
        except AssertionError as error:
            raise AssertionError(said.read_text()[-4000:]) from error
        self.control, self.runtime = at["control"], at["workerd"]
        self.url = at["url"].rstrip("/")
        self.address = self.url.removeprefix("http://")
        self.bucket = Bucket(at["s3"])
        self.at_port = int(self.address.rsplit(":", 1)[1])
        self.listens_on(self.at_port)
        self.forget()

    def settings(self):
        consumers = {
            one["queue"]: {
                "maxBatchSize": one["max_batch_size"],
                "maxBatchTimeout": 0,
                "maxRetries": one["max_retries"],
                **({"deadLetterQueue": one["dead_letter_queue"]} if "dead_letter_queue" in one else {}),
            }
            for one in CONFIG["queues"]["consumers"]
        }
        return {
            "npm": str(tools()),
            "folder": str(self.code),
            "script": self.script,
            "log": str(self.log),
            "state": str(self.folder / "cloudflare"),
            "port": self.at_port,
            "compatibility_date": CONFIG["compatibility_date"],
            "bindings": CONFIG["vars"] | self.bindings,
            "bucket": {
                "binding": BUCKET["binding"],
                "name": BUCKET["bucket_name"],
                "credentials": {"accessKeyId": KEY_ID, "secretAccessKey": SECRET},
            },
            "queues": [{"binding": PRODUCER["binding"], "name": WORK}, {"binding": "DEAD_LETTERS", "name": DEAD}],
            "consumers": consumers,
        }

    def kill(self):
        # The runtime outlives a host that is killed.
        if self.process.poll() is None:
            self.kill_runtime()
        super().kill()

    def kill_runtime(self):
        try:
            os.kill(self.runtime, signal.SIGKILL)
        except (ProcessLookupError, AttributeError):
            pass

    def cut_off(self):
        """All that runs is cut off, and the messages under way are lost. The bucket stays."""
        self.kill()
        self.start()

    # What Cloudflare does.

    def control_call(self, method, path, body=None, **query):
        url = f"{self.control}/{path}?{urllib.parse.urlencode(query)}"
        body = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=STEP_S) as answer:
            return json.load(answer)

    def tick(self):
        """The cron trigger's turn. Gives the outcome, as the platform sees it."""
        return self.control_call("POST", "tick", cron=CRON)["outcome"]

    def send(self, message, queue=WORK):
        """Puts a message into a queue."""
        self.sent += 1
        self.control_call("POST", "send", message, queue=queue)

    def deliver(self, bodies, queue=WORK):
        """Hands messages over in one batch. Gives what became of each: `ack`, or `retry`."""
        messages = [{"id": str(number), "body": body} for number, body in enumerate(bodies)]
        self.by_hand += len(messages)
        result = self.control_call("POST", "deliver", messages, queue=queue)
        retried = {one["msgId"] for one in result["retryMessages"]}
        if result["outcome"] != "ok" or result["retryBatch"]["retry"]:
            retried |= {one["id"] for one in messages}
        return ["retry" if one["id"] in retried else "ack" for one in messages]

    def deploy(self, **bindings):
        """A new deployment, with these variables and secrets changed; none: without it. Messages are lost."""
        changed = self.bindings | bindings
        self.bindings = {name: value for name, value in changed.items() if value is not None}
        settings = self.settings()
        self.runtime = self.control_call("POST", "bindings", settings["bindings"])["workerd"]
        self.forget()

    def ask(self, method, path, token=None, body=None, **headers):
        return exchange(self.address, method, path, token, body, **headers)

    # What the Worker said.

    def lines(self):
        """The lines of its log."""
        return [line for line in self.all_lines() if not line.startswith(METERED)]

    def meters(self):
        """What the meter said since the last start."""
        lines = self.all_lines()[self.lines_before :]
        return [json.loads(line.removeprefix(METERED)) for line in lines if line.startswith(METERED)]

    def all_lines(self):
        return self.log.read_text(errors="replace").rpartition("\n")[0].splitlines()

    def forget(self):
        """What waited in the queues is gone, with what is counted of it."""
        self.lines_before = len(self.all_lines())
        self.sent = self.by_hand = 0

    def is_idle(self):
        """Whether no invocation is under way, and each message that was sent is done with."""
        meters = self.meters()
        began = sum("began" in one for one in meters)
        ended = [one for one in meters if "ended" in one]
        sent = self.sent + sum(one.get("sent", 0) for one in meters)
        outcomes = {}
        for one in ended:
            if one["ended"] == "queue":
                outcomes |= one["messages"]
        by_hand = {str(number) for number in range(self.by_hand)}
        done = {message for message, outcome in outcomes.items() if outcome == "ack" and message not in by_hand}
        return began == len(ended) and len(done) == sent

    def cpu_ns(self):
        """The processor time of all threads of the runtime so far."""
        threads = pathlib.Path(f"/proc/{self.runtime}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads)


def upload_event(key, etag, size=3, action="PutObject"):
    """As R2 puts it into the queue."""
    return {
        "account": "0a1b",
        "action": action,
        "bucket": BUCKET["bucket_name"],
        "object": {"key": key, "size": size, "eTag": etag},
        "eventTime": "2026-11-30T20:00:00.000Z",
    }
