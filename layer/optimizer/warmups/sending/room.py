"""How many environments a ping may take at once, so that no caller is throttled."""

from dataclasses import dataclass

from optimizer.aws import LambdaClient


@dataclass(frozen=True, slots=True)
class Room:
    """The concurrency that pings of a function may take."""

    environments: int
    # One sentence, for the case that it is less than a ping wants.
    reason: str
    # None without a reservation of its own; the account's unreserved concurrency is then shared with other functions.
    reserved: int | None = None


def read_room(lambda_: "LambdaClient", function_name: str, callers: int, keep_free: int) -> Room:
    """Read what is reserved for a function, or else what the account has left.

    callers: the concurrency that its callers need at that time. keep_free: what the pings of functions without a
    reservation leave of the account's unreserved concurrency.
    """
    reserved = lambda_.get_function_concurrency(FunctionName=function_name).get("ReservedConcurrentExecutions")
    if reserved is not None:
        return room_in_reservation(reserved, callers)
    unreserved = lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    left = max(0, unreserved - max(keep_free, callers))
    return Room(
        left,
        f"the account has an unreserved concurrency of {unreserved}, of which {max(keep_free, callers)} stay free",
    )


def room_in_reservation(reserved: int, callers: int) -> Room:
    """Return the room within a reservation. One place stays free even where no caller is expected."""
    free = max(1, callers)
    if reserved == 0:
        return Room(0, "its reserved concurrency is 0", reserved)
    return Room(
        max(0, reserved - free), f"its reserved concurrency is {reserved}, of which callers need {free}", reserved
    )
