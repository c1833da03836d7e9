from optimizer.capacity.memory.model import (
    NothingObserved as NothingObserved,
    SizeSeen as SizeSeen,
    UnknownGoal as UnknownGoal,
    choose as choose,
)
