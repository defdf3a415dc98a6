"""template.yaml as CloudFormation gets it: read, put through SAM's transform, and told as plain text.

Nothing here asks AWS or the network.
"""

import itertools
import logging
import os
import pathlib
import re

# The transform wants a region, for the ARNs that it makes up.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

# It counts what it did for AWS, and warns that nobody asked for the counts.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "template.yaml"


class NoManagedPolicies:
    """Says of no managed policy where it is: a template that names one by its name is refused."""

    def load(self):
        return {}


class Template:
    """A template, before and after SAM's transform."""

    def __init__(self, text):
        self.source = yaml_parse(text)
        self.parameters = self.source["Parameters"]
        self.mappings = self.source.get("Mappings", {})
        given = yaml_parse(text)
        # `sam build` and `sam deploy` put the place of the code there.
        given["Globals"]["Function"]["CodeUri"] = "s3://code/function.zip"
        values = {name: spec.get("Default", "given") for name, spec in self.parameters.items()}
        self.resources = transform(given, values, NoManagedPolicies())["Resources"]

    def of_type(self, kind):
        """The properties of all resources of this type, by name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def values(self, name):
        """All values that a parameter can have, as far as the template says; else its default."""
        spec = self.parameters[name]
        return [str(value) for value in spec.get("AllowedValues", [spec.get("Default", f"<{name}>")])]

    def texts(self, value):
        """All texts that a value can become, by what its parameters can be. Names of resources stay names."""
        if isinstance(value, str):
            return [value]
        if isinstance(value, (int, float)):
            return [str(value)]
        [(function, given)] = value.items()
        if function == "Ref":
            return self.values(given) if given in self.parameters else [f"${{{given}}}"]
        if function == "Fn::Sub" and isinstance(given, str):
            parts = re.split(r"\$\{([^}]+)\}", given)
            choices = [[part] if place % 2 == 0 else self.texts({"Ref": part}) for place, part in enumerate(parts)]
            return ["".join(choice) for choice in itertools.product(*choices)]
        if function == "Fn::FindInMap":
            table, row, column = given
            return [str(self.mappings[table][key][column]) for key in self.texts(row)]
        return [told(value)]


def template():
    """The template of this repository."""
    return Template(PATH.read_text())


def told(value):
    """A value with CloudFormation's functions, as one would say it: `${WorkQueue.Arn}`."""
    if isinstance(value, list):
        return [told(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, given)] = value.items()
        if function == "Ref":
            return f"${{{given}}}"
        if function == "Fn::GetAtt":
            return "${" + (given if isinstance(given, str) else ".".join(given)) + "}"
        if function == "Fn::Sub" and isinstance(given, str):
            return given
        if function == "Fn::Select" and "Fn::Split" in given[1]:
            separator, text = given[1]["Fn::Split"]
            return f"{told(text)} (part {given[0]} at {separator})"
        if function == "Fn::If":
            condition, then, otherwise = given
            return {f"if {condition}": told(then), "else": told(otherwise)}
    return {name: told(one) for name, one in value.items()}


def branches(value):
    """What a list or a value can hold, whichever conditions are true; AWS::NoValue is nothing."""
    if isinstance(value, list):
        return [one for item in value for one in branches(item)]
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        _, then, otherwise = value["Fn::If"]
        return branches(then) + branches(otherwise)
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def statements(role):
    """All statements of the policies of a role."""
    return [
        statement
        for policy in role.get("Policies", [])
        for statement in branches(policy["PolicyDocument"]["Statement"])
    ]


def names(value):
    """The names of resources and parameters that a value is made of."""
    if isinstance(value, list):
        return [name for one in value for name in names(one)]
    if not isinstance(value, dict):
        return re.findall(r"\$\{([A-Za-z0-9:]+)", value) if isinstance(value, str) else []
    found = []
    for function, given in value.items():
        if function == "Ref":
            found.append(given)
        elif function == "Fn::GetAtt":
            found.append(given.split(".")[0] if isinstance(given, str) else given[0])
        else:
            found.extend(names(given))
    return found
