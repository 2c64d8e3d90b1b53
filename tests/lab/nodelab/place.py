"""Names and places of a lab that `exec` needs, apart from config: it imports as little as it can."""

# ruff: noqa: PTH111 -- pathlib takes longer to import than all that `exec` needs

import os

# the prepared images are hard-linked into a run, so runs and images share this folder's file system
CACHE = os.path.realpath(os.environ.get("NETDOCTOR_LAB_CACHE") or os.path.expanduser("~/.cache/netdoctor-lab"))
NODE, OUTSIDE = "minikube", "outside"
HOLDER = "netns"  # the process that holds a network namespace
