from optimizer.run.account_usage import read_usage as read_usage
from optimizer.run.check import check_run as check_run
from optimizer.run.glance import Glance as Glance
from optimizer.run.health import run_health as run_health
from optimizer.run.leave import Leaving as Leaving, Left as Left
from optimizer.run.request import RunRequest as RunRequest
from optimizer.run.start import start_run as start_run
from optimizer.run.targets import (
    BATCH as BATCH,
    Targets as Targets,
    choose_targets as choose_targets,
    tagged_functions as tagged_functions,
)
from optimizer.run.unchanged import glance_at as glance_at
