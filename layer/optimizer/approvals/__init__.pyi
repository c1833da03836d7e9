from optimizer.approvals.direct import (
    direct_step as direct_step,
    respond_directly as respond_directly,
    show_approval_request as show_approval_request,
)
from optimizer.approvals.expire import expire_approval_request as expire_approval_request
from optimizer.approvals.http import (
    PageServices as PageServices,
    failure_response as failure_response,
    respond_to_page_request as respond_to_page_request,
)
from optimizer.approvals.links import is_approver as is_approver
from optimizer.approvals.request_approval import send_approval_request as send_approval_request
from optimizer.approvals.send import RequestSender as RequestSender
from optimizer.approvals.tell_people import tell_answers as tell_answers
from optimizer.approvals.tell_run import (
    people_teller as people_teller,
    run_teller as run_teller,
)
from optimizer.approvals.topics import (
    NO_TOPIC as NO_TOPIC,
    NOT_CONFIRMED as NOT_CONFIRMED,
    approver_of as approver_of,
    approver_topics as approver_topics,
    delete_topics as delete_topics,
    existing_topics as existing_topics,
    is_not_found as is_not_found,
    topic_of as topic_of,
    unreached as unreached,
)
