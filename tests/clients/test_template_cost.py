"""deploy/aws-cost: its sums, and that docs/deploy-aws.md shows them as they are."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import unittest
from decimal import Decimal

from template import ROOT, names, template

PROGRAM = ROOT / "deploy" / "aws-cost"


def program():
    loader = importlib.machinery.SourceFileLoader("aws_cost", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("aws_cost", loader))
    loader.exec_module(module)
    return module


def printed(*args):
    done = subprocess.run([sys.executable, PROGRAM, *args], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


class Sums(unittest.TestCase):
    def setUp(self):
        self.cost = program()

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
            self.assertEqual(self.cost.cost(name, quantity, free), Decimal(expected), (name, quantity, free))

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
        found = re.search(rf'"--{option.replace("_", "-")}".*default=(?:Decimal\()?"?([\w.]+)', PROGRAM.read_text())
        return found[1]

    def test_its_metrics_are_those_of_the_functions(self):
        code = (ROOT / "functions/lambda/src/metrics.rs").read_text()
        verdicts = (ROOT / "shared/core/src/model/stack_verdict.rs").read_text()
        for name in self.cost.METRIC_NAMES:
            word = re.sub("(?<!^)([A-Z])", r"-\1", name).lower()
            made = template().of_type("AWS::Logs::MetricFilter")
            is_known = f'"{name}"' in code or f'"{word}"' in verdicts or name in made
            self.assertTrue(is_known, name)
        self.assertEqual(len(re.findall(r'Self::\w+ => "', verdicts)), 6)


class Page(unittest.TestCase):
    def test_the_page_shows_what_it_prints(self):
        page = (ROOT / "docs/deploy-aws.md").read_text()
        self.assertIn(f"<!-- deploy/aws-cost -->\n\n{printed().strip()}\n\n<!-- end of deploy/aws-cost -->", page)
