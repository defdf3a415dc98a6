"""What the Worker costs on Clustera's own definitions: requests of an invocation, and processor time."""

import json
import shutil
import statistics

from desk import figures
from miniflare import ROOT, Cloudflare
from worker_desk import WorkerDesk, built

STACKS = ("development", "prod", "staging", "steve1", "testing")
# What the free plan allows an invocation: fetch and bindings together.
REQUESTS_MAX = 50
# Invocations until the runtime has compiled what it often runs, and then those that count.
WARM_UP, RUNS = 10, 40
AIM_MS = 10


def setUpModule():
    Clustera.start()
    people = Clustera("setUp")
    people.push_all(STACKS)
    people.of_each(STACKS, people.deploy)


class Clustera(WorkerDesk):
    """Clustera's stacks, deployed and clean."""

    stacks = STACKS

    @classmethod
    def write_definitions(cls):
        shutil.copytree(ROOT / "definitions", cls.folder / "definitions")
        found = sorted(path.stem for path in (cls.folder / "definitions/stacks").iterdir())
        assert found == sorted(STACKS), found

    def deploy(self, stack):
        """As a person does it: some of them are protected, and take the plan that was seen."""
        digest = self.kedge_of(stack, "preview", code=2)["plan"]["digest"]
        self.kedge_of(stack, "up", "--plan", digest)

    def check_of(self, *stacks):
        return {"format": 1, "work": {"check": {"stacks": list(stacks), "tick_ms": 1, "not_before_ms": 1}}}

    def test_all_stacks_as_one_group_fit_the_free_plan(self):
        self.check_all()
        checks = self.runs(verb="check")
        self.assertEqual([line["verdict"] for line in checks], ["clean"] * len(STACKS), checks)
        # What changes takes effect, and that all is well is noted. From then on a check writes nothing.
        self.check_all()
        [tick, check] = [one for one in self.cloudflare.meters() if "ended" in one][-2:]
        self.assertEqual((tick["ended"], check["ended"]), ("scheduled", "queue"))
        counts = sum(check["asked"].values()), sum(tick["asked"].values())
        parts = ", ".join(f"{count} {what}" for what, count in sorted(check["asked"].items()))
        figures(
            f"requests of a check of all {len(STACKS)} stacks of Clustera's as one group: {counts[0]} ({parts}); "
            f"of the tick before it: {counts[1]}. The free plan allows {REQUESTS_MAX}"
        )
        self.assertLessEqual(max(counts), REQUESTS_MAX)

    def test_processor_time_of_a_clean_check(self):
        self.assertEqual(self.cloudflare.deliver([self.check_of("development")]), ["ack"])
        self.wait_until_idle()
        calls = [one for one in self.cloudflare.meters() if "ended" in one][-1]["calls"]
        whole, empty, cold = self.measured(built("release"), "index.js", self.cloudflare.bindings)
        bare = self.folder / "same_calls"
        bare.mkdir()
        shutil.copy(ROOT / "tests/worker/same_calls.mjs", bare / "index.js")
        simulators, empty_bare, _ = self.measured(bare, "index.js", {"CALLS": json.dumps(calls)})
        own = whole - empty - (simulators - empty_bare)
        figures(
            f"processor time of a clean check of development: {own:.1f} ms warm (aim {AIM_MS}): {whole:.1f} in all, less "
            f"{empty:.1f} of an empty invocation and {simulators - empty_bare:.1f} of miniflare's simulators for the same "
            f"{len(calls)} calls; cold {cold:.1f} in all (medians of {RUNS}, of each the runtime's threads)"
        )
        self.assertGreater(own, 0)

    def measured(self, code, script, bindings):
        """The milliseconds of a check's invocation, of an empty one, and of the first check of all."""
        folder = self.folder / f"cost-{code.name}"
        folder.mkdir()
        # Over the same bucket: two hosts can't have it at once.
        shutil.copytree(self.cloudflare.folder / "cloudflare", folder / "cloudflare")
        one = Cloudflare(folder, code, bindings, is_metered=False)
        try:
            cold = self.spent_ms(one, [self.check_of("development")])
            for _ in range(WARM_UP):
                self.spent_ms(one, [self.check_of("development")])
            whole = [self.spent_ms(one, [self.check_of("development")]) for _ in range(RUNS)]
            empty = [self.spent_ms(one, []) for _ in range(RUNS)]
        finally:
            one.stop()
        return statistics.median(whole), statistics.median(empty), cold

    def spent_ms(self, one, messages):
        before = one.cpu_ns()
        self.assertEqual(one.deliver(messages), ["ack"] * len(messages))
        return (one.cpu_ns() - before) / 1e6
