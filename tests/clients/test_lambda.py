"""The functions on AWS, deployed as a whole: five stacks under automation, on an emulator of AWS (ministack), a real
S3 server and the sandbox.

The roles of the template hold: ministack refuses what they don't allow, but for one gap
(`Deployment.allow_parameters`).
"""

import json
import os
import signal
import subprocess
import time

from desk import HOUR_MS, KEDGE, LEASE_S, MARK, STEP_S, WEEK_MS, figures
from lambda_desk import FUNCTIONS, HIDDEN_S, LambdaDesk
from store_desk import CHANGES

STACKS = ("alpha", "bravo", "charlie", "delta", "echo")
# So many changes that a run makes them one batch after the other: in all of them it can be killed.
MANY = 30


def setUpModule():
    Five.start()
    people = Five("setUp")
    people.push_all(STACKS)
    people.of_each(STACKS, lambda stack: people.kedge_of(stack, "up", "--yes"))
    Five.deploy_functions()
    figures(
        "template.yaml deployed by sam into ministack, whose IAM holds; ssm:GetParameters is allowed on all, since "
        "ministack takes it for that. SQS hides messages for seconds, and a lease lasts seconds"
    )


class Five(LambdaDesk):
    """Five stacks that people deployed, and that are clean."""

    stacks = STACKS

    def setUp(self):
        if self.deployment:
            self.wait_until_idle()
            self.assertEqual(self.dead(), 0)
        super().setUp()

    def dead(self):
        """How many messages are set aside."""
        return sum(self.deployment.counts(self.deployment.dead))

    def kill_runs(self):
        """Kills what works on messages, as the machine's end would. Gives the process ids."""
        killed = self.deployment.aws.environments(self.deployment.names["reconcile"])
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed


class Configured(Five):
    def test_no_configuration_holds_a_secret_and_one_function_alone_knows_of_the_providers(self):
        for function in FUNCTIONS:
            self.assertNotIn(MARK, json.dumps(self.deployment.configuration(function), default=str))
            variables = self.deployment.variables(function)
            told = {name for name in variables if name.startswith(("AIVEN_TOKEN", "CLOUDFLARE_API_TOKEN", "GOOGLE_"))}
            self.assertEqual(bool(told), function == "reconcile", told)


class Drift(Five):
    """The first tick of all is here, since the tests are run by their names: so all stacks are due."""

    def test_a_tick_corrects_what_drifted_and_the_same_tick_again_changes_nothing(self):
        self.assertEqual(self.paths("schedule.json"), [])
        drifted = ("bravo", "delta")
        for stack in drifted:
            self.person(do="set_topic_config", topic=f"{stack}-orders", config={"retention_ms": HOUR_MS})
        ups = len(self.runs(verb="up"))
        self.deployment.tick()
        self.wait(lambda: len(self.applied()) == len(drifted), "the corrections")
        self.wait_until_idle()
        for stack in STACKS:
            self.assertEqual(self.retention_ms(f"{stack}-orders"), WEEK_MS)
        for stack in drifted:
            [line] = self.runs(**{"stack.name": stack, "verb": "up"})
            self.assertEqual((line["verdict"], line["drifted"], line["changed"]), ("clean", 1, 1), line)
        checks = self.runs(verb="check")
        self.assertEqual(sorted(line["stack.name"] for line in checks), sorted(STACKS))
        # Delivered twice; and once more as if its note of what it sent had been lost.
        self.deployment.tick()
        self.assertEqual(self.deployment.counts(self.deployment.queue), (0, 0))
        self.forget_schedule()
        self.deployment.tick()
        self.wait_until_idle()
        self.assertEqual(len(self.applied()), len(drifted), self.applied())
        self.assertEqual(len(self.runs(verb="up")) - ups, len(drifted))
        self.check_metrics()
        self.check_all_as_declared(STACKS)

    def check_metrics(self):
        """Each run is a metric too, in the form that CloudWatch reads (its embedded metric format)."""
        lines = [json.loads(line) for line in self.deployment.lines("reconcile")]
        metrics = [line for line in lines if "_aws" in line]
        self.assertEqual(len(metrics), len(self.runs()))
        for line in metrics:
            self.assertIsInstance(line["_aws"]["Timestamp"], int)
            for directive in line["_aws"]["CloudWatchMetrics"]:
                self.assertEqual(directive["Namespace"], "Kedge/kedge")
                self.assertTrue(directive["Metrics"], line)
                for metric in directive["Metrics"]:
                    self.assertIsInstance(line[metric["Name"]], int, line)
                for name in sum(directive["Dimensions"], []):
                    self.assertIsInstance(line[name], str, line)


