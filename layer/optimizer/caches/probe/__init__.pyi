from optimizer.caches.probe.advice import Advice as Advice, Weight as Weight, advise as advise
from optimizer.caches.probe.errors import CacheFailed as CacheFailed, UnusableEndpoint as UnusableEndpoint
from optimizer.caches.probe.login import Keys as Keys
from optimizer.caches.probe.probe import (
    ProbeProgress as ProbeProgress,
    probe_cache as probe_cache,
    read_use as read_use,
)
from optimizer.caches.probe.reader import ProbeLimits as ProbeLimits
from optimizer.caches.probe.result import (
    NamespaceProbe as NamespaceProbe,
    NodeProbe as NodeProbe,
    ProbeResult as ProbeResult,
    ServerFacts as ServerFacts,
    ServerUse as ServerUse,
    Stopped as Stopped,
)
from optimizer.caches.probe.server import Endpoint as Endpoint, IamLogin as IamLogin
