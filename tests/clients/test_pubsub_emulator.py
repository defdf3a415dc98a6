"""kedge against Google's own Pub/Sub emulator, where that is on the machine.

It has no IAM, and does not update labels, storage policies or expiration, so the definitions here
have no bindings and the tests change none of those. Nothing is downloaded.
"""

import glob
import json
import os
import pathlib
import shutil
import socket
import unittest
import urllib.error
import urllib.request

from desk import STEP_S, Desk, Server, connects, wait_for
from test_pubsub import ONCE, PubsubDesk, days, subscription_name, topic_name

JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
# Where Google's packages, its installer, snap and Homebrew put the SDK; and that of the `gcloud` on PATH.
SDKS = [
    "/usr/lib/google-cloud-sdk",
    "/usr/lib64/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "/usr/local/share/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "~/google-cloud-sdk",
]
DEFINITIONS = {
    "stacks/clients.yaml": "config:\n  shop:gcp_project: clustera-control-plane\n",
    "data/pubsub.yaml": """
topics:
  - name: "{stack}-mail"
    labels: {team: sales}
    message_retention: 7d
  - name: "{stack}-mail-letters"
subscriptions:
  - name: "{stack}-mail-push"
    topic: "{stack}-mail"
    push_endpoint: https://hooks.clustera.io/mail?token=s3cret
    ack_deadline_seconds: 60
    dead_letter_topic: "{stack}-mail-letters"
    max_delivery_attempts: 10
    minimum_backoff: 10s
    maximum_backoff: 300s
  - name: "{stack}-mail-pull"
    topic: "{stack}-mail"
    labels: {team: sales}
    ack_deadline_seconds: 30
    retain_acked_messages: true
    message_retention: 3d
    expiration: never
    enable_message_ordering: true
    filter: attributes.kind = "new"
""",
}


def emulator():
    """The emulator's jar, or None."""
    sdks = [os.path.expanduser(sdk) for sdk in SDKS]
    if gcloud := shutil.which("gcloud"):
        sdks.insert(0, str(pathlib.Path(gcloud).resolve().parent.parent))
    found = [jar for sdk in sdks for jar in glob.glob(f"{sdk}/{JAR}")]
    return found[0] if found else None


