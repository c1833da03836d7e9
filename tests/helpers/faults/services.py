"""Imitate S3, SNS, EventBridge, EventBridge Scheduler, Parameter Store and Step Functions' task tokens in memory.

Thousands of cases take seconds with it.
"""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

type Answers = dict[str, Callable[[dict[str, Any]], dict[str, Any]]]


def error(code: str, operation: str) -> ClientError:
    """Return the error that the SDK raises."""
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass
class Services:
    """The content of the services.

    `waiting` holds the outputs given to waiting tasks, by token; None while they wait.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: dict[str, list[str]] = field(default_factory=dict)
    waiting: dict[str, str | None] = field(default_factory=dict)

    def sent(self) -> Counter[str]:
        """Return the number of messages by topic."""
        return Counter(message["TopicArn"] for message in self.messages)

    def answers(self) -> Answers:
        """Return the operations by name."""
        operations = (
            self.get_object, self.put_object, self.list_objects_v2, self.publish, self.put_events, self.create_schedule,
            self.get_schedule, self.delete_schedule, self.list_schedules, self.get_parameter, self.put_parameter,
            self.send_task_success, self.get_topic_attributes,
        )  # fmt: skip
        names = {operation.__name__: operation for operation in operations}
        return {"".join(part.capitalize() for part in name.split("_")): operation for name, operation in names.items()}

    def get_object(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Key"] not in self.objects:
            raise error("NoSuchKey", "GetObject")
        return {"Body": io.BytesIO(self.objects[request["Key"]])}

    def put_object(self, request: dict[str, Any]) -> dict[str, Any]:
        self.objects[request["Key"]] = bytes(request["Body"])
        return {}

    def list_objects_v2(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(request["Prefix"])]}

    def publish(self, request: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(request)
        return {"MessageId": "message"}

    def get_topic_attributes(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Everybody has a topic, and has confirmed the subscription."""
        return {"Attributes": {"SubscriptionsConfirmed": "1"}}

    def put_events(self, request: dict[str, Any]) -> dict[str, Any]:
        self.events += request["Entries"]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in request["Entries"]]}

    def create_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"] in self.schedules:
            raise error("ConflictException", "CreateSchedule")
        self.schedules[request["Name"]] = request
        return {"ScheduleArn": request["Name"]}

    def get_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"] not in self.schedules:
            raise error("ResourceNotFoundException", "GetSchedule")
        return self.schedules[request["Name"]]

    def delete_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.schedules.pop(request["Name"], None) is None:
            raise error("ResourceNotFoundException", "DeleteSchedule")
        return {}

    def list_schedules(self, request: dict[str, Any]) -> dict[str, Any]:
        names = [name for name in sorted(self.schedules) if name.startswith(request.get("NamePrefix", ""))]
        return {"Schedules": [{"Name": name} for name in names]}

    def get_parameter(self, request: dict[str, Any]) -> dict[str, Any]:
        name, _, number = request["Name"].partition(":")
        versions = self.parameters.get(name, [])
        if not versions:
            raise error("ParameterNotFound", "GetParameter")
        version = int(number or len(versions))
        return {"Parameter": {"Name": name, "Value": versions[version - 1], "Version": version}}

    def put_parameter(self, request: dict[str, Any]) -> dict[str, Any]:
        versions = self.parameters.setdefault(request["Name"], [])
        if versions and not request.get("Overwrite"):
            raise error("ParameterAlreadyExists", "PutParameter")
        versions.append(request["Value"])
        return {"Version": len(versions)}

    def send_task_success(self, request: dict[str, Any]) -> dict[str, Any]:
        """End a task once, as Step Functions does; later callers get the error that it does not exist."""
        token = request["taskToken"]
        if self.waiting.get(token, "") is not None:
            raise error("TaskTimedOut", "SendTaskSuccess")
        self.waiting[token] = request["output"]
        return {}
