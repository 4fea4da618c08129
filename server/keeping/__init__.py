"""What is kept how long: purges, legal holds, deletion certificates, new keys."""