class Kills(Five):
    def test_what_a_killed_run_began_is_finished_when_the_message_comes_again(self):
        self.edit("charlie", "killed", MANY)
        self.kedge_of("charlie", "push")
        self.slow_down("charlie-killed")
        self.deployment.tick()
        self.wait(self.applied, "a change")
        killed = self.kill_runs()
        self.assertLess(len(self.applied()), MANY)
        self.wait(lambda: len(self.applied()) == MANY, "the rest", HIDDEN_S + 2 * LEASE_S + STEP_S)
        self.wait_until_idle()
        self.check_applied("killed", charlie=MANY)
        last = self.kedge_of("charlie", "history")["runs"][0]
        self.assertEqual(last["actor"], "automation")
        # It says which run broke off, and what became of each change of it.
        self.assertTrue(last["interrupted"]["changes"], last)
        self.assertEqual(self.dead(), 0)
        alive = self.deployment.aws.environments(self.deployment.names["reconcile"])
        self.assertTrue(alive and not set(alive) & set(killed), (alive, killed))
        self.check_all_as_declared(["charlie"])


class Poison(Five):
    def test_a_message_that_nobody_can_read_is_set_aside_and_holds_up_only_its_stack(self):
        for stack in STACKS:
            self.edit(stack, "poison")
        self.push_all(STACKS)
        poisons = ["no JSON", '{"format":99,"work":{}}']
        for number, poison in enumerate(poisons):
            self.send(poison, "stack-bravo", f"poison-{number}")
        self.deployment.tick()
        self.wait(lambda: len(self.applied()) == CHANGES * len(STACKS), "the edits")
        self.wait_until_idle()
        self.check_applied("poison", **dict.fromkeys(STACKS, CHANGES))
        self.assertEqual(sorted(one["Body"] for one in self.take_dead()), sorted(poisons))
        self.check_all_as_declared(STACKS)

    def test_work_that_ends_its_process_each_time_is_set_aside_and_can_be_replayed(self):
        for stack in STACKS:
            self.edit(stack, "deadly", MANY if stack == "bravo" else CHANGES)
        self.push_all(STACKS)
        self.slow_down("bravo-deadly")
        # It would take minutes with the template's ten.
        self.deployment.set_receives(3)
        self.addCleanup(self.deployment.set_receives, self.deployment.max_receives)
        self.deployment.tick()
        written = 0
        while not self.dead():
            self.wait(lambda: self.dead() or len(self.names("bravo-deadly")) > written, "a change or the end")
            if len(self.names("bravo-deadly")) > written:
                written = len(self.names("bravo-deadly"))
                self.kill_runs()
        # It held up only its stack.
        self.assertLess(written, MANY)
        others = [stack for stack in STACKS if stack != "bravo"]
        for stack in others:
            self.assertEqual(len(self.names(f"{stack}-deadly")), CHANGES)
        self.wait_until_idle()
        self.assertEqual(len(self.applied()), CHANGES * len(others) + written)
        # What made it deadly is mended, and it is sent once more. ministack has no message move task, which does that
        # on AWS (docs/deploy-aws.md).
        [dead] = self.take_dead()
        self.send(dead["Body"], dead["Attributes"]["MessageGroupId"], "replayed")
        self.wait(lambda: len(self.names("bravo-deadly")) == MANY, "the rest")
        self.wait_until_idle()
        self.check_applied("deadly", bravo=MANY, **dict.fromkeys(others, CHANGES))
        self.check_all_as_declared(STACKS)

    def send(self, body, group, name):
        self.deployment.client("sqs").send_message(
            QueueUrl=self.deployment.queue, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=name
        )

    def take_dead(self):
        """Takes what was set aside."""
        taken = []
        while True:
            got = self.deployment.client("sqs").receive_message(
                QueueUrl=self.deployment.dead, AttributeNames=["All"], MaxNumberOfMessages=10
            )
            if not got.get("Messages"):
                return taken
            for message in got["Messages"]:
                taken.append(message)
                self.deployment.client("sqs").delete_message(
                    QueueUrl=self.deployment.dead, ReceiptHandle=message["ReceiptHandle"]
                )


