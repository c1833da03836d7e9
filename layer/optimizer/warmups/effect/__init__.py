"""What the pings of a plan avoided, as measured afterwards."""
