"""Kedge's store on a real S3 server: the suite of all stores, and whole processes that meet there.

KEDGE_RACES, KEDGE_KILLS and KEDGE_SEED say how often, and with which seed (else 10, 10 and 1).
"""

import json
import math
import os
import subprocess
import time
import unittest

from bucket import KEY_ID, NAME, SECRET
from desk import HERE, LEASE_S, STEP_S
from store_desk import CHANGES, SEED, StoreDesk, start_bucket

# The suite is a test of cargo's; `.ci/test-real` has built it.
SUITE_S = 300
RACES = int(os.environ.get("KEDGE_RACES", "10"))
KILLS = int(os.environ.get("KEDGE_KILLS", "10"))


def setUpModule():
    start_bucket()


class Suite(unittest.TestCase):
    def test_the_suite_of_all_stores(self):
        env = os.environ | {
            "KEDGE_TEST_S3_ENDPOINT": StoreDesk.bucket.endpoint,
            "KEDGE_TEST_S3_BUCKET": NAME,
            "KEDGE_TEST_S3_KEY_ID": KEY_ID,
            "KEDGE_TEST_S3_SECRET": SECRET,
        }
        cargo = [os.environ.get("CARGO", "cargo"), "test", "--locked", "--package", "kedge-s3"]
        done = subprocess.run(
            [*cargo, "--test", "real", "--", "--include-ignored"],
            cwd=HERE.parent.parent,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SUITE_S,
        )
        said = f"{done.stdout}\n{done.stderr}"
        self.assertEqual(done.returncode, 0, said)
        self.assertIn("2 passed", said)


class Counts(StoreDesk):
    def test_the_store_is_asked_seldom(self):
        self.edit(0)
        self.push()
        changed = self.up("--stats")
        seconds = math.ceil(changed["traffic"]["wall_ms"] / 1000)
        self.assertEqual(len(changed["changes"]), CHANGES)
        self.assertLessEqual(changed["stats"]["store"]["writes"], 6 + 2 * seconds, changed["stats"])
        self.check_clean()
        store = self.kedge("check", "--stats", code=0)["stats"]["store"]
        self.assertLessEqual(store["reads"], 3)
        self.assertEqual(store["writes"], 0)


class Races(StoreDesk):
    def test_of_two_runs_one_applies_and_the_other_says_who(self):
        for number in range(RACES):
            with self.subTest(race=number):
                self.edit(number)
                self.push()
                self.sandbox("requests", "DELETE")
                runs = {name: self.start(USER=name) for name in ("ana", "ben")}
                said = {name: run.communicate(timeout=STEP_S) for name, run in runs.items()}
                codes = {name: run.returncode for name, run in runs.items()}
                self.assertEqual(sorted(codes.values()), [0, 1], said)
                winner, loser = sorted(codes, key=codes.get)
                changed = json.loads(said[winner][0])
                self.assertTrue(changed["complete"], changed)
                error = json.loads(said[loser][0])
                self.assertIn(f"{winner}@", json.dumps(error["because"]) + error["error"])
                self.assertEqual(error["format"], "kedge.error/1", error)
                self.assertEqual(len(changed["changes"]), CHANGES, changed)
                self.check_written_once()
                self.check_as_declared()


class Kills(StoreDesk):
    def setUp(self):
        super().setUp()
        self.env["KEDGE_LEASE_SECONDS"] = str(LEASE_S)

    def test_a_killed_run_is_finished_by_the_next(self):
        self.edit(0)
        self.push()
        began = time.monotonic()
        self.up()
        takes_s = time.monotonic() - began
        for number in range(1, KILLS + 1):
            with self.subTest(kill=number, seed=SEED):
                self.edit(number)
                self.push()
                self.sandbox("requests", "DELETE")
                run = self.start(USER="ana")
                self.wait_to_kill(run, number, takes_s)
                run.kill()
                run.communicate(timeout=STEP_S)
                made = len(self.applied())
                changed = self.up_when_free()
                self.assertEqual((changed["waiting"], changed["findings"]), ([], []), changed)
                self.check_written_once()
                self.check_as_declared()
                last = self.kedge("history", code=0)["runs"][0]
                if 0 < made < CHANGES:
                    # It was killed in the middle, and history says that the next one knew.
                    self.assertTrue(last["interrupted"], last)
                    self.assertTrue(last["actor"].startswith("ben@"), last)

    def wait_to_kill(self, run, number, takes_s):
        """Any moment of a run; every other time one in which it makes its changes."""
        if number % 2:
            time.sleep(self.random.uniform(0, takes_s))
            return
        while run.poll() is None and not self.applied():
            time.sleep(0.01)
        time.sleep(self.random.uniform(0, takes_s / 3))

    def up_when_free(self):
        """`kedge up`, tried again while the killed run's lease lasts, and no longer."""
        until = time.monotonic() + LEASE_S * 1.5 + 5
        while True:
            run = self.start(USER="ben")
            out, err = run.communicate(timeout=STEP_S)
            if run.returncode == 0:
                return json.loads(out)
            self.assertEqual(run.returncode, 1, f"{out}\n{err}")
            self.assertIn("ana@", out)
            self.assertLess(time.monotonic(), until, out)
            time.sleep(0.5)
