from optimizer.aws.client_types import (
    ApplicationAutoScalingClient as ApplicationAutoScalingClient,
    CloudWatchClient as CloudWatchClient,
    CloudWatchLogsClient as CloudWatchLogsClient,
    DynamoDBClient as DynamoDBClient,
    EventBridgeClient as EventBridgeClient,
    EventBridgeSchedulerClient as EventBridgeSchedulerClient,
    ExecutionListItemTypeDef as ExecutionListItemTypeDef,
    LambdaClient as LambdaClient,
    RDSClient as RDSClient,
    ResourceGroupsTaggingAPIClient as ResourceGroupsTaggingAPIClient,
    S3Client as S3Client,
    SecretsManagerClient as SecretsManagerClient,
    SFNClient as SFNClient,
    SNSClient as SNSClient,
    SSMClient as SSMClient,
)
from optimizer.aws.cloudwatch import (
    POINTS_PER_PAGE as POINTS_PER_PAGE,
    MetricQuery as MetricQuery,
    MetricsUnreadable as MetricsUnreadable,
    read_complete as read_complete,
    read_points as read_points,
)
from optimizer.aws.environment import Environment as Environment
from optimizer.aws.event_fields import (
    InvalidEvent as InvalidEvent,
    Kind as Kind,
    above_zero as above_zero,
    check_event as check_event,
    count as count,
    digest as digest,
    list_of as list_of,
    name as name,
    one_of as one_of,
    optional as optional,
    place as place,
    record as record,
    text as text,
)
from optimizer.aws.handler import logged as logged
from optimizer.aws.lambda_client import (
    DEFAULT_CALLS as DEFAULT_CALLS,
    SHARED_CALLS as SHARED_CALLS,
    CallBudget as CallBudget,
    batches_at_work as batches_at_work,
    configuration_of as configuration_of,
    has_alias as has_alias,
    keep_unknown_fields as keep_unknown_fields,
    pace as pace,
    paced_lambda as paced_lambda,
    refuses_pings as refuses_pings,
    share_of_calls as share_of_calls,
)
from optimizer.aws.parallel import at_once as at_once
from optimizer.aws.scheduler import (
    ScheduleTarget as ScheduleTarget,
    delete_schedule as delete_schedule,
    function_prefix as function_prefix,
    get_schedule as get_schedule,
    put_schedule as put_schedule,
    schedule_names as schedule_names,
)
from optimizer.aws.signed_links import LinkSigner as LinkSigner
