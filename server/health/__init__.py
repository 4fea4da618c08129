"""Whether the server is well: for load balancers and monitoring."""
