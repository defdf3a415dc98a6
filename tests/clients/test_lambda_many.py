"""500 stacks in one tick, through the queue of the deployed template.

ministack works off a FIFO queue by one invocation at a time. So an event source mapping of ours delivers here, as
many at once as Lambda would.
"""

import collections
import time

from bucket import SECRET
from deployment import Deliveries
from desk import PROJECT, STEP_S, figures
from emulators import memory_max_mb
from lambda_desk import LambdaDesk

STACKS = tuple(f"s{number:03}" for number in range(500))
WORKED_OFF_WITHIN_S = 240


def setUpModule():
    Many.start()
    Many.deploy_functions(RequestsPerMinute="1200")
    # Definitions that come after a tick are what the next one sends by itself.
    Many.deployment.tick()
    people = Many("setUp")
    people.check_refused()
    people.push_all(STACKS)


class Many(LambdaDesk):
    """So many stacks whose definitions were pushed, of one Pub/Sub topic each, and never deployed."""

    @classmethod
    def write_definitions(cls):
        definitions = cls.folder / "definitions"
        for folder in ("data", "stacks"):
            (definitions / folder).mkdir(parents=True)
        policy = "policy:\n  correct: safe\n  deploy: disruptive\n  correct_after: 0\n"
        (definitions / "kedge.yaml").write_text(f"project: shop\n{policy}")
        (definitions / "data/pubsub.yaml").write_text('topics:\n  - name: "{stack}-only"\n')
        for stack in STACKS:
            (definitions / f"stacks/{stack}.yaml").write_text(f"config:\n  shop:gcp_project: {PROJECT}\n")

    def test_500_stacks_in_one_tick_none_is_lost_and_nothing_is_done_twice(self):
        deployment = self.deployment
        deployment.map_events(False)
        at_once = deployment.mapping["ScalingConfig"]["MaximumConcurrency"]
        began = time.monotonic()
        deployment.tick()
        ticked = time.monotonic() - began
        sent, _ = deployment.counts(deployment.queue)
        # One for each stack with new definitions.
        self.assertEqual(sent, len(STACKS))
        deliveries = Deliveries(
            lambda: deployment.client("sqs"),
            deployment.queue,
            lambda event: deployment.invoke("reconcile", event),
            at_once,
        )
        deliveries.run_until(deployment.is_idle, WORKED_OFF_WITHIN_S)
        worked = time.monotonic() - began - ticked
        # Nothing lost, nothing twice: each stack has its topic, made by one request.
        made = self.applied()
        expected = [f"PUT /v1/projects/{PROJECT}/topics/{stack}-only" for stack in STACKS]
        self.assertEqual(sorted(made), expected)
        # And each message was done with once.
        done = collections.Counter(message for message, _, _, is_done in deliveries.made if is_done)
        self.assertEqual(set(done.values()), {1})
        self.assertGreaterEqual(len(done), sent)
        self.assertEqual(deployment.counts(deployment.dead), (0, 0))
        again = len(deliveries.made) - len(done)
        changed = [line for line in self.runs(verb="up") if line["changed"]]
        self.assertEqual(len(changed), len(STACKS))
        environments = deployment.aws.environments(deployment.names["reconcile"])
        peaks = [memory_max_mb(pid) for pid in environments]
        [schedule] = deployment.aws.environments(deployment.names["schedule"])
        figures(
            "not by ministack's event source mapping, which works off a FIFO queue by one invocation at a time, but "
            "by one of the tests' own, as many at once as the template says"
        )
        figures(
            f"{len(STACKS)} stacks in one tick ({ticked:.1f} s): {len(done)} messages in {worked:.0f} s, "
            f"{at_once} at once, {again} of them put off at first; {len(made)} changes, none lost, none twice"
        )
        figures(
            f"peak memory of an invocation, debug build: reconcile {max(peaks):.0f} MB (the most of "
            f"{len(peaks)} environments), schedule {memory_max_mb(schedule):.0f} MB"
        )
        deployment.tick()
        self.assertEqual(deployment.counts(deployment.queue), (0, 0))

    def check_refused(self):
        """Begins the test of secrets: a function looks for a new one once a minute."""
        type(self).name = self.spoil_secret()
        type(self).good_token = self.token()
        self.assertEqual(self.status(), 503)
        [type(self).process] = self.deployment.aws.environments(self.deployment.names["http"])

    def status(self):
        return self.deployment.ask("GET", "/v1/stacks", self.good_token)[0]

    def test_a_secret_that_was_refused_is_read_again_and_counts_without_a_restart(self):
        self.deployment.put_secret(self.name, SECRET)

        def answered():
            # Not more often than it lets those ask whose token it could not check.
            time.sleep(2)
            return self.status() == 200

        self.wait(answered, "the new secret", 60 + STEP_S)
        self.assertEqual(self.deployment.aws.environments(self.deployment.names["http"]), [self.process])
