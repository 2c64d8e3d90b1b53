"""What programs write where something is wrong, as data: one file for each program, one entry for each message.

`check`, `status` and `deploy` read logs and events with the same entries. To add one, copy the text that the program
really writes into its file, with the address of a page that shows it.
"""
