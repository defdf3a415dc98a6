"""The Worker as it is deployed, in its real runtime, with R2, the queues and cron local: two stacks under automation,
over the sandbox. People use the same bucket by S3.
"""

import json
import subprocess
import time

from desk import HOUR_MS, KEDGE, LEASE_S, MARK, STEP_S, WEEK_MS
from instance import Instance
from store_desk import CHANGES
from worker_desk import WorkerDesk

STACKS = ("alpha", "bravo")
# So many changes that a run makes them one batch after the other: in all of them it can be cut off.
MANY = 30


def setUpModule():
    Two.start()
    people = Two("setUp")
    people.push_all(STACKS)
    people.of_each(STACKS, lambda stack: people.kedge_of(stack, "up", "--yes"))


class Two(WorkerDesk):
    """Two stacks that people deployed, and that are clean."""

    stacks = STACKS

    def drift(self, stack):
        self.person(do="set_topic_config", topic=f"{stack}-orders", config={"retention_ms": HOUR_MS})

    def work(self, **work):
        """A message of the queue."""
        return {"format": 1, "work": work}

    def verdict(self, stack, token):
        """What a check finds that is asked for over HTTP."""
        status, _, run = self.ask("POST", f"/v1/stacks/{stack}/check?wait=25", token)
        self.assertEqual((status, run["status"]), (200, "done"), run)
        return run["document"]["verdict"]


class Drift(Two):
    """The first tick of all is here, since the tests are run by their names: so all stacks are due."""

    def test_a_tick_corrects_what_drifted_and_whatever_comes_twice_changes_nothing(self):
        self.forget_schedule()
        self.drift("bravo")
        self.tick()
        self.wait(self.applied, "the correction")
        self.wait_until_idle()
        self.assertEqual(self.retention_ms("bravo-orders"), WEEK_MS)
        [line] = self.runs(**{"stack.name": "bravo", "verb": "up"})
        self.assertEqual((line["verdict"], line["drifted"], line["changed"]), ("clean", 1, 1), line)
        checks = self.runs(verb="check")
        self.assertEqual(sorted(line["stack.name"] for line in checks), sorted(STACKS))
        # The platform may call a trigger twice; and once more as if the note of what was sent had been lost.
        self.tick()
        self.check_all()
        apply = self.work(apply={"stack": "bravo", "because": "e3b0c44298fc"})
        self.assertEqual(self.cloudflare.deliver([apply, apply]), ["ack", "ack"])
        self.assertEqual(len(self.applied()), 1, self.applied())
        self.check_all_as_declared(STACKS)
        # Who looks from outside knows that it ticks.
        status, _, health = self.ask("GET", "/healthz")
        self.assertEqual((status, health["status"]), (200, "healthy"), health)


class Events(Two):
    def test_definitions_that_were_pushed_are_deployed_once_by_their_event(self):
        self.edit("alpha", "told")
        self.kedge_of("alpha", "push")
        path = "stacks/alpha/definitions.json"
        etag = self.s3().head_object(Bucket=self.bucket.name, Key=self.key(path))["ETag"]
        # Queues may deliver twice.
        for _ in range(2):
            self.tell(path, etag)
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of the push")
        self.wait_until_idle()
        self.tell(path, etag)
        self.wait_until_idle()
        self.check_applied("told", alpha=CHANGES)
        self.assertEqual(self.kedge_of("alpha", "history")["runs"][0]["actor"], "automation")
        self.check_all_as_declared(["alpha"])

    def test_an_archive_is_deployed_once_by_its_event(self):
        self.edit("bravo", "archived")
        path = "upload/bravo/definitions.zip"
        etag = self.put(path, self.archive())
        for _ in range(2):
            self.tell(path, etag)
        result = self.result("bravo", "definitions.zip")
        self.assertEqual((result["outcome"], result["problems"]), ("stored", []), result)
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of the upload")
        self.wait_until_idle()
        self.check_applied("archived", bravo=CHANGES)
        latest = self.kedge_of("bravo", "history")["pushes"][0]
        self.assertEqual((latest["revision"], latest["actor"]), (result["revision"], "upload"))
        # Results, state and runs are objects too. A rule of R2 that tells of them makes no work.
        before = self.said_before = len(self.cloudflare.lines())
        for path in ("stacks/bravo/state.json", "stacks/bravo/watch.json", *self.paths("upload/bravo/")):
            self.tell(path, "9f86d081884c7d65")
        self.wait_until_idle()
        self.assertEqual(self.runs(), [], before)
        self.check_all_as_declared(["bravo"])

    def test_an_archive_that_no_event_told_of_is_found_by_a_tick(self):
        self.edit("alpha", "found")
        self.put("upload/alpha/found.zip", self.archive())

        def ticked():
            # A tick leaves alone what came just now: somebody may still be putting it there.
            time.sleep(1)
            self.tick()
            return [path for path in self.paths("upload/alpha/found.zip.") if path.endswith(".result.json")]

        self.wait(ticked, "the result of a tick")
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of the upload")
        self.wait_until_idle()
        self.check_applied("found", alpha=CHANGES)
        self.check_all_as_declared(["alpha"])

    def test_what_nobody_can_read_takes_nothing_along(self):
        self.edit("alpha", "beside")
        self.kedge_of("alpha", "push")
        apply = self.work(apply={"stack": "alpha", "because": "e3b0c44298fc"})
        # In one batch, as a larger `max_batch_size` would have it.
        ended = self.cloudflare.deliver(["no JSON of ours", {"format": 99, "work": {}}, apply, None])
        self.assertEqual(ended[2], "ack", ended)
        self.wait_until_idle()
        self.check_applied("beside", alpha=CHANGES)
        self.check_all_as_declared(["alpha"])

    def test_a_message_that_fails_each_time_is_set_aside_and_told(self):
        poison = {"format": 99, "work": {}}
        self.cloudflare.send(poison)
        self.wait_until_idle()
        told = [json.loads(line) for line in self.lines()]
        errors = [line for line in told if line["level"] == "ERROR" and "dead" in json.dumps(line)]
        self.assertEqual(len(errors), 1, told)
        self.drift("alpha")
        self.check_all()
        self.assertEqual(self.retention_ms("alpha-orders"), WEEK_MS)