class Scheduled(Five):
    def test_the_schedule_ticks_by_itself(self):
        self.edit("echo", "scheduled")
        self.kedge_of("echo", "push")
        # A minute after it was made, at the latest.
        self.deployment.set_schedule("ENABLED")
        self.addCleanup(self.deployment.set_schedule, "DISABLED")
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of a tick", 60 + STEP_S)
        self.deployment.set_schedule("DISABLED")
        self.wait_until_idle()
        self.check_applied("scheduled", echo=CHANGES)


class Uploads(Five):
    def test_an_archive_that_s3_alone_knows_of_is_found_by_the_next_tick(self):
        self.edit("alpha", "found")
        self.put("upload/alpha/definitions.zip", self.archive())

        def ticked():
            # A tick leaves alone what came just now: somebody may still be putting it there.
            time.sleep(1)
            self.deployment.tick()
            return [path for path in self.paths("upload/alpha/") if path.endswith(".result.json")]

        self.wait(ticked, "the result of a tick")
        self.check_stored("alpha", "found")

    def test_an_archive_that_is_reported_needs_no_tick(self):
        self.edit("bravo", "relayed")
        path = "upload/bravo/definitions.zip"
        etag = self.put(path, self.archive())
        status, _, answer = self.relay(path, etag)
        self.assertEqual((status, answer), (202, None))
        self.check_stored("bravo", "relayed")
        relay_key, type(self).relay_key = self.relay_key, "another key"
        self.addCleanup(setattr, type(self), "relay_key", relay_key)
        status, _, problem = self.relay(path, etag)
        self.assertEqual((status, problem["type"]), (401, "urn:kedge:problem:bad-signature"))

    def test_a_push_waits_for_the_run_that_a_tick_makes_of_it(self):
        self.edit("delta", "pushed")
        command = [KEDGE, "push", "--wait", "--within", f"{STEP_S}s", "--stack", "delta"]
        pushing = subprocess.Popen(
            [*command, "--store", self.store, "--json"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(pushing.wait, STEP_S)
        self.addCleanup(pushing.kill)
        before = self.read("stacks/delta/definitions.json")
        self.wait(lambda: self.read("stacks/delta/definitions.json") != before, "the push")
        self.deployment.tick()
        said, _ = pushing.communicate(timeout=STEP_S)
        pushed = json.loads(said)
        self.assertEqual((pushing.returncode, len(pushed["run"]["changes"])), (0, CHANGES), pushed)
        self.assertEqual(pushed["run"]["actor"], "automation")
        self.wait_until_idle()
        self.check_applied("pushed", delta=CHANGES)

    def check_stored(self, stack, name):
        result = self.result(stack, "definitions.zip")
        self.assertEqual((result["outcome"], result["problems"]), ("stored", []), result)
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of the upload")
        self.wait_until_idle()
        self.check_applied(name, **{stack: CHANGES})
        latest = self.kedge_of(stack, "history")["pushes"][0]
        self.assertEqual((latest["revision"], latest["actor"]), (result["revision"], "upload"))
        self.check_all_as_declared([stack])


class Asked(Five):
    def test_a_preview_and_an_up_over_the_function_url(self):
        token = self.token("ana-s-script")
        self.edit("echo", "asked")
        self.kedge_of("echo", "push")
        preview = self.run_of("preview", token)
        self.assertEqual((preview["verdict"], self.applied()), ("pending", []))
        # Asked for twice, as after a lost answer: it is one run.
        asked = {"digest": preview["plan"]["digest"]}
        ups = [self.run_of("up", token, asked, **{"Idempotency-Key": "deploy-1"}) for _ in range(2)]
        self.assertEqual(ups[0], ups[1])
        self.assertEqual(len(ups[0]["changes"]), CHANGES, ups[0])
        self.wait_until_idle()
        self.check_applied("asked", echo=CHANGES)
        last = self.kedge_of("echo", "history")["runs"][0]
        self.assertEqual(last["actor"], "ana-s-script")

    def run_of(self, verb, token, body=None, **headers):
        status, _, run = self.deployment.ask("POST", f"/v1/stacks/echo/{verb}?wait=20", token, body, **headers)
        self.assertEqual((status, run["status"]), (200, "done"), run)
        return run["document"]
