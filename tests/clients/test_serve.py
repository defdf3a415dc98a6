"""`kedge serve` as processes, on a real S3 server: schedule, uploads by real tools, kills, several at once.

KEDGE_KILLS and KEDGE_SEED say how often it is killed, and with which seed (else 4 and 1).
"""

import os
import signal
import time
import zipfile

from desk import HOUR_MS, MARK, STACK, STEP_S, WEEK_MS
from instance import ServeDesk
from store_desk import CHANGES, SEED, start_bucket

KILLS = int(os.environ.get("KEDGE_KILLS", "4"))


def setUpModule():
    start_bucket()


class Schedule(ServeDesk):
    def test_drift_is_corrected_and_told_in_one_line(self):
        one = self.instance()
        self.wait_until_done()
        self.sandbox("requests", "DELETE")
        self.person(do="set_topic_config", topic="clients-orders", config={"retention_ms": HOUR_MS})
        self.make_all_due()
        self.wait(lambda: one.runs(changed=1), "the correction")
        self.assertEqual(self.retention_ms("clients-orders"), WEEK_MS)
        self.assertEqual(len(self.applied()), 1)
        one.end()
        [line] = one.runs(changed=1)
        expected = {
            "level": "INFO",
            "message": "run ended",
            "stack.name": STACK,
            "verb": "up",
            "outcome": "done",
            "verdict": "clean",
            "drifted": 1,
            "failed": 0,
            "writes": 1,
        }
        self.assertEqual({name: line[name] for name in expected}, expected)
        self.assertGreater(line["reads"], 0)
        self.assertGreater(line["duration_ms"], 0)
        # What automation did is in history, by the same id.
        last = self.kedge("history", code=0)["runs"][0]
        self.assertEqual((last["id"], last["actor"]), (line["run.id"], "automation"))
        self.assertEqual(one.complaints(), [])
        self.check_as_declared()

    def test_of_two_instances_one_corrects(self):
        both = [self.instance(), self.instance()]
        for one in both:
            self.wait_until_done(one)
        for retention_ms in (HOUR_MS, 2 * HOUR_MS):
            self.sandbox("requests", "DELETE")
            self.person(do="set_topic_config", topic="clients-orders", config={"retention_ms": retention_ms})
            self.make_all_due()
            self.wait(lambda: self.retention_ms("clients-orders") == WEEK_MS, "the correction")
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                # Whoever came second had these ticks to do it again.
                self.assertEqual(len(self.applied()), 1, self.applied())
                time.sleep(0.2)
        # An edit that comes by push, and one that somebody uploads.
        self.sandbox("requests", "DELETE")
        self.edit(1)
        self.push()
        self.wait(lambda: any(one.runs(changed=CHANGES) for one in both), "the edit")
        self.check_written_once()
        self.edit(2)
        self.sandbox("requests", "DELETE")
        self.run_command("tar", "-czf", "definitions.tar.gz", "definitions")
        self.rclone("copyto", "definitions.tar.gz", self.object(f"upload/{STACK}/definitions.tar.gz"))
        self.wait(lambda: sum(len(one.runs(changed=CHANGES)) for one in both) == 2, "the upload")
        for one in both:
            one.end()
        for one in both:
            self.assertEqual(one.complaints(), [])
        self.check_written_once()
        results = [key for key in self.keys(f"upload/{STACK}") if key.endswith(".result.json")]
        self.assertEqual(len(results), 1, results)
        self.check_as_declared()


class Pushes(ServeDesk):
    def test_push_follows_the_run_that_serve_makes_of_it(self):
        one = self.instance()
        self.wait_until_done()
        self.sandbox("requests", "DELETE")
        self.edit(1)
        pushed = self.kedge("push", "--wait", "--within", f"{STEP_S}s", code=0)
        self.assertEqual(len(pushed["run"]["changes"]), CHANGES, pushed)
        self.assertEqual(pushed["run"]["actor"], "automation")
        self.check_written_once()
        one.end()
        [line] = one.runs(changed=CHANGES)
        self.assertEqual(line["run.id"], pushed["run"]["id"])
        self.assertEqual(one.complaints(), [])
        self.check_as_declared()


