"""Each function under AWS's own runtime emulator, which takes one event at a time, with moto's SQS and SSM.

So the functions are tried without ministack, by another runtime and another queue. moto checks no permission.
"""

import json
import shutil

from deployment import Deliveries, FunctionError, program, record, url_event
from desk import HERE, MARK, figures
from emulators import Moto, RuntimeEmulator
from lambda_desk import LambdaDesk

STACK = "solo"
R2 = "R2_SECRET_ACCESS_KEY"
# How many requests it takes to make all that the stack declares.
REQUESTS = 11


def setUpModule():
    Single.start()


class Single(LambdaDesk):
    """One stack, pushed and never deployed."""

    @classmethod
    def write_definitions(cls):
        shutil.copytree(HERE / "definitions", cls.folder / "definitions")
        [stack] = (cls.folder / "definitions/stacks").iterdir()
        stack.rename(stack.with_name(f"{STACK}.yaml"))

    def setUp(self):
        super().setUp()
        self.aws = Moto(self.folder)
        self.addCleanup(self.aws.stop)
        self.sqs = self.aws.client("sqs")
        fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
        fifo["FifoThroughputLimit"] = "perMessageGroupId"
        self.dead = self.make_queue("dead.fifo", fifo)
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 100})
        self.queue = self.make_queue("work.fifo", fifo | {"RedrivePolicy": redrive, "VisibilityTimeout": "90"})
        self.push_all([STACK])

    def make_queue(self, name, attributes):
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def secret(self, name, value):
        """Puts a secret into SSM; gives the variable that says where it is."""
        ssm = self.aws.client("ssm")
        ssm.put_parameter(Name=f"/{name}", Value=value, Type="SecureString", Overwrite=True)
        return {f"{name}_ARN": ssm.get_parameter(Name=f"/{name}")["Parameter"]["ARN"]}

    def function(self, name, timeout_s, *secrets):
        """A function with the variables that the template gives it, and no plain secret."""
        settings = {
            "KEDGE_BUCKET": self.prefix,
            "KEDGE_QUEUE_URL": self.queue,
            "R2_ENDPOINT_URL": self.env["R2_ENDPOINT_URL"],
            "R2_ACCESS_KEY_ID": self.env["R2_ACCESS_KEY_ID"],
            **{one: self.env[one] for one in ("AIVEN_WEB_URL", "PUBSUB_EMULATOR_HOST", "CLOUDFLARE_BASE_URL")},
        }
        for secret in secrets:
            settings |= self.secret(secret, self.env.get(secret, self.relay_key))
        emulator = RuntimeEmulator(self.folder, name, program(name), timeout_s, **self.aws.env(), **settings)
        self.addCleanup(emulator.stop)
        return emulator

    def test_each_function(self):
        schedule = self.function("schedule", 120, R2)
        reconcile = self.function("reconcile", 300, R2, "AIVEN_TOKEN", "CLOUDFLARE_API_TOKEN")
        http = self.function("http", 40, R2, "KEDGE_RELAY_KEY")
        # A tick: it was never checked. The check finds that its definitions are new.
        self.assertIsNone(schedule.invoke({"schedule": "2026-11-30T23:00:00Z"}))
        self.assertEqual(self.counts(self.queue), (1, 0))

        # What it sent is worked on.
        def invoke(event):
            answer = reconcile.invoke(event)
            if "errorType" in answer:
                raise FunctionError(answer)
            return answer

        Deliveries(lambda: self.sqs, self.queue, invoke).run_until(lambda: self.counts(self.queue) == (0, 0), 60)
        self.assertEqual(len(self.applied()), REQUESTS, self.applied())
        self.check_all_as_declared([STACK])
        self.check_batch(reconcile)

        # What came of it.
        token = self.token()
        answer = http.invoke(url_event("GET", f"/v1/stacks/{STACK}", authorization=f"Bearer {token}"))
        self.assertEqual(answer["statusCode"], 200, answer)
        self.assertEqual(json.loads(answer["body"])["stack"]["verdict"], "clean")
        self.assertEqual(http.invoke(url_event("GET", "/v1/stacks"))["statusCode"], 401)
        self.check_relay(http)

        peaks = {}
        for emulator in (schedule, reconcile, http):
            peaks[emulator.name] = emulator.memory_max_mb()
            said = emulator.log.read_text()
            for secret in (MARK, "kdg_"):
                self.assertNotIn(secret, said)
        told = ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items())
        figures(f"under aws-lambda-rie, debug build, peak memory: {told}")

    def check_batch(self, reconcile):
        """Of a batch only what failed comes again, with what comes after it in its group."""
        for number, (group, body) in enumerate(
            [("stack-solo", "no JSON"), ("stack-solo", self.check_of(STACK)), ("stack-other", self.check_of(STACK))]
        ):
            self.sqs.send_message(
                QueueUrl=self.queue,
                MessageBody=body,
                MessageGroupId=group,
                MessageDeduplicationId=f"batch-{number}",
            )
        messages = []
        while len(messages) < 3:
            # One after the other: moto hides a whole group as soon as it has given out one of its messages.
            got = self.sqs.receive_message(QueueUrl=self.queue, AttributeNames=["All"], MaxNumberOfMessages=10)
            messages += got["Messages"]
        answer = reconcile.invoke({"Records": [record(self.queue, message) for message in messages]})
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        groups = [message["Attributes"]["MessageGroupId"] for message in messages if message["MessageId"] in failed]
        self.assertEqual(sorted(groups), ["stack-solo", "stack-solo"], answer)

    def check_of(self, stack):
        return json.dumps({"format": 1, "work": {"check": {"stacks": [stack], "tick_ms": 1, "not_before_ms": 1}}})

    def check_relay(self, http):
        """A report of an upload, whose body is no text to Lambda."""
        body = b'{"key": "upload/solo/a.zip", "etag": "x"}'
        headers = self.signature(body.decode()) | {"content-type": "application/json"}
        before = sum(self.counts(self.queue))
        answer = http.invoke(url_event("POST", "/v1/events/definitions", body=body, **headers))
        self.assertEqual(answer["statusCode"], 202, answer)
        self.assertEqual(sum(self.counts(self.queue)), before + 1)

    def counts(self, queue):
        attributes = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return tuple(int(attributes[name]) for name in names)
