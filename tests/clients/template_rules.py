"""What cfn-lint and `sam validate` let pass, and AWS or we do not.

Each rule takes a template and gives what is wrong with it, in sentences.
"""

import json
import re

from template import branches, names, statements, told

# What a variable with a secret in it is called. One that says where the secret is ends with _ARN.
SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS?|PRIVATE|_KEY)$")
# What a secret looks like. AKIA…: a key of AWS; the rest by their own marks.
SECRET_TEXT = re.compile(r"\bAKIA[A-Z0-9]{16}\b|-----BEGIN|\"private_key\"|\bxox[bp]-|\bghp_|\bkdg_")
EVERY = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9][0-9]+) (?:minutes|hours|days))\)")
AT = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
CRON = re.compile(r"cron\(([^()]*)\)")
CRON_FIELD = re.compile(r"[0-9A-Z*,/?L#W-]+")
# A run is taken to make one request a second.
REQUESTS_PER_MINUTE_OF_A_RUN = 60
RUNS_MIN = 2


def schedules(template):
    """Schedules whose expression AWS refuses, or whose name another stack of the account may have."""
    wrong, seen = [], {}
    for kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
        for resource, schedule in template.of_type(kind).items():
            for text in template.texts(schedule.get("ScheduleExpression", "rate(1 day)")):
                if why := schedule_error(text):
                    wrong.append(f"{resource}: {text}: {why}")
            name = schedule.get("Name")
            if name is None:
                continue
            if "AWS::StackName" not in names(name):
                wrong.append(f"{resource}: its name {told(name)} is fixed: a second stack can't have it")
            key = json.dumps(name, sort_keys=True)
            if key in seen:
                wrong.append(f"{resource}: {seen[key]} has its name {told(name)}")
            seen[key] = resource
    return wrong


def schedule_error(text):
    """What is wrong with a schedule's expression (docs.aws.amazon.com/scheduler: schedule types)."""
    if EVERY.fullmatch(text) or AT.fullmatch(text):
        return None
    if not (cron := CRON.fullmatch(text)):
        return "it is none of rate(NUMBER UNIT), cron(SIX FIELDS) and at(TIME)"
    fields = cron[1].split()
    if len(fields) != 6:
        return f"a cron of AWS has six fields, with the year; this has {len(fields)}"
    if not all(CRON_FIELD.fullmatch(field) for field in fields):
        return "a field has characters that mean nothing"
    if [fields[2], fields[4]].count("?") != 1:
        return "one of day-of-month and day-of-week must be ?, and the other one not"
    return None


def retries(template):
    """Schedules and their functions that are tried again without a bound that we chose."""
    wrong = [
        f"{name}: AWS would try to deliver it 185 times within a day: give it a RetryPolicy"
        for name, schedule in template.of_type("AWS::Scheduler::Schedule").items()
        if not {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} <= set(schedule["Target"].get("RetryPolicy", {}))
    ]
    bounded = [told(config["FunctionName"]) for config in template.of_type("AWS::Lambda::EventInvokeConfig").values()]
    for name, schedule in template.of_type("AWS::Scheduler::Schedule").items():
        [function] = names(schedule["Target"]["Arn"])
        if f"${{{function}}}" not in bounded:
            wrong.append(f"{name}: {function} has no EventInvokeConfig, so it would be tried three times")
    return wrong


def secrets(template):
    """Secrets in the configuration of a function, where whoever may look at it sees them."""
    wrong = []
    for function, properties in template.of_type("AWS::Lambda::Function").items():
        for name, value in properties.get("Environment", {}).get("Variables", {}).items():
            where = f"{function}: {name}"
            text = json.dumps(value)
            if SECRET_NAME.search(name):
                wrong.append(f"{where} is a secret: give {name}_ARN, where it is")
            if "{{resolve:" in text:
                wrong.append(f"{where}: CloudFormation would put the secret's text there")
            if SECRET_TEXT.search(text):
                wrong.append(f"{where} looks like a secret")
            for parameter in names(value):
                if template.parameters.get(parameter, {}).get("NoEcho"):
                    wrong.append(f"{where}: {parameter} is a secret (NoEcho), and its text would be there")
    for name, spec in template.parameters.items():
        if SECRET_TEXT.search(str(spec.get("Default", ""))):
            wrong.append(f"{name}: its default looks like a secret")
    return wrong


