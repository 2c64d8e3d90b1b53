"""One remedy is one repair, and one file. Nothing else has to be edited to add one."""

if __name__ != "netdoctor.remedies":
    raise ImportError("import netdoctor.remedies, not remedies: a second copy of every class would be made")
