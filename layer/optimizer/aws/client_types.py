"""Types of the AWS SDK: clients, and what they take and return. For annotations only.

boto3 makes the class of a client when it makes the client: at run time there is nothing to import. client_types.pyi has
the types for readers and type checkers.
"""

from typing import Any

ApplicationAutoScalingClient = CloudWatchClient = CloudWatchLogsClient = Any
DynamoDBClient = EventBridgeClient = EventBridgeSchedulerClient = Any
ExecutionListItemTypeDef = KMSClient = LambdaClient = Any
MetricDataQueryTypeDef = MetricDataResultTypeDef = RDSClient = Any
ResourceGroupsTaggingAPIClient = S3Client = SFNClient = Any
SNSClient = SSMClient = SecretsManagerClient = Any
