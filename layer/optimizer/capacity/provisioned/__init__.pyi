from optimizer.capacity.provisioned.amount import (
    Amount as Amount,
    change_id_of as change_id_of,
    held as held,
    is_held as is_held,
    mark_of as mark_of,
)
from optimizer.capacity.provisioned.best_week import level_ahead as level_ahead
from optimizer.capacity.provisioned.hours_ahead import (
    ProvisionedAhead as ProvisionedAhead,
    provision_ahead as provision_ahead,
)
from optimizer.capacity.provisioned.load import (
    DAYS_A_MONTH as DAYS_A_MONTH,
    Demand as Demand,
    usd_month as usd_month,
    worth_holding as worth_holding,
)
from optimizer.capacity.provisioned.local_days import LocalDays as LocalDays
from optimizer.capacity.provisioned.proposal import held_facts as held_facts
from optimizer.capacity.provisioned.propose import plan_provisioned as plan_provisioned
from optimizer.capacity.provisioned.scheduled_step import HoldMinimum as HoldMinimum
from optimizer.capacity.provisioned.timetable import (
    DAYS as DAYS,
    READY_MINUTES as READY_MINUTES,
    Timetable as Timetable,
)
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables as PlacedTimetables
from optimizer.capacity.provisioned.use import (
    MeasuredUse as MeasuredUse,
    days_to_observe as days_to_observe,
    judge_use as judge_use,
    read_use as read_use,
)
