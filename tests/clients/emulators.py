"""AWS on this machine, as far as it can be had without an account.

- ministack: Lambda, SQS, Scheduler, CloudFormation, SSM, Secrets Manager, IAM and Logs, all on one port.
- AWS's own emulator of Lambda's runtime, from the SAM CLI: one function, one event at a time.
- moto: an SQS by others than ministack's.
"""

import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.config
from desk import STEP_S, Server, connects, wait_for

TOOLS = pathlib.Path(sys.executable).parent
REGION = "eu-central-1"
ACCOUNT = "000000000000"
KEY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
# A port that was free may be taken a moment later.
ATTEMPTS = 5
# The most that a call of AWS may take: an invocation lasts as long as its function.
CALL_S = 120


class Emulator(Server):
    """A server of some of AWS's services, and clients of it."""

    def __init__(self, folder, name, command, env):
        self.log = folder / f"{name}.log"
        self.url = None
        for attempt in range(ATTEMPTS):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            with self.log.open("w") as log:
                super().__init__(command(port), log, basic_env(folder) | env(url))
            try:
                wait_for(lambda url=url: self.answers(url), self, name)
                break
            except AssertionError:
                self.kill()
                if attempt == ATTEMPTS - 1:
                    print(self.log.read_text()[-4000:])
                    raise
        self.url = url
        self.listens_on(port)

    def answers(self, url):
        try:
            urllib.request.urlopen(f"{url}{self.HEALTH}", timeout=5).close()
        except OSError:
            return False
        return True

    def client(self, service):
        config = botocore.config.Config(
            read_timeout=CALL_S, retries={"total_max_attempts": 1}, max_pool_connections=32
        )
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=config, **KEY)

    def env(self):
        """The variables of what calls AWS: the command line's, and ours."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEY["aws_secret_access_key"],
        }


class Ministack(Emulator):
    """ministack, which refuses what the policies of IAM don't allow."""

    HEALTH = "/_ministack/health"

    def __init__(self, folder):
        super().__init__(folder, "ministack", lambda _: [TOOLS / "ministack"], lambda url: self.settings(folder, url))

    def settings(self, folder, url):
        return {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": url.rsplit(":", 1)[1],
            "MINISTACK_REGION": REGION,
            # Without it, it listens on two more ports, for everybody.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(folder),
            "AUTH": "true",
            # Not the image of each function's memory in its own.
            "LOG_LEVEL": "INFO",
        }

    def environments(self, function):
        """The process ids of this function's environments."""
        name = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
        return [pid for pid in children(self.process.pid) if name in environment(pid)]

    def stop(self):
        started = children(self.process.pid)
        try:
            super().stop()
        finally:
            end_left(started)

    def kill(self):
        started = children(self.process.pid)
        super().kill()
        end_left(started)


class Moto(Emulator):
    """moto's server, which refuses nothing for want of a permission."""

    HEALTH = "/moto-api/"

    def __init__(self, folder):
        super().__init__(
            folder, "moto", lambda port: [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", str(port)], lambda _: {}
        )


class RuntimeEmulator(Server):
    """AWS's own runtime interface emulator with one function, which is a program on this machine."""

    def __init__(self, folder, name, program, timeout_s, **variables):
        rie = emulator_program()
        self.name = name
        self.log = folder / f"{name}.log"
        fixed = {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        }
        port = free_port()
        addresses = [
            *["--runtime-interface-emulator-address", f"127.0.0.1:{port}"],
            *["--runtime-api-address", f"127.0.0.1:{free_port()}"],
        ]
        with self.log.open("w") as log:
            command = [rie, *addresses, "--log-level", "error", program]
            super().__init__(command, log, basic_env(folder) | fixed | variables)
        wait_for(lambda: connects("127.0.0.1", port), self, "aws-lambda-rie")
        self.listens_on(port)

    def invoke(self, event):
        """One invocation; gives the answer's JSON, whether of the function or of an error."""
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(event).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=CALL_S) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as answer:
            text = answer.read().decode()
        try:
            return json.loads(text)
        except ValueError:
            return {"errorType": "RuntimeEmulator", "errorMessage": text}

    def memory_max_mb(self):
        """The most memory that its function ever had."""
        [pid] = children(self.process.pid)
        return memory_max_mb(pid)

    def kill(self):
        started = children(self.process.pid)
        super().kill()
        end_left(started)


def emulator_program():
    """AWS's emulator for this machine, from the SAM CLI."""
    names = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
    name = names.get(platform.machine())
    if sys.platform != "linux" or name is None:
        raise unittest.SkipTest("aws-lambda-rie is for Linux on x86_64 and arm64")
    import samcli.local.rapid

    return pathlib.Path(samcli.local.rapid.__path__[0]) / name


def basic_env(folder):
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Processes that a server started. It ends them in good order; these are for when it could not.


def children(parent):
    """The process ids of its children, where the system says so."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which is in brackets and may have any character: the state, the parent.
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
        except (OSError, IndexError, ValueError):
            continue
    return found


def environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end_left(pids):
    """Ends those that are functions still: their number may be somebody else's by now."""
    for pid in pids:
        if any(one.startswith(b"AWS_LAMBDA_RUNTIME_API=") for one in environment(pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def memory_max_mb(pid):
    """The most memory that a process ever had; none if the process or the system does not say so."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else None


def run_tool(folder, env, *command, within_s=STEP_S * 3):
    """Runs a tool of the virtual environment."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=basic_env(folder) | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout
