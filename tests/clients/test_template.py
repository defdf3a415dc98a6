"""template.yaml: AWS's own checkers, ours for what these let pass, and the rights of each role.

KEDGE_WRITE_SNAPSHOT=1 writes template/iam.json anew: read what changed, and bring it into SECURITY.md's table.
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

import template_rules
from template import PATH, ROOT, Template, branches, names, statements, template, told

TOOLS = pathlib.Path(sys.executable).parent
HERE = pathlib.Path(__file__).resolve().parent
SNAPSHOT = HERE / "template" / "iam.json"
# No credentials, no configuration of the machine, and no network.
OFFLINE = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
}
WITHIN_S = 120


def run(program, *args, path=PATH):
    """Runs one of AWS's programs; gives its exit code and all that it said."""
    done = subprocess.run(
        [TOOLS / program, *args, path],
        env=OFFLINE,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return done.returncode, done.stdout


def cfn_lint(path=PATH):
    return run("cfn-lint", "--regions", "eu-central-1", "us-east-1", "--template", path=path)


def sam_validate(path=PATH):
    return run("sam", "validate", "--lint", "--template", path=path)


class Checkers(unittest.TestCase):
    def planted(self, *changes):
        """A file of the template with a fault."""
        text = PATH.read_text()
        for old, new in changes:
            self.assertEqual(text.count(old), 1, old)
            text = text.replace(old, new)
        path = ROOT / ".tools" / f"planted-{self.id().rsplit('.', 1)[1]}.yaml"
        path.write_text(text)
        self.addCleanup(path.unlink)
        return path

    def test_cfn_lint_finds_nothing(self):
        self.assertEqual(cfn_lint(), (0, ""))

    def test_sam_validate_finds_nothing(self):
        code, said = sam_validate()
        self.assertEqual(code, 0, said)
        self.assertIn("is a valid SAM Template", said)

    def test_they_see_a_message_that_comes_again_too_early(self):
        # Newer versions of cfn-lint do not, and none sees it where the numbers are parameters: our rule does.
        path = self.planted(
            ("VisibilityTimeout: !FindInMap [Hidden, !Ref RunSeconds, Seconds]", "VisibilityTimeout: 30"),
            ("Timeout: !Ref RunSeconds", "Timeout: 60"),
        )
        for checker in (cfn_lint, sam_validate):
            code, said = checker(path)
            self.assertNotEqual(code, 0)
            self.assertIn("E3505", said)

    def test_they_see_a_mistyped_property(self):
        path = self.planted(("      Timeout: 30\n", "      Timeot: 30\n"))
        for checker in (cfn_lint, sam_validate):
            code, said = checker(path)
            self.assertNotEqual(code, 0)
            self.assertIn("Timeot", said)


# A fault, by what is replaced in the template; which rule must see it; and a part of what it says.
SCHEDULE = "ScheduleExpression: !FindInMap [Tick, !Ref TickMinutes, Every]"
ENVIRONMENT = "        KEDGE_BUCKET: !Ref Bucket\n"
PLANTED = [
    # Schedules.
    (SCHEDULE, "ScheduleExpression: cron(*/5 * * * *)", "schedules", "has six fields, with the year; this has 5"),
    (SCHEDULE, "ScheduleExpression: cron(*/5 * * * * *)", "schedules", "must be ?"),
    (SCHEDULE, "ScheduleExpression: rte(5 minutes)", "schedules", "none of rate"),
    (SCHEDULE, "ScheduleExpression: rate(5)", "schedules", "none of rate"),
    (SCHEDULE, "ScheduleExpression: rate(1 minutes)", "schedules", "none of rate"),
    ("rate(1 minute)", "rate(1 minutes)", "schedules", "rate(1 minutes)"),
    ("            OmitName: true\n", "", "schedules", "a second stack can't have it"),
    ("            OmitName: true\n", "            Name: kedge-tick\n", "schedules", "kedge-tick is fixed"),
    (
        "      Events:\n        Tick:\n          Type: ScheduleV2\n          Properties:\n",
        "      Events:\n"
        "        Other:\n          Type: ScheduleV2\n          Properties:\n"
        '            Name: !Sub "${AWS::StackName}-tick"\n            ScheduleExpression: rate(1 day)\n'
        "            RoleArn: !GetAtt TickRole.Arn\n"
        "        Again:\n          Type: ScheduleV2\n          Properties:\n"
        '            Name: !Sub "${AWS::StackName}-tick"\n            ScheduleExpression: rate(1 day)\n'
        "            RoleArn: !GetAtt TickRole.Arn\n"
        "        Tick:\n          Type: ScheduleV2\n          Properties:\n",
        "schedules",
        "has its name ${AWS::StackName}-tick",
    ),
    (
        "            RetryPolicy:\n              MaximumRetryAttempts: 2\n              MaximumEventAgeInSeconds: 300\n",
        "",
        "retries",
        "185 times",
    ),
    (
        "      EventInvokeConfig:\n        MaximumRetryAttempts: 1\n        MaximumEventAgeInSeconds: 300\n",
        "",
        "retries",
        "no EventInvokeConfig",
    ),
    # Secrets.
    (ENVIRONMENT, ENVIRONMENT + "        AIVEN_TOKEN: !Ref AivenTokenArn\n", "secrets", "give AIVEN_TOKEN_ARN"),
    (ENVIRONMENT, ENVIRONMENT + "        R2_SECRET_ACCESS_KEY: x\n", "secrets", "R2_SECRET_ACCESS_KEY is a secret"),
    (
        ENVIRONMENT,
        ENVIRONMENT + "        OTHER: '{{resolve:secretsmanager:kedge:SecretString:token}}'\n",
        "secrets",
        "the secret's text there",
    ),
    (ENVIRONMENT, ENVIRONMENT + "        OTHER: AKIAIOSFODNN7EXAMPLE\n", "secrets", "looks like a secret"),
    (
        "  R2AccessKeyId:\n    Type: String\n",
        "  R2AccessKeyId:\n    Type: String\n    NoEcho: true\n",
        "secrets",
        "R2AccessKeyId is a secret (NoEcho)",
    ),
    (
        '  AlarmEmail:\n    Type: String\n    Default: ""\n',
        "  AlarmEmail:\n    Type: String\n    Default: xoxb-1-2\n",
        "secrets",
        "its default looks like a secret",
    ),
    # Rights.
    (
        "                Resource: !GetAtt ReconcileLog.Arn\n",
        '                Resource: "*"\n',
        "wildcards",
        "ReconcileRole, Log: resource *",
    ),
    (
        "                Resource: !GetAtt ReconcileLog.Arn\n",
        '                Resource: !Sub "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"\n',
        "wildcards",
        "ReconcileRole, Log: resource arn:",
    ),
    ("                  - sqs:ReceiveMessage\n", "                  - sqs:*\n", "wildcards", "action sqs:*"),
    (
        "                Resource: !Ref SecretsKeyArn\n",
        "                NotResource: !Ref SecretsKeyArn\n",
        "wildcards",
        "all but something",
    ),
    (
        "      Description: The function `http` of Kedge\n",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonSQSFullAccess]\n",
        "wildcards",
        "a managed policy",
    ),
    ("key/[^*?]+", "key/.+", "wildcards", "SecretsKeyArn may have a *"),
    (
        "      Role: !GetAtt HttpRole.Arn\n",
        "      Role: !GetAtt ReconcileRole.Arn\n",
        "roles",
        "ReconcileFunction has its role too",
    ),
    (
        "            Principal: {Service: lambda.amazonaws.com}\n",
        '            Principal: {AWS: "*"}\n',
        "roles",
        "may take it on",
    ),
    (
        "            Condition:\n              StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n",
        "",
        "roles",
        "schedules of other accounts",
    ),
    # Queues.
    ("            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", "queues", "done again"),
    ("            BatchSize: 1\n", "            BatchSize: 10\n", "queues", "set aside that nobody tried"),
    ("            BatchSize: 1\n", "", "queues", "set aside that nobody tried"),
    (
        "            ScalingConfig:\n              MaximumConcurrency: !FindInMap [Concurrency, !Ref RequestsPerMinute, Runs]\n",
        "",
        "queues",
        "as many runs at once",
    ),
    (
        '    "600": {Seconds: 630}\n',
        '    "600": {Seconds: 600}\n',
        "queues",
        "after 600 s, while a run may take 600 s",
    ),
    (
        '    "1200": {Runs: 20}\n',
        '    "1200": {Runs: 40}\n',
        "concurrency",
        "1200 requests a minute are 20 runs, not 40",
    ),
    ('AllowedValues: ["120", "300",', 'AllowedValues: ["60", "300",', "concurrency", "other rows"),
    # Logs and alarms.
    ("        LogGroup: !Ref HttpLog\n", "", "logs", "HttpFunction: its logs would be kept for ever"),
    (
        '        KEDGE_METRICS_NAMESPACE: !Sub "Kedge/${AWS::StackName}"\n',
        "",
        "metrics",
        "HttpFunction: another deployment",
    ),
    (
        '!Sub "Kedge/${AWS::StackName}"\n          MetricName: Ticks\n',
        "Kedge\n          MetricName: Ticks\n",
        "metrics",
        "Ticks: another deployment",
    ),
    (
        "      TreatMissingData: ignore\n",
        "      TreatMissingData: missing\n",
        "alarms",
        "ApproximateNumberOfMessagesVisible of DeadLetterQueue",
    ),
    (
        "      MetricName: Ticks\n      Statistic",
        "      MetricName: Tick\n      Statistic",
        "alarms",
        "no alarm on Ticks of ScheduleLog",
    ),
    ("          MetricName: Ticks\n", "          MetricName: Tick\n", "alarms", "there is no Ticks in the namespace"),
    (
        '      Namespace: !Sub "Kedge/${AWS::StackName}"\n      MetricName: FailedRuns\n',
        "      Namespace: Kedge\n      MetricName: FailedRuns\n",
        "alarms",
        "there is no FailedRuns in the namespace Kedge",
    ),
    (
        "      Namespace: AWS/SQS\n      MetricName: ApproximateNumberOfMessagesVisible\n",
        "      Namespace: AWS/Lambda\n      MetricName: ApproximateNumberOfMessagesVisible\n",
        "alarms",
        "there is no ApproximateNumberOfMessagesVisible in the namespace AWS/Lambda",
    ),
    (
        "      Threshold: 0\n      ComparisonOperator: GreaterThanThreshold\n      # SQS stops",
        "      Threshold: 0\n      ComparisonOperator: LessThanThreshold\n      # SQS stops",
        "alarms",
        "no alarm on ApproximateNumberOfMessagesVisible of DeadLetterQueue",
    ),
    (
        "      LogGroupName: !Ref ReconcileLog\n      FilterPattern",
        "      LogGroupName: !Ref HttpLog\n      FilterPattern",
        "alarms",
        "no alarm on FailedRuns of ReconcileLog",
    ),
    (
        "      MetricName: NumberOfMessagesDeleted\n",
        "      MetricName: NumberOfMessagesSent\n",
        "alarms",
        "NumberOfMessagesDeleted of WorkQueue",
    ),
]


