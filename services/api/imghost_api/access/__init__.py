"""Who is calling and what they may do: principals, the check of every credential, dependencies of routes."""
