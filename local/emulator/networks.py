"""Refuse a function in a network that Lambda refuses.

MiniStack 1.5.33 creates it whatever its role may do and its network is. Lambda makes network interfaces with the rights
of the function's role, and looks the subnets and security groups up first (Lambda Developer Guide, "Giving Lambda
functions access to resources in an Amazon VPC": required IAM permissions; Lambda API reference, VpcConfig).
"""

from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners
from rights import may

_INTERFACES = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")


def patch() -> None:
    """Replace how the emulator creates the functions of a stack."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create = handler["create"]

    def create_function(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if network := properties.get("VpcConfig"):
            check(str(properties.get("Role", "")).rpartition("/")[2], network)
        return create(logical_id, properties, stack)

    handler["create"] = create_function


def check(role: str, network: dict[str, Any]) -> None:
    """Raise ValueError with Lambda's message about the first thing that is wrong."""
    for kind, ids, known in (
        ("subnet", network.get("SubnetIds", ()), ec2._subnets),
        ("security group", network.get("SecurityGroupIds", ()), ec2._security_groups),
    ):
        if unknown := [one for one in ids if one not in known]:
            raise ValueError(f"The {kind} ID '{unknown[0]}' does not exist")
    for action in _INTERFACES:
        if not may(role, action, "*"):
            name = action.partition(":")[2]
            raise ValueError(f"The provided execution role does not have permissions to call {name} on EC2")
