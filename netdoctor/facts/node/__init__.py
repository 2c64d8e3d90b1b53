"""What is read of this node: its links, rules, settings, firewalld and CNI."""
