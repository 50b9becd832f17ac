"""What api and imaging send each other and share in the database. Either may be one release ahead of the other."""
