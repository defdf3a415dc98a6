"""The HTTP API of `kedge serve` as a process: schemathesis on its OpenAPI document, a flood, slow clients, and
requests that no client sends.

KEDGE_SEED is schemathesis's seed too (else 1).
"""

import asyncio
import collections
import re
import socket
import subprocess
import time

from desk import HERE, KEDGE, MARK, STACK, STEP_S, figures
from instance import TOOLS, ServeDesk
from store_desk import CHANGES, SEED, start_bucket

# What schemathesis may take at most, and how much it tries of each operation.
SCHEMATHESIS_S = 150
EXAMPLES = 50
REQUESTS, CONNECTIONS = 10_000, 200
# More than the 512 connections that it has at once.
SLOW = 600
# JSON that takes a stack for each bracket.
DEEP = "[" * 60_000
# The most memory of a process that is flooded, a debug build's too.
MEMORY_MAX_MB = 128


def setUpModule():
    start_bucket()


class HttpDesk(ServeDesk):
    LATENCY_MS = 0
    TICK_EVERY = "1s"
    LOGS = "info,kedge::serve=debug"

    def setUp(self):
        super().setUp()
        self.env["KEDGE_RELAY_KEY"] = f"relay-{MARK}"
        self.one = self.instance(tick_every=self.TICK_EVERY, logs=self.LOGS)
        self.wait_until_done()
        self.addr = ("127.0.0.1", int(self.one.at.rsplit(":", 1)[1]))


class Asked(HttpDesk):
    # Whatever is done is done because it was asked for.
    TICK_EVERY = "10m"
    LOGS = "trace"

    def test_a_preview_and_an_up_over_http(self):
        token = self.token("ana-s-script")
        self.edit(1)
        self.push()
        self.sandbox("requests", "DELETE")
        preview = self.run_of("preview", token)
        self.assertEqual((preview["verdict"], self.applied()), ("pending", []))
        digest = preview["plan"]["digest"]
        # Asked for twice, as after a lost answer: it is one run.
        asked = {"digest": digest}
        ups = [self.run_of("up", token, asked, **{"Idempotency-Key": "deploy-1"}) for _ in range(2)]
        self.assertEqual(ups[0], ups[1])
        self.assertEqual(len(ups[0]["changes"]), CHANGES, ups[0])
        self.check_written_once()
        self.check_as_declared()
        last = self.kedge("history", code=0)["runs"][0]
        self.assertEqual(last["actor"], "ana-s-script")

    def run_of(self, verb, token, body=None, **headers):
        status, _, run = self.one.ask("POST", f"/v1/stacks/{STACK}/{verb}?wait=25", token, body, **headers)
        self.assertEqual((status, run["status"]), (200, "done"), run)
        return run["document"]

    def test_a_token_ends_when_it_is_revoked(self):
        first, second = self.token("ci"), self.token("ci", stacks="other-*")
        path = f"/v1/stacks/{STACK}"
        self.assertEqual([self.one.ask("GET", path, one)[0] for one in (first, second)], [200, 403])
        self.run_command(KEDGE, "token", "revoke", first.split("_")[1], "--store", self.store)
        self.assertEqual([self.one.ask("GET", path, one)[0] for one in (first, second)], [401, 403])
        # Nobody who reads the store has a token by that.
        for key in self.keys("tokens"):
            self.assertNotIn(first.split("_")[2], self.rclone("cat", self.object(f"tokens/{key}")))


