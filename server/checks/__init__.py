"""Checks as boxes deliver them, and those the server decides itself."""
