"""Imports all that is installed of ours and makes an S3 client: run by an environment that is under test."""

import importlib
import pkgutil

import boto3

for name in ("videogen_operator", "videogen_simulator"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
for name in ("httpx", "kopf", "kubernetes", "pydantic", "uvloop"):
    importlib.import_module(name)
boto3.client("s3", region_name="us-east-1")