class Documented(HttpDesk):
    def test_schemathesis_finds_no_answer_that_the_document_does_not_have(self):
        tokens = [self.token(f"t{number}") for number in range(20)]
        env = self.env | {
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KEDGE_TEST_TOKENS": " ".join(tokens),
            "KEDGE_TEST_STACK": STACK,
        }
        options = {
            "seed": SEED,
            "max-examples": EXAMPLES,
            "max-failures": 50,
            "request-timeout": STEP_S,
            "generation-database": "none",
        }
        done = subprocess.run(
            [
                *[TOOLS / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", "--no-color"],
                *[f"--{name}={value}" for name, value in options.items()],
                f"http://{self.one.at}/openapi.json",
            ],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SCHEMATHESIS_S,
        )
        # It prints whole bodies.
        said = "\n".join(line[:200] for line in f"{done.stdout}\n{done.stderr}".splitlines())
        self.assertEqual(done.returncode, 0, said[-20_000:])
        tried = re.search(r"^ +(\d+) generated, \1 passed.*$", said, re.MULTILINE)
        self.assertIsNotNone(tried, said[-20_000:])
        figures(f"schemathesis: 13 operations, {tried[0].strip()}, seed {SEED}")
        self.one.end()
        self.assertEqual([line for line in self.one.complaints() if line["level"] == "ERROR"], [])


class Flood(HttpDesk):
    def test_of_many_requests_none_is_lost_while_ticks_run(self):
        tokens = [self.token(f"t{number}", scopes=("read",)) for number in range(8)]
        status, _, document = self.one.ask("GET", "/openapi.json")
        self.assertEqual(status, 200)
        statuses = documented_statuses(document)
        kinds = [
            ("get", "/version", "/version", False),
            ("get", "/healthz", "/healthz", False),
            ("get", "/v1/stacks", "/v1/stacks?limit=10", True),
            ("get", "/v1/stacks/{stack}", f"/v1/stacks/{STACK}", True),
            ("get", "/v1/stacks/{stack}/history", f"/v1/stacks/{STACK}/history?most=5", True),
            ("get", "/v1/stacks/{stack}/runs", f"/v1/stacks/{STACK}/runs", True),
            # Not allowed, not there, and by nobody.
            ("post", "/v1/stacks/{stack}/check", f"/v1/stacks/{STACK}/check", True),
            ("get", "/v1/stacks/{stack}", "/v1/stacks/other", True),
            ("get", "/v1/stacks", "/v1/stacks", False),
        ]
        # Work for a tick and its run.
        self.edit(1)
        self.push()
        began = time.monotonic()
        ticks = len(self.ticks())
        answers = asyncio.run(flood(self.addr, kinds, tokens))
        seconds = time.monotonic() - began
        self.assertEqual(sum(answers.values()), REQUESTS, answers)
        for (number, status), count in answers.items():
            method, path, _, _ = kinds[number]
            self.assertIn(status, statuses[method, path], (path, count))
        by_status = collections.Counter()
        for (_, status), count in answers.items():
            by_status[status] += count
        # Some of each: it did its work, and said who asked too much.
        self.assertEqual(by_status.keys(), {200, 401, 403, 404, 429}, by_status)
        self.wait(lambda: self.one.runs(changed=CHANGES), "the run")
        ticks = len(self.ticks()) - ticks
        self.assertGreater(ticks, 0)
        memory_mb = self.one.memory_max_mb()
        if memory_mb is not None:
            self.assertLess(memory_mb, MEMORY_MAX_MB)
        counts = ", ".join(f"{count} × {status}" for status, count in sorted(by_status.items()))
        figures(
            f"flood: {REQUESTS} requests from {CONNECTIONS} connections in {seconds:.1f} s, none lost ({counts}); "
            f"{ticks} ticks meanwhile, memory at most {memory_mb or 0:.0f} MB"
        )
        self.one.end()
        self.assertEqual(self.one.complaints(), [])

    def ticks(self):
        return [line for line in self.one.lines() if line["message"] == "ticked"]


async def flood(addr, kinds, tokens):
    """Sends requests from many connections at once. Gives how often each kind was answered how."""
    numbers = iter(range(REQUESTS))
    answers = collections.Counter()

    async def connection():
        reader, writer = await asyncio.open_connection(*addr)
        for number in numbers:
            method, _, target, with_token = kinds[number % len(kinds)]
            bearer = f"authorization: Bearer {tokens[number % len(tokens)]}\r\n" if with_token else ""
            writer.write(f"{method.upper()} {target} HTTP/1.1\r\nhost: kedge\r\n{bearer}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = re.findall(rb"(?im)^content-length: (\d+)\r$", head)
            await reader.readexactly(int(length))
            answers[number % len(kinds), int(head.split(maxsplit=2)[1])] += 1
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return answers


def documented_statuses(document):
    """The statuses of each method and path."""
    return {
        (method, path): {int(status) for status in operation["responses"]}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


class Slow(HttpDesk):
    def test_slow_clients_keep_nobody_from_an_answer(self):
        token = self.token()
        long = f"POST /v1/stacks/{STACK}/check HTTP/1.1\r\nhost: kedge\r\nauthorization: Bearer {token}\r\n"
        begun = [
            b"",
            b"GET /version HTTP/1.1\r\nhost: kedge\r\nx-slow: ",
            # A body of which nothing comes, and one of which a little comes.
            f"{long}content-type: application/json\r\ncontent-length: 2\r\n\r\n".encode(),
            f"{long}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{{".encode(),
        ]
        slow = []
        for number in range(SLOW):
            client = socket.create_connection(self.addr, timeout=STEP_S)
            self.addCleanup(client.close)
            client.sendall(begun[number % len(begun)])
            slow.append(client)
        # They are more than it has connections for: these wait until the slow ones had their time.
        for path in ("/version", "/v1/stacks"):
            self.assertEqual(self.one.ask("GET", path, token)[0], 200)
        statuses = collections.Counter()
        for number, client in enumerate(slow):
            # It drips on as long as it is let.
            try:
                client.sendall(b"x" if number % len(begun) == 1 else b"")
                answer = receive(client)
            except ConnectionError:
                answer = b""
            statuses[number % len(begun), answer[9:12].decode()] += 1
        each = SLOW // len(begun)
        expected = {(0, ""): each, (1, ""): each, (2, "408"): each, (3, "408"): each}
        self.assertEqual(statuses, expected)
        self.assertEqual(self.keys("requests"), [])
        self.one.end()
        self.assertEqual(self.one.complaints(), [])


class Tricks(HttpDesk):
    # Nothing happens by itself meanwhile, and everything is told, so that a token would be seen.
    TICK_EVERY = "10m"
    LOGS = "trace"

    def setUp(self):
        super().setUp()
        token = self.token()
        self.bearer = f"authorization: Bearer {token}"
        # Its first use is noted.
        self.assertEqual(self.one.ask("GET", f"/v1/stacks/{STACK}", token)[0], 200)
        self.before = self.listed()

    def listed(self):
        """Every object, with size and time."""
        return self.rclone("lsf", "--recursive", "--files-only", "--format", "pst", self.object("")).splitlines()

    def test_paths(self):
        stack = f"/v1/stacks/{STACK}"
        for status, target in [
            (404, "/v1/stacks/..%2f"),
            (404, "/v1/stacks/%2e%2e"),
            (404, "/v1/stacks/.."),
            (404, "/v1/stacks/../stacks"),
            (404, "/v1/stacks/..%2fschedule"),
            (404, f"/v1/stacks/..%2fstacks%2f{STACK}"),
            (404, f"/v1/stacks/..%5c{STACK}"),
            (404, "/v1/./stacks"),
            (404, "//v1/stacks"),
            (404, "/v1//stacks"),
            (404, f"/v1/stacks//{STACK}"),
            (404, "/v1/stacks/"),
            (404, f"{stack}/"),
            (404, f"{stack}//runs"),
            (404, f"{stack}%2fruns"),
            (404, f"{stack}%00"),
            (404, f"{stack}%0d%0ax-y:%20z"),
            (404, f"{stack};a=b"),
            (404, f"{stack}."),
            (404, f"{stack}%20"),
            (404, f"/v1/stacks/{STACK.upper()}"),
            (404, "/v1/stacks/%c3%a9"),
            (404, "/v1/stacks/cl%C4%B1ents"),
            (404, "/v1/stacks/%"),
            (404, f"{stack}%"),
            (404, f"{stack}%zz"),
            (404, "/v1/stacks/%ff%fe"),
            (404, f"{stack}/runs/..%2f..%2fstate"),
            (404, f"{stack}/runs/%2e%2e"),
            (404, f"{stack}/runs/1-*"),
            (404, "/V1/stacks"),
            (404, "/v1/stacks%3flimit=1"),
            (404, "/healthz/"),
            (404, "/healthz/../v1/stacks"),
            (404, "/_sandbox/world"),
            (400, "/v1/stacks?limit=0"),
            (400, "/v1/stacks?limit=1&limit=2"),
            (400, "/v1/stacks?limit=%31%zz"),
            (400, "/v1/stacks?limit=99999999999999999999"),
            (400, "/v1/stacks?after=..%2f"),
            (400, "/v1/stacks?token=x"),
            (400, f"{stack}/runs?most=-1"),
            (414, f"/v1/stacks/{'a' * 3_000}"),
            (414, f"/v1/stacks?after={'a' * 3_000}"),
            (414, f"/{'../' * 10_000}"),
        ]:
            with self.subTest(target=target[:80]):
                self.check(status, f"GET {target} HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n")
        self.check_nothing_was_done()

    def test_heads_and_bodies(self):
        stack = f"/v1/stacks/{STACK}"
        get = f"GET {stack} HTTP/1.1\r\nhost: kedge\r\n"
        post = f"POST {stack}/check HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"
        json_type = "content-type: application/json\r\n"
        hold = f"POST {stack}/hold HTTP/1.1\r\nhost: kedge\r\n"
        chunked = "transfer-encoding: chunked\r\n"
        for status, request in [
            # Who asks: nobody, somebody twice, somebody strange.
            (401, get),
            (400, f"{get}{self.bearer}\r\n{self.bearer}\r\n"),
            (401, f"{get}{self.bearer.replace('Bearer', 'Basic')}\r\n"),
            (401, f"{get}{self.bearer}, {self.bearer}\r\n"),
            (401, f"{get}{self.bearer}x\r\n"),
            (401, f"{get}{self.bearer[:-1]}\r\n"),
            (401, f"{get}cookie: {self.bearer}\r\n"),
            (401, f"{get}proxy-{self.bearer}\r\n"),
            (401, f"{get}authorization: Bearer kdg_{'0' * 16}_{'0' * 64}\r\n"),
            (401, f"{get}authorization: Bearer kdg_..%2findex_{'0' * 64}\r\n"),
            (401, f"{get}authorization: Bearer {'x' * 4_000}\r\n"),
            # What is no HTTP.
            (400, f"{get}{self.bearer}\x00\r\n"),
            (400, f"{get}{self.bearer}\r\nx y: z\r\n"),
            (400, f"{get}{self.bearer}\r\n folded\r\n"),
            (400, f"GET {stack} HTTP/9.9\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (400, f"GET {stack}\x01 HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (431, f"{get}{self.bearer}\r\n" + "".join(f"x-{one}: y\r\n" for one in range(500))),
            (431, f"{get}{self.bearer}\r\nx: {'y' * 1_000_000}\r\n"),
            # Methods.
            (405, f"DELETE {stack} HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (405, f"TRACE {stack} HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (405, f"get {stack} HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (405, f"GET {stack}/check HTTP/1.1\r\nhost: kedge\r\nx-http-method-override: POST\r\n{self.bearer}\r\n"),
            (404, f"OPTIONS * HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            (404, f"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: kedge\r\n{self.bearer}\r\n"),
            # Bodies: where none is taken, of another type, too large, of two lengths.
            (400, f"{get}{self.bearer}\r\n{json_type}content-length: 2\r\n\r\n{{}}"),
            (415, f"{post}content-length: 2\r\n\r\n{{}}"),
            (415, f"{post}content-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}"),
            (400, f"{post}{json_type}content-length: 2\r\n\r\n[]"),
            (400, f'{post}{json_type}content-length: 9\r\n\r\n{{"x": {{}}}}'),
            (400, f"{post}{json_type}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}} "),
            (400, f"{post}{json_type}content-length: -1\r\n\r\n{{}}"),
            (400, f"{post}{json_type}content-length: 99999999999999999999\r\n\r\n{{}}"),
            (413, f"{post}{json_type}content-length: 200000\r\n\r\n{' ' * 200_000}"),
            (413, f"{post}{json_type}content-length: 70000\r\n\r\n{' ' * 70_000}"),
            (413, f"{post}{json_type}{chunked}\r\n30000\r\n{' ' * 0x30000}\r\n0\r\n\r\n"),
            (400, f"{post}{json_type}{chunked}\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
            (400, f"{post}{json_type}content-length: {len(DEEP)}\r\n\r\n{DEEP}"),
            (400, f"{post}idempotency-key: a b\r\n"),
            (400, f"{post}idempotency-key: {'a' * 256}\r\n"),
            (400, f"{post}idempotency-key: a\r\nidempotency-key: b\r\n"),
            # A request inside of another's body is a body.
            (400, f"{get}{self.bearer}\r\ncontent-length: {len(hold)}\r\n\r\n{hold}"),
            (400, f"{get}{self.bearer}\r\ntransfer-encoding: gzip\r\n\r\n{hold}"),
            (400, f"{get}{self.bearer}\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hold}"),
        ]:
            with self.subTest(request=request[:160]):
                self.check(status, request)
        # Two lengths that differ: a proxy may have believed the other one, so what follows is nobody's request.
        asked = b'{"for": "2h", "reason": "x"}'
        inner = f"{hold}{self.bearer}\r\n{json_type}content-length: {len(asked)}\r\n\r\n".encode() + asked
        outer = f"{get}{self.bearer}\r\n{chunked}content-length: {5 + len(inner)}\r\n\r\n0\r\n\r\n".encode()
        self.assertEqual(self.answer(outer + inner).count(b"HTTP/1.1 "), 1)
        # TLS, HTTP/2 and noise get no answer that could be taken for one, and end.
        for noise in [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\r\n" * 50,
            b"\xff" * 5_000,
        ]:
            with self.subTest(noise=noise[:20]):
                answer = self.answer(noise, is_all=True)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer)
        self.check_nothing_was_done()

    def check(self, status, request):
        """The whole request gets one answer, of this status, which is no page of somebody else's."""
        request = request if "\r\n\r\n" in request else f"{request}\r\n"
        head, rest = request.split("\r\n", 1)
        answer = self.answer(f"{head}\r\nconnection: close\r\n{rest}".encode("latin-1"))
        self.assertEqual(answer[:12].decode("latin-1"), f"HTTP/1.1 {status}", answer[:500])
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer[:500])
        self.assertNotIn(b"kdg_", answer)
        self.assertNotIn(b"\r\nx-y", answer)

    def answer(self, request, is_all=False):
        """What comes until the other side ends it, or, if that is all, this one."""
        with socket.create_connection(self.addr, timeout=STEP_S) as client:
            try:
                client.sendall(request)
                if is_all:
                    client.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass  # It had heard enough.
            try:
                return receive(client)
            except ConnectionError:
                return b""

    def check_nothing_was_done(self):
        self.assertEqual(self.keys("requests"), [])
        self.assertEqual(self.keys(f"stacks/{STACK}/hold.json"), [])
        self.assertEqual(self.listed(), self.before)
        self.assertEqual(self.one.ask("GET", "/version")[0], 200)
        self.one.end()
        self.assertEqual(self.one.complaints(), [])


def receive(client):
    """All that comes until the other side ends it."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)
