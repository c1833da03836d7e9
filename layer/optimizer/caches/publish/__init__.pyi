from optimizer.caches.publish.document import (
    PublishedTtls as PublishedTtls,
    PublishOutcome as PublishOutcome,
    Ttls as Ttls,
    UnusableDocument as UnusableDocument,
)
from optimizer.caches.publish.publisher import TtlPublisher as TtlPublisher, publisher_of as publisher_of
