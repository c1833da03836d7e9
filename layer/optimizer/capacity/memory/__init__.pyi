from optimizer.capacity.memory.model import (
    NothingObserved as NothingObserved,
    SizeSeen as SizeSeen,
    UnknownGoal as UnknownGoal,
    choose as choose,
)
from optimizer.capacity.memory.propose import plan_memory as plan_memory