def wildcards(template):
    """Rights that reach further than one thing of this stack."""
    wrong = []
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::User", "AWS::IAM::Group"):
        wrong += [f"{name}: rights belong into the role of a function" for name in template.of_type(kind)]
    for role, properties in template.of_type("AWS::IAM::Role").items():
        if properties.get("ManagedPolicyArns"):
            wrong.append(f"{role}: a managed policy of AWS reaches all queues, secrets and log groups")
        for statement in statements(properties):
            where = f"{role}, {statement.get('Sid', 'a statement without Sid')}"
            if {"NotAction", "NotResource", "NotPrincipal"} & set(statement):
                wrong.append(f"{where}: it allows all but something")
            for action in branches(statement.get("Action", [])):
                if "*" in action or "?" in action:
                    wrong.append(f"{where}: action {action}")
            resources = branches(statement.get("Resource", []))
            for resource in resources:
                if any("*" in text or "?" in text for text in template.texts(resource)):
                    wrong.append(f"{where}: resource {told(resource)}")
            for parameter in names(resources):
                pattern = template.parameters.get(parameter, {}).get("AllowedPattern")
                if parameter in template.parameters and not refuses_wildcards(pattern):
                    wrong.append(f"{where}: the parameter {parameter} may have a * in it")
    return wrong


def refuses_wildcards(pattern):
    """Whether no ARN with a wildcard fits."""
    if pattern is None:
        return False
    arns = [
        f"arn:aws:{service}:eu-central-1:123456789012:{path}"
        for service in ("ssm", "secretsmanager", "kms", "sns", "sqs")
        for path in ("*", "parameter/*", "parameter/a?", "secret:*", "secret:a#*", "key/*", "topic*")
    ]
    return not any(re.fullmatch(pattern, text) for text in [*arns, "*", "arn:aws:ssm:*:123456789012:parameter/a"])


def roles(template):
    """Functions without a role of their own, and roles that something else may take on."""
    wrong, used = [], {}
    for function, properties in template.of_type("AWS::Lambda::Function").items():
        role = told(properties["Role"])
        if role in used:
            wrong.append(f"{function}: {used[role]} has its role too")
        used[role] = function
    for role, properties in template.of_type("AWS::IAM::Role").items():
        for statement in branches(properties["AssumeRolePolicyDocument"]["Statement"]):
            principal = statement["Principal"]
            if principal not in ({"Service": "lambda.amazonaws.com"}, {"Service": "scheduler.amazonaws.com"}):
                wrong.append(f"{role}: {principal} may take it on")
            if principal == {"Service": "scheduler.amazonaws.com"} and "Condition" not in statement:
                wrong.append(f"{role}: schedules of other accounts may take it on")
    return wrong


def queues(template):
    """Queues that lose messages, give them out twice, or mix the work of stacks."""
    wrong = []
    queues = template.of_type("AWS::SQS::Queue")
    for name, queue in queues.items():
        if queue.get("FifoQueue") is not True:
            wrong.append(f"{name}: it is no FIFO queue")
        if queue.get("FifoThroughputLimit") != "perMessageGroupId":
            wrong.append(f"{name}: 300 messages a second for all stacks together")
        if queue.get("DeduplicationScope") != "messageGroup":
            wrong.append(f"{name}: the work of one stack could drop that of another")
    for name, source in template.of_type("AWS::Lambda::EventSourceMapping").items():
        [queue] = names(source["EventSourceArn"])
        if "RedrivePolicy" not in queues[queue]:
            wrong.append(f"{queue}: what fails is tried for ever")
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            wrong.append(f"{name}: of a batch, what went well would be done again")
        if source.get("BatchSize") != 1:
            wrong.append(f"{name}: behind a message that fails, others would be set aside that nobody tried")
        if "MaximumConcurrency" not in source.get("ScalingConfig", {}):
            wrong.append(f"{name}: as many runs at once as the account allows")
        timeouts = template.texts(template.resources[names(source["FunctionName"])[0]]["Properties"]["Timeout"])
        hidden = template.texts(queues[queue]["VisibilityTimeout"])
        for timeout, seconds in zip(timeouts, hidden, strict=True):
            if int(seconds) <= int(timeout):
                wrong.append(f"{queue}: a message comes again after {seconds} s, while a run may take {timeout} s")
    return wrong


