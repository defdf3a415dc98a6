"""What `schemathesis run` loads (SCHEMATHESIS_HOOKS): tokens in turn, and names that exist.

KEDGE_TEST_TOKENS has the tokens, KEDGE_TEST_STACK the stack.
"""

import itertools
import os
import re

import schemathesis

STACK = os.environ["KEDGE_TEST_STACK"]
# One token alone may ask ten times a second.
TOKENS = itertools.cycle(os.environ["KEDGE_TEST_TOKENS"].split())
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
# A wait is an answer that comes later; the longest are left to other tests.
WAIT_MAX_S = 1


@schemathesis.auth(refresh_interval=None)
class InTurn:
    def get(self, case, context):
        return next(TOKENS)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    # Of names that could be a stack's three in four are the one that is there.
    name = (case.path_parameters or {}).get("stack")
    if isinstance(name, str) and NAME.fullmatch(name) and len(name) % 4:
        case.path_parameters["stack"] = STACK
    wait = (case.query or {}).get("wait")
    if isinstance(wait, int) and not isinstance(wait, bool) and WAIT_MAX_S < wait <= 25:
        case.query["wait"] = WAIT_MAX_S
