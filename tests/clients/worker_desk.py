"""A desk whose stacks are looked after by the Worker, in its real runtime (miniflare.py), over its R2 bucket."""

import os
import pathlib
import sys
import unittest

from cloud_desk import CloudDesk
from desk import LEASE_S, STEP_S
from miniflare import BUCKET, Cloudflare, upload_event


def built(name):
    """The Worker as it was built: `release`, or `planted`, which has what only tests want of it."""
    if "KEDGE_WORKERS" not in os.environ:
        raise unittest.SkipTest("KEDGE_WORKERS does not say where the Worker was built; use .ci/test-real")
    return pathlib.Path(os.environ["KEDGE_WORKERS"]) / name


class WorkerDesk(CloudDesk):
    """The Worker, its bucket, and the providers' sandbox."""

    prefix = BUCKET["bucket_name"]
    cloudflare = None

    @classmethod
    def start(cls, build="release", is_metered=True, **bindings):
        """For a module's setUpModule."""
        if sys.platform != "linux":
            raise unittest.SkipTest("the runtime's processes are looked at in /proc")
        code = built(build)
        cls.prepare("worker")
        addresses = ("AIVEN_WEB_URL", "PUBSUB_EMULATOR_HOST", "CLOUDFLARE_BASE_URL")
        secrets = ("AIVEN_TOKEN", "CLOUDFLARE_API_TOKEN")
        given = {name: cls.env[name] for name in (*addresses, *secrets)}
        given |= {"KEDGE_RELAY_KEY": cls.relay_key, "KEDGE_LEASE_SECONDS": str(LEASE_S)}
        cls.cloudflare = Cloudflare(cls.folder, code, given | bindings, is_metered)
        unittest.addModuleCleanup(cls.cloudflare.stop)
        cls.use_bucket(cls.cloudflare.bucket)

    def setUp(self):
        self.wait_until_idle()
        super().setUp()
        self.said_before = len(self.cloudflare.lines())

    def tearDown(self):
        self.check_lines(self.lines())

    # The Worker.

    def cloud(self):
        return self.cloudflare

    def ask(self, method, path, token=None, body=None, **headers):
        return self.cloudflare.ask(method, path, token, body, **headers)

    def lines(self):
        """What the Worker said in this test."""
        return self.cloudflare.lines()[self.said_before :]

    work_lines = lines

    def tick(self):
        # The platform sees no failure in whatever happens: nobody would be told.
        self.assertEqual(self.cloudflare.tick(), "ok")

    def check_all(self):
        """A tick that finds all stacks due."""
        self.forget_schedule()
        self.tick()
        self.wait_until_idle()

    def tell(self, key, etag, **more):
        """R2 tells of an object."""
        self.cloudflare.send(upload_event(self.key(key), etag.strip('"'), **more))

    def wait_until_idle(self, within_s=STEP_S):
        self.wait(self.cloudflare.is_idle, "the queue is empty", within_s)
