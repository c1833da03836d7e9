from optimizer.caches.publish.publisher import publisher_of as publisher_of
