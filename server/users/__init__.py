"""People who use the server: their accounts, logins and sessions."""
