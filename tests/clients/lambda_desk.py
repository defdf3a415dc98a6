"""A desk whose stacks are looked after by Lambda's functions, deployed as a whole (deployment.py)."""

import sys
import unittest

from bucket import KEY_ID, NAME, SECRET, Bucket
from cloud_desk import CloudDesk
from deployment import FUNCTIONS, Deployment
from desk import LEASE_S, MARK, STEP_S

# How long a message stays hidden whose function died; the template's is minutes.
HIDDEN_S = 5


class LambdaDesk(CloudDesk):
    """The functions, their store, and the providers' sandbox."""

    prefix = f"{NAME}/lambda"
    deployment = None

    @classmethod
    def start(cls):
        """For a module's setUpModule: all but the deployment."""
        if sys.platform != "linux":
            raise unittest.SkipTest("the emulators run the functions as programs for Linux")
        bucket = Bucket()
        unittest.addModuleCleanup(bucket.stop)
        cls.prepare("lambda")
        cls.use_bucket(bucket)

    def tearDown(self):
        if self.deployment:
            self.check_lines(self.lines())

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

    # The functions.

    def cloud(self):
        return self.deployment.aws

    def ask(self, method, path, token=None, body=None, **headers):
        return self.deployment.ask(method, path, token, body, **headers)

    def lines(self):
        return [line for function in FUNCTIONS for line in self.deployment.lines(function)]

    def work_lines(self):
        return self.deployment.lines("reconcile")

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
