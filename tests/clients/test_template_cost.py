"""deploy/aws-cost and deploy/cloudflare-cost: their sums, and that the pages show them as they are."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import unittest
from decimal import Decimal

from template import ROOT, names, template

PROGRAM = ROOT / "deploy" / "aws-cost"


def program(path=PROGRAM):
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    loader = importlib.machinery.SourceFileLoader(path.name.replace("-", "_"), str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def printed(*args, path=PROGRAM):
    done = subprocess.run([sys.executable, path, *args], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


class Sums(unittest.TestCase):
    def setUp(self):
        self.cost = program()
        self.costing = sys.modules["costing"]

    def test_what_is_free_is_taken_off_and_r2_bills_whole_millions(self):
        for name, quantity, free, expected in (
            ("SQS (FIFO)", 700_800, False, "0.3504"),
            ("SQS (FIFO)", 700_800, True, "0"),
            ("SQS (FIFO)", 5_037_000, True, "2.0185"),
            ("Lambda, time (arm64)", 732_190, True, "4.429222146"),
            ("R2, class A (writes, lists)", 1_000_000, True, "0"),
            ("R2, class A (writes, lists)", 1_000_001, True, "4.5"),
            ("R2, class A (writes, lists)", 2_000_001, True, "9"),
            ("R2, class A (writes, lists)", 500_000, False, "2.25"),
        ):
            found = self.costing.cost(self.cost.PRICES[name], quantity, free)
            self.assertEqual(found, Decimal(expected), (name, quantity, free))

    def test_fifty_stacks_every_fifteen_minutes(self):
        text = printed("--stacks", "50")
        for row in (
            "| checks | stacks × 730 h × 60 / 15 min | 146,000 |",
            "| Lambda, time (arm64) | 256 / 1024 GB × (ticks × 1 s + checks × 2 s) | 75,190 |",
            "| SQS (FIFO) | messages × 3 + 5 × 730 h × 3600 / 20 s | 1,095,000 |",
            "| Lambda, time (arm64) | 1.00 |",
            "| SQS (FIFO) | 0.55 |",
        ):
            self.assertIn(row, text)

    def test_options_count(self):
        few = printed(
            "--stacks", "50", "--check-every", "60", "--group", "10", "--architecture", "x86_64", "--memory", "512"
        )
        for row in (
            "| checks | stacks × 730 h × 60 / 60 min | 36,500 |",
            "| messages | checks / 10 | 3,650 |",
            "x86_64",
        ):
            self.assertIn(row, few)

    def test_each_price_has_its_source(self):
        for name, price in self.cost.PRICES.items():
            for source in (price.source, price.free_source):
                self.assertRegex(source, r"^https://\S+( \(20\d\d-\d\d\))?$", name)

    def test_it_counts_what_the_template_has(self):
        alarms = template().of_type("AWS::CloudWatch::Alarm").values()
        self.assertEqual([alarm for alarm in alarms if "Metrics" in alarm], [], "each of these would be billed")
        self.assertEqual(self.cost.ALARM_METRICS, len(alarms))
        parameters = template().parameters
        runs = template().mappings["Concurrency"][parameters["RequestsPerMinute"]["Default"]]["Runs"]
        self.assertEqual(self.cost.RUNS_AT_ONCE, runs)
        self.assertIn(f"--memory {parameters['MemoryMegabytes']['Default']}", f"--memory {self.default('memory')}")
        self.assertEqual(self.default("tick_every"), parameters["TickMinutes"]["Default"])
        self.assertEqual(int(self.default("check_every")) * 60, parameters["CheckEverySeconds"]["Default"])
        self.assertEqual(self.default("architecture"), parameters["Architecture"]["Default"])
        secrets = [
            {name for name in names(variables) if name.endswith("Arn")}
            for variables in (
                function["Environment"]["Variables"]
                for name, function in template().of_type("AWS::Lambda::Function").items()
                if name != "HttpFunction"
            )
        ]
        counts = [len(one) for one in secrets]
        self.assertEqual(counts, [self.cost.SCHEDULE_SECRETS, self.cost.RECONCILE_SECRETS])

    def default(self, option):
        text = PROGRAM.read_text() + PROGRAM.with_name("costing.py").read_text()
        return re.search(rf'"--{option.replace("_", "-")}".*default=(?:Decimal\()?"?([\w.]+)', text)[1]

    def test_its_metrics_are_those_of_the_functions(self):
        code = (ROOT / "functions/lambda/src/metrics.rs").read_text()
        verdicts = (ROOT / "shared/core/src/model/stack_verdict.rs").read_text()
        for name in self.cost.METRIC_NAMES:
            word = re.sub("(?<!^)([A-Z])", r"-\1", name).lower()
            made = template().of_type("AWS::Logs::MetricFilter")
            is_known = f'"{name}"' in code or f'"{word}"' in verdicts or name in made
            self.assertTrue(is_known, name)
        self.assertEqual(len(re.findall(r'Self::\w+ => "', verdicts)), 6)


class Cloudflare(unittest.TestCase):
    PROGRAM = ROOT / "deploy" / "cloudflare-cost"

    def test_it_says_where_the_free_plan_ends(self):
        text = printed("--stacks", "30", "50", "--tick-ms", "5", path=self.PROGRAM)
        for row in (
            "| Queues | 10,000 | 8,640 | 14,400 **too much** |",
            "| Workers, processor | ticks × 5 + checks × 20 ms | 1,795,800 | 2,963,800 |",
            "| The paid plan | 5.00 | 5.00 |",
        ):
            self.assertIn(row, text)

    def test_each_price_has_its_source(self):
        for name, price in program(self.PROGRAM).PRICES.items():
            self.assertRegex(price.source, r"^https://github.com/cloudflare/cloudflare-docs/blob/[0-9a-f]{40}/\S+$", name)


class Pages(unittest.TestCase):
    def test_a_page_shows_what_its_program_prints(self):
        for cloud in ("aws", "cloudflare"):
            path = ROOT / f"deploy/{cloud}-cost"
            page = (ROOT / f"docs/deploy-{cloud}.md").read_text()
            told = printed(path=path).strip()
            self.assertIn(f"<!-- deploy/{cloud}-cost -->\n\n{told}\n\n<!-- end of deploy/{cloud}-cost -->", page)
