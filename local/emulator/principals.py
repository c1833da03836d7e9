"""Name the caller in conditions as IAM does.

MiniStack 1.5.33 gives `aws:PrincipalArn` of a role as the ARN of its session. AWS gives the ARN of the role, with its
path (IAM guide, "AWS global condition context keys", aws:PrincipalArn).
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam


def patch() -> None:
    """Replace how the emulator resolves the keys of conditions."""
    resolve = iam_evaluator._resolve_condition_key

    def resolve_condition_key(key: str, ctx: Any) -> Any:
        found = resolve(key, ctx)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        account, name = str(found).split(":")[4], str(found).split("/")[1]
        role = iam._roles.get_scoped(account, None, name)
        return role["Arn"] if role else f"arn:aws:iam::{account}:role/{name}"

    iam_evaluator._resolve_condition_key = resolve_condition_key