class OurRules(unittest.TestCase):
    def test_the_template_breaks_none(self):
        self.assertEqual(template_rules.breaches(template()), [])

    def test_each_rule_refuses_a_template_with_its_fault(self):
        text = PATH.read_text()
        seen = set()
        for old, new, rule, part in PLANTED:
            with self.subTest(new=new, rule=rule):
                self.assertEqual(text.count(old), 1, old)
                found = template_rules.breaches(Template(text.replace(old, new)))
                self.assertTrue([line for line in found if line.startswith(f"{rule}: ") and part in line], found)
                seen.add(rule)
        self.assertEqual(seen, {rule.__name__ for rule in template_rules.ALL})

    def test_schedules_that_aws_takes_pass(self):
        for text in (
            "rate(1 minute)",
            "rate(15 minutes)",
            "rate(1 day)",
            "cron(0/15 * * * ? *)",
            "cron(0 8 ? * MON-FRI *)",
            "cron(0 8 L * ? 2026-2030)",
            "at(2026-12-01T08:00:00)",
        ):
            self.assertIsNone(template_rules.schedule_error(text), text)


class Functions(unittest.TestCase):
    """What the template and the functions' code must agree on."""

    def setUp(self):
        self.template = template()

    def number(self, file, name):
        """A constant of the functions' code."""
        found = re.search(rf"const {name}: \w+ = ([0-9_]+);", (ROOT / "functions/lambda/src" / file).read_text())
        self.assertIsNotNone(found, (file, name))
        return int(found[1].replace("_", ""))

    def test_a_message_is_set_aside_after_as_many_receives_as_the_code_reckons_with(self):
        policy = self.template.of_type("AWS::SQS::Queue")["WorkQueue"]["RedrivePolicy"]
        self.assertEqual(policy["maxReceiveCount"], self.number("batch.rs", "RECEIVES_MAX"))

    def test_a_function_has_the_time_that_its_code_takes_for_granted(self):
        default = self.template.parameters["RunSeconds"]["Default"]
        for name, function in self.template.of_type("AWS::Lambda::Function").items():
            timeout = function["Timeout"]
            seconds = int(default) if timeout == {"Ref": "RunSeconds"} else timeout
            file = f"{name.removesuffix('Function').lower()}.rs"
            self.assertEqual(seconds * 1000, self.number(file, "TIMEOUT_MS"), name)

    def test_each_value_can_stand_in_samconfig(self):
        # SAM takes what follows a blank for another parameter.
        for name, spec in self.template.parameters.items():
            for value in [*spec.get("AllowedValues", []), spec.get("Default", "")]:
                self.assertNotIn(" ", str(value), name)

    def test_each_program_is_built(self):
        programs = {path.stem for path in (ROOT / "functions/lambda/src/bin").glob("*.rs")}
        built = {
            resource["Metadata"]["BuildProperties"]["Binary"]
            for resource in self.template.source["Resources"].values()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        self.assertEqual(built, programs)

    def test_each_variable_is_one_that_kedge_reads(self):
        code = "\n".join(
            path.read_text() for folder in ("functions", "shared") for path in (ROOT / folder).rglob("*.rs")
        )
        for function, properties in self.template.of_type("AWS::Lambda::Function").items():
            for name in properties["Environment"]["Variables"]:
                provider = re.fullmatch(r"KEDGE_([A-Z]+)_REQUESTS_PER_MINUTE", name)
                known = [f'"{name.removesuffix("_ARN")}"'] if not provider else ["KEDGE_{word}_REQUESTS_PER_MINUTE"]
                self.assertTrue(any(text in code for text in known), (function, name))

    def test_runs_and_ticks_are_counted_by_lines_that_there_are(self):
        counted = self.template.of_type("AWS::Logs::MetricFilter")
        self.assertEqual(counted["Ticks"]["FilterPattern"], '{ $.message = "ticked" }')
        self.assertIn('"ticked"', (ROOT / "functions/lambda/src/metrics.rs").read_text())
        pattern = counted["FailedRuns"]["FilterPattern"]
        self.assertEqual(
            re.findall(r'\$\.(\w+) = "([^"]+)"', pattern),
            [("message", "run failed"), ("message", "run ended"), ("verdict", "incomplete"), ("verdict", "invalid")],
        )
        runs = (ROOT / "shared/engine/src/front_door/run.rs").read_text()
        verdicts = (ROOT / "shared/core/src/model/stack_verdict.rs").read_text()
        for text in ("run failed", "run ended"):
            self.assertIn(f'"{text}"', runs)
        for verdict in ("incomplete", "invalid"):
            self.assertIn(f'"{verdict}"', verdicts)


class Page(unittest.TestCase):
    """docs/deploy-aws.md says what the template has."""

    def setUp(self):
        self.template = template()
        self.page = (ROOT / "docs/deploy-aws.md").read_text()

    def rows(self, header):
        [table] = re.findall(rf"^\|{re.escape(header)}\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", self.page, re.M)
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]

    def test_its_parameters_and_defaults(self):
        for names_, default, _ in self.rows(" parameter | default | what "):
            names_ = re.findall(r"`(\w+)`", names_)
            defaults = re.findall(r"`([^`]+)`", default) or [""]
            if len(defaults) == 1:
                defaults *= len(names_)
            found = [str(self.template.parameters[name]["Default"]) for name in names_]
            self.assertEqual(found, defaults, names_)

    def test_its_runs_side_by_side(self):
        header = "`RequestsPerMinute` | " + " | ".join(self.template.values("RequestsPerMinute"))
        [[_, *runs]] = self.rows(f" {header} ")
        rows = self.template.mappings["Concurrency"]
        self.assertEqual([int(one) for one in runs], [row["Runs"] for row in rows.values()])

    def test_its_alarms(self):
        told_ = re.findall(r"`kedge-([a-z-]+)`", " ".join(row[0] for row in self.rows(" alarm | means | do ")))
        made = [told(alarm["AlarmName"]) for alarm in self.template.of_type("AWS::CloudWatch::Alarm").values()]
        self.assertEqual(sorted(made), sorted(f"${{AWS::StackName}}-{name}" for name in told_))

    def test_what_an_alarm_points_to_is_there(self):
        for alarm in self.template.of_type("AWS::CloudWatch::Alarm").values():
            [heading] = re.findall(r'docs/deploy-aws.md, "([^"]+)"', alarm["AlarmDescription"])
            self.assertIn(f"\n## {heading}\n", self.page)

    def test_its_outputs_and_queues(self):
        for output in self.template.source["Outputs"]:
            self.assertIn(f"`{output}`", self.page)
        for queue in self.template.of_type("AWS::SQS::Queue").values():
            self.assertIn(told(queue["QueueName"]).replace("${AWS::StackName}", "kedge"), self.page)


