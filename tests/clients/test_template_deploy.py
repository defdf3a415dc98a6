"""`make deploy-aws`: what it says is missing, and what it builds and hands to `sam deploy`.

sam is the real one up to `sam deploy`. cargo, cargo-lambda, zig and the AWS CLI are scripts that note how they
were called.
"""

import pathlib
import re
import shutil
import sys
import tomllib
import unittest

from deploy_desk import NOTHING, DeployDesk
from template import ROOT, template, yaml_parse

TOOLS = pathlib.Path(sys.executable).parent
CARGO = """#!/bin/sh
printf 'cargo %s\\n' "$*" >>"$NOTES"
case "$*" in
  "metadata "*) printf '{"packages": [], "target_directory": "%s/target"}' "$DESK" ;;
  "lambda build "*)
    [ "$PWD" = "$DESK/functions/lambda" ] || exit 101
    cd "$DESK"
    bin=$(printf '%s\\n' "$*" | sed 's/.*--bin \\([a-z]*\\).*/\\1/')
    mkdir -p "target/lambda/$bin" && echo "$bin" >"target/lambda/$bin/bootstrap" ;;
esac
"""
SAM = """#!/bin/sh
printf 'sam %s\\n' "$*" >>"$NOTES"
[ "$1" = deploy ] || exec "$REAL_SAM" "$@"
"""
AWS = """#!/bin/sh
printf 'aws %s\\n' "$*" >>"$NOTES"
echo 123456789012
"""


