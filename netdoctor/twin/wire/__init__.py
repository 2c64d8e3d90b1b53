"""The kernel's netlink messages: `netlink` and `messages` for all, a file for each part of the kernel, `uapi` for numbers."""