class Uploads(ServeDesk):
    LATENCY_MS = 0

    def setUp(self):
        super().setUp()
        self.one = self.instance()
        self.wait_until_done()

    def test_what_the_aws_cli_puts_there(self):
        def put(file, path):
            self.aws("s3", "cp", "--only-show-errors", file, f"s3://{self.prefix}/upload/{STACK}/{path}")

        def listed():
            found = self.aws("s3", "ls", "--recursive", f"s3://{self.prefix}/upload/{STACK}/")
            # Date, time, size and key, from the top of the bucket.
            keys = [line.split(maxsplit=3)[3] for line in found.splitlines()]
            return [key.partition(f"/upload/{STACK}/")[2] for key in keys]

        self.check_uploads(put, listed, self.zipped, "definitions.zip")

    def test_what_rclone_puts_there(self):
        def put(file, path):
            self.rclone("copyto", file, self.object(f"upload/{STACK}/{path}"))

        self.check_uploads(put, lambda: self.keys(f"upload/{STACK}"), self.packed, "new/definitions.tar.gz")

    def zipped(self):
        file = self.folder / "definitions.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((self.folder / "definitions").rglob("*.yaml")):
                archive.write(path, path.relative_to(self.folder))
        return file

    def packed(self):
        # By tar itself, as somebody would: with its folders and owners.
        self.run_command("tar", "-czf", "definitions.tar.gz", "definitions")
        return self.folder / "definitions.tar.gz"

    def check_uploads(self, put, listed, pack, name):
        """An archive deploys, then a single file; what can't be used says where, and changes nothing."""
        self.edit(1)
        self.sandbox("requests", "DELETE")
        put(pack(), name)
        result = self.result(listed, name)
        self.assertEqual((result["outcome"], result["problems"]), ("stored", []), result)
        self.wait(lambda: self.one.runs(changed=CHANGES), "the run of the archive")
        self.check_written_once()
        self.assertIn(f"{STACK}-1-a", self.topics())
        self.check_as_declared()

        topics = self.folder / "definitions/data/kafka-topics.yaml"
        text = topics.read_text()
        topics.write_text(f'{text}  - name: "{{stack}}-single"\n    partitions: 2\n    replication: 2\n')
        put(topics, "data/kafka-topics.yaml")
        result = self.result(listed, "data/kafka-topics.yaml")
        self.assertEqual((result["outcome"], result["problems"]), ("stored", []), result)
        self.wait(lambda: self.one.runs(changed=1), "the run of the file")
        self.assertIn(f"{STACK}-single", self.topics())
        self.check_as_declared()
        revision = result["revision"]
        latest = self.kedge("history", code=0)["pushes"][0]
        self.assertEqual((latest["revision"], latest["actor"]), (revision, "upload"))

        self.sandbox("requests", "DELETE")
        before = self.read(f"stacks/{STACK}/definitions.json")
        line = text.count("\n") + 2
        topics.write_text(f'{text}  - name: "{{stack}}-bad"\n    partitions: many\n    replication: 2\n')
        put(topics, "data/kafka-topics.yaml")
        # Only the version tells its result from the one before.
        result = self.result(listed, "data/kafka-topics.yaml", but=result)
        self.assertEqual((result["outcome"], result["revision"]), ("invalid", None), result)
        [problem] = result["problems"]
        self.assertEqual((problem["file"], problem["line"]), ("data/kafka-topics.yaml", line), result)
        self.assertEqual(problem["column"], len("    partitions: ") + 1, result)
        put(pack(), name)
        result = self.result(listed, name, but=self.results[name])
        self.assertEqual(result["outcome"], "invalid", result)
        self.assertEqual(result["problems"][0], problem)
        self.assertEqual(self.read(f"stacks/{STACK}/definitions.json"), before)
        self.assertEqual(self.applied(), [])
        self.check_as_declared()
        self.one.end()
        said = [(line["message"], line["key"], line["outcome"]) for line in self.one.complaints()]
        keys = [f"upload/{STACK}/data/kafka-topics.yaml", f"upload/{STACK}/{name}"]
        self.assertEqual(said, [("upload ended", key, "invalid") for key in keys])

    def result(self, listed, path, but=None):
        """The result of an upload, awaited by what the tool lists; of several versions the new one."""
        self.results = getattr(self, "results", {})

        def new():
            keys = [key for key in listed() if key.startswith(f"{path}.") and key.endswith(".result.json")]
            results = [self.read(f"upload/{STACK}/{key}") for key in keys]
            return next((one for one in results if but is None or one["etag"] != but["etag"]), None)

        found = self.wait(new, f"the result of {path}", self.one)
        self.results[path] = found
        self.assertEqual((found["format"], found["stack"], found["path"]), ("kedge.upload/1", STACK, path))
        return found


