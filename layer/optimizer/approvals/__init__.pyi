from optimizer.approvals.direct import (
    direct_step as direct_step,
    respond_directly as respond_directly,
    show_approval_request as show_approval_request,
)
from optimizer.approvals.http import (
    PageServices as PageServices,
    failure_response as failure_response,
    respond_to_page_request as respond_to_page_request,
)
from optimizer.approvals.links import ApprovalLink as ApprovalLink
from optimizer.approvals.message import approval_message as approval_message
from optimizer.approvals.request_approval import (
    expire_approval_request as expire_approval_request,
    send_approval_request as send_approval_request,
)
from optimizer.approvals.respond import run_teller as run_teller
