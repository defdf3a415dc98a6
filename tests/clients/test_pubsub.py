"""Google's own Pub/Sub library over REST, against the sandbox and beside kedge."""

import datetime
import unittest

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.iam.v1 import policy_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import PublisherClient, SubscriberClient, types

from desk import PROJECT, STEP_S, Desk

GMAIL = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
PUBLISHER = "roles/pubsub.publisher"
BINDING = f"clients-mail/{PUBLISHER}"
# One attempt each: a refusal must not be tried away.
ONCE = {"retry": None, "timeout": STEP_S}


def days(number):
    return datetime.timedelta(days=number)


def topic_name(short):
    return f"projects/{PROJECT}/topics/{short}"


def subscription_name(short):
    return f"projects/{PROJECT}/subscriptions/{short}"


class PubsubDesk(Desk):
    """Both halves of the library, pointed at a plain address."""

    def connect(self, url):
        options = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": url}}
        self.publisher = PublisherClient(transport="rest", **options)
        self.subscriber = SubscriberClient(transport="rest", **options)
        self.addCleanup(self.publisher.transport.close)
        self.addCleanup(self.subscriber.transport.close)

    def topic(self, short):
        return self.publisher.get_topic(topic=topic_name(short), **ONCE)

    def subscription(self, short):
        return self.subscriber.get_subscription(subscription=subscription_name(short), **ONCE)

    def update_topic(self, short, *paths, **fields):
        topic = types.Topic(name=topic_name(short), **fields)
        self.publisher.update_topic(topic=topic, update_mask=FieldMask(paths=paths or list(fields)), **ONCE)

    def update_subscription(self, short, *paths, **fields):
        subscription = types.Subscription(name=subscription_name(short), **fields)
        mask = FieldMask(paths=paths or list(fields))
        self.subscriber.update_subscription(subscription=subscription, update_mask=mask, **ONCE)

    def names(self):
        """All topics and subscriptions there are, by their short names."""
        project = f"projects/{PROJECT}"
        topics = self.publisher.list_topics(project=project, **ONCE)
        subscriptions = self.subscriber.list_subscriptions(project=project, **ONCE)
        return sorted(one.name.rsplit("/", 1)[1] for one in [*topics, *subscriptions])