class Kills(ServeDesk):
    def test_what_a_killed_process_began_is_finished_by_the_next(self):
        for number in range(1, KILLS + 1):
            with self.subTest(kill=number, seed=SEED):
                self.edit(number)
                self.push()
                self.sandbox("requests", "DELETE")
                one = self.instance()
                if number % 2:
                    # Five changes, a tenth of a second each: somewhere in the middle.
                    self.wait(self.applied, "a change", one)
                    time.sleep(self.random.uniform(0, 0.3))
                else:
                    time.sleep(self.random.uniform(0, 1.5))
                one.process.kill()
                one.process.wait(STEP_S)
                made = len(self.applied())
                other = self.instance()
                self.wait(lambda: other.runs(verb="up", outcome="done"), "the next run", other)
                self.check_written_once()
                self.check_as_declared()
                last = self.kedge("history", code=0)["runs"][0]
                self.assertEqual(last["actor"], "automation", last)
                self.assertTrue(last["interrupted"] or made in (0, CHANGES), last)
                other.end()
                self.assertEqual(other.complaints(), [])


class Signals(ServeDesk):
    def test_a_stop_during_a_run_ends_it_in_good_order(self):
        one = self.instance()
        self.wait_until_done()
        self.edit(1)
        self.push()
        self.sandbox("requests", "DELETE")
        self.wait(self.applied, "a change")
        # One signal: a second one would not wait for the run.
        one.end()
        self.check_written_once()
        [line] = one.runs(changed=CHANGES)
        self.assertEqual((line["outcome"], line["verdict"]), ("done", "clean"))
        self.assertEqual(one.complaints(), [])
        lease = self.read(f"stacks/{STACK}/lease.json")
        self.assertTrue(lease["released"], lease)
        # So nobody has to wait for its end: else this would be refused.
        self.edit(2)
        self.push()
        self.up()
        self.check_as_declared()

    def test_a_hang_up_reads_the_credentials_again(self):
        # An environment variable would win over its line.
        good = self.env.pop("CLOUDFLARE_API_TOKEN")
        settings = self.folder / ".env"
        settings.write_text(f"CLOUDFLARE_API_TOKEN=not-{MARK}-\u00e9\n")
        # Ticks read them too, so there is none.
        one = self.instance(tick_every="10m")
        self.wait_until_done()
        token = self.token()
        self.assertEqual(self.verdict(one, token), "incomplete")
        settings.write_text(f"CLOUDFLARE_API_TOKEN={good}\n")
        self.assertEqual(self.verdict(one, token), "incomplete")
        one.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.verdict(one, token) == "clean", "the new credential")
        one.end()

    def verdict(self, instance, token):
        """What a check finds that is asked for over HTTP."""
        status, _, run = instance.ask("POST", f"/v1/stacks/{STACK}/check?wait=25", token)
        self.assertEqual((status, run["status"]), (200, "done"), run)
        return run["document"]["verdict"]
