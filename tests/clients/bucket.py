"""A real S3 server on this machine, with one bucket: SeaweedFS (its `weed mini`).

It checks signatures, and its conditional puts are atomic, as R2's are.
"""

import os
import pathlib
import random
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from desk import Server, connects, wait_for

WEED = pathlib.Path(sys.executable).with_name("weed")
NAME = "state"
KEY_ID, SECRET = "kedge-test", "kedge-test-s3cret"
# What each listener is called; each also takes the port 10,000 above its own.
LISTENERS = ["s3.port", "master.port", "volume.port", "filer.port", "admin.port"]
ABOVE = 10_000
# A port that was free may be taken a moment later.
ATTEMPTS = 5


class Bucket:
    """The server, and what its clients need in their environment."""

    name, key_id, secret = NAME, KEY_ID, SECRET

    def __init__(self):
        if not WEED.exists():
            raise unittest.SkipTest("SeaweedFS, the S3 server, has no package for this system")
        self.folder = tempfile.TemporaryDirectory(prefix="kedge-bucket-", ignore_cleanup_errors=True)
        self.log = pathlib.Path(self.folder.name) / "weed.log"
        for attempt in range(ATTEMPTS):
            try:
                self.start(free_ports())
                break
            except AssertionError:
                if attempt == ATTEMPTS - 1:
                    print(self.log.read_text()[-4000:])
                    raise

    def start(self, port):
        self.endpoint = f"http://127.0.0.1:{port}"
        data = pathlib.Path(self.folder.name) / f"data-{port}"
        data.mkdir()
        ports = [f"-{name}={port + number}" for number, name in enumerate(LISTENERS)]
        off = ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        quiet = ["-metricsPort=0", "-s3.metricsPort=0"]
        here = [f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        env = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "S3_BUCKET": NAME,
        }
        with self.log.open("w") as log:
            self.server = Server([WEED, "mini", *here, *ports, *off, *quiet], log, env)
        try:
            # It accepts connections before it serves, and serves before there is a bucket.
            wait_for(self.is_ready, self.server, "weed mini")
        except AssertionError:
            self.server.kill()
            raise
        self.server.listens_on(port)

    def is_ready(self):
        return (
            connects("127.0.0.1", int(self.endpoint.rsplit(":", 1)[1]))
            and "All enabled components are running" in self.log.read_text()
            and self.answers()
        )

    def answers(self):
        """Whether it refuses who does not sign."""
        try:
            urllib.request.urlopen(f"{self.endpoint}/{NAME}/x", timeout=5)
        except urllib.error.HTTPError as answer:
            return answer.code == 403
        except OSError:
            return False
        return False

    def env(self):
        """The variables of a client."""
        return {
            "R2_ENDPOINT_URL": self.endpoint,
            "R2_ACCESS_KEY_ID": KEY_ID,
            "R2_SECRET_ACCESS_KEY": SECRET,
        }

    def stop(self):
        self.server.stop()
        self.folder.cleanup()


def free_ports():
    """A port from which on all that are needed are free."""
    while True:
        port = random.randrange(20_000, 32_000)
        needed = [port + number + up for number in range(len(LISTENERS)) for up in (0, ABOVE)]
        if not any(connects("127.0.0.1", one) for one in needed):
            return port
