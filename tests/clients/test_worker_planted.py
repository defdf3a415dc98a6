"""What takes a Worker with something planted in it, in the real runtime: a process that dies in the middle of its
changes, the suite that every store passes on R2's binding, and Kedge's own code as wasm.
"""

import base64
import urllib.request

from desk import LEASE_S, STEP_S
from miniflare import ROOT
from worker_desk import WorkerDesk

STACK = "alpha"
MANY = 12
# So many writes are sent before the process dies.
AFTER = 4


def setUpModule():
    Planted.start("planted")
    people = Planted("setUp")
    people.push_all([STACK])
    people.kedge_of(STACK, "up", "--yes")


class Planted(WorkerDesk):
    """One stack that people deployed."""

    stacks = (STACK,)

    def tearDown(self):
        # What the runtime says of a process that died is no line of ours.
        self.check_lines([line for line in self.lines() if line.startswith("{")])

    def get(self, path, body=None):
        with urllib.request.urlopen(f"{self.cloudflare.url}{path}", body, timeout=STEP_S) as answer:
            return answer.read().decode()


class Panic(Planted):
    def test_a_process_that_dies_in_the_midst_of_its_changes_is_made_up_for(self):
        self.edit(STACK, "died", MANY)
        self.kedge_of(STACK, "push")
        self.cloudflare.deploy(KEDGE_PLANTED_PANIC_AFTER=str(AFTER))
        self.addCleanup(self.cloudflare.deploy, KEDGE_PLANTED_PANIC_AFTER=None)
        self.tick()
        self.wait(lambda: "planted" in self.cloudflare.log.read_text(), "the panic")
        made = len(self.names(f"{STACK}-died"))
        self.assertTrue(0 < made < MANY, made)
        # It says why it died, before the runtime begins anew.
        self.assertIn("panicked", self.cloudflare.log.read_text())
        self.cloudflare.deploy(KEDGE_PLANTED_PANIC_AFTER=None)
        self.use_bucket(self.cloudflare.bucket)
        self.check_all()
        self.wait(lambda: len(self.names(f"{STACK}-died")) == MANY, "the rest", 2 * LEASE_S + STEP_S)
        self.wait_until_idle()
        self.check_applied("died", alpha=MANY)
        last = self.kedge_of(STACK, "history")["runs"][0]
        self.assertEqual(last["actor"], "automation", last)
        self.assertTrue(last["interrupted"]["changes"], last)
        self.check_all_as_declared([STACK])


class Runtime(Planted):
    def test_r2s_binding_is_a_store_like_the_others(self):
        self.assertEqual(self.get("/planted/conformance"), "passed")

    def test_webcrypto_signs_as_openssl_does(self):
        data = ROOT / "shared/adapters/native/testdata"
        key = (data / "rsa_pkcs8.pem").read_text()
        expected = base64.b64decode((data / "rsa_signature.b64").read_text())
        for text in (key, key.replace("\n", "\r\n")):
            self.assertEqual(self.get("/planted/signature", text.encode()), expected.hex())
        # What can't be used is named, and nothing of it shown.
        for text in ("hunter2", key.replace("MII", "MIJ", 1), key.replace("PRIVATE KEY", "RSA PRIVATE KEY")):
            said = self.get("/planted/signature", text.encode())
            self.assertRegex(said, "^it is not |^its PEM ")
            self.assertNotIn("hunter2", said)

    def test_a_stacks_life_is_the_same_text_as_natively(self):
        expected = (ROOT / "tests/golden.txt").read_text()
        found = self.get("/planted/golden")
        differs = [pair for pair in zip(found.splitlines(), expected.splitlines()) if pair[0] != pair[1]]
        self.assertEqual(differs[:1], [])
        self.assertEqual(len(found), len(expected))
