"""Run `sam local invoke` for every function with its event, without a Docker daemon or an image registry."""
