"""The whole of template.yaml, deployed into ministack by `sam deploy`, with the functions as cargo built them.

`Deliveries` is an event source mapping of ours, for what ministack's can't do, and for queues of others.
"""

import base64
import concurrent.futures
import json
import os
import pathlib
import platform
import shutil
import threading
import time

from desk import exchange
from emulators import ACCOUNT, REGION, TOOLS, Ministack, run_tool

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "template.yaml"
FUNCTIONS = ("schedule", "reconcile", "http")
STACK_NAME = "kedge"
CODE_BUCKET = "code"


def program(function):
    """The bootstrap of a function, as cargo built it."""
    return pathlib.Path(os.environ["KEDGE_FUNCTIONS"]) / function


class FunctionError(AssertionError):
    """An invocation failed: the function said so, ran out of time, or died."""


class Deployment:
    """The stack in an emulator of its own."""

    def __init__(self, folder, parameters, secrets):
        self.folder = folder
        self.aws = Ministack(folder)
        try:
            self.locals = threading.local()
            arns = {name: self.make_secret(name, value) for name, value in secrets.items()}
            self.deploy(parameters | arns)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.aws.stop()

    def client(self, service):
        """A client of the emulator; each thread has its own."""
        if not hasattr(self.locals, service):
            setattr(self.locals, service, self.aws.client(service))
        return getattr(self.locals, service)

    def make_secret(self, parameter, value):
        """Puts a secret where `parameter` of the template is to say. Gives that place.

        Text is a parameter of SSM; an object a secret of Secrets Manager, of which its only key counts.
        """
        if isinstance(value, str):
            self.put_secret(parameter, value)
            return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/kedge/{parameter}"
        [key] = value
        text = json.dumps(value | {"other": "no secret of ours"})
        made = self.client("secretsmanager").create_secret(Name=f"kedge/{parameter}", SecretString=text)
        return f"{made['ARN']}#{key}"

    def put_secret(self, parameter, value):
        self.client("ssm").put_parameter(
            Name=f"/kedge/{parameter}", Value=value, Type="SecureString", Overwrite=True
        )

    def deploy(self, parameters):
        self.client("s3").create_bucket(
            Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        template, logical_ids = built_template(self.folder / "built")
        architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
        parameters |= {"Architecture": architecture, "AwsEndpointUrl": self.aws.url}
        run_tool(
            self.folder,
            self.aws.env() | {"SAM_CLI_TELEMETRY": "0"},
            *[TOOLS / "sam", "deploy", "--template-file", template, "--stack-name", STACK_NAME],
            *["--s3-bucket", CODE_BUCKET, "--capabilities", "CAPABILITY_IAM", "--region", REGION],
            *["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"],
            *[f"{name}={value}" for name, value in sorted(parameters.items())],
        )
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
        self.names = {function: physical[logical] for function, logical in logical_ids.items()}
        self.queue = self.variables("reconcile")["KEDGE_QUEUE_URL"]
        redrive = json.loads(self.attributes(self.queue)["RedrivePolicy"])
        self.max_receives = int(redrive["maxReceiveCount"])
        dead = redrive["deadLetterTargetArn"].rsplit(":", 1)[1]
        self.dead = self.client("sqs").get_queue_url(QueueName=dead)["QueueUrl"]
        url = self.client("lambda").get_function_url_config(FunctionName=self.names["http"])["FunctionUrl"]
        self.host = url.split("//")[1].strip("/")
        mappings = self.client("lambda").list_event_source_mappings(FunctionName=self.names["reconcile"])
        [mapping] = mappings["EventSourceMappings"]
        self.mapping = mapping
        self.allow_parameters()

    def allow_parameters(self):
        """ministack does not see which parameters `ssm:GetParameters` names, and takes them for `*`.

        So each role may read any here. What the template allows is tested with the template.
        """
        statement = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        for function in FUNCTIONS:
            role = self.configuration(function)["Role"].rsplit("/", 1)[1]
            self.client("iam").put_role_policy(
                RoleName=role, PolicyName="ministack", PolicyDocument=json.dumps(policy)
            )

    # The functions.

    def configuration(self, function):
        return self.client("lambda").get_function_configuration(FunctionName=self.names[function])

    def variables(self, function):
        return self.configuration(function)["Environment"]["Variables"]

    def set_variables(self, function, **variables):
        """Sets variables that the template has no parameter for. The function's environments end."""
        self.client("lambda").update_function_configuration(
            FunctionName=self.names[function],
            Environment={"Variables": self.variables(function) | variables},
        )

    def invoke(self, function, event):
        answer = self.client("lambda").invoke(FunctionName=self.names[function], Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise FunctionError(payload)
        return payload

    def tick(self):
        """The schedule's turn, by the event that the template gives it."""
        return self.invoke("schedule", {"schedule": "2026-11-30T23:00:00Z"})

    def ask(self, method, path, token=None, body=None, **headers):
        """A request to the function URL; gives status, headers and the body's JSON."""
        address = self.aws.url.removeprefix("http://")
        return exchange(address, method, path, token, body, Host=self.host, **headers)

    def lines(self, function):
        """What a function wrote: its lines, those of Lambda (START, END, REPORT) left out."""
        group = self.configuration(function)["LoggingConfig"]["LogGroup"]
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [event["message"].rstrip("\n") for page in pages for event in page["events"]]
        return [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))]

    # The queue.

    def attributes(self, queue):
        return self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]

    def hide_for(self, seconds):
        """How long a message stays hidden whose function died."""
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.queue, Attributes={"VisibilityTimeout": str(seconds)}
        )

    def set_receives(self, most):
        """How often a message is received before it is set aside."""
        redrive = json.loads(self.attributes(self.queue)["RedrivePolicy"]) | {"maxReceiveCount": most}
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.queue, Attributes={"RedrivePolicy": json.dumps(redrive)}
        )

    def counts(self, queue):
        """How many messages wait, and how many are hidden: worked on, or to come later."""
        attributes = self.attributes(queue)
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return tuple(int(attributes[name]) for name in names)

    def is_idle(self):
        return self.counts(self.queue) == (0, 0)

    def set_schedule(self, state):
        """Turns the template's schedule on or off."""
        [schedule] = self.client("scheduler").list_schedules()["Schedules"]
        name = {"Name": schedule["Name"], "GroupName": schedule["GroupName"]}
        whole = self.client("scheduler").get_schedule(**name)
        kept = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
        self.client("scheduler").update_schedule(**name, **{one: whole[one] for one in kept}, State=state)

    def map_events(self, enabled):
        """Turns the template's own event source mapping on or off."""
        self.client("lambda").update_event_source_mapping(UUID=self.mapping["UUID"], Enabled=enabled)