class Pubsub(PubsubDesk):
    def setUp(self):
        super().setUp()
        self.connect(self.url)

    def policy(self):
        request = {"resource": topic_name("clients-mail"), "options": {"requested_policy_version": 3}}
        return self.publisher.get_iam_policy(request, timeout=STEP_S)

    def set_policy(self, policy):
        request = {"resource": topic_name("clients-mail"), "policy": policy}
        return self.publisher.set_iam_policy(request, timeout=STEP_S)

    def members(self):
        return {one.role: sorted(one.members) for one in self.policy().bindings}

    def test_reads_what_kedge_deployed(self):
        names = ["clients-mail", "clients-mail-letters", "clients-mail-pull", "clients-mail-push"]
        self.assertEqual(self.names(), names)
        mail = self.topic("clients-mail")
        self.assertEqual(dict(mail.labels), {"team": "sales"})
        self.assertEqual(mail.message_retention_duration, days(7))
        regions = mail.message_storage_policy.allowed_persistence_regions
        self.assertEqual(sorted(regions), ["europe-west1", "us-central1"])
        self.assertEqual(self.members(), {PUBLISHER: [GMAIL]})
        self.check_push(self.subscription("clients-mail-push"))
        self.check_pull(self.subscription("clients-mail-pull"))

    def check_push(self, push):
        self.assertEqual(push.topic, topic_name("clients-mail"))
        self.assertEqual(push.push_config.push_endpoint, "https://hooks.clustera.io/mail?token=s3cret")
        token = push.push_config.oidc_token
        account = f"pusher@{PROJECT}.iam.gserviceaccount.com"
        self.assertEqual((token.service_account_email, token.audience), (account, "mail"))
        self.assertEqual(push.ack_deadline_seconds, 60)
        letters = push.dead_letter_policy
        self.assertEqual(letters.dead_letter_topic, topic_name("clients-mail-letters"))
        self.assertEqual(letters.max_delivery_attempts, 10)
        retry = push.retry_policy
        self.assertEqual((retry.minimum_backoff.seconds, retry.maximum_backoff.seconds), (10, 300))

    def check_pull(self, pull):
        self.assertEqual(pull.push_config.push_endpoint, "")
        self.assertEqual(dict(pull.labels), {"team": "sales"})
        self.assertEqual(pull.ack_deadline_seconds, 30)
        self.assertTrue(pull.retain_acked_messages)
        self.assertEqual(pull.message_retention_duration, days(3))
        # A policy without a ttl: it never expires.
        self.assertIn("expiration_policy", pull)
        self.assertNotIn("ttl", pull.expiration_policy)
        self.assertTrue(pull.enable_message_ordering)
        self.assertEqual(pull.filter, 'attributes.kind = "new"')

    def test_reads_in_pages_and_by_topic(self):
        request = {"project": f"projects/{PROJECT}", "page_size": 1}
        self.assertEqual(len(list(self.publisher.list_topics(request, **ONCE))), 2)
        request = {"topic": topic_name("clients-mail"), "page_size": 1}
        of_topic = list(self.publisher.list_topic_subscriptions(request, **ONCE))
        self.assertEqual(of_topic, [subscription_name("clients-mail-pull"), subscription_name("clients-mail-push")])

    def test_an_updated_topic_is_put_back(self):
        self.update_topic("clients-mail", labels={"team": "ops", "owner": "ana"})
        self.check_drifted("clients-mail", **{"labels.team": ("sales", "ops")})
        self.put_back()
        # The label that nobody declared stays.
        self.assertEqual(dict(self.topic("clients-mail").labels), {"team": "sales", "owner": "ana"})
        self.update_topic("clients-mail", message_retention_duration=days(1))
        self.check_drifted("clients-mail", message_retention=("604800s", "86400s"))
        self.put_back()
        self.assertEqual(self.topic("clients-mail").message_retention_duration, days(7))

    def test_what_a_mask_names_and_the_body_leaves_out_is_reset(self):
        self.update_topic("clients-mail", "message_retention_duration", "message_storage_policy")
        declared = ["europe-west1", "us-central1"]
        self.check_drifted(
            "clients-mail",
            message_retention=("604800s", None),
            allowed_persistence_regions=(declared, None),
        )
        self.put_back()
        mail = self.topic("clients-mail")
        self.assertEqual(sorted(mail.message_storage_policy.allowed_persistence_regions), declared)
        self.assertEqual(dict(mail.labels), {"team": "sales"})

    def test_a_subscription_updated_by_mask_is_put_back(self):
        # Fields of the body that the mask does not name are not changed.
        self.update_subscription(
            "clients-mail-pull", "ack_deadline_seconds", ack_deadline_seconds=600, labels={"team": "ops"}
        )
        self.check_drifted("clients-mail-pull", ack_deadline_seconds=(30, 600))
        self.put_back()
        self.check_pull(self.subscription("clients-mail-pull"))

    def test_each_kind_of_field_is_found_and_put_back(self):
        self.update_subscription(
            "clients-mail-pull",
            labels={},
            retain_acked_messages=False,
            message_retention_duration=days(1),
            expiration_policy=types.ExpirationPolicy(ttl=days(2)),
        )
        self.check_drifted(
            "clients-mail-pull",
            expiration=("never", "172800s"),
            message_retention=("259200s", "86400s"),
            retain_acked_messages=(True, False),
            **{"labels.team": ("sales", None)},
        )
        self.put_back()
        self.check_pull(self.subscription("clients-mail-pull"))

    def test_a_push_configuration_is_put_back_whole(self):
        elsewhere = types.PushConfig(push_endpoint="https://elsewhere.example/mail?token=other")
        self.update_subscription(
            "clients-mail-push",
            push_config=elsewhere,
            dead_letter_policy=types.DeadLetterPolicy(
                dead_letter_topic=topic_name("clients-mail-letters"), max_delivery_attempts=50
            ),
            retry_policy=types.RetryPolicy(minimum_backoff={"seconds": 5}, maximum_backoff={"seconds": 6}),
        )
        resource = self.only_drifted("clients-mail-push")
        fields = sorted(one["field"] for one in resource["fields"])
        expected = ["max_delivery_attempts", "maximum_backoff", "minimum_backoff"]
        self.assertEqual(fields, [*expected, "push_audience", "push_endpoint", "push_service_account"])
        # What may hold a secret is hidden.
        self.assertNotIn("token=", str(resource))
        self.put_back()
        self.check_push(self.subscription("clients-mail-push"))

    def test_a_push_turned_to_pull_is_put_back(self):
        self.update_subscription("clients-mail-push", push_config=types.PushConfig())
        fields = [one["field"] for one in self.only_drifted("clients-mail-push")["fields"]]
        self.assertIn("push_endpoint", fields)
        self.put_back()
        self.check_push(self.subscription("clients-mail-push"))

    def test_a_binding_taken_away_is_put_back_and_a_foreign_member_stays(self):
        policy = self.policy()
        del policy.bindings[:]
        policy.bindings.add(role="roles/pubsub.viewer", members=["user:ana@clustera.io"])
        self.set_policy(policy)
        self.check_missing(BINDING)
        self.put_back()
        viewers = {"roles/pubsub.viewer": ["user:ana@clustera.io"]}
        self.assertEqual(self.members(), {PUBLISHER: [GMAIL]} | viewers)
        policy = self.policy()
        next(one for one in policy.bindings if one.role == PUBLISHER).members.append("user:eve@clustera.io")
        self.set_policy(policy)
        (told,) = self.check_clean()["resources"]
        self.assertEqual((told["name"], told["undeclared_members"]), (BINDING, ["user:eve@clustera.io"]))
        self.assertEqual(self.up()["changes"], [])
        self.assertEqual(self.members(), {PUBLISHER: [GMAIL, "user:eve@clustera.io"]} | viewers)

    def test_a_stale_etag_is_refused_and_changes_nothing(self):
        stale = self.policy()
        self.assertTrue(stale.etag)
        fresh = self.set_policy(stale)
        self.assertNotEqual(fresh.etag, stale.etag)
        del stale.bindings[:]
        with self.assertRaisesRegex(exceptions.Conflict, "concurrent policy changes"):
            self.set_policy(stale)
        self.assertEqual(self.members(), {PUBLISHER: [GMAIL]})
        self.check_clean()
        # Without an etag nothing is compared: a blind overwrite.
        self.set_policy(policy_pb2.Policy())
        self.check_missing(BINDING)

    def test_what_it_creates_is_unmanaged_and_left(self):
        self.publisher.create_topic(name=topic_name("clients-scratch"), **ONCE)
        made = types.Subscription(
            name=subscription_name("clients-scratch-sub"),
            topic=topic_name("clients-scratch"),
            ack_deadline_seconds=20,
        )
        self.subscriber.create_subscription(request=made, **ONCE)
        self.publisher.create_topic(name=topic_name("somebody-else"), **ONCE)
        self.check_unmanaged("clients-scratch", "clients-scratch-sub")
        self.assertEqual(self.up()["changes"], [])
        self.assertEqual(self.subscription("clients-scratch-sub").ack_deadline_seconds, 20)
        with self.assertRaisesRegex(exceptions.Conflict, "already exists"):
            self.publisher.create_topic(name=topic_name("clients-scratch"), **ONCE)
        self.subscriber.delete_subscription(subscription=subscription_name("clients-scratch-sub"), **ONCE)
        self.publisher.delete_topic(topic=topic_name("clients-scratch"), **ONCE)
        self.check_unmanaged()

    def test_a_deleted_subscription_is_made_anew(self):
        self.subscriber.delete_subscription(subscription=subscription_name("clients-mail-pull"), **ONCE)
        with self.assertRaises(exceptions.NotFound):
            self.subscription("clients-mail-pull")
        self.check_missing("clients-mail-pull")
        self.put_back()
        self.check_pull(self.subscription("clients-mail-pull"))

    def test_a_deleted_topic_takes_its_orphans_with_it_only_by_name(self):
        self.publisher.delete_topic(topic=topic_name("clients-mail"), **ONCE)
        self.assertEqual(self.subscription("clients-mail-push").topic, "_deleted-topic_")
        report = self.kedge("check", code=2)
        wrong = {one["name"]: one["missing"] for one in report["resources"]}
        subscriptions = {"clients-mail-pull": False, "clients-mail-push": False}
        self.assertEqual(wrong, {"clients-mail": True, BINDING: True} | subscriptions)
        changed = self.up(code=2)
        self.assertEqual(changed["changes"], [])
        self.put_back("--allow", "clients-mail-pull", "clients-mail-push")
        self.test_reads_what_kedge_deployed()


if __name__ == "__main__":
    unittest.main()
