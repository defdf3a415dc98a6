"""What every test here works with: a sandbox, a folder with definitions, and kedge.

A client is started by its own test, unpatched but for the address. Nothing here knows how the
sandbox or kedge work inside.
"""

import atexit
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
KEDGE = os.environ.get("KEDGE") or sys.exit("KEDGE must name the kedge binary; use .ci/test-real")
# No step of a test may take longer; a debug build on a busy machine needs a few seconds.
STEP_S = 60
STACK = "clients"
PROJECT = "clustera-control-plane"
ZONE = "c1a57e4a000000000000000000000001"
# In the text of each credential of these tests, so that one look finds any of them in a log.
MARK = "s3cret"
# A lease's length under automation. The next holder may begin one and a half of it after the last renewal.
LEASE_S = 4
# Another retention of a topic, and the one that is declared.
HOUR_MS = 60 * 60 * 1000
WEEK_MS = 7 * 24 * HOUR_MS

# Stopped from outside (a time limit), Python must still end what it started: see `Server`.
signal.signal(signal.SIGTERM, signal.default_int_handler)


class Server:
    """A process that listens on one port of this machine, and ends with the test."""

    def __init__(self, command, log, env=None, cwd=None):
        self.process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, cwd=cwd
        )
        self.port = None
        atexit.register(self.kill)

    def listens_on(self, port):
        """Checks that only this machine can reach it."""
        self.port = port
        # All of 127/8 is this machine on Linux: a server on 0.0.0.0 would answer here too.
        assert connects("127.0.0.1", port) and not connects("127.0.0.2", port), port

    def stop(self):
        """Ends the process, and checks that its port is free again."""
        atexit.unregister(self.kill)
        self.process.terminate()
        try:
            self.process.wait(STEP_S)
        finally:
            self.kill()
        assert self.port is None or not connects("127.0.0.1", self.port), self.port

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STEP_S)


def connects(host, port):
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def wait_for(condition, server, what):
    """Waits until the condition gives something, and gives it."""
    until = time.monotonic() + STEP_S
    while time.monotonic() < until:
        if found := condition():
            return found
        if server.process.poll() is not None:
            raise AssertionError(f"{what} ended with code {server.process.returncode}")
        time.sleep(0.05)
    raise AssertionError(f"{what} did not answer within {STEP_S} s")


def start_sandbox(log, *options):
    """Starts the providers. Gives the server, and the variables that say where it is."""
    with log.open("w") as out:
        server = Server([KEDGE, "sandbox", "--port", "0", *options], out)
    wait_for(lambda: "# admin" in log.read_text(), server, "kedge sandbox")
    # What a person would paste into a shell is what the clients get.
    env = {}
    for line in log.read_text().splitlines():
        if line.startswith("export "):
            env |= dict(word.split("=", 1) for word in line.split()[1:])
    server.listens_on(int(env["AIVEN_WEB_URL"].rsplit(":", 1)[1]))
    return server, env


def exchange(address, method, path, token=None, body=None, **headers):
    """One request; gives status, headers and the body's JSON. A body that is no text is sent as JSON."""
    connection = http.client.HTTPConnection(address, timeout=STEP_S)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        body = body if isinstance(body, str) else json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None
    finally:
        connection.close()


def figures(text):
    """A line for the end of the whole run (`.ci/test-real`)."""
    print(f"\nfigures: {text}", flush=True)


class Desk(unittest.TestCase):
    """A test that begins with the whole stack deployed to a fresh sandbox, and clean."""

    def setUp(self):
        # Removed at the end of the process too, if the test was stopped.
        folder = tempfile.TemporaryDirectory(prefix="kedge-clients-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copytree(HERE / "definitions", self.folder / "definitions")
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.serve()
        self.deploy()

    def deploy(self):
        """Deploys the stack, and begins anew with a store that has only adopted it.

        For minutes after its own write kedge takes an old value for one that settles, not for
        drift (docs/semantics.md, 3.6). A store that has written nothing has nothing to wait for.
        """
        self.use_store("deployed")
        self.up()
        self.check_clean()
        self.use_store("adopted")
        self.assertEqual(self.up()["changes"], [])
        self.check_clean()

    def use_store(self, name):
        store = self.folder / name
        store.mkdir()
        self.options = ["--stack", STACK, "--store", f"file://{store}", "--json"]

    def serve(self, *options):
        """Starts the providers, and says where they are."""
        server, env = start_sandbox(self.folder / "sandbox.log", *options)
        self.addCleanup(server.stop)
        self.env |= env
        self.url = env["AIVEN_WEB_URL"]

    def run_command(self, *command, code=0, cwd=None):
        """Runs a program, and gives its standard output."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_S,
        )
        said = f"{command}\n{done.stdout}\n{done.stderr}"
        self.assertEqual(done.returncode, code, said)
        return done.stdout

    def kedge(self, *arguments, code):
        """Runs kedge, and gives its JSON."""
        return json.loads(self.run_command(KEDGE, *arguments, *self.options, code=code))

    def up(self, *arguments, code=0):
        """A person agrees to the plan; `--allow KEY` names what can't be taken back."""
        return self.kedge("up", "--yes", *arguments, code=code)

    def check_clean(self):
        """`kedge check` finds nothing wrong."""
        report = self.kedge("check", code=0)
        self.assertEqual((report["verdict"], report["exit_code"]), ("clean", 0), report)
        return report

    def check_drifted(self, name, **fields):
        """`kedge check` finds this one resource drifted, in exactly these fields.

        A field is given as (declared, live).
        """
        resource = self.only_drifted(name)
        found = {one["field"]: (one["declared"], one["live"]) for one in resource["fields"]}
        self.assertEqual(found, fields, resource)
        self.assertEqual({one["cause"] for one in resource["fields"]}, {"drifted"}, resource)

    def check_missing(self, name):
        """`kedge check` finds that this one resource is gone."""
        self.assertTrue(self.only_drifted(name)["missing"])

    def only_drifted(self, name):
        report = self.kedge("check", code=2)
        self.assertEqual((report["verdict"], report["exit_code"]), ("drifted", 2), report)
        wrong = [one for one in report["resources"] if one["verdict"] != "catching-up"]
        self.assertEqual([(one["name"], one["verdict"]) for one in wrong], [(name, "drifted")])
        return wrong[0]

    def check_unmanaged(self, *names):
        """`kedge check` is clean and lists these as unmanaged."""
        report = self.check_clean()
        self.assertEqual(sorted(one["name"] for one in report["unmanaged"]), sorted(names))

    def put_back(self, *arguments):
        """`kedge up` puts back what drifted; nothing is left."""
        changed = self.up(*arguments)
        self.assertTrue(changed["changes"], changed)
        self.assertEqual(changed["waiting"], [])
        self.check_clean()

    def up_leaves(self, name, reason):
        """`kedge up` leaves this resource as it is, and says why."""
        changed = self.up(code=2)
        self.assertEqual(changed["changes"], [])
        self.assertIn((name, reason), [(one["name"], one["reason"]["code"]) for one in changed["waiting"]])