def built_template(folder):
    """What `sam build` makes: the template with the code of each function beside it. Gives it, and the functions'
    logical ids by their programs."""
    from samcli.yamlhelper import yaml_dump, yaml_parse

    template = yaml_parse(TEMPLATE.read_text())
    logical_ids = {}
    for logical, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        function = resource["Metadata"]["BuildProperties"]["Binary"]
        resource["Properties"]["CodeUri"] = function
        logical_ids[function] = logical
        code = folder / function
        code.mkdir(parents=True)
        pack(program(function), code / "bootstrap")
    assert sorted(logical_ids) == sorted(FUNCTIONS), logical_ids
    path = folder / "template.yaml"
    path.write_text(yaml_dump(template))
    return path, logical_ids


def pack(source, target):
    """Copies a program, without what only a debugger reads, where that can be taken out."""
    shutil.copy(source, target)
    if shutil.which("strip"):
        run_tool(target.parent, {}, "strip", target)


class Deliveries:
    """An event source mapping of ours: takes messages of a FIFO queue one by one, so many at once, and hands each
    to a function as Lambda would. What the function does not report as failed is deleted."""

    def __init__(self, new_client, queue, invoke, at_once=1):
        self.new_client = new_client
        self.queue = queue
        self.invoke = invoke
        self.at_once = at_once
        # Of each delivery: the message's id, its group, how often it was received, and whether it is done with.
        self.made = []
        self.ended = threading.Event()

    def run_until(self, condition, within_s):
        """Delivers until the condition holds."""
        with concurrent.futures.ThreadPoolExecutor(self.at_once) as pool:
            loops = [pool.submit(self.deliver) for _ in range(self.at_once)]
            try:
                until = time.monotonic() + within_s
                while not condition():
                    failed = [one for one in loops if one.done()]
                    if failed:
                        raise AssertionError("a delivery failed") from failed[0].exception()
                    if time.monotonic() > until:
                        raise AssertionError(f"the queue was not worked off within {within_s} s")
                    time.sleep(0.1)
            finally:
                self.ended.set()
        for loop in loops:
            loop.result()

    def deliver(self):
        client = self.new_client()
        while not self.ended.is_set():
            got = client.receive_message(
                QueueUrl=self.queue, AttributeNames=["All"], MaxNumberOfMessages=1, WaitTimeSeconds=1
            )
            for message in got.get("Messages", []):
                self.hand_over(client, message)

    def hand_over(self, client, message):
        attributes = message["Attributes"]
        try:
            answer = self.invoke({"Records": [record(self.queue, message)]})
            failed = {one["itemIdentifier"] for one in (answer or {}).get("batchItemFailures", [])}
            assert failed <= {message["MessageId"]}, (failed, message)
            is_done = not failed
        except FunctionError:
            is_done = False
        if is_done:
            client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        received = int(attributes["ApproximateReceiveCount"])
        self.made.append((message["MessageId"], attributes["MessageGroupId"], received, is_done))


def record(queue, message):
    """A message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rsplit('/', 1)[1]}",
        "awsRegion": REGION,
    }


def url_event(method, path, query="", body=None, **headers):
    """A request as Lambda hands it to the function of a URL (payload format 2.0)."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws", **headers},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "abc",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "30/Nov/2026:23:00:00 +0000",
            "timeEpoch": 1796079600000,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        # As any type that Lambda does not take for text.
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event
