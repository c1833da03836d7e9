from optimizer.advice.model import Advice as Advice, Setup as Setup, Signals as Signals, Subject as Subject
from optimizer.advice.month import Month as Month, month_of as month_of
from optimizer.advice.rules import advise as advise
from optimizer.advice.snap_start import (
    can_have_snap_start as can_have_snap_start,
    snap_start_usd_month as snap_start_usd_month,
)
