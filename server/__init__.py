"""The central review server: enrolment, ingest, the join with settlements, and everything that is kept of them."""
