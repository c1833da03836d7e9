"""`sam local invoke` of every function with its event, without a Docker daemon and without an image registry."""
