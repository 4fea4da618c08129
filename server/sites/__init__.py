"""Districts, institutions, and what stands in them: terminals, cameras, beds, and what boxes report of them."""
