from optimizer.report.approved import publish_approval as publish_approval
from optimizer.report.charts import bars as bars
from optimizer.report.collect import publish_change as publish_change, publish_run as publish_run
from optimizer.report.commands import command_for as command_for, report_command as report_command
from optimizer.report.describe import change_phrase as change_phrase
from optimizer.report.http import respond_to_report_request as respond_to_report_request
from optimizer.report.lines import Line as Line, line as line
from optimizer.report.links import ReportLink as ReportLink, signed_url as signed_url
from optimizer.report.message import Message as Message
from optimizer.report.pages import page_environment as page_environment
from optimizer.report.publish import (
    Channels as Channels,
    mail_once as mail_once,
    publish_once as publish_once,
    put_event_once as put_event_once,
)
from optimizer.report.review.publish import publish_review as publish_review
from optimizer.report.style import BASE_STYLE as BASE_STYLE
from optimizer.report.text import last_message as last_message
from optimizer.report.wording import (
    count as count,
    dollars as dollars,
    reason as reason,
    saves_or_costs as saves_or_costs,
    sentence as sentence,
    status_words as status_words,
)
from optimizer.report.write_pages import render_part as render_part