class SamDesk(DeployDesk):
    files = ("deploy/aws-deploy", "template.yaml", "samconfig.toml.example")
    programs = {"cargo": CARGO, "cargo-lambda": NOTHING, "zig": NOTHING, "sam": SAM, "aws": AWS}
    variables = {
        "REAL_SAM": str(TOOLS / "sam"),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def setUp(self):
        super().setUp()
        (self.folder / "functions/lambda").mkdir(parents=True)

    def settings(self, **more):
        """Fills in the example as a person would; deletes what is not wanted (None), adds the rest."""
        text = (ROOT / "samconfig.toml.example").read_text()
        for placeholder, value in {
            "<bucket>": "kedge/store",
            "<account-id>": "0a1b",
            "<key-id>": "key-id",
            "<aws-account>": "123456789012",
            "<you@example.com>": "ana@example.com",
        }.items():
            self.assertIn(placeholder, text)
            text = text.replace(placeholder, value)
        added = "".join(f'  "{name}={value}",\n' for name, value in more.items())
        (self.folder / "samconfig.toml").write_text(text.replace("\n]\n", f"\n{added}]\n", 1))


class Missing(SamDesk):
    def test_all_that_is_missing_is_said_at_once_and_nothing_is_built(self):
        for name in ("cargo-lambda", "sam"):
            (self.bin / name).unlink()
        self.script("bin/cargo", "#!/bin/sh\nexit 101\n")
        self.script("bin/aws", "#!/bin/sh\necho 'Unable to locate credentials' >&2\nexit 255\n")
        self.script(".ci/prerequisites", "#!/bin/sh\necho 'missing: a C compiler' >&2\nexit 1\n")
        code, said = self.deploy()
        self.assertEqual(code, 1, said)
        for part in (
            "missing: a C compiler",
            "missing: AWS's SAM CLI",
            "pip install aws-sam-cli==1.167.0",
            "missing: cargo-lambda",
            "pip install cargo-lambda",
            "missing: samconfig.toml",
            "cp samconfig.toml.example samconfig.toml",
            "missing: credentials for AWS",
            "Unable to locate credentials",
        ):
            self.assertIn(part, said)
        self.assertEqual(self.calls("sam"), [])
        self.assertFalse((self.folder / ".aws-sam").exists())

    def test_a_value_that_nobody_filled_in_is_named(self):
        shutil.copy(ROOT / "samconfig.toml.example", self.folder / "samconfig.toml")
        code, said = self.deploy("--check")
        self.assertEqual(code, 1, said)
        for part in (
            "Bucket=<bucket>",
            "R2AccessKeyId=<key-id>",
            "<aws-account>:parameter/kedge/AIVEN_TOKEN",
            "<you@example.com>",
        ):
            self.assertIn(part, said)

    def test_zig_is_asked_for_only_to_build_for_another_machine(self):
        (self.bin / "zig").unlink()
        self.script("bin/python3", "#!/bin/sh\nexit 1\n")
        for machine, architecture, code in (
            ("x86_64", "arm64", 1),
            ("x86_64", "x86_64", 0),
            ("aarch64", "arm64", 0),
            ("aarch64", "x86_64", 1),
        ):
            self.script("bin/uname", f"#!/bin/sh\necho {machine}\n")
            self.settings(Architecture=architecture)
            found, said = self.deploy("--check")
            self.assertEqual(found, code, (machine, architecture, said))
            self.assertEqual("missing: zig" in said, code == 1, said)

    def test_nothing_is_missing(self):
        self.settings()
        code, said = self.deploy("--check")
        self.assertEqual((code, said.splitlines()[-1]), (0, "nothing is missing"), said)
        self.assertIn("deploying to account 123456789012, region eu-central-1", said)
        self.assertEqual(
            self.calls("aws"), ["aws sts get-caller-identity --query Account --output text --region eu-central-1"]
        )
        self.assertEqual(self.calls("sam"), ["sam --version"])

    def test_an_older_sam_is_named(self):
        self.settings()
        for version, code in (("1.166.9", 1), ("1.167.0", 0), ("1.170.0", 0), ("2.0.0", 0)):
            self.script("bin/sam", f"#!/bin/sh\necho SAM CLI, version {version}\n")
            found, said = self.deploy("--check")
            self.assertEqual(found, code, (version, said))
            self.assertEqual(f"missing: sam 1.167.0 or newer; this is {version}" in said, code == 1, said)


class Built(SamDesk):
    def built(self, flags):
        return [f"cargo lambda build --release{flags} --bin {name}" for name in ("http", "reconcile", "schedule")]

    def test_the_functions_are_built_for_arm64_and_deployed(self):
        self.settings()
        code, said = self.deploy(program=("make", "deploy-aws"))
        self.assertEqual(code, 0, said)
        self.assertEqual(sorted(self.calls("cargo lambda build")), self.built(" --arm64"))
        self.assertEqual(self.calls("sam")[-2:], ["sam build", "sam deploy"])
        built = self.folder / ".aws-sam/build"
        for name in ("Schedule", "Reconcile", "Http"):
            self.assertEqual((built / f"{name}Function/bootstrap").read_text(), f"{name.lower()}\n")
        self.check_built_template(built / "template.yaml")
        # Whatever sam and the scripts wrote and said.
        self.check_no_secret(said)

    def check_built_template(self, path):
        text = path.read_text()
        # CloudFormation reads no aliases of YAML.
        self.assertIsNone(re.search(r"(?m)(:|-) [&*][A-Za-z]", text))
        resources = yaml_parse(text)["Resources"]
        self.assertEqual(resources["HttpFunction"]["Properties"]["CodeUri"], "HttpFunction")
        self.assertEqual(sorted(resources), sorted(yaml_parse((ROOT / "template.yaml").read_text())["Resources"]))

    def test_the_architecture_is_a_parameter(self):
        self.settings(Architecture="x86_64")
        code, said = self.deploy("--no-confirm-changeset")
        self.assertEqual(code, 0, said)
        self.assertEqual(sorted(self.calls("cargo lambda build")), self.built(""))
        self.assertEqual(self.calls("sam deploy"), ["sam deploy --no-confirm-changeset"])

    def test_what_fails_to_build_is_not_deployed(self):
        self.settings()
        self.script("bin/cargo", CARGO.replace("mkdir -p", 'echo "error: E0308" >&2; exit 101; mkdir -p'))
        code, said = self.deploy()
        self.assertEqual(code, 1, said)
        self.assertIn("E0308", said)
        self.assertEqual(self.calls("sam deploy"), [])


class Example(unittest.TestCase):
    def test_the_example_is_of_this_template(self):
        config = tomllib.loads((ROOT / "samconfig.toml.example").read_text())["default"]
        given = [one.split("=", 1) for one in config["global"]["parameters"]["parameter_overrides"]]
        known = template().parameters
        self.assertEqual([name for name, _ in given if name not in known], [])
        wanted = {name for name, spec in known.items() if "Default" not in spec}
        self.assertLessEqual(wanted, {name for name, _ in given})
        for name, value in given:
            filled = value.replace("<aws-account>", "123456789012")
            self.assertRegex(filled, rf"^(?:{known[name].get('AllowedPattern', '.*')})$", name)
        self.assertEqual(config["deploy"]["parameters"]["capabilities"], "CAPABILITY_IAM")

    def test_it_is_never_committed_once_it_is_filled_in(self):
        ignored = (ROOT / ".gitignore").read_text().splitlines()
        self.assertIn("/samconfig.toml", ignored)
        self.assertIn("/.aws-sam/", ignored)
