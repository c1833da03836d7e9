"""Owners of resources as far as their tags tell. Pure."""

from collections.abc import Mapping

# Tools that tag what they deploy: the tag's key (in lower case) and the tool.
_TOOLS = (
    ("aws:cloudformation:stack-name", "CloudFormation"),
    ("tf:workspace", "Terraform"),
    ("tfc:workspace", "Terraform"),
    ("terraform", "Terraform"),
    ("pulumi:project", "Pulumi"),
    ("pulumi:stack", "Pulumi"),
)
# Tags in which teams name the tool, or themselves.
_MANAGED = ("managed-by", "managedby", "managed_by", "iac", "provisioner")
_TEAMS = ("owner", "team", "squad", "service-owner", "cost-center", "costcenter")


def owner_of(tags: Mapping[str, str]) -> str:
    """Return the tool and the team that the tags name, such as `CloudFormation (stack shop), team pay`; else empty."""
    by_key = {key.lower(): value for key, value in tags.items()}
    return ", ".join(part for part in (_tool(by_key), _team(by_key)) if part)


def _tool(tags: Mapping[str, str]) -> str:
    stack = tags.get("aws:cloudformation:stack-name")
    if stack is not None:
        by = "AWS SAM" if tags.get("lambda:createdby") == "SAM" else "CloudFormation"
        return f"{by} (stack {stack})"
    tool = next((tool for key, tool in _TOOLS if key in tags), "")
    return tool or next((tags[key] for key in _MANAGED if tags.get(key)), "")


def _team(tags: Mapping[str, str]) -> str:
    key = next((key for key in _TEAMS if tags.get(key)), "")
    return f"{key} {tags[key]}" if key else ""
