"""The twin: a copy of a node's network in throw-away namespaces, to try things out on.

::

    capture(node, pods) -> State -> build(State) -> Twin -> Twin.ask(Flow) -> Reply

A State is what the kernel says over netlink about links, addresses, routes, rules of the packet filter, neighbours and
tracked connections, with sysctls and listening sockets: plain data, which can be stored and replayed elsewhere. A Twin
is the same state in namespaces without a name, which go with the process whatever ends it. Messages are copied as
they are; nothing here interprets a rule, the kernel does. So there is no library for it: pyroute2, the kept one,
decodes and encodes, and what it does not know would be lost on the way.
"""
