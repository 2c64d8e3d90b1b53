"""The kernel's netlink messages: read, made and sent."""
