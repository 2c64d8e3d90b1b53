"""One probe is one fault, and one file. Nothing else has to be edited to add one."""

if __name__ != "netdoctor.probes":
    raise ImportError("import netdoctor.probes, not probes: a second copy of every class would be made")