def concurrency(template):
    """Rows of the map whose runs are not what the requests allow."""
    rows = template.mappings["Concurrency"]
    wrong = [
        f"Concurrency: {requests} requests a minute are {runs_of(requests)} runs, not {row['Runs']}"
        for requests, row in rows.items()
        if row["Runs"] != runs_of(requests)
    ]
    if sorted(rows) != sorted(template.values("RequestsPerMinute")):
        wrong.append("Concurrency: it has other rows than RequestsPerMinute has values")
    return wrong


def runs_of(requests_per_minute):
    return max(RUNS_MIN, int(requests_per_minute) // REQUESTS_PER_MINUTE_OF_A_RUN)


def logs(template):
    """Functions whose logs are kept for ever, or can't be read by a program."""
    wrong, groups = [], template.of_type("AWS::Logs::LogGroup")
    for function, properties in template.of_type("AWS::Lambda::Function").items():
        logging = properties.get("LoggingConfig", {})
        group = names(logging.get("LogGroup", ""))
        if not group or "RetentionInDays" not in groups.get(group[0], {}):
            wrong.append(f"{function}: its logs would be kept for ever")
        if logging.get("LogFormat") != "JSON":
            wrong.append(f"{function}: its logs are no JSON")
    return wrong


def metrics(template):
    """Metrics that two deployments of one region would have in common."""
    wrong = []
    for function, properties in template.of_type("AWS::Lambda::Function").items():
        namespace = properties["Environment"]["Variables"].get("KEDGE_METRICS_NAMESPACE", "")
        if "AWS::StackName" not in names(namespace):
            wrong.append(f"{function}: another deployment has its metrics too")
    for name, counted in template.of_type("AWS::Logs::MetricFilter").items():
        for transformation in counted["MetricTransformations"]:
            if "AWS::StackName" not in names(transformation["MetricNamespace"]):
                wrong.append(f"{name}: another deployment has its metric too")
    return wrong


MORE, LESS = ("GreaterThanThreshold", 0), ("LessThanThreshold", 1)


def alarms(template):
    """What must wake somebody, and has no alarm that could."""
    counted = {
        transformation["MetricName"]: (told(transformation["MetricNamespace"]), names(one["LogGroupName"]))
        for one in template.of_type("AWS::Logs::MetricFilter").values()
        for transformation in one["MetricTransformations"]
    }
    # The metric, what of, what it means if there are no data, and when it is an alarm.
    wanted = [
        ("ApproximateNumberOfMessagesVisible", "DeadLetterQueue", "ignore", "Maximum", MORE),
        ("FailedRuns", "ReconcileLog", "notBreaching", "Sum", MORE),
        ("Ticks", "ScheduleLog", "breaching", "Sum", LESS),
        ("NumberOfMessagesDeleted", "WorkQueue", "breaching", "Sum", LESS),
        *(("Errors", function, "notBreaching", "Sum", MORE) for function in template.of_type("AWS::Lambda::Function")),
    ]
    watched, wrong = set(), []
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        metric, dimensions = alarm["MetricName"], alarm.get("Dimensions", [])
        namespace, of = counted.get(metric, (None, [])) if not dimensions else (namespace_of(metric), names(dimensions))
        if told(alarm["Namespace"]) != namespace:
            wrong.append(f"{name}: there is no {metric} in the namespace {told(alarm['Namespace'])}")
        when = (alarm["ComparisonOperator"], alarm["Threshold"])
        for resource in of:
            watched.add((metric, resource, alarm["TreatMissingData"], alarm["Statistic"], when))
        if not alarm.get("AlarmActions"):
            wrong.append(f"{name}: it tells nobody")
    for metric, resource, missing, statistic, (operator, threshold) in wanted:
        if (metric, resource, missing, statistic, (operator, threshold)) not in watched:
            when = f"{statistic} {operator} {threshold}, missing data {missing}"
            wrong.append(f"no alarm on {metric} of {resource} ({when})")
    return wrong


def namespace_of(metric):
    """Where AWS has a metric of its own."""
    return "AWS/Lambda" if metric == "Errors" else "AWS/SQS"


ALL = [schedules, retries, secrets, wildcards, roles, queues, concurrency, logs, metrics, alarms]


def breaches(template):
    """All that is wrong."""
    return [f"{rule.__name__}: {sentence}" for rule in ALL for sentence in rule(template)]
