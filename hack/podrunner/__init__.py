"""Runs the chart's Deployment as a local process, as a node would run its container."""