def start_emulator(test):
    """Starts the emulator for a test, or skips the test, and gives the port."""
    if not emulator():
        test.skipTest("Google's Pub/Sub emulator is not on this machine (gcloud components install pubsub-emulator)")
    if not shutil.which("java"):
        test.skipTest("Google's Pub/Sub emulator needs java, which is not on PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (test.folder / "emulator.log").open("w") as log:
        command = ["java", "-jar", emulator(), "--host=127.0.0.1", f"--port={port}"]
        server = Server(command, log)
    test.addCleanup(server.stop)
    wait_for(lambda: connects("127.0.0.1", port), server, "Google's Pub/Sub emulator")
    server.listens_on(port)
    return port


class Emulator(PubsubDesk):
    def serve(self):
        """Starts the emulator in place of the sandbox."""
        shutil.rmtree(self.folder / "definitions/data")
        (self.folder / "definitions/data").mkdir()
        for path, text in DEFINITIONS.items():
            (self.folder / "definitions" / path).write_text(text)
        port = start_emulator(self)
        self.env["PUBSUB_EMULATOR_HOST"] = f"127.0.0.1:{port}"
        self.connect(f"http://127.0.0.1:{port}")

    def check_deployed(self):
        names = ["clients-mail", "clients-mail-letters", "clients-mail-pull", "clients-mail-push"]
        self.assertEqual(self.names(), names)
        mail = self.topic("clients-mail")
        self.assertEqual((dict(mail.labels), mail.message_retention_duration), ({"team": "sales"}, days(7)))
        push = self.subscription("clients-mail-push")
        self.assertEqual(push.push_config.push_endpoint, "https://hooks.clustera.io/mail?token=s3cret")
        self.assertEqual(push.ack_deadline_seconds, 60)
        self.assertEqual(push.dead_letter_policy.max_delivery_attempts, 10)
        self.assertEqual(push.retry_policy.maximum_backoff.seconds, 300)
        pull = self.subscription("clients-mail-pull")
        self.assertEqual((pull.ack_deadline_seconds, pull.message_retention_duration), (30, days(3)))
        self.assertTrue(pull.retain_acked_messages and pull.enable_message_ordering)
        self.assertEqual(pull.filter, 'attributes.kind = "new"')
        self.assertNotIn("ttl", pull.expiration_policy)

    def test_creates_and_reads_back(self):
        self.check_deployed()
        self.assertEqual(self.up()["changes"], [])

    def test_updates(self):
        self.update_topic("clients-mail", message_retention_duration=days(1))
        self.check_drifted("clients-mail", message_retention=("604800s", "86400s"))
        self.put_back()
        self.update_subscription(
            "clients-mail-pull",
            ack_deadline_seconds=600,
            retain_acked_messages=False,
            message_retention_duration=days(1),
        )
        self.check_drifted(
            "clients-mail-pull",
            ack_deadline_seconds=(30, 600),
            message_retention=("259200s", "86400s"),
            retain_acked_messages=(True, False),
        )
        self.put_back()
        self.update_subscription("clients-mail-push", "push_config", "retry_policy", "dead_letter_policy")
        fields = [one["field"] for one in self.only_drifted("clients-mail-push")["fields"]]
        self.assertIn("push_endpoint", fields)
        self.put_back()
        self.check_deployed()

    def test_makes_anew_what_was_deleted(self):
        self.subscriber.delete_subscription(subscription=subscription_name("clients-mail-pull"), **ONCE)
        self.check_missing("clients-mail-pull")
        self.put_back()
        self.publisher.delete_topic(topic=topic_name("clients-mail-letters"), **ONCE)
        self.kedge("check", code=2)
        self.put_back()
        self.check_deployed()

    def test_orphaned_subscriptions_are_replaced_by_name(self):
        self.publisher.delete_topic(topic=topic_name("clients-mail"), **ONCE)
        self.assertEqual(self.subscription("clients-mail-push").topic, "_deleted-topic_")
        self.put_back("--allow", "clients-mail-pull", "clients-mail-push")
        self.check_deployed()

    def test_a_changed_filter_replaces_and_a_withdrawn_one_is_deleted_by_name(self):
        path = self.folder / "definitions/data/pubsub.yaml"
        text = path.read_text()
        path.write_text(text.replace('"new"', '"old"'))
        self.put_back("--allow", "clients-mail-pull")
        self.assertEqual(self.subscription("clients-mail-pull").filter, 'attributes.kind = "old"')
        path.write_text(text[: text.index('  - name: "{stack}-mail-pull"')])
        self.put_back("--allow", "clients-mail-pull")
        self.assertNotIn("clients-mail-pull", self.names())


ABC, LETTERS = topic_name("abc"), topic_name("letters")


def sub(short, **fields):
    return "PUT", subscription_name(short), {"topic": ABC} | fields


def patch(name, mask, **fields):
    kind = "topic" if "/topics/" in name else "subscription"
    return "PATCH", name, {kind: fields, "updateMask": mask}


# What both must answer alike: (method, path, body), one after another on one world. Left out is
# where the emulator is known to take what production refuses (deadlines below 10 s, expiration
# below a day, pages above 1000, a path named twice), or to do less (labels, IAM).
REQUESTS = [
    *[("PUT", topic_name(short), {}) for short in ("abc", "abc", "letters", "goog1", "ab", "1ab", "a" * 256)],
    ("PUT", topic_name("unknown-field"), {"nonsense": 1}),
    *[
        ("PUT", topic_name(f"keeps-{length}"), {"messageRetentionDuration": length})
        for length in ("600s", "599s", "2678400s", "2678401s", "10m", "600.5s")
    ],
    ("GET", topic_name("keeps-600.5s"), None),
    ("GET", topic_name("nowhere"), None),
    patch(topic_name("keeps-600s"), "messageRetentionDuration", messageRetentionDuration="700s"),
    patch(topic_name("keeps-600s"), "message_retention_duration", messageRetentionDuration="800s"),
    patch(topic_name("keeps-600s"), "", messageRetentionDuration="700s"),
    patch(topic_name("keeps-600s"), "name"),
    patch(topic_name("keeps-600s"), "nonsense"),
    patch(topic_name("nowhere"), "messageRetentionDuration", messageRetentionDuration="700s"),
    ("GET", topic_name("keeps-600s"), None),
    sub("plain"),
    sub("plain"),
    sub("no-topic", topic=topic_name("nowhere")),
    sub("short-topic", topic="abc"),
    ("PUT", subscription_name("without-topic"), {}),
    sub("long-deadline", ackDeadlineSeconds=601),
    sub("deadline-as-text", ackDeadlineSeconds="60"),
    sub("never", expirationPolicy={}),
    sub("retries", retryPolicy={}),
    sub("retries-long", retryPolicy={"minimumBackoff": "601s"}),
    sub("retries-crossed", retryPolicy={"minimumBackoff": "60s", "maximumBackoff": "10s"}),
    sub("retries-below-default", retryPolicy={"maximumBackoff": "5s"}),
    sub("retries-at-once", retryPolicy={"minimumBackoff": "0s", "maximumBackoff": "0s"}),
    sub("letters", deadLetterPolicy={"deadLetterTopic": LETTERS}),
    sub("letters-nowhere", deadLetterPolicy={"deadLetterTopic": topic_name("nowhere")}),
    sub("letters-empty", deadLetterPolicy={}),
    sub("push", pushConfig={"pushEndpoint": "https://a.example/x"}),
    sub("push-nowhere", pushConfig={"pushEndpoint": "nonsense"}),
    sub("filtered", filter='attributes.a = "b"', enableMessageOrdering=True),
    patch(subscription_name("filtered"), "filter", filter="x"),
    patch(subscription_name("filtered"), "topic", topic=LETTERS),
    patch(subscription_name("filtered"), "enableMessageOrdering"),
    patch(subscription_name("filtered"), "ackDeadlineSeconds", ackDeadlineSeconds=20, retainAckedMessages=True),
    patch(subscription_name("filtered"), "messageRetentionDuration", messageRetentionDuration="599s"),
    patch(subscription_name("filtered"), "ackDeadlineSeconds,messageRetentionDuration"),
    patch(
        subscription_name("filtered"), "deadLetterPolicy", deadLetterPolicy={"deadLetterTopic": topic_name("nowhere")}
    ),
    patch(subscription_name("push"), "pushConfig"),
    patch(subscription_name("nowhere"), "ackDeadlineSeconds", ackDeadlineSeconds=20),
    ("POST", subscription_name("push") + ":modifyPushConfig", {"pushConfig": {"pushEndpoint": "https://b.example"}}),
    ("GET", subscription_name("push"), None),
    ("POST", subscription_name("push") + ":modifyPushConfig", {}),
    ("GET", ABC + "/subscriptions", None),
    ("DELETE", LETTERS, None),
    patch(subscription_name("letters"), "ackDeadlineSeconds", ackDeadlineSeconds=20),
    ("DELETE", ABC, None),
    ("DELETE", ABC, None),
    ("PUT", ABC, {}),
    # It stays without a topic, though there is one of that name again.
    ("GET", subscription_name("plain"), None),
    patch(subscription_name("plain"), "ackDeadlineSeconds", ackDeadlineSeconds=20),
    ("DELETE", subscription_name("plain"), None),
    ("DELETE", subscription_name("plain"), None),
]


class SandboxBesideEmulator(Desk):
    def deploy(self):
        """Nothing: requests are sent by hand."""

    def test_both_answer_alike(self):
        google = f"http://127.0.0.1:{start_emulator(self)}"
        for method, path, body in REQUESTS:
            with self.subTest(method=method, path=path, body=body):
                ours, theirs = answer(self.url, method, path, body), answer(google, method, path, body)
                self.assertEqual(ours, theirs)


def answer(url, method, path, body):
    """Status and body. Of an error only its name counts, and not what production has and the emulator lacks."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/v1/{path}", data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=STEP_S) as response:
            status, shown = response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]["status"]
    shown.pop("state", None)
    shown.get("pushConfig", {}).pop("attributes", None)
    # 31 days, where nobody says otherwise; the emulator shows nothing then.
    if shown.get("expirationPolicy") == {"ttl": "2678400s"}:
        del shown["expirationPolicy"]
    return status, shown


if __name__ == "__main__":
    unittest.main()
