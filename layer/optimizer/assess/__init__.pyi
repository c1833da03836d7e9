from optimizer.assess.assessor import Assessor as Assessor
from optimizer.assess.html import html_page as html_page
from optimizer.assess.read_only import ReadOnlySession as ReadOnlySession
from optimizer.assess.reads import rights_document as rights_document
from optimizer.assess.table import csv_text as csv_text, document as document
from optimizer.assess.text import page as page