class Http(Two):
    def test_a_check_a_preview_and_an_up(self):
        token = self.token("ana-s-script")
        self.assertEqual(self.ask("GET", "/v1/stacks")[0], 401)
        self.assertEqual(self.verdict("alpha", token), "clean")
        self.edit("alpha", "asked")
        self.kedge_of("alpha", "push")
        preview = self.run_of("preview", token)
        self.assertEqual((preview["verdict"], self.applied()), ("pending", []))
        # Asked for twice, as after a lost answer: it is one run.
        asked = {"digest": preview["plan"]["digest"]}
        ups = [self.run_of("up", token, asked, **{"Idempotency-Key": "deploy-1"}) for _ in range(2)]
        self.assertEqual(ups[0], ups[1])
        self.assertEqual(len(ups[0]["changes"]), CHANGES, ups[0])
        self.wait_until_idle()
        self.check_applied("asked", alpha=CHANGES)
        self.assertEqual(self.kedge_of("alpha", "history")["runs"][0]["actor"], "ana-s-script")

    def run_of(self, verb, token, body=None, **headers):
        status, _, run = self.ask("POST", f"/v1/stacks/alpha/{verb}?wait=20", token, body, **headers)
        self.assertEqual((status, run["status"]), (200, "done"), run)
        return run["document"]

    def test_a_report_of_an_upload_counts_only_if_it_is_signed(self):
        self.edit("bravo", "relayed")
        path = "upload/bravo/relayed.zip"
        etag = self.put(path, self.archive())
        relay_key, self.relay_key = self.relay_key, "another key"
        status, _, problem = self.relay(path, etag)
        self.assertEqual((status, problem["type"]), (401, "urn:kedge:problem:bad-signature"))
        self.relay_key = relay_key
        self.assertEqual(self.relay(path, etag)[0], 202)
        self.wait(lambda: len(self.applied()) == CHANGES, "the run of the upload")
        self.wait_until_idle()
        self.check_applied("relayed", bravo=CHANGES)


class Outages(Two):
    def test_a_provider_that_is_down_for_three_ticks_and_back(self):
        self.drift("alpha")
        down = {"match": {"provider": "aiven"}, "effect": {"kind": "status", "code": 503}}
        self.sandbox("faults", "POST", down)
        self.addCleanup(self.sandbox, "faults", "DELETE")
        for _ in range(3):
            self.check_all()
        verdicts = {line["verdict"] for line in self.runs(verb="check", **{"stack.name": "alpha"})}
        self.assertEqual(verdicts, {"incomplete"})
        self.assertEqual(self.applied(), [])
        self.sandbox("faults", "DELETE")
        self.check_all()
        self.assertEqual((self.retention_ms("alpha-orders"), len(self.applied())), (WEEK_MS, 1))
        self.check_all_as_declared(STACKS)

    def test_a_tick_that_fails_is_told_and_the_next_one_goes_on(self):
        self.drift("bravo")
        path = "schedule.json"
        # As a newer Kedge beside this one would write it.
        self.put(path, b'{"format": 99}')
        # Cloudflare takes it for one that went well: nobody but the log, and soon /healthz, would say so.
        self.tick()
        self.wait_until_idle()
        [error] = [line for line in map(json.loads, self.lines()) if line["level"] == "ERROR"]
        self.assertIn("automation could not look for work", error["message"])
        self.assertIn("newer", error["message"])
        self.assertEqual(self.applied(), [])
        self.check_all()
        self.assertEqual((self.retention_ms("bravo-orders"), len(self.applied())), (WEEK_MS, 1))

    def test_what_was_cut_off_in_the_midst_of_its_changes_is_finished_by_the_next_tick(self):
        self.edit("alpha", "cut", MANY)
        self.kedge_of("alpha", "push")
        self.slow_down("alpha-cut")
        self.tick()
        self.wait(self.applied, "a change")
        self.cloudflare.cut_off()
        self.use_bucket(self.cloudflare.bucket)
        self.assertLess(len(self.names("alpha-cut")), MANY)
        # The lease of what was cut off must end first.
        self.check_all()
        self.wait(lambda: len(self.names("alpha-cut")) == MANY, "the rest", 2 * LEASE_S + STEP_S)
        self.wait_until_idle()
        self.check_applied("cut", alpha=MANY)
        last = self.kedge_of("alpha", "history")["runs"][0]
        self.assertEqual(last["actor"], "automation")
        # It says which run broke off, and what became of each change of it.
        self.assertTrue(last["interrupted"]["changes"], last)
        self.check_all_as_declared(["alpha"])


