"""Brings the parts that development needs to the machine: Python packages, a control plane, Helm.

Only the standard library is imported here, since this runs before there is a virtual environment.
"""
