"""Runs the parts that `provision` brought: a Kubernetes control plane and an S3 server on loopback."""
