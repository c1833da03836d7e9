"""Serve as an AWS account that was never touched, for `optimizer assess`: the fleet's, with everything it lists.

bench/assess.py and the tests start it; it listens on 127.0.0.1 only. Beside the limits of the fleet's stand-in it has
the quotas of Lambda's control plane and of CloudWatch Logs, rights that can be taken away, and a log of calls.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

sys.path.insert(0, str(Path(__file__).parent / "fleet"))

import cbor2
from habits import Habits
from service import ACCOUNT, REGION, Account, Bucket, Handler, Refused, arn

LAMBDA_CALLS_S, GET_FUNCTION_S, LOGS_CALLS_S = 15.0, 100.0, 5.0
FUNCTIONS_A_PAGE = GROUPS_A_PAGE = 50
# Every so many functions there is one of a kind.
ALIAS_EVERY, STACK_EVERY, TERRAFORM_EVERY, IMAGE_EVERY, SNAP_START_EVERY = 3, 4, 10, 20, 25

DATABASES = f"""<DBInstances><DBInstance><DBInstanceIdentifier>shop</DBInstanceIdentifier><Engine>postgres</Engine>
<EngineVersion>16.4</EngineVersion><DBInstanceClass>db.r6g.large</DBInstanceClass><AllocatedStorage>200</AllocatedStorage>
<DBInstanceArn>arn:aws:rds:{REGION}:{ACCOUNT}:db:shop</DBInstanceArn>
<DBSubnetGroup><VpcId>vpc-1</VpcId></DBSubnetGroup></DBInstance>
<DBInstance><DBInstanceIdentifier>ledger</DBInstanceIdentifier><Engine>oracle-se2</Engine>
<DBInstanceClass>db.m6i.large</DBInstanceClass><DBInstanceArn>arn:aws:rds:{REGION}:{ACCOUNT}:db:ledger</DBInstanceArn>
</DBInstance></DBInstances>"""
CLUSTERS = f"""<DBClusters><DBCluster><DBClusterIdentifier>orders</DBClusterIdentifier>
<Engine>aurora-postgresql</Engine><EngineVersion>17.4</EngineVersion><DBClusterArn>arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders</DBClusterArn>
<HttpEndpointEnabled>true</HttpEndpointEnabled><DBSubnetGroup>private</DBSubnetGroup></DBCluster></DBClusters>"""
CACHES = f"""<CacheClusters><CacheCluster><CacheClusterId>sessions</CacheClusterId><Engine>valkey</Engine>
<EngineVersion>8.0</EngineVersion><CacheNodeType>cache.t4g.small</CacheNodeType><NumCacheNodes>1</NumCacheNodes>
<ARN>arn:aws:elasticache:{REGION}:{ACCOUNT}:cluster:sessions</ARN></CacheCluster></CacheClusters>"""
ANSWERS = {
    "GetCallerIdentity": f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/reader</Arn><UserId>U</UserId>",
    "DescribeDBInstances": DATABASES,
    "DescribeDBClusters": CLUSTERS,
    "DescribeCacheClusters": CACHES,
    "DescribeReplicationGroups": "<ReplicationGroups/>",
    "DescribeServerlessCaches": "<ServerlessCaches/>",
}
# Metrics of servers: the same value every day.
SERVERS = {
    ("AWS/RDS", "CPUUtilization", "Average"): 61.0,
    ("AWS/RDS", "CPUUtilization", "Maximum"): 97.0,
    ("AWS/ElastiCache", "CacheHits", "Sum"): 700_000.0,
    ("AWS/ElastiCache", "CacheMisses", "Sum"): 300_000.0,
    ("AWS/ElastiCache", "Evictions", "Sum"): 0.0,
    ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "Maximum"): 21.0,
}
# IAM actions of operations whose name differs.
SERVICES = {"GraniteServiceVersion20100801": "cloudwatch", "ResourceGroupsTaggingAPI": "tag", "Logs": "logs"}


class UntouchedAccount(Account):
    """The account: functions without the optimizer's tags, some with aliases and owners; databases and a cache."""

    def __init__(self, functions: int, habits: Habits) -> None:
        super().__init__(functions, habits)
        self.denied: set[str] = set()
        self.control, self.get_functions = Bucket(LAMBDA_CALLS_S), Bucket(GET_FUNCTION_S)
        self.logs = {name: Bucket(LOGS_CALLS_S) for name in ("DescribeLogGroups", "StartQuery", "GetQueryResults")}

    def allow(self, action: str) -> None:
        """Raise if the right was taken away, or if the quota of CloudWatch Logs is used up."""
        if action in self.denied:
            raise Refused(403, "AccessDeniedException")
        bucket = self.logs.get(action.partition(":")[2]) if action.startswith("logs:") else None
        if bucket is not None and not bucket.take(1):
            raise Refused(400, "ThrottlingException")

    def number(self, name: str) -> int:
        """Return the number of a function."""
        return int(name.rpartition("-")[2])

    def get_metric_data(self, request: Mapping[str, Any]) -> Any:
        namespace = request["MetricDataQueries"][0]["MetricStat"]["Metric"]["Namespace"]
        if namespace == "AWS/Lambda":
            return super().get_metric_data(request)
        with self.lock:
            self.metrics_asked += len(request["MetricDataQueries"])
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            value = SERVERS.get((stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Stat"]))
            known = [] if value is None else [value]
            times = [request["StartTime"]] * len(known)
            results.append({"Id": query["Id"], "Timestamps": times, "Values": known, "StatusCode": "Complete"})
        return {"MetricDataResults": results}

    def get_resources(self, request: Mapping[str, Any]) -> Any:
        at = int(request.get("PaginationToken") or 0)
        page = self.names[at : at + 100]
        more = str(at + 100) if at + 100 < len(self.names) else ""
        listed = [{"ResourceARN": arn(name), "Tags": tags} for name in page if (tags := self.tags(name))]
        return {"PaginationToken": more, "ResourceTagMappingList": listed}

    def tags(self, name: str) -> list[dict[str, str]]:
        """Return the tags of a function: none of them is the optimizer's."""
        number = self.number(name)
        if number % STACK_EVERY == 0:
            return [
                {"Key": "aws:cloudformation:stack-name", "Value": f"shop-{number % 7}"},
                {"Key": "aws:cloudformation:logical-id", "Value": "Handler"},
            ]
        if number % TERRAFORM_EVERY == 1:
            return [{"Key": "managed-by", "Value": "terraform"}, {"Key": "team", "Value": "payments"}]
        return []

    def describe_log_groups(self, request: Mapping[str, Any]) -> Any:
        at = int(request.get("nextToken") or 0)
        groups = [
            {**super(UntouchedAccount, self).describe_log_groups({"logGroupNamePrefix": f"/aws/lambda/{name}"})}[
                "logGroups"
            ][0]
            for name in self.names[at : at + GROUPS_A_PAGE]
        ]
        more = at + GROUPS_A_PAGE < len(self.names)
        return {"logGroups": groups, **({"nextToken": str(at + GROUPS_A_PAGE)} if more else {})}

    def rest(self, path: str, query: Mapping[str, list[str]]) -> tuple[str, Any]:
        name = path.split("/functions/")[-1].split("/")[0] if "/functions/" in path else ""
        operation = {
            "": "ListFunctions",
            "aliases": "ListAliases",
            "provisioned-concurrency": "ListProvisionedConcurrencyConfigs",
        }.get(path.rpartition("/")[2] if name else "", "GetFunction")
        self.allow(f"lambda:{operation}")
        bucket = self.get_functions if operation == "GetFunction" else self.control
        if not bucket.take(1):
            raise Refused(429, "TooManyRequestsException")
        return operation, getattr(self, f"_{operation}")(name, query)

    def _ListFunctions(self, _name: str, query: Mapping[str, list[str]]) -> Any:  # noqa: N802 - AWS's name
        at = int(query.get("Marker", ["0"])[0])
        page = self.names[at : at + FUNCTIONS_A_PAGE]
        more = at + FUNCTIONS_A_PAGE < len(self.names)
        functions = [self.configuration(name) for name in page]
        return {"Functions": functions, **({"NextMarker": str(at + FUNCTIONS_A_PAGE)} if more else {})}

    def _ListAliases(self, name: str, _query: object) -> Any:  # noqa: N802 - AWS's name
        live = {"AliasArn": f"{arn(name)}:live", "Name": "live", "FunctionVersion": "1", "RevisionId": "a"}
        return {"Aliases": [live] if self.number(name) % ALIAS_EVERY == 0 else []}

    def _ListProvisionedConcurrencyConfigs(self, _name: str, _query: object) -> Any:  # noqa: N802 - AWS's name
        return {"ProvisionedConcurrencyConfigs": []}

    def _GetFunction(self, name: str, query: Mapping[str, list[str]]) -> Any:  # noqa: N802 - AWS's name
        version = query.get("Qualifier", ["$LATEST"])[0]
        return {"Configuration": {**self.configuration(name), "Version": version}, "Tags": {}}

    def configuration(self, name: str) -> dict[str, Any]:
        """Return the configuration of a function, with a variable that nobody should find anywhere."""
        number = self.number(name)
        image = number % IMAGE_EVERY == 0
        return {
            "FunctionName": name,
            "FunctionArn": arn(name),
            "Version": "$LATEST",
            "MemorySize": self.habits.memory_mb(name),
            "CodeSha256": "c",
            "RevisionId": "r",
            "Architectures": ["arm64"],
            "Environment": {"Variables": {"PASSWORD": "hunter2"}},
            "Timeout": 30,
            "PackageType": "Image" if image else "Zip",
            **({} if image else {"Runtime": "python3.13", "Handler": "app.handler"}),
            **({"SnapStart": {"ApplyOn": "PublishedVersions"}} if number % SNAP_START_EVERY == 2 else {}),
        }


class UntouchedHandler(Handler):
    """One connection of a client."""

    account: UntouchedAccount

    def _aws(self, path: str, query: Mapping[str, list[str]], body: bytes) -> tuple[bytes, str]:
        account, target = self.account, self.headers.get("X-Amz-Target")
        if body.startswith(b"Action=") or b"&Action=" in body:
            action = parse_qs(body.decode())["Action"][0]
            service = "sts" if action == "GetCallerIdentity" else "rds" if "DB" in action else "elasticache"
            account.count(service, action)
            account.allow(f"{service}:{action}")
            answer = f"<{action}Response><{action}Result>{ANSWERS[action]}</{action}Result></{action}Response>"
            return answer.encode(), "text/xml"
        if "/operation/" in path or target:
            service, operation = path.split("/service/")[1].split("/operation/") if not target else target.split(".")
            service = service.split("_")[0]
            account.allow(f"{SERVICES.get(service, 'application-autoscaling')}:{operation}")
        return super()._aws(path, query, body)

    def _own(self, path: str, body: bytes) -> bytes:
        if path == "/_fleet/deny":
            self.account.denied = set(json.loads(body))
        return super()._own(path, body)

    def _refuse(self, refused: Refused) -> None:
        if b"xml" not in (self.headers.get("Accept") or "").encode() and self._is_query():
            code = "AccessDenied" if refused.status == 403 else refused.code
            self.account.count("refused", code)
            error = f"<ErrorResponse><Error><Code>{code}</Code><Message>{code}</Message></Error></ErrorResponse>"
            self._send(refused.status, error.encode(), "text/xml")
            return
        if refused.status == 403 and "/operation/" in self.path:
            self.account.count("refused", refused.code)
            content = cbor2.dumps({"__type": refused.code, "message": refused.code})
            self._send(refused.status, content, "application/cbor")
            return
        super()._refuse(refused)

    def _is_query(self) -> bool:
        return "x-www-form-urlencoded" in (self.headers.get("Content-Type") or "")


def main() -> None:
    """Listen on a free port, print it, answer until standard input ends."""
    UntouchedHandler.account = UntouchedAccount(int(sys.argv[1]), Habits(datetime.fromisoformat(sys.argv[2])))
    server = ThreadingHTTPServer(("127.0.0.1", 0), UntouchedHandler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()
    time.sleep(0)


if __name__ == "__main__":
    main()
