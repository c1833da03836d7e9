from optimizer.assess.application_bill import (
    METRICS_A_RUN as METRICS_A_RUN,
    cost_table as cost_table,
    own_bill as own_bill,
    usual_use as usual_use,
)
from optimizer.assess.assessor import Assessor as Assessor
from optimizer.assess.html import html_page as html_page
from optimizer.assess.read_only import ReadOnlySession as ReadOnlySession
from optimizer.assess.reads import rights_document as rights_document
from optimizer.assess.table import csv_text as csv_text, document as document
from optimizer.assess.text import page as page
from optimizer.assess.worth import (
    UnreadableAssessment as UnreadableAssessment,
    Worth as Worth,
    worth_warnings as worth_warnings,
)
