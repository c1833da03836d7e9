"""Publish TTLs with AppConfig: in a hosted profile, deployed step by step, baked, rolled back by the team's alarms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from optimizer.caches.publish.document import NOTHING, PublishedTtls, PublishOutcome, parse
from optimizer.policy import AppConfigProfile

_ON_ITS_WAY = frozenset({"VALIDATING", "DEPLOYING"})
_IN_FORCE = frozenset({"BAKING", "COMPLETE"})
_GOING_BACK = frozenset({"ROLLING_BACK"})
# This many deployments of one environment are searched for those of the profile.
_MOST_SEARCHED = 100
# A TTL is observed for twice its length.
_OBSERVED_TTLS = 2.0


@dataclass(frozen=True, slots=True)
class _Deployment:
    number: int
    version: int
    state: str


class AppConfig:
    """Publishes in a profile of AppConfig.

    The revision is the number of a deployment; an environment has one deployment at a time.
    """

    def __init__(self, appconfig: Any, profile: AppConfigProfile) -> None:
        self._appconfig = appconfig
        self._profile = profile
        self._environment = {"ApplicationId": profile.application, "EnvironmentId": profile.environment}
        self._hosted = {"ApplicationId": profile.application, "ConfigurationProfileId": profile.profile}

    def read(self) -> PublishedTtls:
        """Return the TTLs that are in force or about to be. Raises UnusableDocument."""
        for deployment in self._deployments():
            if deployment.state in _IN_FORCE | _ON_ITS_WAY:
                text = self._text(deployment.version)
                return PublishedTtls(parse(text), deployment.number, text)
        return PublishedTtls(NOTHING, 0, "")

    def publish(self, text: str, after_revision: int) -> PublishOutcome:
        """See TtlPublisher. A repeated call returns the progress of the deployment."""
        mine: _Deployment | None = None
        theirs = False
        for deployment in self._deployments():
            if deployment.number <= after_revision:
                break
            if self._text(deployment.version) == text:
                mine = mine or deployment
            # A deployment that was rolled back leaves its predecessor in force.
            elif deployment.state in _IN_FORCE | _ON_ITS_WAY:
                theirs = True
        if theirs:
            if mine is not None and mine.state in _IN_FORCE | _ON_ITS_WAY:
                self._stop(mine.number)
            return PublishOutcome.LOST
        if mine is not None:
            if mine.state in _ON_ITS_WAY:
                return PublishOutcome.PENDING
            return PublishOutcome.DONE if mine.state in _IN_FORCE else PublishOutcome.LOST
        version = self._hosted_version(text)
        try:
            self._appconfig.start_deployment(
                **self._environment,
                ConfigurationProfileId=self._profile.profile,
                ConfigurationVersion=str(version),
                DeploymentStrategyId=self._profile.strategy,
                Description="TTLs of a cache",
            )
        except self._appconfig.exceptions.ConflictException:
            # Another deployment is running in the environment; ours comes after it.
            return PublishOutcome.PENDING
        return PublishOutcome.PENDING

    def roll_back(self, text: str, revision: int) -> PublishOutcome:
        """Roll our deployment back at once; if it is too late for that, publish the former TTLs as a new version."""
        for deployment in self._deployments():
            if deployment.number == revision:
                if deployment.state in _GOING_BACK:
                    return PublishOutcome.PENDING
                if deployment.state not in _IN_FORCE | _ON_ITS_WAY:
                    return PublishOutcome.DONE
                break
            if deployment.state in _IN_FORCE | _ON_ITS_WAY:
                mine = self._text(deployment.version) == text
                return self.publish(text, revision) if mine else PublishOutcome.LOST
        try:
            self._stop(revision)
        except self._appconfig.exceptions.BadRequestException:
            # AppConfig reverts no deployment later than three days after its end.
            return self.publish(text, revision)
        return PublishOutcome.PENDING

    def most_ttl_s(self) -> float:
        """Return half of the time that the strategy bakes, in seconds."""
        strategy = self._appconfig.get_deployment_strategy(DeploymentStrategyId=self._profile.strategy)
        return float(strategy["FinalBakeTimeInMinutes"]) * 60 / _OBSERVED_TTLS

    def _stop(self, number: int) -> None:
        self._appconfig.stop_deployment(**self._environment, DeploymentNumber=number, AllowRevert=True)

    def _deployments(self) -> Iterator[_Deployment]:
        """Yield the deployments of the profile, the newest first."""
        pages = self._appconfig.get_paginator("list_deployments").paginate(
            **self._environment, PaginationConfig={"MaxItems": _MOST_SEARCHED}
        )
        numbers = sorted((item["DeploymentNumber"] for page in pages for item in page["Items"]), reverse=True)
        for number in numbers:
            found = self._appconfig.get_deployment(**self._environment, DeploymentNumber=number)
            if found["ConfigurationProfileId"] == self._profile.profile:
                yield _Deployment(number, int(found["ConfigurationVersion"]), found["State"])

    def _hosted_version(self, text: str) -> int:
        """Return the version with this content; create it unless it is among the newest."""
        listed = self._appconfig.list_hosted_configuration_versions(**self._hosted, MaxResults=5)["Items"]
        for version in sorted((item["VersionNumber"] for item in listed), reverse=True):
            if self._text(version) == text:
                return int(version)
        made = self._appconfig.create_hosted_configuration_version(
            **self._hosted, Content=text.encode(), ContentType="application/json"
        )
        return int(made["VersionNumber"])

    def _text(self, version: int) -> str:
        found = self._appconfig.get_hosted_configuration_version(**self._hosted, VersionNumber=version)
        return str(found["Content"].read().decode())
