from optimizer.store.account_prices import (
    PRICES_KEY as PRICES_KEY,
    USAGE_KEY as USAGE_KEY,
    prices_of_account as prices_of_account,
)
from optimizer.store.documents import Documents as Documents, NoSuchDocument as NoSuchDocument
from optimizer.store.errors import NoSuchChange as NoSuchChange, NoSuchRun as NoSuchRun, Overtaken as Overtaken
from optimizer.store.event_sources import (
    EventSources as EventSources,
    listed_event_sources as listed_event_sources,
    write_event_sources as write_event_sources,
)
from optimizer.store.index_builds import ActingRecords as ActingRecords
from optimizer.store.looks import (
    FunctionLook as FunctionLook,
    read_looks as read_looks,
    read_remembered as read_remembered,
    write_looks as write_looks,
)
from optimizer.store.pings import PingLog as PingLog
from optimizer.store.price_reading import (
    PRICE_LIST_REGION as PRICE_LIST_REGION,
    PriceListNotRead as PriceListNotRead,
    age_of_prices as age_of_prices,
    read_price_list as read_price_list,
    update_price_list as update_price_list,
)
from optimizer.store.proposals import Proposals as Proposals, read_postponed as read_postponed
from optimizer.store.ready_versions import ReadyVersions as ReadyVersions, VersionReadiness as VersionReadiness
from optimizer.store.replaced_sizes import ReplacedSizes as ReplacedSizes
from optimizer.store.run_store import RunStore as RunStore
from optimizer.store.run_table import RunTable as RunTable
from optimizer.store.warmup_plans import KeptWarm as KeptWarm, PlansInPlace as PlansInPlace
