"""Tables that somebody else wrote, CSV or .xlsx: their rows, their cells, and what is told about those that are bad.

Boxes read swipes with it, the server settlements and lists of people. What the columns mean is not known here.
"""