class ReadOnly(Two):
    def test_a_worker_that_may_only_read_writes_nothing(self):
        # Another drift than those of the tests before: the same correction is made twice a day, and no more.
        self.person(do="set_topic_config", topic="alpha-orders", config={"compression_type": "gzip"})
        self.forget_schedule()
        self.cloudflare.deploy(KEDGE_READ_ONLY="1")
        self.addCleanup(self.cloudflare.deploy, KEDGE_READ_ONLY=None)
        before = self.paths("")
        self.tick()
        self.cloudflare.send({"format": 99, "work": {}})
        self.wait_until_idle()
        [check] = self.runs(verb="check", verdict="drifted")
        self.assertEqual((check["stack.name"], self.applied()), ("alpha", []))
        asked = [one["asked"] for one in self.cloudflare.meters() if "ended" in one]
        self.assertTrue(asked)
        self.assertEqual([one for one in asked if "r2.put" in one or "r2.delete" in one], [])
        self.assertEqual(self.paths(""), before)
        self.cloudflare.deploy(KEDGE_READ_ONLY=None)
        self.check_all()
        self.assertEqual(len(self.applied()), 1)
        self.check_all_as_declared(["alpha"])


class Secrets(Two):
    def test_one_that_is_missing_wrong_new_or_ends_with_a_line_break(self):
        token = self.token()
        good = self.cloudflare.bindings["CLOUDFLARE_API_TOKEN"]
        self.addCleanup(self.cloudflare.deploy, CLOUDFLARE_API_TOKEN=good)
        for secret, verdict in (
            (None, "incomplete"),
            (f"wrong-{MARK}-\u00e9", "incomplete"),
            # As `wrangler secret put NAME < file` has it.
            (f"{good}\n", "clean"),
            (f"rotated-{MARK}", "clean"),
        ):
            self.cloudflare.deploy(CLOUDFLARE_API_TOKEN=secret)
            self.assertEqual(self.verdict("alpha", token), verdict, secret)
        # What can't be read is unknown, and nothing is changed there.
        self.assertEqual(self.applied(), [])


class Relayed(Two):
    def test_events_are_told_to_kedge_elsewhere(self):
        """For those who run `kedge serve` or Lambda, and have a Worker only for R2's events."""
        before = self.env
        self.addCleanup(setattr, type(self), "env", before)
        type(self).env = before | {"KEDGE_RELAY_KEY": self.relay_key}
        one = Instance(self, "serve", tick_every="10m")
        self.addCleanup(one.kill)
        self.wait(lambda: len(one.runs(verb="check")) == len(STACKS), "the first check of all")
        self.cloudflare.deploy(KEDGE_RELAY_URL=f"http://{one.at}")
        self.addCleanup(self.cloudflare.deploy, KEDGE_RELAY_URL=None)
        self.edit("bravo", "elsewhere")
        path = "upload/bravo/elsewhere.zip"
        etag = self.put(path, self.archive())
        self.tell(path, etag)
        self.wait(lambda: one.runs(changed=CHANGES), "the run of the upload")
        self.wait_until_idle()
        self.assertEqual(self.runs(), [])
        self.check_applied("elsewhere", bravo=CHANGES)
        one.end()
        self.assertEqual(one.complaints(), [])


class Together(Two):
    def test_a_person_and_the_worker_never_change_a_stack_at_once(self):
        self.slow_down("bravo-both")
        for number in range(3):
            self.sandbox("requests", "DELETE")
            self.edit("bravo", f"both{number}x")
            self.kedge_of("bravo", "push")
            up = subprocess.Popen(
                [KEDGE, "up", "--yes", "--stack", "bravo", "--store", self.store, "--json"],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.addCleanup(up.wait, STEP_S)
            self.addCleanup(up.kill)
            self.tick()
            said, _ = up.communicate(timeout=STEP_S)
            # It did it, or found nothing to do, or was told that the other one is at it.
            self.assertIn(up.returncode, (0, 1), said)
            if up.returncode == 1:
                self.assertIn("is being changed by", said)
            self.wait(lambda: len(self.applied()) >= CHANGES, "the edit")
            self.wait_until_idle()
            # Whoever came second found nothing left: each change was made once.
            self.check_applied(f"both{number}x", bravo=CHANGES)
        self.check_all_as_declared(["bravo"])
