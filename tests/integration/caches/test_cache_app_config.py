"""TTLs published with AppConfig: in force when they are baking, rolled back at once, never over somebody else's."""

import io
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from optimizer.caches.publish.app_config import AppConfig
from optimizer.caches.publish.document import PublishOutcome
from optimizer.policy.model import AppConfigProfile
from optimizer_cache import Bounds, ParameterUnavailable, from_appconfig
from optimizer_cache.ttl_parameter import TtlParameter


def document(version: int, price: float) -> str:
    return json.dumps({"version": version, "ttl_s": {"price": price}})


@pytest.fixture
def place(account: Any) -> tuple[Any, AppConfigProfile]:
    """An application of its own, with a strategy that deploys at once and bakes for ten minutes."""
    client = account.session.client("appconfig")
    application = client.create_application(Name=f"ttls-{time.monotonic_ns()}")["Id"]
    environment = client.create_environment(ApplicationId=application, Name="live")["Id"]
    profile = client.create_configuration_profile(ApplicationId=application, Name="ttls", LocationUri="hosted")["Id"]
    strategy = client.create_deployment_strategy(
        Name=f"bakes-{application}",
        DeploymentDurationInMinutes=0,
        FinalBakeTimeInMinutes=10,
        GrowthFactor=100.0,
        ReplicateTo="NONE",
    )["Id"]
    return client, AppConfigProfile(application, environment, profile, strategy)


def until_settled(step: Callable[[], PublishOutcome]) -> PublishOutcome:
    for _ in range(50):
        outcome = step()
        if outcome is not PublishOutcome.PENDING:
            return outcome
        time.sleep(0.1)
    raise AssertionError("it stays on its way")


def test_app_config_deploys_a_document_once_and_rolls_it_back(place: tuple[Any, AppConfigProfile]) -> None:
    """A repeated call deploys nothing, and a rollback restores the state before at once."""
    client, ids = place
    publisher = AppConfig(client, ids)
    assert publisher.read().revision == 0
    assert publisher.most_ttl_s() == 300
    first = document(1, 60)
    assert until_settled(lambda: publisher.publish(first, 0)) is PublishOutcome.DONE
    assert (publisher.read().text, publisher.read().revision) == (first, 1)
    assert publisher.publish(first, 0) is PublishOutcome.DONE
    assert len(client.list_deployments(ApplicationId=ids.application, EnvironmentId=ids.environment)["Items"]) == 1
    assert until_settled(lambda: publisher.roll_back(document(2, 30), 1)) is PublishOutcome.DONE
    assert publisher.roll_back(document(2, 30), 1) is PublishOutcome.DONE
    assert publisher.read().revision == 0


def test_app_config_keeps_what_somebody_else_deployed(place: tuple[Any, AppConfigProfile]) -> None:
    client, ids = place
    publisher, others = AppConfig(client, ids), AppConfig(client, ids)
    assert until_settled(lambda: others.publish(document(1, 77), 0)) is PublishOutcome.DONE
    assert publisher.publish(document(1, 60), 0) is PublishOutcome.LOST
    assert publisher.read().ttls.ttl_s == {"price": 77.0}
    assert publisher.roll_back(document(2, 30), 0) is PublishOutcome.LOST


def test_app_config_waits_for_another_deployment(place: tuple[Any, AppConfigProfile]) -> None:
    client, ids = place
    other = client.create_configuration_profile(ApplicationId=ids.application, Name="other", LocationUri="hosted")["Id"]
    profile = AppConfigProfile(ids.application, ids.environment, other, ids.strategy)
    assert until_settled(lambda: AppConfig(client, profile).publish(document(9, 9), 0)) is PublishOutcome.DONE
    publisher = AppConfig(client, ids)
    for _ in range(3):
        assert publisher.publish(document(1, 60), 0) is PublishOutcome.PENDING
    assert publisher.read().revision == 0


class Data:
    """AppConfig's data plane: a token for each poll, and an empty answer without a change."""

    def __init__(self, answers: list[bytes | Exception]) -> None:
        self._answers = answers
        self.sessions = 0

    def start_configuration_session(self, **_: str) -> dict[str, str]:
        self.sessions += 1
        return {"InitialConfigurationToken": f"s{self.sessions}"}

    def get_latest_configuration(self, ConfigurationToken: str) -> dict[str, Any]:  # noqa: N803 - as boto3
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"NextPollConfigurationToken": ConfigurationToken + "+", "Configuration": io.BytesIO(answer)}


def test_client_keeps_the_last_good_document_of_app_config(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client reads what is deployed, and keeps it when nothing is new or the call fails."""
    from botocore.exceptions import ClientError

    failed = ClientError({"Error": {"Code": "BadRequestException", "Message": "token"}}, "GetLatestConfiguration")
    client = Data([document(3, 120).encode(), b"", failed, document(4, 30).encode()])
    now = [0.0]
    parameter = TtlParameter({"price": Bounds(60, 5, 300)}, from_appconfig(client, "a", "e", "p"), clock=lambda: now[0])
    seen = []
    with caplog.at_level(logging.CRITICAL):
        for _ in range(4):
            parameter.read(wait_s=10)
            seen.append((parameter.current.version, parameter.current.ttl_s["price"]))
            now[0] += 70
    assert seen == [(3, 120), (3, 120), (3, 120), (4, 30)]
    assert client.sessions == 2
    with pytest.raises(ParameterUnavailable):
        from_appconfig(Data([failed]), "a", "e", "p")()
