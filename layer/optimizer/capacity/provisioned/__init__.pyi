from optimizer.capacity.provisioned.amount import held as held
from optimizer.capacity.provisioned.load import Demand as Demand, usd_month as usd_month
from optimizer.capacity.provisioned.scheduled_step import HoldMinimum as HoldMinimum
from optimizer.capacity.provisioned.timetable import DAYS as DAYS, Timetable as Timetable
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables as PlacedTimetables