class Rights(unittest.TestCase):
    """What each role may do: as it is, and as SECURITY.md says."""

    maxDiff = None

    def setUp(self):
        self.template = template()

    def test_every_statement_is_as_it_was(self):
        roles = {
            name: {
                "may be taken on by": told(role["AssumeRolePolicyDocument"]["Statement"]),
                "may": told([one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]),
            }
            for name, role in self.template.of_type("AWS::IAM::Role").items()
        }
        permissions = {name: told(given) for name, given in self.template.of_type("AWS::Lambda::Permission").items()}
        found = {"roles": roles, "who may call a function": permissions}
        text = json.dumps(found, indent=2, sort_keys=True) + "\n"
        if os.environ.get("KEDGE_WRITE_SNAPSHOT") == "1":
            SNAPSHOT.write_text(text)
        self.assertEqual(
            json.loads(SNAPSHOT.read_text()),
            found,
            "the rights changed. If that is meant: KEDGE_WRITE_SNAPSHOT=1 .ci/test-real template, read what "
            "`git diff` says, and bring SECURITY.md's table up to date",
        )

    def test_no_policy_is_anywhere_but_in_these_roles(self):
        for name, resource in self.template.resources.items():
            if resource["Type"].startswith("AWS::IAM::"):
                self.assertEqual(resource["Type"], "AWS::IAM::Role", name)
                self.assertEqual(
                    set(resource["Properties"]), {"Description", "AssumeRolePolicyDocument", "Policies"}, name
                )

    def test_each_role_may_do_what_the_table_says_and_no_more(self):
        self.assertEqual(sorted(rights(self.template)), sorted(rights_of_table((ROOT / "SECURITY.md").read_text())))

    def test_a_right_too_many_is_seen(self):
        table = set(rights_of_table((ROOT / "SECURITY.md").read_text()))
        for role, statement in (
            (
                "HttpRole",
                {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": {"Fn::GetAtt": ["WorkQueue", "Arn"]}},
            ),
            (
                "ScheduleRole",
                {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": {"Ref": "AivenTokenArn"}},
            ),
            (
                "TickRole",
                {
                    "Effect": "Allow",
                    "Action": "lambda:InvokeFunction",
                    "Resource": {"Fn::GetAtt": ["HttpFunction", "Arn"]},
                },
            ),
            ("ReconcileRole", {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Ref": "SecretsKeyArn"}}),
        ):
            changed = copy.deepcopy(self.template)
            policies = changed.resources[role]["Properties"]["Policies"]
            policies[0]["PolicyDocument"]["Statement"].append(statement)
            self.assertTrue(set(rights(changed)) - table, (role, statement))


def rights(template):
    """Every right: the role, the action, and what on. The key of the secrets only as a service uses it for us."""
    found = set()
    for role, properties in template.of_type("AWS::IAM::Role").items():
        for statement in statements(properties):
            assert statement["Effect"] == "Allow", (role, statement)
            through = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""
            for action in branches(
                statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            ):
                for resource in branches(
                    statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
                ):
                    [name] = names(resource)
                    if through and action == "kms:Decrypt":
                        assert "kms:ViaService" in through, through
                        name += " through its service"
                    found.add((role, action, name))
    return found


def rights_of_table(text):
    """The rights that SECURITY.md lists: rows of | role | may | on |."""
    [table] = re.findall(r"^\| role \| may \| on \|\n\|[-| ]+\|\n((?:\|.*\|\n)+)", text, re.M)
    for row in table.splitlines():
        roles, actions, resources = ([*re.findall(r"`([^`]+)`", cell)] for cell in row.strip("|").split("|"))
        assert roles and actions and resources, row
        for role in roles:
            for action in actions:
                for resource in resources:
                    yield role, action, resource + (" through its service" if "only through" in row else "")
